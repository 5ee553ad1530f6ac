"""Tables to numbers and back: kinds, codes, types."""

from __future__ import annotations

import json
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emplus.data.coding import Coding
from emplus.errors import DataError, DataWarning

NAN = float("nan")
pyarrow = pytest.importorskip("pyarrow")


def stored(coding: Coding) -> Coding:
    """The coding after a way through JSON."""
    return Coding.from_json(json.loads(json.dumps(coding.to_json(), allow_nan=False)))


def values(column: Any) -> list[Any]:
    return [None if pd.isna(value) else value for value in column]


# dtype, values, kind, codes; None is a missing value in whatever way the type has it.
COLUMNS: list[tuple[Any, list[Any], str, list[float]]] = [
    ("float64", [1.5, None, -2.0], "continuous", [1.5, NAN, -2]),
    ("float32", [0.5, None, 2.0], "continuous", [0.5, NAN, 2]),
    ("float16", [0.5, None, 2.0], "continuous", [0.5, NAN, 2]),
    ("int64", [3, 7, -1], "continuous", [3, 7, -1]),
    ("uint8", [3, 7, 255], "continuous", [3, 7, 255]),
    ("Int64", [3, None, -1], "continuous", [3, NAN, -1]),
    ("UInt16", [3, None, 1], "continuous", [3, NAN, 1]),
    ("Float64", [0.5, None, -1.0], "continuous", [0.5, NAN, -1]),
    ("int32[pyarrow]", [3, None, -1], "continuous", [3, NAN, -1]),
    ("double[pyarrow]", [3.5, None, -1], "continuous", [3.5, NAN, -1]),
    ("object", [1, None, 2.5], "continuous", [1, NAN, 2.5]),
    ("object", [1, None, 3], "continuous", [1, NAN, 3]),
    ("bool", [True, False, True], "binary", [1, 0, 1]),
    ("boolean", [True, None, False], "binary", [1, NAN, 0]),
    ("bool[pyarrow]", [True, None, False], "binary", [1, NAN, 0]),
    ("object", [True, None, False], "binary", [1, NAN, 0]),
    ("int64", [0, 1, 1], "binary", [0, 1, 1]),
    ("float64", [0.0, None, 1.0], "binary", [0, NAN, 1]),
    ("float32", [0.0, None, 1.0], "binary", [0, NAN, 1]),
    ("Int8", [0, None, 1], "binary", [0, NAN, 1]),
    ("Float32", [0.0, None, 1.0], "binary", [0, NAN, 1]),
    ("int64[pyarrow]", [0, None, 1], "binary", [0, NAN, 1]),
    ("object", [0, None, 1], "binary", [0, NAN, 1]),
    ("object", ["no", None, "yes"], "categorical", [0, NAN, 1]),
    ("object", ["b", "a", None, "b"], "categorical", [1, 0, NAN, 1]),
    ("object", ["1", 2.5, None, 1, ""], "categorical", [3, 1, NAN, 0, 2]),
    ("object", ["1", "0", "1"], "categorical", [1, 0, 1]),
    ("str", ["b", None, "a"], "categorical", [1, NAN, 0]),
    ("string", ["b", None, "a"], "categorical", [1, NAN, 0]),
    ("string[pyarrow]", ["b", None, "a"], "categorical", [1, NAN, 0]),
    (pd.ArrowDtype(pyarrow.string()), ["b", None, "a"], "categorical", [1, NAN, 0]),
    ("category", ["b", None, "a"], "categorical", [1, NAN, 0]),
    ("category", [20, None, 3], "categorical", [1, NAN, 0]),
    (
        pd.CategoricalDtype(["lo", "mid", "hi"], True),
        ["hi", None, "lo"],
        "categorical",
        [1, NAN, 0],
    ),
    (pd.CategoricalDtype([2.5, 0.5]), [0.5, None, 2.5], "categorical", [1, NAN, 0]),
    (pd.CategoricalDtype([True, False]), [True, None, False], "categorical", [0, NAN, 1]),
]


@pytest.mark.parametrize(("dtype", "held", "kind", "codes"), COLUMNS)
def test_columns_of_a_frame(dtype: Any, held: list[Any], kind: str, codes: list[float]) -> None:
    frame = pd.DataFrame({"a": pd.Series(held, dtype=dtype)})
    coding = Coding.infer(frame)
    assert (coding.kinds, coding.names) == ((kind,), ("a",))
    count = len(set(values(frame["a"])) - {None})
    assert coding.levels == (count if kind == "categorical" else 0,)
    X = coding.encode(frame)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X[:, 0], codes)
    assert stored(coding) == coding
    back = stored(coding).decode(X)
    assert values(back["a"]) == values(frame["a"])
    again = frame["a"].dtype
    if not isinstance(again, pd.ArrowDtype):  # of which pandas makes its own text type
        assert back["a"].dtype == again
    np.testing.assert_array_equal(coding.encode(back), X)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, Decimal("nan")])
@pytest.mark.parametrize("held", [["u", "v"], [1.5, 2], [True, False], [Decimal("0.5"), 2]])
def test_what_stands_for_a_missing_value(missing: Any, held: list[Any]) -> None:
    frame = pd.DataFrame({"a": pd.Series([held[0], missing, held[1]], dtype=object)})
    X = Coding.infer(frame).encode(frame)
    assert np.isnan(X[:, 0]).tolist() == [False, True, False]
    array = frame.to_numpy()
    np.testing.assert_array_equal(Coding.infer(array).encode(array), X)


ARRAYS: list[tuple[Any, tuple[str, ...]]] = [
    (np.array([[0.5, 1.0], [NAN, 0.0]]), ("continuous", "binary")),
    (np.array([[0.5, 1.0], [2.0, 0.0]], dtype=np.float32), ("continuous", "binary")),
    (np.array([[5, 1], [-7, 0]], dtype=np.int16), ("continuous", "binary")),
    (np.array([[5, 1], [7, 0]], dtype=np.uint64), ("continuous", "binary")),
    (np.array([[True, False], [False, True]]), ("binary", "binary")),
    (np.array([["x", "1"], ["y", "2"]]), ("categorical", "categorical")),
    (np.array([["x", 1.5], [None, 2]], dtype=object), ("categorical", "continuous")),
    (np.array([[True, None], [False, 2], [None, 1]], dtype=object), ("binary", "continuous")),
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("array", "kinds"), ARRAYS)
@pytest.mark.filterwarnings("ignore:.*one value only")
def test_arrays_come_back_as_arrays(array: Any, kinds: tuple[str, ...], order: Any) -> None:
    array = np.asarray(array, order=order)
    coding = Coding.infer(array)
    assert (coding.kinds, coding.names) == (kinds, None)
    back = stored(coding).decode(coding.encode(array))
    assert isinstance(back, np.ndarray)
    assert back.dtype == array.dtype
    assert [values(row) for row in back] == [values(row) for row in array]


def test_arrays_without_missing_values_of_their_own_become_floats_or_objects() -> None:
    whole = Coding.infer(np.array([[3, 0], [5, 1]]))
    np.testing.assert_array_equal(whole.decode(np.array([[2.5, NAN]])), [[2.5, NAN]])
    text = Coding.infer(np.array([["x", "u"], ["y", "v"]]))
    assert text.decode(np.array([[1.0, NAN]])).tolist() == [["y", None]]


def test_lists_and_masked_arrays_are_tables() -> None:
    rows = [["x", 1.5], ["y", 2]]
    coding = Coding.infer(rows)
    assert coding.kinds == ("categorical", "continuous")
    assert coding.encode(rows).tolist() == [[0, 1.5], [1, 2]]
    for held in (np.array([[1, 2], [3, 5]]), np.array([["a", "b"], ["c", "d"]], dtype=object)):
        masked = np.ma.masked_array(held, [[False, True], [False, False]])
        X = Coding.infer(held).encode(masked)
        assert np.isnan(X).tolist() == [[False, True], [False, False]]


class Interchanged:
    """A frame that only speaks the interchange protocol."""

    def __init__(self, frame: pd.DataFrame):
        self._frame: Any = frame

    def __dataframe__(self, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._frame.__dataframe__(**options)


class Lacking(Interchanged):
    """A frame that lacks what it would need to become one of pandas itself."""

    def to_pandas(self) -> pd.DataFrame:
        raise ModuleNotFoundError("pyarrow")


def test_tables_of_other_makes() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5, NAN], "b": ["x", "y", "x"], "c": [True, False, True]})
    coding = Coding.infer(frame)
    X = coding.encode(frame)
    arrow = pyarrow.Table.from_pandas(frame)
    for other in (arrow, Interchanged(frame), Lacking(frame)):
        assert Coding.infer(other).kinds == coding.kinds
        np.testing.assert_array_equal(Coding.infer(other).encode(other), X)
        np.testing.assert_array_equal(coding.encode(other), X)


def test_sparse_columns_are_written_out() -> None:
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 2.0, 0.0])})
    coding = Coding.infer(frame)
    assert coding.encode(frame).tolist() == [[0], [2], [0]]
    assert coding.decode(np.array([[1.5]]))["a"].tolist() == [1.5]


# -- kinds that a person gives -------------------------------------------------------------------

GIVEN: list[tuple[Any, str, list[Any], list[float]]] = [
    ("binary", "int64", [2, 1, 2], [1, 0, 1]),
    ("binary", "float64", [2.0, None, 1.0], [1, NAN, 0]),
    ("binary", "str", ["yes", "no", None], [1, 0, NAN]),
    ("binary", "category", ["yes", "no", None], [1, 0, NAN]),
    ("binary", "category", [0, 1, None], [0, 1, NAN]),
    ("categorical", "int64", [7, 2, 7], [1, 0, 1]),
    ("categorical", "float64", [7.5, None, 2.0], [1, NAN, 0]),
    ("categorical", "Int64", [7, None, 2], [1, NAN, 0]),
    ("categorical", "int64", [2**62 + 1, 2**62, 0], [2, 1, 0]),
    ("categorical", "bool", [True, False, True], [1, 0, 1]),
    ("categorical", "int64", [0, 1, 1], [0, 1, 1]),
    ("continuous", "int64", [0, 1, 1], [0, 1, 1]),
    ("continuous", "float64", [0.0, 1.0, None], [0, 1, NAN]),
]


@pytest.mark.parametrize(("kind", "dtype", "held", "codes"), GIVEN)
@pytest.mark.parametrize("by", ["name", "place", "alone", "array"])
def test_kinds_may_be_given(
    kind: str, dtype: str, held: list[Any], codes: list[float], by: str
) -> None:
    frame = pd.DataFrame({"z": [1.5] * len(held), "a": pd.Series(held, dtype=dtype)})
    chosen: Any = {"name": ["a"], "place": [1], "alone": "a", "array": np.array([1])}[by]
    coding = Coding.infer(frame, **{kind: chosen})
    assert coding.kinds == ("continuous", kind)
    X = coding.encode(frame)
    np.testing.assert_array_equal(X[:, 1], codes)
    back = stored(coding).decode(X)
    assert back["a"].dtype == frame["a"].dtype
    assert values(back["a"]) == values(frame["a"])


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_text_that_is_numbers_may_be_continuous(dtype: str) -> None:
    frame = pd.DataFrame({"a": pd.Series(["1.5", None, "-2"], dtype=dtype)})
    coding = Coding.infer(frame, continuous=["a"])
    np.testing.assert_array_equal(coding.encode(frame), [[1.5], [NAN], [-2]])
    assert coding.decode(np.array([[0.5]]))["a"].tolist() == [0.5]


def test_truth_values_may_be_continuous() -> None:
    frame = pd.DataFrame({"a": [True, False]})
    coding = Coding.infer(frame, continuous="a")
    assert coding.encode(frame).tolist() == [[1], [0]]
    assert coding.decode(np.array([[0.25]]))["a"].tolist() == [0.25]


# -- other tables than the first -----------------------------------------------------------------


def test_columns_are_told_by_name() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    coding = Coding.infer(frame)
    np.testing.assert_array_equal(coding.encode(frame[["b", "a"]]), coding.encode(frame))
    np.testing.assert_array_equal(coding.encode(frame.to_numpy()), coding.encode(frame))
    unnamed = Coding.infer(frame.set_axis([0, 1], axis=1))
    assert unnamed.names is None
    np.testing.assert_array_equal(unnamed.encode(frame), coding.encode(frame))
    assert unnamed.decode(coding.encode(frame)).columns.tolist() == [0, 1]


def test_other_types_with_the_same_values() -> None:
    frame = pd.DataFrame({"a": [7, 2, 2], "b": ["x", "y", "x"], "c": [True, False, True]})
    coding = Coding.infer(frame, categorical=["a"])
    other = frame.astype({"a": "float64", "b": "category", "c": "int8"})
    np.testing.assert_array_equal(coding.encode(other), coding.encode(frame))
    np.testing.assert_array_equal(coding.encode(frame.astype(object)), coding.encode(frame))


def test_values_that_are_new_count_as_missing_and_are_said_once() -> None:
    frame = pd.DataFrame({"a": ["x", "y"], "b": [0, 1], "c": [1.5, 2.5], "d": ["u", "v"]})
    coding = Coding.infer(frame)
    other = pd.DataFrame(
        {"a": ["x", "z", "w", None], "b": [1, 0, 2, 1], "c": [9.5] * 4, "d": ["u"] * 4}
    )
    with pytest.warns(DataWarning) as caught:
        X = coding.encode(other)
    assert [str(warning.message) for warning in caught] == [
        "Values that were not there at the fit count as missing, 3 entries in all: 'z' in column "
        "'a' (row 1), 2 in column 'b' (row 2)."
    ]
    np.testing.assert_array_equal(X[:, 0], [0, NAN, NAN, NAN])
    np.testing.assert_array_equal(X[:, 1], [1, 0, NAN, 1])


def test_a_category_that_is_declared_but_does_not_occur_has_no_code() -> None:
    dtype = pd.CategoricalDtype(["lo", "mid", "hi"], ordered=True)
    frame = pd.DataFrame({"a": pd.Categorical(["hi", "lo"], dtype=dtype)})
    coding = Coding.infer(frame)
    assert coding.levels == (2,)
    with pytest.warns(DataWarning, match="'mid' in column 'a'"):
        coding.encode(pd.DataFrame({"a": pd.Categorical(["mid"], dtype=dtype)}))
    assert coding.decode(np.array([[0.0]]))["a"].dtype == dtype


def test_a_column_may_be_missing_after_the_fit() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"], "c": [True, False]})
    coding = Coding.infer(frame)
    for empty in (None, NAN, pd.NA):
        other = pd.DataFrame({"a": [empty], "b": [empty], "c": [empty]})
        assert np.isnan(coding.encode(other)).all()


def test_a_value_of_another_type_is_no_category() -> None:
    assert Fraction(1, 2) == 0.5  # which is why its type is looked at
    frame = pd.DataFrame({"a": pd.Series([Fraction(1, 2), "x"], dtype=object)})
    with pytest.raises(DataError, match="type Fraction"):
        Coding.infer(frame)
