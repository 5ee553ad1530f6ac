"""Tables that are read block by block: which ones, their columns, and rows for a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emplus.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from emplus.cli.options import ModelRequest
    from emplus.cli.table import Table
    from emplus.data.stored import StoredRows

__all__ = ["STREAM", "STREAMED", "blocks_for", "drawn_rows", "stream_table", "streams"]

STREAMED = (".npy", ".parquet", ".pq", ".csv", ".tsv", ".tab")
_FAMILIES = ("auto", "gaussian", "factor-analyzer")
# Part of the free memory above which a file is not read as a whole, and rows in a picture.
_SHARE, _DRAWN = 0.25, 20_000

STREAM = click.option(
    "--stream/--no-stream",
    default=None,
    help="Read DATA (.npy, .parquet, .csv of numbers) block by block, so that it need not fit in "
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
        If the file holds no numbers.
    UnknownNameError
        If it has no such column.
    """
    if request.family not in _FAMILIES:
        raise ArgumentError(
            f"--family {request.family} needs its rows in memory; --stream is for gaussian and "
            "factor-analyzer."
        )
    if request.standardize:
        raise ArgumentError("--standardize needs the rows in memory; scale the columns beforehand.")
    from functools import partial

    import numpy as np

    from emplus.cli.beside import labels_of, weights_of
    from emplus.cli.cells import Columns
    from emplus.cli.table import Table, split_names
    from emplus.data.opening import open_rows

    rows, held = open_rows(request.data)
    names = held or tuple(f"x{j}" for j in range(rows.shape[1]))
    source = repr(request.data)
    beside = [name for name in (request.weights_column, labels_column) if name is not None]
    chosen = [name for name in names if name not in beside]
    chosen = chosen if request.columns is None else split_names(request.columns)
    for name in [*chosen, *beside]:
        if name not in names:
            raise UnknownNameError(f"column of {source}", name, names)

    def column(name: str) -> Columns:
        cells = _column(rows, names.index(name))[:, None]
        return Columns(source, (name,), cells, named=held is not None, lines=None)

    weights = request.weights_column
    return Table(
        source,
        rows[:, np.array([names.index(name) for name in chosen])],
        tuple(chosen),
        held is not None,
        None if weights is None else weights_of(column(weights), weights),
        labels=None
        if labels_column is None
        else partial(labels_of, column(labels_column), labels_column),
    )


def _column(rows: StoredRows, place: int) -> Any:
    """One column in the order of the data given."""
    import numpy as np

    kept = np.concatenate([block[:, 0] for block in rows[:, np.array([place])].blocks()])
    if rows.order is None:
        return kept
    given = np.empty_like(kept)
    given[rows.order] = kept
    return given


def drawn_rows(table: Table) -> tuple[Any, Any]:
    """Rows for a picture and their weights: of a file some thousands, from all over it."""
    if not table.stored:
        return table.X, table.weights
    import numpy as np

    n = table.shape[0]
    some = np.unique(np.linspace(0, n - 1, min(n, _DRAWN)).astype(np.intp))
    given = some if table.data.order is None else table.data.order[some]
    return table.data[some], None if table.weights is None else table.weights[given]


def blocks_for(estimator: Any, place: str, columns: str | None) -> Iterator[Any]:
    """Blocks of a file's rows as a fitted model takes them, in the order of the file."""
    import pandas as pd

    from emplus.cli.table import Table, split_names
    from emplus.data.opening import blocks_of

    wanted = getattr(estimator, "feature_names_in_", None)
    names = None if wanted is None else [str(name) for name in wanted]
    for held, block in blocks_of(place):
        own = held or tuple(f"x{j}" for j in range(block.shape[1]))
        table = Table(repr(place), block, own, held is not None)
        if columns is not None:
            chosen = split_names(columns)
            for name in chosen:
                if name not in own:
                    raise UnknownNameError(f"column of {place!r}", name, own)
            data = block[:, [own.index(name) for name in chosen]]
            table = Table(repr(place), data, tuple(chosen), held is not None)
        rows = table.matched(names, estimator.n_features_in_).X
        yield rows if wanted is None else pd.DataFrame(rows, columns=wanted)
