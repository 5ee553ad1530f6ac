"""Rows of a file that are equal, found a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.distinct import grouped, hashes_of, words_of
from emplus.data.spill import spilled_as
from emplus.data.stored import StoredRows

__all__ = ["distinct_stored"]

# Rows that differ take some 40 bytes each of memory while they are looked for; bytes of them up to
# which they are kept in memory afterwards.
_MOST, _IN_MEMORY = 1 << 21, 64 << 20


def distinct_stored(
    rows: StoredRows, weight: NDArray[np.floating] | None, most: int
) -> tuple[Any, NDArray[np.float64]] | None:
    """The first of each kind of equal rows, in their order, and how much each kind weighs.

    The same rows and weights as of an array in memory. Rows are told apart by 128 bits that are
    made of them, in a pass over the file.

    Parameters
    ----------
    rows : StoredRows
        Of bool or whole numbers.
    weight : (n,) ndarray or None
    most : int
        So many rows may differ.

    Returns
    -------
    tuple or None
        An array of the rows, or where they are many, rows in a file; None where more differ than
        may, or more than two million.
    """
    found = _Kinds(rows, weight, min(most, _MOST))
    kept = spilled_as(found.blocks(), rows.dtype, "The file")
    if found.too_many:
        return None
    small = len(kept) * kept.shape[1] * rows.dtype.itemsize <= _IN_MEMORY
    return kept[:] if small else kept, found.weight[: len(kept)]


@final
class _Kinds:
    """The kinds of rows seen so far: their hashes in rising order, and the number of each."""

    def __init__(self, rows: StoredRows, weight: NDArray[np.floating] | None, most: int):
        self._rows, self._given, self._most = rows, weight, most
        self.too_many = False
        self._hashes, self._numbers = np.empty(0, np.uint64), np.empty(0, np.intp)
        self._others = np.empty(0, np.uint64)
        self.weight = np.empty(0)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """For each block of rows those that are new."""
        start = 0
        for block in self._rows.blocks():
            own = slice(start, start + len(block))
            start += len(block)
            words = words_of(block)
            hashes, others = hashes_of(words), hashes_of(words, 1)
            first, which = grouped(hashes)
            numbers, new = self._numbered(hashes[first])
            self._others = np.concatenate([self._others, others[first[new]]])
            which = numbers[which]
            if len(self._hashes) > self._most or (self._others[which] != others).any():
                self.too_many = True
                yield block[:1]  # which nobody reads
                return
            self.weight = np.append(self.weight, np.zeros(int(new.sum())))
            # One row after the other, as for an array.
            np.add.at(self.weight, which, 1.0 if self._given is None else self._given[own])
            yield block[first[new]]

    def _numbered(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The number of each kind, and whether it is new; new ones are taken over in order."""
        places = np.searchsorted(self._hashes, hashes)
        inside = np.minimum(places, max(len(self._hashes) - 1, 0))
        known = self._hashes[inside] == hashes if len(self._hashes) else np.zeros(len(hashes), bool)
        numbers = np.empty(len(hashes), dtype=np.intp)
        numbers[known] = self._numbers[inside[known]]
        new = ~known
        numbers[new] = len(self._hashes) + np.arange(int(new.sum()))
        order = np.argsort(hashes[new], kind="stable")
        at = places[new][order]
        self._hashes = np.insert(self._hashes, at, hashes[new][order])
        self._numbers = np.insert(self._numbers, at, numbers[new][order])
        return numbers, new
