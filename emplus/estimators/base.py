"""What every mixture estimator shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.observers import Observer, Printer
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, DataError, UnknownNameError
from emplus.estimators.telling import warn_of_data, warn_of_fit
from emplus.estimators.validation import (
    check_number,
    check_positive_int,
    check_rows_finite,
    check_sample_weight,
    check_spread,
    given_array,
    make_rng,
    spread_fits,
)
from emplus.families.base import Family
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize
from emplus.search.base import Search
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from emplus.starts.base import Start
from emplus.starts.calibration import calibrated_prior
from emplus.starts.given import GivenMixture, GivenParameters
from emplus.starts.registry import make_start

__all__ = ["MixtureEstimator"]

Array = NDArray[np.floating]


class MixtureEstimator(DensityMixin, BaseEstimator, ABC):  # type: ignore[misc]  # untyped bases
    """Fit, score, assign and sample: everything that does not depend on the family."""

    # Set by fit.
    mixture_: Mixture
    result_: Fit
    n_features_in_: int
    weights_: Array
    means_: Array

    def __init__(
        self,
        n_components: int,
        *,
        tol: float,
        reg_covar: float | str,
        max_iter: int,
        n_init: int,
        init_params: str | Start,
        weights_init: ArrayLike | None,
        means_init: ArrayLike | None,
        random_state: Any,
        warm_start: bool,
        verbose: int,
        verbose_interval: int,
        search: str | Search,
        n_jobs: int | None,
        observers: Sequence[Observer] | None,
    ):
        self.n_components = n_components
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.search = search
        self.n_jobs = n_jobs
        self.observers = observers

    @abstractmethod
    def _family(self, n_features: int) -> Family:
        """The family that the arguments ask for."""

    @abstractmethod
    def _given(self, n_features: int) -> dict[str, Array]:
        """Starting values besides weights and means, by their names in the family's ``pack``."""

    @abstractmethod
    def _publish(self) -> None:
        """Set the family's own fitted attributes from ``mixture_``."""

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to the rows of ``X``.

        Parameters
        ----------
        X : (n, d) array_like
            float32 is worked on as float32 (sums are float64), everything else as float64.
        y : None
            Ignored.
        sample_weight : (n,) array_like, optional
            Weight 0 is as if the row were absent, weight 2 as if it stood there twice.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the rows cannot be fitted: NaN, infinity, fewer rows than components, ...
        ArgumentError
            If an argument is not what the fit can use.
        FitError
            If every start failed, which the default prior rules out.

        Warns
        -----
        ConvergenceWarning
            If the iterations ran out.
        DataWarning
            If columns are constant or collinear (the fit goes on).
        FitWarning
            If components ended empty, or some of the starts failed.
        """
        k = check_positive_int("n_components", self.n_components)
        source = self._source(X, sample_weight, k)
        family = self._family(source.n_features)
        prior = calibrated_prior(family, source, k, self._strength())
        problem = Problem(family, source, prior)
        start = self._start(source.n_features)
        warm = bool(self.warm_start) and hasattr(self, "mixture_")
        if warm:
            start = GivenMixture(self.mixture_)
        fit = self._searched(warm)(
            self._engine(source.total_weight),
            problem,
            lambda rng: start(problem, k, rng),
            make_rng(self.random_state),
        )
        self._adopt(fit)
        self.prior_ = prior
        warn_of_data(problem.moments, getattr(self, "feature_names_in_", None))
        self._warn_of_family(problem)
        warn_of_fit(fit)
        return self

    def _source(self, X: ArrayLike, sample_weight: ArrayLike | None, k: int) -> ArraySource:
        rows = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite=False, ensure_min_samples=1
        )
        names = getattr(self, "feature_names_in_", None)
        weight = check_sample_weight(sample_weight, len(rows))
        if weight is not None and not weight.all():
            rows, weight = rows[weight > 0], weight[weight > 0]
        check_rows_finite(rows, names)
        if len(rows) < k:
            counted = "" if sample_weight is None else " with a weight above 0"
            raise DataError(
                f"n_samples = {len(rows)} rows{counted} cannot hold n_components = {k}; "
                "give more rows or ask for fewer components."
            )
        source = ArraySource(rows, weight, self.n_jobs)
        moments = source.moments(full=False)
        if rows.dtype == np.float32 and not spread_fits(moments, 4):
            source = ArraySource(rows.astype(np.float64), weight, self.n_jobs)
        check_spread(moments, 8, names)
        return source

    def _start(self, d: int) -> Start:
        k, named = self.n_components, self.init_params
        start = make_start(named) if isinstance(named, str) else named
        weights = means = None
        if self.weights_init is not None:
            weights = given_array("weights_init", self.weights_init, (k,))
            if (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-6:
                raise ArgumentError("weights_init must be at least 0 and sum to 1.")
        if self.means_init is not None:
            means = given_array("means_init", self.means_init, (k, d))
        others = self._given(d)
        if weights is None and means is None and not others:
            return start
        return GivenParameters(start, weights, means, others)

    def _strength(self) -> float | None:
        """Phantom rows of the prior; None where the data are to tell."""
        if isinstance(self.reg_covar, str):
            if self.reg_covar != "auto":
                raise UnknownNameError("reg_covar", self.reg_covar, ("auto",))
            return None
        return check_number("reg_covar", self.reg_covar)

    def _searched(self, warm: bool) -> Search:
        # A warm start is one start: climbed again it would end at the same place.
        n_init = 1 if warm else check_positive_int("n_init", self.n_init)
        if isinstance(self.search, str):
            return make_search(self.search, n_init)
        if not callable(self.search):
            raise ArgumentError(f"search={self.search!r} is neither a name nor a search.")
        return self.search

    def _engine(self, total_weight: float) -> Engine:
        observers = tuple(self.observers or ())
        if self.verbose:
            observers += (Printer(int(self.verbose_interval), total_weight),)
        tol = check_number("tol", self.tol)
        max_iter = check_positive_int("max_iter", self.max_iter)
        return Engine(stopping=Stopping(tol, max_iter), observers=observers)

    def _adopt(self, fit: Fit) -> None:
        self.mixture_, self.result_ = fit.mixture, fit
        self.converged_ = fit.outcome is Outcome.CONVERGED
        self.n_iter_ = fit.n_iter
        self.lower_bound_ = fit.log_likelihood / fit.total_weight
        self.lower_bounds_ = [value / fit.total_weight for value in fit.log_likelihoods]
        self.weights_, self.means_ = fit.mixture.weights, fit.mixture.parameters.means
        self._publish()

    def _warn_of_family(self, problem: Problem) -> None:
        """Warn of what only the family can see in the data."""

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.intp]:
        """Fit, and give the most responsible component of each row (n,)."""
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """The most responsible component of each row (n,)."""
        labels: NDArray[np.intp] = np.argmax(self._log_joint(X), axis=1)
        return labels

    def predict_proba(self, X: ArrayLike) -> Array:
        """Responsibilities of the components for each row (n, k); rows sum to 1."""
        joint = self._log_joint(X)
        log_normalize(joint)
        return joint

    def score_samples(self, X: ArrayLike) -> Array:
        """Log density of each row (n,), in nats."""
        return self._rows(X).map_rows(self.mixture_.log_density)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Weighted mean of the log densities of the rows, in nats a row."""
        log_density = self.score_samples(X)
        weight = check_sample_weight(sample_weight, len(log_density))
        return float(np.average(log_density, weights=weight))

    def sample(
        self, n_samples: int = 1, random_state: Any = None
    ) -> tuple[Array, NDArray[np.intp]]:
        """Draw rows and the component of each.

        ``random_state`` belongs to the call: without one, every call draws other rows.
        """
        check_is_fitted(self)
        n = check_positive_int("n_samples", n_samples)
        return self.mixture_.sample(n, make_rng(random_state))

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion on ``X``, lower is better."""
        total, _, _ = self._totals(X, sample_weight)
        return -2.0 * total + 2.0 * self.mixture_.n_free_parameters

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Schwarz's criterion on ``X``, lower is better; rows are counted by their weights."""
        total, weight, _ = self._totals(X, sample_weight)
        return -2.0 * total + self.mixture_.n_free_parameters * float(np.log(weight))

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood on ``X`` (Biernacki, Celeux & Govaert 2000).

        BIC plus twice the surprise of giving each row to its most responsible component, as
        mclust counts it; lower is better. It prefers components that do not overlap.
        """
        _, _, surprise = self._totals(X, sample_weight)
        return self.bic(X, sample_weight) + 2.0 * surprise

    def _totals(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[float, float, float]:
        joint = self._log_joint(X)
        weight = check_sample_weight(sample_weight, len(joint))
        counts = np.ones(len(joint)) if weight is None else weight
        log_density = log_normalize(joint)
        surprise = -float(np.log(joint.max(axis=1)) @ counts)
        return float(log_density @ counts), float(counts.sum()), surprise

    def marginal(self, columns: Sequence[int] | int) -> Mixture:
        """The fitted mixture of some of the columns; see `Mixture.marginal`."""
        check_is_fitted(self)
        return self.mixture_.marginal(columns)

    def condition(self, columns: Sequence[int] | int, values: ArrayLike) -> Mixture:
        """The fitted mixture of the other columns, given values; see `Mixture.condition`."""
        check_is_fitted(self)
        return self.mixture_.condition(columns, values)

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
        outcome = Outcome(summary["outcome"])
        fit = Fit(
            mixture=mixture,
            log_likelihood=float(summary["log_likelihood"]),
            log_prior=float(summary["log_prior"]),
            outcome=outcome,
            n_iter=int(summary["n_iter"]),
            passes=float(summary.get("passes", len(trace))),
            trace=tuple(float(value) for value in trace),
            log_likelihoods=tuple(float(value) for value in log_likelihoods),
            runs=(),
            seconds=float(summary["seconds"]),
            n_rows=int(summary["n_rows"]),
            total_weight=float(summary["total_weight"]),
        )
        self._adopt(fit)

    def _rows(self, X: ArrayLike) -> ArraySource:
        check_is_fitted(self)
        rows = validate_data(
            self, X, reset=False, dtype=[np.float64, np.float32], ensure_all_finite=False
        )
        check_rows_finite(rows, getattr(self, "feature_names_in_", None))
        return ArraySource(rows, n_jobs=self.n_jobs)

    def _log_joint(self, X: ArrayLike) -> Array:
        return self._rows(X).map_rows(self.mixture_.log_joint)
