"""The families that commands fit: their estimators, and which options are whose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from emplus.cli import completing
from emplus.errors import ArgumentError, UnknownNameError

__all__ = [
    "AUTO",
    "COVARIANCES",
    "FACES",
    "FAMILIES",
    "KINDS",
    "OPTIONS",
    "Face",
    "check_options",
    "face_of",
    "family_names",
    "strength",
]

AUTO = "auto"
KINDS = ("continuous", "binary", "categorical")

# Names in the help, which must not import what they name.
COVARIANCES = ("full", "tied", "diag", "spherical")
FAMILIES = "gaussian, factor-analyzer, bernoulli, categorical, mixed"


class Face(NamedTuple):
    """An estimator, and the options that not every family has with the arguments they set.

    None stands for an option that sets no argument.
    """

    estimator: str
    options: dict[str, str | None]


_GAUSSIAN = {"covariance": "covariance_type"}
_FACTORS = {"factors": "n_factors"}
_CONTINUOUS = {"reg_covar": "reg_covar"}
_UNITS = {"standardize": None}
_COUNTED = {"prior": "prior"}

FACES: dict[str, Face] = {
    "gaussian": Face("GaussianMixture", {**_GAUSSIAN, **_CONTINUOUS, **_UNITS}),
    "factor-analyzer": Face(
        "FactorAnalyzerMixture",
        {**_FACTORS, "noise": "noise", "loadings": "loadings", **_CONTINUOUS, **_UNITS},
    ),
    "bernoulli": Face("BernoulliMixture", {**_COUNTED, "binarize": "binarize"}),
    "categorical": Face("CategoricalMixture", {**_COUNTED}),
    "mixed": Face(
        "MixedMixture",
        {**_GAUSSIAN, **_FACTORS, **_CONTINUOUS, **_COUNTED, **{kind: kind for kind in KINDS}},
    ),
}


# What every family has that was added from outside.
_OUTSIDE = Face("FamilyMixture", {**_COUNTED})


def family_names() -> list[str]:
    """All families that can be asked for, also those of installed packages."""
    from emplus.families.registry import KNOWN_FAMILIES

    return [*FACES, *KNOWN_FAMILIES.outside()]


def face_of(family: str) -> tuple[Face, dict[str, Any]]:
    """The face of a family, and arguments that it needs besides those of the options.

    Raises
    ------
    UnknownNameError
        If there is no such family.
    ArgumentError
        If an installed package has it, but it cannot be imported.
    """
    if family in FACES:
        return FACES[family], {}
    from emplus.families.registry import KNOWN_FAMILIES

    if family not in KNOWN_FAMILIES.outside():
        raise UnknownNameError("family", family, (AUTO, *family_names()))
    KNOWN_FAMILIES.get(family)
    return _OUTSIDE, {"family": family}


def check_options(family: str, given: Mapping[str, Any], chosen: bool = True) -> None:
    """Refuse options that the family does not have.

    Parameters
    ----------
    family : str
    given : mapping
        Values by option; None and False are not given.
    chosen : bool, default=True
        Whether a person named the family; otherwise the table did.

    Raises
    ------
    UnknownNameError
        If there is no such family.
    ArgumentError
        If an option is another family's.
    """
    own, _ = face_of(family)
    for option in dict.fromkeys(option for face in FACES.values() for option in face.options):
        value = given.get(option)
        # A number may be 0, which equals False.
        if value is None or value is False or option in own.options:
            continue
        owners = [name for name, face in FACES.items() if option in face.options]
        listed = " or ".join([", ".join(owners[:-1]), owners[-1]] if owners[1:] else owners)
        why = "" if chosen else ", which suits this table; name another with --family"
        raise ArgumentError(
            f"--{option.replace('_', '-')} is an option of --family {listed}, not of {family}{why}."
        )


def strength(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """A number of phantom rows, or the word that leaves it to the data."""
    if value is None or value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor 'auto'.", ctx, param) from None


OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--covariance",
        shell_complete=completing.words(*COVARIANCES),
        help="Of a gaussian or of mixed's numbers: full, tied, diag or spherical.  [default: full]",
    ),
    click.option(
        "--factors",
        type=int,
        help="Factors of each factor-analyzer component, or of mixed's numbers in place of "
        "covariances.  [default: 1]",
    ),
    click.option(
        "--noise",
        shell_complete=completing.words("diag", "shared", "isotropic"),
        help="Of a factor-analyzer: diag, shared or isotropic.  [default: diag]",
    ),
    click.option(
        "--loadings",
        shell_complete=completing.words("own", "common"),
        help="Of a factor-analyzer: own or common.  [default: own]",
    ),
    click.option(
        "--reg-covar",
        metavar="ROWS|auto",
        callback=strength,
        help="Strength of the prior on the covariances, in rows; 0 is maximum likelihood, auto "
        "is chosen from the data.  [default: auto]",
    ),
    click.option(
        "--prior",
        metavar="ROWS|auto",
        callback=strength,
        help="Strength of the prior on the probabilities of bernoulli, categorical and mixed, and "
        "of a family from outside, in rows; 0 is maximum likelihood.  [default: auto]",
    ),
    click.option(
        "--binarize",
        type=float,
        metavar="T",
        help="Of bernoulli: values above it count as 1.  [default: 0.0]",
    ),
    click.option("--continuous", metavar="A,B,...", help="Of mixed: columns to take as numbers."),
    click.option(
        "--binary", metavar="A,B,...", help="Of mixed: columns to take as having two values."
    ),
    click.option(
        "--categorical", metavar="A,B,...", help="Of mixed: columns to take as categories."
    ),
)
"""The options of `FACES` that every command that fits has."""
