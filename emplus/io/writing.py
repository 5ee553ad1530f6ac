"""Fitted estimators, written as model files."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from emplus._version import __version__
from emplus.errors import ArgumentError, ModelFileError
from emplus.families.base import Array, Family
from emplus.io.atomic import replacing
from emplus.io.layout import COUNTS, FORMAT, HISTORIES, KEY, LATER, NUMBERS, PREFIX, make_digest

__all__ = ["save"]


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
    if not hasattr(estimator, "mixture_") or not hasattr(estimator, "result_"):
        raise ArgumentError(
            f"This {type(estimator).__name__} is not fitted; call fit before saving it."
        )
    from safetensors.numpy import save as serialize

    place = os.fspath(path)
    tensors = _pack(estimator)
    _check(place, estimator.mixture_.family, tensors)
    header = _header(estimator)
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


def _pack(estimator: Any) -> dict[str, Array]:
    mixture = estimator.mixture_
    arrays = {PREFIX + name: a for name, a in mixture.family.pack(mixture.parameters).items()}
    arrays["log_weights"] = mixture.log_weights
    for name in HISTORIES:
        arrays[name] = np.asarray(getattr(estimator.result_, name), dtype=np.float64)
    # safetensors stores memory as it lies, so it must lie in C order.
    return {name: np.array(array, order="C", ndmin=0) for name, array in arrays.items()}


def _check(place: str, family: Family, tensors: dict[str, Array]) -> None:
    """Refuse what could not be read again, while the estimator is still in memory."""
    packed = {name.removeprefix(PREFIX): array for name, array in tensors.items()}
    try:
        family.unpack(packed)
    except ValueError as error:
        raise ModelFileError(f"The model cannot be written to {place!r}: {error}.") from None


def _header(estimator: Any) -> dict[str, Any]:
    result, family = estimator.result_, estimator.mixture_.family
    given = {name: _plain(v) for name, v in estimator.get_params(deep=False).items()}
    params = {name: value for name, value in given.items() if _is_json(value)}
    names = getattr(estimator, "feature_names_in_", None)
    fit: dict[str, Any] = {"outcome": result.outcome.value}
    fit.update({name: int(getattr(result, name)) for name in COUNTS})
    for name in NUMBERS + LATER:
        value = float(getattr(result, name))
        fit[name] = value if math.isfinite(value) else None
    return {
        "format": FORMAT,
        "emplus": __version__,
        "estimator": {
            "class": type(estimator).__name__,
            "params": params,
            "omitted": sorted(set(given) - set(params)),
        },
        "family": {"name": family.name, "config": family.config()},
        "feature_names": None if names is None else [str(name) for name in names],
        "fit": fit,
        **_described(estimator),
    }


def _described(estimator: Any) -> dict[str, Any]:
    """What only some estimators have to say, such as the kinds of a table's columns."""
    description = estimator._description()
    return {} if description is None else {"description": description}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_json(value: Any) -> bool:
    """Whether JSON gives the value back as it was: a tuple, an array or a generator does not."""
    try:
        again = json.loads(json.dumps(value, allow_nan=False))
        return type(again) is type(value) and bool(again == value)
    except (TypeError, ValueError, RecursionError):
        return False
