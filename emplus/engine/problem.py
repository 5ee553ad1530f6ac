"""What is fitted to what: a family, a data source, a prior; and one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Block, Source
from emplus.families.base import Family, Kernel, Statistics
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize, log_or_minus_infinity
from emplus.numerics.moments import Moments

__all__ = ["Problem", "State", "block_sums", "constrain"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class State:
    """A mixture together with its own objective, and the statistics for the next step.

    ``log_likelihood`` and ``log_prior`` are totals in nats and belong to ``mixture``, not to the
    parameters one step earlier. ``rounding`` is how many nats of the objective may be rounding,
    ``passes`` how many passes over the rows the run took to get here.
    """

    mixture: Mixture
    log_likelihood: float
    log_prior: float
    statistics: Statistics
    iteration: int = 0
    rounding: float = 0.0
    passes: int = 0

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior: what EM raises."""
        return self.log_likelihood + self.log_prior


@dataclass(frozen=True)
class Problem:
    """A family to be fitted to a data source under a prior.

    The objective is sum_i w_i log p(x_i) + log prior(parameters), equation :eq:`objective` of the
    theory page; the prior on the mixing weights is flat.

    Parameters
    ----------
    family : Family
    source : Source
    prior : Any
        What the family makes of its own.
    inverse_temperature : float
        Below 1, responsibilities are tempered, r_ij in proportion to (w_j p(x_i | j))^beta, and the
        log-likelihood is (1 / beta) sum_i w_i log sum_j (w_j p(x_i | j))^beta, the negative free
        energy of Ueda & Nakano (1998), equation (15), which EM raises in the same way: equations
        :eq:`tempered` and :eq:`free-energy-tempered`.
    """

    family: Family
    source: Source
    prior: Any
    inverse_temperature: float = 1.0

    @cached_property
    def moments(self) -> Moments:
        """Moments of the data, which place the reference point and scale the prior."""
        family = self.family
        return self.source.moments(full=family.needs_full_scatter, levels=family.levels)

    def evaluate(self, mixture: Mixture, iteration: int = 0) -> State:
        """One pass over the rows: the mixture's objective and its expected statistics."""
        kernel = self.family.kernel(
            mixture.parameters, mixture.log_weights, self.moments, self.source.dtype
        )
        width = kernel.width
        beta = self.inverse_temperature
        total, *sums = self.source.reduce(lambda block: block_sums(kernel, block, beta), width)
        log_likelihood = float(total[0]) + kernel.log_common
        log_prior = float(self.family.log_prior(mixture.parameters, self.prior).sum())
        size = abs(log_likelihood) + abs(log_prior) + self.source.total_weight
        # Some units in the last place of the sums, and what the kernel loses in every row.
        rounding = 64.0 * float(np.finfo(self.source.dtype).eps) * size
        rounding += 4.0 * kernel.loss * self.source.total_weight
        statistics = kernel.statistics(tuple(sums))
        return State(mixture, log_likelihood, log_prior, statistics, iteration, rounding)

    def maximize(self, statistics: Statistics) -> Mixture:
        """The M step: weights by equation :eq:`m-step-weights`, parameters by the family."""
        parameters = self.family.maximize(statistics, self.prior)
        weight = statistics.weight
        return Mixture(self.family, log_or_minus_infinity(weight / weight.sum()), parameters)

    def estimate(self, X: Any, resp: Array) -> Mixture:
        """A first mixture from weighted responsibilities (n, k) of some rows X (n, d)."""
        weight = resp.sum(axis=0)
        parameters = self.family.estimate(X, resp, self.prior)
        return Mixture(self.family, log_or_minus_infinity(weight / weight.sum()), parameters)


def block_sums(kernel: Kernel, block: Block, beta: float = 1.0) -> tuple[Array, ...]:
    """The log-likelihood (1,) of a block of rows, and the sums that the M step needs."""
    rows = kernel.encode(block.X)
    resp = kernel.log_joint(rows)
    if block.labels is not None:
        constrain(resp, block.labels)
    if beta != 1.0:
        resp *= beta
    log_density = log_normalize(resp)
    if block.weight is None:
        log_likelihood = log_density.sum(dtype=np.float64)
    else:
        log_likelihood = log_density @ block.weight
        resp *= block.weight.astype(resp.dtype)[:, None]
    return np.atleast_1d(log_likelihood / beta), *kernel.sums(rows, resp)


def constrain(log_joint: Array, labels: NDArray[np.integer]) -> None:
    """Rows whose component is known cannot come from another; in place.

    What is left is log p(x_i, j), so the log-likelihood counts what the labels say too: equation
    :eq:`known` of the theory page.
    """
    known = np.flatnonzero(labels >= 0)
    own = log_joint[known, labels[known]]
    log_joint[known] = -np.inf
    log_joint[known, labels[known]] = own
