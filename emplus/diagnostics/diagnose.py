"""The measuring: one pass over the rows, and two more where components share rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from emplus.data.memory import ArraySource
from emplus.diagnostics.diagnosis import Diagnosis
from emplus.diagnostics.overlap import measure_pairs
from emplus.diagnostics.passes import first_pass
from emplus.diagnostics.width import narrowest
from emplus.errors import DataError
from emplus.estimators.validation import check_sample_weight
from emplus.mixture import Mixture
from emplus.numerics.sparse import is_sparse

__all__ = ["diagnose"]


def diagnose(
    mixture: Mixture | Any, X: ArrayLike, sample_weight: ArrayLike | None = None
) -> Diagnosis:
    r"""Say what is wrong with a fitted mixture: with which component, and what to do about it.

    Parameters
    ----------
    mixture : Mixture or fitted estimator
        Of any family.
    X : (n, d) array_like
        Rows, those of the fit or others; an estimator takes what its ``predict`` takes.
    sample_weight : (n,) array_like, optional
        Weight 0 is as if the row were absent, weight 2 as if it stood there twice.

    Returns
    -------
    Diagnosis
        ``print`` it for a report of one page.

    Raises
    ------
    DataError
        If the rows do not fit the mixture.

    Notes
    -----
    A component is *light* where it has fewer expected rows than 2 p / d, or than 5, with p free
    parameters of its own: each row brings d numbers, and a parameter should have two.

    It has *collapsed* where its variance in a column, or in any direction where the family tells
    its covariances, is below 1e-6 of the data's, and below 1e-3 of what a typical component (the
    weighted median) has beside the data's or below 1e-12 of the data's.

    Two components are *duplicates* where one would do, for either of two reasons. (1) One in place
    of both, fitted to the rows of both, costs less log-likelihood than BIC (Schwarz 1978) gives
    back for one component less, (p + 1) / 2 log n. (2) They are too alike to be told apart: with
    estimated Jeffreys divergence J and n_1, n_2 expected rows, J n_1 n_2 / (n_1 + n_2) is
    asymptotically chi-square with p degrees of freedom where both were fitted to rows of one
    density (Kullback 1959, chapter 6); up to the 95th percentile of that they are alike. Only
    pairs are looked at that share a tenth of the rows of the lighter one, or whose responsibilities
    have a cosine of a tenth: for each component, the three most like it.

    The entropy index is E_k = 1 - H / (n log k) (Ramaswamy et al. 1993), with the classification
    entropy H of Celeux & Soromenho (1996).

    The rows are read once, and twice more where components share rows; O(n k (cost of a density
    + k)). Nothing of size n x k is kept.

    Examples
    --------
    >>> far = Mixture.gaussian([0.5, 0.5], [[0.0], [9.0]], [[[1.0]], [[1.0]]])
    >>> X, _ = far.sample(200, np.random.default_rng(0))
    >>> found = diagnose(far, X)
    >>> found.flagged.tolist(), round(found.entropy_index, 3)
    ([], 1.0)
    """
    fitted, source, names = _rows_of(mixture, X, sample_weight)
    sums = first_pass(fitted, source)
    if np.isnan(sums.log_likelihood):
        raise DataError("The log-likelihood is not a number: see whether X holds NaN.")
    k, d = fitted.n_components, fitted.n_features
    free = fitted.family.n_free_parameters
    # What components share, such as a common covariance, is nobody's own, except of a single one.
    own = free(k, d) - free(k - 1, d) if k > 1 else free(1, d)
    nearest, share = sums.nearest()
    width, column = narrowest(fitted, source)
    with np.errstate(invalid="ignore"):
        certainty = np.where(sums.assigned > 0, sums.certain / sums.assigned, np.nan)
    return Diagnosis(
        n_rows=source.n_rows,
        total_weight=source.total_weight,
        n_features=d,
        n_free_parameters=fitted.n_free_parameters,
        own_parameters=own,
        weights=fitted.weights,
        rows=sums.rows,
        assigned=sums.assigned,
        certainty=certainty,
        nearest=nearest,
        nearest_share=share,
        narrowest=width,
        narrowest_column=column,
        pairs=measure_pairs(fitted, source, sums, own),
        log_likelihood=sums.log_likelihood,
        entropy=sums.entropy,
        surprise=sums.surprise,
        impossible=sums.impossible,
        column_names=names,
    )


def _rows_of(
    model: Any, X: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Mixture, ArraySource, tuple[str, ...] | None]:
    """The mixture, the rows that count, and the columns' names where they have any."""
    if isinstance(model, Mixture):
        source = ArraySource(_checked(model, X))
        return model, _weighted(source, sample_weight, None), None
    # An estimator knows how its rows are checked and coded, and says so where it is not fitted.
    source = model._rows(X)
    names = getattr(model, "feature_names_in_", None)
    named = None if names is None else tuple(str(name) for name in names)
    return model.mixture_, _weighted(source, sample_weight, model.n_jobs), named


def _checked(mixture: Mixture, X: Any) -> Any:
    rows = mixture._rows(X)
    if not rows.shape[0]:
        raise DataError("X has no rows; at least one is needed.")
    sparse = is_sparse(rows)
    if np.isinf(rows.data if sparse else rows).any():
        raise DataError("X holds infinity; remove those rows first.")
    return rows


def _weighted(
    source: ArraySource, sample_weight: ArrayLike | None, n_jobs: int | None
) -> ArraySource:
    weight = check_sample_weight(sample_weight, source.n_rows)
    if weight is None:
        return source
    # Rows with missing entries are kept in an order of their own.
    weight = weight if source.order is None else weight[source.order]
    counted = np.flatnonzero(weight)
    rows, _ = source.take(slice(None) if len(counted) == len(weight) else counted)
    return ArraySource(rows, weight[counted], n_jobs)
