"""Draw the values of `emplus.plotting.data` with matplotlib.

The ``draw_*`` functions work on any ``Axes`` and change nothing global. Only the modules of this
package whose names begin with ``draw`` import matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from emplus.plotting.draw_axes import add_legend, dress, label, page
from emplus.plotting.style import INK, MUTED, PALE, darken, palette, weight_label
from emplus.plotting.values import Density1D, Pairs, Scatter

__all__ = [
    "draw_density",
    "draw_pairs",
    "draw_scatter",
    "draw_weights",
]

Floats = NDArray[np.float64]

_MANY_POINTS = 1500


def draw_scatter(
    data: Scatter, ax: Axes, *, names: Sequence[str] | None = None, numbers: float = 7.0
) -> None:
    """Points coloured by responsibilities, with ellipses and numbered means.

    Parameters
    ----------
    data : Scatter
    ax : matplotlib.axes.Axes
    names : two str, optional
        Words on the axes.
    numbers : float, default=7
        Size in points of the component numbers at the means.
    """
    dress(ax)
    ax.set_xlim(*data.limits[0])
    ax.set_ylim(*data.limits[1])
    n = max(len(data.points), 1)
    area = float(np.clip(22.0 * np.sqrt(272.0 / n), 2.5, 22.0)) * (numbers / 7.0) ** 2
    ax.scatter(
        data.points[:, 0],
        data.points[:, 1],
        s=area * data.sizes,
        c=data.colours,
        alpha=float(np.clip(0.8 - 0.1 * np.log10(n / 272.0), 0.5, 0.8)),
        linewidths=0,
        zorder=2,
        rasterized=n > _MANY_POINTS,
    )
    _draw_ellipses(data, ax)
    alive = data.ellipses.weights > 0.0
    _draw_numbers(ax, data.ellipses.means, np.where(alive, data.ellipses.weights, -1.0), numbers)
    label(ax, names, [f"column {column}" for column in data.columns])


def draw_density(
    data: Density1D,
    ax: Axes,
    *,
    name: str | None = None,
    legend: bool = True,
    numbers: float = 7.0,
) -> None:
    """The density of one column over its histogram, with the components under it.

    Parameters
    ----------
    data : Density1D
    ax : matplotlib.axes.Axes
    name : str, optional
        Words under the axis.
    legend : bool, default=True
    numbers : float, default=7
        Size in points of the component numbers at the peaks.
    """
    dress(ax)
    ax.set_xlim(*data.limits)
    ax.set_ylim(0.0, 1.08 * data.top)
    ax.stairs(data.heights, data.edges, fill=True, color=PALE, label="data", zorder=1)
    edge = "white" if len(data.heights) < 60 else "none"
    ax.vlines(data.edges, 0.0, 1.08 * data.top, color=edge, linewidth=0.6, zorder=1.5)
    width = 1.3 if len(data.weights) <= 12 else 0.8
    _draw_components(data, ax, width)
    ax.plot(data.grid, data.density, color=INK, linewidth=1.5, zorder=4, label="mixture")
    peaks = np.stack([data.means, np.minimum(data.components.max(axis=1), data.top)], axis=1)
    _draw_numbers(ax, peaks, np.where(data.weights > 0.0, data.weights, -1.0), numbers)
    label(ax, None if name is None else (name, "density"), (f"column {data.column}", "density"))
    if legend:
        ax.plot([], [], color=MUTED, linewidth=width, label="component times its weight")
        add_legend(ax)


def draw_weights(weights: Floats, ax: Axes) -> None:
    """The mixing weights as bars, in the components' colours and numbered like them.

    Parameters
    ----------
    weights : ndarray (k,)
    ax : matplotlib.axes.Axes
    """
    k = len(weights)
    dress(ax, left=False)
    height = page(ax)[1]
    # A few bars stay slim at the top; many get small numbers, and too many only an axis.
    slots = max(float(k), height / 20.0)
    room = height / slots
    roomy = room >= 8.0
    letters = float(np.clip(0.68 * room, 5.5, 8.0))
    ax.barh(np.arange(k), weights, height=0.72 if roomy else 0.9, color=palette(k))
    ax.set_ylim(slots - 0.4, -0.6)
    most = float(np.max(weights))
    ax.set_xlim(0.0, most * (1.75 if roomy else 1.05))
    ax.tick_params(left=False)
    if roomy:
        ax.set_yticks(np.arange(k))
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        for j, weight in enumerate(weights):
            words = weight_label(float(weight))
            ax.text(weight + 0.05 * most, j, words, va="center", fontsize=letters, color=INK)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(12, integer=True))
        ax.xaxis.set_major_locator(MaxNLocator(2))
    ax.tick_params(axis="y", labelsize=letters if roomy else 8.0)
    ax.tick_params(axis="x", labelsize=8.0)
    ax.set_title("weight", fontsize=9, color=MUTED, loc="left")


def draw_pairs(
    data: Pairs, figure: Figure | SubFigure, *, names: Sequence[str] | None = None
) -> None:
    """Pairs of columns below the diagonal, densities on it, weights in the free corner.

    Parameters
    ----------
    data : Pairs
    figure : matplotlib.figure.Figure or SubFigure
    names : sequence of str, optional
        One a shown column.
    """
    shown = list(names) if names is not None else [f"column {c}" for c in data.columns]
    c = len(shown)
    numbers = 5.5 if c > 2 else 7.0
    grid = figure.add_gridspec(c, c)
    for i in range(c):
        for j in range(i + 1):
            ax = figure.add_subplot(grid[i, j])
            if i == j:
                draw_density(data.densities[i], ax, legend=False, numbers=numbers)
                ax.set_yticks([])
                ax.spines["left"].set_visible(False)
            else:
                draw_scatter(data.scatters[i][j], ax, numbers=numbers)
            ax.xaxis.set_major_locator(MaxNLocator(3))
            if i != j:
                ax.yaxis.set_major_locator(MaxNLocator(3))
            ax.tick_params(labelsize=7.5, labelbottom=i == c - 1, labelleft=j == 0 and i > 0)
            label(ax, ("", ""), ())
            if i == c - 1:
                _name_axis(ax.xaxis, shown[j], data.densities[j].limits)
            if j == 0 and i > 0:
                _name_axis(ax.yaxis, shown[i], data.densities[i].limits)
    if len(data.weights) > 1:
        draw_weights(data.weights, figure.add_subplot(grid[: c - 1, c - 1]))


def _name_axis(axis: Axis, name: str, limits: tuple[float, float]) -> None:
    """Name the axis of a small panel; what its ticks leave out stands beside the name."""
    formatter = ScalarFormatter()
    formatter.set_powerlimits((-3, 4))
    axis.set_major_formatter(formatter)
    ticks = np.asarray(axis.get_major_locator().tick_values(*limits))
    formatter.set_locs(ticks[(ticks >= limits[0]) & (ticks <= limits[1])].tolist())
    left_out = formatter.get_offset()
    axis.offsetText.set_visible(False)
    words = f"{name} ({left_out})" if left_out else name
    axis.set_label_text(words, fontsize=8.5, parse_math=False, color=INK)


def _draw_components(data: Density1D, ax: Axes, width: float) -> None:
    colours = darken(palette(len(data.weights)), 0.62)
    curves, areas, drawn = [], [], []
    for j in np.flatnonzero(data.weights > 0.0):
        shown = np.flatnonzero(data.components[j] > 1e-4 * data.top)
        if not len(shown):
            continue
        part = slice(max(shown[0] - 1, 0), shown[-1] + 2)
        x, y = data.grid[part], data.components[j, part]
        curves.append(np.column_stack([x, y]))
        areas.append(np.vstack([[x[0], 0.0], curves[-1], [x[-1], 0.0]]))
        drawn.append(j)
    own = colours[drawn]
    ax.add_collection(PolyCollection(areas, facecolors=own, alpha=0.13, linewidths=0, zorder=2))
    ax.add_collection(
        LineCollection(curves, colors=own, linewidths=width, zorder=3, label="_components")
    )


def _draw_ellipses(data: Scatter, ax: Axes) -> None:
    shapes = data.ellipses
    alive = np.flatnonzero(shapes.weights > 0.0)
    colours = darken(palette(len(shapes.weights)), 0.55)[alive]
    thin = 1.0 if len(alive) <= 20 else 0.7
    inner = shapes.points[alive, 0]
    ax.add_collection(PolyCollection(list(inner), facecolors=colours, alpha=0.10, zorder=1))
    for index in range(len(shapes.radii)):
        lines = list(shapes.points[alive, index])
        width = thin * (1.5 if index == 0 else 0.9)
        ax.add_collection(LineCollection(lines, colors=colours, linewidths=width, zorder=3))


def _draw_numbers(ax: Axes, places: Floats, ranks: Floats, size: float) -> None:
    """Number the components at `places` (k, 2), the heaviest first, where there is room.

    Those without room, which would hide another number, get a dot; ranks below 0 nothing.
    """
    low = np.array([ax.get_xlim()[0], ax.get_ylim()[0]])
    high = np.array([ax.get_xlim()[1], ax.get_ylim()[1]])
    colours = darken(palette(len(places)), 0.5)
    at = (places - low) / (high - low) * page(ax)
    size = size if len(places) <= 60 else 0.75 * size
    inside = np.all((places >= low) & (places <= high), axis=1) & (ranks >= 0.0)
    taken: list[tuple[Floats, float]] = []
    hidden: list[int] = []
    for j in np.argsort(-ranks, kind="stable"):
        if not inside[j]:
            continue
        radius = size * (0.75 + 0.3 * (len(str(j)) - 1))
        x, y = (float(value) for value in places[j])
        if any(np.hypot(*(at[j] - other)) < radius + room for other, room in taken):
            hidden.append(int(j))
            continue
        taken.append((at[j], radius))
        ax.annotate(
            str(j),
            (x, y),
            ha="center",
            va="center",
            fontsize=size,
            color="white",
            zorder=6,
            bbox={"boxstyle": "circle,pad=0.22", "fc": colours[j], "ec": "white", "lw": 0.7},
        )
    ax.scatter(
        places[hidden, 0],
        places[hidden, 1],
        s=(0.55 * size) ** 2,
        c=colours[hidden],
        edgecolors="white",
        linewidths=0.5,
        zorder=5,
    )
