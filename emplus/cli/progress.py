"""Bars over the runs of a comparison and the fits of a selection."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm

__all__ = ["CountBar", "RunBar"]


class RunBar:
    """A tqdm bar that is called before each run and names it.

    Parameters
    ----------
    total : int
        Number of runs.
    """

    def __init__(self, total: int):
        self._bar = tqdm(total=total, unit="run", file=sys.stderr, leave=False)
        self._begun = 0

    def __enter__(self) -> RunBar:
        return self

    def __call__(self, search: str, seed: int) -> None:
        """One run is over, except at the first call, and this one begins."""
        self._bar.update(self._begun - self._bar.n)
        self._bar.set_postfix_str(f"{search}, seed {seed}")
        self._begun += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()


class CountBar:
    """A tqdm bar that is told how much is done of how much.

    Parameters
    ----------
    unit : str
        What is counted.
    """

    def __init__(self, unit: str):
        self._bar = tqdm(unit=unit, file=sys.stderr, leave=False)

    def __enter__(self) -> CountBar:
        return self

    def __call__(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
