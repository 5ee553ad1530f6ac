"""``emplus info``, ``plot`` and ``datasets``: what there is to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.outputs import IMAGE_SHAPE, check_outputs, check_picture, echo, write_text
from emplus.cli.stream import drawn_rows
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    from emplus.cli.table import Table
    from emplus.diagnostics import Diagnosis
    from emplus.search.comparison import Comparison

__all__ = [
    "datasets",
    "draw_fit",
    "draw_images",
    "draw_searches",
    "draw_trace",
    "info",
    "plot",
]


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.argument("data", required=False, shell_complete=completing.data)
@click.option("--json", "as_json", is_flag=True, help="Everything in the file, as JSON.")
@click.option("--weights-column", metavar="NAME", help="Column of DATA that holds row weights.")
@click.option("--columns", metavar="A,B,...", help="Columns of DATA to use.")
@click.option(
    "--output",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write here, not to standard output.",
)
def info(
    model: str,
    data: str | None,
    as_json: bool,
    weights_column: str | None,
    columns: str | None,
    output: str | None,
) -> None:
    """Show what MODEL holds and how it was fitted; on DATA, what is wrong with its components."""
    check_outputs({"--output": output}, model)
    check_outputs({"--output": output}, data)
    _check_columns(data, weights_column, columns)
    from emplus.cli.classifier_report import ClassifierReport
    from emplus.cli.model_report import ModelReport
    from emplus.cli.use import load_model
    from emplus.io import read_header

    # What is to be said of a classifier needs no data.
    estimator = load_model(model, classifiers=data is None)
    report: ModelReport | ClassifierReport
    if hasattr(estimator, "mixture_"):
        found = None if data is None else _diagnosis(estimator, data, columns, weights_column)
        report = ModelReport(estimator, read_header(model), found)
    else:
        report = ClassifierReport(estimator, read_header(model))
    if as_json:
        write_text(output, report.json_writer())
    elif output is None:
        echo(report.text(model))
    else:
        write_text(output, lambda file: file.write(report.text(model) + "\n"))


def _check_columns(data: str | None, weights_column: str | None, columns: str | None) -> None:
    for option, value in (("--weights-column", weights_column), ("--columns", columns)):
        if data is None and value is not None:
            raise ArgumentError(f"{option} is a column of DATA, and none is given.")


def _diagnosis(
    estimator: Any, data: str, columns: str | None, weights_column: str | None
) -> Diagnosis:
    from emplus.cli.use import model_table, rows_for
    from emplus.diagnostics import diagnose

    table = model_table(estimator, data, columns, weights_column)
    return diagnose(estimator, rows_for(estimator, table), table.weights)


@click.command()
@click.argument("model", shell_complete=completing.models)
@click.argument("data", required=False, shell_complete=completing.data)
@click.option(
    "--output",
    metavar="PNG",
    shell_complete=completing.files,
    required=True,
    help="Draw here (.png, .svg or .pdf).",
)
@click.option(
    "--trace",
    metavar="PNG",
    shell_complete=completing.files,
    help="Draw the objective at each pass of the fit, too.",
)
@IMAGE_SHAPE
@click.option("--weights-column", metavar="NAME", help="Column that holds row weights.")
@click.option("--columns", metavar="A,B,...", help="Columns to use.")
def plot(
    model: str,
    data: str | None,
    output: str,
    trace: str | None,
    image_shape: tuple[int, int] | None,
    weights_column: str | None,
    columns: str | None,
) -> None:
    """Draw MODEL over DATA.

    A model of binary or categorical columns is drawn by its probabilities, and one of images by
    itself; neither needs DATA.
    """
    places: dict[str, str | None] = {"--output": output, "--trace": trace}
    check_outputs(places, data)
    check_outputs(places, model)
    for option, place in places.items():
        check_picture(option, place)
    _check_columns(data, weights_column, columns)
    from emplus.cli.use import load_model, model_table

    estimator = load_model(model)
    table = None if data is None else model_table(estimator, data, columns, weights_column)
    if image_shape is not None:
        draw_images(estimator, output, image_shape)
    else:
        draw_fit(estimator, table, output)
    echo(f"Picture  {output}")
    if trace is not None:
        draw_trace(estimator, trace)
        echo(f"Trace    {trace}")


def draw_fit(estimator: Any, table: Table | None, place: str) -> None:
    """Draw a fit, whole or not at all."""
    from emplus.io import replacing
    from emplus.plotting import plot_fit, plot_profiles
    from emplus.plotting.geometry import has_ellipses

    if not has_ellipses(estimator.mixture_):
        with replacing(place) as temporary:
            plot_profiles(estimator, temporary)
        return
    if table is None:
        raise ArgumentError("A model of numbers is drawn over DATA; say which, after MODEL.")
    rows, weights = drawn_rows(table)
    with replacing(place) as temporary:
        plot_fit(
            estimator,
            rows,
            temporary,
            feature_names=list(table.names),
            sample_weight=weights,
        )
    if len(rows) < table.shape[0]:
        echo(f"{place} shows {len(rows):,} of {table.shape[0]:,} rows.", err=True)


def draw_images(estimator: Any, place: str, image_shape: tuple[int, int]) -> None:
    """Draw the components as images, whole or not at all."""
    from emplus.io import replacing
    from emplus.plotting import plot_images

    with replacing(place) as temporary:
        plot_images(estimator, temporary, image_shape=image_shape)


def draw_trace(estimator: Any, place: str) -> None:
    """Draw the objective at each pass, whole or not at all."""
    from emplus.io import replacing
    from emplus.plotting import plot_trace

    with replacing(place) as temporary:
        plot_trace(estimator.result_, temporary)


def draw_searches(comparison: Comparison, place: str) -> None:
    """Draw every run of a comparison, whole or not at all."""
    from emplus.io import replacing
    from emplus.plotting import plot_searches

    with replacing(place) as temporary:
        plot_searches(comparison, temporary)


@click.command()
def datasets() -> None:
    """List the data sets that DATA may name, and which of them are here."""
    from emplus.datasets import describe

    rows = [
        (
            row.name,
            _count(row.n),
            _count(row.d),
            "yes" if row.here else "no",
            row.description,
        )
        for row in describe()
    ]
    heads = ("name", "rows", "columns", "here", "description")
    widths = [max(len(row[j]) for row in [heads, *rows]) for j in range(4)]
    for name, n, d, here, description in [heads, *rows]:
        cells = [name.ljust(widths[0]), n.rjust(widths[1]), d.rjust(widths[2])]
        echo("  ".join([*cells, here.ljust(widths[3]), description]).rstrip())
    if not all(row[3] == "yes" for row in rows):
        echo("\nOthers: put NAME.npz or NAME.csv into the folder that EMPLUS_DATA names.")


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)
