"""Pictures of a fitted mixture: what is drawn is computed first and drawn second.

- `plot_fit`, `plot_profiles`, `plot_images`, `plot_trace`, `plot_searches` and `plot_selection`
  write a picture file (png, svg or pdf), the same bits every time; `plot_animation` writes what
  a `Recorder` saw of a fit as a GIF.
- `density_1d`, `scatter`, `ellipses`, `pairs`, `image_grid`, `profile`, `trace`, `searches`,
  `curves` and `frames` compute what a picture shows.
- `draw_density`, `draw_scatter`, `draw_weights`, `draw_probabilities`, `draw_means`,
  `draw_trace`, `draw_gaps`, `draw_searches`, `draw_costs` and `draw_criterion` put that on a
  matplotlib ``Axes``, `draw_pairs` and `draw_image_grid` on a ``Figure``, for notebooks.

matplotlib is imported when something is drawn, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emplus.plotting.animating import Frames, Recorder, Step, frames
from emplus.plotting.animation_files import plot_animation
from emplus.plotting.comparing import Runs, Searches, searches
from emplus.plotting.data import (
    Density1D,
    Ellipses,
    Pairs,
    Scatter,
    Trace,
    coverage,
    density_1d,
    ellipses,
    pairs,
    responsibilities_colours,
    scatter,
    trace,
)
from emplus.plotting.files import plot_fit
from emplus.plotting.image_files import plot_images
from emplus.plotting.images import ImageGrid, check_image_shape, image_grid
from emplus.plotting.places import EXTENSIONS
from emplus.plotting.profile_files import plot_profiles
from emplus.plotting.profiles import Categories, Numbers, Profile, profile
from emplus.plotting.search_files import plot_searches, plot_trace
from emplus.plotting.selecting import Curve, Curves, curves
from emplus.plotting.selection_files import plot_selection
from emplus.plotting.style import palette
from emplus.plotting.tracing import Marks

if TYPE_CHECKING:
    from emplus.plotting.draw import draw_density, draw_pairs, draw_scatter, draw_weights
    from emplus.plotting.draw_images import draw_image_grid
    from emplus.plotting.draw_profiles import draw_means, draw_probabilities
    from emplus.plotting.draw_search import draw_costs, draw_gaps, draw_searches, draw_trace
    from emplus.plotting.draw_selection import draw_criterion

__all__ = [
    "EXTENSIONS",
    "Categories",
    "Curve",
    "Curves",
    "Density1D",
    "Ellipses",
    "Frames",
    "ImageGrid",
    "Marks",
    "Numbers",
    "Pairs",
    "Profile",
    "Recorder",
    "Runs",
    "Scatter",
    "Searches",
    "Step",
    "Trace",
    "check_image_shape",
    "coverage",
    "curves",
    "density_1d",
    "draw_costs",
    "draw_criterion",
    "draw_density",
    "draw_gaps",
    "draw_image_grid",
    "draw_means",
    "draw_pairs",
    "draw_probabilities",
    "draw_scatter",
    "draw_searches",
    "draw_trace",
    "draw_weights",
    "ellipses",
    "frames",
    "image_grid",
    "pairs",
    "palette",
    "plot_animation",
    "plot_fit",
    "plot_images",
    "plot_profiles",
    "plot_searches",
    "plot_selection",
    "plot_trace",
    "profile",
    "responsibilities_colours",
    "scatter",
    "searches",
    "trace",
]


# Where what is not in `emplus.plotting.draw` is drawn.
_ELSEWHERE = {
    **dict.fromkeys(("draw_costs", "draw_gaps", "draw_searches", "draw_trace"), "draw_search"),
    **dict.fromkeys(("draw_means", "draw_probabilities"), "draw_profiles"),
    "draw_image_grid": "draw_images",
    "draw_criterion": "draw_selection",
}


def __getattr__(name: str) -> Any:
    if name.startswith("draw_") and name in __all__:
        module = _ELSEWHERE.get(name, "draw")
        return getattr(import_module(f"emplus.plotting.{module}"), name)
    raise AttributeError(f"module 'emplus.plotting' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
