"""Bernoulli components: columns of zeros and ones, independent given the component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.discrete import (
    CountStatistics,
    Probabilities,
    PseudoCounts,
    clipped_log,
    clipped_log_rest,
    leave_one_out,
)
from emplus.families.exponential import NaturalExponential
from emplus.families.links import Link, Logit

__all__ = ["Bernoulli"]


@final
@dataclass(frozen=True)
class Bernoulli(NaturalExponential):
    r"""Columns of zeros and ones, independent of each other given the component.

    .. math:: p(x \mid j) = \prod_a \theta_{ja}^{x_a} (1 - \theta_{ja})^{1 - x_a}

    Equation :eq:`bernoulli` of the theory page; its M step is :eq:`m-step-counts`.

    Notes
    -----
    Missing entries (NaN) are left out of the product. Rows may be boolean, of whole numbers or
    sparse (CSR); they are turned into floating point numbers block by block, sparse ones never.
    A pass costs O(n k d), and O(k z) with z ones in sparse rows.

    Examples
    --------
    >>> Bernoulli().n_free_parameters(n_components=3, n_features=10)
    30
    """

    name: ClassVar[str] = "bernoulli"
    values: ClassVar[str] = "zeros and ones"
    real: ClassVar[bool] = False
    link: ClassVar[Link] = Logit()
    array: ClassVar[str] = "probabilities"
    holder: ClassVar[type[Any]] = Probabilities

    def natural(self, means: Array) -> Array:
        """Logits."""
        return clipped_log(means) - clipped_log_rest(means)

    def log_partition(self, means: Array) -> Array:
        """-log(1 - theta)."""
        return -clipped_log_rest(means)

    def log_base(self, X: Array) -> float:
        """Nothing: h is 1."""
        return 0.0

    def variance(self, means: Array) -> Array:
        """The probability of a one times that of a zero."""
        return means * (1.0 - means)

    def draw(self, means: Array, rng: np.random.Generator) -> Array:
        """Ones with these probabilities."""
        ones: Array = (rng.random(means.shape) < means).astype(np.float64)
        return ones

    def holds(self, X: Array) -> NDArray[np.bool_]:
        """Zeros and ones."""
        zeros_and_ones: NDArray[np.bool_] = (X == 0) | (X == 1)
        return zeros_and_ones

    def probabilities(self, parameters: Probabilities) -> tuple[Array, ...]:
        """Probabilities (k, 2) of 0 and 1 in each column."""
        return tuple(np.stack([1.0 - ones, ones], axis=1) for ones in parameters.probabilities.T)

    def leave_one_out(self, statistics: CountStatistics, prior: PseudoCounts) -> float:
        """How well the rows are foretold by each other under the prior."""
        ones, rest = statistics, statistics.observed - statistics.counts
        zeros = CountStatistics(statistics.weight, rest, statistics.observed)
        opposite = PseudoCounts(prior.strength, 1.0 - prior.frequencies)
        return leave_one_out(ones, prior) + leave_one_out(zeros, opposite)
