"""Ways to cut the rows of a component in two."""

from __future__ import annotations

import numpy as np

from emplus.data.base import Array

__all__ = ["cuts"]

_TWO_MEANS_STEPS = 4

# Variance, as a part of the largest, below which rows do not vary in a direction.
_FLAT = 1e-12


def cuts(points: Array, mass: Array, most: int = 3) -> list[Array]:
    """Sides (b,) of 0 and 1 on which the rows of a component may be put, at most ``most``.

    Across the longest principal axis; across the axis along which the rows look most like two
    heaps (the smallest kurtosis), refined by two-means in whitened coordinates; across the second
    axis. Directions in which the rows do not vary are left out.

    Parameters
    ----------
    points : (b, d) ndarray
        The family's features of the rows, in units that make columns comparable.
    mass : (b,) ndarray
    most : int

    Notes
    -----
    Cost O(b d^2 + d^3).
    """
    if len(points) < 2:
        return []
    whitened = _whitened(points, mass)
    if whitened.shape[1] == 0:
        return []
    sides = [whitened[:, 0] > 0]
    kurtosis = mass @ whitened**4
    heaps = _two_means(whitened, mass, whitened[:, int(kurtosis.argmin())] > 0)
    others = [heaps, whitened[:, 1] > 0] if whitened.shape[1] > 1 else [heaps]
    for side in others:
        if all(_differ(side, known) for known in sides):
            sides.append(side)
    return [side.astype(np.float64) for side in sides[:most] if side.any() and not side.all()]


def _whitened(points: Array, mass: Array) -> Array:
    """Principal coordinates of unit variance (b, d'), the longest axis first."""
    rows = points.astype(np.float64, copy=False)
    total = mass.sum()
    deviations = rows - (rows[0] + mass @ (rows - rows[0]) / total)
    values, vectors = np.linalg.eigh((deviations * mass[:, None]).T @ deviations / total)
    kept = np.flatnonzero(values > _FLAT * max(values[-1], 0.0))[::-1]
    whitened: Array = deviations @ (vectors[:, kept] / np.sqrt(values[kept]))
    return whitened


def _two_means(points: Array, mass: Array, side: Array) -> Array:
    for _ in range(_TWO_MEANS_STEPS):
        upper = mass * side
        weight = upper.sum()
        rest = mass.sum() - weight
        if not 0.0 < weight or not 0.0 < rest:
            break
        total = mass @ points
        high = upper @ points / weight
        low = (total - upper @ points) / rest
        gap = high - low
        side = points @ gap > 0.5 * (high + low) @ gap
    return side


def _differ(one: Array, other: Array) -> bool:
    """Whether two cuts put more than one row in twenty on other sides, whichever is which."""
    agreeing = float(np.mean(one == other))
    return 0.05 < agreeing < 0.95
