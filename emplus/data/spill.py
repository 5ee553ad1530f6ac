"""Blocks of rows written one after the other into a temporary file, to be read again and again."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.stored import StoredRows
from emplus.errors import DataError
from emplus.numerics.patterns import packed_order

__all__ = ["in_order", "spilled", "spilled_as", "spilled_codes"]


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
    return in_order(spilled_as(blocks, None, what))


def spilled_codes(blocks: Iterable[Any], small: Any, complete: Any, what: str) -> StoredRows:
    """Blocks of codes (b, d) in a temporary file, one or two bytes an entry.

    Parameters
    ----------
    blocks : iterable of (b, d) ndarray
        Truth values, or whole numbers as floating ones, NaN where an entry is missing.
    small : numpy dtype
        Of the file: whole numbers that may be below 0.
    complete : numpy dtype
        What rows are given as where nothing is missing; where something is, they are float64, and
        kept as those of `spilled`.
    what : str
        What they are, for messages.

    Raises
    ------
    DataError
        If there is no row.
    OSError
        If the disk is full, or cannot be written.
    """
    missing = False

    def codes() -> Iterator[Any]:
        nonlocal missing
        for block in blocks:
            if block.dtype.kind != "f":
                yield block.astype(small)
                continue
            absent = np.isnan(block)
            missing = missing or bool(absent.any())
            yield np.where(absent, -1.0, block).astype(small)

    rows = spilled_as(codes(), np.dtype(small), what)
    given = np.dtype(np.float64 if missing else complete)
    return in_order(replace(rows, given=given, coded=missing))


def spilled_as(blocks: Iterable[Any], dtype: np.dtype[Any] | None, what: str) -> StoredRows:
    """Blocks one after the other as they are, of one type; that of the first where none is named.

    Raises as `spilled`.
    """
    holder = _Scratch()
    written, width = 0, None
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
    return StoredRows(holder.place, written, width, dtype, holder=holder)


def _kept(dtype: np.dtype[Any]) -> np.dtype[Any]:
    # Of the first block: one type for all, and bool and float32 only where they come as such.
    return np.dtype(dtype if dtype in (np.float32, np.bool_) else np.float64)


def in_order(rows: StoredRows) -> StoredRows:
    """The rows themselves, or where entries are missing a copy in the order of what is missing.

    Cost: a pass over the file, and where entries are missing two more, n (d / 8 + 24) bytes in
    memory.
    """
    if rows.dtype.kind != "f":
        return rows
    if not any(_has_nan(block) for block in rows.blocks()):
        return rows
    order = packed_order(
        np.concatenate([np.packbits(np.isnan(block), axis=1) for block in rows.blocks()])
    )
    place_of = np.empty(len(order), dtype=np.intp)
    place_of[order] = np.arange(len(order))
    # Codes stay as small as they are.
    raw = replace(rows, given=None, coded=False) if rows.coded else rows
    holder = _Scratch()
    _write_ordered(raw, holder.place, place_of)
    n, d = raw.shape
    kept = StoredRows(holder.place, n, d, raw.dtype, order=order, holder=holder)
    return replace(kept, given=rows.given, coded=rows.coded)


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
