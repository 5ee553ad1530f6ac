"""Mixtures of families with probabilities in place of densities, and of products with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docs.examples.poisson import Poisson
from emplus import Mixture
from emplus.families.base import Family
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.discrete import Probabilities
from emplus.families.exponential import Means
from emplus.families.product import Product, ProductParameters

Array = NDArray[np.floating]


def random_bernoulli(k: int = 3, d: int = 6, seed: int = 0, separation: float = 2.0) -> Mixture:
    """Zeros and ones whose logits lie ``separation`` apart, more or less."""
    rng = np.random.default_rng(seed)
    logits = 0.7 * separation * rng.standard_normal((k, d))
    theta = np.clip(1.0 / (1.0 + np.exp(-logits)), 0.02, 0.98)
    log_weights = np.log(rng.dirichlet(np.full(k, 5.0)))
    return Mixture(Bernoulli(), log_weights, Probabilities(theta))


def random_poisson(k: int = 3, d: int = 4, seed: int = 0, separation: float = 2.0) -> Mixture:
    """Counts whose rates lie factors of about e^separation apart."""
    rng = np.random.default_rng(seed)
    rates = 4.0 * np.exp(0.5 * separation * rng.standard_normal((k, d)))
    log_weights = np.log(rng.dirichlet(np.full(k, 5.0)))
    return Mixture(Poisson(), log_weights, Means(np.clip(rates, 0.2, 200.0)))


def move_rates(family: Family, parameters: Means, seed: int, t: float) -> Means:
    """A step of length t in the logarithms of the rates."""
    rng = np.random.default_rng(seed)
    means = parameters.means
    return Means(means * np.exp(t * rng.standard_normal(means.shape)))


def random_categorical(
    levels: Sequence[int], k: int = 3, seed: int = 0, separation: float = 2.0
) -> Mixture:
    """Columns of so many levels."""
    rng = np.random.default_rng(seed)
    family = Categorical(tuple(levels))
    theta = np.exp(0.5 * separation * rng.standard_normal((k, sum(levels))))
    log_weights = np.log(rng.dirichlet(np.full(k, 5.0)))
    return Mixture(family, log_weights, _scaled(family, theta))


def random_product(mixtures: Sequence[Mixture], columns: Sequence[Sequence[int]]) -> Mixture:
    """Mixtures of as many components on columns of their own, with the weights of the first."""
    family = Product(
        tuple(mixture.family for mixture in mixtures), tuple(tuple(own) for own in columns)
    )
    parameters = ProductParameters(tuple(mixture.parameters for mixture in mixtures))
    return Mixture(family, mixtures[0].log_weights, parameters)


def move_probabilities(family: Family, parameters: Probabilities, seed: int, t: float) -> Any:
    """A step of length t in the logits, or in the log-ratios of each column."""
    rng = np.random.default_rng(seed)
    theta = parameters.probabilities
    step = np.exp(t * rng.standard_normal(theta.shape))
    if isinstance(family, Categorical):
        return _scaled(family, theta * step)
    odds = theta / (1.0 - theta) * step
    return Probabilities(odds / (1.0 + odds))


def _scaled(family: Categorical, theta: Array) -> Probabilities:
    totals = np.add.reduceat(theta, family.offsets, axis=1)[:, family.groups]
    return Probabilities(theta / totals)


def holed(X: Array, share: float = 0.2, seed: int = 0) -> Array:
    """A copy of the rows in which that share of the entries is missing at random."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(X.shape) < share, np.nan, X)
