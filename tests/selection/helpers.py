"""What tests of selections share; tasks that a worker process can import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from emplus import Selection


@dataclass(frozen=True)
class Quit:
    """A task that takes its process with it."""

    def __call__(self, rows: Any) -> None:
        os._exit(7)


@dataclass(frozen=True)
class Fail:
    """A task with an error of its own."""

    def __call__(self, rows: Any) -> None:
        raise ZeroDivisionError("nothing to divide by")


@dataclass(frozen=True)
class Count:
    """A task that prints, and answers what it sees."""

    def __call__(self, rows: Any) -> tuple[int, int | None]:
        print("this must not stand between the answers", flush=True)
        return rows.n, rows.threads


class InterruptAt:
    """An observer that interrupts when it sees that many components."""

    def __init__(self, n_components: int):
        self.n_components = n_components

    def __call__(self, state: Any) -> None:
        if state.mixture.n_components == self.n_components:
            raise KeyboardInterrupt


def numbers(selection: Selection) -> pd.DataFrame:
    """The table without what depends on the clock."""
    return selection.to_frame().drop(columns="seconds")
