"""Draw the values of `emplus.plotting.profiles` with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation

from emplus.plotting.draw_axes import add_legend, dress
from emplus.plotting.draw_page import plain
from emplus.plotting.profiles import Categories, Numbers
from emplus.plotting.style import INK, MUTED, PALE, darken, palette, weight_label

__all__ = [
    "BARS_ACROSS",
    "bars_height",
    "draw_bars",
    "draw_means",
    "draw_probabilities",
    "names_of",
    "shown",
]

BARS_ACROSS = 4
"""Categorical columns beside each other."""

_MARKS = "os^DvP<>"
_LONGEST_NAME, _LONGEST_LEVEL = 22, 18
_MOST_LEVELS = 8
# Inches: a letter of a tick or legend, a bar, a line of a legend, a title and an axis.
_LETTER, _BAR, _LINE, _AROUND = 0.072, 0.2, 0.17, 0.6
_EDGE: Any = {"edgecolor": "white", "linewidth": 0.6}


def names_of(categories: Sequence[Categories]) -> list[str]:
    """What the probability of each column's second value is called.

    Examples
    --------
    >>> yes = np.array([[0.5, 0.5]])
    >>> names_of([Categories(0, "hair", (False, True), yes), Categories(1, "V1", ("n", "y"), yes)])
    ['hair', 'V1 = y']
    """
    return [
        plain(
            one.name if one.levels[1] in (1, True) else f"{one.name} = {shown(one.levels[1])}", 28
        )
        for one in categories
    ]


def shown(value: Any) -> str:
    """A value of a column in a few letters."""
    return plain(f"{value:g}" if isinstance(value, float) else value, _LONGEST_LEVEL)


def draw_probabilities(
    categories: Sequence[Categories], weights: Any, ax: Axes, *, legend: bool = True
) -> None:
    """The probability of the second value of each column, a line a component.

    Parameters
    ----------
    categories : sequence of Categories
        Of two values each.
    weights : ndarray (k,)
    ax : matplotlib.axes.Axes
    legend : bool, default=True
    """
    theta = np.stack([one.probabilities[:, 1] for one in categories], axis=1)
    places = np.arange(theta.shape[1])
    for j, (row, colour) in enumerate(zip(theta, palette(len(weights)), strict=True)):
        ax.plot(
            places,
            row,
            color=colour,
            marker=_MARKS[j % len(_MARKS)],
            markersize=4.5,
            linewidth=1.2,
            label=_component(j, weights[j]),
            zorder=3,
            clip_on=False,
        )
    ax.set_ylim(0.0, 1.0)
    ax.set_ylabel("probability", color=INK)
    _columns(ax, names_of(categories))
    if legend:
        _legend(ax, len(weights))


def draw_means(numbers: Numbers, weights: Any, ax: Axes, *, legend: bool = True) -> None:
    """Means and standard deviations about the whole's mean, in its standard deviations.

    Parameters
    ----------
    numbers : Numbers
    weights : ndarray (k,)
    ax : matplotlib.axes.Axes
    legend : bool, default=True
    """
    centre, spread = numbers.overall(weights)
    unit = np.where(spread > 0.0, spread, 1.0)
    k, d = numbers.means.shape
    ax.axhline(0.0, color=PALE, linewidth=1.0, zorder=1)
    for j, colour in enumerate(palette(k)):
        ax.errorbar(
            np.arange(d) + (0.5 * (j + 0.5) / k - 0.25),
            (numbers.means[j] - centre) / unit,
            yerr=numbers.deviations[j] / unit,
            color=colour,
            marker=_MARKS[j % len(_MARKS)],
            markersize=5.0,
            linestyle="none",
            elinewidth=1.2,
            capsize=2.5,
            label=_component(j, weights[j]),
            zorder=3,
        )
    ax.set_ylabel("mean ± s.d.,\nin s.d. of the column", color=INK)
    _columns(ax, [plain(name, _LONGEST_NAME) for name in numbers.names])
    if legend:
        _legend(ax, k)


def bars_height(categories: Sequence[Categories], k: int, width: float) -> float:
    """Inches that `draw_bars` wants on a page so wide."""
    lines = -(-len(categories) // BARS_ACROSS)
    if _shared(categories):
        return lines * (_AROUND + _BAR * k) + 3.0 * _LINE
    each = _width_of(categories, width)
    keys = max(
        -(-min(len(one.levels), _MOST_LEVELS) // _across(one.levels, each)) for one in categories
    )
    return lines * (_AROUND + _BAR * k + _LINE * keys)


def draw_bars(
    categories: Sequence[Categories], weights: Any, figure: Figure | SubFigure, width: float
) -> None:
    """Probabilities of the values of each column, stacked, a bar a component.

    Of many values the likeliest are drawn by themselves and the others together.

    Parameters
    ----------
    categories : sequence of Categories
    weights : ndarray (k,)
    figure : matplotlib.figure.Figure
        An empty one.
    width : float
        Its inches across.
    """
    lines = -(-len(categories) // BARS_ACROSS)
    across = min(len(categories), BARS_ACROSS)
    each = _width_of(categories, width)
    axes = np.ravel(figure.subplots(lines, across, squeeze=False))
    for ax in axes[len(categories) :]:
        ax.set_axis_off()
    for place, (one, ax) in enumerate(zip(categories, axes, strict=False)):
        _draw_column(one, weights, ax)
        if place % across == 0:
            ax.set_ylabel("component", color=INK)
        if not _shared(categories):
            below = ScaledTranslation(0.0, -0.24, figure.dpi_scale_trans)
            _key(ax, ax, _across(one.levels, each), (0.5, 0.0), ax.transAxes + below)
    if _shared(categories):
        _key(figure, axes[0], _across(categories[0].levels, width - 0.5))


def _shared(categories: Sequence[Categories]) -> bool:
    """Whether one key says it for all columns."""
    few = len(categories[0].levels) <= _MOST_LEVELS
    return few and len(categories) > 1 and len({one.levels for one in categories}) == 1


def _width_of(categories: Sequence[Categories], width: float) -> float:
    across = min(len(categories), BARS_ACROSS)
    return (width - 0.3) / across - 0.35


def _draw_column(one: Categories, weights: Any, ax: Axes) -> None:
    kept, others = _kept(one, weights)
    parts = [(shown(one.levels[level]), one.probabilities[:, level]) for level in kept]
    shades = list(colormaps["cividis"](np.linspace(0.05, 0.97, len(parts))))
    if len(others):
        parts.append((f"{len(others)} others", one.probabilities[:, others].sum(axis=1)))
        shades.append(PALE)
    begin, places = np.zeros(len(weights)), np.arange(len(weights))
    for (name, theta), shade in zip(parts, shades, strict=True):
        # A legend leaves out what begins with an underscore.
        words = name if not name.startswith("_") else f"\N{ZERO WIDTH SPACE}{name}"
        ax.barh(places, theta, left=begin, height=0.78, color=shade, label=words, **_EDGE)
        begin = begin + theta
    ax.set_title(plain(one.name, 26), fontsize=9.0, color=INK, parse_math=False)
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.5, 1.0], ["0", "½", "1"], fontsize=7.5)
    ax.set_yticks(places, [str(j) for j in places], fontweight="bold", fontsize=8.0)
    ax.set_ylim(len(weights) - 0.5, -0.5)
    dress(ax)
    for tick, colour in zip(ax.get_yticklabels(), darken(palette(len(weights))), strict=True):
        tick.set_color(colour)


def _key(on: Any, ax: Axes, across: int, place: Any = None, transform: Any = None) -> None:
    """Which shade is which value: below the axes, or above all of them."""
    where = {"loc": "outside upper left"}
    if place is not None:
        where = {"loc": "upper center", "bbox_to_anchor": place, "bbox_transform": transform}
    legend = on.legend(
        *ax.get_legend_handles_labels(),
        **where,
        ncols=across,
        frameon=False,
        fontsize=7.5,
        handlelength=0.9,
        handleheight=0.9,
        handletextpad=0.4,
        columnspacing=0.9,
        borderaxespad=0.0,
        labelspacing=0.25,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _kept(one: Categories, weights: Any) -> tuple[Any, Any]:
    """Values that are drawn by themselves, in their own order, and the others."""
    count = len(one.levels)
    if count <= _MOST_LEVELS:
        return np.arange(count), np.arange(0)
    order = np.argsort(-one.overall(weights), kind="stable")
    return np.sort(order[: _MOST_LEVELS - 1]), np.sort(order[_MOST_LEVELS - 1 :])


def _across(levels: Sequence[Any], width: float) -> int:
    """Values beside each other in a legend so wide."""
    longest = max(len(shown(level)) for level in levels)
    return int(np.clip(width // (_LETTER * longest + 0.3), 1, min(len(levels), _MOST_LEVELS)))


def _component(j: int, weight: float) -> str:
    return f"{j} ({weight_label(float(weight))})"


def _legend(ax: Axes, k: int) -> None:
    add_legend(ax, columns=min(k, 5))
    legend = ax.get_legend()
    if legend is not None:
        legend.set_title("component (weight)", prop=FontProperties(size=8.0))
        legend.set_alignment("left")
        legend.get_title().set_color(MUTED)


def _columns(ax: Axes, names: Sequence[str]) -> None:
    """Names across, as level as there is room for."""
    dress(ax)
    ax.set_xlim(-0.5, len(names) - 0.5)
    room = ax.bbox.width / ax.figure.dpi / len(names)
    ax.set_xticks(np.arange(len(names)), names)
    level = max(map(len, names)) * _LETTER < room
    for tick in ax.get_xticklabels():
        tick.set(parse_math=False)
        if not level:
            tick.set(rotation=50 if room > 0.22 else 90, ha="right" if room > 0.22 else "center")
            tick.set(rotation_mode="anchor" if room > 0.22 else "default")
    ax.grid(axis="x", color=PALE, linewidth=0.6, zorder=0)
    ax.set_axisbelow(True)
