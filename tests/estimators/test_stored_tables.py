"""Fits of tables that are read block by block: the same bits as of the whole table in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.api.types import is_numeric_dtype

from emplus import BernoulliMixture, CategoricalMixture, MixedMixture, MixtureClassifier
from emplus.errors import DataError, DataWarning
from tests.stored_tables import BITS, MIXED, SURVEY, with_holes

N = 420
TABLES = {
    "bits": pd.DataFrame(BITS[:N].astype(int), columns=list("abcdef")),
    "survey": SURVEY[:N],
    "mixed": MIXED[:N],
}
MODELS: dict[str, tuple[str, Callable[[], Any]]] = {
    "bernoulli": ("bits", lambda: BernoulliMixture(3, search="em", random_state=0)),
    "categorical": ("survey", lambda: CategoricalMixture(3, tol=1e-3, random_state=0)),
    "mixed": ("mixed", lambda: MixedMixture(2, search="em", random_state=0)),
    "diag": ("mixed", lambda: MixedMixture(2, covariance_type="diag", tol=1e-4, random_state=0)),
    "given": ("mixed", lambda: MixedMixture(2, categorical=["one"], search="em", random_state=0)),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emplus.data.stored._AT_ONCE", 4096)
    monkeypatch.setattr("emplus.data.opening._ROWS_AT_ONCE", 150)


def as_npy(table: pd.DataFrame, place: Path) -> tuple[Any, Any]:
    numbers = table.copy()
    for name, dtype in table.dtypes.items():
        if not is_numeric_dtype(dtype):
            codes = pd.factorize(table[name])[0]
            numbers[name] = np.where(codes < 0, np.nan, codes)
    kind: Any = float if numbers.isna().any(axis=None) else int
    np.save(place / "x.npy", np.ascontiguousarray(numbers.to_numpy(dtype=kind)))
    return place / "x.npy", np.load(place / "x.npy")


def as_text_array(table: pd.DataFrame, place: Path) -> tuple[Any, Any]:
    np.save(place / "t.npy", np.ascontiguousarray(table.to_numpy().astype("U6")))
    return np.load(place / "t.npy", mmap_mode="r"), np.load(place / "t.npy")


def as_csv(table: pd.DataFrame, place: Path) -> tuple[Any, Any]:
    table.to_csv(place / "x.csv", index=False)
    return str(place / "x.csv"), pd.read_csv(place / "x.csv", low_memory=False)


def as_parquet(table: pd.DataFrame, place: Path) -> tuple[Any, Any]:
    pytest.importorskip("pyarrow")
    table.to_parquet(place / "x.parquet", row_group_size=200)
    return place / "x.parquet", pd.read_parquet(place / "x.parquet")


def as_blocks(table: pd.DataFrame, place: Path) -> tuple[Any, Any]:
    def blocks() -> Iterator[pd.DataFrame]:
        for start in range(0, len(table), 111):
            yield table.iloc[start : start + 111]

    return blocks, table


KINDS = {"csv": as_csv, "parquet": as_parquet, "blocks": as_blocks, "npy": as_npy}


def fitted(model: Any, rows: Any, **given: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(rows, **given)
    return model, [str(warning.message) for warning in caught]


def assert_same(make: Callable[[], Any], rows: Any, stored: Any, **given: Any) -> Any:
    (model, said), (other, heard) = (fitted(make(), own, **given) for own in (rows, stored))
    assert said == heard
    packed = model.mixture_.family.pack(model.mixture_.parameters)
    for name, array in other.mixture_.family.pack(other.mixture_.parameters).items():
        assert_array_equal(array, packed[name])
    assert model.lower_bound_ == other.lower_bound_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        assert_array_equal(model.predict(rows), other.predict(stored))
        assert_array_equal(model.predict_proba(rows), other.predict_proba(stored))
        assert_array_equal(model.score_samples(rows), other.score_samples(stored))
    assert getattr(model, "coding_", None) == getattr(other, "coding_", None)
    names = [list(getattr(one, "feature_names_in_", [])) for one in (model, other)]
    assert names[0] == names[1]
    return other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_the_same_bits(name: str, holes: bool, kind: str, tmp_path: Path) -> None:
    table, make = MODELS[name]
    if kind == "npy" and name == "given":
        pytest.skip("arrays have no names")
    whole = with_holes(TABLES[table]) if holes else TABLES[table]
    stored, rows = KINDS[kind](whole, tmp_path)
    assert_same(make, rows, stored)


@pytest.mark.parametrize("kind", ["csv", "npy"])
@pytest.mark.parametrize("name", ["bernoulli", "categorical", "mixed"])
def test_rows_of_weight_zero_are_not_there(name: str, kind: str, tmp_path: Path) -> None:
    table, make = MODELS[name]
    whole = with_holes(TABLES[table])
    # A category that only rows without weight hold is none.
    whole.iloc[3, -1] = 1 if name == "bernoulli" else "rare"
    stored, rows = KINDS[kind](whole, tmp_path)
    model = assert_same(make, rows, stored, sample_weight=np.arange(N) % 3 / 1.7)
    assert "rare" not in str(getattr(model, "coding_", ""))


def test_arrays_of_text_and_of_truth_values(tmp_path: Path) -> None:
    stored, rows = as_text_array(SURVEY[:N], tmp_path)
    assert_same(MODELS["categorical"][1], rows, stored)
    np.save(tmp_path / "b.npy", BITS)
    assert_same(MODELS["bernoulli"][1], BITS, tmp_path / "b.npy")
    labels = np.where(np.arange(len(BITS)) < 30, np.arange(len(BITS)) % 3, -1)
    assert_same(MODELS["bernoulli"][1], BITS, tmp_path / "b.npy", labels=labels)


def test_cells_that_look_like_numbers_in_some_blocks_are_text(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "late": ["1"] * 400 + ["01"] * 100 + ["one"] * 200,
            "truth": ["True"] * 300 + ["1"] * 400,
            "gap": [None] * 300 + ["x", "y"] * 200,
            "whole": [str(i % 9) for i in range(300)] + ["0.5"] * 400,
            "mostly": [""] * 350 + ["3", "4"] * 175,
            "held": ["True", "False"] * 200 + [""] * 300,
        }
    )
    table.to_csv(tmp_path / "x.csv", index=False)
    rows = pd.read_csv(tmp_path / "x.csv", low_memory=False)
    model = assert_same(
        lambda: MixedMixture(2, search="em", random_state=0), rows, str(tmp_path / "x.csv")
    )
    assert model.coding_.columns[0].categories == ("01", "1", "one")
    assert model.coding_.kinds == (*["categorical"] * 3, *["continuous"] * 2, "binary")


def test_dictionaries_of_row_groups_are_one(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parts: list[list[Any]] = [["b", "a", "b"] * 50, ["c", None, "a"] * 50]
    place = tmp_path / "x.parquet"
    schema = arrow.schema({"a": arrow.dictionary("int32", "string"), "b": arrow.int64()})
    with parquet.ParquetWriter(place, schema) as writer:
        for part in parts:
            column = arrow.array(part).dictionary_encode()
            numbers = arrow.array([1, None, 3] * 50 if None in part else [1, 2, 3] * 50)
            writer.write_table(arrow.table([column, numbers], schema=schema))
    rows = pd.read_parquet(place)
    model = assert_same(lambda: MixedMixture(2, search="em", random_state=0), rows, place)
    assert set(model.coding_.columns[0].categories) == {"a", "b", "c"}


def test_unknown_values_are_told_of_once_with_their_row(tmp_path: Path) -> None:
    model = CategoricalMixture(2, search="em", random_state=0).fit(SURVEY)
    survey = SURVEY.copy()
    survey.loc[[500, 901], "c"] = "new"
    survey.loc[44, "a"] = "odd"
    stored, rows = as_csv(survey, tmp_path)
    said = []
    for given in (rows, stored):
        with pytest.warns(DataWarning, match="3 entries in all") as caught:
            model.predict(given)
        said.append([str(warning.message) for warning in caught])
    assert said[0] == said[1]


def identifiers(table: pd.DataFrame) -> None:
    table["b"] = [f"i{i}" for i in range(len(table))]


REFUSED: dict[str, tuple[Callable[[pd.DataFrame], object], Callable[[], Any], str]] = {
    "identifiers": (
        identifiers,
        lambda: CategoricalMixture(2),
        r"Column 'b' has (more than 1,000|1,500) categories",
    ),
    "empty": (
        lambda table: table.insert(1, "gone", np.nan),
        lambda: MixedMixture(2),
        "Column 'gone' has no values",
    ),
    "infinity": (
        lambda table: table.insert(0, "x", np.where(table.index == 1234, np.inf, 0.5)),
        lambda: MixedMixture(2),
        r"Column 'x' contains inf \(infinity\) in row 1234",
    ),
    "no number": (
        lambda table: table.insert(0, "x", np.where(table.index == 777, "o", "0")),
        lambda: MixedMixture(2, continuous=["x"]),
        "Column 'x' is to be continuous, but it holds 'o' in row 777",
    ),
    "missing": (
        lambda table: table.__setitem__("d", table["d"].mask(table.index == 1300)),
        lambda: MixedMixture(2, allow_missing=False),
        r"NaN \(a missing value\) in column 'd', row 1300",
    ),
    "three": (
        lambda table: None,
        lambda: MixedMixture(2, binary=["a"]),
        "Column 'a' is to be binary, but it holds 3 values",
    ),
}


@pytest.mark.parametrize(("spoil", "make", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_in_memory_is_refused(
    spoil: Any, make: Any, words: str, tmp_path: Path
) -> None:
    table = SURVEY.copy()
    spoil(table)
    stored, rows = as_csv(table, tmp_path)
    for given in (rows, stored):
        with pytest.raises(DataError, match=words):
            make().fit(given)


def test_zeros_and_ones_are_checked_with_their_row(tmp_path: Path) -> None:
    rows = BITS.astype(float)
    rows[1200, 2] = 3.0
    np.save(tmp_path / "x.npy", rows)
    for given in (rows, tmp_path / "x.npy"):
        with pytest.raises(DataError, match="Column 2 holds 3 in row 1200, neither 0 nor 1"):
            BernoulliMixture(2, binarize=None).fit(given)
    with pytest.raises(DataError, match="holds text in column 'a'"):
        BernoulliMixture(2).fit(as_csv(SURVEY, tmp_path)[0])
    model = BernoulliMixture(2, search="em", random_state=0).fit(BITS)
    np.save(tmp_path / "y.npy", BITS[:, :3])
    with pytest.raises(ValueError, match="3 features"):
        model.predict(tmp_path / "y.npy")
    with pytest.raises(DataError, match="has no rows"):
        MixedMixture(2).fit(lambda: iter([]))
    with pytest.raises(DataError, match="do not go together"):
        MixedMixture(2).fit(lambda: iter([SURVEY, MIXED]))


def test_classifiers_say_that_they_take_rows_in_memory(tmp_path: Path) -> None:
    stored, rows = as_csv(SURVEY, tmp_path)
    for given in (stored, lambda: iter([rows])):
        with pytest.raises(DataError, match="Classifiers take rows in memory"):
            MixtureClassifier(CategoricalMixture(2)).fit(given, np.arange(len(SURVEY)) % 2)


def test_many_rows_that_differ_stay_in_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", BITS)
    model = BernoulliMixture(2, search="em", random_state=0).fit(BITS)
    monkeypatch.setattr("emplus.data.distinct_stored._IN_MEMORY", 8)
    other = BernoulliMixture(2, search="em", random_state=0).fit(tmp_path / "x.npy")
    assert other.lower_bound_ == model.lower_bound_
    monkeypatch.setattr("emplus.data.distinct_stored._MOST", 8)
    other = BernoulliMixture(2, search="em", tol=1e-13, random_state=0).fit(tmp_path / "x.npy")
    assert other.lower_bound_ == pytest.approx(model.lower_bound_, abs=1e-4)
