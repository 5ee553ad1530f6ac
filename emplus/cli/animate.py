"""``emplus animate``: a mixture of two columns coming to be, as a GIF."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.failures import warn
from emplus.cli.options import SEARCHES, ModelRequest, model_options
from emplus.cli.outputs import STDOUT, check_outputs, echo
from emplus.cli.use import as_rows
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    from emplus.cli.standardize import Scaling
    from emplus.cli.table import Table
    from emplus.engine.problem import State
    from emplus.plotting import Step

__all__ = ["animate"]

_INTERRUPTED = 130


@dataclass(frozen=True)
class _Request:
    """What the command line asks for."""

    model: ModelRequest
    search: str
    seed: int
    frames: int
    fps: float
    output: str
    quiet: bool


@click.command()
@model_options
@click.option(
    "--search",
    shell_complete=completing.searches(*SEARCHES.split(", ")),
    default="em",
    show_default=True,
    help=f"How the optimum is searched: {SEARCHES}; names joined by +. The start's climb and the "
    "moves that are accepted are shown.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, another start.",
)
@click.option(
    "--frames",
    type=click.IntRange(2, 1000),
    default=60,
    show_default=True,
    help="Most frames; of more iterations, those that gain more are shown more closely.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0.1, 50.0),
    default=8.0,
    show_default=True,
    help="Frames a second.",
)
@click.option(
    "--output",
    metavar="GIF",
    shell_complete=completing.files,
    required=True,
    help="Write the animation here (.gif).",
)
@click.option("--quiet", is_flag=True, help="Print nothing.")
@click.pass_context
def animate(ctx: click.Context, /, **options: Any) -> None:
    """Show how EM, or any search, fits a mixture to two columns of DATA.

    Every frame is an iteration of plain EM, unless --optimizer or --accelerate say otherwise.
    Control-C ends the fit early; what was reached by then is shown.
    """
    request = _Request(ModelRequest.take(options), **options)
    _check_output(request)
    table = request.model.read_table()
    if table.shape[1] != 2:
        raise ArgumentError(
            f"{table.source} has {table.shape[1]} column{'s' * (table.shape[1] != 1)}; an "
            "animation shows two: name them with --columns A,B."
        )
    more = {} if request.model.accelerate else {"accelerate": "none"}
    estimator = request.model.make_estimator(
        table, search=request.search, random_state=request.seed, **more
    )
    scaling = None
    if request.model.standardize:
        from emplus.cli.standardize import Scaling

        scaling = Scaling.of(table)
    path = _watched(estimator, table, scaling, request.quiet)
    _deliver(path, table, request)
    outcome = estimator.result_.outcome
    if not request.quiet:
        value = path[-1].log_likelihood / estimator.result_.total_weight
        steps = f"{len(path) - 1} iteration{'s' * (len(path) != 2)}"
        echo(f"{steps}, log-likelihood {value:.6f} a row. {outcome.sentence}")
        echo(f"{'animation':<16}{request.output}")
    if outcome.value == "interrupted":
        ctx.exit(_INTERRUPTED)


def _check_output(request: _Request) -> None:
    if request.output == STDOUT or not request.output.lower().endswith(".gif"):
        raise ArgumentError(f"--output {request.output!r} must end in .gif.")
    check_outputs({"--output": request.output}, request.model.data)


def _watched(estimator: Any, table: Table, scaling: Scaling | None, quiet: bool) -> Sequence[Step]:
    """Fit, and give the steps to the fit in the units of the data."""
    from emplus.plotting import Recorder

    recorder = Recorder()
    observers: list[Any] = [_check_family, recorder]
    bar = None
    if not quiet and sys.stderr.isatty():
        from emplus.engine.observers import ProgressBar

        weight = table.shape[0] if table.weights is None else table.weights.sum()
        bar = ProgressBar(estimator.max_iter, float(weight))
        observers.append(bar)
    estimator.set_params(observers=observers)
    rows = table if scaling is None else scaling.apply(table)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            estimator.fit(as_rows(rows, estimator), sample_weight=table.weights)
    finally:
        if bar is not None:
            bar.close()
    # How the fit ended is said where the file is.
    for warning in caught:
        if estimator.result_.outcome.sentence not in str(warning.message):
            warn(str(warning.message))
    path = recorder.path(estimator.result_)
    if scaling is None:
        return path
    return [_moved(step, scaling, estimator.result_.total_weight) for step in path]


def _check_family(state: State) -> None:
    # In the first pass, not after the fit, which may take long.
    if state.iteration == 0:
        from emplus.plotting.animating import check_shown

        check_shown(state.mixture)


def _moved(step: Step, scaling: Scaling, total_weight: float) -> Step:
    """The step in the units of the data."""
    from emplus.mixture import Mixture

    mixture, loss = step.mixture, scaling.loss(total_weight)
    family, parameters = mixture.family.map_columns(
        mixture.parameters, scaling.scale, scaling.shift
    )
    return replace(
        step,
        mixture=Mixture(family, mixture.log_weights, parameters),
        log_likelihood=step.log_likelihood - loss,
        objective=step.objective - loss,
    )


def _deliver(path: Sequence[Step], table: Table, request: _Request) -> None:
    """Write the animation, whole or not at all."""
    from emplus.cli.progress import CountBar
    from emplus.io import replacing
    from emplus.plotting import plot_animation

    waiting = not request.quiet and sys.stderr.isatty()
    with (
        CountBar("frame") if waiting else nullcontext() as watch,
        replacing(request.output) as temporary,
    ):
        plot_animation(
            path,
            table.X,
            temporary,
            feature_names=list(table.names),
            sample_weight=table.weights,
            at_most=request.frames,
            fps=request.fps,
            watch=watch,
        )
