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
from emplus.demo.wire import Part
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
        targets = {"points": self._points, "rings": self._rings, "means": self._means}
        self.screen = Screen(letter, self._picture, targets)
        parts = (self.plot, self.screen.status, self.screen.trace, self.screen.moves)
        self.root = stacked(self.search, *parts, gap=4)

    def _draw(self, letter: str) -> None:
        def empty(*more: str) -> ColumnDataSource:
            return ColumnDataSource({name: [] for name in ("x", "y", "color", *more)})

        self._points, self._rings, self._means = empty(), empty("alpha", "wide"), empty("number")
        self._points.name, self._rings.name = f"points-{letter}", f"rings-{letter}"
        self._means.name = f"means-{letter}"
        draw, line = self.plot.scatter, self.plot.multi_line
        draw("x", "y", color="color", source=self._points, size=5, line_color=None)
        line("x", "y", color="color", alpha="alpha", line_width="wide", source=self._rings)
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
        self.screen.send({"points": _points(rows.X, grey)})

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

    def _picture(self, mixture: Mixture | None) -> dict[str, Part]:
        if mixture is None:
            nothing: dict[str, Any] = {"x": [], "y": [], "color": []}
            rings = {**nothing, "alpha": [], "wide": []}
            return {"rings": rings, "means": {**nothing, "number": []}}
        colours, lit = hexes(mixture.n_components), self.screen.player.lit
        outlines = ellipses(mixture, radii=(1.0, 2.0), n_points=49).points
        # What a candidate is about glows below its ellipses.
        glowing = outlines[[*lit.joined, *lit.cut], 1]
        lines = np.concatenate([glowing, outlines.reshape(-1, *outlines.shape[2:])])
        k, n_lit = len(colours), len(glowing)
        glow = [JOINED] * len(lit.joined) + [CUT] * len(lit.cut)
        rings = {
            "x": np.ascontiguousarray(lines[..., 0]),
            "y": np.ascontiguousarray(lines[..., 1]),
            "color": glow + np.repeat(colours, 2).tolist(),
            "alpha": [0.4] * n_lit + [1.0, 0.45] * k,
            "wide": [10] * n_lit + [2] * (2 * k),
        }
        places = _means(mixture)
        numbers = [str(j) for j in range(k)]
        means = {"x": places[:, 0], "y": places[:, 1], "color": colours, "number": numbers}
        blended = responsibilities_colours(mixture.responsibilities(self._rows.X))
        return {"rings": rings, "means": means, "points": _points(self._rows.X, blended)}


def _points(X: NDArray[np.float64], colours: NDArray[np.float64]) -> dict[str, Any]:
    return {"x": X[:, 0].copy(), "y": X[:, 1].copy(), "color": bytes_of(colours)}


def _means(mixture: Mixture) -> NDArray[np.float64]:
    parameters: Any = mixture.parameters
    return np.asarray(parameters.means, dtype=np.float64)
