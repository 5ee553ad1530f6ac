"""Components of many columns as a table of shades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.plotting.profiles import Profile

__all__ = ["Heat", "heat_of_means", "heat_of_probabilities"]

Floats = NDArray[np.float64]

_MOST_ROWS = 40
_MOST_COLUMNS = 120


@dataclass(frozen=True, eq=False)
class Heat:
    """Values of components (m,) in columns (c,).

    Attributes
    ----------
    components : ndarray (m,)
        The components shown: the heaviest, ascending.
    columns : tuple of (str, value or None)
        Name of each column, and the value whose probability is shown.
    values : ndarray (m, c)
        Probabilities, or means about the whole's mean in its standard deviations.
    limits : tuple of float
    n_columns : int
        Of all; c may be fewer, those that set the components farthest apart.
    """

    components: NDArray[np.intp]
    columns: tuple[tuple[str, Any], ...]
    values: Floats
    limits: tuple[float, float]
    n_columns: int


def heat_of_probabilities(profile: Profile) -> Heat:
    """Probabilities of values: the second of two, each of more; O(k t)."""
    names: list[tuple[str, Any]] = []
    values: list[Floats] = []
    for one in profile.categories:
        for level in range(1, 2) if one.binary else range(len(one.levels)):
            names.append((one.name, one.levels[level]))
            values.append(one.probabilities[:, level])
    return _made(profile, names, np.stack(values, axis=1), (0.0, 1.0))


def heat_of_means(profile: Profile) -> Heat:
    """Means about the whole's mean, in its standard deviations; O(k c)."""
    centre, spread = profile.numbers.overall(profile.weights)
    values = (profile.numbers.means - centre) / np.where(spread > 0.0, spread, 1.0)
    reach = max(float(np.abs(values).max(initial=0.0)), 1e-6)
    names = [(name, None) for name in profile.numbers.names]
    return _made(profile, names, values, (-reach, reach))


def _made(
    profile: Profile, names: list[tuple[str, Any]], values: Floats, limits: tuple[float, float]
) -> Heat:
    weights = profile.weights
    apart = weights @ (values - weights @ values) ** 2
    columns = np.sort(np.argsort(-apart, kind="stable")[:_MOST_COLUMNS])
    rows = np.sort(np.argsort(-weights, kind="stable")[:_MOST_ROWS])
    return Heat(
        components=rows,
        columns=tuple(names[column] for column in columns),
        values=values[rows][:, columns],
        limits=limits,
        n_columns=len(names),
    )
