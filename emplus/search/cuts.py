"""Ways to cut the rows of a component in two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array
from emplus.numerics.lowrank import leading_directions

__all__ = ["cuts"]

# Principal axes looked at where there are many columns; up to so many all of them are. That the
# first few are good to a percent is enough to cut across them.
_LEADING, _FEW_COLUMNS = 24, 64
_SETTLED, _MOST_STEPS = 1e-2, 6

# Axes from which the direction of two heaps is looked for, and steps taken from each.
_AXES = 3
_STEPS = 8

_TWO_MEANS_STEPS = 5

# Variance, as a part of the largest, below which rows do not vary in a direction.
_FLAT = 1e-12


def cuts(points: Array, mass: Array, most: int = 3) -> list[Array]:
    """Sides (b,) of 0 and 1 on which the rows of a component may be put, at most ``most``.

    Across the longest principal axis; across the direction in which the rows look most like two
    heaps, by two-means; across the second axis. Directions in which the rows do not vary are left
    out.

    Parameters
    ----------
    points : (b, d) ndarray
        The family's features of the rows, in units that make columns comparable.
    mass : (b,) ndarray
    most : int

    Notes
    -----
    Two heaps have a small kurtosis across the gap between them (Peña & Prieto 2001). Its
    extremes are found in whitened coordinates by the fixed point w <- E[z (w'z)^3] - 3 w
    (Hyvärinen & Oja 1997). Cost O(b d^2), with more than 64 columns O(b d), as only the 24
    longest axes are then looked at.
    """
    if len(points) < 2:
        return []
    whitened = _whitened(points, mass)
    if whitened.shape[1] == 0:
        return []
    sides = [whitened[:, 0] > 0]
    heaps = _two_means(_most_like_two_heaps(whitened, mass), mass)
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
    d = deviations.shape[1]
    values, vectors = leading_directions(
        deviations * np.sqrt(mass / total)[:, None],
        d if d <= _FEW_COLUMNS else _LEADING,
        tol=_SETTLED,
        max_steps=_MOST_STEPS,
    )
    kept = values > _FLAT * values.max(initial=0.0)
    whitened: Array = deviations @ (vectors[:, kept] / np.sqrt(values[kept]))
    return whitened


def _most_like_two_heaps(whitened: Array, mass: Array) -> Array:
    """The rows' coordinates (b,) in the direction of smallest kurtosis that was found."""
    share = mass / mass.sum()
    kurtosis = share @ _fourth(whitened)
    axes = np.argsort(kurtosis, kind="stable")[:_AXES]
    directions = np.zeros((whitened.shape[1], len(axes)))
    # Off the axis a little, or the fixed point would not leave it.
    directions += 0.1
    directions[axes, np.arange(len(axes))] = 1.0
    directions /= np.linalg.norm(directions, axis=0)
    for _ in range(_STEPS):
        along = whitened @ directions
        cubed = along * along
        cubed *= along
        cubed *= share[:, None]
        following = whitened.T @ cubed - 3.0 * directions
        length = np.linalg.norm(following, axis=0)
        moving = length > 0
        directions[:, moving] = following[:, moving] / length[moving]
    coordinates = np.column_stack([whitened @ directions, whitened[:, axes[0]]])
    best = int((share @ _fourth(coordinates)).argmin())
    coordinate: Array = coordinates[:, best]
    return coordinate


def _fourth(values: Array) -> Array:
    """Fourth powers: a general power takes ten times as long as two products."""
    squares = values * values
    squares *= squares
    return squares


def _two_means(values: Array, mass: Array) -> NDArray[np.bool_]:
    """The side of each value (b,) after two-means from a cut at their mean, 0."""
    side: NDArray[np.bool_] = values > 0
    for _ in range(_TWO_MEANS_STEPS):
        upper = mass * side
        weight, total = upper.sum(), mass.sum()
        if not 0.0 < weight < total:
            break
        high = upper @ values / weight
        low = (mass @ values - upper @ values) / (total - weight)
        side = values > 0.5 * (high + low)
    return side


def _differ(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether two cuts put more than one row in twenty on other sides, whichever is which."""
    agreeing = float(np.mean(one == other))
    return 0.05 < agreeing < 0.95
