"""The order of a selection: what may be fitted once what it starts from is there.

For each family and number of components k::

    fresh(k)     from the estimator's own starts              at once
    split(k)     from the best split of the fit before        after fresh and split before
    merge(k)     from the cheapest merge of the fit after     after all three after, and split(k)
    held out(k)  a fold's rows, scored by a fit on the rest   at once

The best of the first three is the cell's fit. Tasks are taken by k first, so that an interruption
finds whole cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emplus.errors import EmplusError, FitError
from emplus.search.path import Grown, Shrunk
from emplus.selection.cells import Cell
from emplus.selection.tasks import FitTask, Fitted, HeldOut, HeldOutTask, seed_of
from emplus.selection.workers import Task, Workers

__all__ = ["Path", "Place", "run_paths"]

# Where a fit of a cell may come from, in the order in which the first of equals is kept.
_FRESH, _SPLIT, _MERGE = _ORIGINS = ("fresh", "split", "merge")

# Seconds after which a wait looks whether the user has interrupted it, where the system does not
# say so by itself.
_PATIENCE = 0.5

# What a fit must gain in nats a unit of weight to be kept in place of one from fresh starts: that
# two climbs to the same optimum end a rounding apart is no difference.
_SAME = 1e-6


@dataclass(frozen=True)
class Place:
    """A task's place: the index of k on the path, the origin of its fit, or the fold."""

    index: int
    origin: str
    fold: int = -1


@dataclass(eq=False)
class Path:
    """One family over all numbers of components: what is done, and what can be done next.

    Parameters
    ----------
    label : str
    prototype : object
        The candidate estimator.
    ks : sequence of int
        Numbers of components, rising.
    entropy : int
        What all seeds are made of.
    n_folds : int
        0 where no rows are held out.
    """

    label: str
    prototype: Any
    ks: Sequence[int]
    entropy: int
    n_folds: int = 0
    _done: dict[Place, Any] = field(default_factory=dict)

    def places(self) -> list[Place]:
        """Every task there is, in the order in which they are wanted."""
        found = []
        for index in range(len(self.ks)):
            found.append(Place(index, _FRESH))
            if index:
                found.append(Place(index, _SPLIT))
            found += [Place(index, "held out", fold) for fold in range(self.n_folds)]
        last = len(self.ks) - 1
        return found + [Place(index, _MERGE) for index in reversed(range(last))]

    def task(self, place: Place) -> Task | None:
        """The task that belongs to a place, None where it has to wait."""
        k = self.ks[place.index]
        fresh = FitTask(self.prototype, k, self._seed(place))
        if place.origin == _FRESH:
            return fresh
        if place.origin not in _ORIGINS:
            # The same rows are held out from every candidate.
            seed = seed_of(self.entropy, "folds")
            return HeldOutTask(fresh, self.n_folds, place.fold, seed)
        up = place.origin == _SPLIT
        other = place.index + (-1 if up else 1)
        needed = [(other, name) for name in _ORIGINS if self._has(other, name)]
        if up:
            needed = [step for step in needed if step[1] != _MERGE]
        elif self._has(place.index, _SPLIT):
            needed.append((place.index, _SPLIT))
        if any(Place(*step) not in self._done for step in needed):
            return None
        fit = self._best(other, (_FRESH, _SPLIT) if up else _ORIGINS)[1]
        if fit is None:
            return _Nothing()
        start = Grown(fit.estimator.mixture_) if up else Shrunk(fit.estimator.mixture_)
        return FitTask(self.prototype, k, self._seed(place), start)

    def accept(self, place: Place, answer: Any) -> None:
        """Keep what a task gave."""
        self._done[place] = answer

    def cell(self, index: int) -> Cell:
        """What is known of a number of components by now."""
        k = self.ks[index]
        fits = self._fits(index)
        if not fits:
            return Cell(self.label, k)
        seconds = sum(answer.seconds for at, answer in self._done.items() if at.index == index)
        origin, fit = self._best(index)
        if fit is None:
            said = next((str(f.error) for f in fits.values() if f.error is not None), "")
            return Cell(self.label, k, "failed", seconds=seconds, failure=said)
        result = fit.estimator.result_
        aic, bic, icl = fit.criteria
        cv, cv_error, failure = self._held_out(index)
        return Cell(
            family=self.label,
            n_components=k,
            outcome=result.outcome.value,
            origin=origin,
            log_likelihood=float(result.log_likelihood),
            objective=float(result.objective),
            n_parameters=int(fit.estimator.mixture_.n_free_parameters),
            aic=aic,
            bic=bic,
            icl=icl,
            cv=cv,
            cv_error=cv_error,
            seconds=seconds,
            failure=failure,
        )

    def fit(self, index: int) -> Fitted | None:
        """The best fit of a number of components by now."""
        return self._best(index)[1]

    def error(self) -> Exception | None:
        """The first error of its fits."""
        answers = (answer for answer in self._done.values() if isinstance(answer, Fitted))
        return next((answer.error for answer in answers if answer.error is not None), None)

    def _has(self, index: int, origin: str) -> bool:
        """Whether there is such a fit on this path."""
        if origin == _SPLIT:
            return index > 0
        return origin == _FRESH or index < len(self.ks) - 1

    def _fits(self, index: int) -> dict[str, Fitted]:
        places = {origin: Place(index, origin) for origin in _ORIGINS}
        return {origin: self._done[at] for origin, at in places.items() if at in self._done}

    def _best(self, index: int, origins: Sequence[str] = _ORIGINS) -> tuple[str, Fitted | None]:
        best: tuple[str, Fitted | None] = "", None
        for origin, fit in self._fits(index).items():
            if origin not in origins or fit.estimator is None:
                continue
            least = _SAME * float(fit.estimator.result_.total_weight)
            if best[1] is None or fit.objective > best[1].objective + least:
                best = origin, fit
        return best

    def _held_out(self, index: int) -> tuple[float, float, str]:
        """Mean log-likelihood of the held-out rows, its standard error, and what went wrong."""
        places = [Place(index, "held out", fold) for fold in range(self.n_folds)]
        folds: list[HeldOut] = [self._done[at] for at in places if at in self._done]
        failure = next((str(fold.error) for fold in folds if fold.error is not None), "")
        if not folds or failure or len(folds) < self.n_folds:
            return np.nan, np.nan, failure
        totals = np.array([fold.log_likelihood for fold in folds])
        weights = np.array([fold.weight for fold in folds])
        means = totals / weights
        error = float(means.std(ddof=1) / np.sqrt(len(folds)))
        return float(totals.sum() / weights.sum()), error, ""

    def _seed(self, place: Place) -> int:
        origin = (*_ORIGINS, "held out").index(place.origin)
        return seed_of(self.entropy, self.label, self.ks[place.index], origin, place.fold + 1)


@dataclass(frozen=True)
class _Nothing:
    """The task of a start that has nothing to start from."""

    def __call__(self, rows: Any) -> Fitted:
        error = FitError("The neighbouring fit, from which to start, has failed.")
        return Fitted(None, (np.nan,) * 3, 0.0, error=error)


def run_paths(
    paths: Sequence[Path], workers: Workers, watch: Callable[[int, int], None] | None = None
) -> bool:
    """Do the tasks of all paths; whether it was interrupted, which loses only what was running.

    Parameters
    ----------
    paths : sequence of Path
    workers : Workers
    watch : callable, optional
        Called with the number of tasks done and of all tasks, whenever one is done.
    """
    waiting = [(path, place) for path in paths for place in path.places()]
    last = max(len(path.ks) for path in paths) - 1
    waiting.sort(key=lambda step: _rank(step[1], last))
    total = len(waiting)
    running: dict[Future[Any], tuple[Path, Place]] = {}
    try:
        while waiting or running:
            _begin(waiting, running, workers)
            done, _ = wait(running, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            for future in done:
                path, place = running.pop(future)
                path.accept(place, _answer(future, place))
            if done and watch is not None:
                watch(total - len(waiting) - len(running), total)
    except KeyboardInterrupt:
        for future, (path, place) in running.items():
            if future.done() and future.exception() is None:
                path.accept(place, _answer(future, place))
        return True
    return False


def _answer(future: Future[Any], place: Place) -> Any:
    """What a task gave; that its process ended, or could not do it, fails one fit only."""
    try:
        return future.result()
    except EmplusError as error:
        if place.origin in _ORIGINS:
            return Fitted(None, (np.nan,) * 3, 0.0, error=error)
        return HeldOut(np.nan, 0.0, 0.0, error)


def _rank(place: Place, last: int) -> tuple[int, int]:
    """Up first and then down, each k before the next; the sort keeps the order within."""
    down = place.origin == _MERGE
    return int(down), last - place.index if down else place.index


def _begin(
    waiting: list[tuple[Path, Place]],
    running: dict[Future[Any], tuple[Path, Place]],
    workers: Workers,
) -> None:
    """Give the workers as many tasks as they can take, the first that need not wait."""
    for step in list(waiting):
        if len(running) >= workers.slots:
            return
        path, place = step
        task = path.task(place)
        if task is not None:
            running[workers.submit(task)] = step
            waiting.remove(step)
