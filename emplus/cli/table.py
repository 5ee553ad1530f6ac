"""Tables from files: columns with names, or one sentence about the first thing wrong."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.cli.beside import labels_of, weights_of
from emplus.cli.cells import Columns, as_numbers, refuse_value, values
from emplus.errors import ArgumentError, DataError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "parse_table", "read_table", "split_names", "take_table"]

_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".parquet", ".pq", ".npy", ".npz")
_START = 64


def _row(row: int) -> str:
    return f"row {row + 1}"


@dataclass(frozen=True)
class Table:
    """Rows to fit or to score.

    Parameters
    ----------
    source : str
        Where they come from, in words for a report.
    data : (n, d) ndarray or DataFrame, or StoredRows or ClusterRows
        An array where all columns are numbers: float32 where the file holds float32, float64
        otherwise. A data frame where some hold text or truth values. Missing values are NaN. Rows
        that stay in their file, or on a cluster, are numbers.
    names : tuple of str
        One name for each column.
    named : bool
        Whether the names are the data's own; otherwise they are x0, x1, ...
    weights : (n,) ndarray or None
    where : callable
        Names a row, counted from 0, the way a person finds it.
    labels : callable or None
        For so many components, the one (n,) that each row is known to come from, -1 where not.
    family : str or None
        The one that suits rows that stay in their file, where that is known.
    """

    source: str
    data: Any
    names: tuple[str, ...]
    named: bool
    weights: NDArray[np.float64] | None = None
    where: Callable[[int], str] = _row
    labels: Callable[[int], NDArray[np.intp]] | None = None
    family: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        n, d = self.data.shape
        return n, d

    @cached_property
    def X(self) -> Any:  # noqa: N802  # the matrix of rows, as everywhere
        """The rows as numbers, truth values as 0 and 1, NaN where a value is missing.

        Raises
        ------
        DataError
            If a column holds text.
        """
        if not hasattr(self.data, "iloc"):
            return self.data
        columns = [
            as_numbers(self.data.iloc[:, j], name, self.source, self.where)
            for j, name in enumerate(self.names)
        ]
        return np.stack(columns, axis=1)

    @property
    def stored(self) -> bool:
        """Whether the rows stay in their file, or on a cluster."""
        return not isinstance(self.data, np.ndarray) and not hasattr(self.data, "iloc")

    def holes(self) -> tuple[int, int]:
        """Numbers of missing entries, and of rows that have some."""
        if hasattr(self.data, "holes"):
            count, rows = self.data.holes
            return count, rows
        blocks = self.data.blocks() if self.stored else [self.data]
        found = [_missing(block) for block in blocks]
        return sum(int(m.sum()) for m in found), sum(int(m.any(axis=1).sum()) for m in found)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where a value is missing (n, d)."""
        return _missing(self.data)

    def complete(self) -> Table:
        """The table itself, for use where no value may be missing.

        Raises
        ------
        DataError
            At the first column, and in it the first row, that is missing.
        """
        missing = self.missing
        if missing.any():
            column = int(np.flatnonzero(missing.any(axis=0))[0])
            row = int(missing[:, column].argmax())
            refuse_value(
                f"Column {self.names[column]!r} of {self.source}", self.where(row), float("nan")
            )
        return self

    def matched(self, names: Sequence[str] | None, n_features: int) -> Table:
        """The columns in the order in which a model was fitted.

        Parameters
        ----------
        names : sequence of str or None
            The model's column names, None where it has none.
        n_features : int
            The number of its columns.

        Raises
        ------
        DataError
            If the columns are others than the model's.
        """
        if names is None or not self.named:
            if self.shape[1] != n_features:
                raise DataError(
                    f"{self.source} has {self.shape[1]} columns, but the model was fitted on "
                    f"{n_features}; choose them with --columns."
                )
            return self
        _check_same(self.source, self.names, names)
        order = [self.names.index(name) for name in names]
        if order == list(range(n_features)):
            return self
        if isinstance(self.data, np.ndarray):
            return replace(self, data=self.data[:, order], names=tuple(names))
        return replace(self, data=self.data.iloc[:, order], names=tuple(names))


def _missing(data: NDArray[np.floating] | pd.DataFrame) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = np.asarray(
        np.isnan(data) if isinstance(data, np.ndarray) else data.isna()
    )
    return missing


def _check_same(source: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in set(found)]
    extra = [name for name in found if name not in set(wanted)]
    if missing:
        raise DataError(
            f"{source} lacks the column{'s' * (len(missing) > 1)} {_listed(missing)} that the "
            f"model was fitted on; it has {_listed(found)}. Give a table with the model's columns."
        )
    if extra:
        raise DataError(
            f"{source} has the column{'s' * (len(extra) > 1)} {_listed(extra)} that the model was "
            f"not fitted on; choose the model's with --columns {join_names(wanted)!r}."
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def split_names(text: str, option: str = "--columns") -> list[str]:
    """Column names from a comma-separated list; a name with a comma stands in double quotes.

    Examples
    --------
    >>> split_names('a, "b, c"')
    ['a', 'b, c']
    """
    import csv

    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or not all(names):
        raise ArgumentError(f"{option} {text!r} is not a list of names like a,b,c.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ArgumentError(f"{option} names {_listed(repeated)} more than once.")
    return names


def join_names(names: Sequence[str]) -> str:
    """The list that `split_names` splits."""
    import csv
    import io

    buffer = io.StringIO()
    csv.writer(buffer).writerow(names[:50])
    return buffer.getvalue().strip() + (",..." if len(names) > 50 else "")


def read_table(
    place: str,
    columns: Sequence[str] | None = None,
    weights_column: str | None = None,
    labels_column: str | None = None,
    *,
    as_they_are: Collection[str] = (),
) -> Table:
    """Read a table from a file, a data set's name, or ``-`` for standard input.

    Parameters
    ----------
    place : str
        CSV, TSV, Parquet, NPY, NPZ with an array X, a name of `emplus.datasets`, or ``-``.
    columns : sequence of str, optional
        The columns to keep, in that order; all but weights and labels when not given.
    weights_column, labels_column : str, optional
        The columns that hold row weights, and the components of rows whose component is known.
    as_they_are : collection of str, optional
        Columns whose cells may be text although nearly all of them are numbers, where otherwise
        the first that is text is taken for an error.

    Raises
    ------
    DataError
        If there is no such table, or a cell in the chosen columns is infinite, or text in a column
        of numbers.
    UnknownNameError
        If a column, or the data set, is not known.
    """
    parsed = parse_table(place)
    beside = {"weights": weights_column, "labels": labels_column}
    return take_table(parsed, columns, beside, as_they_are)


def take_table(
    parsed: Columns,
    columns: Sequence[str] | None,
    beside: Mapping[str, str | None],
    as_they_are: Collection[str] = (),
) -> Table:
    """Some columns of what was parsed; ``beside`` names those that are no data by their use."""
    if not parsed.names:
        raise DataError(f"{parsed.source} has no columns.")
    apart = {use: name for use, name in beside.items() if name is not None}
    if len(set(apart.values())) < len(apart):
        name = next(iter(apart.values()))
        raise ArgumentError(f"Column {name!r} cannot be {' and '.join(apart)} at once.")
    for use, name in apart.items():
        if columns is not None and name in columns:
            raise ArgumentError(f"Column {name!r} cannot be data and {use} at once.")
    chosen = [name for name in parsed.names if name not in apart.values()]
    chosen = list(columns) if columns is not None else chosen
    for name in [*chosen, *apart.values(), *as_they_are]:
        _check_name(parsed, name)
    if not chosen:
        raise DataError(f"{parsed.source} has no columns besides the {' and '.join(apart)}.")
    if parsed.n_rows == 0:
        raise DataError(f"{parsed.source} has a header but no rows; put a line a row below it.")
    weights = weights_of(parsed, apart["weights"]) if "weights" in apart else None
    data = values(parsed, chosen, as_they_are)
    labels = partial(labels_of, parsed, apart["labels"]) if "labels" in apart else None
    return Table(parsed.source, data, tuple(chosen), parsed.named, weights, parsed.where, labels)


def _check_name(parsed: Columns, name: str) -> None:
    count = list(parsed.names).count(name)
    if count == 0:
        raise UnknownNameError(f"column of {parsed.source}", name, parsed.names)
    if count > 1:
        raise DataError(f"{parsed.source} has {count} columns named {name!r}; rename all but one.")


def parse_table(place: str) -> Columns:
    """Everything that a table's file, data set or standard input holds."""
    from emplus.cli import parsers

    if place == "-":
        contents = sys.stdin.buffer.read()
        if not contents.strip():
            raise DataError("standard input is empty; send a table into it: ... - < table.csv")
        return parsers.parse_text("standard input", contents)
    path = Path(place)
    if path.is_dir() and not _may_be_name(place):
        raise DataError(f"{place!r} is a folder, not a table; give a file in it.")
    if path.exists() and not path.is_dir():
        return _parse_file(parsers, place)
    if not _may_be_name(place):
        raise DataError(f"There is no file {place!r}{_nearest(path)}")
    return _parse_dataset(place)


def _tables(folder: Path) -> list[str]:
    """Names of the tables in a folder; none where it cannot be read."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    return [name for name in names if name.lower().endswith(_SUFFIXES)]


def _nearest(path: Path) -> str:
    """The table that may have been meant, or what is wrong with the folder."""
    if not path.parent.is_dir():
        return f", nor a folder {str(path.parent)!r}; see whether the path is right."
    # By what stands before the suffix, which all of them have.
    there = {Path(name).stem: name for name in _tables(path.parent)}
    close = difflib.get_close_matches(path.stem, there, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {str(path.with_name(there[close[0]]))!r}?"
    return "; see whether the path is right, or name a data set ('emplus datasets' lists them)."


def _may_be_name(place: str) -> bool:
    # A separator or a table's suffix says that a file was meant, so a missing one is no name.
    separators = [os.sep] + ([os.altsep] if os.altsep else [])
    if any(separator in place for separator in separators):
        return False
    return not place.lower().endswith((*_SUFFIXES, ".safetensors"))


def _parse_file(parsers: Any, place: str) -> Columns:
    with open(place, "rb") as file:
        start = file.read(_START)
        # A pipe such as <(zcat table.gz) gives its bytes once, so they are read here and now.
        if not file.seekable():
            parsed: Columns = parsers.parse_text(repr(place), start + file.read())
            return parsed
    suffix = Path(place).suffix.lower()
    parsed = parsers.parse_path(place, start, suffix)
    return parsed


def _parse_dataset(name: str) -> Columns:
    from emplus import datasets

    try:
        dataset = datasets.load(name)
    except UnknownNameError:
        if Path(name).is_dir():
            raise DataError(f"{name!r} is a folder, not a table; give a file in it.") from None
        close = difflib.get_close_matches(name, _tables(Path()), n=3, cutoff=0.5)
        known = [*close, *datasets.names()]
        raise UnknownNameError("file or data set", name, known) from None
    X = np.asarray(dataset.X)
    return Columns(f"data set {name!r}", tuple(dataset.feature_names), X, named=True, lines=None)
