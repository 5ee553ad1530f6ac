"""What a worker process runs: what it has to know and the rows, then tasks until there are none."""

from __future__ import annotations

import os
import pickle
import sys

__all__ = ["main"]


def main() -> None:
    """Read rows and tasks from standard input, write answers to standard output."""
    tasks = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What a fit prints must not stand between answers.
    os.dup2(2, 1)
    try:
        pickle.load(tasks).tell()
        rows = pickle.load(tasks)
        while True:
            # Twice packed: a task that cannot be unpacked here still leaves the pipe in order.
            pickle.dump(_answer(pickle.load(tasks), rows), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, BrokenPipeError):
        # Nobody asks any more.
        sys.exit(0)


def _answer(packed: bytes, rows: object) -> tuple[str, object]:
    try:
        return "", pickle.loads(packed)(rows)
    except Exception as error:
        # Whatever it is, it belongs to the caller, and the next task may do better.
        return f"{type(error).__name__}: {error}", None
