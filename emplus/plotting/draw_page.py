"""The sheet that pictures are drawn on: its style, its words, its file.

Pictures for files are made on the Agg canvas whatever backend the session has, with matplotlib's
own defaults whatever the user's style is: the same data gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from textwrap import wrap
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine

from emplus.plotting.style import INK, MUTED

__all__ = ["house_style", "new_figure", "plain", "render", "write_words", "write_wrapped"]

_FONT = "DejaVu Sans"  # Comes with matplotlib, so every machine has the same letters.
_STYLE: Any = {
    "font.family": [_FONT],
    "font.size": 9.0,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.unicode_minus": True,
    "svg.hashsalt": "emplus",
    "pdf.fonttype": 42,
}
# Dates and version numbers would make two equal pictures differ.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


@contextmanager
def house_style() -> Iterator[None]:
    """Take matplotlib's defaults and this package's letters while a picture for a file is made."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) on its own canvas, unknown to pyplot."""
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    figure = Figure(figsize=(width, height), dpi=160, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure, extension: str) -> bytes:
    """The picture as a file of this kind: ``"png"``, ``"svg"`` or ``"pdf"``."""
    buffer = BytesIO()
    figure.savefig(buffer, format=extension, metadata=_METADATA[extension])
    return buffer.getvalue()


def write_words(figure: Figure, title: str, caption: Sequence[str]) -> None:
    """A title above the picture and lines in small letters below it, both from the left."""
    figure.suptitle(
        title, x=0.012, ha="left", fontsize=11.5, fontweight="bold", color=INK, parse_math=False
    )
    if caption:
        words = "\n".join(caption)
        figure.supxlabel(
            words, x=0.012, ha="left", fontsize=7.5, color=MUTED, parse_math=False, linespacing=1.4
        )


def write_wrapped(figure: Figure, title: str, caption: Sequence[str]) -> None:
    """The same with lines broken where the figure ends; two at most for each of the title's."""
    width = float(figure.get_size_inches()[0])
    title_lines = [line for part in title.split("\n") for line in wrap(part, int(10.2 * width))[:2]]
    lines = [line for part in caption for line in wrap(part, int(16.0 * width))]
    write_words(figure, "\n".join(plain(line, 200) for line in title_lines), lines)


def plain(text: object, at_most: int = 32) -> str:
    r"""Words of one line that the font can show and that are not too long.

    Examples
    --------
    >>> plain("petal\nlength  (cm)"), plain("x" * 40, 8)
    ('petal length (cm)', 'xxxxxxx…')
    """
    known = get_font(findfont(_FONT)).get_charmap()
    words = " ".join(str(text).split())
    words = "".join(c if ord(c) in known else "\N{WHITE SQUARE}" for c in words)
    return words if len(words) <= at_most else words[: at_most - 1].rstrip() + "…"
