"""One column of a table: its kind, its categories, and cells turned into numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.cells import (
    content,
    densified,
    factorized,
    numbers,
    refuse,
    refuse_infinity,
    shown,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "MOST_CATEGORIES", "Column", "Unseen", "Vocabulary", "encoded", "inferred"]

KINDS = ("continuous", "binary", "categorical")
MOST_CATEGORIES = 1000

_STORABLE = (str, int, float, bool)


@dataclass(frozen=True)
class Vocabulary:
    """What a pandas categorical declares, used or not.

    Parameters
    ----------
    categories : tuple
        In the order in which they are declared.
    dtype : str
        Of the categories themselves.
    ordered : bool
    """

    categories: tuple[Any, ...]
    dtype: str
    ordered: bool


@dataclass(frozen=True)
class Column:
    """What a column holds and how its values are coded.

    Parameters
    ----------
    name : str or None
        None where the table has no names.
    kind : {"continuous", "binary", "categorical"}
    categories : tuple
        The value that each code stands for; empty where the column is continuous.
    dtype : str
        The type of the values that `Coding.decode` gives back.
    vocabulary : Vocabulary, optional
        Of a pandas categorical, whose unused categories have no code.
    """

    name: str | None
    kind: str
    categories: tuple[Any, ...]
    dtype: str
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True)
class Unseen:
    """Values of a column that have no code: how many entries, and the first of them."""

    label: str
    value: Any
    row: int
    count: int


def inferred(
    series: pd.Series[Any], label: str, name: str | None = None, kind: str | None = None
) -> Column:
    """The column that holds these values.

    Parameters
    ----------
    series : Series (n,)
    label : str
        How a sentence names it, e.g. ``"column 'age'"``.
    name : str, optional
    kind : str, optional
        One of `KINDS`; told by the type of the values when not given.

    Raises
    ------
    DataError
        If it holds no values, dates, more than `MOST_CATEGORIES` categories, or what its kind
        cannot be.
    """
    series = densified(series)
    holds = content(series, label)
    if not series.notna().any():
        refuse(label, "has no values: all of its entries are missing. Leave it out.")
    if kind is None:
        kind = _kind(series, label, holds)
    if kind == "continuous":
        numbers(series, label)
        # Text and truth values that are read as numbers are given back as numbers.
        return Column(name, kind, (), _dtype_name(series.dtype) if holds == "number" else "float64")
    present = _present(series, label)
    categories = (
        _two(present, label, holds) if kind == "binary" else _bounded(present, label, holds)
    )
    return Column(name, kind, categories, _dtype_name(series.dtype), _vocabulary(series, label))


def _kind(series: pd.Series[Any], label: str, holds: str) -> str:
    if holds == "bool":
        return "binary"
    if holds in ("text", "category"):
        return "categorical"
    values = numbers(series, label)
    # Few columns that are not binary hold nothing but 0 and 1 in their first rows.
    if _only_zero_and_one(values[:1000]) and _only_zero_and_one(values):
        return "binary"
    return "continuous"


def _only_zero_and_one(values: NDArray[np.float64]) -> bool:
    return bool(((values == 0) | (values == 1) | np.isnan(values)).all())


def _present(series: pd.Series[Any], label: str) -> list[Any]:
    """The values that occur: a categorical's in its own order, others sorted."""
    codes, values = factorized(series, label)
    refuse_infinity(codes, values, label)
    if series.dtype == "category":
        return [values[code] for code in np.unique(codes[codes >= 0])]
    return values


def _order(value: Any) -> tuple[bool, Any]:
    # Numbers before text, where a column holds both.
    return isinstance(value, str), value


def _sorted(values: list[Any], label: str) -> tuple[Any, ...]:
    for value in values:
        if not isinstance(value, _STORABLE):
            refuse(
                label,
                f"holds {shown(value)}, a value of type {type(value).__name__}; "
                "categories are text, numbers or truth values. Turn the column into text.",
            )
    return tuple(sorted(values, key=_order))


def _two(present: list[Any], label: str, holds: str) -> tuple[Any, ...]:
    if holds == "bool":
        return (False, True)
    if holds != "category" and all(value in (0, 1) for value in present[:3]):
        return (0, 1)
    if len(present) > 2:
        some = ", ".join(shown(value) for value in present[:3])
        refuse(
            label,
            f"is to be binary, but it holds {len(present):,} values: {some}"
            f"{', ...' if len(present) > 3 else ''}; take it as categorical.",
        )
    return tuple(present) if holds == "category" else _sorted(present, label)


def _bounded(present: list[Any], label: str, holds: str) -> tuple[Any, ...]:
    if len(present) > MOST_CATEGORIES:
        refuse(
            label,
            f"has {len(present):,} categories, more than {MOST_CATEGORIES:,}; it "
            "may be an identifier. Leave it out, or put its rare categories into one.",
        )
    ordered = _sorted(present, label)
    return tuple(present) if holds == "category" else ordered


def _vocabulary(series: pd.Series[Any], label: str) -> Vocabulary | None:
    if series.dtype != "category":
        return None
    declared = series.cat.categories
    values = factorized(series, label)[1]
    _sorted(values, label)
    return Vocabulary(tuple(values), _dtype_name(declared.dtype), bool(series.cat.ordered))


def _dtype_name(dtype: Any) -> str:
    """A name from which pandas makes the type again; object where there is none."""
    name = str(dtype)
    return name if _is_type(name) else "object"


@lru_cache(maxsize=64)
def _is_type(name: str) -> bool:
    import pandas as pd

    try:
        pd.api.types.pandas_dtype(name)
    except (TypeError, NotImplementedError):
        # What pandas raises for types that it cannot make from a name.
        return False
    return True


def encoded(
    column: Column, series: pd.Series[Any], label: str, first: int = 0
) -> tuple[NDArray[np.float64], Unseen | None]:
    """Codes (n,) of the values, NaN where they are missing or have no code.

    ``first`` is the number of the first row, where they are those of a block of rows.

    Raises
    ------
    DataError
        If there is infinity, or in a continuous column what is no number.
    """
    series = densified(series)
    holds = content(series, label)
    if column.kind == "continuous":
        return numbers(series, label, first), None
    if column.categories == (0, 1) and holds in ("number", "bool"):
        values = numbers(series, label, first)
        unseen = ~((values == 0) | (values == 1) | np.isnan(values))
    else:
        codes, found = factorized(series, label)
        refuse_infinity(codes, found, label, first)
        code_of = {value: code for code, value in enumerate(column.categories)}
        # The last entry is that of missing values, whose code is -1.
        table = np.array([code_of.get(value, math.nan) for value in found] + [math.nan])
        values = table[codes]
        unseen = np.isnan(values) & (codes >= 0)
    if not unseen.any():
        return values, None
    values = np.where(unseen, np.nan, values)  # not in place: it may be the table's own
    row = int(unseen.argmax())
    return values, Unseen(label, series.iloc[row], first + row, int(unseen.sum()))
