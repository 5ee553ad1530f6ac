"""The mixture tab: a mixture of three Gaussians that follows the mouse."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from bokeh.models import Button, ColumnDataSource, Div, Range1d, Slider
from bokeh.plotting.contour import contour_data
from numpy.typing import NDArray

from emplus.demo.look import bytes_of, hexes, plot, side_by_side, stacked
from emplus.demo.mouse import Grip
from emplus.demo.wire import Wire, box
from emplus.mixture import Mixture
from emplus.plotting.geometry import ellipses
from emplus.plotting.style import palette

__all__ = ["MixtureTab"]

Floats = NDArray[np.float64]

_K, _GRID, _REACH = 3, 61, 6.0
# Contours at these shares of the highest density.
_LEVELS = np.array([0.02, 0.06, 0.12, 0.2, 0.3, 0.42, 0.56, 0.72, 0.9, 1.01])
_BLUES = ["#f1f6fb", "#e1edf7", "#cfe1f1", "#b9d4ea", "#9fc5e2", "#82b4d8", "#639fcc", "#4687bb"]
_BLUES += ["#2f72ab"]
_LEAST, _HANDLE = 0.12, 2.0
_WEIGHTS = (0.5, 0.3, 0.2)
_MEANS = ((-2.0, -1.0), (2.2, -1.2), (0.4, 2.2))
_SHAPES = ((1.1, 0.7, 0.5), (0.9, 0.6, -0.6), (1.3, 0.5, 0.1))  # two deviations and an angle


@final
class MixtureTab:
    """Sliders for the proportions; means and the ends of the ellipses' axes are dragged."""

    def __init__(self) -> None:
        self._plot = plot(
            "mixture-plot",
            aspect=4 / 3,
            x_range=Range1d(-_REACH, _REACH),
            y_range=Range1d(-0.75 * _REACH, 0.75 * _REACH),
        )
        self._sliders = [
            _slider(f"proportion-{j}", f"Proportion of component {j}", bar_color=colour)
            for j, colour in enumerate(hexes(_K))
        ]
        self._count = _slider("points-drawn", "Points drawn", end=3000, step=50, value=800)
        self._again = Button(
            label="Draw other points", name="other-points", sizing_mode="stretch_width"
        )
        self._reset = Button(label="Back to the beginning", sizing_mode="stretch_width")
        self._code = box("mixture-code", 120)
        self._seed = 0
        self._draw()
        self._start()
        Grip(self._plot, lambda: self._handles().reshape(-1, 2), self._dragged)
        for j, slider in enumerate(self._sliders):
            slider.on_change("value", lambda attr, old, new, j=j: self._slid(j, new))
        self._count.on_change("value", lambda attr, old, new: self._show())
        self._again.on_click(self._other)
        self._reset.on_click(self._start)
        buttons = (self._again, self._reset)
        controls = stacked(_told(), *self._sliders, self._count, *buttons, self._code)
        self.root = side_by_side(controls, self._plot, widths=("1 1 260px", "2.6 1 340px"))

    @property
    def mixture(self) -> Mixture:
        """The mixture that is shown."""
        axes = self._axes()
        covariances = np.einsum("kai,kaj->kij", axes, axes)
        return Mixture.gaussian(self._weights, self._means, covariances, "full")

    def _start(self) -> None:
        self._weights, self._means = np.array(_WEIGHTS), np.array(_MEANS)
        self._shapes = np.array(_SHAPES)
        self._show()

    def _axes(self) -> Floats:
        """Half axes (k, 2, 2) of the ellipses of one standard deviation."""
        long, wide, angle = self._shapes.T
        first = np.stack([long * np.cos(angle), long * np.sin(angle)], axis=1)
        second = np.stack([-wide * np.sin(angle), wide * np.cos(angle)], axis=1)
        return np.stack([first, second], axis=1)

    def _handles(self) -> Floats:
        """Where means and ends of axes are (k, 3, 2)."""
        ends = self._means[:, None] + _HANDLE * self._axes()
        return np.concatenate([self._means[:, None], ends], axis=1)

    def _dragged(self, number: int, x: float, y: float) -> None:
        j, part = divmod(number, 3)
        if part == 0:
            self._means[j] = x, y
        else:
            across = np.array([x, y]) - self._means[j]
            self._shapes[j, part - 1] = max(_LEAST, float(np.hypot(*across)) / _HANDLE)
            turned = float(np.arctan2(across[1], across[0]))
            self._shapes[j, 2] = turned if part == 1 else turned - 0.5 * np.pi
        self._show()

    def _slid(self, j: int, value: float) -> None:
        if round(value, 2) == round(float(self._weights[j]), 2):
            return  # set by the page itself
        others = np.arange(_K) != j
        left = float(self._weights[others].sum())
        share = self._weights[others] / left if left > 0.0 else np.full(_K - 1, 1.0 / (_K - 1))
        self._weights[j] = value
        self._weights[others] = (1.0 - value) * share
        self._show()

    def _other(self) -> None:
        self._seed += 1
        self._show()

    def _draw(self) -> None:
        """The empty figure: contours below, points, ellipses, handles above."""
        across = np.linspace(-_REACH, _REACH, _GRID)
        up = 0.75 * across
        self._grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
        self._ends = (across, up)
        flat = np.zeros((_GRID, _GRID))
        flat[0, 0] = 1.0
        self._contours = self._plot.contour(
            across, up, flat, _LEVELS, fill_color=_BLUES, line_color="#9fc5e2", line_width=0.7
        )
        nothing: dict[str, Any] = {"x": [], "y": [], "color": []}
        points = ColumnDataSource(nothing, name="mixture-points")
        rings = ColumnDataSource(nothing)
        handles = ColumnDataSource({**nothing, "marker": [], "size": []}, name="mixture-handles")
        edge = {"line_color": "white", "line_width": 2}
        draw, line = self._plot.scatter, self._plot.multi_line
        draw("x", "y", color="color", source=points, size=4, alpha=0.65)
        line("x", "y", color="color", source=rings, line_width=2)
        draw("x", "y", color="color", marker="marker", size="size", source=handles, **edge)
        targets = {"rings": rings, "handles": handles, "points": points, "code": self._code}
        self._wire = Wire(self._plot, targets)
        self._looks: dict[str, Any] = {
            "color": np.repeat(hexes(_K), 3).tolist(),
            "marker": ["circle", "square", "square"] * _K,
            "size": [18, 11, 11] * _K,
        }

    def _show(self) -> None:
        """Let everything follow the parameters."""
        mixture = self.mixture
        for j, slider in enumerate(self._sliders):
            slider.value = round(float(self._weights[j]), 2)
        density = np.exp(mixture.log_density(self._grid)).reshape(_GRID, _GRID)
        levels = float(density.max()) * _LEVELS
        self._contours.set_data(contour_data(*self._ends, density, levels))
        rings = ellipses(mixture, radii=(1.0, 2.0), n_points=65).points.reshape(2 * _K, 65, 2)
        handles = self._handles().reshape(-1, 2)
        self._wire.send(
            {
                "rings": {
                    "x": rings[..., 0].copy(),
                    "y": rings[..., 1].copy(),
                    "color": np.repeat(hexes(_K), 2).tolist(),
                },
                "handles": {"x": handles[:, 0].copy(), "y": handles[:, 1].copy(), **self._looks},
                "points": self._sampled(mixture),
                "code": _code(mixture),
            }
        )

    def _sampled(self, mixture: Mixture) -> dict[str, Any]:
        # The same randomness every time, so that each point moves with its component.
        rng = np.random.default_rng(self._seed)
        number = int(self._count.value)
        labels = np.searchsorted(np.cumsum(mixture.weights)[:-1], rng.random(number))
        if number == 0:
            return {"x": [], "y": [], "color": []}
        X = mixture.family.sample(mixture.parameters, labels, rng)
        return {"x": X[:, 0].copy(), "y": X[:, 1].copy(), "color": bytes_of(palette(_K)[labels])}


def _code(mixture: Mixture) -> str:
    """The mixture in Python, to be copied."""
    parameters: Any = mixture.parameters
    parts = {
        "weights": mixture.weights,
        "means": parameters.means,
        "covariances": mixture.family.full_covariances(parameters),  # type: ignore[attr-defined]  # Gaussian
    }
    lines = [f"    {name}={np.round(value, 2).tolist()}," for name, value in parts.items()]
    text = "\n".join(["Mixture.gaussian(", *lines, ")"])
    return f"<pre style='white-space: pre-wrap; font-size: 11px; margin: 0'>{text}</pre>"


def _slider(name: str, title: str, **options: Any) -> Any:
    made = {"start": 0.0, "end": 1.0, "step": 0.01, "value": 0.0, **options}
    return Slider(name=name, title=title, sizing_mode="stretch_width", **made)


def _told() -> Any:
    return Div(
        text="Drag the <b>circles</b> to move the means and the <b>squares</b> to turn and "
        "stretch the ellipses (two standard deviations). The density and the points, drawn "
        "from the mixture, follow.",
        sizing_mode="stretch_width",
    )
