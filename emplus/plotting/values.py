"""The values that a picture shows: frozen, made of arrays, known to no drawing library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.plotting.geometry import Ellipses

__all__ = ["Density1D", "Pairs", "Scatter"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Density1D:
    """The density of one column over its histogram.

    Attributes
    ----------
    column : int
    weights, means : ndarray (k,)
    grid : ndarray (m,)
        Ascending, finer where a component is narrow.
    density : ndarray (m,)
        Density of the mixture; integrates to 1.
    components : ndarray (k, m)
        Each component's density times its weight; the column sums are `density`.
    edges : ndarray (b + 1,)
    heights : ndarray (b,)
        Weighted histogram of area 1; all 0 when there is no row to draw.
    limits : tuple of float
        Ends of the horizontal axis.
    top : float
        End of the vertical axis: the highest point, unless a spike of the density would flatten
        the bars to nothing.
    n_rows, n_given : int
        Rows in the histogram, and rows that were given.
    """

    column: int
    weights: Floats
    means: Floats
    grid: Floats
    density: Floats
    components: Floats
    edges: Floats
    heights: Floats
    limits: tuple[float, float]
    top: float
    n_rows: int
    n_given: int

    @property
    def clipped(self) -> bool:
        """Whether the density rises above the picture."""
        return bool(self.density.max() > self.top)


@dataclass(frozen=True, eq=False)
class Scatter:
    """Rows in two columns, coloured by responsibilities, and the components' ellipses.

    Attributes
    ----------
    columns : tuple of int
        The columns on the horizontal and the vertical axis.
    rows : ndarray (p,)
        Numbers of the rows drawn.
    points : ndarray (p, 2)
    colours : ndarray (p, 3)
        sRGB in [0, 1].
    sizes : ndarray (p,)
        Relative areas that follow the row weights; 1 for the mean weight.
    ellipses : Ellipses
    limits : tuple of two pairs of float
        Ends of the horizontal and of the vertical axis.
    n_rows, n_given : int
        Rows that could be drawn, and rows that were given.
    """

    columns: tuple[int, int]
    rows: Indices
    points: Floats
    colours: Floats
    sizes: Floats
    ellipses: Ellipses
    limits: tuple[tuple[float, float], tuple[float, float]]
    n_rows: int
    n_given: int


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of some columns, and the density of each.

    Attributes
    ----------
    columns : tuple of int
        The ``c`` columns shown, ascending.
    separations : ndarray (d,)
        Between-component over within-component variance of every column; -1 where constant.
    densities : tuple of Density1D
        One a shown column.
    scatters : tuple of tuple of Scatter
        ``scatters[i][j]`` has column ``j`` across and column ``i`` up, ``j < i``.
    weights : ndarray (k,)
    n_features, n_rows, n_shown, n_given : int
        Columns of the mixture; rows that could be drawn, that are drawn, that were given.
    n_holes : int
        Rows of those that could be drawn in which a value of the shown columns is missing; they
        are left out of the panels of these.
    """

    columns: tuple[int, ...]
    separations: Floats
    densities: tuple[Density1D, ...]
    scatters: tuple[tuple[Scatter, ...], ...]
    weights: Floats
    n_features: int
    n_rows: int
    n_shown: int
    n_given: int
    n_holes: int = 0
