"""Where half a digit is drawn, and the whole that a mixture makes of it."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.events import DoubleTap, Pan, PanStart, Tap
from bokeh.models import Button, ColumnDataSource, Div, LinearColorMapper, Range1d, Row, Select
from numpy.typing import NDArray

from emplus.demo.look import GREYS, plot, stacked
from emplus.demo.wire import Part, Wire, box
from emplus.mixture import Mixture

__all__ = ["Easel"]

Floats = NDArray[np.float64]

_HALVES = {"top": "upper half", "bottom": "lower half", "left": "left half", "right": "right half"}


@final
class Easel:
    """A grid of pixels to be drawn on, and beside it what is expected in the other half.

    Parameters
    ----------
    X : (n, side * side) ndarray
        Pictures to take examples from.
    """

    def __init__(self, X: Floats):
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        self._half = Select(
            title="You draw the", options=list(_HALVES.items()), value="top", name="half", **wide
        )
        self._example = Button(label="Take a digit's half", name="example", **wide)
        self._clear = Button(label="Clear", name="clear", **wide)
        self._drawn, self._drawn_image = _canvas("drawn", "You draw")
        self._whole, self._whole_image = _canvas("completed", "Completed")
        self._said = box("completion", 44)
        targets = {"drawn": self._drawn_image, "whole": self._whole_image, "said": self._said}
        self._wire = Wire(self._drawn, targets)
        self._mixture: Mixture | None = None
        self._ink, self._last = 1.0, (0, 0)
        self._rng = np.random.default_rng(0)
        self._half.on_change("value", lambda attr, old, new: self._show())
        self._example.on_click(self._take)
        self._clear.on_click(self._empty)
        for touch in (Tap, DoubleTap, PanStart):
            self._drawn.on_event(touch, self._begin)
        self._drawn.on_event(Pan, self._go_on)
        told = Div(
            text="Draw with the mouse or a finger; draw over ink to take it away. The mixture "
            "fills in what it expects in the other half, given yours.",
            **wide,
        )
        buttons = Row(self._example, self._clear, spacing=6, **wide)
        pictures = Row(self._drawn, self._whole, spacing=6, **wide)
        self.root = stacked(told, self._half, buttons, pictures, self._said)
        self.load(X)

    def load(self, X: Floats) -> None:
        """Other pictures, perhaps of another size."""
        self._X, self._mixture = X, None
        self._side = round(X.shape[1] ** 0.5)
        for figure in (self._drawn, self._whole):
            figure.x_range.end = figure.y_range.end = self._side
        self._take()

    def complete(self, mixture: Mixture | None) -> None:
        """Fill in with this mixture from now on."""
        self._mixture = mixture
        self._show()

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Where nothing is drawn (side, side), the first row at the top."""
        hidden = np.zeros((self._side, self._side), dtype=bool)
        middle = self._side // 2
        match self._half.value:
            case "top":
                hidden[middle:] = True
            case "bottom":
                hidden[:middle] = True
            case "left":
                hidden[:, middle:] = True
            case _:
                hidden[:, :middle] = True
        return hidden

    def _take(self) -> None:
        row = self._X[self._rng.integers(len(self._X))]
        self._pixels = row.reshape(self._side, self._side).copy()
        self._show()

    def _empty(self) -> None:
        self._pixels = np.zeros((self._side, self._side))
        self._show()

    def _cell(self, event: Any) -> tuple[int, int] | None:
        if event.x is None or event.y is None:
            return None
        row, column = int(self._side - event.y), int(event.x)
        inside = 0 <= row < self._side and 0 <= column < self._side
        return (row, column) if inside else None

    def _begin(self, event: Any) -> None:
        cell = self._cell(event)
        if cell is None or self.hidden[cell]:
            return
        self._ink, self._last = 1.0 - self._pixels[cell], cell
        self._pixels[cell] = self._ink
        self._show()

    def _go_on(self, event: Any) -> None:
        cell = self._cell(event)
        if cell is None or cell == self._last:
            return
        # The mouse may skip pixels between two events.
        steps = max(abs(cell[0] - self._last[0]), abs(cell[1] - self._last[1]))
        way = np.rint(np.linspace(self._last, cell, steps + 1)).astype(int)
        there = ~self.hidden[way[:, 0], way[:, 1]]
        self._pixels[way[there, 0], way[there, 1]] = self._ink
        self._last = cell
        self._show()

    def _show(self) -> None:
        hidden = self.hidden
        drawn = np.where(hidden, np.nan, self._pixels)
        whole, said = np.where(hidden, 0.5, self._pixels), ""
        if self._mixture is not None and self._mixture.n_features == drawn.size:
            row = drawn.reshape(1, -1)
            responsible = self._mixture.responsibilities(row)[0]
            parameters: Any = self._mixture.parameters
            expected = (responsible @ parameters.probabilities).reshape(self._side, self._side)
            whole = np.where(hidden, expected, self._pixels)
            first = np.argsort(responsible)[::-1][:3]
            said = "Made from " + ", ".join(
                f"component {j} ({100.0 * responsible[j]:.0f} %)"
                for j in first
                if responsible[j] >= 0.005
            )
        parts: dict[str, Part] = {
            "drawn": {"image": [drawn[::-1].copy()], "side": [self._side]},
            "whole": {"image": [whole[::-1].copy()], "side": [self._side]},
            "said": said,
        }
        self._wire.send(parts)


def _canvas(name: str, title: str) -> tuple[Any, ColumnDataSource]:
    made = plot(name, aspect=0.9, x_range=Range1d(0, 8), y_range=Range1d(0, 8), title=title)
    made.axis.visible = made.grid.visible = False
    source = ColumnDataSource({"image": [np.zeros((8, 8))], "side": [8]}, name=f"{name}-image")
    made.image(
        "image",
        x=0,
        y=0,
        dw="side",
        dh="side",
        source=source,
        color_mapper=LinearColorMapper(palette=GREYS, low=0.0, high=1.0, nan_color="#dbe7f3"),
    )
    return made, source
