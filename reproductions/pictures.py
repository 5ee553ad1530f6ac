"""What several pictures have in common: colours of the algorithms, ellipses, scatter plots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus import Mixture
from emplus.plotting import responsibilities_colours
from emplus.plotting.geometry import ellipses
from emplus.plotting.style import INK, MUTED, darken, palette

__all__ = [
    "COLOURS",
    "LABELS",
    "draw_ellipses",
    "draw_rows",
    "gaussians",
    "quiet",
    "stored",
]

Floats = NDArray[np.floating[Any]]

COLOURS = {
    "em": "#D55E00",
    "annealing": "#E69F00",
    "restarts": "#6b6b6b",
    "reset": "#56B4E9",
    "random_swap": "#CC79A7",
    "ueda": "#009E73",
    "split_merge": "#0072B2",
}
"""One colour an algorithm, in all pictures."""

LABELS = {
    "em": "EM",
    "annealing": "DAEM (annealing)",
    "restarts": "EM, restarts",
    "reset": "reset",
    "random_swap": "random swap",
    "ueda": "SMEM (Ueda et al.)",
    "split_merge": "split-merge (local)",
}


def stored(mixture: Mixture) -> dict[str, Any]:
    """A Gaussian mixture as numbers; `gaussians` is the way back."""
    parameters: Any = mixture.parameters
    family: Any = mixture.family
    return {
        "weights": mixture.weights,
        "means": parameters.means,
        "covariances": family.full_covariances(parameters),
    }


def gaussians(numbers: dict[str, Any]) -> Mixture:
    """A Gaussian mixture from its numbers; six digits of each are kept."""
    weights = np.asarray(numbers["weights"])
    return Mixture.gaussian(weights / weights.sum(), numbers["means"], numbers["covariances"])


def draw_rows(ax: Any, X: Any, mixture: Mixture | None = None, size: float = 6.0) -> None:
    """Rows as points: grey, or blended from the components' colours by responsibility."""
    rows = np.asarray(X, dtype=float)
    colours: Any = MUTED
    if mixture is not None:
        colours = responsibilities_colours(mixture.responsibilities(rows))
    ax.scatter(rows[:, 0], rows[:, 1], s=size, c=colours, alpha=0.6, linewidths=0, rasterized=True)


def draw_ellipses(
    ax: Any,
    mixture: Mixture,
    *,
    only: list[int] | None = None,
    colours: Any = None,
    radius: float = 2.0,
    **style: Any,
) -> None:
    """Ellipses of so many standard deviations, and the means as crosses."""
    shapes = ellipses(mixture, radii=(radius,))
    own = darken(palette(mixture.n_components), 0.55) if colours is None else colours
    for j in range(mixture.n_components) if only is None else only:
        colour = own if isinstance(own, str) else own[j]
        outline = shapes.points[j, 0]
        ax.plot(outline[:, 0], outline[:, 1], color=colour, **{"linewidth": 1.6, **style})
        ax.plot(*shapes.means[j], marker="+", color=colour, markersize=6, markeredgewidth=1.6)


def quiet(ax: Any, *, equal: bool = True) -> None:
    """Axes of places in a plane, whose numbers tell nothing: no ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
    if equal:
        ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#c8c8c8")
    ax.title.set_color(INK)
