"""The content of a model file, checked and made into a fitted estimator again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from emplus.errors import EmplusError, UnknownNameError
from emplus.families.base import Array, Family
from emplus.families.registry import make_family
from emplus.io.layout import COUNTS, HISTORIES, LATER, NUMBERS, PREFIX
from emplus.mixture import Mixture

__all__ = [
    "REFUSALS",
    "FlawError",
    "UnknownEstimatorError",
    "UnknownFamilyError",
    "constructed",
    "feature_names",
    "unpack_mixture",
]

# What can go wrong when checked JSON and arrays meet constructors that refuse them.
REFUSALS = (EmplusError, ValueError, TypeError, LookupError, ArithmeticError)


class FlawError(ValueError):
    """What is wrong with the content of a file, as a clause for its sentence."""


class UnknownEstimatorError(ValueError):
    """An estimator that this version cannot make."""


class UnknownFamilyError(ValueError):
    """A family that nobody has made known here, as a sentence about what to do."""


def unpack_mixture(arrays: Mapping[str, Array], facts: Any) -> Any:
    """The fitted estimator that `emplus.io.writing.pack_mixture` took apart.

    Raises
    ------
    FlawError
        If arrays and facts do not fit together.
    UnknownEstimatorError
        If the estimator is one that this version does not know.
    UnknownFamilyError
        If its family is one from outside that is not known here.
    """
    _check_members(facts, arrays)
    mixture = _mixture(facts, arrays)
    names = feature_names(facts["feature_names"], mixture.n_features)
    summary = _summary(facts["fit"])
    histories = [arrays[name] for name in HISTORIES]
    for name, history in zip(HISTORIES, histories, strict=True):
        if history.ndim != 1 or history.shape != histories[0].shape:
            raise FlawError(f"its {name} has the shape {history.shape}, which cannot be")
    estimator = constructed(facts["estimator"])
    if not hasattr(estimator, "_restore"):
        raise FlawError(f"a {type(estimator).__name__} is not one mixture")
    try:
        estimator._describe(facts.get("description"), mixture)
        estimator._restore(mixture, summary, names, *histories)
    except REFUSALS as error:
        raise FlawError(f"its fit cannot be restored ({error})") from None
    return estimator


def constructed(described: Any, depth: int = 0) -> Any:
    """The unfitted estimator that `emplus.io.writing.construction` described."""
    from emplus.estimators import estimator_class

    _check_inner({"estimator": described}, "estimator", "class", "params")
    nested = described.get("nested", {})
    omitted = described.get("omitted", [])
    if not isinstance(nested, dict) or (nested and depth) or not isinstance(omitted, list):
        raise FlawError("its estimator is not described")
    inner = {name: constructed(value, depth + 1) for name, value in nested.items()}
    try:
        return estimator_class(described["class"])(**{**described["params"], **inner})
    except REFUSALS as error:
        raise UnknownEstimatorError(str(error)[:200].rstrip(".")) from None


def _check_members(facts: Any, arrays: Mapping[str, Array]) -> None:
    if not isinstance(facts, Mapping):
        raise FlawError("a mixture in it is not described")
    for key in ("estimator", "family", "fit"):
        if not isinstance(facts.get(key), dict):
            raise FlawError(f"its description lacks {key!r}")
    _check_inner(facts, "estimator", "class", "params")
    _check_inner(facts, "family", "name", "config")
    if "feature_names" not in facts:
        raise FlawError("its description is incomplete")
    for name in ("log_weights", *HISTORIES):
        if name not in arrays:
            raise FlawError(f"the tensor {name!r} is missing")
    for name in arrays:
        if name not in ("log_weights", *HISTORIES) and not name.startswith(PREFIX):
            raise FlawError(f"it holds a tensor {name[:40]!r}, which no model has")


def _check_inner(facts: Mapping[str, Any], key: str, name: str, arguments: str) -> None:
    if not isinstance(facts[key], dict):
        raise FlawError(f"its description lacks {key!r}")
    for inner, kind in ((name, str), (arguments, dict)):
        if not isinstance(facts[key].get(inner), kind):
            raise FlawError(f"its description lacks the {inner} of the {key}")


def _family(described: Mapping[str, Any]) -> Family:
    """The family of a file; nothing is imported because a file says so."""
    try:
        return make_family(described["name"], **described["config"])
    except UnknownNameError as error:
        if error.kind != "family":
            raise
        # Of a product it may be a part.
        name, module = _short(error.name), _short(described.get("module"))
        lived = f" (it lived in the module {module} when the file was written)" if module else ""
        raise UnknownFamilyError(
            f"components of the family {name}, which is not known here: import the module that "
            f"registers it, or install the package that brings it{lived}"
        ) from None


def _short(text: Any) -> str:
    """A name in a file as a sentence may hold it."""
    return repr(text[:60]) if isinstance(text, str) and text.isprintable() else ""


def _mixture(facts: Mapping[str, Any], tensors: Mapping[str, Array]) -> Mixture:
    arrays = {
        name.removeprefix(PREFIX): array
        for name, array in tensors.items()
        if name.startswith(PREFIX)
    }
    log_weights = tensors["log_weights"]
    # A component may have lost every row: its weight is 0 and the logarithm of it -inf.
    if log_weights.ndim != 1 or np.isnan(log_weights).any() or (log_weights > 1e-3).any():
        raise FlawError("its mixing weights are not the logarithms of weights")
    total = float(np.exp(log_weights.astype(np.float64)).sum())
    if abs(total - 1.0) > 1e-4:
        raise FlawError(f"its mixing weights sum to {total:.6g} instead of 1")
    try:
        family = _family(facts["family"])
        parameters = family.unpack(arrays)
        whole = _has_components(family, parameters, len(log_weights))
    except UnknownFamilyError:
        raise
    except REFUSALS as error:
        raise FlawError(f"its parameters do not fit together ({str(error).rstrip('.')})") from None
    if not whole:
        raise FlawError(f"its {len(log_weights)} mixing weights are not one for each component")
    return Mixture(family, log_weights, parameters)


def _has_components(family: Family, parameters: Any, k: int) -> bool:
    """Whether there are k components: then taking the first k of them changes no shape."""
    packed, taken = family.pack(parameters), family.pack(parameters.take(np.arange(k)))
    return all(np.shape(packed[name]) == np.shape(taken[name]) for name in packed)


def feature_names(names: Any, n_features: int) -> list[str] | None:
    """Column names as a file holds them, one for each column."""
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FlawError("its column names are not text")
    if len(names) != n_features:
        raise FlawError(f"it has {len(names)} column names for {n_features} columns")
    return names


def _summary(fit: Mapping[str, Any]) -> dict[str, Any]:
    """How the model was fitted, with what JSON cannot say (not a number) put back."""
    summary: dict[str, Any] = {}
    if not isinstance(fit.get("outcome"), str):
        raise FlawError("it does not say how the fit ended")
    summary["outcome"] = fit["outcome"]
    for name in COUNTS:
        if type(fit.get(name)) is not int or not 0 <= fit[name] < 2**63:
            raise FlawError(f"its {name} is not a count")
        summary[name] = fit[name]
    for name in NUMBERS + tuple(name for name in LATER if name in fit):
        value = fit.get(name, "")
        try:
            # JSON knows neither infinity nor not-a-number: null stands for them.
            summary[name] = math.nan if value is None else float(value + 0)
        except (TypeError, OverflowError):
            raise FlawError(f"its {name} is not a number") from None
    return summary
