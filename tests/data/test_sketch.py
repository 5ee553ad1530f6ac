"""Codings learned block by block are those of the whole table."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from emplus.data import distinct_stored as module
from emplus.data.coded_tables import coded_rows
from emplus.data.coding import Coding
from emplus.data.distinct_stored import distinct_stored
from emplus.data.memory import ArraySource
from emplus.data.open_tables import open_table
from emplus.data.opening import npy_rows
from emplus.data.sketch import TableSketch, learned
from emplus.data.tables import StoredTable
from emplus.errors import DataError

N = 60
CYCLE = np.arange(N)

COLUMNS: dict[str, Any] = {
    "whole": CYCLE,
    "bits": CYCLE % 2,
    "late bits": np.where(CYCLE < 55, CYCLE % 2, 2),
    "floats": np.where(CYCLE % 5 == 0, np.nan, CYCLE / 3),
    "single": (CYCLE / 3).astype(np.float32),
    "truth": CYCLE % 3 == 0,
    "text": np.array(["b", "a", "c"])[CYCLE % 3],
    "holes": [None if i % 4 == 0 else "xyz"[i % 3] for i in range(N)],
    "late text": [None] * 50 + ["y", "x"] * 5,
    "truth and holes": [None if i % 4 == 0 else i % 3 == 0 for i in range(N)],
    "numbers and text": [i % 5 if i < 40 else "no" for i in range(N)],
    "numbers and truth": [True if i % 2 else i % 3 for i in range(N)],
    "decimals": [Decimal(i) / 4 for i in range(N)],
    "nullable": pd.array([None if i % 7 == 0 else i % 4 for i in range(N)], dtype="Int64"),
    "nullable truth": pd.array([None if i % 7 == 0 else i % 2 == 0 for i in range(N)], "boolean"),
    "category": pd.Categorical(np.array(["b", "a", None])[CYCLE % 3], categories=list("cba")),
    "ordered": pd.Categorical(CYCLE // 20, categories=[2, 0, 1, 5], ordered=True),
    "sparse": pd.arrays.SparseArray(CYCLE % 2),
}


def in_blocks(table: Any, size: int = 13) -> StoredTable:
    def blocks() -> Any:
        for start in range(0, len(table), size):
            yield (
                table.iloc[start : start + size] if hasattr(table, "iloc") else table[start:][:size]
            )

    return StoredTable(blocks, "The table")


@pytest.mark.parametrize("kind", [None, "categorical"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_what_it_is_as_a_whole(name: str, kind: str | None) -> None:
    table = pd.DataFrame({"one": np.arange(N) % 2, name: pd.Series(COLUMNS[name])})
    given: Any = {} if kind is None else {kind: [name]}
    expected: Coding | str
    try:
        expected = Coding.infer(table, **given)
    except DataError as error:
        expected = str(error)
    try:
        found: Coding | str = learned(in_blocks(table), given)
    except DataError as error:
        found = str(error)
    assert found == expected
    if isinstance(expected, Coding):
        rows = coded_rows(expected, in_blocks(table), lambda rows, first: None)
        whole = ArraySource(expected.encode(table, compact=True), n_jobs=1)
        source = ArraySource(rows, n_jobs=1)
        assert source.dtype == whole.dtype
        assert_array_equal(source.take(slice(0, N))[0], whole.take(slice(0, N))[0])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64", "U3", "object"])
def test_arrays_keep_their_type(dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 3, (N, 3)).astype(dtype)
    assert learned(in_blocks(array), {}) == Coding.infer(array)


def test_sketches_join_in_any_grouping() -> None:
    table = pd.DataFrame({name: pd.Series(COLUMNS[name]) for name in ("text", "holes", "floats")})
    frames = [frame for _, frame, _ in in_blocks(table).frames()]
    whole = TableSketch({})
    for begin in (0, 2):
        part = TableSketch({})
        for frame in frames[begin : begin + 2 if begin == 0 else None]:
            part.add(frame)
        whole.join(part)
    whole.join(TableSketch({}))
    assert whole.coding() == Coding.infer(table)


def test_blocks_that_do_not_go_together_are_refused() -> None:
    numbers, text = np.ones((3, 2)), np.full((3, 2), "x")
    with pytest.raises(DataError, match="give them one type"):
        learned(StoredTable(lambda: [numbers, text], "The factory"), {})
    with pytest.raises(DataError, match="do not go together"):
        learned(StoredTable(lambda: [numbers, numbers[:, :1]], "The factory"), {})
    ordered = [
        pd.DataFrame({"a": pd.Categorical(["x", "y"], categories=names, ordered=True)})
        for names in (["x", "y"], ["y", "x"])
    ]
    with pytest.raises(DataError, match="Column 'a' has categories that differ"):
        learned(StoredTable(lambda: ordered, "The factory"), {})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["bool", "int16"])
def test_equal_rows_of_a_file_are_those_of_an_array(
    dtype: str, weighted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emplus.data.stored._AT_ONCE", 64)
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype == "bool" else 3, (500, 4)).astype(dtype)
    np.save(tmp_path / "x.npy", X)
    rows = npy_rows(tmp_path / "x.npy")
    weight = rng.uniform(0.5, 2.0, 500) if weighted else None
    expected = ArraySource(X, weight, n_jobs=1).distinct().take(slice(None))
    for most in (1 << 20, 1):
        monkeypatch.setattr(module, "_IN_MEMORY", most)
        found = ArraySource(rows, weight, n_jobs=1).distinct()
        assert found.in_memory is (most > 1)
        for one, other in zip(found.take(slice(0, found.n_rows)), expected, strict=True):
            assert_array_equal(one, other)
    assert distinct_stored(rows, weight, 5) is None


def test_rows_in_another_order_come_in_that_of_the_data(tmp_path: Path) -> None:
    X = np.arange(40.0).reshape(10, 4)
    X[::3, 1] = np.nan
    np.save(tmp_path / "x.npy", X)
    from emplus.data.opening import open_rows

    opened = open_rows(tmp_path / "x.npy")
    assert opened.rows.order is not None
    blocks = [frame.to_numpy() for _, frame, _ in open_table(opened).frames()]
    assert_array_equal(np.concatenate(blocks), X)
