"""The prior of a fit, from the data: what a typical component looks like, and how typical it is."""

from __future__ import annotations

import heapq
import warnings
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Source
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.families.base import Family
from emplus.numerics.threads import single_threaded
from emplus.starts.base import hard_responsibilities, standardized

__all__ = ["calibrated_prior"]

# Rows looked at: enough to know typical components, a small part of the cost of a fit.
_LEAST_ROWS = 4_000
_ROWS_A_COMPONENT = 100

# Rows for each column and the mean that a component needs for its own shape to mean anything.
_ROWS_A_COLUMN = 10

_LLOYD_ITERATIONS = 10
_EM_ITERATIONS = 5

# Phantom rows: the most, the least, and the nats a row that they may cost.
_STRENGTHS = tuple(2.0**-power for power in range(11))
_ALLOWED = 3e-4


def calibrated_prior(
    family: Family, source: Source, n_components: int, strength: float | None = None
) -> Any:
    """The family's prior of phantom rows that are spread like those of a typical component.

    The rows are cut into ``n_components`` cells: the cell with the largest sum of squares is cut
    at its mean across its widest column, again and again (Su & Dy 2007), and some iterations of
    k-means follow. Nothing in it is random. A column's variance within a typical component is the
    weighted median over the cells, which a few cells over two clusters do not move.

    Parameters
    ----------
    family : Family
    source : Source
    n_components : int
    strength : float, optional
        Number of phantom rows. Where it is not given, it is one, or less, down to 0.001, where
        components differ so much from each other in size or shape that the prior would
        cost them more than 3e-4 nats a row. It is found after some iterations of EM
        on the cells.

    Notes
    -----
    Cost: a dozen passes over no more than max(4,000, 100 k, 10 k (d + 1)) rows.
    """
    moments = source.moments(full=family.needs_full_scatter)
    if strength == 0.0:
        return family.default_prior(moments, 0.0)
    d = source.n_features
    a_component = max(_ROWS_A_COMPONENT, _ROWS_A_COLUMN * (d + 1))
    step = max(1, -(-source.n_rows // max(_LEAST_ROWS, a_component * n_components)))
    rows = np.arange(0, source.n_rows, step)
    X, weight = source.take(rows)
    weight = np.ones(len(X)) if weight is None else weight.astype(np.float64)
    whole = Problem(family, source, None)
    points = standardized(whole, X)
    labels = _cells(points, weight, n_components)
    typical = _typical_variances(points, weight, labels) * moments.variance
    if strength is not None:
        return family.default_prior(moments, strength, typical)
    if len(X) < _ROWS_A_COLUMN * (d + 1) * n_components:
        # Too few rows to know the shape of any component: the typical one is all there is.
        return family.default_prior(moments, _STRENGTHS[0], typical)
    priors = [family.default_prior(moments, strength, typical) for strength in _STRENGTHS]
    some = source if step == 1 else source.subset(rows)
    resp = hard_responsibilities(labels, weight, n_components)
    return _affordable(Problem(family, some, priors[-1]), priors, X, resp, float(step))


def _affordable(
    problem: Problem, priors: list[Any], X: Array, resp: Array, rows_each: float
) -> Any:
    """The first of the priors that costs what is allowed; each row stands for ``rows_each``."""
    start = problem.estimate(X, resp)
    state = Engine(stopping=Stopping(-np.inf, _EM_ITERATIONS)).climb(problem, start).state
    statistics = state.statistics
    for _ in range(int(np.log2(rows_each))):
        statistics = statistics + statistics
    free = Problem(problem.family, problem.source, priors[-1])
    best = free.evaluate(free.maximize(statistics)).log_likelihood
    for prior in priors[:-1]:
        believing = Problem(problem.family, problem.source, prior)
        reached = believing.evaluate(believing.maximize(statistics)).log_likelihood
        if best - reached <= _ALLOWED * problem.source.total_weight:
            return prior
    return priors[-1]


def _cells(points: Array, weight: Array, k: int) -> NDArray[np.intp]:
    centres = _divided(points, weight, k)
    if len(centres) == 1:
        return np.zeros(len(points), dtype=np.intp)
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with single_threaded(), warnings.catch_warnings():
        # It may stop before it has settled, and distinct rows may be fewer than cells.
        warnings.simplefilter("ignore", ConvergenceWarning)
        lloyd = KMeans(len(centres), init=centres, n_init=1, max_iter=_LLOYD_ITERATIONS)
        labels: NDArray[np.intp] = lloyd.fit(points, sample_weight=weight).labels_.astype(np.intp)
    return labels


def _divided(points: Array, weight: Array, k: int) -> Array:
    """Centres of up to k cells, each cut from a larger one at its mean."""
    order = count()

    def cell(rows: NDArray[np.intp]) -> tuple[float, int, NDArray[np.intp], Array, int]:
        share = weight[rows]
        mean = share @ points[rows] / share.sum()
        squares = share @ (points[rows] - mean) ** 2
        widest = int(squares.argmax())
        return -float(squares[widest]), next(order), rows, mean, widest

    cells = [cell(np.arange(len(points)))]
    while len(cells) < k and cells[0][0] < 0.0:
        _, _, rows, mean, widest = heapq.heappop(cells)
        low = points[rows, widest] <= mean[widest]
        # Values that differ in the last place only may all lie on one side of their mean.
        parts = (rows[low], rows[~low]) if low.any() and not low.all() else (rows[:1], rows[1:])
        for part in parts:
            heapq.heappush(cells, cell(part))
    return np.array([mean for _, _, _, mean, _ in cells])


def _typical_variances(points: Array, weight: Array, labels: NDArray[np.intp]) -> Array:
    """Weighted medians over the cells of the variance of each column (d,)."""
    _, labels = np.unique(labels, return_inverse=True)
    mass = np.bincount(labels, weight)
    variances = np.empty((len(mass), points.shape[1]))
    for a, values in enumerate(points.T):
        means = np.bincount(labels, weight * values) / mass
        variances[:, a] = np.bincount(labels, weight * (values - means[labels]) ** 2) / mass
    order = variances.argsort(axis=0, kind="stable")
    cumulative = np.cumsum(mass[order], axis=0)
    middle = (cumulative < 0.5 * cumulative[-1]).sum(axis=0)
    medians: Array = np.take_along_axis(variances, np.take_along_axis(order, middle[None], 0), 0)[0]
    return medians
