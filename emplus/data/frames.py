"""Tables of any make as pandas data frames."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from emplus.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_frame", "names_of", "native"]


def as_frame(table: Any) -> tuple[pd.DataFrame, np.dtype[Any] | None]:
    """The table as a data frame, and the type of the array that it was, if it was one.

    Parameters
    ----------
    table : DataFrame, (n, d) array_like, or an object with ``to_pandas`` or ``__dataframe__``

    Raises
    ------
    DataError
        If it does not have rows and columns, at least one of each.
    """
    import pandas as pd

    frame, dtype = _converted(table, pd)
    if not frame.shape[1]:
        raise DataError("The table has no columns (0 features); give at least one.")
    if not len(frame):
        raise DataError("The table has no rows (0 samples); give at least one.")
    return frame, dtype


def _converted(table: Any, pd: Any) -> tuple[pd.DataFrame, np.dtype[Any] | None]:
    if isinstance(table, pd.DataFrame):
        return native(table), None
    if hasattr(table, "to_pandas"):
        # Some need a further package for it.
        with suppress(ImportError):
            found = table.to_pandas()
            if isinstance(found, pd.DataFrame):
                return found, None
    if hasattr(table, "__dataframe__"):
        with warnings.catch_warnings():
            # Later versions of pandas deprecate the protocol, which some tables have alone.
            warnings.simplefilter("ignore")
            return pd.api.interchange.from_dataframe(table), None
    array = _array(table)
    if array.ndim != 2:
        raise DataError(
            f"A table has rows and columns, an array of 2 axes; this {type(table).__name__} has "
            f"{array.ndim}. Reshape it or give a data frame."
        )
    if array.dtype.kind not in "fiubOU":
        raise DataError(
            f"The array holds values of type {array.dtype}; give numbers, truth values or text."
        )
    # Without a type, pandas would make text of its own type out of objects.
    held = object if array.dtype.kind in "OU" else array.dtype
    return pd.DataFrame(array, dtype=held), array.dtype


def native(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its numbers in this machine's byte order, which pandas takes rows of alone."""
    foreign = [
        at
        for at, dtype in enumerate(frame.dtypes)
        if isinstance(dtype, np.dtype) and not dtype.isnative
    ]
    if not foreign:
        return frame
    changed = frame.copy(deep=False)
    for at in foreign:
        values = frame.iloc[:, at].to_numpy()
        changed.isetitem(at, values.astype(values.dtype.newbyteorder("=")))
    return changed


def _array(table: Any) -> np.ndarray[Any, Any]:
    if isinstance(table, np.ma.MaskedArray):
        if table.dtype.kind in "fiub":
            return np.ma.filled(table.astype(np.float64), np.nan)
        held = np.array(table.data, dtype=object)
        held[np.ma.getmaskarray(table)] = None
        return held
    if isinstance(table, np.ndarray):
        return table
    try:
        array = np.asarray(table)
        # Numbers beside text would become text.
        return array if array.dtype.kind in "fiub" else np.array(table, dtype=object)
    except (ValueError, TypeError):
        raise DataError("The rows of the table have unequal lengths.") from None


def names_of(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """The columns' names; None where no name is text, as in scikit-learn.

    Raises
    ------
    ArgumentError
        If some of the names are text and others are not.
    DataError
        If a name stands there twice.
    """
    names = frame.columns.tolist()
    text = [isinstance(name, str) for name in names]
    if not any(text):
        return None
    if not all(text):
        other = names[text.index(False)]
        raise ArgumentError(
            "Feature names are only supported if all of them are text, but "
            f"{other!r} is of type {type(other).__name__}; use frame.columns.astype(str)."
        )
    if not frame.columns.is_unique:
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{names.count(twice)} columns are named {twice!r}; rename all but one.")
    return tuple(names)
