"""Tables in files as blocks of rows, whose cells are what they are of the whole table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from emplus.cli.cells import Columns, TextCounts, stripped
from emplus.cli.parsers import text_heading
from emplus.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

    from emplus.data.tables import StoredTable

__all__ = ["BlockTable", "TypedTable", "block_table"]


@final
@dataclass
class _Seen:
    """What a column held in the blocks so far."""

    held: set[str] = field(default_factory=set)
    counts: TextCounts = field(default_factory=TextCounts)
    single: bool = True
    binary: bool = True

    def look(self, column: pd.Series[Any], first: int) -> None:
        """Look at the column in a block of rows that begins with row ``first``."""
        from emplus.data.likely import only_zero_and_one

        held = _held(column)
        self.held.add(held)
        if held == "number":
            numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
            self.single = self.single and column.dtype == np.float32
            self.binary = self.binary and only_zero_and_one(numbers)
            filled = int((numbers == numbers).sum())
            self.counts = self.counts.joined(TextCounts(filled=filled, dates=False))
        elif held == "text":
            self.counts = self.counts.joined(TextCounts.of(stripped(column), first))

    @property
    def kind(self) -> str:
        """What the whole column holds: number, truth, text or category."""
        held = self.held - {"nothing"}
        if len(held) > 1:
            return "text"
        kind = next(iter(held), "number")
        # Numbers too long for an integer, say, come as text although they are numbers.
        return "number" if kind == "text" and not self.counts.text else kind


def _held(column: pd.Series[Any]) -> str:
    import pandas as pd

    kinds = pd.api.types
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if not column.notna().any():
        return "nothing"
    if kinds.is_bool_dtype(column.dtype) or (
        column.dtype == object and kinds.infer_dtype(column, skipna=True) == "boolean"
    ):
        return "truth"
    return "number" if kinds.is_numeric_dtype(column.dtype) else "text"


@final
@dataclass(frozen=True)
class BlockTable:
    """A table in a file, which ``read`` reads block by block.

    Parameters
    ----------
    source : str
        The beginning of every sentence about it.
    names : tuple of str
    named : bool
        Whether the names are the file's own.
    read : callable
        Given the places of columns that are text, data frames whose columns are numbered.
    nameless : collection of str
        Columns that the file has no name for, which are left out where they are empty.
    """

    source: str
    names: tuple[str, ...]
    named: bool
    read: Callable[[Collection[int]], Iterator[pd.DataFrame]]
    nameless: Collection[str] = ()

    def typed(self, chosen: Sequence[str], as_they_are: Collection[str] = ()) -> TypedTable:
        """Some of the columns, with what each of them holds in the whole table; a pass.

        Raises
        ------
        UnknownNameError
            If there is no such column.
        DataError
            If nearly all cells of a column of text are numbers and it is not among those that are
            taken as they are, or all are dates; if there are no rows.
        """
        for name in [*chosen, *as_they_are]:
            if name not in self.names:
                raise UnknownNameError(f"column of {self.source}", name, self.names)
        places = [self.names.index(name) for name in chosen]
        seen, n = {place: _Seen() for place in places}, 0
        for block in self.read(()):
            for place, column in seen.items():
                column.look(block.iloc[:, place], n)
            n += len(block)
        if not n:
            raise DataError(f"{self.source} has a header but no rows; put a line a row below it.")
        empty = [name for name in self.nameless if name in chosen]
        empty = [name for name in empty if seen[self.names.index(name)].held == {"nothing"}]
        chosen = [name for name in chosen if name not in empty]
        seen = {place: seen[place] for place in (self.names.index(name) for name in chosen)}
        for name, place in zip(chosen, seen, strict=True):
            if seen[place].kind == "text" and name not in as_they_are:
                seen[place].counts.check(name, self.source, lambda row: f"row {row + 1}")
        return TypedTable(self, tuple(chosen), n, seen)

    def column(self, name: str) -> Columns:
        """One column, in memory."""
        import pandas as pd

        typed = self.typed([name], [name])
        cells = pd.concat([block for block in typed.blocks()], ignore_index=True)
        return Columns(self.source, (name,), cells, named=self.named, lines=None)


@final
@dataclass(frozen=True)
class TypedTable:
    """Some columns of a `BlockTable`, and what they hold."""

    table: BlockTable
    names: tuple[str, ...]
    n_rows: int
    seen: dict[int, _Seen]

    @property
    def family(self) -> str:
        """The family that these columns speak for; see `emplus.data.likely`."""
        from emplus.data.likely import family_of

        words = {"truth": "bool", "category": "text"}
        numbers = [column for column in self.seen.values() if column.kind == "number"]
        held = {words.get(column.kind, column.kind) for column in self.seen.values()}
        return family_of(held, all(column.binary for column in numbers))

    def blocks(self) -> Iterator[pd.DataFrame]:
        """The rows, each column of the type that it has in the whole table."""
        import pandas as pd

        columns = list(self.seen.values())
        numbers = all(column.kind == "number" for column in columns)
        single = numbers and all(column.single for column in columns)
        texts = [place for place, column in self.seen.items() if column.kind == "text"]
        for block in self.table.read(texts):
            held = [_converted(block.iloc[:, j], seen.kind) for j, seen in self.seen.items()]
            frame = pd.concat(held, axis=1, keys=range(len(held)))
            if numbers:
                frame = frame.astype(np.float32 if single else np.float64)
            yield frame.set_axis(list(self.names) if self.table.named else range(len(held)), axis=1)

    def stored(self) -> StoredTable:
        """What estimators take."""
        from emplus.data.tables import StoredTable

        return StoredTable(self.blocks, self.table.source)


def _converted(column: pd.Series[Any], kind: str) -> pd.Series[Any]:
    import pandas as pd

    if kind == "category":
        return column
    if kind == "truth":
        return column if column.dtype == bool else column.astype("boolean")
    if kind == "text":
        return stripped(column) if pd.api.types.is_string_dtype(column.dtype) else column
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu":
        return column
    values = pd.to_numeric(column.astype(object), errors="coerce")
    return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), column.index)


def block_table(place: str) -> BlockTable:
    """The table in a CSV or Parquet file.

    Raises
    ------
    DataError
        If it is none.
    """
    from emplus.data.opening import tables

    path, source = Path(place), repr(place)
    if path.suffix.lower() in (".parquet", ".pq"):
        first = next(tables(path), None)
        if first is None:
            raise DataError(f"{source} has no rows.")
        names = tuple(str(name) for name in first.columns)
        return BlockTable(
            source,
            names,
            True,
            lambda texts: (block.set_axis(range(len(names)), axis=1) for block in tables(path)),
        )
    heading = text_heading(place, source)
    return BlockTable(source, heading.names, heading.named, heading.blocks, heading.nameless)
