"""How narrow components are beside the data: points and planes are found here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Source
from emplus.diagnostics.diagnosis import DIRECTION
from emplus.mixture import Mixture

__all__ = ["narrowest"]

# Directions are looked for in at most so many columns: O(k d^3) and k d x d matrices.
_MOST_COLUMNS = 256

# Directions in which the standardized data have no more variance than this are left out: there
# rounding is as large as what is to be found.
_FLAT = 1e-8


def narrowest(mixture: Mixture, source: Source) -> tuple[Array, NDArray[np.intp]]:
    """Least share of the data's variance that each component has (k,), and in which column.

    Only columns that vary, and that the family takes for continuous, are looked at: a family may
    say which by ``continuous(parameters)``, a boolean for each column.
    """
    k = mixture.n_components
    family: Any = mixture.family
    moments = source.moments(full=False)
    looked_at = moments.variance > 0
    if hasattr(family, "continuous"):
        looked_at &= np.asarray(family.continuous(mixture.parameters), dtype=bool)
    columns = np.flatnonzero(looked_at)
    if not len(columns):
        return np.full(k, np.nan), np.full(k, DIRECTION)
    share = family.variances(mixture.parameters)[:, columns] / moments.variance[columns]
    place = share.argmin(axis=1)
    least, column = share[np.arange(k), place], columns[place]
    across = _across(mixture, source, columns)
    if across is not None:
        # A direction is only worth telling of where no single column says it as well.
        column = np.where(across < 0.1 * least, DIRECTION, column)
        least = np.minimum(least, across)
    return least, column


def _across(mixture: Mixture, source: Source, columns: NDArray[np.intp]) -> Array | None:
    """Least share of the data's variance in any direction (k,); None where that is not told."""
    family: Any = mixture.family
    if not hasattr(family, "full_covariances") or not 1 < len(columns) <= _MOST_COLUMNS:
        return None
    covariances = family.full_covariances(mixture.parameters)
    moments = source.moments(full=True)
    chosen = np.ix_(columns, columns)
    # Both of them standardized: units of the columns must not matter.
    unit = np.outer(*[1.0 / np.sqrt(moments.variance[columns])] * 2)
    scatter = moments.scatter[chosen] / moments.weight * unit
    if covariances.shape[-1] != len(moments.mean) or not np.isfinite(scatter).all():
        return None
    values, vectors = np.linalg.eigh(scatter)
    kept = values > _FLAT * values[-1]
    whitener = vectors[:, kept] / np.sqrt(values[kept])
    least = [
        float(np.linalg.eigvalsh(whitener.T @ (covariance[chosen] * unit) @ whitener)[0])
        for covariance in covariances
    ]
    return np.maximum(least, 0.0)
