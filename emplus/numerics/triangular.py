"""Cholesky factors of precisions, and products with them at half the work."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from emplus.numerics.threads import single_threaded

__all__ = [
    "SingularMatrixError",
    "half_log_det",
    "inverse_upper",
    "precision_factors",
    "triangular_product",
]

Array = NDArray[np.floating]

# Below this size LAPACK called once for all matrices wins over a loop with a triangular inverse.
_BATCHED_SIZE = 32


class SingularMatrixError(np.linalg.LinAlgError):
    """A covariance is not positive definite; ``index`` says which one."""

    def __init__(self, index: int):
        super().__init__(f"covariance {index} is not positive definite")
        self.index = index


def precision_factors(covariances: Array) -> Array:
    """Upper triangular U with U U' = covariance^-1, for each of k matrices.

    Parameters
    ----------
    covariances : (k, d, d) ndarray

    Returns
    -------
    factors : (k, d, d) ndarray
        The inverse transposed Cholesky factors, scikit-learn's ``precisions_cholesky_``.

    Raises
    ------
    SingularMatrixError
        Naming the first matrix that is not positive definite.

    Notes
    -----
    Cost O(k d^3).

    Examples
    --------
    >>> precision_factors(np.array([[[4.0, 0.0], [0.0, 0.25]]])).tolist()
    [[[0.5, 0.0], [0.0, 2.0]]]
    """
    with single_threaded():
        if covariances.shape[-1] <= _BATCHED_SIZE:
            return _small_factors(covariances)
        # The inverse of the transposed factor is what is asked for, without a further copy.
        return inverse_upper(_cholesky(covariances).swapaxes(-1, -2))


def inverse_upper(factors: Array) -> Array:
    """Inverses of k upper triangular matrices (k, d, d); O(k d^3 / 3).

    Examples
    --------
    >>> inverse_upper(np.array([[[2.0, 1.0], [0.0, 4.0]]])).tolist()
    [[[0.5, -0.125], [0.0, 0.25]]]
    """
    inverses = np.empty(factors.shape)
    for index, factor in enumerate(factors):
        inverses[index] = lapack.dtrtri(factor, lower=0)[0]
    return inverses


def _small_factors(covariances: Array) -> Array:
    # Correlations are factored and the columns' units put back afterwards: the inverse below swaps
    # rows by size, and columns of very different units would mislead it.
    with np.errstate(invalid="ignore", divide="ignore"):
        units = 1.0 / np.sqrt(np.einsum("kaa->ka", covariances))
        correlations = covariances * units[:, :, None] * units[:, None, :]
    inverse = np.tril(np.linalg.inv(_cholesky(correlations)))
    return np.ascontiguousarray((inverse * units[:, None, :]).swapaxes(-1, -2))


def _cholesky(matrices: Array) -> Array:
    try:
        lower: Array = np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        raise SingularMatrixError(_first_singular(matrices)) from None
    finite = np.isfinite(np.einsum("kaa->ka", lower)).all(axis=1)
    if not finite.all():
        raise SingularMatrixError(int(np.argmin(finite)))
    return lower


def _first_singular(covariances: Array) -> int:
    for index, covariance in enumerate(covariances):
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return index
    return 0


def half_log_det(factors: Array) -> Array:
    """Half the log determinant of each precision: the sum of its factor's log diagonal (k,)."""
    half: Array = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    return half


def triangular_product(rows: Array, factor: Array, out: Array) -> Array:
    """``rows @ factor`` (n, d) for an upper triangular factor, written to ``out``.

    A panel of columns needs only the rows of the factor above its own end, so four panels take
    five eighths of the full product's work, eight of them nine sixteenths, and keep its speed.
    """
    d = factor.shape[0]
    panels = 1 if d < 48 else 2 if d < 96 else 4 if d < 384 else 8
    edges = [d * step // panels for step in range(panels + 1)]
    for start, end in pairwise(edges):
        np.matmul(rows[:, :end], factor[:end, start:end], out=out[:, start:end])
    return out
