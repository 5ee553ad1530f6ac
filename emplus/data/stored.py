"""Rows in a file of numbers, read a block at a time: as much of an array as a source needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

__all__ = ["StoredRows"]

# Rows that stay together where many rows are split into parts: to read single ones takes as long as
# to read what lies between them. Of few rows parts are what they are of an array.
_RUN, _FEW = 64, 100_000
# Bytes read at a time where rows are looked through.
_AT_ONCE = 8 << 20


@final
@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows (n, d) of numbers of one type, one after the other in a file.

    Slices of rows, arrays of row numbers, and ``[:, columns]`` give what they give of an array.
    What was read is not kept, so memory does not grow with the file; any number of threads may
    read at once.

    Parameters
    ----------
    path : Path
    n_stored, width : int
        Rows and columns of the file.
    stored : numpy dtype
        Of the file.
    offset : int
        Bytes before the first row.
    order : (n,) ndarray of int, optional
        Number of each row in the data given, where they are kept in another order.
    holder : object, optional
        Something whose end removes the file.
    chosen : ndarray of int, optional
        Columns, in this order; all of them by default.
    part : (first, step, length)
        Runs of so many rows: every ``step``-th, beginning with ``first``.
    given : numpy dtype, optional
        What the rows are given as; that of the file, in this machine's order of bytes, by default.
    coded : bool
        Whether whole numbers below 0 stand for missing entries, which are NaN where rows are given
        as floating numbers.

    Raises
    ------
    DataError
        If the file ends before its last row; also where it does so later, while it is read.
    OSError
        If it cannot be read.
    """

    path: Path
    n_stored: int
    width: int
    stored: np.dtype[Any]
    offset: int = 0
    order: NDArray[np.intp] | None = None
    holder: object = None
    chosen: NDArray[np.intp] | None = None
    part: tuple[int, int, int] = (0, 1, 1)
    given: np.dtype[Any] | None = None
    coded: bool = False

    def __post_init__(self) -> None:
        if os.stat(self.path).st_size < self.offset + self.n_stored * self._row_bytes:
            raise self._too_short()

    @property
    def ndim(self) -> int:
        """Two, as of every matrix."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the rows as they are given."""
        return self.stored.newbyteorder("=") if self.given is None else self.given

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        first, step, length = self.part
        n, columns = self.n_stored, self.chosen
        if step > 1:
            runs = range(first, -(-n // length), step)
            # The file's last run may be a short one.
            n = len(runs) * length - max(0, (runs[-1] + 1) * length - n)
        return n, self.width if columns is None else len(columns)

    @property
    def _row_bytes(self) -> int:
        return self.width * self.stored.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Some rows as an array, or with ``[:, columns]`` the rows with some of the columns."""
        if isinstance(key, tuple):
            rows, columns = key
            if rows != slice(None):
                raise TypeError("Columns are chosen for all rows: rows[:, columns].")
            have = np.arange(self.width) if self.chosen is None else self.chosen
            return replace(self, chosen=have[columns])
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise TypeError("A slice of stored rows has no step; see parts.")
            return self._finished(self._block(start, max(start, stop)))
        numbers = np.asarray(key)
        return self._taken(np.flatnonzero(numbers) if numbers.dtype == np.bool_ else numbers)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows, some megabytes at a time."""
        rows = max(1, _AT_ONCE // max(self._row_bytes, 1))
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    def astype(self, dtype: Any) -> StoredRows:
        """The rows, given as another type."""
        return replace(self, given=np.dtype(dtype))

    def as_kept(self) -> StoredRows:
        """The rows in the order in which they are kept, as if they had been given so."""
        return replace(self, order=None)

    def parts(self, count: int) -> list[tuple[StoredRows, NDArray[np.intp]]]:
        """The rows split among at most so many, each with rows from all over the file.

        With each part the numbers of its rows. Runs of 64 rows stay together where there are more
        than 100,000 rows.
        """
        length = 1 if len(self) <= _FEW else _RUN
        count = max(1, min(count, -(-len(self) // length)))
        found = []
        for first in range(count):
            part = replace(self, part=(first, count, length))
            found.append((part, part._places(0, len(part))))
        return found

    def _places(self, start: int, stop: int) -> NDArray[np.intp]:
        """Where rows of this part stand in the file."""
        own = np.arange(start, stop)
        first, step, length = self.part
        return own if step == 1 else (first + step * (own // length)) * length + own % length

    def _block(self, start: int, stop: int) -> NDArray[Any]:
        if self.part[1] == 1:
            return self._read(start, stop)
        return self._gathered(self._places(start, stop))

    def _taken(self, rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
        n = len(self)
        if len(rows) and (rows.min() < -n or rows.max() >= n):
            raise IndexError(f"There are {n} rows.")
        places = np.where(rows < 0, rows + n, rows).astype(np.intp)
        if self.part[1] > 1:
            places = self._places(0, n)[places]
        order = np.argsort(places, kind="stable")
        found = np.empty((len(places), self.shape[1]), dtype=self.dtype)
        found[order] = self._finished(self._gathered(places[order]))
        return found

    def _gathered(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Rows at rising places in the file; those that follow each other are read together."""
        found = np.empty((len(places), self.width), dtype=self.stored)
        raw = found.view(np.uint8).reshape(len(places), self._row_bytes)
        begins = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        ends = np.append(begins[1:], len(places))[: len(begins)]
        with open(self.path, "rb", buffering=0) as file:
            for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
                file.seek(self.offset + int(places[begin]) * self._row_bytes)
                view = raw[begin:end].data.cast("B")
                while len(view):
                    got = file.readinto(view)
                    if not got:
                        raise self._too_short()
                    view = view[got:]
        return found

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        rows = np.fromfile(
            self.path,
            dtype=self.stored,
            count=(stop - start) * self.width,
            offset=self.offset + start * self._row_bytes,
        )
        if len(rows) < (stop - start) * self.width:
            raise self._too_short()
        return rows.reshape(stop - start, self.width)

    def _finished(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.chosen is not None:
            rows = rows.take(self.chosen, axis=1)  # row by row in memory, as arrays are
        given = rows.astype(self.dtype, copy=False)
        if self.coded and given.dtype.kind == "f":
            given[rows < 0] = np.nan
        return given

    def _too_short(self) -> DataError:
        return DataError(
            f"{str(self.path)!r} ends before its last row: it is damaged, or was changed while it "
            "was read."
        )
