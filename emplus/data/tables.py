"""Tables that stay in their file, or are made a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from emplus.data.frames import as_frame, names_of
from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StoredTable"]


@final
@dataclass(frozen=True, eq=False)
class StoredTable:
    """A table as blocks of rows, from the first row to the last.

    Parameters
    ----------
    make : callable
        Gives, each time it is called, an iterable of blocks: data frames or arrays.
    what : str
        What it is, for messages.
    """

    make: Callable[[], Iterable[Any]]
    what: str

    def frames(self) -> Iterator[tuple[int, pd.DataFrame, np.dtype[Any] | None]]:
        """The number of each block's first row, the block, and its type if it is an array.

        Raises
        ------
        DataError
            If there are no rows, or blocks differ in their columns.
        """
        first, columns = 0, None
        for block in self.make():
            if not len(block):
                continue
            frame, dtype = as_frame(block)
            held = names_of(frame), frame.shape[1]
            if columns is not None and columns != held:
                raise DataError(
                    f"{self.what} gives blocks of rows that do not go together: their columns are "
                    "others than those of the blocks before."
                )
            columns = held
            yield first, frame, dtype
            first += len(frame)
        if not first:
            raise DataError(f"{self.what} has no rows.")

    @cached_property
    def _head(self) -> tuple[tuple[str, ...] | None, int]:
        _, frame, _ = next(iter(self.frames()))
        return names_of(frame), frame.shape[1]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, None where they have none."""
        return self._head[0]

    @property
    def n_columns(self) -> int:
        """How many columns there are."""
        return self._head[1]

    def blocks(self) -> Iterator[Any]:
        """The blocks."""
        return iter(self.make())

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns; a pass."""
        return self.n_rows, self.n_columns

    @cached_property
    def n_rows(self) -> int:
        """How many rows there are; a pass."""
        return sum(len(block) for block in self.make())
