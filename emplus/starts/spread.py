"""How wide a typical component is, before any mixture is fitted."""

from __future__ import annotations

import heapq
import warnings
from itertools import count

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Source
from emplus.numerics.threads import single_threaded

__all__ = ["typical_variances"]

# Rows looked at: enough for the variance of a typical cell, a small part of the cost of a start.
_LEAST_ROWS = 5_000
_ROWS_A_COMPONENT = 200

_LLOYD_ITERATIONS = 10


def typical_variances(source: Source, n_components: int) -> Array:
    """Variance of each column within a typical component (d,).

    The rows are cut into ``n_components`` cells: the cell with the largest sum of squares is cut
    at its mean across its widest column, again and again (Su & Dy 2007), and some iterations of
    k-means follow. Nothing in it is random. The answer is the weighted median over the cells of
    each column's variance, which a few cells over two clusters do not move.

    Notes
    -----
    Cost O(n k d), on no more than max(5,000, 200 k) rows.
    """
    most = max(_LEAST_ROWS, _ROWS_A_COMPONENT * n_components)
    step = max(1, -(-source.n_rows // most))
    X, weight = source.take(np.arange(0, source.n_rows, step))
    weight = np.ones(len(X)) if weight is None else weight.astype(np.float64)
    rows = X.astype(np.float64, copy=False)
    middle = rows[0] + np.average(rows - rows[0], axis=0, weights=weight)
    scale = np.sqrt(np.average((rows - middle) ** 2, axis=0, weights=weight))
    scale[scale == 0] = 1.0
    points = (rows - middle) / scale
    labels = _cells(points, weight, n_components)
    variances, mass = _variances(points, weight, labels)
    typical: Array = _weighted_medians(variances, mass) * scale**2
    return typical


def _cells(points: Array, weight: Array, k: int) -> NDArray[np.intp]:
    centres = _divided(points, weight, k)
    if len(centres) == 1:
        return np.zeros(len(points), dtype=np.intp)
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with single_threaded(), warnings.catch_warnings():
        # It may stop before it has settled, and rows may be fewer than cells.
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


def _variances(points: Array, weight: Array, labels: NDArray[np.intp]) -> tuple[Array, Array]:
    """Variances (cells, d) and weights (cells,) of the cells that hold rows."""
    _, labels = np.unique(labels, return_inverse=True)
    mass = np.bincount(labels, weight)
    variances = np.empty((len(mass), points.shape[1]))
    for a, values in enumerate(points.T):
        means = np.bincount(labels, weight * values) / mass
        variances[:, a] = np.bincount(labels, weight * (values - means[labels]) ** 2) / mass
    return variances, mass


def _weighted_medians(values: Array, mass: Array) -> Array:
    order = values.argsort(axis=0, kind="stable")
    cumulative = np.cumsum(mass[order], axis=0)
    middle = (cumulative < 0.5 * cumulative[-1]).sum(axis=0)
    return np.take_along_axis(values, np.take_along_axis(order, middle[None], 0), 0)[0]
