"""Tables with missing values and with columns that are not numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from emplus.cli.cells import MISSING
from emplus.cli.standardize import Scaling
from emplus.cli.table import Table, read_table
from emplus.cli.use import as_rows
from emplus.data.coding import Coding
from emplus.errors import DataError, UnknownNameError
from emplus.estimators.gaussian_mixture import GaussianMixture

Run = Callable[..., Result]
NAN = float("nan")


def table(tmp_path: Path, content: str, **options: Any) -> Table:
    (tmp_path / "t.csv").write_text(content)
    return read_table(str(tmp_path / "t.csv"), **options)


def frame_of(read: Table) -> pd.DataFrame:
    assert isinstance(read.data, pd.DataFrame)
    return read.data


# -- missing values ------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", [*MISSING, " ? ", '""', '" NA "', "  "])
@pytest.mark.parametrize("other", ["2.5", "red"])
def test_what_stands_for_a_missing_value(marker: str, other: str, tmp_path: Path) -> None:
    read = table(tmp_path, f"a,b\n{marker},1\n{other},2\n")
    column = pd.DataFrame(read.data).iloc[:, 0]
    assert column.isna().tolist() == [True, False]
    assert str(column.iloc[1]) == other


HOLES: list[tuple[str, list[list[float]], str]] = [
    ("a,b\n1,2\n3,\n", [[1, 2], [3, NAN]], "Column 'b' of .* missing .* row 2 \\(line 3\\)"),
    ("a,b\n1,2\n3\n", [[1, 2], [3, NAN]], "Column 'b' .* missing .* row 2 \\(line 3\\)"),
    ("a,b\n1,2\nNA,4\n", [[1, 2], [NAN, 4]], "Column 'a' .* \\(NaN\\) in row 2"),
    ("a,b\n\n1,2\n,\n3,\n", [[1, 2], [NAN, NAN], [3, NAN]], "Column 'a' .* row 2 \\(line 4\\)"),
    ("a,b\n,\n\n?,1\n", [[NAN, NAN], [NAN, 1]], "Column 'a' .* row 1 \\(line 2\\)"),
    ("1,?,3\n4,5,6\n", [[1, NAN, 3], [4, 5, 6]], "Column 'x1' .* row 1 \\(line 1\\)"),
    ("a,b\n,1\n,2\n", [[NAN, 1], [NAN, 2]], "Column 'a' .* row 1"),
    ("a,b\nTrue,1\n,2\n", [[1, 1], [NAN, 2]], "Column 'a' .* row 2"),
]


@pytest.mark.parametrize(("content", "rows", "pattern"), HOLES)
def test_holes_are_nan_and_have_a_place(
    content: str, rows: list[list[float]], pattern: str, tmp_path: Path
) -> None:
    read = table(tmp_path, content)
    assert read.X.dtype == np.float64
    np.testing.assert_array_equal(read.X, rows)
    with pytest.raises(DataError, match=pattern):
        read.complete()


def test_a_table_without_holes_is_complete(tmp_path: Path) -> None:
    for content in ("a,b\n1,2\n", "a,b\n1,x\n"):
        read = table(tmp_path, content)
        assert read.complete() is read


def test_the_line_of_a_cell_is_told_below_rows_of_delimiters(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"infinite \(inf\) in row 4 \(line 7\)"):
        table(tmp_path, ",,\na,b,c\n,,\n1,2,3\n\n,,\ninf,1,2\n")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_may_have_holes(suffix: str, tmp_path: Path) -> None:
    X = np.array([[1.0, 2.0], [NAN, 1.0]], dtype=np.float32)
    path = str(tmp_path / f"t.{suffix}")
    if suffix == "npy":
        np.save(path, X)
    else:
        np.savez(path, X=X)
    read = read_table(path)
    assert read.X.dtype == np.float32
    np.testing.assert_array_equal(read.X, X)
    with pytest.raises(DataError, match=r"Column 'x0' .* in row 2"):
        read.complete()


# -- text and truth values -----------------------------------------------------------------------

KINDS: list[tuple[list[str], str, list[Any]]] = [
    (["1", "2", "3"], "number", [1, 2, 3]),
    (["1", "?", "3.5"], "number", [1, None, 3.5]),
    (["1", " x ", "2"], "text", ["1", "x", "2"]),
    (["yes", "no", ""], "text", ["yes", "no", None]),
    (["true", "FALSE", "True"], "truth", [True, False, True]),
    (["True", "NA", "False"], "truth", [True, None, False]),
    (["1", "True", "2"], "text", ["1", "True", "2"]),
    (["1_000", "2", "3"], "text", ["1_000", "2", "3"]),
    (['"1,000"', "2", "3"], "text", ["1,000", "2", "3"]),
    (["1", "abc", "inf"], "text", ["1", "abc", "inf"]),
    (["2001-02-03", "soon", ""], "text", ["2001-02-03", "soon", None]),
]


@pytest.mark.parametrize(("cells", "kind", "values"), KINDS)
def test_a_column_is_what_its_cells_are(
    cells: list[str], kind: str, values: list[Any], tmp_path: Path
) -> None:
    # A second column of text makes it a frame in any case.
    read = table(tmp_path, "a,b\n" + "".join(f"{cell},z{i}\n" for i, cell in enumerate(cells)))
    column = frame_of(read)["a"]
    assert [None if pd.isna(value) else value for value in column] == values
    kinds = {"number": "continuous", "truth": "binary", "text": "categorical"}
    assert Coding.infer(read.data).kinds[0] == kinds[kind]


def test_numbers_and_truth_values_can_be_numbers(tmp_path: Path) -> None:
    read = table(tmp_path, "a,b\n1.5,true\n2,false\n")
    assert frame_of(read).dtypes.astype(str).tolist() == ["float64", "bool"]
    assert read.X.tolist() == [[1.5, 1], [2, 0]]


NOT_NUMBERS: list[tuple[str, str]] = [
    ("a,b\n1,2\n3,x\n", "Column 'b' of .* holds text in row 2 \\(line 3\\): 'x' is not a number"),
    ('a,b\n\n1,2\n"3\n",4\n5,y\n', "Column 'b' .* row 3 \\(line 6\\): 'y'"),
    ("a,b\n1,1_000\n", "'1_000' is not a number"),
    ("a\n1\nTrue\n2", "'True' is not a number"),
    ('a,b\n1,"1,000"\n', "'1,000' is not a number"),
    (f"a\n{'long' * 30}\n", "'longlong[a-z]*...' is not a number"),
]


@pytest.mark.parametrize(("content", "pattern"), NOT_NUMBERS)
def test_text_is_no_number(content: str, pattern: str, tmp_path: Path) -> None:
    read = table(tmp_path, content)
    with pytest.raises(DataError, match=pattern):
        _ = read.X


@pytest.mark.parametrize("other", ["x", "true"])
def test_infinity_is_refused_beside_text(other: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Column 'a' .* infinite .* row 2"):
        table(tmp_path, f"b,a\n{other},1\n{other},-inf\n")


NEARLY: list[tuple[int, int, bool]] = [(19, 1, False), (18, 1, False), (20, 1, True), (58, 3, True)]


@pytest.mark.parametrize(("numbers", "texts", "refused"), NEARLY)
def test_a_lone_error_in_a_column_of_numbers(
    numbers: int, texts: int, refused: bool, tmp_path: Path
) -> None:
    rows = [*(f"{i},1" for i in range(numbers)), *["?,1"] * 30, *["1o,1"] * texts]
    content = "a,b\n" + "\n".join(rows)
    if refused:
        line = f"row {numbers + 31} \\(line {numbers + 32}\\): '1o' is not .*--categorical 'a'"
        with pytest.raises(DataError, match=line):
            table(tmp_path, content)
    read = table(tmp_path, content, as_they_are=["a"])
    assert frame_of(read)["a"].dropna().iloc[0] == "0"
    with pytest.raises(UnknownNameError, match="did you mean 'a'"):
        table(tmp_path, content, as_they_are=["aa"])


def test_weights_are_numbers_though_the_data_are_not(tmp_path: Path) -> None:
    read = table(tmp_path, "a,w\nx,2\ny,0.5\n", weights_column="w")
    assert read.weights is not None
    assert read.weights.tolist() == [2, 0.5]
    with pytest.raises(DataError, match=r"Weights column 'w' .* in row 2"):
        table(tmp_path, "a,w\nx,2\ny,\n", weights_column="w")


def test_columns_of_text_come_in_the_order_of_the_model(tmp_path: Path) -> None:
    matched = table(tmp_path, "a,b,c\n1,x,\n").matched(["c", "b", "a"], 3)
    assert frame_of(matched).columns.tolist() == ["c", "b", "a"]
    assert matched.where(0) == "row 1 (line 2)"
    with pytest.raises(DataError, match=r"Column 'c' .* missing"):
        matched.complete()


def test_parquet_keeps_kinds(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    held = pd.DataFrame(
        {
            "i": [1, 2],
            "n": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": ["x", None],
            "c": pd.Categorical(["u", "v"], ["v", "u"]),
            "d": ["1", "2.5"],
            "e": pd.Series([None, None], dtype="str"),
            "t": pd.Series(["x", None], dtype=pd.ArrowDtype(pyarrow.string())),
            "l": [[1], [2]],
            "y": [b"1", b"2"],
        }
    )
    held.to_parquet(tmp_path / "t.parquet")
    read = frame_of(read_table(str(tmp_path / "t.parquet"), columns=list("inbscdet")))
    kinds = ["int64", "float64", "boolean", str(held["s"].dtype), "category", "float64", "float64"]
    assert [None if pd.isna(value) else value for value in read.pop("t")] == ["x", None]
    assert read.dtypes.astype(str).tolist() == kinds
    assert read["c"].cat.categories.tolist() == ["v", "u"]
    with pytest.raises(DataError, match=r"Column 'y' .* type bytes"):
        read_table(str(tmp_path / "t.parquet"), columns=["y"])
    with pytest.raises(DataError, match=r"Column 'l' .* holds text"):
        _ = read_table(str(tmp_path / "t.parquet"), columns=["l"]).X


# -- what estimators and commands do with them ---------------------------------------------------


class Taking(GaussianMixture):
    """An estimator that says that it takes text and missing values."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.allow_nan = True
        return tags


class Refusing(GaussianMixture):
    """An estimator that takes neither."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.allow_nan = False
        return tags


def test_estimators_get_what_they_say_they_take(tmp_path: Path) -> None:
    text = table(tmp_path, "a,b\n1,x\n,y\n")
    assert as_rows(text, Taking()).columns.tolist() == ["a", "b"]
    with pytest.raises(DataError, match=r"Column 'b' .* holds text in row 1"):
        as_rows(text, Refusing())
    holes = table(tmp_path, "1,2\n,3\n")
    np.testing.assert_array_equal(as_rows(holes, Taking()), [[1, 2], [NAN, 3]])
    with pytest.raises(DataError, match=r"Column 'x0' .* missing .* row 2"):
        as_rows(holes, Refusing())
    nameless = Table("text", pd.DataFrame({"x0": ["u", "v"]}), ("x0",), named=False)
    assert as_rows(nameless, Taking()).columns.tolist() == [0]


COMMANDS: list[list[str]] = [
    ["fit", "t.csv", "--family", "gaussian"],
    ["fit", "t.csv", "--family", "gaussian", "--standardize"],
    ["compare", "t.csv", "--family", "gaussian", "--searches", "em"],
    ["predict", "m.safetensors", "t.csv"],
    ["score", "m.safetensors", "t.csv"],
    ["plot", "m.safetensors", "t.csv", "--output", "p.png"],
]


@pytest.mark.parametrize("args", COMMANDS)
def test_commands_that_need_numbers_say_where_the_text_is(
    args: list[str], model: str, run: Run
) -> None:
    Path("t.csv").write_text("eruptions,waiting\n1,2\n3,often\n")
    result = run(*args)
    assert result.exit_code == 2
    assert "Column 'waiting' of 't.csv' holds text in row 2 (line 3): 'often'" in result.stderr
    assert "choose the number columns with --columns" in result.stderr


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 3.0]])
def test_columns_are_standardized_by_the_values_that_are_there(weights: Any) -> None:
    X = np.array([[1.0, NAN, NAN], [NAN, 4.0, NAN], [3.0, 5.0, NAN], [9.0, 8.0, NAN]])
    held = None if weights is None else np.array(weights)
    scaling = Scaling.of(Table("holes", X, ("a", "b", "c"), True, held))
    total = np.ones(4) if held is None else held
    for j in range(2):
        there = ~np.isnan(X[:, j])
        mean = np.average(X[there, j], weights=total[there])
        spread = np.average((X[there, j] - mean) ** 2, weights=total[there])
        np.testing.assert_allclose(scaling.shift[j], mean)
        np.testing.assert_allclose(scaling.scale[j], np.sqrt(spread))
        np.testing.assert_allclose(scaling.share[j], total[there].sum() / total.sum())
    assert (scaling.shift[2], scaling.scale[2], scaling.share[2]) == (0, 1, 0)
    expected = 4.0 * (scaling.share * np.log(scaling.scale)).sum()
    np.testing.assert_allclose(scaling.loss(4.0), expected)


# -- tables of surveys, votes and animals --------------------------------------------------------

DATA = Path(os.environ.get("EMPLUS_DATA", "")) / "latent_class"


@pytest.mark.skipif(not (DATA / "zoo.csv").is_file(), reason="the data are not on this machine")
def test_votes_and_animals_are_read_as_they_are() -> None:
    votes = read_table(str(DATA / "house_votes_84.csv"))
    coding = Coding.infer(votes.data)
    assert coding.levels == (2,) * 17
    assert votes.shape == (435, 17)
    assert np.isnan(coding.encode(votes.data)).sum() == 392
    coding = Coding.infer(read_table(str(DATA / "zoo.csv")).data)
    assert coding.levels == (0,) * 16 + (7,)
    assert coding.kinds.count("binary") == 15
