"""Draw the values of `emplus.plotting.images` with matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from emplus.plotting.images import ImageGrid
from emplus.plotting.style import INK, MUTED, darken, palette, weight_label

__all__ = ["draw_image_grid", "size_of"]

# Inches: the widest page, an image's largest width, the room for a line's words, gaps.
_PAGE = 10.0
_LARGEST = 0.85
_WORDS = 0.5
_GAP = 0.07
_BESIDE_MEAN = 0.16
_BETWEEN_BLOCKS = 0.35
_LEAST_LINE = 0.34
_HEADING = 0.22
_BAR = 0.1

# An image of one line of pixels is drawn higher than it is, so that it can be seen.
_FLATTEST = 0.25

# Two colours that every kind of colour vision tells apart, and nearly white at 0.
_DIVERGING = "RdBu_r"


@dataclass(frozen=True)
class _Grid:
    """Where the images stand, in inches from the top left."""

    cell: tuple[float, float]  # width and height of an image
    lines: int
    blocks: int
    line_width: float
    pitch: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of it all."""
        width = self.blocks * (self.line_width + _BETWEEN_BLOCKS) - _BETWEEN_BLOCKS
        return width, _HEADING + self.lines * self.pitch

    def corner(self, index: int) -> tuple[float, float]:
        """The top left corner of a component's line."""
        block, line = divmod(index, self.lines)
        return block * (self.line_width + _BETWEEN_BLOCKS), _HEADING + line * self.pitch

    def across(self, image: int) -> float:
        """Where the mean (0) or a factor (1, 2, ...) begins on its line."""
        beside = _BESIDE_MEAN if image else 0.0
        return _WORDS + image * (self.cell[0] + _GAP) + beside

    @classmethod
    def of(cls, data: ImageGrid) -> _Grid:
        """As many lines beside each other as make the picture about a sixth wider than high."""
        m, n_images = len(data.components), 1 + data.factors.shape[1]
        height, width = data.means.shape[1:]
        flat = float(np.clip(height / width, _FLATTEST, 1.0 / _FLATTEST))
        largest = _LARGEST * min(1.0, 1.0 / flat)
        grids = []
        for blocks in range(1, m + 1):
            fixed = _WORDS + (n_images - 1) * _GAP + (_BESIDE_MEAN if n_images > 1 else 0.0)
            room = (_PAGE + _BETWEEN_BLOCKS) / blocks - _BETWEEN_BLOCKS - fixed
            across = min(largest, room / n_images)
            if blocks > 1 and across < 0.5 * largest:
                break
            pitch = max(flat * across, _LEAST_LINE) + _GAP
            cell = (across, flat * across)
            lines = -(-m // blocks)
            grids.append(cls(cell, lines, blocks, fixed + n_images * across, pitch))
        return min(grids, key=lambda grid: abs(np.log(grid.size[0] / grid.size[1] / 1.15)))


def size_of(data: ImageGrid) -> tuple[float, float]:
    """Width and height in inches that the images want."""
    return _Grid.of(data).size


def draw_image_grid(data: ImageGrid, figure: Figure | SubFigure) -> None:
    """One line a component: its number and weight, its mean, its factors.

    Parameters
    ----------
    data : ImageGrid
    figure : matplotlib.figure.Figure
        An empty one; `size_of` tells how large it should be.
    """
    grid = _Grid.of(data)
    kinds = ("mean", "factor") if data.factors.shape[1] else ("mean",)
    sheet = figure.add_gridspec(2, len(kinds), height_ratios=[grid.size[1], _BAR])
    ax = figure.add_subplot(sheet[0, :])
    ax.set_axis_off()
    norms = (Normalize(*data.mean_limits), Normalize(-data.reach, data.reach))
    drawn: dict[str, AxesImage] = {}
    for index, (mean, factors) in enumerate(zip(data.means, data.factors, strict=True)):
        for number, image in enumerate([mean, *factors]):
            kind = kinds[min(number, 1)]
            drawn[kind] = _draw(image, ax, grid, index, number, norms[min(number, 1)])
    frames = [Rectangle(corner, *grid.cell) for corner in _corners(data, grid)]
    ax.add_collection(
        PatchCollection(frames, facecolor="none", edgecolor="#b5b5b5", linewidth=0.5, zorder=3)
    )
    _write_words(data, ax, grid)
    # Half a gap more than the images take, so that the frames at the rim are whole.
    ax.set_xlim(0.0, grid.size[0] + 0.5 * _GAP)
    ax.set_ylim(grid.size[1], 0.0)
    ax.set_aspect("equal", anchor="N")
    mean = "probability of 1" if data.binary else "mean"
    words = (mean, "factor, one standard deviation")
    for place, kind in enumerate(kinds):
        _draw_bar(drawn[kind], figure.add_subplot(sheet[1, place]), words[place])


def _draw_bar(image: AxesImage, ax: Axes, words: str) -> None:
    ax.figure.colorbar(image, cax=ax, orientation="horizontal")
    ax.spines[:].set_visible(False)
    ax.tick_params(labelsize=7.5, color="#9a9a9a", labelcolor=INK, length=3)
    ax.set_xlabel(words, fontsize=8.5, color=INK)


def _draw(
    image: NDArray[np.float64], ax: Axes, grid: _Grid, index: int, number: int, norm: Normalize
) -> AxesImage:
    left, top = grid.corner(index)
    left += grid.across(number)
    width, height = grid.cell
    return ax.imshow(
        image,
        cmap=_DIVERGING if number else "gray",
        norm=norm,
        extent=(left, left + width, top + height, top),
        interpolation="nearest",
    )


def _corners(data: ImageGrid, grid: _Grid) -> Iterator[tuple[float, float]]:
    for index in range(len(data.components)):
        left, top = grid.corner(index)
        for number in range(1 + data.factors.shape[1]):
            yield left + grid.across(number), top


def _write_words(data: ImageGrid, ax: Axes, grid: _Grid) -> None:
    colours = darken(palette(data.n_components), 0.5)[data.components]
    for index, (j, weight) in enumerate(zip(data.components, data.weights, strict=True)):
        left, top = grid.corner(index)
        across, middle = left + _WORDS - _GAP, top + 0.5 * grid.cell[1]
        number = ax.text(across, middle - 0.01, str(j), ha="right", va="bottom", fontsize=9.0)
        number.set(color=colours[index], fontweight="bold")
        words = weight_label(float(weight))
        ax.text(across, middle + 0.01, words, ha="right", va="top", fontsize=7.0, color=MUTED)
    short = grid.cell[0] < 0.6
    for block in range(grid.blocks):
        left, _ = grid.corner(block * grid.lines)
        for number_of in range(1 + data.factors.shape[1]):
            across = left + grid.across(number_of) + 0.5 * grid.cell[0]
            words = str(number_of) if short else f"factor {number_of}"
            words = words if number_of else "" if data.binary else "mean"
            ax.text(across, _HEADING - 0.05, words, ha="center", fontsize=7.5, color=INK)
