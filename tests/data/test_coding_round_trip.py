"""Codings through JSON, and numbers that no table held as tables."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emplus.data.coding import Coding
from emplus.errors import ModelFileError

NAN = float("nan")


def stored(coding: Coding) -> Coding:
    """The coding after a way through JSON."""
    return Coding.from_json(json.loads(json.dumps(coding.to_json(), allow_nan=False)))


def values(column: Any) -> list[Any]:
    return [None if pd.isna(value) else value for value in column]


# -- numbers that were no table ------------------------------------------------------------------


def test_drawn_numbers_get_the_types_of_the_columns() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.Series([3, 9], dtype="int8"),
            "f": pd.Series([0.5, 2.5]),
            "b": pd.Series([True, False]),
            "s": pd.Series(["x", "y"]),
        }
    )
    coding = Coding.infer(frame)
    drawn = coding.decode(np.array([[2.6, 2.6, 0.8, 0.2], [300.0, 1e300, 0.0, 1.0]]))
    assert drawn.dtypes.tolist() == frame.dtypes.tolist()
    assert drawn.to_numpy().tolist() == [[3, 2.6, True, "x"], [127, 1e300, False, "y"]]
    holes = coding.decode(np.full((2, 4), NAN))
    assert holes.dtypes.astype(str).tolist()[:3] == ["Int8", "float64", "boolean"]
    assert holes.isna().all(axis=None)
    assert coding.decode(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int8", "Int64", "UInt8"])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_whole_numbers_stay_within_their_type(dtype: str, sign: float) -> None:
    coding = Coding.infer(pd.DataFrame({"a": pd.Series([3, 9], dtype=dtype)}))
    limits = np.iinfo(dtype.lower())
    bound = limits.max if sign > 0 else limits.min
    [drawn] = coding.decode(np.array([[sign * 1e30]]))["a"].tolist()
    assert abs(drawn - bound) <= abs(bound) * 2.0**-52


# -- everything at once --------------------------------------------------------------------------

_text = st.text(max_size=3)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_ints = st.integers(-(2**53), 2**53)
_KINDS: dict[str, Any] = {
    "float64": _floats,
    "int64": _ints,
    "Int64": _ints,
    "bool": st.booleans(),
    "boolean": st.booleans(),
    "str": _text,
    "category": _text,
    "object": st.one_of(_text, _ints),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(1, 5))
    columns: dict[str, pd.Series[Any]] = {}
    for name in draw(st.lists(_text, min_size=1, max_size=4, unique=True)):
        dtype = draw(st.sampled_from(sorted(_KINDS)))
        cells = _KINDS[dtype]
        if dtype not in ("int64", "bool"):
            cells = st.one_of(cells, st.none())
        held = draw(st.lists(cells, min_size=n, max_size=n))
        column = pd.Series(held, dtype=dtype)
        if column.notna().any():
            columns[name] = column
    return pd.DataFrame(columns or {"a": pd.Series([0.5] * n)})


@settings(deadline=None)
@given(frame=frames())
def test_any_table_comes_back(frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*one value only")
        coding = Coding.infer(frame)
    X = coding.encode(frame)
    np.testing.assert_array_equal(np.isnan(X), frame.isna())
    assert stored(coding) == coding
    back = stored(coding).decode(X)
    assert back.columns.tolist() == frame.columns.tolist()
    assert back.dtypes.tolist() == frame.dtypes.tolist()
    for name in frame:
        assert values(back[name]) == values(frame[name])
    np.testing.assert_array_equal(coding.encode(back), X)


DAMAGED: list[Any] = [
    None,
    {},
    {"array": None},
    {"array": "nonsense", "columns": []},
    {"array": None, "columns": [{}]},
    {"array": None, "columns": ["a"]},
]
WRONG: list[tuple[str, Any]] = [
    ("kind", "ordinal"),
    ("kind", "continuous"),
    ("categories", {"values": ["x"], "types": []}),
    ("categories", {"values": ["x"], "types": ["complex"]}),
    ("categories", {"values": [], "types": []}),
    ("vocabulary", {"values": ["q"], "types": ["str"], "dtype": "str", "ordered": False}),
    ("vocabulary", 3),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_descriptions(content: Any) -> None:
    with pytest.raises(ModelFileError, match="description of the columns is damaged"):
        Coding.from_json(content)


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_damaged_columns(key: str, value: Any) -> None:
    content = Coding.infer(pd.DataFrame({"a": ["x", "y"]})).to_json()
    content["columns"][0][key] = value
    with pytest.raises(ModelFileError, match="description of the columns is damaged"):
        Coding.from_json(content)
