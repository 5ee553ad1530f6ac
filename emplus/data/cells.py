"""Cells of a column: what kind of values they are, as numbers, as codes of distinct values."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["content", "densified", "factorized", "numbers", "refuse", "refuse_infinity", "shown"]

_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
_MIXTURES, _REAL = ("mixed", "mixed-integer"), {bool, int, float, Decimal}
_DATES = ("datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period")


def refuse(label: str, sentence: str) -> NoReturn:
    """Raise a sentence that begins with the column's name."""
    raise DataError(f"{label[:1].upper()}{label[1:]} {sentence}")


def content(series: pd.Series[Any], label: str) -> str:
    """What a column holds: ``"bool"``, ``"number"``, ``"category"`` or ``"text"``.

    An object column is what its values are, and text where it holds both text and numbers.

    Raises
    ------
    DataError
        If it holds dates, times, complex numbers, or objects that cannot be told apart.
    """
    import pandas as pd

    kinds, dtype = pd.api.types, series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":  # at once: tables may be very wide
        return "bool" if dtype.kind == "b" else "number"
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if kinds.is_bool_dtype(dtype):
        return "bool"
    if kinds.is_complex_dtype(dtype):
        _refuse_complex(label)
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype):
        _refuse_dates(label, str(dtype))
    if kinds.is_numeric_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.StringDtype):
        return "text"
    held = kinds.infer_dtype(series.astype(object), skipna=True)
    if held in _DATES:
        _refuse_dates(label, held)
    if held == "complex":
        _refuse_complex(label)
    if held == "boolean":
        return "bool"
    if held in _MIXTURES:
        types = {type(value) for value in factorized(series, label)[1]}
        if complex in types:
            _refuse_complex(label)
        return "number" if types <= _REAL else "text"
    return "number" if held in _NUMBERS else "text"


def _refuse_dates(label: str, held: str) -> NoReturn:
    refuse(
        label,
        f"holds dates or times ({held}); turn them into numbers, "
        "such as days since the first, or leave the column out.",
    )


def _refuse_complex(label: str) -> NoReturn:
    refuse(label, "holds complex numbers; leave it out.")


def densified(series: pd.Series[Any]) -> pd.Series[Any]:
    """The column with every value written out, in this machine's byte order."""
    import pandas as pd

    if isinstance(series.dtype, pd.SparseDtype):
        return series.astype(series.dtype.subtype)
    # pandas sorts and counts no others.
    if isinstance(series.dtype, np.dtype) and not series.dtype.isnative:
        return series.astype(series.dtype.newbyteorder("="))
    return series


def shown(value: Any) -> str:
    """A value in a sentence, in quotes where it is text, and never long."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:36] + "..." + text[-1]


def numbers(series: pd.Series[Any], label: str, first: int = 0) -> NDArray[np.float64]:
    """The values as float64 (n,), NaN where they are missing.

    ``first`` is the number of the first row, where they are those of a block of rows.

    Raises
    ------
    DataError
        At the first value that is no finite number.
    """
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        values = _of_categories(series, label, first)
    elif pd.api.types.is_numeric_dtype(series.dtype):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = _of_text(series, label, first)
    infinite = np.isinf(values)
    if infinite.any():
        _refuse_infinite(label, first + int(infinite.argmax()))
    return values


def _of_categories(series: pd.Series[Any], label: str, first: int) -> NDArray[np.float64]:
    import pandas as pd

    codes = series.cat.codes.to_numpy()
    declared = pd.Series(series.cat.categories)
    values = pd.to_numeric(declared, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    values = np.append(values, np.nan)[codes]
    _refuse_text(series, values, label, first)
    return values


def _of_text(series: pd.Series[Any], label: str, first: int) -> NDArray[np.float64]:
    import pandas as pd

    try:
        found = pd.to_numeric(series.astype(object), errors="coerce")
    except TypeError:  # a cell that is a list, say
        found = pd.Series(np.nan, index=series.index)
    values = found.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_text(series, values, label, first)
    return values


def _refuse_text(
    series: pd.Series[Any], values: NDArray[np.float64], label: str, first: int
) -> None:
    text = np.isnan(values) & series.notna().to_numpy()
    if text.any():
        row = int(text.argmax())
        refuse(
            label,
            f"is to be continuous, but it holds {shown(series.iloc[row])} in row {first + row}, "
            "which is not a number; correct it, or take the column as categorical.",
        )


def _refuse_infinite(label: str, row: int) -> NoReturn:
    refuse(label, f"contains inf (infinity) in row {row}; correct it or leave it empty.")


def factorized(series: pd.Series[Any], label: str) -> tuple[NDArray[np.integer], list[Any]]:
    """Distinct values, and for each cell the place of its own among them; -1 where missing.

    A categorical's values are all that it declares.
    """
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.cat.codes.to_numpy(), _plain(series.cat.categories)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        # An index of the distinct values would take longer than finding them.
        codes, values = pd.factorize(series.to_numpy())
        return codes, _plain(values)
    try:
        codes, found = pd.factorize(series)
    except TypeError as error:
        reason = str(error)
    else:
        return codes, _plain(found)
    refuse(
        label,
        f"holds values that are neither text, numbers nor truth values ({reason}); turn it into "
        "text or leave it out.",
    )


def _plain(values: Any) -> list[Any]:
    return [value.item() if isinstance(value, np.generic) else value for value in values.tolist()]


def refuse_infinity(
    codes: NDArray[np.integer], values: list[Any], label: str, first: int = 0
) -> None:
    """Refuse infinity among the values that occur; ``first`` is the number of the first row."""
    for code, value in enumerate(values):
        if isinstance(value, float) and math.isinf(value) and (codes == code).any():
            _refuse_infinite(label, first + int((codes == code).argmax()))
