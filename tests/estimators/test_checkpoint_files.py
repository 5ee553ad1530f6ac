"""Checkpoints that are damaged, forged or something else: one sentence, and the file left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

import emplus
from emplus.errors import CheckpointError
from emplus.io.layout import make_digest
from tests.estimators.test_checkpoints import X, model

KEY = "emplus.checkpoint"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("finished") / "run"
    model().fit(X, checkpoint=place)
    return place.read_bytes()


def refused(place: Path, contents: bytes) -> str:
    place.write_bytes(contents)
    with pytest.raises(CheckpointError) as caught:
        model().fit(X, checkpoint=place)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 500
    assert place.read_bytes() == contents
    return sentence


def test_damage_is_refused(finished: bytes, tmp_path: Path) -> None:
    place, rng = tmp_path / "run", np.random.default_rng(0)
    for length in np.linspace(0, len(finished) - 1, 25).astype(int):
        refused(place, finished[:length])
    for at in rng.integers(len(finished), size=60):
        changed = bytearray(finished)
        changed[at] ^= 1 << int(rng.integers(8))
        refused(place, bytes(changed))
    assert "no checkpoint" in refused(place, serialize({"a": np.zeros(2)}))
    assert "folder" in _of_folder(tmp_path)


def _of_folder(place: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        model().fit(X, checkpoint=place)
    return str(caught.value)


def rebuilt(contents: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A checkpoint by somebody who can work out its digest."""
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(json.loads(contents[8 : 8 + length])["__metadata__"][KEY])
    tensors = {name: np.array(array) for name, array in parse(contents).items()}
    change(header)
    header["digest"] = make_digest(header, tensors)
    return serialize(tensors, metadata={KEY: json.dumps(header)})


def _value(value: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["entries"][0][2] = value

    return change


def _large_pool(header: dict[str, Any]) -> None:
    (seeds,) = [tree for name, tree in header["generator"]["dict"] if name == "seeds"]
    (pool,) = [pair for pair in seeds["dict"] if pair[0] == "pool_size"]
    pool[1] = 10**12


FORGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "foreign class": _value({"new": "subprocess:Popen", "fields": {"args": "true"}}),
    "function": _value({"new": "emplus.io.atomic:replacing", "fields": {"path": "x"}}),
    "module not loaded": _value({"bare": "emplus.nothing:Nothing"}),
    "class with a state": _value({"bare": "emplus.data.memory:ArraySource"}),
    "no such array": _value({"array": "float64", "at": 0, "shape": [10**12], "axes": [0]}),
    "negative array": _value({"array": "float64", "at": 0, "shape": [-1, -1], "axes": [0, 1]}),
    "objects": _value({"whole": "object", "shape": [1], "values": [1]}),
    "no kind": _value({"strange": 1}),
    "a list": _value([1, 2]),
    "no place": lambda header: header["entries"][0].__setitem__(0, ["a"]),
    "no entries": lambda header: header.pop("entries"),
    "no generator": lambda header: header.update(generator={"dict": []}),
    "another generator": lambda header: header.update(
        generator={"dict": [["kind", "System"], ["seeds", None], ["state", None]]}
    ),
    "a large pool": _large_pool,
    "no climb": lambda header: header.update(unfinished=[[1, 0], 5]),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_checkpoints_hold_no_code(name: str, finished: bytes, tmp_path: Path) -> None:
    assert "damaged" in refused(tmp_path / "run", rebuilt(finished, FORGED[name]))


def test_another_version_is_refused(finished: bytes, tmp_path: Path) -> None:
    forged = rebuilt(finished, lambda header: header.update(emplus="0.0.1"))
    assert "emplus 0.0.1" in refused(tmp_path / "run", forged)


def test_another_course_is_refused(finished: bytes, tmp_path: Path) -> None:
    forged = rebuilt(finished, lambda header: header["entries"][1].__setitem__(1, "start"))
    assert "'start' where 'fit' is due" in refused(tmp_path / "run", forged)


def test_a_checkpoint_is_no_model_and_a_model_no_checkpoint(
    finished: bytes, tmp_path: Path
) -> None:
    (tmp_path / "run").write_bytes(finished)
    with pytest.raises(emplus.errors.ModelFileError, match="is a checkpoint, from which"):
        emplus.load(tmp_path / "run")
    model().fit(X).save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        model().fit(X, checkpoint=tmp_path / "model")
