"""Tables that are read block by block, as numbers in a temporary file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.coding import Coding, warn_of_unseen
from emplus.data.columns import Unseen
from emplus.data.spill import spilled, spilled_codes
from emplus.data.stored import StoredRows
from emplus.data.tables import StoredTable

__all__ = ["coded_rows"]

# Codes up to this one take one byte, of which a number below 0 is one that is missing.
_BYTE = 127


def coded_rows(
    coding: Coding,
    table: StoredTable,
    check: Callable[[NDArray[np.float64], int], None],
    kept: NDArray[np.bool_] | None = None,
) -> StoredRows:
    """The numbers that `Coding.encode` gives for a table, in a temporary file.

    Codes take a byte each, or two where a column has more than 128 categories; with continuous
    columns every number takes eight. A pass over the table.

    Parameters
    ----------
    coding : Coding
    table : StoredTable
    check : callable
        Is shown each block of numbers, and the number of its first row.
    kept : (n,) ndarray of bool, optional
        The rows that are wanted.

    Raises
    ------
    DataError
        As `Coding.encode`.

    Warns
    -----
    DataWarning
        If there are values without a code, which count as missing.
    """
    unseen: list[Unseen] = []

    def blocks() -> Iterator[NDArray[np.float64]]:
        for first, frame, _ in table.frames():
            own = slice(None) if kept is None else kept[first : first + len(frame)]
            some = frame if kept is None else frame[own]
            if len(some):
                X, odd = coding.codes(some, first)
                check(X, first)
                unseen.extend(odd)
                yield X

    if "continuous" in coding.kinds:
        rows = spilled(blocks(), table.what)
    else:
        most = max(len(column.categories) for column in coding.columns)
        small: Any = np.int8 if most <= _BYTE + 1 else np.int16
        rows = spilled_codes(blocks(), small, np.int16, table.what)
    warn_of_unseen(unseen)
    return rows
