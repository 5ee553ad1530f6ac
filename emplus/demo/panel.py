"""One panel of the fit tab: a search on two columns, its ellipses and what it tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource, LabelSet, Range1d, Select
from numpy.typing import NDArray

from emplus.demo.choices import Rows
from emplus.demo.look import CUT, JOINED, bytes_of, hexes, plot, stacked
from emplus.demo.screen import Screen
from emplus.mixture import Mixture
from emplus.plotting.data import responsibilities_colours
from emplus.plotting.geometry import ellipses

__all__ = ["SEARCHES", "Panel"]

SEARCHES = {
    "em": "EM, one start",
    "restarts": "EM, ten starts",
    "reset": "Reset",
    "random_swap": "Random swap",
    "annealing": "Annealing",
    "ueda": "Split and merge as published (Ueda et al. 2000)",
    "split_merge": "Split and merge",
}


@final
class Panel:
    """A screen with a picture of two columns, in which means can be dragged.

    Parameters
    ----------
    letter : str
        ``a`` or ``b``; the names of its parts on the page end with it.
    search : str
        The one to begin with.
    changed : callable
        Called when another search is chosen.
    """

    def __init__(self, letter: str, search: str, changed: Callable[[], None]):
        self._rows = Rows(np.empty((0, 2)), ends=((0.0, 1.0), (0.0, 1.0)))
        self.search = Select(
            value=search,
            options=list(SEARCHES.items()),
            name=f"search-{letter}",
            sizing_mode="stretch_width",
        )
        self.search.on_change("value", lambda attr, old, new: changed())
        self.plot = plot(f"fit-{letter}", 340, x_range=Range1d(-6, 6), y_range=Range1d(-5, 5))
        self.plot.grid.visible = False
        self._draw(letter)
        self.screen = Screen(letter, self._show)
        parts = (self.plot, self.screen.status, self.screen.trace, self.screen.moves)
        self.root = stacked(self.search, *parts, gap=4)

    def _draw(self, letter: str) -> None:
        def empty(*more: str) -> ColumnDataSource:
            return ColumnDataSource({name: [] for name in ("x", "y", "color", *more)})

        self._points, self._glow, self._rings = empty(), empty(), empty("alpha")
        self._means = empty("number")
        self._points.name, self._glow.name = f"points-{letter}", f"lit-{letter}"
        self._means.name = f"means-{letter}"
        draw, line = self.plot.scatter, self.plot.multi_line
        draw("x", "y", color="color", source=self._points, size=4, alpha=0.8)
        line("x", "y", color="color", source=self._glow, line_width=10, alpha=0.4)
        line("x", "y", color="color", alpha="alpha", source=self._rings, line_width=2)
        draw(
            "x", "y", color="color", source=self._means, size=17, line_color="white", line_width=1.5
        )
        self.plot.add_layout(
            LabelSet(
                x="x",
                y="y",
                text="number",
                source=self._means,
                text_color="white",
                text_align="center",
                text_baseline="middle",
                text_font_size="10px",
                text_font_style="bold",
            )
        )

    @property
    def places(self) -> NDArray[np.float64]:
        """The means (k, 2) that are shown."""
        mixture = self.screen.player.mixture
        return np.empty((0, 2)) if mixture is None else _means(mixture)

    def load(self, rows: Rows, make: Callable[[Mixture | None], Any] | None) -> None:
        """Begin anew with these rows; without ``make`` there is nothing to fit yet."""
        self.show_rows(rows)
        across, up = rows.limits
        self.plot.x_range.update(start=across[0], end=across[1])
        self.plot.y_range.update(start=up[0], end=up[1])
        self.plot.xaxis.axis_label, self.plot.yaxis.axis_label = rows.names
        if make is None:
            self.screen.player.clear()
        else:
            self.screen.player.load(make, rows.X)
        self.screen.begin()

    def show_rows(self, rows: Rows) -> None:
        """Draw the rows alone, in grey."""
        self._rows = rows
        grey = np.full((len(rows.X), 3), 0.55)
        self._points.data = {"x": rows.X[:, 0], "y": rows.X[:, 1], "color": bytes_of(grey)}

    def dragged(self, j: int, x: float, y: float) -> Mixture | None:
        """The mixture that is shown, with one mean somewhere else."""
        mixture = self.screen.player.mixture
        if mixture is None:
            return None
        parameters: Any = mixture.parameters
        means = np.array(parameters.means)
        means[j] = x, y
        return replace(mixture, parameters=replace(parameters, means=means))

    def move(self, mixture: Mixture) -> None:
        """Take a mixture that was made by hand."""
        self.screen.player.move(mixture)
        self.screen.show()

    def _show(self, mixture: Mixture | None) -> None:
        if mixture is None:
            for source in (self._rings, self._glow, self._means):
                source.data = {name: [] for name in source.data}
            return
        colours, lit = hexes(mixture.n_components), self.screen.player.lit
        outlines = ellipses(mixture, radii=(1.0, 2.0), n_points=49).points
        flat = outlines.reshape(-1, *outlines.shape[2:])
        self._rings.data = {
            "x": list(flat[..., 0]),
            "y": list(flat[..., 1]),
            "color": np.repeat(colours, 2).tolist(),
            "alpha": [1.0, 0.45] * len(colours),
        }
        glowing = [*lit.joined, *lit.cut]
        self._glow.data = {
            "x": [outlines[j, 1, :, 0] for j in glowing],
            "y": [outlines[j, 1, :, 1] for j in glowing],
            "color": [JOINED] * len(lit.joined) + [CUT] * len(lit.cut),
        }
        means = _means(mixture)
        numbers = [str(j) for j in range(len(means))]
        self._means.data = {
            "x": means[:, 0],
            "y": means[:, 1],
            "color": colours,
            "number": numbers,
        }
        blended = responsibilities_colours(mixture.responsibilities(self._rows.X))
        self._points.data["color"] = bytes_of(blended)


def _means(mixture: Mixture) -> NDArray[np.float64]:
    parameters: Any = mixture.parameters
    return np.asarray(parameters.means, dtype=np.float64)
