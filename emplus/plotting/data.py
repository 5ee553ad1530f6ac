"""What a picture shows, computed before anything is drawn: frozen values of arrays.

Tests, notebooks and other back ends read the same numbers that `emplus.plotting.draw` puts on
paper. Rows of weight 0 and rows with an infinite value are never part of a picture, and rows
with a missing one (NaN) not where it is to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.plotting.geometry import (
    Ellipses,
    coverage,
    ellipses,
    frame,
    gaussian_moments,
    separations,
)
from emplus.plotting.histogram import bin_edges, heights
from emplus.plotting.rows import as_matrix, as_weights, drawable, thin
from emplus.plotting.style import linear_to_srgb, palette, srgb_to_linear
from emplus.plotting.tracing import Trace, trace
from emplus.plotting.values import Density1D, Pairs, Scatter

__all__ = [
    "Density1D",
    "Ellipses",
    "Pairs",
    "Scatter",
    "Trace",
    "coverage",
    "density_1d",
    "ellipses",
    "pairs",
    "responsibilities_colours",
    "scatter",
    "trace",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# Outermost points of the density's grid, in standard deviations of each component.
_REACH = 8.0


def density_1d(
    mixture: Mixture,
    X: ArrayLike,
    column: int = 0,
    *,
    sample_weight: ArrayLike | None = None,
) -> Density1D:
    """Density of one column under the mixture, over the histogram of the data.

    Costs O(n log n) for the histogram and O(k^2) for the curves, and nothing of size n x k.

    Parameters
    ----------
    mixture : Mixture
    X : array_like (n, d)
    column : int, default=0
    sample_weight : array_like (n,), optional

    Returns
    -------
    density : Density1D

    Examples
    --------
    >>> mixture = Mixture.gaussian([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
    >>> drawn = density_1d(mixture, [[-1.0], [0.0], [1.0], [3.5], [4.5]])
    >>> float(np.diff(drawn.edges) @ drawn.heights)
    1.0
    >>> drawn.density[drawn.grid == 0.0].round(4).tolist()
    [0.1995]
    """
    matrix = as_matrix(X, mixture.n_features)
    weights = as_weights(sample_weight, len(matrix))
    return _density(mixture, matrix, weights, drawable(matrix, weights, [column]), column)


def scatter(
    mixture: Mixture,
    X: ArrayLike,
    columns: tuple[int, int] = (0, 1),
    *,
    sample_weight: ArrayLike | None = None,
    max_points: int = 10_000,
) -> Scatter:
    """Rows in two columns with the colours of their responsibilities, and the ellipses.

    The responsibilities use all columns of the mixture; the ellipses are its marginal in these
    two. At most `max_points` rows are drawn, the same ones every time.

    Parameters
    ----------
    mixture : Mixture
    X : array_like (n, d)
    columns : two ints, default=(0, 1)
    sample_weight : array_like (n,), optional
    max_points : int, default=10000

    Returns
    -------
    scatter : Scatter
    """
    matrix = as_matrix(X, mixture.n_features)
    weights = as_weights(sample_weight, len(matrix))
    pair = (int(columns[0]), int(columns[1]))
    rows = drawable(matrix, weights, pair)
    sample = _Sample.of(mixture, matrix, weights, thin(rows, max_points))
    component_weights, means, covariances = gaussian_moments(mixture, pair)
    deviations = np.sqrt(np.einsum("kii->ki", covariances))
    across, up = (
        frame(_column(matrix, rows, c), component_weights, means[:, axis], deviations[:, axis])
        for axis, c in enumerate(pair)
    )
    return _scatter(mixture, sample, pair, (across, up), (len(rows), len(matrix)))


def pairs(
    mixture: Mixture,
    X: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    max_columns: int = 6,
    max_points: int = 3_000,
) -> Pairs:
    """Every pair of the columns that set the components farthest apart.

    Columns are ranked by the variance between the components' means over the variance within
    components (`emplus.plotting.geometry.separations`), on the rows that are drawn.

    Parameters
    ----------
    mixture : Mixture
        Of two columns or more.
    X : array_like (n, d)
    sample_weight : array_like (n,), optional
    max_columns : int, default=6
    max_points : int, default=3000
        Most rows drawn in each panel, the same ones in all of them.

    Returns
    -------
    pairs : Pairs

    Raises
    ------
    ArgumentError
        If the mixture has one column only.
    """
    if mixture.n_features < 2 or max_columns < 2:
        raise ArgumentError("A pairs plot needs two columns or more; use density_1d for one.")
    matrix = as_matrix(X, mixture.n_features)
    weights = as_weights(sample_weight, len(matrix))
    rows = drawable(matrix, weights, ())
    sample = _Sample.of(mixture, matrix, weights, thin(rows, max_points))
    ratios = separations(sample.values, sample.weights, sample.responsibilities)
    columns = tuple(sorted(np.argsort(-ratios, kind="stable")[:max_columns].tolist()))
    counts = (len(rows), len(matrix))
    densities = tuple(_density(mixture, matrix, weights, rows, c) for c in columns)
    scatters = tuple(
        tuple(
            _scatter(
                mixture, sample, (across.column, up.column), (across.limits, up.limits), counts
            )
            for across in densities[:i]
        )
        for i, up in enumerate(densities)
    )
    return Pairs(
        columns=columns,
        separations=ratios,
        densities=densities,
        scatters=scatters,
        weights=np.asarray(mixture.weights, dtype=np.float64),
        n_features=mixture.n_features,
        n_rows=len(rows),
        n_shown=len(sample.rows),
        n_given=len(matrix),
        n_holes=int(np.isnan(matrix[rows][:, list(columns)]).any(axis=1).sum()),
    )


def responsibilities_colours(responsibilities: ArrayLike, colours: Floats | None = None) -> Floats:
    """Blend the components' colours, as light, in the proportions of the responsibilities.

    Parameters
    ----------
    responsibilities : array_like (n, k)
    colours : ndarray (k, 3), optional
        sRGB in [0, 1]; the palette by default.

    Returns
    -------
    blended : ndarray (n, 3)

    Examples
    --------
    >>> black_and_white = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    >>> responsibilities_colours([[1.0, 0.0], [0.5, 0.5]], black_and_white).round(2).tolist()
    [[0.0, 0.0, 0.0], [0.74, 0.74, 0.74]]
    """
    resp = np.asarray(responsibilities, dtype=np.float64)
    chosen = palette(resp.shape[1]) if colours is None else colours
    return linear_to_srgb(resp @ srgb_to_linear(chosen))


@dataclass(frozen=True, eq=False)
class _Sample:
    """The rows that are drawn, and what is the same for them in every panel."""

    rows: Indices
    values: Floats
    weights: Floats
    responsibilities: Floats
    colours: Floats
    sizes: Floats

    @classmethod
    def of(cls, mixture: Mixture, X: NDArray[Any], weights: Floats, rows: Indices) -> _Sample:
        values, own = X[rows], weights[rows]
        resp = np.zeros((0, mixture.n_components))
        if len(rows):
            resp = np.asarray(mixture.responsibilities(values), dtype=np.float64)
        sizes = np.clip(own / own.mean(), 0.2, 5.0) if len(rows) else own
        colours = responsibilities_colours(resp)
        return cls(rows, values.astype(np.float64), own, resp, colours, sizes)


def _scatter(
    mixture: Mixture,
    sample: _Sample,
    columns: tuple[int, int],
    limits: tuple[tuple[float, float], tuple[float, float]],
    counts: tuple[int, int],
) -> Scatter:
    points = sample.values[:, list(columns)]
    there = ~np.isnan(points).any(axis=1)
    return Scatter(
        columns=columns,
        rows=sample.rows[there],
        points=points[there],
        colours=sample.colours[there],
        sizes=sample.sizes[there],
        ellipses=ellipses(mixture, columns),
        limits=limits,
        n_rows=counts[0],
        n_given=counts[1],
    )


def _density(
    mixture: Mixture, X: NDArray[Any], row_weights: Floats, rows: Indices, column: int
) -> Density1D:
    weights, means, covariances = gaussian_moments(mixture, (column,))
    means, deviations = means[:, 0], np.sqrt(covariances[:, 0, 0])
    rows = rows[~np.isnan(X[rows, column])]
    values, own = _column(X, rows, column), row_weights[rows]
    limits = frame(values, weights, means, deviations)
    grid = _grid(limits, means[weights > 0.0], deviations[weights > 0.0])
    joint = mixture.marginal([column]).log_joint(grid[:, np.newaxis])
    components = np.exp(np.asarray(joint, dtype=np.float64)).T
    density = components.sum(axis=0)
    if len(values):
        widest = 6.0 * float(deviations[weights > 0.0].max())
        edges = bin_edges(values, own, grid, density, widest)
        bars = heights(values, own, edges)
    else:
        edges, bars = np.array(limits), np.zeros(1)
    top = float(max(density.max(), bars.max()))
    if len(values):
        top = min(top, 4.0 * float(bars.max()))
    return Density1D(
        column=int(column),
        weights=weights,
        means=means,
        grid=grid,
        density=density,
        components=components,
        edges=edges,
        heights=bars,
        limits=(min(limits[0], float(edges[0])), max(limits[1], float(edges[-1]))),
        top=top,
        n_rows=len(values),
        n_given=len(X),
    )


def _column(X: NDArray[Any], rows: Indices, column: int) -> Floats:
    values: Floats = X[rows, column].astype(np.float64)
    return values


def _grid(limits: tuple[float, float], means: Floats, deviations: Floats) -> Floats:
    """Points over the axis and, eight standard deviations to each side, over every component."""
    # Equal steps, because the trapezoid rule is then all but exact for a Gaussian; fewer of them
    # when curves are many.
    steps = np.linspace(-_REACH, _REACH, int(np.clip(6000 // len(means), 31, 81)) | 1)
    own = means[:, np.newaxis] + deviations[:, np.newaxis] * steps
    return np.unique(np.concatenate([np.linspace(*limits, 513), own.ravel()]))
