"""How all axes of this package look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from emplus.plotting.style import INK

__all__ = ["add_legend", "dress", "label", "page"]


def dress(ax: Axes, *, left: bool = True) -> None:
    """Two quiet spines and small ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines["left"].set_visible(left)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#9a9a9a")
    ax.tick_params(color="#9a9a9a", labelcolor=INK, length=3)


def page(ax: Axes) -> NDArray[np.float64]:
    """Width and height of the axes in points."""
    return np.array([ax.bbox.width, ax.bbox.height]) / ax.figure.dpi * 72.0


def label(ax: Axes, names: Sequence[str] | None, otherwise: Sequence[str]) -> None:
    """Words across and up."""
    across, up = otherwise if names is None else names
    ax.set_xlabel(across, color=INK, parse_math=False)
    ax.set_ylabel(up, color=INK, parse_math=False)


def add_legend(ax: Axes, columns: int = 3) -> None:
    """A legend above the axes, where no data can be under it."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.6,
        borderaxespad=0.2,
    )
