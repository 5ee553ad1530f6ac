"""Tables of any kind of columns in files, opened to be read block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from emplus.data.opening import Opened, file_of, mapped, npy_rows, tables, types_of
from emplus.data.stored import StoredRows
from emplus.data.tables import StoredTable

__all__ = ["in_given_order", "open_table"]


def open_table(X: Any) -> StoredTable:
    """The table in a file, in a memory map, or that a factory of blocks gives.

    Columns of a CSV file are what they are of the whole file: text, where some blocks hold text.

    Parameters
    ----------
    X : path-like, numpy.memmap, callable, or what is open already
        As of `emplus.data.opening.open_rows`; columns may hold text, truth values and categories.

    Raises
    ------
    DataError
        If there is no such file, or it is of another kind.
    """
    if isinstance(X, StoredTable):
        return X
    if isinstance(X, Opened):
        return StoredTable(lambda: _named(X), "The table")
    array = stored_array(X)
    if array is not None:
        what = "The array" if isinstance(X, StoredRows | np.memmap) else repr(str(X))
        return StoredTable(lambda: in_given_order(array), what)
    if callable(X):
        return StoredTable(X, "The factory of blocks")
    path = file_of(X)
    found: list[dict[str, Any]] = []

    def blocks() -> Iterator[Any]:
        if not found:
            found.append(types_of(path))
        return tables(path, found[0])

    return StoredTable(blocks, repr(str(path)))


def stored_array(X: Any) -> StoredRows | None:
    """The rows of an array that is in a file, where they are; None for anything else."""
    if isinstance(X, StoredRows):
        return X
    if isinstance(X, np.memmap):
        return mapped(X)
    if isinstance(X, str | os.PathLike):
        path = file_of(X)
        return npy_rows(path, text=True) if path.suffix.lower() == ".npy" else None
    return None


def in_given_order(rows: StoredRows) -> Iterator[Any]:
    """Blocks of rows in the order of the data, however they are kept."""
    if rows.order is None:
        yield from rows.blocks()
        return
    place_of = np.empty(len(rows), dtype=np.intp)
    place_of[rows.order] = np.arange(len(rows))
    start = 0
    for block in rows.blocks():
        yield rows[place_of[start : start + len(block)]]
        start += len(block)


def _named(opened: Opened) -> Iterator[Any]:
    import pandas as pd

    for block in in_given_order(opened.rows):
        yield block if opened.names is None else pd.DataFrame(block, columns=list(opened.names))
