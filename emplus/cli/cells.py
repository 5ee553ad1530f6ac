"""Parsed columns, turned into finite numbers or a sentence about the first cell that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "numbers"]


@dataclass(frozen=True)
class Columns:
    """What a file holds, before any of it is taken for numbers.

    Parameters
    ----------
    source : str
        Where it comes from, the beginning of a sentence.
    names : tuple of str
    cells : (n, d) ndarray or DataFrame
        Columns are told by place, never by name: names may repeat.
    named : bool
        Whether the names are the file's own.
    lines : callable, optional
        Line of the file on which a data row (counted from 0) ends; slow, for errors only.
    """

    source: str
    names: tuple[str, ...]
    cells: NDArray[Any] | pd.DataFrame
    named: bool
    lines: Callable[[int], int] | None = None

    @property
    def n_rows(self) -> int:
        """Number of data rows."""
        return len(self.cells)

    def where(self, row: int) -> str:
        """Name a data row (counted from 0) the way a person finds it, counting from 1."""
        if self.lines is None:
            return f"row {row + 1}"
        return f"row {row + 1} (line {self.lines(row)})"


def numbers(parsed: Columns, names: Sequence[str], noun: str = "Column") -> NDArray[np.floating]:
    """The named columns as one C-ordered float array (n, d).

    ``noun`` begins the sentence when one of them cannot be.

    Raises
    ------
    DataError
        At the first column, and in it the first row, that is no finite number.
    """
    places = [parsed.names.index(name) for name in names]
    if isinstance(parsed.cells, np.ndarray):
        X = _from_array(parsed, places)
    else:
        X = _from_frame(parsed, parsed.cells, names, places)
    finite = np.isfinite(X)
    if not finite.all():
        column = int(np.flatnonzero(~finite.all(axis=0))[0])
        row = int(np.flatnonzero(~finite[:, column])[0])
        _refuse_value(parsed, f"{noun} {names[column]!r}", row, float(X[row, column]))
    return X


def _refuse_value(parsed: Columns, column: str, row: int, value: float) -> NoReturn:
    what = "is missing or not a number (NaN)" if np.isnan(value) else f"is infinite ({value:g})"
    raise DataError(
        f"{column} of {parsed.source} {what} in {parsed.where(row)}; remove or fill such rows."
    )


def _refuse_text(parsed: Columns, name: str, row: int, text: str) -> NoReturn:
    shown = text if len(text) <= 40 else text[:37] + "..."
    raise DataError(
        f"Column {name!r} of {parsed.source} holds text in {parsed.where(row)}: {shown!r} is not a "
        "number; choose the number columns with --columns."
    )


def _from_array(parsed: Columns, places: list[int]) -> NDArray[np.floating]:
    cells = np.asarray(parsed.cells)
    if cells.dtype.kind not in "fiub":
        raise DataError(f"{parsed.source} holds values of type {cells.dtype}, not numbers.")
    if places != list(range(cells.shape[1])):
        cells = cells[:, places]
    dtype = np.float32 if cells.dtype == np.float32 else np.float64
    with np.errstate(over="ignore"):  # an extended-precision value too large becomes infinite
        return np.ascontiguousarray(cells, dtype=dtype)


def _from_frame(
    parsed: Columns, frame: pd.DataFrame, names: Sequence[str], places: list[int]
) -> NDArray[np.floating]:
    single = all(frame.dtypes.iloc[place] == np.float32 for place in places)
    X = np.empty((len(frame), len(places)), dtype=np.float32 if single else np.float64)
    for j, (name, place) in enumerate(zip(names, places, strict=True)):
        X[:, j] = _column(parsed, name, frame.iloc[:, place])
    return X


def _column(parsed: Columns, name: str, column: pd.Series[Any]) -> NDArray[np.floating]:
    import pandas as pd

    kinds = pd.api.types
    if kinds.is_complex_dtype(column.dtype):
        raise DataError(f"Column {name!r} of {parsed.source} holds complex numbers.")
    if kinds.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not (kinds.is_string_dtype(column.dtype) or kinds.is_object_dtype(column.dtype)):
        raise DataError(
            f"Column {name!r} of {parsed.source} holds values of type {column.dtype}, not numbers; "
            "choose the number columns with --columns."
        )
    # Numbers too long for an integer, say, come as text although they are numbers.
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    text = np.flatnonzero(np.isnan(values) & column.notna().to_numpy())
    if len(text):
        # A missing value further up is found as such by the caller once there is no text.
        row = int(text[0])
        _refuse_text(parsed, name, row, str(column.iloc[row]))
    return values
