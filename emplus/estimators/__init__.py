"""Scikit-learn's dress over families, searches and data sources."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from emplus.errors import UnknownNameError

__all__ = ["ESTIMATORS", "estimator_class"]

# Where each estimator lives; imported only when asked for, because scikit-learn is slow to import.
ESTIMATORS: dict[str, str] = {
    "GaussianMixture": "emplus.estimators.gaussian_mixture",
    "BernoulliMixture": "emplus.estimators.bernoulli_mixture",
    "CategoricalMixture": "emplus.estimators.categorical_mixture",
    "MixedMixture": "emplus.estimators.mixed_mixture",
    "FactorAnalyzerMixture": "emplus.estimators.factor_analyzer_mixture",
    "FamilyMixture": "emplus.estimators.family_mixture",
    "MixtureClassifier": "emplus.estimators.mixture_classifier",
    "GaussianARTMAP": "emplus.estimators.gaussian_artmap",
}


def estimator_class(name: str) -> Any:
    """The estimator class of that name.

    Raises
    ------
    UnknownNameError
        With the nearest known name.

    Examples
    --------
    >>> estimator_class("GaussianMixture").__name__
    'GaussianMixture'
    """
    if name not in ESTIMATORS:
        raise UnknownNameError("estimator", name, ESTIMATORS)
    return getattr(import_module(ESTIMATORS[name]), name)
