"""Tables that are read block by block: which ones, their columns, and rows for a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emplus.cli.families import AUTO
from emplus.errors import ArgumentError, DataError, UnknownNameError

if TYPE_CHECKING:
    from emplus.cli.cells import Columns
    from emplus.cli.options import ModelRequest
    from emplus.cli.table import Table
    from emplus.data.stored import StoredRows
    from emplus.data.tables import StoredTable

__all__ = ["STREAM", "STREAMED", "blocks_for", "drawn_rows", "stream_table", "streams"]

STREAMED = (".npy", ".parquet", ".pq", ".csv", ".tsv", ".tab")
# Families that work on a table, not on rows of numbers.
_CODED = ("bernoulli", "categorical", "mixed")
# Part of the free memory above which a file is not read as a whole, and rows in a picture.
_SHARE, _DRAWN = 0.25, 20_000

STREAM = click.option(
    "--stream/--no-stream",
    default=None,
    help="Read DATA (.npy, .parquet, .csv) block by block, so that it need not fit in "
    "memory.  [default: where the file is larger than a quarter of the free memory]",
)


def streams(place: str, wanted: bool | None) -> bool:
    """Whether a table is to be read block by block.

    Raises
    ------
    ArgumentError
        If that is wanted of what cannot be.
    """
    possible = place.lower().endswith(STREAMED) and os.path.isfile(place)
    if wanted and not possible:
        raise ArgumentError(
            f"--stream reads files {', '.join(STREAMED)} block by block; {place!r} is none."
        )
    if wanted is not None or not possible:
        return bool(wanted)
    return os.path.getsize(place) > _SHARE * _free_memory()


def _free_memory() -> float:
    """Bytes that may still be taken; infinite where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return float("inf")


def stream_table(request: ModelRequest, labels_column: str | None) -> Table:
    """The rows that are asked for, left in their file.

    Raises
    ------
    ArgumentError
        If an option needs all rows in memory.
    DataError
        If the file holds nothing that the family can be fitted to.
    UnknownNameError
        If it has no such column.
    """
    if request.standardize:
        raise ArgumentError("--standardize needs the rows in memory; scale the columns beforehand.")
    beside = [name for name in (request.weights_column, labels_column) if name is not None]
    if request.data.lower().endswith(".npy"):
        return _of_array(request, beside, labels_column)
    from dataclasses import asdict

    from emplus.cli.blocks import block_table
    from emplus.cli.options import text_columns

    held = block_table(request.data)
    texts = [name for name in text_columns(asdict(request)) if name in held.names]
    typed = held.typed(_chosen(request, held.names, beside), texts)
    family = typed.family if request.family == AUTO else request.family
    rows = typed.stored() if family in _CODED else _numbers_of(typed.stored())
    names = typed.names
    return _table(request, rows, names, held.named, held.column, family, labels_column)


def _of_array(request: ModelRequest, beside: list[str], labels_column: str | None) -> Table:
    import numpy as np

    from emplus.cli.cells import Columns
    from emplus.data.likely import family_of, only_zero_and_one
    from emplus.data.opening import file_of, npy_rows, open_rows

    rows = npy_rows(file_of(request.data))
    names = tuple(f"x{j}" for j in range(rows.shape[1]))
    chosen = _chosen(request, names, beside)
    places = np.array([names.index(name) for name in chosen])
    family = request.family
    if family == AUTO:
        binary = all(only_zero_and_one(block) for block in rows[:, places].blocks())
        family = family_of(["number"], binary)

    def column(name: str) -> Columns:
        cells = np.concatenate(list(rows[:, np.array([names.index(name)])].blocks()))
        return Columns(repr(request.data), (name,), cells, named=False, lines=None)

    if family not in _CODED:
        rows = open_rows(request.data).rows
    elif family != "bernoulli" and rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
    some = rows[:, places]
    return _table(request, some, tuple(chosen), False, column, family, labels_column)


def _chosen(request: ModelRequest, names: Sequence[str], beside: Sequence[str]) -> list[str]:
    """The columns of the data, all others that are asked for being there, too."""
    from emplus.cli.table import split_names

    source = repr(request.data)
    chosen = [name for name in names if name not in beside]
    if request.columns is not None:
        chosen = split_names(request.columns)
    for name in [*chosen, *beside]:
        if name not in names:
            raise UnknownNameError(f"column of {source}", name, names)
        if list(names).count(name) > 1:
            raise DataError(f"{source} has two columns named {name!r}; rename one.")
        if name in chosen and name in beside:
            raise ArgumentError(f"Column {name!r} cannot be data and weights or labels at once.")
    if not chosen:
        raise DataError(f"{source} has no columns besides those of weights and labels.")
    return chosen


def _numbers_of(table: StoredTable) -> StoredRows:
    from emplus.data.opening import open_rows

    return open_rows(table).rows


def _table(
    request: ModelRequest,
    rows: Any,
    names: tuple[str, ...],
    named: bool,
    column: Callable[[str], Columns],
    family: str,
    labels_column: str | None,
) -> Table:
    from functools import partial

    from emplus.cli.beside import labels_of, weights_of
    from emplus.cli.table import Table

    weights, labels = request.weights_column, labels_column
    return Table(
        repr(request.data),
        rows,
        names,
        named,
        None if weights is None else weights_of(column(weights), weights),
        labels=None if labels is None else partial(labels_of, column(labels), labels),
        family=family,
    )


def drawn_rows(table: Table) -> tuple[Any, Any]:
    """Rows for a picture and their weights: of a file some thousands, from all over it."""
    if not table.stored:
        return table.X, table.weights
    import numpy as np

    n = table.shape[0]
    some = np.unique(np.linspace(0, n - 1, min(n, _DRAWN)).astype(np.intp))
    order = getattr(table.data, "order", None)
    given = some if order is None else order[some]
    weights = None if table.weights is None else table.weights[given]
    if hasattr(table.data, "frames"):
        found = [
            frame.to_numpy(np.float64)[some[(some >= first) & (some < first + len(frame))] - first]
            for first, frame, _ in table.data.frames()
        ]
        return np.concatenate(found), weights
    return table.data[some], weights


def blocks_for(estimator: Any, place: str, columns: str | None) -> Iterator[Any]:
    """Blocks of a file's rows as a fitted model takes them, in the order of the file."""
    import pandas as pd

    from emplus.cli.blocks import block_table
    from emplus.cli.table import Table, split_names
    from emplus.cli.use import rows_for
    from emplus.data.coding import warn_of_unseen
    from emplus.data.opening import blocks_of

    wanted = getattr(estimator, "feature_names_in_", None)
    names = None if wanted is None else [str(name) for name in wanted]
    chosen = None if columns is None else split_names(columns)
    if place.lower().endswith(".npy"):
        own: tuple[str, ...] | None = None
        blocks: Iterator[Any] = (block for _, block in blocks_of(place))
        named = False
    else:
        held = block_table(place)
        # Text is text in a table that is predicted, however many of its cells are numbers.
        typed = held.typed(held.names if chosen is None else chosen, held.names)
        own, blocks, named, chosen = typed.names, typed.blocks(), held.named, None
    unseen: list[Any] = []
    first = 0
    for block in blocks:
        called = own or tuple(f"x{j}" for j in range(block.shape[1]))
        if chosen is not None:
            for name in chosen:
                if name not in called:
                    raise UnknownNameError(f"column of {place!r}", name, called)
            block = block[:, [called.index(name) for name in chosen]]
            called = tuple(chosen)
        if isinstance(block, pd.DataFrame):
            numbers = all(dtype.kind == "f" for dtype in block.dtypes)
            block = block.to_numpy() if numbers else block.set_axis(list(called), axis=1)
        table = Table(repr(place), block, called, named)
        rows = rows_for(estimator, table.matched(names, estimator.n_features_in_))
        unseen += _unseen(estimator, rows, first)
        first += len(rows)
        yield rows
    warn_of_unseen(unseen)


def _unseen(estimator: Any, rows: Any, first: int) -> list[Any]:
    """Values of a block that have no code, where the model is one of tables."""
    from emplus.data.frames import as_frame

    coding = getattr(estimator, "coding_", None)
    return [] if coding is None else coding.codes(as_frame(rows)[0], first)[1]
