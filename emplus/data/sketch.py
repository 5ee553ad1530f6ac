"""What a table's columns hold, told from its blocks one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.cells import content, densified, factorized, numbers, refuse, refuse_infinity
from emplus.data.choices import Chosen, given_kinds, label_of
from emplus.data.coding import Coding
from emplus.data.columns import KINDS, MOST_CATEGORIES
from emplus.data.frames import names_of
from emplus.data.tables import StoredTable
from emplus.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableSketch", "learned"]

# More values than there may be categories: whatever a column holds, they are none.
_MOST_VALUES = MOST_CATEGORIES + 2


@final
@dataclass
class _ColumnSketch:
    """Values of a column from which the same is inferred as from the whole column.

    These are each value once, the first ones only where there are more than there may be
    categories; and of each type of block a value that is there and one that is missing.
    """

    pieces: list[pd.Series[Any]] = field(default_factory=list)
    known: set[Any] = field(default_factory=set)
    types: set[Any] = field(default_factory=set)

    @property
    def full(self) -> bool:
        return len(self.known) >= _MOST_VALUES

    def add(self, values: pd.Series[Any]) -> None:
        """Take over what is new among values, each of which stands there once."""
        there = np.flatnonzero(values.notna().to_numpy())
        missing = np.flatnonzero(values.isna().to_numpy())[:1]
        taken = []
        for place, value in zip(there.tolist(), values.iloc[there].tolist(), strict=True):
            key = type(value), value
            if self.full:
                break
            if key not in self.known:
                self.known.add(key)
                taken.append(place)
        kind = _type_key(values), len(missing)
        if kind not in self.types:
            self.types.add(kind)
            taken = sorted({*taken, *there[:1].tolist(), *missing.tolist()})
            self.pieces.append(values.iloc[taken])
        elif taken:
            self.pieces.append(values.iloc[taken])

    def values(self, array: np.dtype[Any] | None, label: str) -> pd.Series[Any]:
        """The values, as a column of the type that the whole column would have."""
        import pandas as pd

        if array is not None:
            held: Any = object if array.kind in "OU" else array
            whole = np.concatenate([piece.to_numpy().astype(held) for piece in self.pieces])
            array_values: pd.Series[Any] = pd.Series(whole, dtype=held)
            return array_values
        types = [piece.dtype for piece in self.pieces]
        if all(isinstance(dtype, pd.CategoricalDtype) for dtype in types) and len(set(types)) > 1:
            try:
                return pd.Series(pd.api.types.union_categoricals(self.pieces))
            except TypeError as error:
                refuse(label, f"has categories that differ from block to block: {error}.")
        # Pieces without any value only tell of a type that no other has.
        filled = {str(piece.dtype) for piece in self.pieces if len(piece)}
        some = [p for p in self.pieces if len(p) or str(p.dtype) not in filled]
        found: pd.Series[Any] = pd.concat(some, ignore_index=True)
        return found


def _type_key(values: pd.Series[Any]) -> Any:
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.ordered, tuple(dtype.categories)
    return str(dtype)


@final
class TableSketch:
    """What blocks of a table held so far, from which its coding follows.

    Parameters
    ----------
    chosen : mapping of str to names or places of columns
        The kinds that a person gave to columns, as of `Coding.infer`.

    Examples
    --------
    >>> from emplus.data.frames import as_frame
    >>> sketch = TableSketch({})
    >>> for block in (np.array([[0.0, 1.0]]), np.array([[1.0, 2.5]])):
    ...     sketch.add(*as_frame(block))
    >>> sketch.coding().kinds
    ('binary', 'continuous')
    """

    def __init__(self, chosen: Mapping[str, Chosen]):
        self._chosen = {kind: chosen.get(kind) for kind in KINDS}
        self.columns: list[_ColumnSketch] = []
        self.names: tuple[str, ...] | None = None
        self.array: np.dtype[Any] | None = None
        self._given: dict[int, str] = {}

    def add(
        self,
        frame: pd.DataFrame,
        dtype: np.dtype[Any] | None = None,
        first: int = 0,
        kept: NDArray[np.bool_] | None = None,
    ) -> None:
        """Look at a block of rows.

        Parameters
        ----------
        frame : DataFrame (b, d)
        dtype : numpy dtype, optional
            Of the array that the block was.
        first : int
            The number of its first row, for messages.
        kept : (b,) ndarray of bool, optional
            The rows that count; the others tell the types of columns only.

        Raises
        ------
        DataError
            At the first value that no column may hold.
        """
        self._begin(names_of(frame), frame.shape[1], dtype)
        for j, (_, held) in enumerate(frame.items()):
            series, label = densified(held), self._label(j)
            if kept is None:
                _check(series, label, self._given.get(j), first)
            else:
                series = series[kept]
            column = self.columns[j]
            column.add(_reduced(series, label, column.full))

    def _begin(
        self, names: tuple[str, ...] | None, width: int, dtype: np.dtype[Any] | None
    ) -> None:
        if not self.columns:
            self.names, self.array = names, dtype
            self.columns = [_ColumnSketch() for _ in range(width)]
            self._given = given_kinds(names, width, self._chosen)
        elif self.array is not None and dtype is not None:
            if (self.array.kind in "OU") != (dtype.kind in "OU"):
                raise DataError(
                    f"Some blocks are arrays of {self.array} and others of {dtype}; give them one "
                    "type."
                )
            self.array = np.result_type(self.array, dtype)
        else:
            self.array = None

    def join(self, other: TableSketch) -> None:
        """Take over what was seen of further blocks."""
        if not other.columns:
            return
        self._begin(other.names, len(other.columns), other.array)
        for own, more in zip(self.columns, other.columns, strict=True):
            for piece in more.pieces:
                own.add(piece)

    def _label(self, j: int) -> str:
        return label_of(j, None if self.names is None else self.names[j])

    def coding(self) -> Coding:
        """The coding of the whole table.

        Raises
        ------
        DataError
            As `Coding.infer`.

        Warns
        -----
        DataWarning
            As `Coding.infer`.
        """
        held = []
        for j, column in enumerate(self.columns):
            values = column.values(self.array, self._label(j))
            if column.full:
                self._check_number(values, self._label(j), self._given.get(j))
            held.append(values)
        array = None if self.array is None else self.array.str
        return Coding.of_columns(held, self.names, array, self._given)

    def _check_number(self, values: pd.Series[Any], label: str, kind: str | None) -> None:
        """Refuse a column of so many values where they had to be categories."""
        if kind == "binary":
            refuse(
                label,
                f"is to be binary, but it holds more than {MOST_CATEGORIES:,} values; take it as "
                "categorical.",
            )
        if kind == "categorical" or (kind is None and content(values, label) in _LISTED):
            refuse(
                label,
                f"has more than {MOST_CATEGORIES:,} categories; it may be an identifier. Leave "
                "it out, or put its rare categories into one.",
            )


_LISTED = ("text", "category")


def _check(series: pd.Series[Any], label: str, kind: str | None, first: int) -> None:
    """Refuse what no column of this kind may hold, with the number of its row."""
    holds = content(series, label)
    if kind == "continuous" or (kind is None and holds == "number"):
        numbers(series, label, first)
    elif holds in ("number", "category") or series.dtype == object:
        refuse_infinity(*factorized(series, label), label, first)


def _reduced(series: pd.Series[Any], label: str, full: bool) -> pd.Series[Any]:
    """Each value of a block once, and one that is missing; of a column that is full, few."""
    import pandas as pd

    missing = np.flatnonzero(series.isna().to_numpy())[:1]
    there = series[series.notna()] if len(missing) else series
    if series.dtype == object and pd.api.types.infer_dtype(there, skipna=False) != "string":
        factorized(series, label)  # refuses what has no hash
        # Values of different types may be equal: 1, 1.0 and True are.
        keys = zip(map(type, there.tolist()), there.tolist(), strict=True)
        firsts = {key: place for place, key in reversed(list(enumerate(keys)))}
        there = there.iloc[sorted(firsts.values())]
    else:
        there = there.iloc[:1] if full else there.drop_duplicates()
    there = there.iloc[: _MOST_VALUES + 1]
    return pd.concat([there, series.iloc[missing]]) if len(missing) else there


def learned(
    table: StoredTable, chosen: Mapping[str, Chosen], kept: NDArray[np.bool_] | None = None
) -> Coding:
    """The coding of a table that is read block by block; a pass.

    It is that of `Coding.infer` for the whole table, which also tells what is refused and warned
    of; ``kept`` (n,) are the rows that count.
    """
    sketch = TableSketch(chosen)
    for first, frame, dtype in table.frames():
        own = None if kept is None else kept[first : first + len(frame)]
        sketch.add(frame, dtype, first, own)
    return sketch.coding()
