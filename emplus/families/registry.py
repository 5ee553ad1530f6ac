"""The one place where names turn into families and covariance structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from emplus.errors import ArgumentError, UnknownNameError
from emplus.families.base import Family
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.covariance import Covariance
from emplus.families.covariance_matrices import Full, Tied
from emplus.families.covariance_variances import Diagonal, Spherical
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product
from emplus.plugins import Registry

__all__ = [
    "COVARIANCES",
    "FAMILIES",
    "KNOWN_FAMILIES",
    "make_covariance",
    "make_family",
    "register_family",
]

COVARIANCES: dict[str, type[Covariance]] = {
    structure.name: structure for structure in (Full, Tied, Diagonal, Spherical)
}


def make_covariance(name: str) -> Covariance:
    """The covariance structure of that name.

    Raises
    ------
    UnknownNameError
        With the nearest known name.

    Examples
    --------
    >>> make_covariance("diag").n_free(3, 2)
    6
    """
    if name not in COVARIANCES:
        raise UnknownNameError("covariance type", name, COVARIANCES)
    return COVARIANCES[name]()


def _gaussian(covariance_type: str = "full") -> Family:
    return Gaussian(make_covariance(covariance_type))


def _factor_analyzer(n_factors: int = 1, noise: str = "diag", loadings: str = "own") -> Family:
    return FactorAnalyzer(n_factors, noise, loadings)


def _product(parts: Sequence[Sequence[Any]]) -> Family:
    families = tuple(make_family(name, **config) for name, config, _ in parts)
    return Product(families, tuple(columns for _, _, columns in parts))


FAMILIES: dict[str, Callable[..., Family]] = {
    Gaussian.name: _gaussian,
    FactorAnalyzer.name: _factor_analyzer,
    Bernoulli.name: Bernoulli,
    Categorical.name: Categorical,
    Product.name: _product,
}


# The other names are those by which tables and covariance structures are asked for.
KNOWN_FAMILIES: Registry[Callable[..., Family]] = Registry(
    "family", "emplus.families", FAMILIES, ("auto", "mixed", *COVARIANCES)
)
"""Those of `FAMILIES`, and those from outside."""

_Factory = TypeVar("_Factory", bound=Callable[..., Family])


def make_family(name: str, **config: Any) -> Family:
    """The family of that name, made with the keyword arguments of its ``config()``.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    ArgumentError
        If the arguments are not the family's.

    Examples
    --------
    >>> make_family("gaussian", covariance_type="tied").config()
    {'covariance_type': 'tied'}
    """
    factory = KNOWN_FAMILIES.get(name)
    try:
        return factory(**config)
    except TypeError as error:
        raise ArgumentError(f"The family {name!r} cannot be made so: {error}.") from None


def register_family(factory: _Factory, name: str | None = None) -> _Factory:
    """Make a family known by its name, so that every face of emplus takes it.

    Packages that are installed may name theirs in the entry-point group ``emplus.families``
    instead; then nobody has to call this.

    Parameters
    ----------
    factory : callable
        The family's class, or what makes the family from the arguments of its ``config()``.
    name : str, optional
        The class's own ``name`` by default.

    Returns
    -------
    callable
        The factory, so that this can stand above a class.

    Raises
    ------
    ArgumentError
        If the name is none, or is taken by another family.

    Examples
    --------
    >>> from emplus.families.bernoulli import Bernoulli
    >>> register_family(Bernoulli)
    Traceback (most recent call last):
        ...
    emplus.errors.ArgumentError: The family name 'bernoulli' is taken (by emplus); use another.
    """
    KNOWN_FAMILIES.add(getattr(factory, "name", None) if name is None else name, factory)
    return factory
