"""The fit tab: two searches from the same start, side by side."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any, final

import numpy as np
from bokeh.models import (
    Div,
    FileInput,
    RadioButtonGroup,
    Select,
    Spinner,
    TextInput,
)

from emplus.demo.choices import MOST_ROWS, OWN, Reader, Rows, Sheet, offered
from emplus.demo.look import UNDONE, pair, side_by_side, stacked
from emplus.demo.mouse import Grip
from emplus.demo.panel import Panel
from emplus.demo.transport import Transport
from emplus.errors import EmplusError
from emplus.estimators.gaussian_mixture import GaussianMixture
from emplus.mixture import Mixture
from emplus.starts.given import GivenMixture

__all__ = ["FitTab"]

COVARIANCES = {"full": "full", "diag": "diagonal", "spherical": "spherical", "tied": "one for all"}
STARTS = {
    "k-means++": "k-means++",
    "kmeans": "k-means",
    "random_from_data": "random rows",
    "random": "at random",
    "perturbed": "around the mean of all",
}
_MOST_COMPONENTS, _LARGEST = 100, 2**31 - 1
_FILE = "Your own file"
_HINT = (
    "Drag a numbered mean into a bad place, then run: EM stays in a poor optimum, split and merge "
    "leaves it."
)
_SEED = 7  # with the first data set, EM ends in a poor optimum


@final
class FitTab:
    """Data, model and start on the left; two searches on the right.

    Parameters
    ----------
    document : Document
        Where callbacks that come again and again are put.
    reader : Reader
        Reads uploaded files and paths.
    sheet : Sheet, optional
        A table to begin with.
    """

    def __init__(self, document: Any, reader: Reader, sheet: Sheet | None = None):
        self._document, self._reader, self._sheet = document, reader, sheet
        self._offered = offered()
        self._loading = False
        self._rows = self._offered[OWN]()
        changed = self.restart
        self._panels = [Panel("a", "em", changed), Panel("b", "split_merge", changed)]
        for panel in self._panels:
            self._grips(panel)
        self._inputs()
        screens = [panel.screen for panel in self._panels]
        self._transport = Transport("fit", document, screens, self.restart)
        self._transport.held = lambda: any(grip.holds for grip in self._held)
        self.root = side_by_side(
            self._controls(),
            side_by_side(*(p.root for p in self._panels), widths=("1 1 320px",) * 2),
            widths=("0.8 1 215px", "3.6 1 340px"),
        )
        self._choose_data(self._data.value)

    def close(self) -> None:
        """Let go of both fits."""
        self._transport.close()

    def _inputs(self) -> None:
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        names = list(self._offered) + ([_FILE] if self._sheet else [])
        first = _FILE if self._sheet else names[0]
        self._data = Select(title="Data", value=first, options=names, name="data", **wide)
        self._file = FileInput(title="Your own table", accept=".csv,.tsv,.txt", name="file", **wide)
        self._path = TextInput(title="or its path, or a data set's name", name="path", **wide)
        self._across = Select(title="Across", name="across", visible=False, **wide)
        self._up = Select(title="Up", name="up", visible=False, **wide)
        self._mouse = RadioButtonGroup(
            labels=["Drag means", "Place points"], active=0, name="mouse", **wide
        )
        self._k = Spinner(
            title="Components", low=1, high=_MOST_COMPONENTS, step=1, value=3, name="k", **wide
        )
        self._covariance = Select(
            title="Covariances",
            options=list(COVARIANCES.items()),
            value="full",
            name="covariance",
            **wide,
        )
        self._start = Select(
            title="Start",
            options=list(STARTS.items()),
            value="random_from_data",
            name="start",
            **wide,
        )
        self._seed = Spinner(
            title="Seed", low=0, high=_LARGEST, step=1, value=_SEED, name="seed", **wide
        )
        self._said = Div(name="fit-message", **wide)
        self._listen()

    def _listen(self) -> None:
        self._data.on_change("value", lambda attr, old, new: self._choose_data(new))
        # The name of the file comes right after what is in it.
        self._file.on_change(
            "value", lambda attr, old, new: self._document.add_next_tick_callback(self._upload)
        )
        self._path.on_change("value", lambda attr, old, new: self._open(new))
        for axis in (self._across, self._up):
            axis.on_change("value", lambda attr, old, new: self._choose_columns())
        for control in (self._k, self._covariance, self._start, self._seed):
            control.on_change("value", lambda attr, old, new: self.restart())

    def _controls(self) -> Any:
        return stacked(
            self._data,
            pair(self._across, self._up),
            pair(self._k, self._seed),
            pair(self._covariance, self._start),
            self._transport.root,
            self._mouse,
            self._said,
            self._file,
            self._path,
        )

    # What is fitted.

    def _choose_data(self, name: str) -> None:
        if name == _FILE:
            self._choose_columns()
            return
        self._across.visible = self._up.visible = False
        try:
            rows = self._offered[name]()
        except EmplusError as error:
            self._say(str(error), bad=True)
            return
        self._mouse.active = 1 if name == OWN else 0
        self._take(rows)

    def _take(self, rows: Rows, k: int | None = None) -> None:
        self._rows, self._loading = rows, True
        self._k.value = rows.k if k is None else k
        self._loading = False
        self._say(rows.note or _HINT)
        self.restart()

    def _upload(self) -> None:
        name = str(self._file.filename)
        data = b64decode(str(self._file.value))
        self._read(partial(self._reader.parse, name, data), name)

    def _open(self, place: str) -> None:
        if place.strip():
            self._read(partial(self._reader.open, place.strip()), place.strip())

    def _read(self, read: Callable[[], Sheet], name: str) -> None:
        try:
            sheet = read()
            sheet.rows()  # what cannot be shown is said now, and what was there stays
        except (EmplusError, OSError) as error:
            self._say(f"{name}: {error}" if name not in str(error) else str(error), bad=True)
            return
        self._sheet = sheet
        names = [*self._offered, _FILE]
        if self._data.value == _FILE:
            self._choose_columns(fresh=True)
        else:
            self._data.update(options=names)
            self._data.value = _FILE

    def _choose_columns(self, fresh: bool = False) -> None:
        if self._sheet is None or self._loading:
            return
        names = list(self._sheet.names)
        self._loading = True
        if fresh or self._across.options != names:
            self._across.update(options=names, value=names[0], visible=len(names) > 2)
            self._up.update(options=names, value=names[1], visible=len(names) > 2)
        self._across.visible = self._up.visible = len(names) > 2
        self._loading = False
        chosen = names.index(self._across.value), names.index(self._up.value)
        try:
            self._take(self._sheet.rows(chosen))
        except EmplusError as error:
            self._say(str(error), bad=True)

    def _make(self, panel: Panel, mixture: Mixture | None) -> GaussianMixture:
        start = self._start.value if mixture is None else GivenMixture(mixture)
        return GaussianMixture(
            int(self._k.value),
            covariance_type=self._covariance.value,
            search=panel.search.value,
            init_params=start,
            random_state=int(self._seed.value),
            accelerate=None,
        )

    def _fits(self) -> str:
        """Why nothing can be fitted; empty where it can."""
        low, value = int(self._k.low), self._k.value
        if not isinstance(value, int | float) or not low <= value <= _MOST_COMPONENTS:
            return f"Components must be a number from {low} to {_MOST_COMPONENTS}."
        if not isinstance(self._seed.value, int | float):
            return "The seed must be a number from 0 on."
        if len(self._rows.X) < max(int(value), 2):
            return f"Click into the picture to place at least {max(int(value), 2)} points."
        return ""

    def restart(self) -> None:
        """Back to the start that the seed gives."""
        if self._loading:
            return
        self._transport.pause()
        why = self._fits()
        if why:
            self._say(why, bad=len(self._rows.X) > 0)
        elif self._said_bad:
            self._say(self._rows.note or _HINT)
        for panel in self._panels:
            panel.load(self._rows, None if why else partial(self._make, panel))

    # The mouse.

    _held: tuple[Grip, ...] = ()

    def _grips(self, panel: Panel) -> None:
        grip = Grip(
            panel.plot,
            lambda: panel.places if self._mouse.active == 0 else self._rows.X,
            partial(self._dragged, panel),
            drop=self._dropped,
            tap=self._tapped,
        )
        self._held = (*self._held, grip)

    def _dragged(self, panel: Panel, number: int, x: float, y: float) -> None:
        if self._mouse.active == 0:
            mixture = panel.dragged(number, x, y)
            if mixture is not None:
                for each in self._panels:  # the same start for both
                    each.move(mixture)
            return
        self._rows.X[number] = x, y
        for each in self._panels:
            each.show_rows(self._rows)

    def _dropped(self) -> None:
        if self._mouse.active == 1:
            self._edited(self._rows.X)

    def _tapped(self, x: float | None, y: float | None) -> None:
        if self._mouse.active != 1 or x is None or y is None:
            return
        if len(self._rows.X) >= MOST_ROWS:
            self._say(f"No more than {MOST_ROWS} points.", bad=True)
            return
        self._edited(np.vstack([self._rows.X, [[x, y]]]))

    def _edited(self, X: Any) -> None:
        self._rows = self._rows.with_points(X)
        self.restart()

    # Messages.

    _said_bad = False

    def _say(self, sentence: str, bad: bool = False) -> None:
        self._said_bad = bad
        colour = f"color:{UNDONE}" if bad else ""
        self._said.text = f"<div class='message' style='{colour}'>{escape(sentence)}</div>"
