"""The Bernoulli tab: prototypes of digits growing clear, and half a digit completed."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    Div,
    LabelSet,
    LinearColorMapper,
    Range1d,
    Select,
    Spinner,
)
from numpy.typing import NDArray

from emplus.datasets import describe, load
from emplus.demo.easel import Easel
from emplus.demo.look import GREYS, pair, plot, side_by_side, stacked
from emplus.demo.screen import Screen
from emplus.demo.transport import Transport
from emplus.demo.wire import Part
from emplus.estimators.bernoulli_mixture import BernoulliMixture
from emplus.mixture import Mixture
from emplus.plotting.style import weight_label

__all__ = ["BernoulliTab", "digits"]

Floats = NDArray[np.float64]

# Data sets of square pictures, and from where on a pixel is black.
_SETS = {"digits": 8.0, "semeion": 0.5, "usps": 0.0}
_SEARCHES = {"em": "EM, one start", "restarts": "EM, ten starts", "split_merge": "Split and merge"}
_STARTS = {
    "random": "at random",
    "k-means++": "k-means++",
    "random_from_data": "random rows",
}
_MOST, _ROWS, _ASPECT = 40, 2_000, 1.1


def digits(name: str) -> Floats:
    """Pictures of a data set as rows of zeros and ones, at most two thousand of them."""
    X = np.asarray(load(name).X, dtype=np.float64)
    return (X[:_ROWS] > _SETS[name]).astype(np.float64)


@final
class BernoulliTab:
    """A mixture of Bernoulli components on binary pictures of digits.

    Parameters
    ----------
    document : Document
        Where callbacks that come again and again are put.
    """

    def __init__(self, document: Any):
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        here = {listing.name for listing in describe() if listing.here}
        self._data = Select(
            title="Digits",
            options=[n for n in _SETS if n in here],
            value="digits",
            name="digits",
            **wide,
        )
        self._k = Spinner(
            title="Components", low=1, high=_MOST, step=1, value=16, name="prototypes", **wide
        )
        self._seed = Spinner(title="Seed", low=0, high=2**31 - 1, step=1, value=0, **wide)
        self._search = Select(title="Search", options=list(_SEARCHES.items()), value="em", **wide)
        self._start = Select(title="Start", options=list(_STARTS.items()), value="random", **wide)
        self._X = digits("digits")
        self._tiles = plot(
            "prototypes", aspect=_ASPECT, x_range=Range1d(0, 1), y_range=Range1d(0, 1)
        )
        self._tiles.axis.visible = self._tiles.grid.visible = False
        self._draw()
        self._easel = Easel(self._X)
        targets = {"image": self._image, "shares": self._shares}
        self._screen = Screen("c", self._picture, targets)
        self._transport = Transport("bernoulli", document, [self._screen], self.restart)
        for control in (self._k, self._seed, self._search, self._start):
            control.on_change("value", lambda attr, old, new: self.restart())
        self._data.on_change("value", lambda attr, old, new: self._choose(new))
        self.root = self._laid_out()
        self.restart()

    def close(self) -> None:
        """Let go of the fit."""
        self._transport.close()

    def _laid_out(self) -> Any:
        controls = stacked(
            self._data,
            pair(self._k, self._seed),
            pair(self._search, self._start),
            self._transport.root,
            self._screen.status,
            self._screen.trace,
        )
        told = Div(
            text="Each picture is a component: how likely each pixel is black, with the share of "
            "the digits below it. They begin nearly alike and grow clear as EM goes on.",
            sizing_mode="stretch_width",
        )
        parts = (controls, stacked(told, self._tiles), self._easel.root)
        return side_by_side(*parts, widths=("1 1 230px", "2.1 1 320px", "1.2 1 250px"))

    def _draw(self) -> None:
        empty = {"image": [np.zeros((1, 1))], "dw": [1], "dh": [1]}
        self._image = ColumnDataSource(empty, name="prototypes-image")
        self._tiles.image(
            "image",
            x=0,
            y=0,
            dw="dw",
            dh="dh",
            source=self._image,
            color_mapper=LinearColorMapper(palette=GREYS, low=0.0, high=1.0, nan_color="white"),
        )
        self._shares = ColumnDataSource({"x": [], "y": [], "share": []})
        self._tiles.add_layout(
            LabelSet(
                x="x",
                y="y",
                text="share",
                source=self._shares,
                text_align="center",
                text_baseline="top",
                text_font_size="10px",
                text_color="#57606a",
            )
        )

    def _choose(self, name: str) -> None:
        self._X = digits(name)
        self._easel.load(self._X)
        self.restart()

    def restart(self) -> None:
        """Back to the start that the seed gives."""
        self._transport.pause()
        k, seed = self._k.value, self._seed.value
        if (
            not isinstance(k, int | float)
            or not 1 <= k <= _MOST
            or not isinstance(seed, int | float)
        ):
            return
        self._screen.player.load(self._make, self._X)
        self._screen.begin()

    def _make(self, mixture: Mixture | None) -> BernoulliMixture:
        return BernoulliMixture(
            int(self._k.value),
            search=self._search.value,
            init_params=self._start.value,
            random_state=int(self._seed.value),
            accelerate=None,
        )

    def _picture(self, mixture: Mixture | None) -> dict[str, Part]:
        self._easel.complete(mixture)
        if mixture is None:
            return {}
        parameters: Any = mixture.parameters
        side = round(self._X.shape[1] ** 0.5)
        pictures = np.asarray(parameters.probabilities).reshape(-1, side, side)
        k = len(pictures)
        across = int(np.ceil(np.sqrt(k)))
        down = -(-k // across)
        gap, room = max(1, side // 8), max(3, side // 4)
        width, height = across * (side + gap) + gap, down * (side + room) + gap
        sheet = np.full((height, width), np.nan)
        corners = []
        for j, picture in enumerate(pictures):
            left = gap + (j % across) * (side + gap)
            low = height - gap - (j // across) * (side + room) - side
            sheet[low : low + side, left : left + side] = picture[::-1]
            corners.append((left + 0.5 * side, low - 0.05 * side))
        # Pixels are square: what the figure is wider or higher than the pictures stays white.
        more = max(height * _ASPECT - width, 0.0), max(width / _ASPECT - height, 0.0)
        _reach(self._tiles.x_range, -0.5 * more[0], width + 0.5 * more[0])
        _reach(self._tiles.y_range, -0.5 * more[1], height + 0.5 * more[1])
        places = np.array(corners)
        shares = [weight_label(float(weight)) for weight in mixture.weights]
        return {
            "image": {"image": [sheet], "dw": [width], "dh": [height]},
            "shares": {"x": places[:, 0].copy(), "y": places[:, 1].copy(), "share": shares},
        }


def _reach(axis: Range1d, start: float, end: float) -> None:
    if (axis.start, axis.end) != (start, end):
        axis.update(start=start, end=end)
