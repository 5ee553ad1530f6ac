"""Fits that may be broken off: the options of checkpoints, and the signals that end a fit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import click

from emplus.cli import completing
from emplus.cli.failures import fail
from emplus.errors import ArgumentError

__all__ = ["CheckpointRequest", "Stop", "checkpoint_options", "stoppable"]

_INTERRUPTED, _TERMINATED = 130, 143


def checkpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `CheckpointRequest.take` takes."""
    for option in (
        click.option(
            "--checkpoint-every",
            type=click.FloatRange(min=0.0),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="Seconds from one save to the next.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on from the checkpoint, if it is there; the result is the same, to the bit.",
        ),
        click.option(
            "--checkpoint",
            metavar="FILE",
            shell_complete=completing.files,
            help="Keep in FILE what has been worked out, every now and then and when the fit is "
            "interrupted, so that --resume can go on from there.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class CheckpointRequest:
    """What the command line says of a checkpoint."""

    path: str | None
    resume: bool
    every: float

    @classmethod
    def take(cls, options: dict[str, Any]) -> CheckpointRequest:
        """Take its options out of those given.

        Raises
        ------
        ArgumentError
            If there is nothing to go on from, or something that nobody asked to go on from.
        """
        path, resume = options.pop("checkpoint"), options.pop("resume")
        every = options.pop("checkpoint_every")
        if resume and path is None:
            raise ArgumentError("--resume goes on from a checkpoint; name it with --checkpoint.")
        if path is not None and not resume and os.path.exists(path):
            raise ArgumentError(
                f"--checkpoint {path!r} is there already; add --resume to go on from it, or name "
                "another file."
            )
        return cls(path, resume, every)

    @property
    def given(self) -> dict[str, Any]:
        """What `fit` of an estimator is to be told."""
        if self.path is None:
            return {}
        from emplus.io.checkpoints import Checkpoint

        return {"checkpoint": Checkpoint(self.path, self.every)}


@dataclass
class Stop:
    """How a command was asked to stop, as its exit code."""

    code: int = _INTERRUPTED


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Let SIGTERM end a fit as Control-C does: with the best so far, and what there is saved."""
    stop = Stop()

    def end(number: int, frame: FrameType | None) -> None:
        stop.code = _TERMINATED
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop  # where signals are not delivered
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield stop
    except KeyboardInterrupt:
        if stop.code == _INTERRUPTED:
            raise
        raise click.exceptions.Exit(fail("terminated.", _TERMINATED)) from None
    finally:
        signal.signal(signal.SIGTERM, before)
