"""Blocks of rows written one after the other into a temporary file, to be read again and again."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.stored import StoredRows
from emplus.errors import DataError
from emplus.numerics.patterns import pattern_order

__all__ = ["in_order", "spilled"]


class _Scratch:
    """A folder that is removed when nothing refers to it any more, or the program ends."""

    def __init__(self) -> None:
        folder = mkdtemp(prefix="emplus-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.place = Path(folder) / "rows"


def spilled(blocks: Iterable[Any], what: str) -> StoredRows:
    """Blocks of rows (b, d) in a temporary file, which is gone when nothing refers to it.

    The folder is the one of `tempfile`: ``$TMPDIR`` names another. Rows with missing entries (NaN)
    are kept in the order of what is missing, as `ArraySource` keeps them.

    Parameters
    ----------
    blocks : iterable of (b, d) array_like
        Of float32 or bool throughout, or of anything that float64 holds.
    what : str
        What they are, for messages.

    Raises
    ------
    DataError
        If there is no row, or blocks differ in their columns or their type.
    OSError
        If the disk is full, or cannot be written.
    """
    holder = _Scratch()
    written, width, dtype = 0, None, None
    with open(holder.place, "wb") as file:
        for block in blocks:
            rows = np.asarray(block)
            if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
                raise DataError(
                    f"{what} gives blocks of rows that do not go together: one has the shape "
                    f"{rows.shape}, those before it {'none' if width is None else width} columns."
                )
            width = rows.shape[1]
            if dtype is None:
                dtype = _kept(rows.dtype)
            if not np.can_cast(rows.dtype, dtype, "same_kind" if dtype == np.float64 else "safe"):
                raise DataError(f"{what} gives blocks of {dtype} and then of {rows.dtype}.")
            rows.astype(dtype, copy=False).tofile(file)
            written += len(rows)
    if not written or width is None or dtype is None:
        raise DataError(f"{what} has no rows.")
    return in_order(StoredRows(holder.place, written, width, dtype, holder=holder))


def _kept(dtype: np.dtype[Any]) -> np.dtype[Any]:
    # Of the first block: one type for all, and bool and float32 only where they come as such.
    return np.dtype(dtype if dtype in (np.float32, np.bool_) else np.float64)


def in_order(rows: StoredRows) -> StoredRows:
    """The rows themselves, or where entries are missing a copy in the order of what is missing.

    Cost: a pass over the file, and where entries are missing two more, n (d + 16) bytes in memory.
    """
    if rows.stored.kind != "f":
        return rows
    if not any(_has_nan(block) for block in rows.blocks()):
        return rows
    packed = [np.packbits(np.isnan(block), axis=1) for block in rows.blocks()]
    order = pattern_order(np.unpackbits(np.concatenate(packed), axis=1).view(bool))
    place_of = np.empty(len(order), dtype=np.intp)
    place_of[order] = np.arange(len(order))
    holder = _Scratch()
    _write_ordered(rows, holder.place, place_of)
    return StoredRows(
        holder.place, len(rows), rows.shape[1], rows.dtype, order=order, holder=holder
    )


def _has_nan(block: NDArray[Any]) -> bool:
    # A sum tells without an array as large as the block; infinities are refused elsewhere.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isnan(block.sum())) and bool(np.isnan(block).any())


def _write_ordered(rows: StoredRows, place: Path, place_of: NDArray[np.intp]) -> None:
    """Each row at its place; rows that miss the same entries are written together."""
    row_bytes, start = rows.shape[1] * rows.dtype.itemsize, 0
    with open(place, "wb") as file:
        file.truncate(len(rows) * row_bytes)
        for block in rows.blocks():
            places = place_of[start : start + len(block)]
            start += len(block)
            within = np.argsort(places, kind="stable")
            begins = np.flatnonzero(np.diff(places[within], prepend=-2) != 1)
            for own in np.split(within, begins[1:]):
                file.seek(int(places[own[0]]) * row_bytes)
                block[own].tofile(file)
