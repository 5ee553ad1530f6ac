"""Observers: what watches a run, iteration by iteration, and cannot change it."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from emplus.engine.problem import State
from emplus.mixture import Mixture

__all__ = ["HeldOut", "Observer", "Printer", "ProgressBar"]


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


class HeldOut:
    """Keeps the mixture that scores best on rows held out, and ends the run once it is past.

    Stopping early is a prior of its own: with many components from random parameters it may hold
    out better than any maximum does.

    Parameters
    ----------
    X : (n, d) array_like
        Rows that the fit does not see.
    patience : int
        The run ends after so many iterations without a better score.

    Attributes
    ----------
    mixture : Mixture or None
        The best so far, over all runs that were watched.
    score : float
        Its mean log density of the rows, in nats.
    iteration : int
        Where in its run it was.

    Examples
    --------
    >>> from emplus import GaussianMixture, datasets
    >>> X = datasets.load("faithful").X
    >>> held_out = HeldOut(X[200:])
    >>> model = GaussianMixture(9, search="em", observers=[held_out], random_state=0)
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # that the run was ended
    ...     model = model.fit(X[:200])
    >>> held_out.score >= model.score(X[200:])
    True
    """

    def __init__(self, X: Any, patience: int = 6):
        self._X, self._patience = X, patience
        self.mixture: Mixture | None = None
        self.score, self.iteration = -np.inf, 0
        self._last = (-np.inf, 0)

    def __call__(self, state: State, /) -> None:
        """Score the state; one pass over the rows held out."""
        if state.iteration == 0:
            self._last = (-np.inf, 0)
        score = float(state.mixture.log_density(self._X).mean())
        if score > self.score:
            self.mixture, self.score, self.iteration = state.mixture, score, state.iteration
        if score > self._last[0]:
            self._last = (score, state.iteration)
        elif state.iteration >= self._last[1] + self._patience:
            raise KeyboardInterrupt


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
