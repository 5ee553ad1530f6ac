"""The safetensors container, checked before a parser sees it.

Everything a file claims about itself (lengths, types, shapes, offsets) is compared with the file's
own size and with what a model can hold, so that a hostile file costs no more than its bytes.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import numpy as np

from emplus.errors import ModelFileError
from emplus.families.base import Array

__all__ = ["Container", "damaged", "parse_json", "read_container"]

_MAX_HEADER = 100_000_000  # bytes, the limit of safetensors itself
# A classifier has five and more a class. They cost no more than what the header has to say of them.
_MAX_TENSORS = 16_384
_MAX_AXES = 4
_MAX_AXIS = 2**40
_ITEM_BYTES = {"F32": 4, "F64": 8}

# What people give by mistake, known by its first bytes.
_FOREIGN = (
    (b"\x93NUMPY", "a NumPy array"),
    (b"PK\x03\x04", "a zip archive (.npz, .xlsx, ...)"),
    (b"PAR1", "a Parquet table"),
    (b"\x80", "a pickle, which emplus never opens"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"%PDF", "a PDF"),
)


@dataclass(frozen=True)
class Container:
    """Metadata and tensors of a safetensors file."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Array]


def damaged(path: str, what: str) -> NoReturn:
    """Raise the one error of this package for a file that cannot be used."""
    raise ModelFileError(
        f"{path!r} is a damaged model file: {what}; use a copy of it or fit again."
    )


def read_container(path: str) -> Container:
    """Read a safetensors file whose header has been checked against the file.

    Raises
    ------
    ModelFileError
        Whatever is wrong with the file or on the way to it.
    """
    try:
        text, body = _read_parts(path)
        entries = _parse_header(path, text)
        metadata = entries.pop("__metadata__", {})
        if not entries or not isinstance(metadata, dict):
            raise ModelFileError(f"{path!r} is a safetensors file, but not one written by emplus.")
        if not all(isinstance(value, str) for value in metadata.values()):
            damaged(path, "its metadata are not text")
        _check_layout(path, entries, len(body))
        return Container(metadata, _tensors(path, text, body))
    except FileNotFoundError:
        raise ModelFileError(f"There is no model file {path!r}.") from None
    except MemoryError:
        raise ModelFileError(f"{path!r} needs more memory than there is.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(f"The model file {path!r} cannot be read: {reason}.") from None


def parse_json(text: str | bytes) -> Any:
    """JSON without its usual leniency: no key twice, no NaN, no infinity, no nesting without end.

    Raises
    ------
    ValueError
        Also for what ``json`` would let pass.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_parts(path: str) -> tuple[bytes, bytes]:
    """Header text and tensor bytes; the claimed length of the one is not taken on trust."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise ModelFileError(f"{path!r} is a folder, not a model file.")
    if not stat.S_ISREG(mode):
        # Opening a pipe could wait forever, and its size says nothing.
        raise ModelFileError(f"{path!r} is not a regular file, so it cannot be a model file.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(16)
        if size == 0:
            raise ModelFileError(f"{path!r} is empty, so it is not a model file.")
        claim = int.from_bytes(start[:8], "little")
        # A header is a JSON object, so its first character stands in the ninth byte.
        if len(start) < 9 or start[8:9] != b"{":
            _refuse_foreign(path, start)
        if claim > _MAX_HEADER or claim < 2:
            damaged(path, f"its header claims to be {claim} bytes long")
        if claim > size - 8:
            damaged(path, f"it is cut short; its header of {claim} bytes does not fit in {size}")
        file.seek(8)
        text = file.read(claim)
        body = file.read()
    if 8 + len(text) + len(body) != size:
        damaged(path, "it changed while it was read")
    return text, body


def _refuse_foreign(path: str, start: bytes) -> NoReturn:
    for magic, kind in _FOREIGN:
        if start.startswith(magic):
            raise ModelFileError(f"{path!r} is not a model file: it looks like {kind}.")
    if all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        raise ModelFileError(f"{path!r} is not a model file: it looks like text, perhaps data.")
    raise ModelFileError(f"{path!r} is not a model file written by emplus, or it is damaged.")


def _parse_header(path: str, text: bytes) -> dict[str, Any]:
    try:
        header = parse_json(text.decode("utf-8"))
    except ValueError as error:
        damaged(path, f"its header is not JSON ({error})")
    if not isinstance(header, dict):
        damaged(path, "its header is not a JSON object")
    return header


def _check_layout(path: str, entries: Mapping[str, Any], size: int) -> None:
    """Every tensor within limits, and together they fill the body without gap or overlap."""
    if len(entries) > _MAX_TENSORS:
        damaged(path, f"it claims to hold {len(entries)} tensors")
    spans = sorted(_span(path, name, entry) for name, entry in entries.items())
    expected = 0
    for begin, end in spans:
        if begin != expected:
            damaged(path, "its tensors overlap or leave gaps")
        expected = end
    if expected > size:
        damaged(path, f"it is cut short; {expected - size} bytes of its tensors are missing")
    if expected < size:
        damaged(path, f"{size - expected} bytes follow its last tensor")


def _span(path: str, name: str, entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        damaged(path, f"its tensor {_short(name)} is not described")
    item = _ITEM_BYTES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if item is None:
        damaged(path, f"its tensor {_short(name)} has the type {_short(entry['dtype'])}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_counts(shape) or len(shape) > _MAX_AXES or any(n > _MAX_AXIS for n in shape):
        damaged(path, f"its tensor {_short(name)} has the shape {_short(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2:
        damaged(path, f"its tensor {_short(name)} has the place {_short(offsets)}")
    begin, end = offsets
    if end - begin != prod(shape) * item:
        damaged(path, f"its tensor {_short(name)} does not have the length that its shape needs")
    return begin, end


def _short(value: Any) -> str:
    """What a file claims, fit for a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _are_counts(values: Any) -> bool:
    # bool is an int to Python but not to JSON.
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def _tensors(path: str, text: bytes, body: bytes) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        loaded = load(len(text).to_bytes(8, "little") + text + body)
    except SafetensorError as error:
        damaged(path, f"safetensors refuses it ({error})")
    # Own, aligned and writable memory, as a fit leaves it.
    return {name: np.array(tensor) for name, tensor in loaded.items()}
