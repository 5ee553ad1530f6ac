"""Model files, read with suspicion and made into fitted estimators again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from emplus._version import __version__
from emplus.errors import ModelFileError
from emplus.families.base import Array
from emplus.io.container import damaged, parse_json, read_container
from emplus.io.layout import CHECKPOINT_KEY, FORMAT, FORMAT_OF_MANY, KEY, make_digest
from emplus.io.restoring import (
    REFUSALS,
    FlawError,
    UnknownEstimatorError,
    UnknownFamilyError,
    constructed,
    feature_names,
    unpack_mixture,
)

__all__ = ["load", "read_header"]


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
        If there is no such file, or it is damaged, foreign, or of a newer version, or its
        components are of a family from outside that is not known here.
    """
    place = os.fspath(path)
    header, tensors = _read(place)
    try:
        if header["format"] == FORMAT:
            return unpack_mixture(tensors, header)
        return _unpacked(header, tensors)
    except UnknownEstimatorError as error:
        raise ModelFileError(
            f"{place!r} holds a model that this version of emplus, {__version__}, cannot make; it "
            f"was written by {header['emplus'][:40]} ({error})."
        ) from None
    except UnknownFamilyError as error:
        raise ModelFileError(f"{place!r} holds {error}.") from None
    except FlawError as error:
        damaged(place, str(error))


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
    if CHECKPOINT_KEY in metadata:
        raise ModelFileError(
            f"{path!r} is a checkpoint, from which its fit can go on; it is no model yet."
        )
    if KEY not in metadata:
        raise ModelFileError(f"{path!r} is a safetensors file, but not one written by emplus.")
    try:
        header = parse_json(metadata[KEY])
    except ValueError as error:
        damaged(path, f"its description is not JSON ({error})")
    if not isinstance(header, dict) or type(header.get("format")) is not int:
        damaged(path, "its description names no format")
    if header["format"] > FORMAT_OF_MANY:
        raise ModelFileError(
            f"{path!r} has the model format {header['format']}, written by emplus "
            f"{str(header.get('emplus'))[:40]}; this is emplus {__version__}, which reads formats "
            f"up to {FORMAT_OF_MANY}, so update emplus to read it."
        )
    _check_members(path, header)
    if header["digest"] != make_digest(header, tensors):
        damaged(path, "its contents do not match their digest")
    return _Model(header, tensors)


def _check_members(path: str, header: Mapping[str, Any]) -> None:
    if header["format"] < 1 or "feature_names" not in header:
        damaged(path, "its description is incomplete")
    one = header["format"] == FORMAT
    parts: dict[str, type] = {"family": dict, "fit": dict} if one else {"facts": dict}
    kinds = {"emplus": str, "estimator": dict, **parts, "digest": str}
    for key, kind in kinds.items():
        if not isinstance(header.get(key), kind):
            damaged(path, f"its description lacks {key!r}")


def _unpacked(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> Any:
    """An estimator that is not one mixture puts itself together again."""
    d = header.get("n_features")
    if type(d) is not int or not 0 < d < 2**40:
        raise FlawError("it does not say how many columns it has")
    names = feature_names(header["feature_names"], d)
    estimator = constructed(header["estimator"])
    if not hasattr(estimator, "_unpack_model"):
        raise FlawError(f"a {type(estimator).__name__} is one mixture, and this is none")
    estimator.n_features_in_ = d
    if names is not None:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
    try:
        estimator._unpack_model(dict(tensors), header["facts"])
    except (FlawError, UnknownEstimatorError, UnknownFamilyError):
        raise
    except (*REFUSALS, AttributeError) as error:
        sentence = " ".join(str(error).split())[:300].rstrip(".")
        raise FlawError(f"its model cannot be restored ({sentence})") from None
    if estimator.n_features_in_ != d:
        raise FlawError(f"its model has {estimator.n_features_in_} columns, not {d}")
    return estimator
