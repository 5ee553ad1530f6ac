"""Observers: what watches a run, iteration by iteration, and cannot change it."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from tqdm import tqdm

from emplus.engine.problem import State

__all__ = ["Observer", "Printer", "ProgressBar"]


class Observer(Protocol):
    """Anything called with every state, the start of a run (``iteration`` 0) included."""

    def __call__(self, state: State, /) -> None:
        """Look at the state; raise KeyboardInterrupt to end the run with the best so far."""


class Printer:
    """One line every ``interval`` iterations, for ``verbose`` estimators."""

    def __init__(self, interval: int = 10, total_weight: float = 1.0):
        self._interval, self._weight = interval, total_weight

    def __call__(self, state: State, /) -> None:
        """Show the state."""
        if state.iteration % self._interval == 0:
            row = state.objective / self._weight
            print(f"  iteration {state.iteration:5d}   objective a row {row:.9g}")


class ProgressBar:
    """A tqdm bar over iterations that shows the objective a row."""

    def __init__(self, max_iter: int, total_weight: float = 1.0, **options: Any):
        self._bar = tqdm(total=max_iter, unit="it", file=sys.stderr, leave=False, **options)
        self._weight = total_weight

    def __call__(self, state: State, /) -> None:
        """Show the state."""
        if state.iteration == 0:
            self._bar.reset()
        else:
            self._bar.update(state.iteration - self._bar.n)
        self._bar.set_postfix_str(f"{state.objective / self._weight:.6f} a row", refresh=False)

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()
