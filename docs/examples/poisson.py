"""Poisson components: columns of counts, independent of each other given the component."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from emplus import register_family
from emplus.families.base import Array
from emplus.families.exponential import NaturalExponential
from emplus.families.links import Link, Log


@register_family
@final
@dataclass(frozen=True)
class Poisson(NaturalExponential):
    r"""Counts: :math:`p(x \mid j) = \prod_a e^{-\mu_{ja}} \mu_{ja}^{x_a} / x_a!`.

    As :math:`h(x) e^{x \eta - A}`, with :math:`\eta = \log \mu`, :math:`A = \mu` and
    :math:`h(x) = 1 / x!`. The prior is Gamma(1 + m f, m) on each rate :math:`\mu_{ja}`.
    """

    name: ClassVar[str] = "poisson"
    values: ClassVar[str] = "whole numbers of at least 0"
    real: ClassVar[bool] = False
    link: ClassVar[Link] = Log()

    def natural(self, means: Array) -> Array:
        """The logarithms of the rates, finite even for a rate of 0."""
        return self.link.free(means)

    def log_partition(self, means: Array) -> Array:
        """The rates themselves."""
        return means

    def log_base(self, X: Array) -> Array:
        """Minus the logarithms of the factorials."""
        return np.negative(gammaln(X + 1.0))

    def variance(self, means: Array) -> Array:
        """As large as the mean."""
        return means

    def draw(self, means: Array, rng: np.random.Generator) -> Array:
        """Counts with these rates."""
        return rng.poisson(means).astype(np.float64)

    def holds(self, X: Array) -> NDArray[np.bool_]:
        """Whole numbers of at least 0."""
        counts: NDArray[np.bool_] = (X >= 0) & (np.floor(X) == X)
        return counts
