"""Three unit Gaussians: what moved means and changed proportions do to their mixture.

    python reproductions/mixture_density.py [--quick] [--output DIR]

The tutorial's demo "Nature of the mixture model" has three sliders and three circles to drag. Here
are six of its settings side by side, and what must be true of all of them: the density integrates
to one, its mean is the weighted mean of the means, and the posteriors of the components sum to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run

from emplus import Mixture
from emplus.plotting.style import MUTED, darken, palette

# Words, proportions as the sliders have them (they need not sum to one), and means.
SETTINGS: tuple[tuple[str, tuple[float, ...], tuple[tuple[float, float], ...]], ...] = (
    ("apart, equal shares", (1, 1, 1), ((-3, -2), (3, -2), (0, 3))),
    ("apart, shares 6 : 3 : 1", (6, 3, 1), ((-3, -2), (3, -2), (0, 3))),
    ("one share is 0", (1, 1, 0), ((-3, -2), (3, -2), (0, 3))),
    ("two moved together", (1, 1, 1), ((-3, -2), (-1.8, -1), (2, 2.5))),
    ("in a row, overlapping", (1, 1, 1), ((-2, 0), (0, 0), (2, 0))),
    ("all at one place", (1, 1, 1), ((0, 0), (0, 0), (0, 0))),
)
# What is drawn, and what is integrated over.
SHOWN, WHOLE = 6.0, 12.0
TICKS = (-6, -3, 0, 3, 6)


def mixture_of(weights: Any, means: Any) -> Mixture:
    """Three Gaussians whose covariances are the identity."""
    shares = np.asarray(weights, dtype=float)
    return Mixture.gaussian(shares / shares.sum(), means, np.tile(np.eye(2), (3, 1, 1)))


def grid(reach: float, points: int) -> tuple[Any, Any, Any]:
    """Coordinates (p, p) across and up, and all points (p * p, 2)."""
    across, up = np.meshgrid(*[np.linspace(-reach, reach, points)] * 2)
    return across, up, np.column_stack([across.ravel(), up.ravel()])


def modes(density: Any) -> int:
    """Points of a grid that lie above their eight neighbours."""
    inner = density[1:-1, 1:-1]
    steps = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    size = len(density) - 2
    higher = [inner > density[i : i + size, j : j + size] for i, j in steps]
    return int(np.all(higher, axis=0).sum())


def measure(run: Run) -> Measured:
    points = run.pick(481, 121)
    _, _, rows = grid(WHOLE, points)
    area = (2 * WHOLE / (points - 1)) ** 2
    found = []
    for words, shares, means in SETTINGS:
        mixture = mixture_of(shares, means)
        density = np.exp(mixture.log_density(rows))
        mean = (density[:, None] * rows).sum(axis=0) * area
        found.append(
            {
                "setting": words,
                "weights": mixture.weights,
                "means": means,
                "integral_error": abs(density.sum() * area - 1.0),
                "mean_error": np.abs(mean - mixture.weights @ np.asarray(means)).max(),
                "posterior_error": np.abs(mixture.responsibilities(rows).sum(axis=1) - 1.0).max(),
                "modes": modes(density.reshape(points, points)),
            }
        )
    return Measured({"settings": found})


def claims(numbers: Numbers) -> list[Claim]:
    settings = numbers["settings"]
    worst = {
        name: max(setting[f"{name}_error"] for setting in settings)
        for name in ("integral", "mean", "posterior")
    }
    counts = [setting["modes"] for setting in settings]
    return [
        Claim(
            "density",
            "with proportions that sum to one the mixture is a density with the weighted mean.",
            "1",
            f"integral off by at most {worst['integral']:.0e}, mean by {worst['mean']:.0e}",
            "both within 1e-6, on a grid",
            worst["integral"] < 1e-6 and worst["mean"] < 1e-6,
        ),
        Claim(
            "posteriors",
            "the posteriors of the components sum to one everywhere.",
            "1",
            f"off by at most {worst['posterior']:.0e}",
            "within 1e-12",
            worst["posterior"] < 1e-12,
        ),
        Claim(
            "modes",
            "three components need not be three hills.",
            "-",
            f"{', '.join(map(str, counts))} hills in the six settings",
            "fewer than the components that have a share in some, as many in others",
            counts[0] == 3 and min(counts) == 1,
        ),
    ]


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    colours = darken(palette(3), 0.55)
    across, up, rows = grid(SHOWN, 161)
    for ax, setting in zip(axes.flat, numbers["settings"], strict=True):
        mixture = mixture_of(setting["weights"], setting["means"])
        density = np.exp(mixture.log_density(rows)).reshape(across.shape)
        levels = density.max() * np.array([0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])
        ax.contourf(across, up, density, [*levels, density.max()], cmap="Greys", alpha=0.75)
        for j, (weight, mean) in enumerate(zip(mixture.weights, setting["means"], strict=True)):
            if weight > 0.0:
                angle = np.linspace(0.0, 2.0 * np.pi, 97)
                # Circles at one place take turns in dashes, so that all of them are seen.
                same = setting["means"].count(mean)
                turns = (3.0 * j, (3.0, 3.0 * (same - 1))) if same > 1 else "solid"
                ax.plot(
                    mean[0] + np.cos(angle),
                    mean[1] + np.sin(angle),
                    color=colours[j],
                    linestyle=turns,
                )
            ax.plot(*mean, "o", color=colours[j], markersize=3.0 + 9.0 * weight**0.5)
        shares = ", ".join(f"{weight:.2f}" for weight in mixture.weights)
        ax.set_title(f"{setting['setting']}\nP = {shares}; hills: {setting['modes']}")
        ax.set_aspect("equal")
        ax.set_xticks(TICKS)
        ax.set_yticks(TICKS)
        ax.tick_params(labelcolor=MUTED)
    for ax in axes[:, 0]:
        ax.set_ylabel("$x_2$ (standard deviations)")
    for ax in axes[1]:
        ax.set_xlabel("$x_1$ (standard deviations)")


def notes(numbers: Numbers) -> list[str]:
    return [
        "Grey: density of the mixture, contours at 2 to 95 % of its highest value. Circles: one "
        "standard deviation of each component; dots: means, their area by the proportion. "
        "Dashes that take turns are circles at one place."
    ]


REPRODUCTION = Reproduction(
    name="mixture_density",
    title="Three unit Gaussians, mixed in six ways",
    source='Tutorial "Gaussian mixture models", demo "Nature of the mixture model"',
    size=(7.6, 7.0),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
