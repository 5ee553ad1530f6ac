"""One piece of work of a selection: a fit, or a fit with some rows held out.

A task is a value that can be sent to another process, and knows all that it needs but the rows.
What is random in it comes from its own seed, so that neither the number of processes nor the order
in which tasks end changes a result.
"""

from __future__ import annotations

import math
import time
import warnings
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.engine.outcome import Outcome
from emplus.errors import ArgumentError, DataError, EmplusError, FitError
from emplus.numerics.threads import single_threaded
from emplus.search.registry import make_search
from emplus.selection.candidates import with_components
from emplus.starts.base import Start

__all__ = ["FitTask", "Fitted", "HeldOut", "HeldOutTask", "Rows", "seed_of"]


@dataclass(frozen=True)
class Rows:
    """The rows that all tasks work on.

    Parameters
    ----------
    X : (n, d) array_like
        Whatever the estimators take: an array or a data frame.
    weight : (n,) ndarray or None
    threads : int, optional
        Threads of each fit; the estimator's own where it is not given.
    """

    X: Any
    weight: NDArray[np.floating] | None = None
    threads: int | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    def take(self, chosen: NDArray[np.intp]) -> Rows:
        """Some of the rows."""
        X = self.X.iloc[chosen] if hasattr(self.X, "iloc") else self.X[chosen]
        return replace(self, X=X, weight=None if self.weight is None else self.weight[chosen])


@dataclass(frozen=True)
class Fitted:
    """What became of a fit: an estimator with its criteria, or the error that there was.

    ``warnings`` are those that the fit gave, as pairs of kind and sentence.
    """

    estimator: Any
    criteria: tuple[float, float, float]
    seconds: float
    warnings: tuple[tuple[type[Warning], str], ...] = ()
    error: Exception | None = None

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior; -inf where there is no fit."""
        return -math.inf if self.estimator is None else float(self.estimator.result_.objective)


@dataclass(frozen=True)
class HeldOut:
    """Log-likelihood of held-out rows, in nats, and their weight."""

    log_likelihood: float
    weight: float
    seconds: float
    error: Exception | None = None


def _sendable(error: Exception) -> Exception:
    """The error as one that another process can read: its sentence and nothing else."""
    for kind in (ArgumentError, FitError):
        if isinstance(error, kind):
            return kind(str(error))
    return DataError(str(error))


def seed_of(entropy: int, label: str, *numbers: int) -> int:
    """A seed that belongs to a place in the table and depends on nothing else."""
    key = (zlib.crc32(label.encode()), *numbers)
    return int(np.random.SeedSequence(entropy, spawn_key=key).generate_state(1)[0])


@dataclass(frozen=True)
class FitTask:
    """Fit a candidate with ``n_components``, from its own starts or from the given one."""

    prototype: Any
    n_components: int
    seed: int
    start: Start | None = None

    def __call__(self, rows: Rows) -> Fitted:
        """Fit; an error is a value, an interruption is raised."""
        began = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught, single_threaded():
            warnings.simplefilter("always")
            try:
                estimator = self._fit(rows)
                criteria = tuple(
                    float(getattr(estimator, name)(rows.X, sample_weight=rows.weight))
                    for name in ("aic", "bic", "icl")
                )
            except (EmplusError, ValueError) as error:
                nothing = (math.nan,) * 3
                return Fitted(None, nothing, time.perf_counter() - began, error=_sendable(error))
        said = tuple((w.category, str(w.message)) for w in caught)
        return Fitted(estimator, criteria, time.perf_counter() - began, said)  # type: ignore[arg-type]  # three names, three numbers

    def _fit(self, rows: Rows) -> Any:
        given: dict[str, Any] = {"random_state": self.seed}
        if self.start is not None:
            # The same start again would only end at the same place.
            given |= {"init_params": self.start, "n_init": 1}
            if isinstance(self.prototype.search, str):
                # The fresh fit of as many components tries the other starts.
                given["search"] = make_search(self.prototype.search, further=False)
        if rows.threads is not None:
            given["n_jobs"] = rows.threads
        estimator = with_components(self.prototype, self.n_components, **given)
        estimator.fit(rows.X, sample_weight=rows.weight)
        if estimator.result_.outcome is Outcome.INTERRUPTED:
            raise KeyboardInterrupt
        # How it was fitted here is no part of the model.
        own = self.prototype.get_params(deep=False)
        kept = {name: own[name] for name in given if name != "random_state"}
        return estimator.set_params(**kept)


@dataclass(frozen=True)
class HeldOutTask:
    """Fit on all rows but those of one fold, and score these."""

    fit: FitTask
    n_folds: int
    fold: int
    fold_seed: int

    def __call__(self, rows: Rows) -> HeldOut:
        """Fit and score; an error is a value, an interruption is raised."""
        began = time.perf_counter()
        held_out = self._fold_of(rows) == self.fold
        rest, own = (rows.take(np.flatnonzero(side)) for side in (~held_out, held_out))
        with warnings.catch_warnings(), single_threaded():
            warnings.simplefilter("ignore")
            try:
                densities = self.fit._fit(rest).score_samples(own.X)
            except (EmplusError, ValueError) as error:
                return HeldOut(math.nan, 0.0, time.perf_counter() - began, _sendable(error))
        weight = np.ones(own.n) if own.weight is None else own.weight
        # A row that does not count may have any density.
        counted = weight > 0
        total = float(densities[counted] @ weight[counted])
        return HeldOut(total, float(weight.sum()), time.perf_counter() - began)

    def _fold_of(self, rows: Rows) -> NDArray[np.intp]:
        """The fold of each row (n,): sizes differ by no more than one, weight 0 not counted."""
        counted = np.ones(rows.n, dtype=bool) if rows.weight is None else rows.weight > 0
        folds = np.full(rows.n, -1, dtype=np.intp)
        order = np.random.default_rng(self.fold_seed).permutation(np.flatnonzero(counted))
        folds[order] = np.arange(len(order)) % self.n_folds
        return folds
