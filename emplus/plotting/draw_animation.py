"""Draw `Frames` one by one, and put them together as a GIF.

matplotlib draws each frame; Pillow, which matplotlib brings along, writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from emplus.plotting.animating import Frames
from emplus.plotting.draw import draw_scatter
from emplus.plotting.draw_axes import dress, label
from emplus.plotting.draw_page import new_figure, plain, write_wrapped
from emplus.plotting.style import INK, MUTED, PALE, palette

__all__ = ["draw_climb", "draw_frame", "encode_gif", "images_of"]

Image8 = NDArray[np.uint8]

_WIDTH, _HEIGHT = 4.8, 5.2  # inches
_HELD = 2.0  # seconds that the last frame stays
_COLOURS = 128
_WHITE = 247  # what is no darker than that in any channel


def draw_frame(data: Frames, frame: int, ax: Axes, *, names: Sequence[str] | None = None) -> None:
    """The rows and the components as they are in one frame.

    Parameters
    ----------
    data : Frames
    frame : int
    ax : matplotlib.axes.Axes
    names : two str, optional
        Words on the axes.
    """
    draw_scatter(data.scatters[frame], ax, names=names)
    words = f"iteration {data.steps[frame]}" if data.steps[frame] else "start"
    if data.moves[frame]:
        words += f", after {data.moves[frame]}"
    _say(ax, plain(words, 58))


def draw_climb(data: Frames, frame: int, ax: Axes) -> None:
    """The log-likelihood a row up to one frame; the axes hold all of it.

    Parameters
    ----------
    data : Frames
    frame : int
    ax : matplotlib.axes.Axes
    """
    dress(ax)
    now = int(data.steps[frame])
    last = len(data.values) - 1
    low, high = float(data.values.min()), float(data.values.max())
    margin = max(0.08 * (high - low), 1e-6 * abs(high), 1e-12)
    ax.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    ax.set_ylim(low - margin, high + margin)
    ax.axhline(float(data.values[-1]), color=PALE, linewidth=0.8, zorder=1)
    ax.vlines(
        data.begins[data.begins <= now],
        low - margin,
        high + margin,
        color=MUTED,
        linewidth=0.8,
        linestyles="dotted",
        zorder=2,
    )
    ax.plot(np.arange(now + 1), data.values[: now + 1], color=INK, linewidth=1.3, zorder=3)
    ax.plot([now], [data.values[now]], "o", color=palette(2)[1], markersize=4.5, zorder=4)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    label(ax, ("iteration", "nats a row"), ())
    value = f"{data.values[now]:.4f}".replace("-", "\N{MINUS SIGN}")
    _say(ax, f"log-likelihood {value} nats a row")


def images_of(
    data: Frames,
    *,
    names: Sequence[str],
    title: str,
    caption: Sequence[str],
    watch: Callable[[int, int], None] | None = None,
) -> list[Image8]:
    """All frames as pixels (height, width, 3); ``watch`` is told how many of how many are done."""
    figure = new_figure(_WIDTH, _HEIGHT)
    canvas: Any = figure.canvas  # Agg's, which has no types
    above, below = figure.subplots(2, 1, height_ratios=[3.2, 1.0])
    write_wrapped(figure, title, caption)
    # Laid out by the last frame, and from there on nothing may move but what is shown.
    count = len(data.scatters)
    _draw_both(data, count - 1, above, below, names)
    canvas.draw()
    figure.set_layout_engine("none")
    images = []
    for frame in range(count):
        if watch is not None:
            watch(frame, count)
        _draw_both(data, frame, above, below, names)
        canvas.draw()
        images.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return images


def encode_gif(images: Sequence[Image8], fps: float) -> bytes:
    """The frames as a GIF that runs for ever; the last one is held for two seconds.

    Parameters
    ----------
    images : sequence of ndarray (height, width, 3)
    fps : float
        Frames a second.
    """
    pictures = [Image.fromarray(image) for image in images]
    # One palette for all frames, from some of them: so that what stands still stays the same.
    some = np.unique(np.linspace(0, len(images) - 1, 5).astype(int))
    sheet = Image.fromarray(np.concatenate([images[int(frame)] for frame in some]))
    colours = sheet.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat = [one.quantize(palette=colours, dither=Image.Dither.NONE) for one in pictures]
    # Averages of white and its neighbours would make the paper grey.
    entries = np.array(colours.getpalette(), dtype=np.uint8).reshape(-1, 3)
    entries[entries.min(axis=1) >= _WHITE] = 255
    for one in flat:
        one.putpalette(entries.tobytes())
    each = 10 * max(round(100.0 / fps), 2)
    durations = [each] * (len(flat) - 1) + [max(each, int(1000 * _HELD))]
    buffer = BytesIO()
    flat[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=flat[1:],
        duration=durations,
        loop=0,
        optimize=True,
    )
    return buffer.getvalue()


def _say(ax: Axes, words: str) -> None:
    ax.set_title(words, loc="left", fontsize=9.0, color=INK, parse_math=False)


def _draw_both(data: Frames, frame: int, above: Any, below: Any, names: Sequence[str]) -> None:
    # Clearing the axes would make their ticks anew each time, which takes longer than all the rest.
    for ax in (above, below):
        for artist in [*ax.collections, *ax.lines, *ax.texts]:
            artist.remove()
    draw_frame(data, frame, above, names=names)
    draw_climb(data, frame, below)
