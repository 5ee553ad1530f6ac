"""Mixtures of Bernoulli components, for tables of zeros and ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.utils.validation import validate_data

from emplus.data.opening import is_stored
from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError, DataError
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.far_readers import TruthReader
from emplus.estimators.far_tables import opened_truths
from emplus.estimators.validation import (
    check_entries,
    column_name,
    given_array,
    pseudo_rows,
    unmasked,
)
from emplus.families.bernoulli import Bernoulli
from emplus.numerics.sparse import is_sparse
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["BernoulliMixture"]

Array = NDArray[np.floating]

# Rows compared with the threshold at a time.
_ROWS_AT_ONCE = 1 << 14


class BernoulliMixture(MixtureEstimator):
    r"""Mixture of Bernoulli components: votes, symptoms, baskets, black-and-white pixels.

    Columns of zeros and ones, independent of each other given the component.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    binarize : float or None, default=0.0
        Values above it are 1, others 0. None takes the rows as they are, which must then be zeros
        and ones (or booleans).
    prior : float or 'auto', default='auto'
        Strength m of the prior, in pseudo-rows: each component is fitted as if it had seen m more
        rows, with each column's frequency of ones in all rows. A probability is
        :math:`(N_{ja} + m f_a)/(n_j + m)`, the mode under a Beta density that is part of the
        objective. 'auto' takes the power of two, from 1/128 to 16, under which the rows of the
        components best foretell each other when each is left out in turn; ``prior_`` tells. 1e-6
        is as good as none, 0 is none.
    tol : float, default=1e-6
        The fit has converged when the objective changes by no more than this, in nats a row.
    max_iter : int, default=1000
    n_init : int, default=1
    init_params : {'k-means++', 'kmeans', 'random', 'random_from_data'} or Start
    weights_init : (k,) array_like, optional
    probabilities_init : (k, d) array_like, optional
        Starting values; what is not given comes from ``init_params``.
    random_state : int, RandomState, Generator or None
    warm_start : bool, default=False
    verbose : int, default=0
    verbose_interval : int, default=10
    search : str or Search, default='split_merge'
    n_jobs : int, optional
    observers : sequence of Observer, optional
    allow_missing : bool, default=True
    optimizer : str or StepRule, default='em'
    accelerate : str or None, default='auto'
    learning_rate : float or LearningRate, optional
        All as of `GaussianMixture`.

    Attributes
    ----------
    weights_ : (k,) ndarray
    probabilities_ : (k, d) ndarray
        Probability of a 1 in each column.
    means_ : (k, d) ndarray
        The same: what each column is expected to be.
    prior_ : PseudoCounts
        The prior: ``strength`` m and ``frequencies`` (d,). Not in a loaded model.
    converged_, n_iter_, lower_bound_, lower_bounds_, mixture_, result_
        As of `GaussianMixture`.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.CategoricalMixture : columns of more than two categories.
    emplus.MixedMixture : columns of several kinds.

    Notes
    -----
    Rows may be boolean, of whole numbers, floating, or sparse (CSR); boolean and sparse ones are
    worked on as they are, others as one byte an entry. Scores are log probabilities of rows of
    zeros and ones. An iteration costs O(n k d), for sparse rows O(z k) with z ones. Equations
    :eq:`bernoulli`, :eq:`prior-counts` and :eq:`m-step-counts` of the theory page.

    Examples
    --------
    >>> from emplus import BernoulliMixture
    >>> rng = np.random.default_rng(0)
    >>> answers = rng.random((200, 6)) < np.repeat([[0.9] * 6, [0.2] * 6], 100, axis=0)
    >>> model = BernoulliMixture(2, random_state=0).fit(answers)
    >>> np.sort(model.probabilities_.mean(axis=1)).round(1).tolist()
    [0.2, 0.9]
    """

    probabilities_: Array
    means_: Array

    def __init__(
        self,
        n_components: int = 1,
        *,
        binarize: float | None = 0.0,
        prior: float | str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str | Start = "k-means++",
        weights_init: ArrayLike | None = None,
        probabilities_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        search: str | Search = "split_merge",
        n_jobs: int | None = None,
        observers: Sequence[Observer] | None = None,
        allow_missing: bool = True,
        optimizer: str | StepRule = "em",
        accelerate: str | None = "auto",
        learning_rate: float | LearningRate | None = None,
    ):
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            weights_init=weights_init,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            verbose_interval=verbose_interval,
            search=search,
            n_jobs=n_jobs,
            observers=observers,
            allow_missing=allow_missing,
            optimizer=optimizer,
            accelerate=accelerate,
            learning_rate=learning_rate,
        )
        self.binarize = binarize
        self.prior = prior
        self.probabilities_init = probabilities_init

    def _family(self, n_features: int) -> Bernoulli:
        return Bernoulli()

    def _strength(self) -> float | None:
        return pseudo_rows("prior", self.prior)

    def _given(self, n_features: int) -> dict[str, Array]:
        if self.probabilities_init is None:
            return {}
        shape = (self.n_components, n_features)
        probabilities = given_array("probabilities_init", self.probabilities_init, shape)
        if not ((probabilities > 0) & (probabilities < 1)).all():
            raise ArgumentError("probabilities_init must lie above 0 and below 1.")
        return {"probabilities": probabilities}

    def _read(self, X: Any, *, reset: bool) -> Any:
        if is_stored(X):
            return opened_truths(self, X, reset=reset)
        X = unmasked(X)
        rows = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=None if hasattr(X, "dtype") and X.dtype.kind in "biuf" else np.float64,
            ensure_all_finite=False,
        )
        if is_sparse(rows):
            return self._sparse(csr_array(rows))
        return self._truths(rows)

    def _kept(self, X: Any, rows: Any, kept: NDArray[np.bool_]) -> Any:
        if is_stored(X):
            return opened_truths(self, X, reset=True, kept=kept)
        return super()._kept(X, rows, kept)

    def _reader(self, X: Any, *, reset: bool) -> Any:
        # Of the arguments only those that matter travel.
        alone = BernoulliMixture(binarize=self.binarize, allow_missing=self.allow_missing)
        if self._names is not None:
            alone.feature_names_in_ = self._names
        return TruthReader(alone._truths)

    def _truths(self, rows: Any, first: int = 0) -> Any:
        """Booleans, or 0, 1 and NaN where entries are missing; ``first`` numbers the first row."""
        if rows.dtype.kind == "f":
            numbers = np.arange(first, first + len(rows)) if first else None
            check_entries(rows, self._names, self.allow_missing, numbers=numbers)
        return rows if rows.dtype == np.bool_ else self._binary(rows, first)

    def _binary(self, rows: Any, first: int) -> Any:
        threshold = self._threshold(rows, first)
        with np.errstate(over="ignore", invalid="ignore"):
            missing = rows.dtype.kind == "f" and bool(np.isnan(rows.sum()) and np.isnan(rows).any())
        binary = np.empty(rows.shape, dtype=np.float64 if missing else np.bool_)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            own = slice(start, start + _ROWS_AT_ONCE)
            binary[own] = rows[own] > threshold
            if missing:
                binary[own][np.isnan(rows[own])] = np.nan
        return binary

    def _sparse(self, rows: Any) -> Any:
        if rows.dtype.kind == "f":
            check_entries(rows.data[:, None], None, self.allow_missing)
            if np.isnan(rows.data).any():
                raise DataError("Sparse rows cannot hold missing entries; give a dense array.")
        if rows.dtype == np.bool_:
            return rows
        threshold = self._threshold(rows.data)
        if threshold < 0:
            raise ArgumentError(
                f"binarize={threshold!r} is below 0, so that every entry of sparse rows would be "
                "1; use a threshold of at least 0, or a dense array."
            )
        binary = csr_array((rows.data > threshold, rows.indices, rows.indptr), shape=rows.shape)
        binary.eliminate_zeros()
        return binary

    def _threshold(self, values: Any, first: int = 0) -> float:
        if self.binarize is not None:
            if isinstance(self.binarize, bool) or not isinstance(
                self.binarize, int | float | np.number
            ):
                raise ArgumentError(f"binarize={self.binarize!r} is neither a number nor None.")
            if not np.isfinite(self.binarize):
                raise ArgumentError(f"binarize={self.binarize!r} must be finite.")
            return float(self.binarize)
        odd = ~((values == 0) | (values == 1) | (values != values))
        if odd.any():
            at = np.unravel_index(int(odd.argmax()), values.shape)
            place, row = "the rows", ""
            if values.ndim == 2:
                place = column_name(int(at[1]), self._names)
                row = f" in row {first + int(at[0])}"
            raise DataError(
                f"{place.capitalize()} holds {values[at]:g}{row}, neither 0 nor 1; set binarize to "
                "a threshold above which values count as 1."
            )
        return 0.5

    def _publish(self) -> None:
        self.probabilities_ = self.mixture_.parameters.probabilities
        self.means_ = self.probabilities_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
