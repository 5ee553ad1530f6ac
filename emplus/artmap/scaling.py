"""Units of the columns, in which one initial standard deviation suits all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.errors import UnknownNameError

__all__ = ["SCALINGS", "Scaling", "column_units"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

SCALINGS = ("within", "standard", "minmax")

# Squares of rows farther out than this from what the units were taken from would overflow.
_FARTHEST = 1e100


@dataclass(frozen=True)
class Scaling:
    """Rows as (x - shift) / unit, and back.

    Parameters
    ----------
    shift : (d,) ndarray
    unit : (d,) ndarray
        Above 0.
    """

    shift: Array
    unit: Array

    def apply(self, X: Array) -> Array:
        """The rows in these units."""
        rows = X - self.shift
        with np.errstate(over="ignore"):  # clipped below
            rows /= self.unit
        return np.clip(rows, -_FARTHEST, _FARTHEST, out=rows)

    def means(self, means: Array) -> Array:
        """Means as they are in the columns' own units."""
        moved: Array = self.shift + means * self.unit
        return moved

    def variances(self, variances: Array) -> Array:
        """Variances as they are in the columns' own units."""
        grown: Array = variances * self.unit**2
        return grown


def column_units(kind: str | None, X: Array, labels: Indices) -> Scaling:
    """Shift and unit of each column of the rows (n, d) whose classes are known.

    Parameters
    ----------
    kind : {'within', 'standard', 'minmax'} or None
        The unit is the standard deviation within classes, that of all rows, or the range; 1 for
        None. A column in which nothing differs gets 1.

    Notes
    -----
    The variance within classes is pooled over them, with one row of the variance of all rows
    beside them: (W + v) / (n - c + 1). So it is above 0 where the column tells the classes apart
    without fail, and it is v itself where each class has one row only.

    Examples
    --------
    >>> column_units("minmax", np.array([[1.0], [5.0]]), np.array([0, 1])).unit.tolist()
    [4.0]
    """
    lower, upper = X.min(axis=0), X.max(axis=0)
    shift = X[0] + (X - X[0]).mean(axis=0)
    if kind is None:
        return Scaling(shift, np.ones_like(shift))
    if kind == "minmax":
        # Halves, so that the range itself does not overflow.
        unit = 2.0 * (0.5 * upper - 0.5 * lower)
        return Scaling(lower, _above_zero(unit, lower < upper))
    if kind not in SCALINGS:
        raise UnknownNameError("scaling", kind, SCALINGS)
    centred = X - shift
    variance = np.einsum("ij,ij->j", centred, centred) / len(X)
    if kind == "within":
        variance = _within(centred, variance, labels)
    return Scaling(shift, _above_zero(np.sqrt(variance), lower < upper))


def _within(centred: Array, variance: Array, labels: Indices) -> Array:
    scatter, known = variance.copy(), np.unique(labels)
    for label in known:
        rows = centred[labels == label]
        rows = rows - rows.mean(axis=0)
        scatter += np.einsum("ij,ij->j", rows, rows)
    pooled: Array = scatter / (len(centred) - len(known) + 1)
    return pooled


def _above_zero(unit: Array, differs: NDArray[np.bool_]) -> Array:
    return np.where(differs & (unit > 0.0), unit, 1.0)
