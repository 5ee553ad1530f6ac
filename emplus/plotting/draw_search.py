"""Draw how a search went, and how several searches compare, with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)
from numpy.typing import NDArray

from emplus.plotting.comparing import Searches
from emplus.plotting.draw_axes import add_legend, dress, label
from emplus.plotting.draw_page import plain
from emplus.plotting.style import INK, MUTED, PALE, darken, palette
from emplus.plotting.tracing import Marks, Trace

__all__ = ["draw_costs", "draw_gaps", "draw_searches", "draw_trace"]

Floats = NDArray[np.float64]

# A kind of move, or a search, has the same colour and marker in every picture.
_KINDS = {
    "split_merge": (1, "D"),
    "recut": (2, "s"),
    "reset": (3, "v"),
    "swap": (5, "^"),
    "anneal": (6, "p"),
    "reseed": (7, "h"),
}
_OTHER_KIND = (8, "*")
_MARKERS = "oDsv^P<>Xhpd*"

_SMALLEST = 1e-12  # what a logarithm can be taken of


def draw_trace(data: Trace, ax: Axes) -> None:
    """The objective against the passes over the data, the moves, and the other starts' ends.

    Parameters
    ----------
    data : Trace
    ax : matplotlib.axes.Axes
    """
    dress(ax)
    colour = palette(1)[0]
    moved = bool(data.accepted)
    if len(data.passes):
        name = "path to the fit" if moved else "best start"
        ax.plot(data.passes, data.objectives, color=colour, linewidth=1.6, zorder=3, label=name)
        ax.plot(data.passes[-1:], data.objectives[-1:], marker="o", color=colour, zorder=4)
    if len(data.run_passes):
        ax.plot(
            data.run_passes,
            data.run_objectives,
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=MUTED,
            label=f"end of another start ({len(data.run_passes)})",
            zorder=2,
        )
    _draw_moves(data, ax)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    # Whole numbers: an offset above the axis would have to be added up by the reader.
    whole = ScalarFormatter(useOffset=False)
    whole.set_scientific(False)
    ax.yaxis.set_major_formatter(whole)
    label(ax, None, ("pass over the data", "objective (nats)"))
    if len(data.run_passes) or moved or len(data.rejected.passes):
        add_legend(ax)


def draw_gaps(data: Trace, ax: Axes) -> None:
    """How far each pass was below the best objective, on a logarithmic axis.

    Parameters
    ----------
    data : Trace
    ax : matplotlib.axes.Axes
    """
    dress(ax)
    below = data.gaps > 0.0
    if np.any(below):
        ax.semilogy(data.passes[below], data.gaps[below], color=palette(1)[0], linewidth=1.6)
        top = data.objectives.max()
        for marks in data.accepted:
            _draw_marks(marks, ax, np.maximum(top - marks.objectives, data.gaps[below].min()))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label(ax, None, ("pass over the data", "below the best (nats)"))


def _draw_moves(data: Trace, ax: Axes) -> None:
    rejected = data.rejected
    if len(rejected.passes):
        # Those tried from the same place are one cross, the larger the more they are.
        places, first, counts = np.unique(rejected.passes, return_index=True, return_counts=True)
        ax.scatter(
            places,
            rejected.objectives[first],
            s=np.minimum(12.0 + 8.0 * np.sqrt(counts), 60.0),
            c=MUTED,
            marker="x",
            linewidths=0.8,
            alpha=0.55,
            zorder=2.5,
        )
        name = f"tried and rejected ({len(rejected.passes)})"
        ax.plot([], [], linestyle="none", marker="x", markersize=5, color=MUTED, label=name)
    for marks in data.accepted:
        _draw_marks(marks, ax, marks.objectives)


def _draw_marks(marks: Marks, ax: Axes, heights: Any) -> None:
    for place in marks.passes:
        ax.axvline(place, color=PALE, linewidth=0.7, zorder=1)
    index, marker = _KINDS.get(marks.kind, _OTHER_KIND)
    ax.plot(
        marks.passes,
        heights,
        linestyle="none",
        marker=marker,
        markersize=6.0,
        color=palette(index + 1)[-1],
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=5,
        label=f"{marks.kind.replace('_', ' and ')} ({len(marks.passes)})",
    )


def draw_searches(data: Searches, ax: Axes) -> None:
    """Where the runs of each search ended: one lane a search, one point a run, better to the right.

    The axis is linear as far as ``near`` below the best known and logarithmic further down.

    Parameters
    ----------
    data : Searches
    ax : matplotlib.axes.Axes
    """
    near = max(data.near, _SMALLEST)
    deepest = max([2.0 * near, *(float(runs.gaps.max(initial=0.0)) for runs in data.runs)])
    ax.set_xscale("symlog", linthresh=near, linscale=0.6)
    ax.axvspan(near, -near, color=PALE, alpha=0.45, linewidth=0, zorder=0)
    _draw_lanes(data, ax, [runs.gaps for runs in data.runs])
    decades = 10.0 ** np.arange(np.ceil(np.log10(near)), np.floor(np.log10(deepest)) + 1)
    every = -(-len(decades) // 4)
    ax.set_xticks([0.0, *decades[::-1][::every].tolist()])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(_number))
    ax.set_xlim(1.5 * deepest, -0.3 * near)
    label(ax, None, ("below the best known (nats a row)", ""))
    names = [
        f"{plain(runs.search, 24)}\n{runs.n_at_best} of {runs.n_runs} at best" for runs in data.runs
    ]
    ax.set_yticks(np.arange(len(names)), names)
    for words in ax.get_yticklabels():
        words.set_parse_math(False)


def draw_costs(data: Searches, ax: Axes, cost: str = "seconds") -> None:
    """What each run cost, in the lanes of `draw_searches`.

    Parameters
    ----------
    data : Searches
    ax : matplotlib.axes.Axes
    cost : {'seconds', 'passes'}, default='seconds'
    """
    ax.set_xscale("log")
    spent = [np.maximum(getattr(runs, cost), _SMALLEST) for runs in data.runs]
    made = np.concatenate([*spent, np.empty(0)])
    low, high = (float(made.min()), float(made.max())) if len(made) else (1.0, 1.0)
    ax.set_xlim(low / 1.6, high * 1.6)
    _draw_lanes(data, ax, spent)
    # Where the axis is short, decades alone would leave it with one number or none.
    few = np.log10(high / low) < 1.5
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(_number))
    label(ax, None, ("seconds" if cost == "seconds" else "EM passes", ""))


def _draw_lanes(data: Searches, ax: Axes, across: Sequence[Floats]) -> None:
    """Points in a lane a search, hollow where a run missed the best known, and their medians."""
    dress(ax, left=False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(data.runs) - 0.5, -0.5)
    for lane, (runs, values) in enumerate(zip(data.runs, across, strict=True)):
        if lane:
            ax.axhline(lane - 0.5, color=PALE, linewidth=0.6, zorder=0.5)
        if not len(values):
            continue
        colour = darken(palette(lane + 1)[-1:], 0.65)[0]
        faces = np.tile(np.append(colour, 0.75), (len(values), 1))
        faces[runs.gaps > data.near] = 1.0
        ax.vlines(np.median(values), lane - 0.42, lane + 0.42, color=INK, linewidth=1.6, zorder=2)
        ax.scatter(
            values,
            lane + 0.3 * runs.places,
            s=18.0,
            marker=_MARKERS[lane % len(_MARKERS)],
            facecolors=faces,
            edgecolors=[colour],
            linewidths=0.9,
            zorder=3,
            clip_on=False,
        )


def _number(value: float, _: object) -> str:
    return f"{value:g}"
