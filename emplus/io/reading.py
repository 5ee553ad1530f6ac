"""Model files, read with suspicion and made into fitted estimators again."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from emplus._version import __version__
from emplus.errors import EmplusError, ModelFileError
from emplus.families.base import Array, Family
from emplus.families.registry import make_family
from emplus.io.container import damaged, parse_json, read_container
from emplus.io.layout import COUNTS, FORMAT, HISTORIES, KEY, LATER, NUMBERS, PREFIX, make_digest
from emplus.mixture import Mixture

__all__ = ["load", "read_header"]

# What can go wrong when checked JSON and arrays meet constructors that refuse them.
_REFUSALS = (EmplusError, ValueError, TypeError, LookupError, ArithmeticError)


class _Model(NamedTuple):
    header: dict[str, Any]
    tensors: dict[str, Array]


def load(path: str | os.PathLike[str]) -> Any:
    """Read a fitted estimator; it predicts the same bits as the one that was saved.

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.

    Returns
    -------
    estimator
        Of the class that was saved.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is damaged, foreign, or of a newer version.
    """
    place = os.fspath(path)
    header, tensors = _read(place)
    mixture = _mixture(place, header, tensors)
    names = _feature_names(place, header["feature_names"], mixture.n_features)
    summary = _summary(place, header["fit"])
    histories = [tensors[name] for name in HISTORIES]
    for name, history in zip(HISTORIES, histories, strict=True):
        if history.ndim != 1 or history.shape != histories[0].shape:
            damaged(place, f"its {name} has the shape {history.shape}, which cannot be")
    estimator = _estimator(place, header)
    try:
        estimator._describe(header.get("description"), mixture)
        estimator._restore(mixture, summary, names, *histories)
    except _REFUSALS as error:
        damaged(place, f"its fit cannot be restored ({error})")
    return estimator


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object of a model file, checked but not made into an estimator.

    Raises
    ------
    ModelFileError
        As `load`.
    """
    return _read(os.fspath(path)).header


def _read(path: str) -> _Model:
    metadata, tensors = (container := read_container(path)).metadata, dict(container.tensors)
    if KEY not in metadata:
        raise ModelFileError(f"{path!r} is a safetensors file, but not one written by emplus.")
    try:
        header = parse_json(metadata[KEY])
    except ValueError as error:
        damaged(path, f"its description is not JSON ({error})")
    if not isinstance(header, dict) or type(header.get("format")) is not int:
        damaged(path, "its description names no format")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"{path!r} has the model format {header['format']}, written by emplus "
            f"{str(header.get('emplus'))[:40]}; this is emplus {__version__}, which reads formats "
            f"up to {FORMAT}, so update emplus to read it."
        )
    _check_members(path, header, tensors)
    if header["digest"] != make_digest(header, tensors):
        damaged(path, "its contents do not match their digest")
    return _Model(header, tensors)


def _check_members(path: str, header: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    kinds = {"emplus": str, "estimator": dict, "family": dict, "fit": dict, "digest": str}
    for key, kind in kinds.items():
        if not isinstance(header.get(key), kind):
            damaged(path, f"its description lacks {key!r}")
    for key, inner in (("estimator", "class"), ("family", "name")):
        if not isinstance(header[key].get(inner), str):
            damaged(path, f"its description lacks the {inner} of the {key}")
    for key, inner in (("estimator", "params"), ("family", "config")):
        if not isinstance(header[key].get(inner), dict):
            damaged(path, f"its description lacks the {inner} of the {key}")
    if header["format"] < 1 or "feature_names" not in header:
        damaged(path, "its description is incomplete")
    for name in ("log_weights", *HISTORIES):
        if name not in tensors:
            damaged(path, f"the tensor {name!r} is missing")
    for name in tensors:
        if name not in ("log_weights", *HISTORIES) and not name.startswith(PREFIX):
            damaged(path, f"it holds a tensor {name[:40]!r}, which no model has")


def _mixture(path: str, header: Mapping[str, Any], tensors: Mapping[str, Array]) -> Mixture:
    arrays = {
        name.removeprefix(PREFIX): array
        for name, array in tensors.items()
        if name.startswith(PREFIX)
    }
    log_weights = tensors["log_weights"]
    # A component may have lost every row: its weight is 0 and the logarithm of it -inf.
    if log_weights.ndim != 1 or np.isnan(log_weights).any() or (log_weights > 1e-3).any():
        damaged(path, "its mixing weights are not the logarithms of weights")
    total = float(np.exp(log_weights.astype(np.float64)).sum())
    if abs(total - 1.0) > 1e-4:
        damaged(path, f"its mixing weights sum to {total:.6g} instead of 1")
    try:
        family = make_family(header["family"]["name"], **header["family"]["config"])
        parameters = family.unpack(arrays)
        whole = _has_components(family, parameters, len(log_weights))
    except _REFUSALS as error:
        damaged(path, f"its parameters do not fit together ({str(error).rstrip('.')})")
    if not whole:
        damaged(path, f"its {len(log_weights)} mixing weights are not one for each component")
    return Mixture(family, log_weights, parameters)


def _has_components(family: Family, parameters: Any, k: int) -> bool:
    """Whether there are k components: then taking the first k of them changes no shape."""
    packed, taken = family.pack(parameters), family.pack(parameters.take(np.arange(k)))
    return all(np.shape(packed[name]) == np.shape(taken[name]) for name in packed)


def _feature_names(path: str, names: Any, n_features: int) -> list[str] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        damaged(path, "its column names are not text")
    if len(names) != n_features:
        damaged(path, f"it has {len(names)} column names for {n_features} columns")
    return names


def _summary(path: str, fit: Mapping[str, Any]) -> dict[str, Any]:
    """How the model was fitted, with what JSON cannot say (not a number) put back."""
    summary: dict[str, Any] = {}
    if not isinstance(fit.get("outcome"), str):
        damaged(path, "it does not say how the fit ended")
    summary["outcome"] = fit["outcome"]
    for name in COUNTS:
        if type(fit.get(name)) is not int or not 0 <= fit[name] < 2**63:
            damaged(path, f"its {name} is not a count")
        summary[name] = fit[name]
    for name in NUMBERS + tuple(name for name in LATER if name in fit):
        value = fit.get(name, "")
        try:
            # JSON knows neither infinity nor not-a-number: null stands for them.
            summary[name] = math.nan if value is None else float(value + 0)
        except (TypeError, OverflowError):
            damaged(path, f"its {name} is not a number")
    return summary


def _estimator(path: str, header: Mapping[str, Any]) -> Any:
    from emplus.estimators import estimator_class

    name, params = header["estimator"]["class"], header["estimator"]["params"]
    try:
        return estimator_class(name)(**params)
    except _REFUSALS as error:
        raise ModelFileError(
            f"{path!r} holds a model that this version of emplus, {__version__}, cannot make; it "
            f"was written by {header['emplus'][:40]} ({str(error)[:200].rstrip('.')})."
        ) from None
