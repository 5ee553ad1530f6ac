from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

from emplus.errors import ModelFileError
from emplus.io import load, read_header, save
from emplus.io.container import parse_json
from emplus.io.layout import make_digest
from tests.models import fitted, make_rows


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(fitted(), path)
    return path.read_bytes()


def split(contents: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8 : 8 + length])
    tensors = {name: np.array(array) for name, array in parse(contents).items()}
    return json.loads(header["__metadata__"]["emplus"]), tensors


def build(description: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    """A file whose digest is right, so that what is wrong besides has to be found."""
    description["digest"] = make_digest(description, tensors)
    return serialize(tensors, metadata={"emplus": json.dumps(description)})


def refused(path: Path, contents: bytes) -> str:
    path.write_bytes(contents)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    assert sentence.endswith(".")
    return sentence


FUZZ = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_every_truncation_is_refused(model_bytes: bytes, tmp_path: Path) -> None:
    for length in range(0, len(model_bytes), 7):
        refused(tmp_path / "m", model_bytes[:length])
    refused(tmp_path / "m", model_bytes[:-1])
    refused(tmp_path / "m", model_bytes + b"\0")


@FUZZ
@given(data=st.data())
def test_no_flipped_byte_goes_unnoticed(
    model_bytes: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(model_bytes) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = bytearray(model_bytes)
    changed[place] = byte
    path = tmp_path / "m"
    path.write_bytes(changed)
    try:
        model = load(path)
    except ModelFileError:
        return
    # Only spaces around the header's JSON, and changes that are none, may pass.
    whole = tmp_path / "whole"
    whole.write_bytes(model_bytes)
    assert np.array_equal(model.means_, load(whole).means_)
    assert read_header(path) == read_header(whole)


def test_a_number_beyond_floats_is_refused(model_bytes: bytes, tmp_path: Path) -> None:
    # JSON reads it as infinity, which it cannot write again.
    place = model_bytes.index(b"200.0")
    refused(tmp_path / "m", model_bytes[:place] + b"9e999" + model_bytes[place + 5 :])


@FUZZ
@given(noise=st.binary(max_size=200), claim=st.integers(0, 2**64 - 1), json_like=st.booleans())
def test_noise_is_refused(tmp_path: Path, noise: bytes, claim: int, json_like: bool) -> None:
    start = claim.to_bytes(8, "little") + (b"{" if json_like else b"")
    refused(tmp_path / "m", start + noise)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
PATHS: list[tuple[str, ...]] = [
    ("format",),
    ("emplus",),
    ("estimator",),
    ("estimator", "class"),
    ("estimator", "params"),
    ("estimator", "params", "n_component"),
    ("family",),
    ("family", "name"),
    ("family", "config"),
    ("family", "config", "covariance_type"),
    ("family", "config", "other"),
    ("feature_names",),
    ("fit",),
    *[("fit", name) for name in ("outcome", "n_iter", "n_rows", "log_likelihood", "seconds")],
]


@settings(FUZZ, max_examples=150)
@given(where=st.sampled_from(PATHS), value=JSON)
def test_a_hostile_description_is_refused_or_harmless(
    model_bytes: bytes, tmp_path: Path, where: tuple[str, ...], value: Any
) -> None:
    description, tensors = split(model_bytes)
    inner = description
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    try:
        contents = build(description, tensors)
    except ValueError:  # not JSON: NaN, infinity, half a surrogate pair
        return
    path = tmp_path / "m"
    path.write_bytes(contents)
    try:
        model = load(path)
    except ModelFileError:
        return
    # By the mixture, which does not mind the column names that the file may have got.
    assert np.isfinite(model.mixture_.log_density(make_rows())).all()


HEADERS: list[tuple[Any, str]] = [
    ([], "not a JSON object"),
    ("{", "claims to be 1 bytes"),
    ("{]", "not JSON"),
    ('{"a": NaN}', "not JSON"),
    ('{"a": 1, "a": 2}', "a key occurs twice"),
    ("{" + '"a":[' * 100_000, "not JSON"),
    ('{"a":' * 100_000, "not JSON"),
    ("{}", "not one written by emplus"),
    ({"a": 1}, "not described"),
    ({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0]}}, "has the place"),
    ({"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}, "has the type"),
    ({"a": {"dtype": ["F64"], "shape": [1], "data_offsets": [0, 8]}}, "has the type"),
    ({"a": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}, "has the shape"),
    ({"a": {"dtype": "F64", "shape": [True], "data_offsets": [0, 8]}}, "has the shape"),
    ({"a": {"dtype": "F64", "shape": [1.0], "data_offsets": [0, 8]}}, "has the shape"),
    ({"a": {"dtype": "F64", "shape": [2**62, 4], "data_offsets": [0, 8]}}, "has the shape"),
    ({"a": {"dtype": "F64", "shape": [1] * 9, "data_offsets": [0, 8]}}, "has the shape"),
    ({"a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}, "the length"),
    ({"a": {"dtype": "F64", "shape": [2**30], "data_offsets": [0, 2**33]}}, "cut short"),
    ({"a": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}, "overlap or leave gaps"),
    ({"a": {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}}, "follow its last tensor"),
    (
        {f"{i}": {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]} for i in range(17_000)},
        "17000",
    ),
    ({"__metadata__": [], "a": {}}, "not one written by emplus"),
    ({"__metadata__": {"emplus": 1}, "a": {}}, "not text"),
]


@pytest.mark.parametrize(("header", "part"), HEADERS)
def test_headers_that_lie(header: Any, part: str, tmp_path: Path) -> None:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    if not text.startswith(b"{"):
        text = b"{" + text
        part = "not JSON"
    contents = len(text).to_bytes(8, "little") + text + bytes(16)
    assert part in refused(tmp_path / "m", contents)


def _set(name: str, array: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, tensors: tensors.__setitem__(name, np.asarray(array))


def _drop(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, tensors: tensors.__delitem__(name)


def _describe(**changes: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda description, _: description.update(changes)


EYES = np.broadcast_to(np.eye(3), (3, 3, 3)).copy()
THIRDS = np.log([1 / 3] * 3)
INCONSISTENT: list[tuple[Callable[[dict[str, Any], dict[str, Any]], None], str]] = [
    (_set("log_weights", np.log([0.5, 0.2, 0.2])), "sum to 0.9 instead of 1"),
    (_set("log_weights", [np.nan, 0.0, 0.0]), "mixing weights"),
    (_set("log_weights", [np.inf, 0.0, 0.0]), "mixing weights"),
    (_set("log_weights", np.log([0.5, 0.5])), "one for each component"),
    (_set("log_weights", np.log([0.25] * 4)), "fit together"),
    (_set("log_weights", [THIRDS]), "mixing weights"),
    (_set("log_weights", np.zeros(0)), "sum to 0"),
    (_set("parameters.means", np.full((3, 3), np.nan)), "not finite"),
    (_set("parameters.means", np.zeros((3, 2))), "shape"),
    (_set("parameters.means", np.zeros((0, 3))), "shape"),
    (_set("parameters.covariances", np.full((3, 3, 3), np.inf)), "not finite"),
    (_set("parameters.covariances", -EYES), "fit together"),
    (_set("parameters.covariances", EYES[:2]), "shape"),
    (_set("parameters.covariances", EYES + np.triu(np.ones((3, 3)), 1)), "symmetric"),
    (_set("trace", np.zeros((2, 2))), "trace"),
    (_set("other", np.zeros(2)), "which no model has"),
    (_drop("trace"), "missing"),
    (_drop("log_weights"), "missing"),
    (_drop("parameters.means"), "missing"),
    (_describe(format=3, emplus="7.0"), "written by emplus 7.0"),
    (_describe(format=0), "incomplete"),
    (_describe(format="1"), "names no format"),
    (_describe(feature_names=["a"]), "1 column names for 3 columns"),
    (_describe(feature_names=[1, 2, 3]), "not text"),
    (_describe(estimator={"class": "Nonesuch", "params": {}}), "Nonesuch"),
    (_describe(estimator={"class": "GaussianMixture", "params": {"later": 1}}), "later"),
    (_describe(family={"name": "gamma", "config": {}}), "gamma"),
    (_describe(family={"name": "gaussian", "config": {"no": 1}}), "fit together"),
    (_describe(family={"name": "gaussian", "config": {"covariance_type": "diag"}}), "shape"),
    (_describe(fit={"outcome": "converged"}), "not a count"),
    (_describe(fit={}), "how the fit ended"),
]


@pytest.mark.parametrize(("change", "part"), INCONSISTENT)
def test_whole_files_that_hold_nonsense(
    change: Callable[[dict[str, Any], dict[str, Any]], None],
    part: str,
    model_bytes: bytes,
    tmp_path: Path,
) -> None:
    description, tensors = split(model_bytes)
    change(description, tensors)
    assert part in refused(tmp_path / "m", build(description, tensors))


def test_an_unknown_outcome_is_refused(model_bytes: bytes, tmp_path: Path) -> None:
    description, tensors = split(model_bytes)
    description["fit"]["outcome"] = "splendid"
    assert "splendid" in refused(tmp_path / "m", build(description, tensors))


def test_a_changed_number_is_noticed_by_the_digest(model_bytes: bytes, tmp_path: Path) -> None:
    description, tensors = split(model_bytes)
    tensors["parameters.means"][0, 0] += 1e-9
    contents = serialize(tensors, metadata={"emplus": json.dumps(description)})
    assert "digest" in refused(tmp_path / "m", contents)


FOREIGN: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"a,b\n1,2\n3,4\n", "looks like text"),
    (b"\x93NUMPY\x01\x00v\x00{'descr'", "NumPy array"),
    (b"PK\x03\x04" + bytes(30), "zip archive"),
    (b"\x80\x04\x95" + bytes(30), "pickle"),
    (b"PAR1" + bytes(30), "Parquet"),
    (b"\x01\x02", "not a model file"),
]


@pytest.mark.parametrize(("contents", "part"), FOREIGN)
def test_foreign_files_are_named(contents: bytes, part: str, tmp_path: Path) -> None:
    assert part in refused(tmp_path / "m", contents)


def test_safetensors_of_others_are_named(tmp_path: Path) -> None:
    contents = serialize({"weight": np.zeros(3)}, metadata={"format": "np"})
    assert "not one written by emplus" in refused(tmp_path / "m", contents)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model file"):
        load(tmp_path / "nowhere" / "m")
    with pytest.raises(ModelFileError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        load("a\0b")
    with pytest.raises(ModelFileError, match="cannot be read"):
        load("m" * 5000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not a regular file"):
        load(tmp_path / "pipe")


def test_json_is_read_strictly() -> None:
    assert parse_json('{"a": [1]}') == {"a": [1]}
    for text in ("[" * 100_000, '{"a": Infinity}', '{"a": 1, "a": 1}', "1" * 10_000):
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)
