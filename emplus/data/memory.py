"""Rows in an array in memory or in a file, worked on by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, reduce
from operator import add
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block, Source
from emplus.data.distinct import distinct_rows
from emplus.data.distinct_stored import distinct_stored
from emplus.data.spill import in_order
from emplus.data.stored import StoredRows
from emplus.errors import ArgumentError
from emplus.numerics.moments import Moments
from emplus.numerics.patterns import pattern_order
from emplus.numerics.sparse import is_sparse
from emplus.numerics.threads import effective_n_jobs, single_threaded

__all__ = ["ArraySource"]

T = TypeVar("T")

# Bytes that one block may hold: about what one core has of a shared cache.
_BLOCK_BYTES = 8 << 20
_SHORTEST, _LONGEST = 256, 16384
# Numbers in a pass up to which handing the blocks to threads takes longer than it saves.
_SMALL = 1 << 20
# Share of distinct rows up to which it pays to take equal rows together.
_MOST_DISTINCT = 0.8
# A chunk of consecutive blocks is summed by one thread before it is handed over.
_CHUNKS = 64


@final
class ArraySource:
    """The rows of an array, or of a file that is read a block at a time.

    Parameters
    ----------
    X : (n, d) ndarray, scipy.sparse CSR array, or StoredRows
        Of float32, float64, bool or whole numbers; in any memory layout, never written to. Only
        where entries are missing (NaN) it is copied, in the order of what is missing, so that
        rows that miss the same columns lie together; ``order`` tells which is which.
    sample_weight : (n,) ndarray of float64, optional
        Weights of the rows, at least 0.
    n_jobs : int, optional
        Threads; None for every core. It changes how fast the sums come, never their bits.
    labels : (n,) ndarray of int, optional
        Component that each row is known to come from, -1 where it is not.

    Examples
    --------
    >>> source = ArraySource(np.arange(6.0).reshape(3, 2), n_jobs=1)
    >>> source.reduce(lambda block: (block.X.sum(axis=0),), width=2)
    (array([6., 9.]),)
    """

    def __init__(
        self,
        X: Any,
        sample_weight: Array | None = None,
        n_jobs: int | None = None,
        labels: NDArray[np.integer] | None = None,
    ):
        if X.ndim != 2 or not (X.dtype in (np.float32, np.float64) or X.dtype.kind in "biu"):
            raise ArgumentError(
                "X must be (n, d) of float32, float64, bool or whole numbers; "
                f"it is {X.shape} of {X.dtype}."
            )
        for what, values in (("weights", sample_weight), ("labels", labels)):
            if values is not None and values.shape != (X.shape[0],):
                raise ArgumentError(
                    f"{X.shape[0]} rows need as many {what}; there are {values.shape}."
                )
        stored = isinstance(X, StoredRows)
        self.order = X.order if stored else _order(X)
        if self.order is not None:
            X = X.as_kept() if stored else X[self.order]
            sample_weight = None if sample_weight is None else sample_weight[self.order]
            labels = None if labels is None else labels[self.order]
        self._X, self._weight, self.labels = X, sample_weight, labels
        self._n_jobs = effective_n_jobs(n_jobs)
        self._known_moments: dict[Any, Moments] = {}

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self._X.shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self._X.shape[1])

    @property
    def in_memory(self) -> bool:
        """Whether the rows are an array."""
        return not isinstance(self._X, StoredRows)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What is worked in: float32 for rows of float32, float64 for all others."""
        dtype: np.dtype[Any] = self._X.dtype
        return dtype if dtype.kind == "f" else np.dtype(np.float64)

    @cached_property
    def total_weight(self) -> float:
        """Sum of the row weights; the number of rows where there are none."""
        return float(self.n_rows if self._weight is None else self._weight.sum())

    def reduce(
        self, function: Callable[[Block], tuple[Array, ...]], width: int
    ) -> tuple[Array, ...]:
        """The sum over blocks of the new arrays that ``function`` gives for each."""
        rows = self._block_rows(width)
        n_blocks = -(-self.n_rows // rows)
        per_chunk = -(-n_blocks // _CHUNKS)

        def chunk(index: int) -> tuple[Array, ...]:
            last = min(n_blocks, (index + 1) * per_chunk)
            blocks = range(index * per_chunk, last)
            return _sum(function(self._block(b * rows, rows)) for b in blocks)

        n_chunks = -(-n_blocks // per_chunk)
        if self.n_rows * width > _SMALL:
            return _sum(self.each(chunk, n_chunks))
        with single_threaded():
            return _sum(map(chunk, range(n_chunks)))

    def map_rows(self, function: Callable[[Any], Array]) -> Array:
        """``function`` of each block of rows, its answers in the order of the rows given."""
        starts = range(0, self.n_rows, _LONGEST)

        def part(index: int) -> Array:
            return function(self._X[starts[index] : starts[index] + _LONGEST])

        answers = np.concatenate(list(self.each(part, len(starts))))
        if self.order is None:
            return answers
        given = np.empty_like(answers)
        given[self.order] = answers
        return given

    def moments(self, *, full: bool, levels: Sequence[int] = ()) -> Moments:
        """Weighted moments of all rows; with ``full`` the scatter of all pairs of columns."""
        asked = full, tuple(levels) if any(levels) else ()
        if asked not in self._known_moments:
            self._known_moments[asked] = self._moments(*asked)
        return self._known_moments[asked]

    def _moments(self, full: bool, levels: Sequence[int]) -> Moments:
        rows = self._block_rows(3 * self.n_features)
        starts = range(0, self.n_rows, rows)

        def part(index: int) -> Moments:
            block = self._block(starts[index], rows)
            return Moments.of(block.X, block.weight, full=full, levels=levels)

        return reduce(add, self.each(part, len(starts)))

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Any, Array | None]:
        """Some of the rows and their weights; a slice gives views."""
        return self._X[rows], None if self._weight is None else self._weight[rows]

    def subset(self, rows: NDArray[np.integer]) -> ArraySource:
        """A source of some of the rows, with as many threads."""
        return self._with(*self.take(rows), None if self.labels is None else self.labels[rows])

    def parts(self, count: int) -> list[Source]:
        """Every ``count``-th row, beginning with each of the first ones; views, not copies."""
        count = max(1, min(count, self.n_rows))
        if count == 1:
            return [self]
        pieces = (
            self._X.parts(count)
            if isinstance(self._X, StoredRows)
            else [(self._X[own], own) for own in (slice(i, None, count) for i in range(count))]
        )
        found: list[Source] = []
        for X, own in pieces:
            weight = None if self._weight is None else self._weight[own]
            found.append(self._with(X, weight, None if self.labels is None else self.labels[own]))
        return found

    def distinct(self) -> ArraySource:
        """A source in which equal rows are one, with their weights added.

        Itself where that saves little, where the rows are not boolean or whole numbers, and where
        components are known; of rows in a file also where more than two million of them differ.
        """
        if self._X.dtype.kind == "f" or self.labels is not None:
            return self
        if isinstance(self._X, StoredRows):
            few = distinct_stored(self._X, self._weight, int(_MOST_DISTINCT * self.n_rows))
            return self if few is None else self._with(*few, None)
        found = distinct_rows(self._X)
        if found is None or len(found[0]) > _MOST_DISTINCT * self.n_rows:
            return self
        first, which = found
        weight = np.bincount(which, self._weight, minlength=len(first)).astype(np.float64)
        return self._with(self._X[first], weight, None)

    def columns(self, chosen: NDArray[np.integer]) -> ArraySource:
        """A source of some of the columns."""
        X = self._X
        # Indexing would give an array that lies column by column, whose sums round otherwise.
        some: Any = X.take(chosen, axis=1) if isinstance(X, np.ndarray) else X[:, chosen]
        if isinstance(X, StoredRows) and self.order is not None:
            some = in_order(some)  # as an array is sorted anew, by what is missing in these
        return self._with(some, self._weight, self.labels)

    def _with(
        self, X: Any, weight: Array | None, labels: NDArray[np.integer] | None
    ) -> ArraySource:
        return ArraySource(X, weight, self._n_jobs, labels)

    def _block(self, start: int, rows: int) -> Block:
        own = slice(start, start + rows)
        weight = None if self._weight is None else self._weight[own]
        labels = None if self.labels is None else self.labels[own]
        return Block(self._X[own], weight, start, labels)

    def _block_rows(self, width: int) -> int:
        fitting = _BLOCK_BYTES // (max(width, 1) * self.dtype.itemsize)
        # Some blocks for each thread where there are rows enough to repay the handing out.
        fitting = min(fitting, max(2048, -(-self.n_rows // 8)))
        # A power of two, so that a slightly wider function does not shift every block's edge.
        return min(_LONGEST, max(_SHORTEST, 1 << (max(fitting, 1).bit_length() - 1)))

    def each(self, function: Callable[[int], T], count: int) -> Iterator[T]:
        """``function`` of 0 .. count - 1, worked out by the threads, in order."""
        # Handed over one by one, so that large sums of early blocks need not wait for late ones.
        with single_threaded():
            if count == 1 or self._n_jobs == 1:
                yield from map(function, range(count))
            else:
                yield from self._in_order(function, count)

    def _in_order(self, function: Callable[[int], T], count: int) -> Iterator[T]:
        # Few answers wait at any time: those of large models are tens of megabytes each.
        waiting: deque[Future[T]] = deque()
        try:
            for index in range(count):
                waiting.append(self._pool.submit(function, index))
                if len(waiting) > self._n_jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._n_jobs, thread_name_prefix="emplus")


def _order(X: Any) -> NDArray[np.intp] | None:
    """Rows that miss the same entries together; None where nothing is missing."""
    if is_sparse(X) or X.dtype.kind != "f" or not X.size:
        return None
    # A sum tells without an array as large as the rows; infinities are refused elsewhere.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(X.sum()):
            return None
    missing = np.isnan(X)
    return pattern_order(missing) if missing.any() else None


def _sum(parts: Iterable[tuple[Array, ...]]) -> tuple[Array, ...]:
    total: tuple[Array, ...] = ()
    for part in parts:
        if not total:
            total = part
        else:
            for whole, more in zip(total, part, strict=True):
                whole += more
    return total
