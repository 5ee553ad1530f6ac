"""What commands that fit have in common: options, the table and the estimator they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.families import AUTO, FACES, FAMILIES, KINDS, OPTIONS, check_options, face_of
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    from emplus.cli.table import Table
    from emplus.search.base import Search

__all__ = [
    "ACCELERATIONS",
    "OPTIMIZERS",
    "SEARCHES",
    "STARTS",
    "ModelRequest",
    "check_rule",
    "climb_options",
    "make_searches",
    "model_options",
    "table_kinds",
    "text_columns",
]

# Names in the help, which must not import what they name.
SEARCHES = "em, restarts, reset, random_swap, annealing, ueda, split_merge"
STARTS = ("k-means++", "kmeans", "random", "random_from_data", "perturbed")
OPTIMIZERS = "em, gradient, lbfgs, stepwise, incremental, em+gradient, em+lbfgs"
ACCELERATIONS = "auto, quasi-newton, anderson, squarem, none"


@dataclass(frozen=True)
class ModelRequest:
    """What is to be fitted to what. None means the estimator's own default."""

    data: str
    components: int
    family: str
    covariance: str | None
    factors: int | None
    noise: str | None
    loadings: str | None
    reg_covar: float | str | None
    prior: float | str | None
    binarize: float | None
    continuous: str | None
    binary: str | None
    categorical: str | None
    init: str | None
    tol: float | None
    max_iter: int | None
    optimizer: str | None
    accelerate: str | None
    columns: str | None
    weights_column: str | None
    standardize: bool
    threads: int | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> ModelRequest:
        """Take out of a command's options those that are the model's, and check them.

        Raises
        ------
        UnknownNameError
            If there is no such family, optimizer or acceleration.
        ArgumentError
            If an option is another family's or another optimizer's.
        """
        request = cls(**{field.name: options.pop(field.name) for field in fields(cls)})
        # Whose columns are of which kind is a question of mixed alone.
        if request.family == AUTO and any(getattr(request, kind) for kind in KINDS):
            request = replace(request, family="mixed")
        if request.family != AUTO:
            check_options(request.family, asdict(request))
        # Families that have only one of them have refused the other.
        if None not in (request.covariance, request.factors):
            raise ArgumentError("--factors stands in place of covariances; drop --covariance.")
        check_rule(request.optimizer, request.accelerate)
        return request

    def make_estimator(self, table: Table, **more: Any) -> Any:
        """The estimator that is asked for, with further arguments; None leaves a default.

        Raises
        ------
        ArgumentError
            If the family that suits the table does not have an option.
        """
        from emplus.data.likely import likely_family
        from emplus.estimators import estimator_class

        family = self.family
        if family == AUTO:
            # Whoever left the rows in their file has looked through them for it.
            stored = table.family or "gaussian"
            family = stored if table.stored else likely_family(table.data)
            check_options(family, asdict(self), chosen=False)
        (name, own), besides = face_of(family)
        values = {**asdict(self), **table_kinds(asdict(self), table)}
        given = {
            "n_components": self.components,
            **{argument: values[option] for option, argument in own.items() if argument},
            "init_params": self.init,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "optimizer": self.optimizer,
            "accelerate": self.accelerate,
            "n_jobs": self.threads,
            **besides,
            **more,
        }
        known = {name: value for name, value in given.items() if value is not None}
        return estimator_class(name)(**known)

    def read_table(self, labels_column: str | None = None) -> Table:
        """The rows that are asked for."""
        from emplus.cli.table import read_table, split_names

        columns = None if self.columns is None else split_names(self.columns)
        texts = text_columns(asdict(self))
        return read_table(self.data, columns, self.weights_column, labels_column, as_they_are=texts)


def text_columns(given: Mapping[str, Any]) -> list[str]:
    """Columns that may hold text, whatever most of their cells are."""
    from emplus.cli.table import split_names

    named = [(f"--{kind}", given[kind]) for kind in KINDS[1:] if given[kind] is not None]
    return [name for option, text in named for name in split_names(text, option)]


def table_kinds(given: Mapping[str, Any], table: Table) -> dict[str, list[Any]]:
    """The columns of each kind that was named: by name, or by place where the table has no names.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    from emplus.cli.table import split_names
    from emplus.errors import UnknownNameError

    found: dict[str, list[Any]] = {}
    for kind in KINDS:
        if given[kind] is None:
            continue
        names = split_names(given[kind], f"--{kind}")
        for name in names:
            if name not in table.names:
                raise UnknownNameError(f"column of {table.source}", name, table.names)
        found[kind] = names if table.named else [table.names.index(name) for name in names]
    return found


def check_rule(optimizer: str | None, accelerate: str | None) -> None:
    """Refuse ways up the hill that are not known or do not go together; None is the default.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    ArgumentError
        If the optimizer is none that is accelerated.
    """
    from emplus.engine.registry import make_rule

    make_rule(optimizer or "em")
    make_rule("em", accelerate)
    if optimizer not in (None, "em") and accelerate not in (None, "auto", "none"):
        raise ArgumentError(
            f"--accelerate {accelerate} is for --optimizer em; with {optimizer} leave it out."
        )


def make_searches(names: str | None) -> dict[str, Search]:
    """The searches of a comma-separated list by name; all that are known without one.

    Raises
    ------
    UnknownNameError
        If one of them is not known.
    ArgumentError
        If a name is missing or stands there twice.
    """
    from emplus.search.registry import SEARCHES as KNOWN
    from emplus.search.registry import make_search

    listed = list(KNOWN) if names is None else [name.strip() for name in names.split(",")]
    if not all(listed):
        raise ArgumentError(f"--searches {names!r} is not a list of names like em,split_merge.")
    for name in listed:
        if listed.count(name) > 1:
            raise ArgumentError(f"--searches names {name!r} more than once.")
    return {name: make_search(name) for name in listed}


def climb_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--optimizer`` and ``--accelerate``."""
    for option in reversed(_CLIMB):
        command = option(command)
    return command


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `ModelRequest`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_CLIMB: tuple[Callable[..., Any], ...] = (
    click.option(
        "--optimizer",
        shell_complete=completing.words(*OPTIMIZERS.split(", ")),
        help=f"How the objective is raised: {OPTIMIZERS}.  [default: em]",
    ),
    click.option(
        "--accelerate",
        shell_complete=completing.words(*ACCELERATIONS.split(", ")),
        help=f"Longer steps where em has become slow: {ACCELERATIONS}; none is plain EM.  "
        "[default: auto]",
    ),
)

_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.argument("data", shell_complete=completing.data),
    click.option("-k", "--components", type=int, default=1, show_default=True, help="How many."),
    click.option(
        "--family",
        default=AUTO,
        shell_complete=completing.families(AUTO, *FACES),
        show_default=True,
        help=f"What a component is: {FAMILIES}; or auto, by what the columns hold: numbers are "
        "gaussian, only 0 and 1 bernoulli, only text categorical, several kinds mixed. Installed "
        "packages may add others.",
    ),
    *OPTIONS,
    click.option(
        "--init",
        shell_complete=completing.words(*STARTS),
        help="How to start: k-means++, kmeans, random or random_from_data.  [default: k-means++]",
    ),
    click.option("--tol", type=float, help="Stop when a row gains no more nats.  [default: 1e-06]"),
    click.option("--max-iter", type=int, help="Most iterations of a climb.  [default: 1000]"),
    *_CLIMB,
    click.option("--columns", metavar="A,B,...", help="Columns to fit, in this order."),
    click.option("--weights-column", metavar="NAME", help="Column that holds row weights."),
    click.option(
        "--standardize",
        is_flag=True,
        help="Fit on columns of mean 0 and variance 1. What is reported and saved is in the units "
        "of the data; spherical covariances and isotropic noise become diagonal there.",
    ),
    click.option("--threads", type=int, help="Threads; the result does not depend on it."),
)
