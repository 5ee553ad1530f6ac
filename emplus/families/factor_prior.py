"""The prior of factor analyzers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array

__all__ = ["PhantomFactorRows"]


@dataclass(frozen=True)
class PhantomFactorRows:
    """The prior of a factor analyzer: ``strength`` rows, spread like a typical component.

    Parameters
    ----------
    strength : float
        Number m of phantom rows; 0 is no prior (maximum likelihood).
    variances : (d,) ndarray
        Their variance in each column, V = diag(variances).
    noise : (d,) ndarray
        Their noise variance in each column, U = diag(noise).
    fixed : (d,) ndarray of bool
        Columns without any variance in the data: their noise variance is V and stays so.

    Notes
    -----
    Equation :eq:`prior-factors` of the theory page:
    log p = (m / 2) (log det P_j - tr(V P_j)) - (m / 2) tr(U Psi_j^-1) + constant. The first part is
    that of a Gaussian with covariance P_j^-1 = Lambda_j Lambda_j' + Psi_j, so that q = 0 is a
    diagonal Gaussian and q = d - 1 one with a full covariance, under the same prior. It alone would
    let single entries of Psi_j run to zero where a factor takes a column for its own (Heywood
    cases); the second, which is proper in each 1 / Psi_ja, leaves every column a noise of at least
    m U / (n_j + m). Where Psi is shared, the second part counts once.
    """

    strength: float
    variances: Array
    noise: Array
    fixed: NDArray[np.bool_]
