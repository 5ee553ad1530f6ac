"""Advanced EM algorithms for mixture models.

The names below are imported when first used, so that ``import emplus`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emplus._version import __version__

if TYPE_CHECKING:
    from emplus import datasets, plotting
    from emplus.diagnostics import diagnose
    from emplus.estimators.bernoulli_mixture import BernoulliMixture
    from emplus.estimators.categorical_mixture import CategoricalMixture
    from emplus.estimators.factor_analyzer_mixture import FactorAnalyzerMixture
    from emplus.estimators.family_mixture import FamilyMixture
    from emplus.estimators.gaussian_artmap import GaussianARTMAP
    from emplus.estimators.gaussian_mixture import GaussianMixture
    from emplus.estimators.mixed_mixture import MixedMixture
    from emplus.estimators.mixture_classifier import MixtureClassifier
    from emplus.families.registry import register_family
    from emplus.io import Checkpoint, load
    from emplus.mixture import Mixture
    from emplus.search.registry import register_search
    from emplus.selection import Selection, bootstrap_test, select

__all__ = [
    "BernoulliMixture",
    "CategoricalMixture",
    "Checkpoint",
    "FactorAnalyzerMixture",
    "FamilyMixture",
    "GaussianARTMAP",
    "GaussianMixture",
    "MixedMixture",
    "Mixture",
    "MixtureClassifier",
    "Selection",
    "__version__",
    "bootstrap_test",
    "datasets",
    "diagnose",
    "load",
    "plotting",
    "register_family",
    "register_search",
    "select",
]

_HOMES = {
    "BernoulliMixture": "emplus.estimators.bernoulli_mixture",
    "CategoricalMixture": "emplus.estimators.categorical_mixture",
    "Checkpoint": "emplus.io.checkpoints",
    "FactorAnalyzerMixture": "emplus.estimators.factor_analyzer_mixture",
    "FamilyMixture": "emplus.estimators.family_mixture",
    "GaussianARTMAP": "emplus.estimators.gaussian_artmap",
    "GaussianMixture": "emplus.estimators.gaussian_mixture",
    "MixedMixture": "emplus.estimators.mixed_mixture",
    "Mixture": "emplus.mixture",
    "MixtureClassifier": "emplus.estimators.mixture_classifier",
    "diagnose": "emplus.diagnostics",
    "Selection": "emplus.selection",
    "bootstrap_test": "emplus.selection",
    "load": "emplus.io",
    "register_family": "emplus.families.registry",
    "register_search": "emplus.search.registry",
    "select": "emplus.selection",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in ("datasets", "plotting"):
        return import_module(f"emplus.{name}")
    raise AttributeError(f"module 'emplus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
