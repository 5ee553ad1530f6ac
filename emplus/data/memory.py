"""Rows in an array in memory, worked on by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, reduce
from operator import add
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block
from emplus.errors import ArgumentError
from emplus.numerics.moments import Moments
from emplus.numerics.threads import effective_n_jobs, single_threaded

__all__ = ["ArraySource"]

T = TypeVar("T")

# Bytes that one block may hold: about what one core has of a shared cache.
_BLOCK_BYTES = 8 << 20
_SHORTEST, _LONGEST = 256, 16384
# A chunk of consecutive blocks is summed by one thread before it is handed over.
_CHUNKS = 64


@final
class ArraySource:
    """The rows of an array, in memory.

    Parameters
    ----------
    X : (n, d) ndarray of float32 or float64
        Any memory layout; never copied as a whole, never written to.
    sample_weight : (n,) ndarray of float64, optional
        Weights of the rows, at least 0.
    n_jobs : int, optional
        Threads; None for every core. It changes how fast the sums come, never their bits.

    Examples
    --------
    >>> source = ArraySource(np.arange(6.0).reshape(3, 2), n_jobs=1)
    >>> source.reduce(lambda block: (block.X.sum(axis=0),), width=2)
    (array([6., 9.]),)
    """

    def __init__(self, X: Array, sample_weight: Array | None = None, n_jobs: int | None = None):
        if X.ndim != 2 or X.dtype not in (np.float32, np.float64):
            raise ArgumentError(
                f"X must be (n, d) of float32 or float64; it is {X.shape} of {X.dtype}."
            )
        if sample_weight is not None and sample_weight.shape != (len(X),):
            raise ArgumentError(
                f"{len(X)} rows need as many weights; there are {sample_weight.shape}."
            )
        self._X, self._weight = X, sample_weight
        self._n_jobs = effective_n_jobs(n_jobs)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._X)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self._X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._X.dtype

    @cached_property
    def total_weight(self) -> float:
        """Sum of the row weights; the number of rows where there are none."""
        return float(len(self._X) if self._weight is None else self._weight.sum())

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

        return _sum(self.each(chunk, -(-n_blocks // per_chunk)))

    def map_rows(self, function: Callable[[Array], Array]) -> Array:
        """``function`` of each block of rows, its answers in the order of the rows."""
        starts = range(0, self.n_rows, _LONGEST)

        def part(index: int) -> Array:
            return function(self._X[starts[index] : starts[index] + _LONGEST])

        return np.concatenate(list(self.each(part, len(starts))))

    def moments(self, *, full: bool) -> Moments:
        """Weighted moments of all rows; with ``full`` the scatter of all pairs of columns."""
        return self._full_moments if full else self._plain_moments

    @cached_property
    def _full_moments(self) -> Moments:
        return self._moments(full=True)

    @cached_property
    def _plain_moments(self) -> Moments:
        return self._moments(full=False)

    def _moments(self, *, full: bool) -> Moments:
        rows = self._block_rows(3 * self.n_features)
        starts = range(0, self.n_rows, rows)

        def part(index: int) -> Moments:
            block = self._block(starts[index], rows)
            return Moments.of(block.X, block.weight, full=full)

        return reduce(add, self.each(part, len(starts)))

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Array, Array | None]:
        """Some of the rows and their weights; a slice gives views."""
        return self._X[rows], None if self._weight is None else self._weight[rows]

    def subset(self, rows: NDArray[np.integer]) -> ArraySource:
        """A source of some of the rows, with as many threads."""
        return ArraySource(*self.take(rows), self._n_jobs)

    def _block(self, start: int, rows: int) -> Block:
        end = start + rows
        weight = None if self._weight is None else self._weight[start:end]
        return Block(self._X[start:end], weight, start)

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


def _sum(parts: Iterable[tuple[Array, ...]]) -> tuple[Array, ...]:
    total: tuple[Array, ...] = ()
    for part in parts:
        if not total:
            total = part
        else:
            for whole, more in zip(total, part, strict=True):
                whole += more
    return total
