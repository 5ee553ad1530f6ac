"""``emplus predict``, ``score`` and ``sample``: a saved model at work."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from emplus.cli import completing
from emplus.cli.outputs import check_outputs, write_text
from emplus.cli.spelling import spelled, whole_numbers
from emplus.cli.stream import STREAM, blocks_for, streams

if TYPE_CHECKING:
    from emplus.cli.table import Table

__all__ = ["as_rows", "load_model", "model_table", "predict", "rows_for", "sample", "score"]

_OUTPUT = click.option(
    "--output",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write here, not to standard output.",
)
_COLUMNS = click.option("--columns", metavar="A,B,...", help="Columns to use.")


def as_rows(table: Table, estimator: Any) -> Any:
    """What an estimator takes: a data frame where the columns have names of their own."""
    return _framed(_accepted(table, estimator), table.names if table.named else None)


def _accepted(table: Table, estimator: Any) -> Any:
    # An estimator says whether it takes text and missing values; the table says where they are.
    if table.stored:
        return table.data
    takes = estimator.__sklearn_tags__().input_tags
    data = table.data if takes.categorical or takes.string else table.X
    if not takes.allow_nan:
        table.complete()
    return data


def _framed(data: Any, names: Sequence[str] | None) -> Any:
    import pandas as pd

    from emplus.data.cluster_files import ClusterRows
    from emplus.data.opening import Opened
    from emplus.data.stored import StoredRows
    from emplus.data.tables import StoredTable

    if isinstance(data, ClusterRows):
        return data.collection
    if isinstance(data, StoredTable):
        return data
    if isinstance(data, StoredRows):
        return Opened(data, None if names is None else tuple(names))
    if isinstance(data, pd.DataFrame):
        return data.set_axis(range(data.shape[1]) if names is None else list(names), axis=1)
    return data if names is None else pd.DataFrame(data, columns=list(names))


def load_model(place: str, *, classifiers: bool = False) -> Any:
    """The saved estimator, or a hint where model and data were given the wrong way round.

    Classifiers are refused where a command needs one mixture.
    """
    from emplus.errors import ModelFileError
    from emplus.io import load

    try:
        estimator = load(place)
    except ModelFileError as error:
        raise ModelFileError(
            f"{error} MODEL is a file that 'emplus fit --output' wrote, and comes first."
        ) from None
    if not classifiers and not hasattr(estimator, "mixture_"):
        raise ModelFileError(
            f"{place!r} holds a {type(estimator).__name__}, which is not one mixture; "
            "'emplus predict', and 'emplus info' without data, take it."
        )
    return estimator


def model_table(
    estimator: Any, data: str, columns: str | None, weights_column: str | None = None
) -> Table:
    """The data's columns in the order in which the model was fitted."""
    from emplus.cli.table import read_table, split_names

    chosen = None if columns is None else split_names(columns)
    table = read_table(data, chosen, weights_column)
    names = getattr(estimator, "feature_names_in_", None)
    wanted = None if names is None else [str(name) for name in names]
    return table.matched(wanted, estimator.n_features_in_)


def rows_for(estimator: Any, table: Table) -> Any:
    """The rows of a table as the model takes them."""
    # A model without column names takes bare numbers, and one with names takes them by name.
    data = _accepted(table, estimator)
    coding = getattr(estimator, "coding_", None)
    if coding is not None:
        data = spelled(data, coding)
    return _framed(data, getattr(estimator, "feature_names_in_", None))


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.argument("data", shell_complete=completing.data)
@click.option("--proba", is_flag=True, help="Probabilities of all components, not labels.")
@_COLUMNS
@STREAM
@_OUTPUT
def predict(
    model: str,
    data: str,
    proba: bool,
    columns: str | None,
    stream: bool | None,
    output: str | None,
) -> None:
    """Assign each row of DATA to a component of MODEL, or to a class of a classifier, as CSV."""
    check_outputs({"--output": output}, data)
    check_outputs({"--output": output}, model)
    estimator = load_model(model, classifiers=True)
    if streams(data, stream):
        blocks = blocks_for(estimator, data, columns)
        write_text(output, lambda file: _write_blocks(estimator, blocks, proba, file))
        return
    rows = rows_for(estimator, model_table(estimator, data, columns))
    _write_frame(_predicted(estimator, rows, proba), output)


def _predicted(estimator: Any, rows: Any, proba: bool) -> Any:
    import pandas as pd

    if not proba:
        return pd.DataFrame({"label": estimator.predict(rows)})
    values = estimator.predict_proba(rows)
    classes = getattr(estimator, "classes_", None)
    names = [f"component_{j}" for j in range(values.shape[1])]
    names = names if classes is None else [str(label) for label in classes.tolist()]
    return pd.DataFrame(values, columns=names)


def _write_blocks(estimator: Any, blocks: Iterator[Any], proba: bool, file: TextIO) -> None:
    """Predictions block by block; what is written is never held as a whole."""
    first = True
    for rows in blocks:
        with warnings.catch_warnings():
            # Whoever gives the blocks tells of those of all blocks at once.
            warnings.filterwarnings("ignore", "Values that were not there at the fit")
            frame = _predicted(estimator, rows, proba)
        frame.to_csv(file, index=False, header=first, lineterminator="\n")
        first = False


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.argument("data", shell_complete=completing.data)
@click.option("--rows", "by_row", is_flag=True, help="The log density of each row, as CSV.")
@click.option("--weights-column", metavar="NAME", help="Column that holds row weights.")
@_COLUMNS
@_OUTPUT
def score(
    model: str,
    data: str,
    by_row: bool,
    weights_column: str | None,
    columns: str | None,
    output: str | None,
) -> None:
    """Say how likely DATA is under MODEL, in nats."""
    check_outputs({"--output": output}, data)
    check_outputs({"--output": output}, model)
    estimator = load_model(model)
    table = model_table(estimator, data, columns, weights_column)
    rows = rows_for(estimator, table)
    if by_row:
        import pandas as pd

        _write_frame(pd.DataFrame({"log_density": estimator.score_samples(rows)}), output)
        return
    mean = float(estimator.score(rows, sample_weight=table.weights))
    n = table.shape[0]
    total = float(n if table.weights is None else table.weights.sum())
    lines = [("rows", f"{n}")]
    if table.weights is not None:
        lines.append(("total weight", f"{total:.10g}"))
    unit = "row" if table.weights is None else "unit of weight"
    lines.append((f"mean log-likelihood a {unit}", f"{mean:.10g}"))
    lines.append(("total log-likelihood", f"{mean * total:.10g}"))
    width = max(len(name) for name, _ in lines)
    text = "".join(f"{name:<{width}}  {value}\n" for name, value in lines)
    write_text(output, lambda file: file.write(text))


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.option(
    "-n", "n_rows", type=click.IntRange(min=1), default=1, show_default=True, help="Rows to draw."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Same seed, same rows.")
@click.option("--labels", is_flag=True, help="Add a column with the component of each row.")
@_OUTPUT
def sample(model: str, n_rows: int, seed: int | None, labels: bool, output: str | None) -> None:
    """Draw new rows from MODEL, as CSV."""
    check_outputs({"--output": output}, model)
    estimator = load_model(model)
    import pandas as pd

    X, drawn = estimator.sample(n_rows, random_state=seed)
    names = getattr(estimator, "feature_names_in_", None)
    columns = [f"x{j}" for j in range(X.shape[1])] if names is None else list(names)
    frame = pd.DataFrame(X).set_axis(columns, axis=1)
    frame = whole_numbers(frame, estimator.mixture_)
    if labels:
        column = "label"
        while column in columns:
            column += "_"
        frame[column] = drawn
    _write_frame(frame, output)


def _write_frame(frame: Any, output: str | None) -> None:
    write_text(output, lambda file: frame.to_csv(file, index=False, lineterminator="\n"))
