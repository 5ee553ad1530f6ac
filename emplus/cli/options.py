"""What commands that fit have in common: options, the table and the estimator they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from emplus.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from emplus.cli.table import Table
    from emplus.search.base import Search

__all__ = [
    "FAMILIES",
    "SEARCHES",
    "ModelRequest",
    "make_searches",
    "model_options",
    "strength",
]

# Names in the help, which must not import what they name.
SEARCHES = "em, restarts, reset, random_swap, annealing, ueda, split_merge"

FAMILIES = "gaussian, factor-analyzer"

# Each family's estimator, and the options that only it has with the arguments they set.
_FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "gaussian": ("GaussianMixture", {"covariance": "covariance_type"}),
    "factor-analyzer": (
        "FactorAnalyzerMixture",
        {"factors": "n_factors", "noise": "noise", "loadings": "loadings"},
    ),
}


def strength(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """A number of phantom rows, or the word that leaves it to the data."""
    if value is None or value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor 'auto'.", ctx, param) from None


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
    init: str | None
    tol: float | None
    max_iter: int | None
    reg_covar: float | str | None
    columns: str | None
    weights_column: str | None
    standardize: bool
    threads: int | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> ModelRequest:
        """Take out of a command's options those that are the model's."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def make_estimator(self, **more: Any) -> Any:
        """The estimator that is asked for, with further arguments; None leaves a default.

        Raises
        ------
        UnknownNameError
            If there is no such family.
        ArgumentError
            If an option is another family's.
        """
        from emplus.estimators import estimator_class

        if self.family not in _FAMILIES:
            raise UnknownNameError("family", self.family, _FAMILIES)
        name, own = _FAMILIES[self.family]
        self._refuse_options_of_others()
        given = {
            "n_components": self.components,
            **{argument: getattr(self, option) for option, argument in own.items()},
            "init_params": self.init,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "reg_covar": self.reg_covar,
            "n_jobs": self.threads,
            **more,
        }
        known = {name: value for name, value in given.items() if value is not None}
        return estimator_class(name)(**known)

    def _refuse_options_of_others(self) -> None:
        for family, (_, options) in _FAMILIES.items():
            for option in options:
                if family != self.family and getattr(self, option) is not None:
                    raise ArgumentError(
                        f"--{option} is an option of --family {family}, not of {self.family}."
                    )

    def read_table(self) -> Table:
        """The rows that are asked for."""
        from emplus.cli.table import read_table, split_names

        columns = None if self.columns is None else split_names(self.columns)
        return read_table(self.data, columns, self.weights_column)


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


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `ModelRequest`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.argument("data"),
    click.option("-k", "--components", type=int, default=1, show_default=True, help="How many."),
    click.option(
        "--family",
        default="gaussian",
        show_default=True,
        help=f"What a component is: {FAMILIES.replace(', ', ' or ')}.",
    ),
    click.option(
        "--covariance", help="Of a gaussian: full, tied, diag or spherical.  [default: full]"
    ),
    click.option(
        "--factors", type=int, help="Factors of each factor-analyzer component.  [default: 1]"
    ),
    click.option(
        "--noise", help="Of a factor-analyzer: diag, shared or isotropic.  [default: diag]"
    ),
    click.option("--loadings", help="Of a factor-analyzer: own or common.  [default: own]"),
    click.option(
        "--init",
        help="How to start: k-means++, kmeans, random or random_from_data.  [default: k-means++]",
    ),
    click.option("--tol", type=float, help="Stop when a row gains no more nats.  [default: 1e-06]"),
    click.option("--max-iter", type=int, help="Most iterations of a climb.  [default: 1000]"),
    click.option(
        "--reg-covar",
        metavar="ROWS|auto",
        callback=strength,
        help="Strength of the prior on the covariances, in rows; 0 is maximum likelihood, auto "
        "is chosen from the data.  [default: auto]",
    ),
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
