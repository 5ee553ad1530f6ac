"""The candidate families of a selection: names and prototypes, turned into estimators here only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from emplus.data.likely import likely_family
from emplus.errors import ArgumentError, UnknownNameError
from emplus.families.registry import KNOWN_FAMILIES

__all__ = ["NAMES", "candidates", "default_families", "with_components"]

_STRUCTURES = ("full", "tied", "diag", "spherical")

# What a name stands for: estimators by their class names, with the arguments that are not default.
_FAMILIES: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    **{name: {name: ("GaussianMixture", {"covariance_type": name})} for name in _STRUCTURES},
    "gaussian": {name: ("GaussianMixture", {"covariance_type": name}) for name in _STRUCTURES},
    "factor-analyzer": {"factor-analyzer": ("FactorAnalyzerMixture", {})},
    "bernoulli": {"bernoulli": ("BernoulliMixture", {})},
    "categorical": {"categorical": ("CategoricalMixture", {})},
    "mixed": {"mixed": ("MixedMixture", {})},
}

NAMES = tuple(_FAMILIES)
"""Names that `select` takes for families; ``gaussian`` is the four structures before it."""


def default_families(X: Any) -> tuple[str, ...]:
    """The families that are tried where none are named; see `emplus.data.likely`.

    Parameters
    ----------
    X : array_like
        The rows that are to be fitted.
    """
    suited = likely_family(X)
    return ("full",) if suited == "gaussian" else (suited,)


def candidates(families: Any) -> dict[str, Any]:
    """Estimators by their labels in tables and pictures.

    Parameters
    ----------
    families : str, estimator, sequence of them, or mapping from label to one
        Names of `NAMES`, or of families from outside, or estimators whose arguments are taken.

    Raises
    ------
    UnknownNameError
        With the nearest name.
    ArgumentError
        If there are none, or two with the same label.

    Examples
    --------
    >>> list(candidates(["gaussian", "factor-analyzer"]))
    ['full', 'tied', 'diag', 'spherical', 'factor-analyzer']
    """
    found: dict[str, Any] = {}
    for label, estimator in _listed(families):
        if label in found:
            raise ArgumentError(
                f"families has {label!r} more than once; give a mapping from labels to families."
            )
        found[label] = estimator
    if not found:
        raise ArgumentError("families is empty; name at least one.")
    return found


def _listed(families: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(families, Mapping):
        for label, family in families.items():
            parts = _estimators(family)
            for name, estimator in parts.items():
                yield (str(label) if len(parts) == 1 else f"{label} {name}"), estimator
        return
    single = isinstance(families, str) or not isinstance(families, Iterable)
    for family in [families] if single else families:
        yield from _estimators(family).items()


def _estimators(family: Any) -> dict[str, Any]:
    """The estimators that one item of a list of families stands for, by label."""
    if isinstance(family, str):
        from emplus.estimators import estimator_class

        if family not in _FAMILIES:
            outside = KNOWN_FAMILIES.outside()
            if family not in outside:
                raise UnknownNameError("family", family, (*NAMES, *outside))
            return {family: estimator_class("FamilyMixture")(family=family)}
        named = _FAMILIES[family].items()
        return {label: estimator_class(name)(**given) for label, (name, given) in named}
    from emplus.estimators.base import MixtureEstimator

    if not isinstance(family, MixtureEstimator):
        raise ArgumentError(
            f"families has {family!r}, which is neither a name nor an estimator of emplus; known "
            f"names are {', '.join(NAMES)}."
        )
    return {" ".join(repr(family).split()): family}


def with_components(estimator: Any, n_components: int, **arguments: Any) -> Any:
    """An estimator with the same arguments, not fitted, for so many components."""
    given = {**estimator.get_params(deep=False), "n_components": n_components, **arguments}
    return type(estimator)(**given)
