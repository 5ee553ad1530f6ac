"""Model files of binary, categorical and mixed mixtures: round trips, and files of nonsense."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

from emplus import MixedMixture
from emplus.datasets import make_mixed_table
from emplus.errors import ModelFileError
from emplus.io import load, read_header, save
from emplus.io.layout import make_digest
from tests.estimators.examples import EXAMPLES, Example, every_example, with_holes

CODED = [example for example in EXAMPLES if example.id in ("categorical", "mixed")]


@every_example
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_the_loaded_model_is_the_same_to_the_bit(
    example: Example, holes: float, tmp_path: Path
) -> None:
    table, _ = example.table()
    table = with_holes(table, holes) if holes else table
    model = example(max_iter=500).fit(table)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    for method in ("predict", "predict_proba", "score_samples"):
        ours, theirs = getattr(model, method)(table), getattr(again, method)(table)
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())
    for ours, theirs in (
        (model.sample(30, random_state=1)[0], again.sample(30, random_state=1)[0]),
        (model.impute(table), again.impute(table)),
        (model.sample_missing(table, 3), again.sample_missing(table, 3)),
    ):
        pd.testing.assert_frame_equal(pd.DataFrame(ours), pd.DataFrame(theirs))
    save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@every_example
def test_only_tables_are_described(example: Example, tmp_path: Path) -> None:
    model = example().fit(example.table()[0])
    save(model, tmp_path / "m")
    header = read_header(tmp_path / "m")
    assert ("description" in header) == (example in CODED)
    if example in CODED:
        assert json.loads(json.dumps(model.coding_.to_json())) == header["description"]


def test_lists_of_columns_are_kept(tmp_path: Path) -> None:
    drawn = make_mixed_table(200, seed=0)
    model = MixedMixture(2, categorical=["b0", 4], n_factors=1, random_state=0).fit(drawn.table)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.categorical == ["b0", 4]
    assert again.coding_.kinds[3:5] == ("categorical", "categorical")
    assert_array_equal(again.predict(drawn.table), model.predict(drawn.table))


# Damage ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m"
    drawn = make_mixed_table(120, k=2, continuous=2, binary=1, categorical=1, levels=3, seed=0)
    save(MixedMixture(2, random_state=0).fit(drawn.table), path)
    return path.read_bytes()


def _at(*place: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = to

    return change


def _without(*place: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for step in place[:-1]:
            inner = inner[step]
        del inner[place[-1]]

    return change


DAMAGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "no description": _without("description"),
    "null": _at("description", to=None),
    "text": _at("description", to="columns"),
    "a list": _at("description", to=[1, 2]),
    "no columns": _without("description", "columns"),
    "columns are a number": _at("description", "columns", to=4),
    "no kind": _without("description", "columns", 0, "kind"),
    "an unknown kind": _at("description", "columns", 0, "kind", to="ordinal"),
    "categories of numbers": _at("description", "columns", 2, "kind", to="continuous"),
    "no categories": _at("description", "columns", 3, "categories", to=None),
    "unequal categories": _at("description", "columns", 3, "categories", "types", to=["str"]),
    "a type that is none": _at(
        "description", "columns", 3, "categories", "types", to=["str", "str", "complex"]
    ),
    "an array's type": _at("description", "array", to="no type"),
    "a column too few": _without("description", "columns", 0),
    "a category too few": _at(
        "description", "columns", 3, "categories", to={"values": ["v0"], "types": ["str"]}
    ),
    "another kind": _at("description", "columns", 3, "kind", to="binary"),
    "parts that are no list": _at("family", "config", "parts", to=3),
    "a part too few": _without("family", "config", "parts", 0),
    "columns twice": _at("family", "config", "parts", 1, 2, to=[0]),
    "a family that is none": _at("family", "config", "parts", 0, 0, to="gamma"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_descriptions_are_refused_with_a_sentence(
    name: str, mixed_bytes: bytes, tmp_path: Path
) -> None:
    sentence = refused(mixed_bytes, tmp_path, DAMAGED[name])
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert repr(str(tmp_path / "m")) in sentence


def refused(
    contents: bytes, folder: Path, change: Callable[[dict[str, Any]], None], **tensors: Any
) -> str:
    """The sentence about a file whose digest is right, so that the rest has to be looked at."""
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(json.loads(contents[8 : 8 + length])["__metadata__"]["emplus"])
    arrays = {name: np.array(array) for name, array in parse(contents).items()}
    arrays.update({name.replace("__", "."): array for name, array in tensors.items()})
    change(header)
    header["digest"] = make_digest(header, arrays)
    (folder / "m").write_bytes(serialize(arrays, metadata={"emplus": json.dumps(header)}))
    with pytest.raises(ModelFileError) as caught:
        load(folder / "m")
    return str(caught.value)


THETA = "parameters__{}__probabilities"
ODD: list[tuple[str, Any, str]] = [
    (THETA.format(1), np.array([[0.5], [1.5]]), "no probabilities"),
    (THETA.format(1), np.array([[0.5], [np.nan]]), "no probabilities"),
    (THETA.format(1), np.full((2, 4), 0.5), "fit together"),
    (THETA.format(1), np.full((3, 1), 0.5), "one for each component|fit together"),
    (THETA.format(2), np.full((2, 3), 0.5), "do not sum to 1"),
    (THETA.format(2), np.full((2, 2), 0.5), "fit together"),
    (THETA.format(2), np.full(3, 1 / 3), "shape"),
    ("parameters__0__means", np.zeros((2, 3)), "shape"),
]


@pytest.mark.parametrize(("name", "array", "words"), ODD)
def test_parameters_that_are_none_are_refused(
    name: str, array: Any, words: str, mixed_bytes: bytes, tmp_path: Path
) -> None:
    sentence = refused(mixed_bytes, tmp_path, lambda header: None, **{name: array})
    assert re.search(words, sentence), sentence
