"""What a family is, in words for titles and reports."""

from __future__ import annotations

from typing import Any

from emplus.families.base import Family
from emplus.mixture import Mixture

__all__ = ["choices", "describe", "family_name", "kinds_words", "structure_words"]

_WORDS = {
    "covariance_type": "{} covariance",
    "n_factors": "{} factors",
    "noise": "{} noise",
    "loadings": "{} loadings",
}


def family_name(family: Family) -> str:
    """The name by which a person asks for the family.

    Examples
    --------
    >>> from emplus.families.registry import make_family
    >>> family_name(make_family("gaussian"))
    'gaussian'
    """
    return "mixed" if family.parts else family.name


def choices(family: Family) -> dict[str, Any]:
    """What was chosen of the family, or of its parts, and does not follow from the columns."""
    if not family.parts:
        # Numbers of categories are the table's.
        return {name: value for name, value in family.config().items() if name != "levels"}
    found: dict[str, Any] = {}
    for part, _ in family.parts:
        found.update(choices(part))
    return found


def structure_words(family: Family) -> list[str]:
    """What tells the family from others of its name, one phrase a choice.

    Examples
    --------
    >>> from emplus.families.registry import make_family
    >>> structure_words(make_family("gaussian", covariance_type="tied"))
    ['tied covariance']
    >>> structure_words(make_family("factor-analyzer", n_factors=1))
    ['1 factor', 'diag noise', 'own loadings']
    """
    words = []
    for name, value in choices(family).items():
        phrase = _WORDS.get(name, name.replace("_", " ") + " {}").format(value)
        words.append("1 factor" if phrase == "1 factors" else phrase)
    return words


def kinds_words(mixture: Mixture) -> str:
    """How many columns there are of each kind.

    Examples
    --------
    >>> kinds_words(Mixture.gaussian([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag"))
    '2 continuous columns'
    """
    family, parameters = mixture.family, mixture.parameters
    continuous = family.continuous(parameters)
    counts = {"continuous": 0, "count": 0, "binary": 0, "categorical": 0}
    levels = family.levels or (0,) * len(continuous)
    listed = family.probabilities(parameters)
    for dense, theta, number in zip(continuous, listed, levels, strict=True):
        discrete = "count" if theta is None else "categorical" if number else "binary"
        counts["continuous" if dense else discrete] += 1
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{words} column{'s' * (len(continuous) != 1)}"


def describe(mixture: Mixture) -> str:
    """The title of a picture: family, number of components, structure."""
    k = mixture.n_components
    name = family_name(mixture.family).capitalize()
    words = f"{name} mixture, {k} component{'s' if k != 1 else ''}"
    return ", ".join([words, *structure_words(mixture.family)])
