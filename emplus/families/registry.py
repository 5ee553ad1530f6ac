"""The one place where names turn into families and covariance structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from emplus.errors import UnknownNameError
from emplus.families.base import Family
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.covariance import Covariance
from emplus.families.covariance_matrices import Full, Tied
from emplus.families.covariance_variances import Diagonal, Spherical
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product

__all__ = ["COVARIANCES", "FAMILIES", "make_covariance", "make_family"]

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


def make_family(name: str, **config: Any) -> Family:
    """The family of that name, made with the keyword arguments of its ``config()``.

    Raises
    ------
    UnknownNameError
        With the nearest known name.

    Examples
    --------
    >>> make_family("gaussian", covariance_type="tied").config()
    {'covariance_type': 'tied'}
    """
    if name not in FAMILIES:
        raise UnknownNameError("family", name, FAMILIES)
    return FAMILIES[name](**config)
