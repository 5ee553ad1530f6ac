"""``emplus fit``: a table in, a report, a model and pictures out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emplus.cli.failures import attempt, warn
from emplus.cli.outputs import STDOUT, check_outputs, check_picture, echo, write_text
from emplus.cli.show import draw_fit
from emplus.cli.use import as_rows
from emplus.errors import UnknownNameError

if TYPE_CHECKING:
    from emplus.cli.fit_report import FitReport
    from emplus.cli.table import Table

__all__ = ["fit"]

_FAILED = 2
_INTERRUPTED = 130
_FAMILIES = {"gaussian": "GaussianMixture"}


@dataclass(frozen=True)
class _Request:
    """What the command line asks for. None means the estimator's own default."""

    data: str
    components: int
    family: str
    covariance: str | None
    search: str | None
    n_init: int | None
    init: str | None
    tol: float | None
    max_iter: int | None
    reg_covar: float | None
    columns: str | None
    weights_column: str | None
    standardize: bool
    seed: int
    threads: int | None
    plot: str | None
    output: str | None
    json: str | None
    quiet: bool


@click.command()
@click.argument("data")
@click.option("-k", "--components", type=int, default=1, show_default=True, help="How many.")
@click.option("--family", default="gaussian", show_default=True, help="What a component is.")
@click.option("--covariance", help="full, tied, diag or spherical.  [default: full]")
@click.option("--search", help="How the optimum is searched.  [default: split_merge]")
@click.option("--n-init", type=int, help="Starts, of which the best is kept.  [default: 1]")
@click.option(
    "--init",
    help="How to start: k-means++, kmeans, random or random_from_data.  [default: k-means++]",
)
@click.option("--tol", type=float, help="Stop when a row gains no more nats.  [default: 1e-06]")
@click.option("--max-iter", type=int, help="Most iterations.  [default: 1000]")
@click.option("--reg-covar", type=float, help="Strength of the prior on the covariances.")
@click.option("--columns", metavar="A,B,...", help="Columns to fit, in this order.")
@click.option("--weights-column", metavar="NAME", help="Column that holds row weights.")
@click.option(
    "--standardize",
    is_flag=True,
    help="Fit on columns of mean 0 and variance 1. The saved model is in the units of the data; "
    "spherical covariances become diagonal there.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, other starts.",
)
@click.option("--threads", type=int, help="Threads; the result does not depend on it.")
@click.option("--plot", metavar="PNG", help="Draw the fit (.png, .svg or .pdf).")
@click.option("--output", metavar="MODEL", help="Save the model, a safetensors file.")
@click.option("--json", metavar="REPORT", help="Write the report as JSON; - for standard output.")
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.pass_context
def fit(ctx: click.Context, /, **options: Any) -> None:
    """Fit a mixture to DATA and report on it.

    Control-C ends the fit early; the best model so far is reported and saved.
    """
    request = _Request(**options)
    outputs = {"--output": request.output, "--plot": request.plot, "--json": request.json}
    check_outputs(outputs, request.data)
    check_picture("--plot", request.plot)
    estimator = _make_estimator(request)
    from emplus.cli.fit_report import FitReport
    from emplus.cli.table import read_table, split_names

    columns = None if request.columns is None else split_names(request.columns)
    table = read_table(request.data, columns, request.weights_column)
    fitted = _fit(estimator, table, request)
    standardized = estimator.covariance_type if request.standardize else None
    if not _deliver(request, FitReport(table, fitted, standardized)):
        ctx.exit(_FAILED)
    if fitted.result_.outcome.value == "interrupted":
        ctx.exit(_INTERRUPTED)


def _make_estimator(request: _Request) -> Any:
    from emplus.estimators import estimator_class

    if request.family not in _FAMILIES:
        raise UnknownNameError("family", request.family, _FAMILIES)
    given = {
        "n_components": request.components,
        "covariance_type": request.covariance,
        "search": request.search,
        "n_init": request.n_init,
        "init_params": request.init,
        "tol": request.tol,
        "max_iter": request.max_iter,
        "reg_covar": request.reg_covar,
        "random_state": request.seed,
        "n_jobs": request.threads,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return estimator_class(_FAMILIES[request.family])(**known)


def _fit(estimator: Any, table: Table, request: _Request) -> Any:
    if not request.standardize:
        return _watched(estimator, table, request.quiet)
    from emplus.cli.standardize import Scaling

    scaling = Scaling.of(table)
    _watched(estimator, scaling.apply(table), request.quiet)
    return scaling.restore(estimator, list(table.names) if table.named else None)


def _watched(estimator: Any, table: Table, quiet: bool) -> Any:
    """Fit, with a bar where a person waits and each warning said once."""
    bar = None
    if not quiet and sys.stderr.isatty():
        from emplus.engine.observers import ProgressBar

        weight = len(table.X) if table.weights is None else table.weights.sum()
        bar = ProgressBar(estimator.max_iter, float(weight))
        estimator.set_params(observers=(bar,))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            estimator.fit(as_rows(table), sample_weight=table.weights)
    finally:
        if bar is not None:
            bar.close()
            estimator.set_params(observers=None)
    # The report has a line for how the fit ended, so a warning of it would be the second.
    reported = None if quiet else estimator.result_.outcome.sentence
    for warning in caught:
        if reported is None or reported not in str(warning.message):
            warn(str(warning.message))
    return estimator


def _deliver(request: _Request, report: FitReport) -> bool:
    """Write everything asked for; one failure keeps nothing else from being written."""
    table, estimator = report.table, report.estimator
    # JSON on standard output must be alone there.
    aside = request.json == STDOUT
    if not request.quiet:
        echo(report.text(), err=aside)
    files: dict[str, str] = {}
    asked: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("model", request.output, estimator.save),
        ("picture", request.plot, lambda place: draw_fit(estimator, table, place)),
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
