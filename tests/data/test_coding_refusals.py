"""Tables that cannot be coded: a sentence that names the column, the row and the value."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from emplus.data.coding import Coding
from emplus.errors import ArgumentError, DataError, DataWarning, UnknownNameError

NAN = float("nan")
INF = float("inf")


def column(held: Any, dtype: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"z": [0.5, *[1.5] * (len(held) - 1)], "a": pd.Series(held, dtype=dtype)})


many = [f"user {i}" for i in range(1001)]
INFERRED: list[tuple[Any, dict[str, Any], str]] = [
    (column([NAN, NAN]), {}, "Column 'a' has no values: all of its entries are missing"),
    (column([None, None], object), {}, "Column 'a' has no values"),
    (column([None, None], "category"), {}, "Column 'a' has no values"),
    (column([1.5, INF]), {}, "Column 'a' contains inf .* in row 1"),
    (column([1, -INF], object), {}, "Column 'a' contains inf .* in row 1"),
    (column([-INF, 1.0]), {"categorical": "a"}, "Column 'a' contains inf .* in row 0"),
    (column([1.0, INF]), {"binary": "a"}, "Column 'a' contains inf .* in row 1"),
    (column(["x", INF], object), {}, "Column 'a' contains inf .* in row 1"),
    (column([1j, 2]), {}, "Column 'a' holds complex numbers"),
    (column([1j, 2], object), {}, "Column 'a' holds complex numbers"),
    (column(pd.to_datetime(["2001", "2002"])), {}, "Column 'a' holds dates .*days since"),
    (column(pd.to_datetime(["2001", "2002"], utc=True)), {}, "Column 'a' holds dates"),
    (column(pd.to_timedelta([1, 2], unit="D")), {}, "Column 'a' holds dates or times \\(timedelta"),
    (column(pd.period_range("2001", periods=2, freq="Y")), {}, "Column 'a' holds dates .*period"),
    (column([date(2001, 1, 1), None], object), {}, "Column 'a' holds dates"),
    (column(pd.to_datetime(["2001", "2002"])), {"categorical": "a"}, "Column 'a' holds dates"),
    (column(many), {}, "Column 'a' has 1,001 categories, more than 1,000; it may be an identifier"),
    (column(range(1001)), {"categorical": "a"}, "Column 'a' has 1,001 categories"),
    (column(["x", "1"]), {"continuous": "a"}, "'a' is to be continuous, but it holds 'x' in row 0"),
    (column(["1", "x"], "category"), {"continuous": "a"}, "it holds 'x' in row 1, which is not"),
    (column(["1", [2]], object), {"continuous": "a"}, "values that are neither text"),
    (column([1, 2, 3]), {"binary": "a"}, "'a' is to be binary, but it holds 3 values: 1, 2, 3;"),
    (column(list("abcd")), {"binary": "a"}, "4 values: 'a', 'b', 'c', \\.\\.\\.; take it as cat"),
    (column([[1], [2]]), {}, "Column 'a' holds values that are neither text, numbers nor truth"),
    (column([b"x", b"y"]), {}, "Column 'a' holds b'x', a value of type bytes"),
    (column(pd.cut([1.0, 2.0], 2)), {}, "Column 'a' holds Interval.* Turn the column into text"),
    (pd.DataFrame(), {}, "no columns"),
    (pd.DataFrame({"a": []}), {}, "no rows"),
    (np.zeros((0, 2)), {}, "no rows"),
    (np.zeros((2, 0)), {}, "no columns"),
    (np.zeros(3), {}, "2 axes; this ndarray has 1"),
    (np.zeros((2, 2, 2)), {}, "2 axes; this ndarray has 3"),
    (pd.Series([1.5, 2.5]), {}, "2 axes; this Series has 1"),
    (sparse.eye(3).tocsr(), {}, "2 axes; this csr_"),
    (np.array([[1j]]), {}, "values of type complex128"),
    (np.array([[b"x"]]), {}, "values of type"),
    ([[1, 2], [3]], {}, "unequal lengths"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "2 columns are named 'a'"),
]


@pytest.mark.parametrize(("table", "given", "pattern"), INFERRED)
def test_what_cannot_be_inferred(table: Any, given: dict[str, Any], pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        Coding.infer(table, **given)


def test_a_thousand_categories_are_not_too_many() -> None:
    assert Coding.infer(column(many[:1000])).levels == (0, 1000)


GIVEN: list[tuple[Any, dict[str, Any], str]] = [
    (column([1, 2]), {"binary": "a", "categorical": ["a"]}, "'a' is listed as binary and as cat"),
    (column([1, 2]), {"continuous": [1], "binary": "a"}, "'a' is listed as continuous and as bi"),
    (column([1, 2]), {"binary": [2]}, "binary holds 2; places of columns are 0 to 1"),
    (column([1, 2]), {"binary": [-1]}, "binary holds -1; places"),
    (column([1, 2]), {"binary": [True]}, "binary holds True; places"),
    (column([1, 2]), {"categorical": [1.0]}, "categorical holds 1.0, no column's name or place"),
    (np.ones((2, 2)), {"binary": ["a"]}, "binary names column 'a', but the table has no names"),
    (pd.DataFrame([[1, 2]], columns=["a", 0]), {}, "0 is of type int; use frame.columns.astype"),
]


@pytest.mark.parametrize(("table", "given", "pattern"), GIVEN)
def test_arguments_that_cannot_be(table: Any, given: dict[str, Any], pattern: str) -> None:
    with pytest.raises(ArgumentError, match=pattern):
        Coding.infer(table, **given)


def test_an_unknown_column_gets_the_nearest_name() -> None:
    frame = pd.DataFrame({"colour": ["x", "y"], "age": [1.5, 2.5]})
    with pytest.raises(UnknownNameError, match="Unknown column 'color'; did you mean 'colour'"):
        Coding.infer(frame, categorical=["color"])


ALONE: list[tuple[pd.DataFrame, dict[str, Any], str]] = [
    (column(["x", "x"]), {}, "^Column 'a' has one value only and tells nothing"),
    (column([True, True]), {}, "^Column 'a' has one value only"),
    (column([0, 0]), {}, "^Column 'a' has one value only"),
    (column(["x", None]), {"binary": "a"}, "^Column 'a' has one value only"),
    (pd.DataFrame({"a": ["x"] * 2, "b": ["y"] * 2}), {}, "^Column 'a', column 'b' have one value"),
]


@pytest.mark.parametrize(("table", "given", "pattern"), ALONE)
def test_a_column_of_one_value_is_said(
    table: pd.DataFrame, given: dict[str, Any], pattern: str
) -> None:
    with pytest.warns(DataWarning, match=pattern) as caught:
        coding = Coding.infer(table, **given)
    assert len(caught) == 1
    assert set(coding.encode(table)[:, -1][table.iloc[:, -1].notna()]) <= {0, 1}


FIRST = pd.DataFrame({"x": [1.5, 2.5], "s": ["u", "v"], "b": [0, 1]})
ENCODED: list[tuple[Any, str]] = [
    (FIRST[["x", "s"]], "feature names should match .* the table lacks 'b'\\.$"),
    (FIRST.assign(q=1, r=2), "'q', 'r' were not there at the fit"),
    (FIRST.rename(columns={"x": "q"}), "the table lacks 'x'; 'q' was not there"),
    (FIRST.to_numpy()[:, :2], "has 2 columns .*, but there were 3 at the fit"),
    (FIRST.assign(x=[1.5, INF]), "Column 'x' contains inf .* row 1"),
    (FIRST.assign(b=[INF, 1]), "Column 'b' contains inf .* row 0"),
    (FIRST.assign(s=pd.Series(["u", INF], dtype=object)), "Column 's' contains inf .* row 1"),
    (FIRST.assign(x=["1", "two"]), "Column 'x' is to be continuous, .* 'two' in row 1"),
    (FIRST.assign(x=["t" * 99, "1"]), "it holds 't+\\.\\.\\.' in row 0"),
    (FIRST.assign(x=pd.to_datetime(["2001", "2002"])), "Column 'x' holds dates"),
    (FIRST.assign(s=pd.to_datetime(["2001", "2002"])), "Column 's' holds dates"),
    (
        FIRST.assign(s=pd.Series([["u"], ["v"]], dtype=object)),
        "Column 's' holds values that are neither",
    ),
    (FIRST.assign(x=[1j, 2]), "Column 'x' holds complex"),
]


@pytest.mark.parametrize(("table", "pattern"), ENCODED)
def test_what_cannot_be_encoded(table: Any, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        Coding.infer(FIRST).encode(table)


DECODED: list[tuple[Any, str]] = [
    (np.zeros((2, 2)), "codes have shape \\(2, 2\\); it must be \\(n, 3\\)"),
    (np.zeros(3), "codes have shape \\(3,\\)"),
    ([[0, 0, 0], [0, 2, 0]], "Column 's' has 2 categories, coded 0 to 1, but row 1 holds 2"),
    ([[0, -1, 0]], "row 0 holds -1"),
    ([[0, 0, 1.75]], "Column 'b' .* row 0 holds 1.75"),
    ([[0, INF, 0]], "row 0 holds inf"),
]


@pytest.mark.parametrize(("codes", "pattern"), DECODED)
def test_what_cannot_be_decoded(codes: Any, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        Coding.infer(FIRST).decode(codes)
