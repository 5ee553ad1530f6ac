"""Slow and plain ways to the same numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from emplus import Mixture

Array = NDArray[np.floating]
LongArray = NDArray[np.longdouble]


def full_covariances(mixture: Mixture) -> Array:
    """Covariances of a Gaussian mixture as (k, d, d)."""
    family: Any = mixture.family
    covariances: Array = family.full_covariances(mixture.parameters)
    return covariances


def exact_log_joint(mixture: Mixture, X: Array) -> Array:
    """log w_j + log N(x_i | j) in extended precision, straight from the covariances (n, k)."""
    rows = X.astype(np.longdouble)
    columns = []
    for log_weight, mean, covariance in zip(
        mixture.log_weights, mixture.parameters.means, full_covariances(mixture), strict=True
    ):
        lower = _cholesky(covariance.astype(np.longdouble))
        white = _forward(lower, (rows - mean.astype(np.longdouble)).T)
        half_log_det = np.log(np.diagonal(lower)).sum()
        half_log_two_pi = 0.5 * len(mean) * np.log(2 * np.longdouble(np.pi))
        columns.append(log_weight - half_log_two_pi - half_log_det - 0.5 * (white**2).sum(axis=0))
    return np.stack(columns, axis=1).astype(np.float64)


def _cholesky(matrix: LongArray) -> LongArray:
    d = len(matrix)
    lower = np.zeros_like(matrix)
    for b in range(d):
        lower[b, b] = np.sqrt(matrix[b, b] - (lower[b, :b] ** 2).sum())
        for a in range(b + 1, d):
            lower[a, b] = (matrix[a, b] - (lower[a, :b] * lower[b, :b]).sum()) / lower[b, b]
    return lower


def _forward(lower: LongArray, right: LongArray) -> LongArray:
    solved = np.zeros_like(right)
    for a in range(len(lower)):
        solved[a] = (right[a] - lower[a, :a] @ solved[:a]) / lower[a, a]
    return solved


def enumerated(log_joint: Array) -> tuple[float, Array]:
    """Log-likelihood and responsibilities by summing over every labelling of the rows.

    ``log_joint`` (n, k) holds log p(x_i, z_i = j); there are k^n labellings.
    """
    n, k = log_joint.shape
    labellings = np.array(list(product(range(k), repeat=n)))
    values = log_joint[np.arange(n), labellings].sum(axis=1)
    total = float(logsumexp(values))
    posterior = np.exp(values - total)
    resp = np.array([[posterior[labellings[:, i] == j].sum() for j in range(k)] for i in range(n)])
    return total, resp


def by_first_mean(means: Array) -> NDArray[np.intp]:
    """An order of components that does not depend on how they are numbered."""
    order: NDArray[np.intp] = np.argsort(means[:, 0])
    return order
