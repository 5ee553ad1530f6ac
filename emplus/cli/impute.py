"""``emplus impute``: holes in a table filled by a saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.outputs import STDOUT, check_outputs, echo, write_text
from emplus.cli.spelling import text_of
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from emplus.cli.cells import Columns
    from emplus.cli.table import Table

__all__ = ["impute"]


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.argument("data", shell_complete=completing.data)
@click.option("--draw", is_flag=True, help="Draw what is missing, not its mean or likeliest value.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Same seed, same draws.")
@click.option("--columns", metavar="A,B,...", help="Columns to fill, those of MODEL, and to write.")
@click.option(
    "--output",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write here, not to standard output.",
)
def impute(
    model: str, data: str, draw: bool, seed: int | None, columns: str | None, output: str | None
) -> None:
    """Fill the holes of DATA from MODEL, as CSV.

    An empty cell gets what MODEL expects there, given the rest of its row: the mean of a number,
    the likeliest of other values; or a draw of it. In a column of whole numbers it is rounded. All
    other cells, and columns that MODEL does not have, stay as they are.
    """
    check_outputs({"--output": output}, data)
    check_outputs({"--output": output}, model)
    if seed is not None and not draw:
        raise ArgumentError("--seed goes with --draw; without it nothing is drawn.")
    from emplus.cli.table import parse_table
    from emplus.cli.use import load_model, rows_for

    estimator = load_model(model)
    parsed = parse_table(data)
    table = _model_columns(estimator, parsed, columns)
    frame = _written(parsed, table, columns is not None)
    rows, missing = rows_for(estimator, table), table.missing
    if missing.any():
        filled = estimator.sample_missing(rows, seed) if draw else estimator.impute(rows)
        _fill(frame, table, filled)
    header = parsed.named or parsed.raw is None
    write_text(
        output,
        lambda file: frame.to_csv(file, index=False, header=header, lineterminator="\n"),
    )
    count, held = int(missing.sum()), int(missing.any(axis=1).sum())
    entries = f"{count:,} entr{'y' if count == 1 else 'ies'}"
    echo(
        f"Filled {entries} in {held:,} of {table.shape[0]:,} rows.",
        err=output is None or output == STDOUT,
    )


def _model_columns(estimator: Any, parsed: Columns, columns: str | None) -> Table:
    """The columns that the model was fitted on, in its order; others are left alone."""
    from emplus.cli.table import split_names, take_table

    names = getattr(estimator, "feature_names_in_", None)
    wanted = None if names is None else [str(name) for name in names]
    chosen = None if columns is None else split_names(columns)
    if chosen is None and wanted is not None and set(wanted) <= set(parsed.names):
        chosen = wanted
    return take_table(parsed, chosen, {}).matched(wanted, estimator.n_features_in_)


def _written(parsed: Columns, table: Table, chosen_only: bool) -> pd.DataFrame:
    """The cells that are written: as the file spells them, or what it holds where it is no text."""
    import pandas as pd

    cells = pd.DataFrame(parsed.cells if parsed.raw is None else parsed.raw())
    cells = cells.set_axis(list(parsed.names), axis=1)
    return cells[list(table.names)] if chosen_only else cells


def _fill(frame: pd.DataFrame, table: Table, filled: Any) -> None:
    """Put values into the holes of the frame, spelled as its other cells spell them."""
    import numpy as np
    import pandas as pd

    missing, values = table.missing, pd.DataFrame(filled)
    held = pd.DataFrame(table.data)
    for j, name in enumerate(table.names):
        holes = missing[:, j]
        if not holes.any():
            continue
        new = values.iloc[:, j].to_numpy(dtype=object)[holes]
        place = list(frame.columns).index(name)
        old = frame.iloc[:, place].to_numpy(dtype=object, copy=True)
        there = held.iloc[:, j].to_numpy(dtype=object)[~holes]
        if _are_whole(there):
            new = np.rint(new.astype(np.float64))
        spelling = dict(zip(there[::-1], old[~holes][::-1], strict=True))
        old[holes] = [spelling.get(value, text_of(value)) for value in new]
        frame.isetitem(place, old)


def _are_whole(values: Any) -> bool:
    return len(values) > 0 and all(
        isinstance(value, float | int) and float(value).is_integer() for value in values
    )
