"""Draw the values of `emplus.plotting.heat` with matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from emplus.plotting.draw_page import plain
from emplus.plotting.draw_profiles import shown
from emplus.plotting.heat import Heat
from emplus.plotting.style import INK, darken, palette

__all__ = ["draw_heat", "size_of"]

# Inches: a shade, the words around, a letter of them; columns with a name.
_CELL, _AROUND, _LETTER = 0.17, 1.6, 0.065
_MOST_NAMES = 60


def size_of(data: Heat) -> tuple[float, float]:
    """Width and height in inches that the shades want."""
    c, m = len(data.columns), len(data.components)
    words = max(map(len, _names(data))) if c <= _MOST_NAMES else 0
    return (
        float(np.clip(_AROUND + _CELL * c, 5.0, 12.0)),
        max(_CELL * m, 0.8) + 0.45 + _LETTER * words,
    )


def draw_heat(data: Heat, ax: Axes, words: str) -> None:
    """A line a component, a shade a value.

    Parameters
    ----------
    data : Heat
    ax : matplotlib.axes.Axes
    words : str
        What the shades stand for.
    """
    signed = data.limits[0] < 0.0
    image = ax.imshow(
        data.values,
        cmap="RdBu_r" if signed else "Blues",
        vmin=data.limits[0],
        vmax=data.limits[1],
        aspect="auto",
        interpolation="nearest",
    )
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelcolor=INK)
    places = np.arange(len(data.components))
    ax.set_yticks(places, [str(j) for j in data.components], fontsize=7.5, fontweight="bold")
    colours = darken(palette(int(data.components.max()) + 1))[data.components]
    for tick, colour in zip(ax.get_yticklabels(), colours, strict=True):
        tick.set_color(colour)
    ax.set_ylabel("component", color=INK)
    if len(data.columns) <= _MOST_NAMES:
        ax.set_xticks(np.arange(len(data.columns)), _names(data), rotation=90, fontsize=7.5)
        for tick in ax.get_xticklabels():
            tick.set(parse_math=False)
    else:
        ax.set_xticks([])
        ax.set_xlabel(f"{len(data.columns)} columns, as they stand in the table", color=INK)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.03, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5, color="#9a9a9a", labelcolor=INK, length=3)
    bar.set_label(words, fontsize=8.5, color=INK)


def _names(data: Heat) -> list[str]:
    return [
        plain(name if value in (None, 1, True) else f"{name} = {shown(value)}", 28)
        for name, value in data.columns
    ]
