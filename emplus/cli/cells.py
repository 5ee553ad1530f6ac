"""Parsed columns, turned into numbers and text or a sentence about the first bad cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MISSING",
    "Columns",
    "TextCounts",
    "as_numbers",
    "numbers",
    "refuse_text",
    "refuse_value",
    "stripped",
    "values",
]

# What files write where a value is missing: as pandas has it, and the question mark.
MISSING = (
    *("", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"),
    *("NaN", "-NaN", "nan", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)

_READABLE = (
    *("string", "empty", "boolean", "mixed-integer", "mixed"),
    *("integer", "floating", "mixed-integer-float", "decimal"),
)

# Year, month and day in either order, and perhaps a time.
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ].*)?$")

_ADVICE = "choose the number columns with --columns"

# A column of text with more numbers than this, and not few, is one of numbers with an error.
_NEARLY_ALL, _FEWEST = 0.95, 20


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
    raw : callable, optional
        The cells as the text that the file has; None where it is no text.
    """

    source: str
    names: tuple[str, ...]
    cells: NDArray[Any] | pd.DataFrame
    named: bool
    lines: Callable[[int], int] | None = None
    raw: Callable[[], pd.DataFrame] | None = None

    @property
    def n_rows(self) -> int:
        """Number of data rows."""
        return len(self.cells)

    def where(self, row: int) -> str:
        """Name a data row (counted from 0) the way a person finds it, counting from 1."""
        if self.lines is None:
            return f"row {row + 1}"
        return f"row {row + 1} (line {self.lines(row)})"


def values(
    parsed: Columns, names: Sequence[str], as_they_are: Collection[str] = ()
) -> NDArray[np.floating] | pd.DataFrame:
    """The named columns: a C-ordered float array (n, d) where all are numbers, NaN where missing.

    A data frame where some hold text or truth values. A column is text when any of its cells is;
    but when nearly all are numbers, and it is not among ``as_they_are``, that cell is an error.

    Raises
    ------
    DataError
        At the first column, and in it the first row, that cannot be.
    """
    places = [parsed.names.index(name) for name in names]
    if isinstance(parsed.cells, np.ndarray):
        X = _from_array(parsed, places)
        _refuse_infinity(parsed, names, X)
        return X
    import pandas as pd

    held = [
        _typed(parsed, name, parsed.cells.iloc[:, place], name in as_they_are)
        for name, place in zip(names, places, strict=True)
    ]
    if any(_is_other(column) for column in held):
        frame = pd.concat(held, axis=1, keys=range(len(names)))
        frame.columns = pd.Index(names)
        for name, column in zip(names, held, strict=True):
            if not _is_other(column):
                _refuse_infinity(parsed, [name], column.to_numpy(np.float64)[:, None])
        return frame
    single = all(column.dtype == np.float32 for column in held)
    X = np.empty((parsed.n_rows, len(held)), dtype=np.float32 if single else np.float64)
    for j, column in enumerate(held):
        X[:, j] = column.to_numpy()
    _refuse_infinity(parsed, names, X)
    return X


def _is_other(column: pd.Series[Any]) -> bool:
    return not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "fiu"


def numbers(parsed: Columns, name: str, noun: str = "Column") -> NDArray[np.float64]:
    """The named column as finite numbers (n,); ``noun`` begins the sentence if it cannot be.

    Raises
    ------
    DataError
        At the first row that is no finite number.
    """
    place = parsed.names.index(name)
    if isinstance(parsed.cells, np.ndarray):
        found = _from_array(parsed, [place])[:, 0].astype(np.float64)
    else:
        found = as_numbers(parsed.cells.iloc[:, place], name, parsed.source, parsed.where)
    finite = np.isfinite(found)
    if not finite.all():
        row = int(finite.argmin())
        refuse_value(f"{noun} {name!r} of {parsed.source}", parsed.where(row), float(found[row]))
    return found


def as_numbers(
    column: pd.Series[Any], name: str, source: str, where: Callable[[int], str], advice: str = ""
) -> NDArray[np.float64]:
    """A column as float64 (n,), NaN where it is missing.

    ``advice`` ends the sentence about text in it.

    Raises
    ------
    DataError
        At the first cell that is text.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    found, text = _parsed_text(column)
    if text.any():
        row = int(text.argmax())
        refuse_text(name, source, where(row), str(column.iloc[row]), advice or _ADVICE)
    return found


def _parsed_text(column: pd.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers in a column of text, and which of its cells are none."""
    import pandas as pd

    try:
        # Values of text are few; each is read once.
        codes, distinct = pd.factorize(column)
        found = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    except TypeError:  # a cell that is a list, say
        return np.full(len(column), np.nan), column.notna().to_numpy()
    # A missing value's code is -1, the place of the NaN at the end.
    numbers = np.append(found.to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[codes]
    return numbers, np.isnan(numbers) & (codes >= 0)


def _refuse_infinity(parsed: Columns, names: Sequence[str], X: NDArray[np.floating]) -> None:
    infinite = np.isinf(X)
    if infinite.any():
        column = int(np.flatnonzero(infinite.any(axis=0))[0])
        row = int(infinite[:, column].argmax())
        label = f"Column {names[column]!r} of {parsed.source}"
        refuse_value(label, parsed.where(row), float(X[row, column]))


def refuse_value(column: str, where: str, value: float) -> NoReturn:
    """Say that a cell holds a number that cannot be used."""
    what = "is missing or not a number (NaN)" if np.isnan(value) else f"is infinite ({value:g})"
    raise DataError(f"{column} {what} in {where}; remove or fill such rows.")


def refuse_text(
    name: str,
    source: str,
    where: str,
    text: str,
    advice: str,
) -> NoReturn:
    """Say that a cell holds text where a number is needed."""
    shown = text if len(text) <= 40 else text[:37] + "..."
    raise DataError(
        f"Column {name!r} of {source} holds text in {where}: {shown!r} is not a number; {advice}."
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


def _typed(parsed: Columns, name: str, column: pd.Series[Any], taken: bool) -> pd.Series[Any]:
    """A column as numbers, truth values, categories or text."""
    import pandas as pd

    kinds = pd.api.types
    if kinds.is_complex_dtype(column.dtype):
        raise DataError(f"Column {name!r} of {parsed.source} holds complex numbers.")
    if isinstance(column.dtype, pd.CategoricalDtype) or kinds.is_bool_dtype(column.dtype):
        return column
    if kinds.is_numeric_dtype(column.dtype):
        if isinstance(column.dtype, np.dtype):
            return column
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), column.index)
    held = "string" if kinds.is_string_dtype(column.dtype) else ""
    if kinds.is_object_dtype(column.dtype):
        held = kinds.infer_dtype(column, skipna=True)
    if held not in _READABLE:
        raise DataError(
            f"Column {name!r} of {parsed.source} holds values of type {held or column.dtype}, "
            "neither numbers nor text; choose other columns with --columns."
        )
    if held == "boolean":
        return column.astype("boolean")
    return _text_or_numbers(parsed, name, stripped(column) if held == "string" else column, taken)


def stripped(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text without spaces around it, and missing where it says so."""
    import pandas as pd

    # The parser takes spaces off the front only, and knows missing values by the whole cell.
    codes, distinct = pd.factorize(column)
    kept = pd.Series(distinct, dtype=column.dtype).str.strip()
    kept = kept.mask(kept.isin(MISSING))
    return kept.reindex(codes).set_axis(column.index)  # -1 is no place: missing


def _text_or_numbers(
    parsed: Columns, name: str, column: pd.Series[Any], taken: bool
) -> pd.Series[Any]:
    import pandas as pd

    # Numbers too long for an integer, say, come as text although they are numbers.
    counts = TextCounts.of(column)
    if not counts.text:
        return pd.Series(_parsed_text(column)[0], column.index)
    if not taken:
        counts.check(name, parsed.source, parsed.where)
    return column


class TextCounts(NamedTuple):
    """Cells of a column of text: how many are there, how many are no numbers, and the first ones.

    ``row`` and ``cell`` are of the first that is no number, ``first_row`` and ``first_cell`` of
    the first that is there; ``dates`` is whether all that are there are dates.
    """

    filled: int = 0
    text: int = 0
    row: int = -1
    cell: str = ""
    first_row: int = -1
    first_cell: str = ""
    dates: bool = True

    @classmethod
    def of(cls, column: pd.Series[Any], first: int = 0) -> TextCounts:
        """Those of a column, or of a block of one that begins with row ``first``."""
        _, text = _parsed_text(column)
        there = column.notna().to_numpy()
        if not there.any():
            return cls()
        row, begin = int(text.argmax()) if text.any() else -1, int(there.argmax())
        return cls(
            int(there.sum()),
            int(text.sum()),
            first + row if row >= 0 else -1,
            str(column.iloc[row]) if row >= 0 else "",
            first + begin,
            str(column.iloc[begin]),
            _are_dates(column),
        )

    def joined(self, more: TextCounts) -> TextCounts:
        """Those of this block and of one after it."""
        odd, begin = (self if self.text else more), (self if self.filled else more)
        return TextCounts(
            self.filled + more.filled,
            self.text + more.text,
            odd.row,
            odd.cell,
            begin.first_row,
            begin.first_cell,
            self.dates and more.dates,
        )

    def check(self, name: str, source: str, where: Callable[[int], str]) -> None:
        """Refuse a column of which nearly all cells are numbers, or all are dates.

        Raises
        ------
        DataError
            With the first row that is neither.
        """
        if self.filled >= _FEWEST and self.filled - self.text > _NEARLY_ALL * self.filled:
            advice = (
                "correct it, choose other columns with --columns, or take the column as it is with "
                f"--categorical {name!r}"
            )
            refuse_text(name, source, where(self.row), self.cell, advice)
        if self.dates:
            raise DataError(
                f"Column {name!r} of {source} holds dates: {self.first_cell!r} in "
                f"{where(self.first_row)}. Turn them into numbers, such as days since the first, "
                "or choose other columns with --columns."
            )


def _are_dates(column: pd.Series[Any]) -> bool:
    """Whether every cell that is there is a date, with a time or without."""
    import pandas as pd

    try:
        distinct = pd.unique(column.dropna())
    except TypeError:  # a cell that is a list, say
        return False
    return all(isinstance(cell, str) and _DATE.match(cell) for cell in distinct)
