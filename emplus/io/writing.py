"""Fitted estimators, written as model files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from emplus._version import __version__
from emplus.errors import ArgumentError, ModelFileError, UnknownNameError
from emplus.families.base import Array, Family
from emplus.families.registry import FAMILIES, make_family
from emplus.io.atomic import replacing
from emplus.io.layout import (
    COUNTS,
    FORMAT,
    FORMAT_OF_MANY,
    HISTORIES,
    KEY,
    LATER,
    NUMBERS,
    PREFIX,
    make_digest,
)

__all__ = ["construction", "pack_mixture", "save"]


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to ``path``, whole or not at all.

    Parameters
    ----------
    estimator : fitted estimator of emplus
    path : str or path-like
        The file; what was there before stays untouched until the new one is complete.

    Raises
    ------
    ArgumentError
        If the estimator is not fitted.
    ModelFileError
        If the file cannot be written, with the reason, or if the model is one that `load`
        would refuse; a file that was there is intact.
    """
    many = hasattr(estimator, "_pack_model")
    fitted = ("n_features_in_",) if many else ("mixture_", "result_")
    if not all(hasattr(estimator, name) for name in fitted):
        raise ArgumentError(
            f"This {type(estimator).__name__} is not fitted; call fit before saving it."
        )
    place = os.fspath(path)
    try:
        arrays, header = _packed(estimator) if many else _packed_mixture(estimator)
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(
            f"The model cannot be written to {place!r}: {str(error).rstrip('.')}."
        ) from None
    _write(place, header, arrays)


def _packed_mixture(estimator: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, facts = pack_mixture(estimator)
    return arrays, {"format": FORMAT, "emplus": __version__, **facts}


def _packed(estimator: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """An estimator that is not one mixture takes itself apart."""
    arrays, facts = estimator._pack_model()
    return arrays, {
        "format": FORMAT_OF_MANY,
        "emplus": __version__,
        "estimator": construction(estimator),
        "feature_names": _names(estimator),
        "n_features": int(estimator.n_features_in_),
        "facts": facts,
    }


def _write(place: str, header: dict[str, Any], arrays: Mapping[str, Array]) -> None:
    from safetensors.numpy import save as serialize

    # safetensors stores memory as it lies, so it must lie in C order.
    tensors = {name: np.array(array, order="C", ndmin=0) for name, array in arrays.items()}
    header["digest"] = make_digest(header, tensors)
    contents = serialize(tensors, metadata={KEY: json.dumps(header, allow_nan=False)})
    try:
        with replacing(place) as temporary:
            temporary.write_bytes(contents)
    except OSError as error:
        raise ModelFileError(
            f"The model cannot be written to {place!r}: {error.strerror or error}; "
            "a file that was there before is untouched."
        ) from error


def pack_mixture(estimator: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays of a fitted mixture estimator, and the facts that JSON holds of it.

    Raises
    ------
    ValueError
        If the mixture is one that `emplus.io.restoring.unpack_mixture` would refuse.
    """
    mixture = estimator.mixture_
    packed = mixture.family.pack(mixture.parameters)
    arrays = {PREFIX + name: array for name, array in packed.items()}
    arrays["log_weights"] = mixture.log_weights
    for name in HISTORIES:
        arrays[name] = np.asarray(getattr(estimator.result_, name), dtype=np.float64)
    # Refused while the estimator is still in memory.
    mixture.family.unpack(packed)
    return arrays, _facts(estimator)


def _facts(estimator: Any) -> dict[str, Any]:
    result, family = estimator.result_, estimator.mixture_.family
    fit: dict[str, Any] = {"outcome": result.outcome.value}
    fit.update({name: int(getattr(result, name)) for name in COUNTS})
    for name in NUMBERS + LATER:
        value = float(getattr(result, name))
        fit[name] = value if math.isfinite(value) else None
    return {
        "estimator": construction(estimator),
        "family": _family(family),
        "feature_names": _names(estimator),
        "fit": fit,
        **_described(estimator),
    }


def _family(family: Family) -> dict[str, Any]:
    """Name and arguments of a family; of one from outside also where it lives, in words only.

    Raises
    ------
    ValueError
        If it is not known by its name, so that `load` could not make it again.
    """
    config = family.config()
    described: dict[str, Any] = {"name": family.name, "config": config}
    outside = [one for one in _alone(family) if one.name not in FAMILIES]
    for one in outside:
        if not _is_known(one):
            raise ValueError(
                f"the family {one.name!r} is not known by that name, so that nobody could read "
                "the file; call emplus.register_family with its class first"
            )
    modules = dict.fromkeys(type(one).__module__ for one in outside)
    return {**described, "module": ", ".join(modules)} if outside else described


def _alone(family: Family) -> list[Family]:
    """The families that a product is made of, or the family itself."""
    return [one for part, _ in family.parts for one in _alone(part)] if family.parts else [family]


def _is_known(family: Family) -> bool:
    try:
        return make_family(family.name, **family.config()) == family
    except UnknownNameError:
        return False


def _described(estimator: Any) -> dict[str, Any]:
    """What only some estimators have to say, such as the kinds of a table's columns."""
    description = estimator._description()
    return {} if description is None else {"description": description}


def _names(estimator: Any) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def construction(estimator: Any) -> dict[str, Any]:
    """Class and constructor arguments; ``nested`` holds arguments that are estimators."""
    from emplus.estimators import ESTIMATORS

    given = {name: _plain(v) for name, v in estimator.get_params(deep=False).items()}
    params = {name: value for name, value in given.items() if _is_json(value)}
    nested = {
        name: construction(value)
        for name, value in given.items()
        if type(value).__name__ in ESTIMATORS and hasattr(value, "get_params")
    }
    described = {
        "class": type(estimator).__name__,
        "params": params,
        "omitted": sorted(set(given) - set(params) - set(nested)),
    }
    return {**described, "nested": nested} if nested else described


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_json(value: Any) -> bool:
    """Whether JSON gives the value back as it was: a tuple, an array or a generator does not."""
    try:
        again = json.loads(json.dumps(value, allow_nan=False))
        return type(again) is type(value) and bool(again == value)
    except (TypeError, ValueError, RecursionError):
        return False
