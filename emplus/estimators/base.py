"""What every mixture estimator shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from emplus.data.base import Source
from emplus.data.cluster import is_dask
from emplus.data.memory import ArraySource
from emplus.data.opening import is_stored
from emplus.engine.loop import Engine, Stopping
from emplus.engine.observers import Observer, Printer
from emplus.engine.online import LearningRate
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.engine.registry import make_rule
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError, DataError
from emplus.estimators.display import Displayed
from emplus.estimators.far_rows import clustered_rows, opened_rows, some_rows
from emplus.estimators.measures import Measures
from emplus.estimators.recording import journal_of
from emplus.estimators.streaming import Streaming
from emplus.estimators.telling import warn_of_columns, warn_of_fit, warn_of_rows
from emplus.estimators.validation import (
    check_columns,
    check_entries,
    check_labels,
    check_number,
    check_positive_int,
    check_sample_weight,
    check_spread,
    given_array,
    spread_fits,
    squarable,
    unless_refused,
    unmasked,
)
from emplus.families.base import Family, counts_only
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded
from emplus.search.base import Search
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from emplus.starts.base import Start
from emplus.starts.calibration import calibrated_prior
from emplus.starts.given import GivenMixture, GivenParameters, KnownLabels
from emplus.starts.registry import make_start

__all__ = ["MixtureEstimator"]

Array = NDArray[np.floating]


class MixtureEstimator(Measures, Streaming, DensityMixin, Displayed):  # type: ignore[misc]  # untyped bases
    """Fit, score, assign and sample: everything that does not depend on the family."""

    # Set by fit.
    mixture_: Mixture
    result_: Fit
    n_features_in_: int
    weights_: Array

    def __init__(
        self,
        n_components: int,
        *,
        tol: float,
        max_iter: int,
        n_init: int,
        init_params: str | Start,
        weights_init: ArrayLike | None,
        random_state: Any,
        warm_start: bool,
        verbose: int,
        verbose_interval: int,
        search: str | Search,
        n_jobs: int | None,
        observers: Sequence[Observer] | None,
        allow_missing: bool,
        optimizer: str | StepRule,
        accelerate: str | None,
        learning_rate: float | LearningRate | None,
    ):
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.search = search
        self.n_jobs = n_jobs
        self.observers = observers
        self.allow_missing = allow_missing
        self.optimizer = optimizer
        self.accelerate = accelerate
        self.learning_rate = learning_rate

    @abstractmethod
    def _family(self, n_features: int) -> Family:
        """The family that the arguments ask for."""

    @abstractmethod
    def _strength(self) -> Any:
        """Rows of the prior, one number or one for each part; None where the data are to tell."""

    def _given(self, n_features: int) -> dict[str, Array]:
        """Starting values besides weights and means, by name in the family's ``pack``."""
        return {}

    def _means(self, n_features: int) -> Array | None:
        """Starting means, where the estimator takes them."""
        return None

    def _read(self, X: Any, *, reset: bool) -> Any:
        """The rows of a table as the family works on them; NaN where an entry is missing.

        With ``reset`` the table is that of a fit, and what predictions need to know of it is kept.
        """
        if is_stored(X):
            return opened_rows(self, X, self.allow_missing, reset=reset)
        rows = validate_data(
            self,
            unmasked(X),
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )
        rows = rows.astype(rows.dtype.newbyteorder("="), copy=False)  # as data frames may hold
        check_entries(rows, self._names, self.allow_missing)
        return rows

    def _written(self, rows: Array, like: Any = None) -> Any:
        """Rows as a table of the kind that was fitted."""
        return rows

    @property
    def _names(self) -> Any:
        return getattr(self, "feature_names_in_", None)

    @abstractmethod
    def _publish(self) -> None:
        """Set the family's own fitted attributes from ``mixture_``."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
        checkpoint: Any = None,
    ) -> Self:
        """Fit the mixture to the rows of ``X``.

        Parameters
        ----------
        X : (n, d) array_like, or rows that stay where they are
            float32 is worked on as float32 (sums are float64), everything else as float64. A file
            by its name (``.npy``, ``.parquet``, ``.csv``), a memory map, or something that gives an
            iterator of blocks each time it is called, need not fit in memory; see
            `emplus.data.opening.open_rows`. A Dask array or data frame stays on its cluster.
        y : None
            Ignored.
        sample_weight : (n,) array_like, optional
            Weight 0 is as if the row were absent, weight 2 as if it stood there twice.
        labels : (n,) array_like of int, optional
            The component 0 .. k - 1 that a row is known to come from, -1 where it is not known.
            A known row belongs to its component alone, throughout the fit.
        checkpoint : path-like or Checkpoint, optional
            A file in which everything is kept that was worked out, every minute and when the fit is
            interrupted. Where it holds this fit, of the same rows and arguments, the fit goes on
            from there, to the same bits.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the rows cannot be fitted: infinity, fewer rows than components, a column without
            any entry, ...
        ArgumentError
            If an argument is not what the fit can use.
        FitError
            If every start failed, which the default prior rules out.
        CheckpointError
            If the checkpoint is another fit's, is damaged, or cannot be written.

        Warns
        -----
        ConvergenceWarning
            If the iterations ran out.
        DataWarning
            If columns are constant or collinear (the fit goes on).
        FitWarning
            If components ended empty, or some of the starts failed.
        """
        with unless_refused(self), single_threaded():
            k = check_positive_int("n_components", self.n_components)
            source = self._source(X, sample_weight, labels, k)
            family, n_rows = self._family(source.n_features), source.n_rows
            if counts_only(family) and isinstance(self.init_params, str):
                source = source.distinct()  # few questions have few different answers
            start = self._start(source.n_features, source.labels is not None)
            warm = bool(self.warm_start) and hasattr(self, "mixture_")
            if warm:
                start = GivenMixture(self.mixture_)
            strength, search = self._strength(), self._searched(warm)
            with journal_of(checkpoint, self, source, self.random_state) as (journal, rng):
                prior = journal.step("prior", lambda: calibrated_prior(family, source, k, strength))
                problem = Problem(family, source, prior)
                engine = replace(self._engine(source.total_weight), journal=journal)
                draw = partial(start, problem, k)
                fit = journal.step("fit", lambda: search(engine, problem, draw, rng))
            self._adopt(replace(fit, n_rows=n_rows))
            self.prior_ = prior
        warn_of_rows(source)
        self._warn_of_data(problem)
        warn_of_fit(fit)
        return self

    def _weighed(
        self, X: Any, sample_weight: ArrayLike | None, labels: ArrayLike | None, *, reset: bool
    ) -> tuple[Any, Array | None, NDArray[np.intp] | None]:
        """Rows, their weights and known labels, less the rows that weigh nothing."""
        rows, k = self._read(X, reset=reset), self.n_components
        weight = check_sample_weight(sample_weight, rows.shape[0])
        known = check_labels(labels, rows.shape[0], k)
        if weight is not None and not weight.all():
            kept = weight > 0
            rows = self._kept(X, rows, kept) if reset else some_rows(rows, kept)
            weight = weight[kept]
            known = None if known is None else check_labels(known[kept], len(weight), k)
        return rows, weight, known

    def _source(
        self, X: Any, sample_weight: ArrayLike | None, labels: ArrayLike | None, k: int
    ) -> Source:
        if is_dask(X):
            return clustered_rows(self, X, sample_weight, labels, self.allow_missing)
        rows, weight, known = self._weighed(X, sample_weight, labels, reset=True)
        if rows.shape[0] < k:
            counted = "" if sample_weight is None else " with a weight above 0"
            raise DataError(
                f"n_samples = {rows.shape[0]} rows{counted} cannot hold n_components = {k}; "
                "give more rows or ask for fewer components."
            )
        source = ArraySource(rows, weight, self.n_jobs, known)
        moments = source.moments(full=False)
        check_columns(moments, self._names)
        if rows.dtype == np.float32 and not spread_fits(moments, 4):
            source = ArraySource(rows.astype(np.float64), weight, self.n_jobs, known)
        check_spread(moments, 8, self._names)
        return source

    def _reader(self, X: Any, *, reset: bool) -> Any:
        """What makes rows of the partitions of a Dask collection; None where they are numbers."""
        return None

    def _kept(self, X: Any, rows: Any, kept: NDArray[np.bool_]) -> Any:
        """Some of the rows that were read from a table, as if the others had not been there."""
        return some_rows(rows, kept)

    def _start(self, d: int, labelled: bool) -> Start:
        k, named = self.n_components, self.init_params
        start = make_start(named) if isinstance(named, str) else named
        if labelled and isinstance(named, str):
            start = KnownLabels()
        weights, means = None, self._means(d)
        if self.weights_init is not None:
            weights = given_array("weights_init", self.weights_init, (k,))
            if (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-6:
                raise ArgumentError("weights_init must be at least 0 and sum to 1.")
        others = self._given(d)
        if weights is None and means is None and not others:
            return start
        return GivenParameters(start, weights, means, others)

    def _searched(self, warm: bool) -> Search:
        # A warm start is one start: climbed again it would end at the same place.
        n_init = 1 if warm else check_positive_int("n_init", self.n_init)
        if isinstance(self.search, str):
            return make_search(self.search, n_init, further=not warm)
        if not callable(self.search):
            raise ArgumentError(f"search={self.search!r} is neither a name nor a search.")
        return self.search

    def _engine(self, total_weight: float) -> Engine:
        observers = tuple(self.observers or ())
        if self.verbose:
            observers += (Printer(int(self.verbose_interval), total_weight),)
        tol = check_number("tol", self.tol)
        max_iter = check_positive_int("max_iter", self.max_iter)
        return Engine(self._rule(), Stopping(tol, max_iter), observers)

    def _rule(self) -> StepRule:
        if hasattr(self.optimizer, "climb"):
            return self.optimizer
        return make_rule(self.optimizer, self.accelerate)

    def _adopt(self, fit: Fit) -> None:
        self.mixture_, self.result_, self._stream = fit.mixture, fit, None
        self.converged_ = fit.outcome is Outcome.CONVERGED
        self.n_iter_ = fit.n_iter
        self.lower_bound_ = fit.log_likelihood / fit.total_weight
        self.lower_bounds_ = [value / fit.total_weight for value in fit.log_likelihoods]
        self.weights_ = fit.mixture.weights
        self._publish()

    def _warn_of_data(self, problem: Problem) -> None:
        """Warn of columns that tell nothing, and of what only the family can see."""
        warn_of_columns(problem.moments, self._names)

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
        checkpoint: Any = None,
    ) -> NDArray[np.intp]:
        """Fit, and give the most responsible component of each row (n,)."""
        return self.fit(X, y, sample_weight, labels=labels, checkpoint=checkpoint).predict(X)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to a file; see `emplus.io.save`."""
        from emplus.io import save

        check_is_fitted(self)
        save(self, path)

    def _restore(
        self,
        mixture: Mixture,
        summary: Mapping[str, Any],
        feature_names: Sequence[str] | None,
        trace: Array,
        log_likelihoods: Array,
    ) -> None:
        """Become the fitted estimator that a model file describes."""
        self.n_features_in_ = mixture.n_features
        if feature_names is not None:
            self.feature_names_in_ = np.asarray(feature_names, dtype=object)
        self._adopt(Fit.restored(mixture, summary, trace, log_likelihoods))

    def _description(self) -> Any:
        """What a model file must hold besides parameters and arguments, fit for JSON."""
        return None

    def _describe(self, description: Any, mixture: Mixture) -> None:
        """Take over the `_description` that was read with a mixture; None where there is none."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(self.allow_missing)
        return tags

    def _rows(self, X: Any) -> Source:
        check_is_fitted(self)
        if is_dask(X):
            return clustered_rows(self, X, None, None, self.allow_missing, reset=False)
        rows = self._read(X, reset=False)
        if isinstance(rows, np.ndarray) and rows.dtype == np.float32:
            rows = squarable(rows, self._names)  # as in the fit
        return ArraySource(rows, n_jobs=self.n_jobs)
