"""The contract of a data source: rows in blocks, and sums over them in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.moments import Moments

__all__ = ["Array", "Block", "Source"]

Array = NDArray[np.floating]

T = TypeVar("T")


class Block(NamedTuple):
    """Some consecutive rows: X (b, d), their weights (b,) or None for ones, where they start.

    ``X`` is an array of any real dtype, with NaN where an entry is missing, or a CSR array.
    ``labels`` (b,) are the components that the rows are known to come from, -1 where they are not;
    None where none is known.
    """

    X: Any
    weight: Array | None
    start: int
    labels: NDArray[np.integer] | None = None


class Source(Protocol):
    """Rows that can be passed over again and again.

    The blocks depend on the data alone, never on the number of workers, and sums are taken in
    block order, so a fit gives the same bits whatever runs it.
    """

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_features(self) -> int:
        """Number of columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64: what the blocks hold, or are worked on in."""

    @property
    def labels(self) -> NDArray[np.integer] | None:
        """Component that each row is known to come from (n,), -1 where not; None where none is."""

    @property
    def order(self) -> NDArray[np.intp] | None:
        """Number of each row in the data given (n,); None where they are in that order.

        Rows with missing entries are kept in another order than they were given in.
        """

    @property
    def in_memory(self) -> bool:
        """Whether the rows are in this process's memory."""

    @property
    def total_weight(self) -> float:
        """Sum of the row weights; the number of rows where there are none."""

    def reduce(
        self, function: Callable[[Block], tuple[Array, ...]], width: int
    ) -> tuple[Array, ...]:
        """The sum over blocks of the new arrays that ``function`` gives for each.

        ``width`` is how many numbers the function holds for each row; it sets the block's length.
        """

    def map_rows(self, function: Callable[[Any], Array]) -> Array:
        """``function`` of each block of rows, its answers (b, ...) in the order they were given."""

    def each(self, function: Callable[[int], T], count: int) -> Iterator[T]:
        """``function`` of 0 .. count - 1, side by side where there are workers, in that order."""

    def moments(self, *, full: bool, levels: Sequence[int] = ()) -> Moments:
        """Weighted moments of all rows, taken once; see `Moments.of`."""

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Any, Array | None]:
        """Some of the rows and their weights; not to be written to, as a slice is no copy."""

    def subset(self, rows: NDArray[np.integer]) -> Source:
        """A source of some of the rows, in memory."""

    def parts(self, count: int) -> list[Source]:
        """The rows split among so many sources, each with rows from all over the data."""

    def distinct(self) -> Source:
        """A source in which equal rows are one, with their weights added, where that saves much."""

    def columns(self, chosen: NDArray[np.integer]) -> Source:
        """A source of some of the columns."""
