"""What a family is, in words for titles and reports."""

from __future__ import annotations

from emplus.families.base import Family
from emplus.mixture import Mixture

__all__ = ["describe", "structure_words"]

_WORDS = {
    "covariance_type": "{} covariance",
    "n_factors": "{} factors",
    "noise": "{} noise",
    "loadings": "{} loadings",
}


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
    for name, value in family.config().items():
        phrase = _WORDS.get(name, name.replace("_", " ") + " {}").format(value)
        words.append("1 factor" if phrase == "1 factors" else phrase)
    return words


def describe(mixture: Mixture) -> str:
    """The title of a picture: family, number of components, structure."""
    k = mixture.n_components
    words = f"{mixture.family.name.capitalize()} mixture, {k} component{'s' if k != 1 else ''}"
    return ", ".join([words, *structure_words(mixture.family)])
