from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emplus.cli.table import Table, join_names, read_table, split_names
from emplus.errors import ArgumentError, DataError, DataWarning, EmplusError, UnknownNameError


def table(tmp_path: Path, content: str | bytes, name: str = "t.csv", **options: Any) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(str(path), **options)


READ: list[tuple[str, str | bytes, tuple[str, ...], list[list[float]], bool]] = [
    ("t.csv", "a,b\n1,2\n3,4\n", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "a,b\r\n1,2\r\n3,4", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "a,b\r1, 2 \r3,4\r", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "\ufeffa,b\n1,2\n", ("a", "b"), [[1, 2]], True),
    ("t.csv", "a;b\n1;2\n".encode("utf-16"), ("a", "b"), [[1, 2]], True),
    ("t.csv", '"a, x","b"\n"1","2.5"\n', ("a, x", "b"), [[1, 2.5]], True),
    ("t.csv", "a,b\n\n1,2\n \n3,4\n\n", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "\n\na\n1\n", ("a",), [[1]], True),
    ("t.csv", '"a\nb",c\n1,2\n', ("a\nb", "c"), [[1, 2]], True),
    ("t.csv", "a,b,\n1,2,\n3,4,\n", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "a,b\n1,2,\n3,4,\n", ("a", "b"), [[1, 2], [3, 4]], True),
    ("t.csv", "1,2\n3,4\n", ("x0", "x1"), [[1, 2], [3, 4]], False),
    ("t.csv", "-1e-3\n+.5\n", ("x0",), [[-0.001], [0.5]], False),
    ("t.tsv", "a,1\tb\n1\t2\n", ("a,1", "b"), [[1, 2]], True),
    ("t.txt", "a\tb\n1\t2\n", ("a", "b"), [[1, 2]], True),
    ("t.csv", "größe\n1\n", ("größe",), [[1]], True),
    (
        "t.csv",
        "a\n123456789012345678901234567890\n7\n",
        ("a",),
        [[1.2345678901234568e29], [7]],
        True,
    ),
]


@pytest.mark.parametrize(("name", "content", "names", "rows", "named"), READ)
def test_what_is_read(
    name: str,
    content: str | bytes,
    names: tuple[str, ...],
    rows: list[list[float]],
    named: bool,
    tmp_path: Path,
) -> None:
    read = table(tmp_path, content, name)
    assert read.names == names
    assert read.named is named
    assert read.X.dtype == np.float64
    assert read.X.tolist() == rows


REFUSED: list[tuple[str, str | bytes, str]] = [
    ("t.csv", "", "is empty"),
    ("t.csv", " \n\n", "is empty"),
    ("t.csv", "a,b\n", "has a header but no rows"),
    ("t.csv", "a,b\n1,inf\n3,4\n", "Column 'b' .* is infinite \\(inf\\) in row 1 \\(line 2\\)"),
    ("t.csv", "a,b\n1,-1e999\n3,4\n", "Column 'b' .* is infinite \\(-inf\\) in row 1"),
    ("t.csv", "a,b\n1,2\n3,4,5\n", "3 cells instead of 2 in line 3"),
    ("t.csv", "\n\na,b\n1,2\n3,4\n5,6,7\n", "3 cells instead of 2 in line 6"),
    ("t.csv", "a,b\n1,2,3\n", "2 column names but 3 cells in row 1"),
    ("t.csv", 'a,b\n1,"2\n', "never closed"),
    ("t.csv", "a,a\n1,2\n", "2 columns named 'a'"),
    ("t.csv", b"a,b\n1,2\n\xff,4\n", "no UTF-8 text \\(see line 3\\)"),
    ("t.csv", b"a\0b\n", "is not a table"),
    ("t.npz", b"PK\x03\x04" + b"junk" * 9, "damaged NPZ"),
    ("t.npy", b"\x93NUMPYjunk", "damaged NPY"),
    ("t.npy", b"1,2\n", "is not a NPY file"),
    ("t.parquet", b"junk", "is not a PARQUET file"),
    ("t.safetensors", b"junk", "is a saved model, not data"),
    ("t.csv", (99).to_bytes(8, "little") + b'{"a"', "is a saved model, not data"),
]


@pytest.mark.parametrize(("name", "content", "pattern"), REFUSED)
def test_what_is_refused(name: str, content: str | bytes, pattern: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=pattern):
        table(tmp_path, content, name)


@pytest.mark.parametrize("name", ["t.csv", "folder/t", "t.parquet", "m.safetensors"])
def test_a_missing_file_is_said(name: str) -> None:
    with pytest.raises(DataError, match="There is no file"):
        read_table(name)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_table(str(tmp_path))


def test_an_unknown_data_set_gets_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'faithful'"):
        read_table("faithfull")


def test_a_bundled_name_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faithful").mkdir()  # a folder of that name is in nobody's way
    read = read_table("faithful")
    assert read.names == ("eruptions", "waiting")
    assert read.X.shape == (272, 2)


def test_a_file_goes_before_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, "a\n1\n", "faithful")
    assert read_table("faithful").names == ("a",)


def test_row_names_are_left_out_and_said(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="taken for row names"):
        read = table(tmp_path, '"","a","b"\n"1",1,2\n"2",3,4\n')
    assert read.names == ("a", "b")
    assert read.X.tolist() == [[1, 2], [3, 4]]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(X=arrays(np.float64, (3, 2), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_csv_to_the_last_bit(tmp_path: Path, X: Any) -> None:
    content = pd.DataFrame(X, columns=["a", "b"]).to_csv(index=False)
    assert np.array_equal(table(tmp_path, content).X, X)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=60), st.text('ab1.,;"\n\r\t -', max_size=60)))
def test_whatever_is_in_a_file_gives_a_table_or_a_sentence(
    tmp_path: Path, content: bytes | str
) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            read = table(tmp_path, content)
    except EmplusError:
        return
    assert read.shape[1] == len(read.names) > 0
    held = read.data
    plain = held.select_dtypes("number").to_numpy() if isinstance(held, pd.DataFrame) else held
    assert not np.isinf(plain).any()
    with contextlib.suppress(DataError):  # text is no number
        assert read.X.shape == read.shape


# -- columns and weights -------------------------------------------------------------------------


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    read = table(tmp_path, "a,b,c\n1,x,3\n", columns=["c", "a"])
    assert read.names == ("c", "a")
    assert read.X.tolist() == [[3, 1]]


def test_weights_are_no_data(tmp_path: Path) -> None:
    read = table(tmp_path, "a,w,b\n1,2,3\n4,0,6\n", weights_column="w")
    assert read.names == ("a", "b")
    assert read.weights is not None
    assert read.weights.tolist() == [2, 0]


WEIGHTS: list[tuple[str, str]] = [
    ("a,w\n1,1\n2,-1\n", "negative \\(-1\\) in row 2 \\(line 3\\)"),
    ("a,w\n1,0\n2,0\n", "is 0 in every row"),
    ("a,w\n1,1\n2,\n", "Weights column 'w' .* \\(NaN\\) in row 2"),
    ("a,w\n1,inf\n2,1\n", "Weights column 'w' .* infinite"),
    ("w\n1\n", "no columns besides the weights"),
    ("a,w\n1,heavy\n", "holds text"),
]


@pytest.mark.parametrize(("content", "pattern"), WEIGHTS)
def test_weights_that_cannot_be(content: str, pattern: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=pattern):
        table(tmp_path, content, weights_column="w")


def test_unknown_columns_get_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'eruptions'"):
        table(tmp_path, "eruptions,waiting\n1,2\n", columns=["eruption"])
    with pytest.raises(UnknownNameError, match="did you mean 'weight'"):
        table(tmp_path, "a,weight\n1,2\n", weights_column="weigth")
    with pytest.raises(ArgumentError, match="data and weights at once"):
        table(tmp_path, "a,b\n1,2\n", columns=["a", "b"], weights_column="b")


@pytest.mark.parametrize(
    ("text", "names"), [("a,b", ["a", "b"]), (" a , b ", ["a", "b"]), ('"a,b",c', ["a,b", "c"])]
)
def test_lists_of_names(text: str, names: list[str]) -> None:
    assert split_names(text) == names
    assert split_names(join_names(names)) == names


@pytest.mark.parametrize("text", ["", ",", "a,", "a,,b", "a,a"])
def test_lists_that_are_none(text: str) -> None:
    with pytest.raises(ArgumentError, match="--columns"):
        split_names(text)


def make(names: str, named: bool = True) -> Table:
    X = np.arange(2.0 * len(names)).reshape(2, -1)
    return Table("the data", X, tuple(names), named)


def test_columns_are_brought_into_the_order_of_the_model() -> None:
    matched = make("abc").matched(["c", "a", "b"], 3)
    assert matched.names == ("c", "a", "b")
    assert matched.X.tolist() == [[2, 0, 1], [5, 3, 4]]
    assert make("abc").matched(["a", "b", "c"], 3).X.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert make("abc", named=False).matched(["u", "v", "w"], 3).names == ("a", "b", "c")
    assert make("abc").matched(None, 3).names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["a", "d"], "lacks the column 'd'"),
        (["a", "b"], "has the column 'c' that the model was not fitted on; .*--columns 'a,b'"),
        (["d", "e"], "lacks the columns 'd', 'e'"),
    ],
)
def test_other_columns_than_the_models(names: list[str], pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        make("abc").matched(names, 2)


def test_another_number_of_columns_than_the_models() -> None:
    with pytest.raises(DataError, match="has 3 columns, but the model was fitted on 2"):
        make("abc").matched(None, 2)
    with pytest.raises(DataError, match="has 3 columns, but the model was fitted on 2"):
        make("abc", named=False).matched(["a", "b"], 2)


# -- binary formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool", "float16"])
def test_npy(dtype: str, tmp_path: Path) -> None:
    X = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    np.save(tmp_path / "t.npy", X)
    read = read_table(str(tmp_path / "t.npy"))
    assert read.X.dtype == (np.float32 if dtype == "float32" else np.float64)
    assert read.X.tolist() == X.astype(float).tolist()
    assert read.names == ("x0", "x1")
    assert not read.named


def test_npy_of_one_axis_is_a_column(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(3.0))
    assert read_table(str(tmp_path / "t.npy")).X.tolist() == [[0], [1], [2]]


def test_npz_with_x(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.eye(2), y=np.arange(2))
    assert read_table(str(tmp_path / "t.npz"), columns=["x1"]).X.tolist() == [[0], [1]]


def test_a_wrong_suffix_does_no_harm(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.eye(2))
    (tmp_path / "t.npy").rename(tmp_path / "t.csv")
    assert read_table(str(tmp_path / "t.csv")).X.tolist() == [[1, 0], [0, 1]]


NUMPY: list[tuple[Any, str]] = [
    (np.zeros((2, 2, 2)), "3 axes"),
    (np.array(3.0), "0 axes"),
    (np.array([["a", "b"]]), "not numbers"),
    (np.array([[1j]]), "not numbers"),
    (np.array([[1, None]], dtype=object), "Python objects"),
    (np.array([[1.0, 2.0], [3.0, np.inf]], dtype=np.float32), "Column 'x1' .* in row 2"),
    (np.zeros((0, 2)), "no rows"),
    (np.zeros((2, 0)), "no columns"),
]


@pytest.mark.parametrize(("array", "pattern"), NUMPY)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_that_are_no_tables(array: Any, pattern: str, suffix: str, tmp_path: Path) -> None:
    path = str(tmp_path / f"t.{suffix}")
    if suffix == "npy":
        np.save(path, array)
    else:
        np.savez(path, X=array)
    with pytest.raises(DataError, match=pattern):
        read_table(path)


def test_npz_without_x_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", train=np.eye(2), test=np.eye(2))
    with pytest.raises(DataError, match="no array X; it holds train, test"):
        read_table(str(tmp_path / "t.npz"))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_truncated_arrays(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    if suffix == "npy":
        np.save(path, np.eye(20))
    else:
        np.savez_compressed(path, X=np.random.default_rng(0).random((20, 20)))
    whole = path.read_bytes()
    for length in range(8, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"damaged|not a table|no UTF-8"):
            read_table(str(path))


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {"a": [1, 2], "b": [0.5, 1.5], "c": ["x", "y"], "d": pd.array([1, None], dtype="Int64")}
    )
    path = str(tmp_path / "t.parquet")
    frame.to_parquet(path)
    read = read_table(path, columns=["b", "a"])
    assert read.X.tolist() == [[0.5, 1], [1.5, 2]]
    assert read.named
    with pytest.raises(DataError, match=r"Column 'c' .* holds text in row 1: 'x'"):
        _ = read_table(path).X
    with pytest.raises(DataError, match=r"Column 'd' .* in row 2"):
        read_table(path, columns=["d"]).complete()
    Path(path).write_bytes(Path(path).read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged Parquet"):
        read_table(path)


def test_parquet_keeps_float32_and_refuses_dates(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"a": np.ones(2, np.float32), "t": pd.to_datetime(["2001", "2002"])}).to_parquet(
        path
    )
    assert read_table(path, columns=["a"]).X.dtype == np.float32
    with pytest.raises(DataError, match=r"Column 't' .* type datetime"):
        read_table(path)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emplus.cli.parsers.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'emplus\[parquet\]'"):
        table(tmp_path, b"PAR1....", "t.parquet")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"a,b\n1,2\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    read = read_table("-")
    assert read.source == "standard input"
    assert read.X.tolist() == [[1, 2]]
