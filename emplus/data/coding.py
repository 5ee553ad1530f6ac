"""Tables of several kinds of columns as numbers, and numbers as tables again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.cells import densified, factorized, shown
from emplus.data.choices import Chosen, given_kinds, label_of
from emplus.data.coding_json import column_from_json, column_to_json, malformed
from emplus.data.columns import KINDS, Column, Unseen, encoded, inferred
from emplus.data.decoding import decoded, joined
from emplus.data.frames import as_frame, names_of
from emplus.errors import DataError, DataWarning, say

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coding", "Column", "warn_of_unseen"]


@dataclass(frozen=True)
class Coding:
    """How the columns of a table become numbers.

    A continuous column is its numbers. A binary one is 0 and 1. A categorical one is
    0, ..., L - 1, the places of its values among its sorted categories, or in the order of their
    own where they are a pandas categorical. A missing value (NaN, None, NA, NaT) is NaN.

    Parameters
    ----------
    columns : tuple of Column
    array : str or None
        The type of the array that the coding was made for, None where it was a data frame.

    Examples
    --------
    >>> table = np.array([["no", 1.5], ["yes", None], ["no", 2.5]], dtype=object)
    >>> coding = Coding.infer(table)
    >>> coding.kinds
    ('categorical', 'continuous')
    >>> coding.encode(table)
    array([[0. , 1.5],
           [1. , nan],
           [0. , 2.5]])
    >>> coding.decode(np.array([[1.0, 0.5]]))
    array([['yes', 0.5]], dtype=object)
    """

    columns: tuple[Column, ...]
    array: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """``"continuous"``, ``"binary"`` or ``"categorical"`` for each column."""
        return tuple(column.kind for column in self.columns)

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of categories of each categorical column, 0 for the others."""
        return tuple(
            len(column.categories) if column.kind == "categorical" else 0 for column in self.columns
        )

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, None where they have none."""
        names = tuple(column.name for column in self.columns if column.name is not None)
        return names or None

    @classmethod
    def infer(
        cls,
        table: Any,
        *,
        continuous: Chosen = None,
        binary: Chosen = None,
        categorical: Chosen = None,
    ) -> Coding:
        """The coding of a table, by the types and values of its columns.

        Truth values are binary, and so are numbers where all are 0 or 1; other numbers are
        continuous; text and pandas categoricals are categorical. A column of objects is what its
        objects are.

        Parameters
        ----------
        table : DataFrame or (n, d) array_like
            Or anything that has ``to_pandas`` or ``__dataframe__``.
        continuous, binary, categorical : names or places of columns, optional
            What these columns are, whatever their type. A binary column may hold two values
            other than 0 and 1, which are 0 and 1 in sorted order.

        Raises
        ------
        ArgumentError
            If a column is listed twice or there is no such column.
        DataError
            If a column holds no values, dates, infinity, more than 1,000 categories, or what the
            kind that is asked for cannot be.

        Warns
        -----
        DataWarning
            If a binary or categorical column has one value only.
        """
        frame, dtype = as_frame(table)
        names = names_of(frame)
        given = given_kinds(
            names, frame.shape[1], dict(zip(KINDS, (continuous, binary, categorical), strict=True))
        )
        held = [series for _, series in frame.items()]
        return cls.of_columns(held, names, None if dtype is None else dtype.str, given)

    @classmethod
    def of_columns(
        cls,
        held: Sequence[pd.Series[Any]],
        names: tuple[str, ...] | None,
        array: str | None,
        given: Mapping[int, str],
    ) -> Coding:
        """The coding of columns of which each may have its own length.

        ``given`` are the kinds of some of them, by place. Raises and warns as `infer`.
        """
        columns = []
        for j, series in enumerate(held):
            name = None if names is None else names[j]
            columns.append(inferred(series, label_of(j, name), name, given.get(j)))
        coding = cls(tuple(columns), array)
        coding._warn_of_one_value(held)
        return coding

    def _warn_of_one_value(self, held: Sequence[pd.Series[Any]]) -> None:
        alone = [
            label_of(j, column.name)
            for j, (column, series) in enumerate(zip(self.columns, held, strict=True))
            if len(column.categories) == 1 or (column.kind == "binary" and _of_one_value(series))
        ]
        if alone:
            one = len(alone) == 1
            say(
                DataWarning,
                f"{_listed(alone)} {'has' if one else 'have'} one value only and "
                f"{'tells' if one else 'tell'} nothing about the components.",
            )

    def encode(self, table: Any, *, compact: bool = False) -> NDArray[Any]:
        """The table as numbers (n, d), NaN where a value is missing.

        Columns are told by name where the coding and the table have names, otherwise by place.
        The numbers are float64; with ``compact`` they are small integers where there are no
        continuous columns and nothing is missing.

        Raises
        ------
        DataError
            If the columns are others than the coding's, or a value cannot be of its column's kind.

        Warns
        -----
        DataWarning
            If there are values without a code, which count as missing.
        """
        X, unseen = self.codes(as_frame(table)[0], compact=compact)
        warn_of_unseen(unseen)
        return X

    def codes(
        self, frame: pd.DataFrame, first: int = 0, *, compact: bool = False
    ) -> tuple[NDArray[Any], list[Unseen]]:
        """The numbers that `encode` gives, and the values of each column that have no code.

        ``first`` is the number of the first row, where the frame is a block of rows.
        """
        places = self._places(frame)
        small = compact and "continuous" not in self.kinds
        X: NDArray[Any] = np.empty((len(frame), len(self.columns)), np.int16 if small else float)
        unseen: list[Unseen] = []
        held = [series for _, series in frame.items()]
        for j, (column, place) in enumerate(zip(self.columns, places, strict=True)):
            codes, odd = encoded(column, held[place], label_of(j, column.name), first)
            if X.dtype == np.int16 and np.isnan(codes).any():
                X = X.astype(np.float64)
            X[:, j] = codes
            if odd is not None:
                unseen.append(odd)
        return X, unseen

    def _places(self, frame: pd.DataFrame) -> list[int]:
        names, wanted = names_of(frame), self.names
        if names is None or wanted is None:
            if frame.shape[1] != len(self.columns):
                raise DataError(
                    f"The table has {frame.shape[1]} columns (features), but there were "
                    f"{len(self.columns)} at the fit."
                )
            return list(range(len(self.columns)))
        place = {name: at for at, name in enumerate(names)}
        missing = [repr(name) for name in wanted if name not in place]
        extra = [repr(name) for name in names if name not in set(wanted)]
        if missing or extra:
            parts = [f"the table lacks {_listed(missing)}"] if missing else []
            parts += [f"{_listed(extra)} {_were(extra)} not there at the fit"] if extra else []
            raise DataError(
                "The feature names should match those that were passed during fit: "
                f"{'; '.join(parts)}."
            )
        return [place[name] for name in wanted]

    def decode(self, codes: NDArray[np.float64]) -> Any:
        """The table that numbers (n, d) stand for, with the types of the one that was coded.

        In a column of whole numbers they are rounded. Where a type has no missing values, whole
        numbers and truth values become pandas' nullable ones. Codes of categories are rounded, too.

        Returns
        -------
        table : DataFrame, or ndarray where the coding was made for one

        Raises
        ------
        DataError
            If a code is that of no category.
        """
        import pandas as pd

        codes = np.asarray(codes, dtype=np.float64)
        if codes.ndim != 2 or codes.shape[1] != len(self.columns):
            raise DataError(
                f"The codes have shape {codes.shape}; it must be (n, {len(self.columns)})."
            )
        if self.array is not None:
            return joined(self.columns, codes, np.dtype(self.array))
        held = {j: decoded(column, codes[:, j]) for j, column in enumerate(self.columns)}
        frame = pd.DataFrame(held, index=range(len(codes)))
        if self.names is not None:
            frame.columns = pd.Index(self.names)
        return frame

    def to_json(self) -> dict[str, Any]:
        """A dict that JSON can hold, from which `from_json` makes the same coding."""
        return {"array": self.array, "columns": [column_to_json(c) for c in self.columns]}

    @classmethod
    def from_json(cls, content: Any) -> Coding:
        """The coding that `to_json` described.

        Raises
        ------
        ModelFileError
            If the content is no such description.
        """
        with malformed():
            array = content["array"]
            array = None if array is None else np.dtype(str(array)).str
            coding = cls(tuple(column_from_json(held) for held in content["columns"]), array)
            coding.decode(np.zeros((1, len(coding.columns))))  # whether the types hold the values
            return coding


def _of_one_value(series: pd.Series[Any]) -> bool:
    return len(set(factorized(densified(series), "")[0].tolist()) - {-1}) == 1


def _listed(parts: list[str], most: int = 5) -> str:
    text = ", ".join(parts[:most])
    text += f" and {len(parts) - most} more" if len(parts) > most else ""
    return text[:1].upper() + text[1:]


def _were(parts: list[str]) -> str:
    return "was" if len(parts) == 1 else "were"


def warn_of_unseen(unseen: Sequence[Unseen]) -> None:
    """Warn of values without a code, where there are some; of blocks of rows, of all at once."""
    if not unseen:
        return
    of_column: dict[str, Unseen] = {}
    for odd in unseen:
        before = of_column.setdefault(odd.label, odd)
        if before is not odd:
            of_column[odd.label] = replace(before, count=before.count + odd.count)
    say(DataWarning, _unseen_sentence(list(of_column.values())))


def _unseen_sentence(unseen: list[Unseen]) -> str:
    parts = [f"{shown(odd.value)} in {odd.label} (row {odd.row})" for odd in unseen]
    entries = sum(odd.count for odd in unseen)
    return (
        "Values that were not there at the fit count as missing, "
        f"{entries:,} entr{'y' if entries == 1 else 'ies'} in all: {_listed(parts)}."
    )
