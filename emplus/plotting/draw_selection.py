"""Draw a criterion against the number of components, with matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from emplus.plotting.draw_axes import add_legend, dress, label
from emplus.plotting.draw_page import plain
from emplus.plotting.selecting import Curves
from emplus.plotting.style import INK, PALE, darken, palette

__all__ = ["draw_criterion", "legend_rows"]

# How far apart families stand at the same number of components, where their errors would overlap.
_APART = 0.08

# Letters beside each other in a legend as wide as the axes.
_LETTERS = 60

# Families that the legend names.
_NAMED = 24

_MARKERS = "oDsv^P<>Xhpd*"
_NAMES = {
    "aic": "AIC (lower is better)",
    "bic": "BIC (lower is better)",
    "icl": "ICL (lower is better)",
    "cv": "held-out log-likelihood (nats a row)",
}


def draw_criterion(data: Curves, ax: Axes, *, enlarged: bool = False, named: bool = True) -> None:
    """The criterion of each family against the number of components, the winner ringed.

    Parameters
    ----------
    data : Curves
    ax : matplotlib.axes.Axes
    enlarged : bool, default=False
        Only the best values, where `Curves.enlarged` tells of some.
    named : bool, default=True
        Whether a legend names the families, where there are several.
    """
    dress(ax)
    ax.grid(axis="y", color=PALE, linewidth=0.6, zorder=0)
    for index, curve in enumerate(data.curves):
        colour = darken(palette(index + 1)[-1:], 0.65)[0]
        marker = _MARKERS[index % len(_MARKERS)]
        errors = curve.errors if curve.errors.any() else None
        ax.errorbar(
            curve.components + _shift(data, index),
            curve.values,
            yerr=errors,
            color=colour,
            marker=marker,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            linewidth=1.4,
            elinewidth=0.8,
            capsize=2.0,
            zorder=3,
            label=plain(curve.family, 40) if index < _NAMED else "_",
        )
    if enlarged and data.enlarged is not None:
        ax.set_ylim(*data.enlarged)
    _mark_best(data, ax)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    whole = ScalarFormatter(useOffset=False)
    whole.set_scientific(False)
    ax.yaxis.set_major_formatter(whole)
    label(ax, None, ("number of components", _NAMES.get(data.criterion, data.criterion)))
    if named and len(data.curves) > 1:
        add_legend(ax, columns=_columns(data))
        legend = ax.get_legend()
        for text in [] if legend is None else legend.get_texts():
            text.set_parse_math(False)


def legend_rows(data: Curves) -> int:
    """Rows of the legend above the axes."""
    return -(-min(len(data.curves), _NAMED) // _columns(data))


def _columns(data: Curves) -> int:
    longest = max(len(plain(curve.family, 40)) for curve in data.curves)
    return max(1, min(4, _LETTERS // (longest + 5)))


def _shift(data: Curves, index: int) -> float:
    if not any(curve.errors.any() for curve in data.curves):
        return 0.0
    return _APART * (index - 0.5 * (len(data.curves) - 1))


def _mark_best(data: Curves, ax: Axes) -> None:
    if data.best is None:
        return
    index, k, value = data.best
    ax.plot(
        [k + _shift(data, index)],
        [value],
        marker="o",
        markersize=13.0,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=1.3,
        linestyle="none",
        zorder=4,
    )
    every = np.concatenate([curve.components for curve in data.curves])
    left = k <= np.mean([every.min(), every.max()])
    ax.annotate(
        f"k = {k}",
        (k + _shift(data, index), value),
        xytext=(11 if left else -11, 4 if data.higher else -4),
        textcoords="offset points",
        ha="left" if left else "right",
        va="bottom" if data.higher else "top",
        color=INK,
        fontsize=8.5,
        parse_math=False,
        annotation_clip=True,
    )
    # Room for the words beyond the best value, which lies at the edge of what is drawn.
    low, high = ax.get_ylim()
    room = 0.06 * (high - low)
    ax.set_ylim(low - (0.0 if data.higher else room), high + (room if data.higher else 0.0))
