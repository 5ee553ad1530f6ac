"""Pictures of a fitted mixture: what is drawn is computed first and drawn second.

- `plot_fit` and `plot_trace` write a picture file (png, svg or pdf), the same bits every time.
- `density_1d`, `scatter`, `ellipses`, `pairs` and `trace` compute what a picture shows.
- `draw_density`, `draw_scatter`, `draw_weights`, `draw_trace` and `draw_gaps` put that on a
  matplotlib ``Axes``, and `draw_pairs` on a ``Figure``, for notebooks.

matplotlib is imported when something is drawn, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from emplus.plotting.files import EXTENSIONS, plot_fit, plot_trace
from emplus.plotting.style import palette

if TYPE_CHECKING:
    from emplus.plotting.draw import (
        draw_density,
        draw_gaps,
        draw_pairs,
        draw_scatter,
        draw_trace,
        draw_weights,
    )

__all__ = [
    "EXTENSIONS",
    "Density1D",
    "Ellipses",
    "Pairs",
    "Scatter",
    "Trace",
    "coverage",
    "density_1d",
    "draw_density",
    "draw_gaps",
    "draw_pairs",
    "draw_scatter",
    "draw_trace",
    "draw_weights",
    "ellipses",
    "pairs",
    "palette",
    "plot_fit",
    "plot_trace",
    "responsibilities_colours",
    "scatter",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name.startswith("draw_") and name in __all__:
        return getattr(import_module("emplus.plotting.draw"), name)
    raise AttributeError(f"module 'emplus.plotting' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
