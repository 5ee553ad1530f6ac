"""``emplus compare``: several searches from the same seeds, side by side."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.failures import attempt, warn
from emplus.cli.options import SEARCHES, ModelRequest, make_searches, model_options
from emplus.cli.outputs import STDOUT, check_outputs, check_picture, echo, write_text
from emplus.cli.show import draw_searches
from emplus.cli.use import as_rows

if TYPE_CHECKING:
    import numpy as np

    from emplus.cli.compare_report import CompareReport
    from emplus.cli.table import Table
    from emplus.engine.loop import Engine
    from emplus.engine.problem import Problem
    from emplus.search.base import Draw, Search
    from emplus.search.comparison import Comparison
    from emplus.search.fit import Fit

__all__ = ["compare"]

_FAILED = 2
_INTERRUPTED = 130
_LAST_SEED = 2**32 - 1


@dataclass(frozen=True)
class _Request:
    """What the command line asks for."""

    model: ModelRequest
    searches: str | None
    seeds: int
    first_seed: int
    plot: str | None
    json: str | None
    quiet: bool


@click.command()
@model_options
@click.option(
    "--searches",
    shell_complete=completing.searches(*SEARCHES.split(", "), between=",+"),
    metavar="A,B,...",
    help=f"Searches to compare, of {SEARCHES}; names joined by + each start from the result of "
    "the one before.  [default: all of them]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Runs of each search; the same starts for all of them.",
)
@click.option(
    "--first-seed",
    type=click.IntRange(0, _LAST_SEED),
    default=0,
    show_default=True,
    help="The first run's seed; the others follow.",
)
@click.option(
    "--plot",
    metavar="PNG",
    shell_complete=completing.files,
    help="Draw every run (.png, .svg or .pdf).",
)
@click.option(
    "--json",
    metavar="REPORT",
    shell_complete=completing.files,
    help="Write the report as JSON; - for standard output.",
)
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.pass_context
def compare(ctx: click.Context, /, **options: Any) -> None:
    """Run several searches on DATA from the same seeds and compare what they find.

    A run from seed S is what 'emplus fit --seed S' does. Control-C ends the comparison early; the
    runs that are complete are reported.
    """
    request = _Request(ModelRequest.take(options), **options)
    check_outputs({"--plot": request.plot, "--json": request.json}, request.model.data)
    check_picture("--plot", request.plot)
    if request.first_seed + request.seeds - 1 > _LAST_SEED:
        raise click.BadParameter(f"there are no {request.seeds} seeds from there on.", ctx)
    searches = make_searches(request.searches)
    table = request.model.read_table()
    estimator = request.model.make_estimator(table)
    from emplus.cli.compare_report import CompareReport

    report = CompareReport(table, estimator, _compared(estimator, table, searches, request))
    if not _deliver(request, report):
        ctx.exit(_FAILED)
    if report.comparison.interrupted:
        ctx.exit(_INTERRUPTED)


@dataclass
class _SideBySide:
    """A search that is a comparison: so the estimator prepares rows, prior and start as in a fit.

    ``found`` is the comparison after the estimator's fit.
    """

    searches: dict[str, Search]
    seeds: range
    show: bool
    found: list[Comparison] = field(default_factory=list)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        from emplus.search.compare import compare as run_all

        with _progress(self.show, len(self.searches) * len(self.seeds)) as watch:
            found = run_all(self.searches, engine, problem, draw, self.seeds, watch=watch)
        self.found.append(found)
        return found.best


def _compared(
    estimator: Any, table: Table, searches: dict[str, Search], request: _Request
) -> Comparison:
    from emplus.errors import DataWarning

    seeds = range(request.first_seed, request.first_seed + request.seeds)
    side_by_side = _SideBySide(searches, seeds, not request.quiet and sys.stderr.isatty())
    estimator.set_params(search=side_by_side)
    scaling = None
    rows = table
    if request.model.standardize:
        from emplus.cli.standardize import Scaling

        scaling = Scaling.of(table)
        rows = scaling.apply(table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        estimator.fit(as_rows(rows, estimator), sample_weight=table.weights)
    # How the best run ended is in the report; what is odd about the rows is not.
    for warning in caught:
        if issubclass(warning.category, DataWarning):
            warn(str(warning.message))
    [found] = side_by_side.found
    return found if scaling is None else _moved(found, scaling.loss(found.total_weight))


def _moved(found: Comparison, loss: float) -> Comparison:
    """The comparison with all its totals lower by ``loss`` nats."""
    trials = tuple(
        replace(trial, log_likelihood=trial.log_likelihood - loss, objective=trial.objective - loss)
        for trial in found.trials
    )
    return replace(found, trials=trials)


def _progress(show: bool, total: int) -> AbstractContextManager[Callable[[str, int], None] | None]:
    """Something to call before each run, where a person waits."""
    if not show:
        return nullcontext()
    from emplus.cli.progress import RunBar

    return RunBar(total)


def _deliver(request: _Request, report: CompareReport) -> bool:
    """Write everything asked for; one failure keeps nothing else from being written."""
    aside = request.json == STDOUT
    if not request.quiet:
        echo(report.text(), err=aside)
    asked: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("picture", request.plot, lambda place: draw_searches(report.comparison, place)),
        ("report", request.json, lambda place: write_text(place, report.json_writer())),
    )
    complete = True
    for kind, place, write in asked:
        if place is None:
            continue
        done = attempt(partial(write, place))
        complete &= done
        if done and place != STDOUT and not request.quiet:
            echo(f"{kind:<16}{place}", err=aside)
    return complete
