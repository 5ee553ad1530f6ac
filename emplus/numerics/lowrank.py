"""The few directions in which rows vary most, without a matrix of all pairs of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.threads import single_threaded

__all__ = ["leading_directions"]

Array = NDArray[np.floating]

# Rows or columns up to which the smaller Gram matrix is decomposed in full: milliseconds, and up
# to here several times faster than the iteration.
_EXACT = 256

# Directions iterated beyond those asked for: the last of those asked for then settle sooner.
_SPARE = 8

# The start must be general, not random: the same rows always give the same directions.
_SEED = 20


def leading_directions(
    rows: Array, count: int, *, tol: float = 1e-6, max_steps: int = 30
) -> tuple[Array, Array]:
    """Largest eigenvalues of rows' rows and their orthonormal eigenvectors.

    Parameters
    ----------
    rows : (b, d) ndarray
        Already centred and multiplied by the square roots of the weights, so that rows' rows is
        the scatter.
    count : int
        Directions asked for.
    tol : float
        The iteration ends when no eigenvalue grew by more than this part of itself.
    max_steps : int
        Most steps of the iteration.

    Returns
    -------
    values : (c,) ndarray of float64
        In falling order.
    vectors : (d, c) ndarray of float64
        One eigenvector a column. c is ``count``, or the numerical rank of the rows where that is
        less: directions in which nothing varies beyond rounding are left out.

    Notes
    -----
    Exact, by the smaller of the two Gram matrices, where min(b, d) is at most 256 or twice what
    is asked for: O(b d min(b, d)). Otherwise subspace iteration with a QR decomposition after each
    product (Halko, Martinsson & Tropp 2011, algorithm 4.4), which forms neither d x d nor b x b:
    O((b + d) count) memory beyond the rows and O(b d count) a step. Its eigenvalues are at most
    what the vectors hold, and so never too large. Among nearly equal eigenvalues the vectors settle
    slowly; what they then leave out matters little.

    Examples
    --------
    >>> values, vectors = leading_directions(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0]]), 1)
    >>> values.round(6).tolist(), np.abs(vectors[:, 0]).round(6).tolist()
    ([18.0], [1.0, 0.0])
    """
    rows = rows.astype(np.float64, copy=False)
    smaller, larger = sorted(rows.shape)
    if smaller == 0 or count < 1:
        return np.zeros(0), np.zeros((rows.shape[1], 0))
    with single_threaded():
        if smaller <= max(_EXACT, 2 * count):
            values, vectors = _exact(rows, count)
        else:
            values, vectors = _iterated(rows, count, tol, max_steps)
    # What rounding alone may put into an eigenvalue of a Gram matrix.
    kept = values > larger * np.finfo(np.float64).eps * values[0]
    return values[kept], vectors[:, kept]


def _exact(rows: Array, count: int) -> tuple[Array, Array]:
    b, d = rows.shape
    wide = b < d
    # The product of one array with itself is what BLAS halves (syrk), and exactly symmetric.
    values, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    if wide:
        # Longest first, so that rounding in a long one cannot turn it towards a short one.
        vectors = np.linalg.qr(rows.T @ vectors)[0]
    return values, vectors


def _iterated(rows: Array, count: int, tol: float, max_steps: int) -> tuple[Array, Array]:
    width = min(count + _SPARE, *rows.shape)
    directions = np.random.default_rng(_SEED).standard_normal((rows.shape[1], width))
    before = np.zeros(count)
    for _ in range(max(max_steps, 1)):
        coordinates = np.linalg.qr(rows @ directions)[0]
        directions, factor = np.linalg.qr(rows.T @ coordinates)
        # rows is nearly coordinates @ (directions @ factor)', whose singular values these are.
        turn, singular, _ = np.linalg.svd(factor)
        values = singular[:count] ** 2
        rounding = np.finfo(np.float64).eps * values[0]
        if (values - before <= tol * values + rounding).all():
            break
        before = values
    return values, directions @ turn[:, :count]
