"""The prior of Gaussian components, and how widely its rows are spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emplus.families.base import Array
from emplus.numerics.moments import Moments

__all__ = ["PhantomRows", "typical_variances"]

# The least that the prior's rows are spread, as a part of the data's variance: where most cells of
# whole numbers hold one value each, a typical component has none.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class PhantomRows:
    """The prior of a Gaussian's precision: ``strength`` rows, spread like a typical component.

    Parameters
    ----------
    strength : float
        Number m of phantom rows; 0 is no prior (maximum likelihood).
    variances : (d,) ndarray
        Their variance in each column, V = diag(variances).

    Notes
    -----
    Equation :eq:`prior-gaussian` of the theory page:
    a Wishart density on the precision, m + d + 1 degrees of freedom, scale (m V)^-1:
    log p(P) = (m / 2) (log det P - tr(V P)) + constant. It is proper for every m > 0, its mode is
    V^-1, and it makes the M step Sigma_j = (S_j + m V) / (n_j + m): a component that
    loses all rows becomes as wide as V, and one that sits on a single point keeps
    a variance of m V / (1 + m). It follows any rescaling of a column. The nearer V is to the truth,
    the less it costs to believe in it: with the spread of a typical component, a whole row of it
    takes little from a sound fit, and much from a component that has found some rows which happen
    to lie close together. Ormoneit & Tresp (1998) and equation (20) of Ueda et al. (2000) use the
    same form with an absolute scale.
    """

    strength: float
    variances: Array


def typical_variances(moments: Moments, spread: Array | None) -> Array:
    """Variances of a typical component (d,), positive, and between a part and all of the data's."""
    variances = _positive_variances(moments)
    if spread is None:
        return variances
    held: Array = np.maximum(np.minimum(spread, variances), _LEAST_SPREAD * variances)
    return held


def _positive_variances(moments: Moments) -> Array:
    """Column variances; a constant column gets a small one, so that its density stays finite."""
    variances = moments.variance
    constant = ~(variances > 0)
    if not constant.any():
        return variances
    size = np.maximum(np.abs(moments.mean), np.sqrt(variances.max(initial=0.0)))
    size[size < 1e-100] = 1.0
    size = np.minimum(size, 1e100)
    return np.where(constant, (1e-3 * size) ** 2, variances)
