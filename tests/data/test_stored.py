"""Rows in files: what an array would give, read a block at a time, refused where they are none."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from emplus.data import stored
from emplus.data.memory import ArraySource
from emplus.data.opening import is_stored, open_rows
from emplus.data.spill import spilled
from emplus.data.stored import StoredRows
from emplus.errors import DataError
from tests.cases import Array

X = np.random.default_rng(0).normal(size=(1000, 5))


def with_holes() -> Array:
    rows = X.copy()
    rows[:, 1:][np.random.default_rng(1).random((1000, 4)) < 0.2] = np.nan
    return rows


@pytest.fixture
def rows(tmp_path: Path) -> StoredRows:
    np.save(tmp_path / "x.npy", X)
    return open_rows(tmp_path / "x.npy").rows


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(3, 700),
        slice(990, 2000),
        slice(5, 2),
        slice(-7, None),
        [],
        [4],
        [5, 6, 7, 999, 0, 5],
        [-1, 3],
        np.arange(1000) % 3 == 0,
    ],
    ids=str,
)
def test_what_is_read_is_what_an_array_gives(rows: StoredRows, key: Any) -> None:
    if isinstance(key, list):
        key = np.array(key, dtype=np.intp)
    assert_array_equal(rows[key], X[key])
    chosen = rows[:, np.array([3, 0])]
    assert_array_equal(chosen[key], X[:, [3, 0]][key])
    assert_array_equal(chosen[:, [1]][key], X[:, [0]][key])
    narrow = rows.astype(np.float32)
    assert narrow[key].dtype == np.float32 == narrow.dtype
    assert_array_equal(narrow[key], X[key].astype(np.float32))


def test_shape_and_blocks(rows: StoredRows) -> None:
    assert rows.shape == X.shape
    assert (rows.ndim, len(rows)) == (2, 1000)
    assert rows.dtype == np.float64
    assert_array_equal(np.concatenate(list(rows.blocks())), X)
    assert rows[:, [2]].shape == (1000, 1)


@pytest.mark.parametrize("count", [1, 2, 7, 16, 5000])
@pytest.mark.parametrize("few", [True, False])
def test_parts_hold_every_row_once(
    rows: StoredRows, count: int, few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not few:
        monkeypatch.setattr(stored, "_FEW", 999)
    found = rows.parts(count)
    assert len(found) == min(count, 1000 if few else 16)  # single rows, or runs of 64
    numbers = np.concatenate([numbers for _, numbers in found])
    assert_array_equal(np.sort(numbers), np.arange(1000))
    for part, own in found:
        assert part.shape == (len(own), 5)
        assert_array_equal(part[:], X[own])
        assert_array_equal(part[len(own) // 3 :], X[own][len(own) // 3 :])
        assert_array_equal(part[np.array([0, -1])], X[own][[0, -1]])
        assert_array_equal(part[:, np.array([1])][:], X[own][:, [1]])


@pytest.mark.parametrize("key", [1000, -1001])
def test_refuses_rows_that_are_not_there(rows: StoredRows, key: int) -> None:
    with pytest.raises(IndexError, match="1000 rows"):
        rows[np.array([0, key])]
    with pytest.raises(TypeError, match="parts"):
        rows[::2]
    with pytest.raises(TypeError, match="columns"):
        rows[3:5, [0]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, ">f8", "<i4", np.uint8, np.bool_, "f2"])
def test_every_type_of_number(tmp_path: Path, dtype: Any) -> None:
    given = (10.0 * X).astype(dtype)
    np.save(tmp_path / "x.npy", given)
    rows = open_rows(tmp_path / "x.npy").rows
    assert rows.dtype.isnative
    assert_array_equal(rows[:], given)
    assert_array_equal(rows[np.array([7, 3])], given[[7, 3]])


def test_a_memory_map_is_read_where_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_array_equal(open_rows(mapped).rows[:], X)
    assert_array_equal(open_rows(mapped[100:300]).rows[:], X[100:300])
    assert_array_equal(open_rows(mapped[100:300][50:]).rows[:], X[150:300])
    for other in (mapped[:, :2], mapped[::2], mapped.T, mapped[[1, 2]], mapped[0], mapped + 1.0):
        assert not is_stored(other)
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[0] = 0.0
    assert not is_stored(private)
    with pytest.raises(DataError, match="C order"):
        open_rows(mapped.T)


def csv(place: Path, frame: pd.DataFrame) -> None:
    frame.to_csv(place, index=False)


def parquet(place: Path, frame: pd.DataFrame) -> None:
    pytest.importorskip("pyarrow")
    frame.to_parquet(place)


@pytest.mark.parametrize(("write", "name"), [(csv, "x.csv"), (parquet, "x.parquet")])
@pytest.mark.parametrize("make", [lambda: X, with_holes])
def test_tables_are_read_in_blocks(
    tmp_path: Path, write: Callable[[Path, pd.DataFrame], None], name: str, make: Any
) -> None:
    frame = pd.DataFrame(make(), columns=list("abcde"))
    write(tmp_path / name, frame)
    opened = open_rows(tmp_path / name)
    assert opened.names == tuple("abcde")
    source, known = ArraySource(opened.rows), ArraySource(make())
    assert_array_equal(source.map_rows(lambda block: block), make())
    assert_array_equal(source.take(slice(None))[0], known.take(slice(None))[0])
    if known.order is not None:
        assert_array_equal(source.order, known.order)


def test_blocks_of_a_factory() -> None:
    def blocks() -> Iterator[Array]:
        for start in range(0, 1000, 300):
            yield X[start : start + 300]

    opened = open_rows(blocks)
    assert opened.names is None
    assert_array_equal(opened.rows[:], X)
    single = open_rows(lambda: (block.astype(np.float32) for block in blocks()))
    assert single.rows.dtype == np.float32


def test_a_temporary_file_is_gone_with_the_rows() -> None:
    rows = spilled([X, X], "these")
    columns, place = rows[:, np.array([0])], rows.path
    del rows
    gc.collect()
    assert_array_equal(columns[:1000][:, 0], X[:, 0])
    del columns
    gc.collect()
    assert not place.parent.exists()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: iter([]), "no rows"),
    "empty blocks": (lambda: iter([X[:0]]), "no rows"),
    "columns": (lambda: iter([X, X[:, :2]]), "do not go together"),
    "vectors": (lambda: iter([X[0]]), "do not go together"),
    "text": (lambda: iter([np.array([["a"]])]), "no numbers"),
    "table of text": (lambda: iter([pd.DataFrame({"a": ["x"], "b": [1.0]})]), "text in column 'a'"),
    "types": (lambda: iter([X.astype(np.float32), X]), "blocks of float32 and then of float64"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_refuses_blocks_that_are_no_rows(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_rows(make)


def saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


FILES: dict[str, tuple[str, bytes, str]] = {
    "vector": ("x.npy", saved(X[0]), "a matrix of numbers"),
    "text": ("x.npy", saved(np.array([["a"]])), "a matrix of numbers"),
    "complex": ("x.npy", saved(X + 1j), "a matrix of numbers"),
    "columns first": ("x.npy", saved(np.asfortranarray(X)), "column by column"),
    "no rows": ("x.npy", saved(X[:0]), "no rows"),
    "cut": ("x.npy", saved(X)[:-8], "ends before its last row"),
    "no array": ("x.npy", b"not an array", "no .npy file"),
    "nothing": ("x.npy", b"", "no .npy file"),
    "nothing, as text": ("x.csv", b"", "cannot be read as a table"),
    "header alone": ("x.csv", b"a,b\n", "no rows"),
    "words": ("x.csv", b"a,b\n1,x\n", "text in column 'b'"),
    "more cells than names": ("x.csv", b"a,b\n1,2,3\n4,5,6\n", "more cells than the 2 columns"),
    "another kind": ("x.xlsx", b"", "none of the files"),
}


@pytest.mark.parametrize(("name", "content", "words"), FILES.values(), ids=FILES)
def test_refuses_files_that_are_no_rows(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_rows(tmp_path / name)


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(saved(np.array([[print]], dtype=object)))
    with pytest.raises(DataError, match="a matrix of numbers"):
        open_rows(tmp_path / "x.npy")


def test_a_file_that_shrinks_while_it_is_read(rows: StoredRows) -> None:
    with open(rows.path, "r+b") as file:
        file.truncate(20_000)
    with pytest.raises(DataError, match="changed while it was read"):
        rows[:]
    with pytest.raises(DataError, match="changed while it was read"):
        rows[np.array([999])]


def test_no_such_file() -> None:
    with pytest.raises(DataError, match="no file"):
        open_rows("nowhere.npy")
