"""Which way a Gaussian pass goes: expanded into matrix products, or centred and exact.

Expanded: with z = x - c about one reference point c, log w_j + log N(x | mu_j, Sigma_j) is
linear in T(x) = (1, z, products of z), so the E step is T @ H and the M step's sums are resp' T:
two matrix products a block. The expansion cancels terms of size (spread / component size)^2; where
that would cost more than `TOLERANCE` nats, or where few components in many dimensions make it
slower, the centred way takes each component's own deviations through its Cholesky factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emplus.families.base import Array, Kernel
from emplus.families.covariance import Covariance
from emplus.families.diagonal_incomplete import DiagonalIncomplete
from emplus.families.gaussian_centred import CentredKernel
from emplus.families.gaussian_expanded import ExpandedKernel, PlainKernel, Terms
from emplus.families.gaussian_incomplete import (
    MOST_EXPANDED,
    CentredIncomplete,
    ExpandedIncomplete,
)
from emplus.numerics.moments import Moments

__all__ = [
    "CentredKernel",
    "ExpandedKernel",
    "PlainKernel",
    "make_incomplete_kernel",
    "make_kernel",
]

# Largest loss, in nats of one log density, that the expanded form is allowed. Rows in float32
# carry a relative error of 6e-8 themselves, so no more than 1e-3 is to be had from them.
TOLERANCE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-3}

# A single row's score must not depend on which rows come with it, so scoring allows less.
_SCORING_SHARE = 1e-3

# From this dimension on, building the products costs more than a triangular product a component.
_MANY_DIMENSIONS = 96

# From this dimension on, rows are long enough to be worked on as they lie in memory.
_LONG_ROWS = 8


def make_kernel(
    covariance: Covariance,
    means: Array,
    factors: Array,
    log_weights: Array,
    moments: Moments,
    dtype: Any,
    scoring: bool,
) -> ExpandedKernel | PlainKernel | CentredKernel:
    """The fastest kernel that is exact enough for data with these moments."""
    d = means.shape[1]
    dtype = np.dtype(dtype)
    reach = moments.reach(moments.mean)
    if d >= _MANY_DIMENSIONS and covariance.n_terms(d) > d:
        return CentredKernel(covariance, means, factors, log_weights, dtype, reach)
    allowed = TOLERANCE[dtype] * (_SCORING_SHARE if scoring else 1.0)
    few_terms = d >= _LONG_ROWS and covariance.n_terms(d) <= d
    for plain in (True, False) if few_terms else (False,):
        reference = np.zeros(d) if plain else moments.mean.astype(dtype).astype(np.float64)
        expansion = covariance.expand(means - reference, factors, moments.reach(reference))
        loss = float(np.finfo(dtype).eps) * expansion.size
        if loss <= allowed:
            terms = Terms.of(covariance, expansion, factors, log_weights, reference, moments)
            return PlainKernel(terms, dtype, loss) if plain else ExpandedKernel(terms, dtype, loss)
    return CentredKernel(covariance, means, factors, log_weights, dtype, reach)


def make_incomplete_kernel(
    covariance: Covariance,
    means: Array,
    covariances: Array,
    factors: Array,
    log_weights: Array,
    moments: Moments,
    scoring: bool,
) -> Kernel:
    """The faster of the kernels for rows with missing entries that is exact enough; in float64."""
    d = means.shape[1]
    eps = float(np.finfo(np.float64).eps)
    allowed = TOLERANCE[np.dtype(np.float64)] * (_SCORING_SHARE if scoring else 1.0)
    reference, reach = moments.placed(means.mean(axis=0))
    loss = eps * covariance.expand(means - reference, factors, reach).size
    spread = float((covariance.precision_diagonal(factors, d) @ reach**2).max())
    exact = eps * (d * spread) ** 0.5 + min(1.0, 0.25 * eps * spread) ** 2
    if not covariance.matrices:
        variances = np.broadcast_to(covariances.reshape(len(means), -1), means.shape)
        about = reference if loss <= allowed else None
        least = loss if about is not None else exact
        return DiagonalIncomplete(covariance, means, variances, log_weights, about, least)
    if loss <= allowed and (covariance.shared or d <= MOST_EXPANDED):
        return ExpandedIncomplete(covariance, means, covariances, log_weights, reference, loss)
    return CentredIncomplete(covariance, means, covariances, log_weights, exact)
