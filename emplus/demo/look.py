"""How the page looks: colours, figures, columns that wrap on a narrow screen."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import InlineStyleSheet
from bokeh.models.layouts import Column, LayoutDOM, Row
from bokeh.plotting import figure
from numpy.typing import NDArray

from emplus.plotting.style import palette

__all__ = [
    "ACCEPTED",
    "CUT",
    "GREYS",
    "INK",
    "JOINED",
    "TRIED",
    "UNDONE",
    "bytes_of",
    "hexes",
    "pair",
    "plot",
    "side_by_side",
    "stacked",
]

INK, FAINT = "#24292f", "#d8dee4"
JOINED, CUT = "#0072b2", "#d55e00"
TRIED, ACCEPTED, UNDONE = "#e69f00", "#009e73", "#c0392b"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

SHEET = InlineStyleSheet(
    css=f"""
:host {{ font-family: {_FONT}; color: {INK}; }}
.bk-input, .bk-btn {{ font-family: {_FONT}; }}
"""
)


def plot(name: str, height: int = 0, *, aspect: float = 0.0, **options: Any) -> Any:
    """An empty figure without a toolbar, of a height in pixels or a ratio of width to height."""
    size: dict[str, Any] = {"sizing_mode": "stretch_width", "height": height}
    if aspect:
        size = {"sizing_mode": "scale_width", "aspect_ratio": aspect}
    made = figure(
        name=name,
        **size,
        tools="",
        toolbar_location=None,
        min_border=4,
        outline_line_color=FAINT,
        **options,
    )
    for axis in (*made.xaxis, *made.yaxis):
        axis.axis_line_color = axis.major_tick_line_color = FAINT
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = "#57606a"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "11px"
    made.grid.grid_line_color = "#eef1f4"
    made.title.text_font_size = "13px"
    made.title.text_color = INK
    return made


def side_by_side(*parts: LayoutDOM, widths: tuple[str, ...], gap: int = 16) -> Row:
    """Parts beside each other, below each other where there is no room; CSS flex values."""
    for part, flex in zip(parts, widths, strict=True):
        part.styles = {**dict(part.styles), "flex": flex, "min-width": "0"}
    return Row(
        *parts,
        sizing_mode="stretch_width",
        spacing=gap,
        stylesheets=[InlineStyleSheet(css=":host { flex-wrap: wrap; align-items: flex-start; }")],
    )


def stacked(*parts: LayoutDOM, gap: int = 8, **options: Any) -> Column:
    """Parts below each other, as wide as there is room."""
    return Column(*parts, sizing_mode="stretch_width", spacing=gap, **options)


def pair(*parts: LayoutDOM) -> Row:
    """Small controls in one line."""
    return Row(*parts, sizing_mode="stretch_width", spacing=6)


def hexes(k: int) -> list[str]:
    """The colours of k components, for CSS."""
    return ["#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in palette(k)]


def bytes_of(colours: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours (n, 3) in [0, 1] as the page takes them fastest, (n, 4)."""
    made = np.full((len(colours), 4), 255, dtype=np.uint8)
    made[:, :3] = np.rint(255.0 * np.clip(colours, 0.0, 1.0))
    return made


# White for 0, black for 1.
GREYS = [f"#{level:02x}{level:02x}{level:02x}" for level in range(255, -1, -1)]
