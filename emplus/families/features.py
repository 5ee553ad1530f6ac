"""Coordinates in which the rows of a component are compared and cut in two."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from emplus.families.base import Array
from emplus.numerics.moments import Moments
from emplus.numerics.sparse import is_sparse

__all__ = ["indicator_coordinates", "standard_coordinates"]

# Directions that sparse rows of more columns are projected on: distances keep within a fifth.
_DIRECTIONS = 64


def standard_coordinates(X: Any, moments: Moments) -> Array:
    """The rows about their means, in units of their standard deviations (n, d); missing is 0.

    Distances then do not depend on the units of a column. Sparse rows of more than 64 columns are
    projected on that many random directions, always the same ones (Johnson & Lindenstrauss 1984).
    """
    scale = moments.unit
    if is_sparse(X):
        return _projected(X, moments.mean / scale, 1.0 / scale)
    points: Array = np.subtract(X, moments.mean, dtype=np.float64)
    points /= scale
    if moments.missing:
        points[np.isnan(points)] = 0.0
    return points


def _projected(X: Any, shift: Array, scale: Array) -> Array:
    d = X.shape[1]
    if d <= _DIRECTIONS:
        axes = np.eye(d)
    else:
        signs = np.random.default_rng(d).integers(0, 2, (d, _DIRECTIONS)) * 2.0 - 1.0
        axes = signs / np.sqrt(_DIRECTIONS)
    points: Array = np.asarray(X.astype(np.float64) @ (scale[:, None] * axes)) - shift @ axes
    return points


def indicator_coordinates(codes: Array, levels: tuple[int, ...], counts: Array) -> Array:
    """One coordinate a level (n, sum of levels): whether it is there, less its frequency.

    Every column's coordinates are scaled to a total variance of 1, as a continuous column has;
    missing is 0. Where there are many levels they are projected, as in `standard_coordinates`.
    """
    offsets = np.concatenate([[0], np.cumsum(levels)[:-1]]).astype(np.intp)
    groups = np.repeat(np.arange(len(levels)), levels)
    totals = np.add.reduceat(counts, offsets)[groups]
    frequencies = counts / np.where(totals > 0, totals, 1.0)
    spread = np.add.reduceat(frequencies * (1.0 - frequencies), offsets)[groups]
    scale = np.where(spread > 0, 1.0 / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
    known = codes >= 0
    rows, columns = np.nonzero(known)
    places = codes[rows, columns].astype(np.intp) + offsets[columns]
    shape = (len(codes), len(groups))
    ones = csr_array((np.ones(len(rows)), (rows, places)), shape=shape)
    if len(groups) <= _DIRECTIONS:
        points: Array = (ones.toarray() - frequencies) * scale
        return np.where(np.repeat(known, levels, axis=1), points, 0.0)
    # Missing columns keep the small constant of their frequencies: projected, it cannot be told.
    return _projected(ones, frequencies * scale, scale)
