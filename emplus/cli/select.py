"""``emplus select``: families and numbers of components side by side, and the winner."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.failures import attempt
from emplus.cli.families import COVARIANCES, FACES, KINDS, OPTIONS
from emplus.cli.options import (
    SEARCHES,
    STARTS,
    check_rule,
    climb_options,
    table_kinds,
    text_columns,
)
from emplus.cli.outputs import STDOUT, check_outputs, check_picture, echo, write_text
from emplus.cli.use import as_rows
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    from emplus.cli.select_report import SelectReport
    from emplus.cli.table import Table
    from emplus.selection import BootstrapTest, Selection

__all__ = ["select"]

_FAILED = 2
_INTERRUPTED = 130

# Names for the shell; `emplus.selection` has what they stand for.
_FAMILIES = (*COVARIANCES, *FACES)

# Arguments of the estimators, by the options that set them.
_ARGUMENTS = {
    **{option: name for face in FACES.values() for option, name in face.options.items() if name},
    "init": "init_params",
    "search": "search",
    "n_init": "n_init",
    "tol": "tol",
    "max_iter": "max_iter",
    "optimizer": "optimizer",
    "accelerate": "accelerate",
}


def _components(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    """Numbers of components from A:B, A:B:STEP or a list."""
    number = r"\s*([0-9]{1,9})\s*"
    if re.fullmatch(rf"{number}(,{number})*", value):
        return [int(part) for part in value.split(",")]
    ends = re.fullmatch(rf"{number}:{number}(?::{number})?", value)
    if ends is None:
        raise click.BadParameter(
            f"{value!r} is neither a range like 1:10 or 2:20:2 nor a list like 1,2,5.", ctx, param
        )
    first, last, step = int(ends[1]), int(ends[2]), int(ends[3] or 1)
    if first > last:
        raise click.BadParameter(
            f"{value!r} runs backwards; the smallest number comes first: {last}:{first}.",
            ctx,
            param,
        )
    if step == 0:
        raise click.BadParameter(f"{value!r} has a step of 0; it must be 1 or more.", ctx, param)
    return list(range(first, last + 1, step))


@dataclass(frozen=True)
class _Request:
    """What the command line asks for. None means the default of what it is for."""

    data: str
    components: list[int]
    family: tuple[str, ...]
    criterion: str
    cv: int | None
    columns: str | None
    weights_column: str | None
    bootstrap: int | None
    jobs: int | None
    seed: int
    output: str | None
    plot: str | None
    json: str | None
    csv: str | None
    quiet: bool
    arguments: dict[str, Any]

    @property
    def aside(self) -> bool:
        """Whether standard output must be left to a file."""
        return STDOUT in (self.json, self.csv)


def _family_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("data", shell_complete=completing.data)
@click.option(
    "-k",
    "--components",
    metavar="A:B",
    default="1:10",
    show_default=True,
    callback=_components,
    help="How many: from A to B, A:B:STEP, or a list like 1,2,5.",
)
@click.option(
    "--family",
    shell_complete=completing.families(*_FAMILIES, between=","),
    metavar="A,B,...",
    multiple=True,
    help="What a component is: full, tied, diag, spherical, gaussian (all four), "
    "factor-analyzer, bernoulli, categorical or mixed; may be repeated.  [default: full, "
    "or bernoulli, categorical or mixed where the columns hold that]",
)
@click.option(
    "--criterion",
    shell_complete=completing.words("aic", "bic", "icl", "cv"),
    default="bic",
    show_default=True,
    help="aic, bic, icl, or cv: the log-likelihood of rows held out.",
)
@click.option("--cv", type=int, metavar="FOLDS", help="Hold rows out, in so many folds.")
@_family_options
@click.option(
    "--init",
    shell_complete=completing.words(*STARTS),
    help="How to start: k-means++, kmeans, random or random_from_data.",
)
@click.option(
    "--search",
    shell_complete=completing.searches(*SEARCHES.split(", ")),
    help=f"How the optimum is searched: {SEARCHES}.",
)
@click.option("--n-init", type=int, help="Fresh starts of each fit.")
@click.option("--tol", type=float, help="Stop when a row gains no more nats.")
@click.option("--max-iter", type=int, help="Most iterations of a climb.")
@climb_options
@click.option("--columns", metavar="A,B,...", help="Columns to fit, in this order.")
@click.option("--weights-column", metavar="NAME", help="Column that holds row weights.")
@click.option(
    "--bootstrap",
    type=click.IntRange(min=1),
    metavar="B",
    help="Test the winner against one component more on B bootstrap draws.",
)
@click.option("--jobs", type=int, metavar="N", help="Processes; the result does not depend on it.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, other starts.",
)
@click.option(
    "--output",
    metavar="MODEL",
    shell_complete=completing.files,
    help="Save the winner, a safetensors file.",
)
@click.option(
    "--plot",
    metavar="PNG",
    shell_complete=completing.files,
    help="Draw the criterion (.png, .svg or .pdf).",
)
@click.option(
    "--json",
    metavar="REPORT",
    shell_complete=completing.files,
    help="Write the report as JSON; - for standard output.",
)
@click.option(
    "--csv",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write the table as CSV; - for standard output.",
)
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.pass_context
def select(ctx: click.Context, /, **options: Any) -> None:
    """Fit families with several numbers of components to DATA and choose.

    Control-C ends it early; what was fitted by then is reported, and the best of that saved.
    """
    given = {argument: options.pop(option) for option, argument in _ARGUMENTS.items()}
    arguments = {name: value for name, value in given.items() if value is not None}
    request = _Request(arguments=arguments, **options)
    _check(request)
    table = _read(request)
    families = _families(request, table)
    X = _rows(table, families)
    selection = _selected(X, table, families, request)
    from emplus.cli.select_report import SelectReport

    report = SelectReport(table, selection)
    if not request.quiet:
        echo(report.text(), err=request.aside)
    tests, complete, interrupted = _tested(X, table, selection, request)
    complete &= _deliver(request, report, tests[0] if tests else None)
    if not complete:
        ctx.exit(_FAILED)
    if interrupted:
        ctx.exit(_INTERRUPTED)


def _check(request: _Request) -> None:
    outputs = {
        "--output": request.output,
        "--plot": request.plot,
        "--json": request.json,
        "--csv": request.csv,
    }
    check_outputs(outputs, request.data)
    check_picture("--plot", request.plot)
    check_rule(request.arguments.get("optimizer"), request.arguments.get("accelerate"))
    if request.json == request.csv == STDOUT:
        raise ArgumentError("--json and --csv cannot both go to standard output.")


def _read(request: _Request) -> Table:
    from emplus.cli.table import read_table, split_names

    columns = None if request.columns is None else split_names(request.columns)
    given = {kind: request.arguments.get(kind) for kind in KINDS}
    texts = text_columns(given)
    return read_table(request.data, columns, request.weights_column, as_they_are=texts)


def _families(request: _Request, table: Table) -> dict[str, Any]:
    """The candidates, with the arguments that are asked for."""
    from emplus.selection.candidates import candidates, default_families

    names = [name.strip() for part in request.family for name in part.split(",")]
    if not all(names):
        raise ArgumentError(f"--family {','.join(request.family)!r} is not a list of names.")
    kinds = {kind: request.arguments.get(kind) for kind in KINDS}
    suited = ("mixed",) if any(kinds.values()) else default_families(table.data)
    found = candidates(names or suited)
    for argument, value in {**request.arguments, **table_kinds(kinds, table)}.items():
        takers = [
            estimator
            for label, estimator in found.items()
            # What a family is called after is not to be changed.
            if estimator.get_params(deep=False).get(argument, label) != label
        ]
        if not takers:
            option = next(name for name, known in _ARGUMENTS.items() if known == argument)
            raise ArgumentError(
                f"--{option.replace('_', '-')} goes with none of the families {', '.join(found)}."
            )
        for estimator in takers:
            estimator.set_params(**{argument: value})
    return found


def _rows(table: Table, families: dict[str, Any]) -> Any:
    """The rows, as all of the families take them."""
    rows = [as_rows(table, estimator) for estimator in families.values()]
    # A data frame with text in it says more than its columns as numbers.
    return max(rows, key=lambda X: hasattr(X, "iloc") and X.dtypes.nunique())


def _selected(X: Any, table: Table, families: dict[str, Any], request: _Request) -> Selection:
    from emplus.selection import select as run

    with _bar(request, "fit") as watch:
        return run(
            X,
            request.components,
            families,
            request.criterion,
            sample_weight=table.weights,
            cv=request.cv,
            random_state=request.seed,
            n_jobs=request.jobs,
            watch=watch,
        )


def _tested(
    X: Any, table: Table, selection: Selection, request: _Request
) -> tuple[list[BootstrapTest], bool, bool]:
    """The test if it was asked for, whether nothing failed, and whether it was interrupted."""
    found: list[BootstrapTest] = []
    if request.bootstrap is None or selection.interrupted:
        return found, True, selection.interrupted
    from emplus.selection import bootstrap_test

    def test() -> None:
        with _bar(request, "draw") as watch:
            tested = bootstrap_test(
                selection.estimator,
                X,
                selection.best.n_components,
                request.bootstrap or 1,
                sample_weight=table.weights,
                random_state=request.seed,
                n_jobs=request.jobs,
                watch=watch,
            )
        found.append(tested)
        if not request.quiet:
            echo(f"\n{tested}", err=request.aside)

    try:
        complete = attempt(test)
    except KeyboardInterrupt:
        return found, True, True
    return found, complete, any(tested.interrupted for tested in found)


def _bar(request: _Request, unit: str) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Something to tell how much is done, where a person waits."""
    if request.quiet or not sys.stderr.isatty():
        return nullcontext()
    from emplus.cli.progress import CountBar

    return CountBar(unit)


def _deliver(request: _Request, report: SelectReport, test: BootstrapTest | None) -> bool:
    """Write everything asked for; one failure keeps nothing else from being written."""
    selection = report.selection
    files: dict[str, str] = {}

    def as_csv(place: str) -> None:
        frame = selection.to_frame()
        write_text(place, lambda file: frame.to_csv(file, index=False, lineterminator="\n"))

    asked: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("model", request.output, selection.estimator.save),
        ("picture", request.plot, lambda place: _draw(selection, place)),
        ("table", request.csv, as_csv),
        ("report", request.json, lambda place: write_text(place, report.json_writer(test, files))),
    )
    complete = True
    for kind, place, write in asked:
        if place is None:
            continue
        done = attempt(partial(write, place))
        complete &= done
        if done:
            files[kind] = place
    if not request.quiet:
        for kind, place in files.items():
            if place != STDOUT:
                echo(f"{kind:<16}{place}", err=request.aside)
    return complete


def _draw(selection: Selection, place: str) -> None:
    """Draw the criterion of every cell, whole or not at all."""
    from emplus.io import replacing

    with replacing(place) as temporary:
        selection.plot(temporary)
