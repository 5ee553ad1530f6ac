"""Advanced EM algorithms for mixture models.

The names below are imported when first used, so that ``import emplus`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emplus._version import __version__

if TYPE_CHECKING:
    from emplus import datasets, plotting
    from emplus.estimators.factor_analyzer_mixture import FactorAnalyzerMixture
    from emplus.estimators.gaussian_mixture import GaussianMixture
    from emplus.io import load
    from emplus.mixture import Mixture

__all__ = [
    "FactorAnalyzerMixture",
    "GaussianMixture",
    "Mixture",
    "__version__",
    "datasets",
    "load",
    "plotting",
]

_HOMES = {
    "FactorAnalyzerMixture": "emplus.estimators.factor_analyzer_mixture",
    "GaussianMixture": "emplus.estimators.gaussian_mixture",
    "Mixture": "emplus.mixture",
    "load": "emplus.io",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in ("datasets", "plotting"):
        return import_module(f"emplus.{name}")
    raise AttributeError(f"module 'emplus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
