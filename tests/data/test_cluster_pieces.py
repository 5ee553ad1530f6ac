"""Files cut into pieces: together the pieces hold every row once, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from emplus.data import cluster_pieces
from emplus.data.cluster_files import files_of
from emplus.data.cluster_pieces import Piece, read_piece
from emplus.errors import DataError

X = np.random.default_rng(0).standard_normal((403, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
FRAME.loc[::5, "b"] = np.nan


@pytest.fixture(autouse=True)
def small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster_pieces, "_LEAST", 700)


def whole(place: str, chosen: list[int], beside: list[int]) -> tuple[Any, Any, int]:
    files = files_of(place)
    assert len(files.pieces) > 1
    found = [read_piece(piece, chosen, beside, files.names) for piece in files.pieces]
    rows = np.concatenate([np.asarray(one.rows) for one in found])
    holes = np.array([one.holes for one in found]).sum(axis=0)
    missing = np.isnan(rows)
    assert_array_equal(holes, [missing.sum(), missing.any(axis=1).sum()])
    return rows, np.concatenate([one.beside for one in found]), len(found)


def write(name: str, frame: pd.DataFrame = FRAME) -> str:
    match Path(name).suffix:
        case ".csv":
            frame.to_csv(name, index=False)
        case ".tsv":
            frame.to_csv(name, index=False, sep="\t", lineterminator="\r\n")
        case ".parquet":
            frame.to_parquet(name, row_group_size=40)
    return name


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_the_pieces_of_a_table_are_the_table(name: str) -> None:
    rows, beside, _ = whole(write(name), [2, 1], [0])
    assert_array_equal(rows, FRAME[["c", "b"]].to_numpy())
    assert_array_equal(beside, FRAME[["a"]].to_numpy())


@pytest.mark.parametrize("length", [100, 333, 699, 700, 701, 1001])
def test_a_line_belongs_to_one_piece_wherever_the_cuts_are(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_pieces, "_LEAST", length)
    monkeypatch.setattr(cluster_pieces, "_PIECES", 10**9)
    frame = pd.DataFrame({"n": 10 ** (np.arange(900) % 12), "m": np.arange(900)})
    text = frame.to_csv(index=False)
    # With and without an end of the last line, and with empty lines, which are no rows.
    for content in (text, text[:-1], "\n" + text.replace("\n", "\n\n")):
        Path("n.csv").write_text(content, encoding="utf-8")
        rows, _, count = whole("n.csv", [0, 1], [])
        assert_array_equal(rows, frame.to_numpy())
        assert count >= len(text) // length


@pytest.mark.parametrize("kind", [">f8", "f2", "f4", "i4", "?", "F"])
def test_arrays_of_every_type_are_read(kind: str) -> None:
    rows = np.asfortranarray(X) if kind == "F" else (X * 3).astype(kind)
    np.save("x.npy", rows)
    found, beside, _ = whole("x.npy", [0, 1, 2], [1])
    assert_array_equal(found, rows)
    assert_array_equal(beside, rows[:, [1]])
    assert found.dtype.isnative
    assert found.dtype != np.float16
    assert_array_equal(whole("x.npy", [2, 0], [])[0], rows[:, [2, 0]])


def test_patterns_stand_for_files_in_the_order_of_their_names() -> None:
    for number, own in enumerate(np.array_split(np.arange(403), 3)):
        write(f"part{number}.csv", FRAME.iloc[own])
    rows, _, _ = whole("part*.csv", [0, 1, 2], [])
    assert_array_equal(rows, FRAME.to_numpy())
    write("part3.csv", FRAME[["a", "c", "b"]])
    with pytest.raises(DataError, match="differ in their columns"):
        files_of("part*.csv")
    write("part4.parquet")
    with pytest.raises(DataError, match=r"several kinds: \.csv, \.parquet"):
        files_of("part*")


REFUSED = {
    "none": ("none.npy", "no file 'none.npy'"),
    "another kind": ("notes.txt", "'notes.txt' is none"),
    "no matrix": ("flat.npy", "a matrix of numbers"),
    "objects": ("objects.npy", "cannot be read"),
    "cut off": ("cut.npy", "cannot be read"),
    "no parquet": ("no.parquet", "cannot be read"),
    "nothing": ("empty.csv", "cannot be read"),
    "a name": ("name.csv", "line break within a name"),
}


@pytest.mark.parametrize(("name", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_a_sentence(name: str, words: str) -> None:
    np.save("flat.npy", X[0])
    np.save("objects.npy", np.array([["a", 1]], dtype=object))
    np.save("x.npy", X)
    Path("cut.npy").write_bytes(Path("x.npy").read_bytes()[:-9])
    for other in ("notes.txt", "no.parquet", "empty.csv"):
        Path(other).write_bytes(b"")
    Path("name.csv").write_text('a,"b\nc"\n1,2\n', encoding="utf-8")
    with pytest.raises(DataError, match=words) as found:
        files_of(name)
    assert "\n" not in str(found.value)


def refused(content: str) -> str:
    Path("t.csv").write_text(content, encoding="utf-8")
    (piece,) = files_of("t.csv").pieces
    with pytest.raises(DataError) as found:
        read_piece(piece, [0, 1], [], ("a", "b"))
    return str(found.value)


def test_what_a_worker_cannot_read_is_a_sentence() -> None:
    assert "text in column 'b'" in refused("a,b\n1,x\n2,3\n")
    assert "line breaks within quotes" in refused('a,b\n1,"x\n')
    assert "Expected 2 fields" in refused("a,b\n1,2\n1,2,3\n")
    assert "more or fewer cells than the 2 columns" in refused("a,b\n1,2,3\n4,5,6\n")
    assert "more or fewer cells than the 2 columns" in refused("a,b\n1,2,\n4,5,\n")
    assert "more or fewer cells than the 2 columns" in refused("a,b\n1,2\n4\n")
    gone = Piece(str(Path("gone.npy").absolute()), 0, 3)
    with pytest.raises(DataError, match=r"gone\.npy' cannot be read by a worker"):
        read_piece(gone, [0], [], None)
