"""Valid model files and tables, and ways to damage them; shared with benchmarks/fuzz_readers.py."""

from __future__ import annotations

import io
import json
import math
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

import emplus
from emplus.io.layout import KEY, make_digest

__all__ = ["damaged", "model_files", "resealed", "table_files"]


def _estimators() -> dict[str, tuple[Any, Any, Any]]:
    """One estimator of each kind, its rows and labels."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((40, 3)) + 6.0 * (np.arange(40) % 2)[:, None]
    bits, y = X > 3.0, np.arange(40) % 2
    frame = pd.DataFrame({"a": X[:, 0], "b": bits[:, 1], "c": np.where(bits[:, 2], "up", "down")})
    return {
        "full": (emplus.GaussianMixture(2), X, None),
        "diag": (emplus.GaussianMixture(2, covariance_type="diag"), X, None),
        "factors": (emplus.FactorAnalyzerMixture(2), X, None),
        "common": (emplus.FactorAnalyzerMixture(2, loadings="common"), X, None),
        "bernoulli": (emplus.BernoulliMixture(2), bits, None),
        "categorical": (emplus.CategoricalMixture(2), frame[["b", "c"]], None),
        "mixed": (emplus.MixedMixture(2), frame, None),
        "classifier": (emplus.MixtureClassifier(), X, y),
        "artmap": (emplus.GaussianARTMAP(), X, y),
    }


def model_files() -> dict[str, bytes]:
    """A model file of each kind of estimator."""
    files = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (estimator, X, y) in _estimators().items():
            estimator.set_params(random_state=0).fit(X, y)
            estimator.save(Path(folder) / "m")
            files[name] = (Path(folder) / "m").read_bytes()
    return files


def table_files(parquet: bool = True) -> dict[str, bytes]:
    """A table in each format, by suffix; all fit the Gaussian models."""
    X = _estimators()["full"][1]
    frame = pd.DataFrame(X[:20], columns=["a", "b", "c"])
    said = frame.assign(d=np.where(frame["a"] > 3, "up", "down"))
    npy, npz, packed, parts = (io.BytesIO() for _ in range(4))
    np.save(npy, X)
    np.savez(npz, X=X, y=X[:, 0])
    np.savez_compressed(packed, X=X.round(1))
    files = {
        ".csv": frame.round(3).to_csv(index=False).encode(),
        ".quoted.csv": said.round(2).to_csv(index=False, quoting=1).encode(),
        ".tsv": frame.round(3).to_csv(index=False, sep="\t").encode(),
        ".npy": npy.getvalue(),
        ".npz": npz.getvalue(),
        ".packed.npz": packed.getvalue(),
    }
    if parquet:
        said.to_parquet(parts, engine="pyarrow")
        files[".parquet"] = parts.getvalue()
    return files


# Damage to bytes -------------------------------------------------------------------------------

_LENGTHS = (0, 1, 2**16, 2**31 - 1, 2**32 - 1, 10**12, 2**62, 2**63, 2**64 - 1)
_PIECES = (
    b"\0", b"\n", b"\r", b'"', b"'", b",", b"\t", b"[" * 3000, b'{"a":' * 500, b"{", b"}", b"]",
    b"nan", b"inf", b"1e999", b"-1", b"9" * 400, b"\xff\xfe", b"\xef\xbb\xbf", b"\x80\x04\x95",
    b"'|O'", b"(1, 1)", b"PK\x03\x04", b"../X.npy", b'"a":1,"a":1', "é€😀".encode(),
)  # fmt: skip


def _flip(rng: Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(rng: Random, data: bytearray) -> None:
    del data[rng.randrange(len(data)) :]


def _delete(rng: Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, 64)]


def _insert(rng: Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    data[start:start] = rng.choice(_PIECES)


def _repeat(rng: Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    data[start:start] = data[start : start + rng.randint(1, 200)] * rng.randint(1, 4)


def _lengthen(rng: Random, data: bytearray) -> None:
    """A binary length replaced, more often than not the one that a format begins with."""
    size = rng.choice((2, 4, 8))
    start = rng.choice((0, 8, rng.randrange(len(data))))
    value = rng.choice(_LENGTHS) % 2 ** (8 * size)
    data[start : start + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _number(rng: Random, data: bytearray) -> None:
    """A number written as text replaced by a length."""
    found = list(re.finditer(rb"\d+", bytes(data[:20_000])))
    if found:
        place = rng.choice(found)
        data[place.start() : place.end()] = str(rng.choice(_LENGTHS)).encode()


_WAYS: tuple[Callable[[Random, bytearray], None], ...] = (
    _flip, _flip, _cut, _delete, _insert, _repeat, _lengthen, _number,
)  # fmt: skip


def damaged(rng: Random, contents: bytes) -> bytes:
    """The file with one to four things wrong."""
    data = bytearray(contents)
    for _ in range(rng.randint(1, 4)):
        if data:
            rng.choice(_WAYS)(rng, data)
    return bytes(data)


# Damage to what a model file says, with a digest that is right -----------------------------------

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 10**6, 10**12, 2**63, 10**400, 0.5, -2.5, 1e308, "", "x",
    "full", "float64", "U99999999", "O", "M8[s]", "../x", "os.system", [], {}, [0], [[0]],
    [0, 10**9], {"a": 1}, ["a", "a", "a"],
)  # fmt: skip


def _places(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for step, inner in steps:
        found.append((*so_far, step))
        if isinstance(inner, dict | list):
            found += _places(inner, (*so_far, step))
    return found


def _spoil_description(rng: Random, description: Any) -> None:
    place = rng.choice(_places(description))
    inner = description
    for step in place[:-1]:
        inner = inner[step]
    what = rng.randrange(8)
    if what == 0:
        del inner[place[-1]]
    elif what == 1 and isinstance(inner, list):
        inner.append(inner[0])
    else:
        inner[place[-1]] = rng.choice(_VALUES)


def _spoil_tensors(rng: Random, tensors: dict[str, Any]) -> None:
    name = rng.choice(sorted(tensors))
    tensor, what = tensors[name].copy(), rng.randrange(7)
    if what == 0:
        del tensors[name]
    elif what == 1:
        tensors[rng.choice((name + "x", "other", rng.choice(sorted(tensors))))] = tensor
    elif what == 2:
        tensors[name] = tensor.reshape(rng.choice(((-1,), (1, *tensor.shape), tensor.shape[::-1])))
    elif what == 3:
        tensors[name] = tensor[: rng.randint(0, max(0, len(tensor) - 1))] if tensor.ndim else tensor
    elif what == 4:
        tensors[name] = tensor.astype(np.float32)
    elif tensor.size:
        extreme = rng.choice((math.nan, math.inf, -math.inf, 0.0, -1.0, 1e308, -1e308, 5e-324))
        tensor.flat[rng.randrange(tensor.size)] = extreme
        tensors[name] = tensor


def resealed(rng: Random, contents: bytes) -> bytes:
    """The model file with one to three statements changed and a digest that fits them."""
    length = int.from_bytes(contents[:8], "little")
    description = json.loads(json.loads(contents[8 : 8 + length])["__metadata__"][KEY])
    tensors = {name: np.array(array) for name, array in parse(contents).items()}
    for _ in range(rng.randint(1, 3)):
        if tensors and rng.random() < 0.4:
            with np.errstate(over="ignore"):
                _spoil_tensors(rng, tensors)
        elif description:
            _spoil_description(rng, description)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    description.pop("digest", None)
    description["digest"] = make_digest(description, tensors)
    return serialize(tensors, metadata={KEY: json.dumps(description)})
