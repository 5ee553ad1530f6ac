"""Shapes of a Gaussian mixture on paper: ellipses, frames and separations of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.errors import ArgumentError
from emplus.mixture import Mixture

__all__ = [
    "Ellipses",
    "coverage",
    "ellipses",
    "frame",
    "gaussian_moments",
    "has_ellipses",
    "separations",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Covariance ellipses of ``k`` components in two columns.

    Attributes
    ----------
    columns : tuple of int
        The columns on the horizontal and the vertical axis.
    radii : tuple of float
        Mahalanobis distances of the outlines, in standard deviations.
    weights : ndarray (k,)
    means : ndarray (k, 2)
    points : ndarray (k, len(radii), n_points, 2)
        Closed outlines: the last point is the first.
    """

    columns: tuple[int, int]
    radii: tuple[float, ...]
    weights: Floats
    means: Floats
    points: Floats


def coverage(radius: float) -> float:
    r"""Share of a bivariate normal within a Mahalanobis distance: :math:`1 - e^{-r^2/2}`.

    Examples
    --------
    >>> round(coverage(1.0), 3), round(coverage(2.0), 3)
    (0.393, 0.865)
    """
    return float(-np.expm1(-0.5 * radius**2))


def has_ellipses(mixture: Mixture) -> bool:
    """Whether components have covariances, in columns of continuous numbers.

    Examples
    --------
    >>> has_ellipses(Mixture.gaussian([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag"))
    True
    """
    family = mixture.family
    dense = bool(family.continuous(mixture.parameters).all())
    # A product of numbers alone tells of the pairs of columns of one part.
    return dense and (bool(family.parts) or hasattr(family, "full_covariances"))


def gaussian_moments(mixture: Mixture, columns: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Weights ``(k,)``, means ``(k, c)`` and covariances ``(k, c, c)`` of some columns.

    Raises
    ------
    ArgumentError
        If the components are not Gaussian in these columns.
    """
    marginal = mixture.marginal(list(columns))
    family: Any = marginal.family
    parameters: Any = marginal.parameters
    if not hasattr(family, "full_covariances"):
        raise ArgumentError(
            f"Ellipses and densities are drawn for Gaussian components; {family.name!r} has none."
        )
    means = np.asarray(parameters.means, dtype=np.float64)
    covariances = np.asarray(family.full_covariances(parameters), dtype=np.float64)
    return np.asarray(marginal.weights, dtype=np.float64), means, covariances


def ellipses(
    mixture: Mixture,
    columns: Sequence[int] = (0, 1),
    *,
    radii: Sequence[float] = (1.0, 2.0),
    n_points: int = 97,
) -> Ellipses:
    """Covariance ellipses of every component in two columns; O(k n_points).

    The ellipse of radius ``r`` holds ``coverage(r)`` of its component: 39.3 % at one standard
    deviation and 86.5 % at two, less than the 68 % and 95 % of one dimension.

    Parameters
    ----------
    mixture : Mixture
    columns : two ints
    radii : sequence of float, default=(1, 2)
    n_points : int, default=97

    Returns
    -------
    ellipses : Ellipses

    Examples
    --------
    >>> mixture = Mixture.gaussian([1.0], [[0.0, 0.0]], [[[4.0, 0.0], [0.0, 1.0]]])
    >>> ellipses(mixture).points[0, 1].max(axis=0).round(2).tolist()
    [4.0, 2.0]
    """
    first, second = (int(column) for column in columns)
    weights, means, covariances = gaussian_moments(mixture, (first, second))
    scale = np.sqrt(np.maximum(np.einsum("kii->ki", covariances), np.finfo(np.float64).tiny))
    # Correlations, so that columns of very different units lose nothing in the eigenvalues.
    correlations = covariances / (scale[:, :, np.newaxis] * scale[:, np.newaxis, :])
    values, vectors = np.linalg.eigh(correlations)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis, :]
    angle = np.linspace(0.0, 2.0 * np.pi, n_points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    circle[-1] = circle[0]
    outline = np.einsum("kij,pj->kpi", root, circle) * scale[:, np.newaxis, :]
    radius = np.asarray(radii, dtype=np.float64)[np.newaxis, :, np.newaxis, np.newaxis]
    points = means[:, np.newaxis, np.newaxis, :] + radius * outline[:, np.newaxis]
    return Ellipses((first, second), tuple(map(float, radii)), weights, means, points)


def frame(
    values: Floats, weights: Floats, means: Floats, deviations: Floats
) -> tuple[float, float]:
    """Axis limits that hold the data and, as far as they are near it, the components.

    Parameters
    ----------
    values : ndarray (n,)
        Finite; may be empty.
    weights, means, deviations : ndarray (k,)

    Returns
    -------
    low, high : float
        ``low < high`` always, also for a constant column.
    """
    alive = weights > 0.0
    reach = 2.6 * deviations[alive]
    low, high = float(np.min(means[alive] - reach)), float(np.max(means[alive] + reach))
    if len(values):
        first, last = float(values.min()), float(values.max())
        # A component far wider than the data would otherwise shrink the data to a dot.
        room = max(0.5 * (last - first), 3.0 * float(deviations[alive].min()))
        low, high = min(first, max(low, first - room)), max(last, min(high, last + room))
    # Below this an axis cannot tell its ends apart.
    least = max(1e-13 * max(abs(low), abs(high)), 1e-300)
    margin = max(0.03 * (high - low), least)
    return low - margin, high + margin


def separations(rows: Floats, weights: Floats, responsibilities: Floats) -> Floats:
    """How far each column alone sets the components apart; O(n d k).

    The variance between the components' means over the variance within components, both
    weighted by the responsibilities (a soft F ratio without its degrees of freedom).

    Parameters
    ----------
    rows : ndarray (n, d)
        NaN where a value is missing.
    weights : ndarray (n,)
    responsibilities : ndarray (n, k)

    Returns
    -------
    ratios : ndarray (d,)
        At least 0; -1 for a column that does not vary.
    """
    n, d = rows.shape
    if n == 0:
        return np.zeros(d)
    present = ~np.isnan(rows)
    # Each column has the rows to itself that have a value in it.
    share = weights[:, np.newaxis] * present
    share /= np.maximum(share.sum(axis=0), 1e-300)
    rows = np.where(present, rows, 0.0)
    middle = (share * rows).sum(axis=0)
    centred = np.where(present, rows - middle, 0.0)
    spread = np.abs(centred).max(axis=0)
    varies = spread > 16.0 * np.finfo(np.float64).eps * np.abs(middle)
    centred = centred / np.where(varies, spread, 1.0)
    counts = responsibilities.T @ share
    sums = responsibilities.T @ (share * centred)
    between = np.sum(sums**2 / np.maximum(counts, 1e-300), axis=0)
    total = (share * centred**2).sum(axis=0)
    within = np.maximum(total - between, 1e-12 * total)
    ratios = np.full(d, -1.0)
    ratios[varies] = np.maximum(between[varies], 0.0) / within[varies]
    return ratios
