"""A weighted histogram whose bars resolve the components drawn over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bin_edges", "heights", "resolution", "roughness"]

Floats = NDArray[np.float64]

_FEWEST, _MOST = 5, 120


def roughness(grid: Floats, density: Floats, unit: float = 1.0) -> float:
    r""":math:`\int f'(x)^2 dx`, with `x` in this unit, of a density at the points of `grid`; O(m).

    Examples
    --------
    >>> triangle = np.array([0.0, 1.0, 0.0])
    >>> roughness(np.array([-1.0, 0.0, 1.0]), triangle)
    2.0
    """
    return float(np.sum((np.diff(density) * unit) ** 2 / (np.diff(grid) / unit)))


def resolution(values: Floats) -> float:
    """The step of rounded data: 1 for whole minutes, 0.1 for millimetres in cm; else 0.

    Bars that are no multiple of the step would hold sometimes three and sometimes four of its
    values, and show a comb that is not in the data.

    Examples
    --------
    >>> resolution(np.repeat([43.0, 45.0, 46.0, 54.0], 3))
    1.0
    """
    distinct = np.unique(values)
    if not 2 <= len(distinct) <= min(1000, len(values) // 2):
        return 0.0
    gaps = np.diff(distinct)
    step = float(gaps.min())
    multiples = gaps / step
    return step if bool(np.all(np.abs(multiples - np.round(multiples)) < 0.02)) else 0.0


def bin_edges(
    values: Floats, weights: Floats, grid: Floats, density: Floats, least_width: float
) -> Floats:
    r"""Edges of equal bars over all the values.

    The width is Scott's optimum for the fitted density :math:`f` itself,
    :math:`(6 / (n \int f'^2))^{1/3}` [1]_, with Kish's effective :math:`n` for weighted rows. There
    are never fewer than :math:`2 n^{1/3}` bars, so that a fit too smooth for the data is seen to
    be, and 5 to 120 of them; the width is a multiple of the data's own step.

    Parameters
    ----------
    values, weights : ndarray (n,)
        Finite values of positive weight, at least one.
    grid, density : ndarray (m,)
        The fitted density and where it has these values.
    least_width : float
        Width of the one bar of a column that does not vary.

    Returns
    -------
    edges : ndarray (b + 1,)

    References
    ----------
    .. [1] D. W. Scott, "On optimal and data-based histograms", Biometrika 66(3), 1979, eq. 2.5.
    """
    low, high = float(values.min()), float(values.max())
    span = high - low
    if not span > 1e-3 * least_width:
        return np.array([low - 0.5 * least_width, high + 0.5 * least_width])
    relative = weights / weights.max()
    effective = float(relative.sum() ** 2 / np.sum(relative**2))
    # In units of the span, where no power of a tiny or a huge number can leave the floats.
    rough = max(roughness(grid, density, span), 1e-300)
    best = max((effective * rough / 6.0) ** (1 / 3), 2.0 * effective ** (1 / 3))
    width = span / float(np.clip(best, _FEWEST, _MOST))
    step = resolution(values)
    if step > 0.0:
        width = step * max(1.0, np.floor(width / step + 0.5))
        low, span = low - 0.5 * step, span + step
        bars = max(1, int(np.ceil(span / width - 1e-9)))
        stepped: Floats = low + width * np.arange(bars + 1)
        return stepped
    return np.linspace(low, high, max(1, round(span / width)) + 1)


def heights(values: Floats, weights: Floats, edges: Floats) -> Floats:
    """Bar heights ``(b,)`` whose areas sum to one; O(n log b)."""
    counts, _ = np.histogram(values, bins=edges, weights=weights / weights.max())
    total = counts.sum()
    result: Floats = counts / (max(float(total), 1e-300) * np.diff(edges))
    return result
