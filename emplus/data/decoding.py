"""Codes of a column turned back into values of its own type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.columns import Column
from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["decoded", "joined", "values_of"]

_NULLABLE = {"b": "boolean", "i": "Int", "u": "UInt"}


def values_of(column: Column, codes: NDArray[np.float64]) -> NDArray[Any]:
    """The value of each code (n,), that of the nearest category where it is no whole number.

    Missing values are NaN in the float64 array of a continuous column, None in the others' objects.

    Raises
    ------
    DataError
        If a code is that of no category.
    """
    if column.kind == "continuous":
        return codes
    missing = np.isnan(codes)
    nearest = np.rint(np.where(missing, 0.0, codes))
    count = len(column.categories)
    wrong = (nearest < 0) | (nearest >= count)
    if wrong.any():
        row = int(wrong.argmax())
        name = "A column" if column.name is None else f"Column {column.name!r}"
        raise DataError(
            f"{name} has {count} categories, coded 0 to {count - 1}, but row {row} holds "
            f"{codes[row]:g}."
        )
    table = np.empty(count + 1, dtype=object)
    table[:count] = column.categories
    return table[np.where(missing, count, nearest).astype(np.intp)]


def decoded(column: Column, codes: NDArray[np.float64]) -> pd.Series[Any]:
    """A column of the frame from its codes (n,)."""
    import pandas as pd

    values = values_of(column, codes)
    if column.vocabulary is not None and column.kind != "continuous":
        held = column.vocabulary
        declared = pd.Index(list(held.categories), dtype=held.dtype)
        dtype = pd.CategoricalDtype(declared, ordered=held.ordered)
        place = {value: at for at, value in enumerate(held.categories)}
        places = np.array([place[value] for value in column.categories] + [-1], dtype=np.intp)
        missing = np.isnan(codes)
        rows = np.where(missing, -1, np.rint(np.where(missing, 0, codes))).astype(np.intp)
        return pd.Series(pd.Categorical.from_codes(places[rows], dtype=dtype))
    return _typed(values, np.isnan(codes), column.dtype)


def _typed(values: NDArray[Any], missing: NDArray[np.bool_], name: str) -> pd.Series[Any]:
    import pandas as pd

    dtype = pd.api.types.pandas_dtype(name)
    if dtype == np.dtype(object):
        held = values.astype(object)
        held[missing] = None
        return pd.Series(held, dtype=object)
    if dtype.kind in _NULLABLE and missing.any() and isinstance(dtype, np.dtype):
        # numpy has no missing truth values and whole numbers; pandas has.
        bits = str(8 * dtype.itemsize) if dtype.kind != "b" else ""
        dtype = pd.api.types.pandas_dtype(_NULLABLE[dtype.kind] + bits)
    if values.dtype == object:
        if dtype.kind == "f":
            values = np.where(missing, np.nan, values).astype(np.float64)
        return pd.Series(values, dtype=dtype)
    if dtype.kind in "iu":
        values = _whole(np.where(missing, 0.0, values), dtype)
    with np.errstate(over="ignore"):  # beyond the range of a short float type it is infinity
        column = pd.Series(values).astype(dtype)
    if missing.any():
        column[missing] = pd.NA if not isinstance(dtype, np.dtype) else np.nan
    return column


def _whole(values: NDArray[np.float64], dtype: Any) -> NDArray[np.integer]:
    """The nearest whole numbers that the type can hold."""
    plain = np.dtype(f"{dtype.kind}{dtype.itemsize}")
    limits = np.iinfo(plain)
    # 2**63 - 1 is no float64, and the next one is beyond the type.
    upper = float(limits.max)
    upper = upper if int(upper) <= limits.max else float(np.nextafter(upper, 0.0))
    return np.rint(np.clip(values, float(limits.min), upper)).astype(plain)


def joined(
    columns: tuple[Column, ...], codes: NDArray[np.float64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Codes (n, d) turned back into an array of one type, float64 where it cannot hold NaN."""
    missing = np.isnan(codes)
    if dtype.kind in "fiub":
        plain = np.empty(codes.shape)
        for j, column in enumerate(columns):
            plain[:, j] = values_of(column, codes[:, j]).astype(np.float64)
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return plain.astype(dtype)
        if missing.any():
            return plain
        return plain.astype(bool) if dtype.kind == "b" else _whole(plain, dtype)
    held = np.empty(codes.shape, dtype=object)
    for j, column in enumerate(columns):
        held[:, j] = values_of(column, codes[:, j])
    held[missing] = None
    text = dtype.kind == "U" and not missing.any()
    text = text and all(column.kind != "continuous" for column in columns)
    return held.astype(np.str_) if text else held
