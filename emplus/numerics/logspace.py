"""Sums of probabilities kept as logarithms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.workspace import scratch

__all__ = ["log_normalize", "log_or_minus_infinity"]

Array = NDArray[np.floating]

# Below this an exponential is not a normal number any more, and takes ten to fifty times as long.
# What is lost is less than 1e-30 of a row.
_LOWEST = {4: -80.0, 8: -700.0}

# Rows looked at to guess whether densities are of ordinary size.
_PROBES = 32


def log_normalize(log_joint: Array) -> Array:
    """Turn log p(x_i, j) into responsibilities in place; return log p(x_i).

    Parameters
    ----------
    log_joint : (n, k) ndarray
        Overwritten by the responsibilities p(j | x_i), whose rows sum to 1. Fastest where each
        component's column is contiguous.

    Returns
    -------
    log_density : (n,) ndarray
        log sum_j p(x_i, j). A row that no component can produce gets -inf, and equal
        responsibilities, so that no NaN spreads from it.

    Notes
    -----
    Cost O(n k): one exponential an element. Where densities are not of ordinary size, the largest
    term is subtracted first, so nothing overflows and a far row is never divided by an underflowed
    sum.

    Examples
    --------
    >>> joint = np.log([[0.1, 0.3], [0.2, 0.2]])
    >>> np.exp(log_normalize(joint)).round(3).tolist(), joint.round(3).tolist()
    ([0.4, 0.4], [[0.25, 0.75], [0.5, 0.5]])
    """
    total = _normalize_directly(log_joint)
    if total is not None:
        log_density: Array = np.log(total)
        return log_density
    largest = log_joint.max(axis=1)
    lost = np.isneginf(largest)
    any_lost = bool(lost.any())
    if any_lost:
        log_joint[lost] = 0.0
        largest[lost] = 0.0
    log_joint -= largest[:, None]
    np.maximum(log_joint, _LOWEST[log_joint.dtype.itemsize], out=log_joint)
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=1)
    log_joint *= (1.0 / total)[:, None]
    log_density = np.log(total)
    log_density += largest
    if any_lost:
        log_density[lost] = -np.inf
    return log_density


def _normalize_directly(log_joint: Array) -> Array | None:
    """Responsibilities without the largest term taken off; None, and nothing done, where unsafe.

    Two of six passes over the array are saved wherever densities are of ordinary size.
    """
    n, k = log_joint.shape
    size = log_joint.dtype.itemsize
    some = log_joint[:: max(1, n // _PROBES)]
    if n == 0 or not np.abs(some.max(axis=1)).max() < 0.6 * -_LOWEST[size]:
        return None
    resp = scratch("resp", (k, n), log_joint.dtype).T
    np.maximum(log_joint, _LOWEST[size], out=resp)
    with np.errstate(over="ignore"):
        np.exp(resp, out=resp)
        total: Array = resp.sum(axis=1)
    # The terms raised to the lowest exponent must not count beside the sum.
    if not (total.min() > np.exp(0.8 * _LOWEST[size]) and total.max() < np.inf):
        return None
    np.multiply(resp, (1.0 / total)[:, None], out=log_joint)
    return total


def log_or_minus_infinity(values: Array) -> Array:
    """Natural logarithm with log 0 = -inf and no warning."""
    with np.errstate(divide="ignore"):
        logarithm: Array = np.log(values)
    return logarithm
