"""``emplus fit``: a table in, a report, a model and pictures out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.checkpoint import CheckpointRequest, checkpoint_options, stoppable
from emplus.cli.cluster import ClusterRequest, cluster_options, cluster_table
from emplus.cli.failures import attempt, warn
from emplus.cli.options import SEARCHES, ModelRequest, model_options
from emplus.cli.outputs import (
    IMAGE_SHAPE,
    STDOUT,
    check_outputs,
    check_picture,
    echo,
    write_text,
)
from emplus.cli.show import draw_fit, draw_images, draw_trace
from emplus.cli.stream import STREAM, stream_table, streams
from emplus.cli.use import as_rows
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    from emplus.cli.fit_report import FitReport
    from emplus.cli.table import Table

__all__ = ["fit"]

_FAILED = 2


@dataclass(frozen=True)
class _Request:
    """What the command line asks for. None means the estimator's own default."""

    model: ModelRequest
    cluster: ClusterRequest
    checkpoint: CheckpointRequest
    labels_column: str | None
    stream: bool | None
    search: str | None
    n_init: int | None
    max_passes: float | None
    max_seconds: float | None
    max_moves: int | None
    seed: int
    plot: str | None
    image_shape: tuple[int, int] | None
    trace: str | None
    output: str | None
    json: str | None
    quiet: bool


@click.command()
@model_options
@click.option(
    "--labels-column",
    metavar="NAME",
    help="Column that holds the component of each row that is known: 0, 1, ...; empty or -1 where "
    "it is not. It is no data.",
)
@STREAM
@cluster_options
@click.option(
    "--search",
    shell_complete=completing.searches(*SEARCHES.split(", ")),
    help=f"How the optimum is searched: {SEARCHES}; names joined by + each start from the result "
    "of the one before.  [default: split_merge]",
)
@click.option("--n-init", type=int, help="Starts, of which the best is kept.  [default: 1]")
@click.option("--max-passes", type=float, help="Most passes over the rows after a search's start.")
@click.option("--max-seconds", type=float, help="Most seconds after a search's start.")
@click.option("--max-moves", type=int, help="Most moves that a search may try.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, other starts.",
)
@checkpoint_options
@click.option(
    "--plot",
    metavar="PNG",
    shell_complete=completing.files,
    help="Draw the fit (.png, .svg or .pdf).",
)
@IMAGE_SHAPE
@click.option(
    "--trace",
    metavar="PNG",
    shell_complete=completing.files,
    help="Draw the objective at each pass, and the moves.",
)
@click.option(
    "--output",
    metavar="MODEL",
    shell_complete=completing.files,
    help="Save the model, a safetensors file.",
)
@click.option(
    "--json",
    metavar="REPORT",
    shell_complete=completing.files,
    help="Write the report as JSON; - for standard output.",
)
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.pass_context
def fit(ctx: click.Context, /, **options: Any) -> None:
    """Fit a mixture to DATA and report on it.

    Control-C ends the fit early; the best model so far is reported and saved.
    """
    cluster, checkpoint = ClusterRequest.take(options), CheckpointRequest.take(options)
    request = _Request(ModelRequest.take(options), cluster, checkpoint, **options)
    outputs = {
        "--checkpoint": checkpoint.path,
        "--output": request.output,
        "--plot": request.plot,
        "--trace": request.trace,
        "--json": request.json,
    }
    check_outputs(outputs, request.model.data)
    check_picture("--plot", request.plot)
    check_picture("--trace", request.trace)
    with stoppable() as stop, _opened(request) as table:
        estimator = _make_estimator(request, table)
        from emplus.cli.fit_report import FitReport

        _check_images(request, table)
        fitted = _fit(estimator, table, request)
        standardized = estimator.mixture_.family if request.model.standardize else None
        complete = _deliver(request, FitReport(table, fitted, standardized, _limits(request)))
    if not complete:
        ctx.exit(_FAILED)
    if fitted.result_.outcome.value == "interrupted":
        if checkpoint.path is not None and not request.quiet:
            echo(f"The same command with --resume goes on from {checkpoint.path}.", err=True)
        ctx.exit(stop.code)


@contextmanager
def _opened(request: _Request) -> Iterator[Table]:
    """The rows: in memory, in their file, or on a cluster for as long as they are needed."""
    if request.cluster.where is not None:
        with cluster_table(request.cluster, request.model, request.labels_column) as table:
            yield table
    elif streams(request.model.data, request.stream):
        yield stream_table(request.model, request.labels_column)
    else:
        yield request.model.read_table(request.labels_column)


def _check_images(request: _Request, table: Table) -> None:
    # Before the fit, which may take long.
    if request.image_shape is None:
        return
    if request.plot is None:
        raise ArgumentError("--image-shape says how to draw; say where with --plot PNG.")
    from emplus.plotting import check_image_shape

    check_image_shape(request.image_shape, table.shape[1])


def _make_estimator(request: _Request, table: Table) -> Any:
    return request.model.make_estimator(
        table, search=request.search, n_init=request.n_init, random_state=request.seed
    )


def _limits(request: _Request) -> dict[str, float]:
    given = {
        "passes": request.max_passes,
        "seconds": request.max_seconds,
        "moves": request.max_moves,
    }
    return {name: value for name, value in given.items() if value is not None}


def _fit(estimator: Any, table: Table, request: _Request) -> Any:
    # A model file knows searches by name, so the object that has the budget is there while the
    # fit runs only.
    name, limits = estimator.search, _limits(request)
    if limits:
        from emplus.search.base import Budget
        from emplus.search.registry import make_search

        estimator.set_params(search=make_search(name, estimator.n_init, Budget(**limits)))
    try:
        if not request.model.standardize:
            return _watched(estimator, table, request)
        from emplus.cli.standardize import Scaling

        scaling = Scaling.of(table)
        _watched(estimator, scaling.apply(table), request)
    finally:
        estimator.set_params(search=name)
    return scaling.restore(estimator, list(table.names) if table.named else None)


def _watched(estimator: Any, table: Table, request: _Request) -> Any:
    """Fit, with a bar where a person waits and each warning said once."""
    bar = None
    if not request.quiet and sys.stderr.isatty():
        from emplus.engine.observers import ProgressBar

        weight = table.shape[0] if table.weights is None else table.weights.sum()
        bar = ProgressBar(estimator.max_iter, float(weight))
        estimator.set_params(observers=(bar,))
    given = request.checkpoint.given
    if table.labels is not None:
        given["labels"] = table.labels(estimator.n_components)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            estimator.fit(as_rows(table, estimator), sample_weight=table.weights, **given)
    finally:
        if bar is not None:
            bar.close()
            estimator.set_params(observers=None)
    # The report has a line for how the fit ended, so a warning of it would be the second.
    reported = None if request.quiet else estimator.result_.outcome.sentence
    for warning in caught:
        if reported is None or reported not in str(warning.message):
            warn(str(warning.message))
    return estimator


def _deliver(request: _Request, report: FitReport) -> bool:
    """Write everything asked for; one failure keeps nothing else from being written."""
    estimator = report.estimator
    # JSON on standard output must be alone there.
    aside = request.json == STDOUT
    if not request.quiet:
        echo(report.text(), err=aside)
    files: dict[str, str] = {}
    asked: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("model", request.output, estimator.save),
        ("picture", request.plot, lambda place: _draw(request, report, place)),
        ("trace", request.trace, lambda place: draw_trace(estimator, place)),
        ("report", request.json, lambda place: write_text(place, report.json_writer(files))),
    )
    complete = True
    for kind, place, write in asked:
        if place is None:
            continue
        if attempt(partial(write, place)):
            files[kind] = place
        else:
            complete = False
    if not request.quiet:
        for kind, place in files.items():
            if place != STDOUT:
                echo(f"{kind:<16}{place}", err=aside)
    return complete


def _draw(request: _Request, report: FitReport, place: str) -> None:
    if request.image_shape is not None:
        draw_images(report.estimator, place, request.image_shape)
    else:
        draw_fit(report.estimator, report.table, place)
