"""Which rows can be drawn, and a fixed choice among them when there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import DataError

__all__ = ["as_matrix", "as_weights", "drawable", "thin"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_BLOCK_ENTRIES = 1 << 22
# Differences of larger numbers overflow, and no axis can show them.
_LARGEST = 1e300
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def as_matrix(X: ArrayLike, n_features: int) -> NDArray[Any]:
    """View `X` as floats ``(n, d)``; one-dimensional input is one column when ``d`` is 1.

    Raises
    ------
    DataError
        If `X` does not hold numbers, or has another number of columns than the mixture.
    """
    try:
        rows = np.asarray(X)
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The rows to draw must be numbers: {error}.") from error
    if rows.ndim == 1 and n_features == 1:
        rows = rows[:, np.newaxis]
    if rows.ndim != 2:
        raise DataError(f"The rows to draw must be a table (n, d), not of shape {rows.shape}.")
    if rows.shape[1] != n_features:
        raise DataError(
            f"The rows to draw have {rows.shape[1]} columns, but the model was fitted on "
            f"{n_features}; give the same columns in the same order."
        )
    return rows


def as_weights(sample_weight: ArrayLike | None, n: int) -> Floats:
    """Row weights ``(n,)`` as floats, ones when none are given.

    Raises
    ------
    DataError
        If there is not one weight a row, or a weight is negative or not finite.
    """
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,):
        raise DataError(f"sample_weight has shape {weights.shape}; {n} rows need shape ({n},).")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0.0):
        row = int(np.argmax(~np.isfinite(weights) | (weights < 0.0)))
        raise DataError(f"sample_weight of row {row} is {weights[row]}; weights must be >= 0.")
    return weights


def drawable(X: NDArray[Any], weights: Floats, seen: Sequence[int] | None = None) -> Indices:
    """Rows of positive weight whose every value is finite; O(n d) in blocks of rows.

    Parameters
    ----------
    X : ndarray (n, d)
    weights : ndarray (n,)
    seen : sequence of int, optional
        The columns in which no value may be missing (NaN); by default all.

    Returns
    -------
    rows : ndarray (m,)
        Row numbers, ascending.
    """
    keep = weights > 0.0
    largest = min(_LARGEST, float(np.finfo(X.dtype).max))
    block = max(1, _BLOCK_ENTRIES // max(1, X.shape[1]))
    for start in range(0, len(X), block):
        part = slice(start, start + block)
        # NaN compares false, so this one comparison refuses it too.
        small = np.abs(X[part]) <= largest
        if seen is not None:
            small |= np.isnan(X[part])
            small &= ~np.isnan(X[part][:, list(seen)]).any(axis=1, keepdims=True)
        keep[part] &= np.all(small, axis=1)
    return np.flatnonzero(keep)


def thin(rows: Indices, at_most: int) -> Indices:
    """At most `at_most` of the rows, the same ones every time.

    Row ``i`` is ranked by the fractional part of ``i`` times the golden ratio, which spreads the
    chosen rows evenly over the table without a period that could beat with one in the data.

    Parameters
    ----------
    rows : ndarray (m,)
    at_most : int

    Returns
    -------
    chosen : ndarray (min(m, at_most),)
        Ascending.

    Examples
    --------
    >>> thin(np.arange(1000), 5).tolist()
    [0, 233, 466, 610, 843]
    """
    if len(rows) <= at_most:
        return rows
    rank = np.mod(np.arange(len(rows)) * _GOLDEN, 1.0)
    chosen = np.sort(np.argpartition(rank, at_most)[:at_most])
    return rows[chosen]
