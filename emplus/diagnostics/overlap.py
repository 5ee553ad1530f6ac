"""Components that share rows: how far apart they are, and what one in place of both would cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from emplus.data.base import Array, Block, Source
from emplus.diagnostics.diagnosis import EMPTY_ROWS, Pair
from emplus.diagnostics.passes import Sums, weights_of
from emplus.engine.problem import Problem
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize, log_or_minus_infinity

__all__ = ["measure_pairs"]

# Least likeness of a pair to be looked at, and with how many partners a component is.
_LIKENESS, _PARTNERS = 0.1, 3

# Two components of one density are taken for two once in so many times.
_LEVEL = 0.05

# Phantom rows that hold the one component in place of two: just enough that it always exists.
_STRENGTH = 1e-3

# In place of log 0, so that a responsibility of 0 times it is 0.
_LOWEST = -1e200


def measure_pairs(mixture: Mixture, source: Source, sums: Sums, own: int) -> tuple[Pair, ...]:
    """The pairs that share rows, the cheapest to merge first; ``own`` counts its parameters."""
    first, second, shared = _candidates(sums)
    if not len(first):
        return ()
    # The heavier one stands for both where expectations depend on parameters.
    heavier = np.where(sums.rows[first] >= sums.rows[second], first, second)
    gaps, one = _second_pass(mixture, source, first, second, heavier)
    divergence = gaps[0] / sums.rows[first] + gaps[1] / sums.rows[second]
    cost = np.full(len(first), np.inf)
    if one is not None:
        cost = _third_pass(mixture, source, first, second, one)
    # A cost that is not a number was not measured.
    cost = np.where(np.isnan(cost), np.inf, cost)
    harmonic = sums.rows[first] * sums.rows[second] / (sums.rows[first] + sums.rows[second])
    alike = divergence * harmonic <= chdtri(own, _LEVEL)
    limit = 0.5 * (own + 1) * max(float(np.log(source.total_weight)), 0.0)
    pairs = [
        Pair(
            first=int(first[p]),
            second=int(second[p]),
            shared=float(shared[p]),
            divergence=max(float(divergence[p]), 0.0),
            cost=float(cost[p]),
            alike=bool(alike[p]),
            mergeable=bool(cost[p] <= limit),
        )
        for p in range(len(first))
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.cost, -pair.shared)))


def _candidates(sums: Sums) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Pairs of components, each with those most like it, and the share of rows in common."""
    lighter = np.minimum.outer(sums.rows, sums.rows)
    share = np.divide(sums.shared, lighter, out=np.zeros_like(lighter), where=lighter > 0)
    # Many of one density share little of their rows with any one of the others, but what they have
    # of the rows is in proportion: the cosine of the responsibilities, as in Ueda et al. (2000).
    length = np.sqrt(sums.shared.diagonal())
    product = np.outer(length, length)
    cosine = np.divide(sums.shared, product, out=np.zeros_like(product), where=product > 0)
    likeness = np.maximum(share, cosine)
    np.fill_diagonal(likeness, 0.0)
    empty = sums.rows < EMPTY_ROWS
    likeness[empty], likeness[:, empty] = 0.0, 0.0
    partners = np.argsort(-likeness, axis=1, kind="stable")[:, :_PARTNERS]
    chosen = np.zeros(share.shape, dtype=bool)
    np.put_along_axis(chosen, partners, True, axis=1)
    chosen &= likeness >= _LIKENESS
    first, second = np.nonzero(np.triu(chosen | chosen.T))
    return first, second, share[first, second]


def _second_pass(
    mixture: Mixture,
    source: Source,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    heavier: NDArray[np.intp],
) -> tuple[Array, Any]:
    """Sums for the divergences (2, m), and parameters of one component for each pair."""
    # Rows that no component can produce are shared out equally, also to components of weight 0.
    log_weights = np.where(np.isneginf(mixture.log_weights), 0.0, mixture.log_weights)
    family = mixture.family.hold(mixture.parameters)
    moments = Problem(family, source, None).moments
    everyone = family.kernel(mixture.parameters, mixture.log_weights, moments, source.dtype)
    kernel = everyone.take(heavier)

    def measure(block: Block) -> tuple[Array, ...]:
        weight = weights_of(block)
        resp = mixture.log_joint(block.X)
        one = np.maximum(resp[:, first] - log_weights[first], _LOWEST)
        other = np.maximum(resp[:, second] - log_weights[second], _LOWEST)
        log_normalize(resp)
        weighted = resp * weight[:, None]
        here, there = weighted[:, first], weighted[:, second]
        gap = one - other
        gaps = np.array([np.einsum("ij,ij->j", here, gap), -np.einsum("ij,ij->j", there, gap)])
        both = np.asfortranarray(here + there, dtype=source.dtype)
        return gaps, *kernel.sums(kernel.encode(block.X), both)

    gaps, *sums = source.reduce(measure, kernel.width + 4 * len(first))
    prior = family.default_prior(moments, _STRENGTH)
    try:
        return gaps, family.maximize(kernel.statistics(tuple(sums)), prior)
    except SingularComponentError:
        return gaps, None


def _third_pass(
    mixture: Mixture, source: Source, first: NDArray[np.intp], second: NDArray[np.intp], one: Any
) -> Array:
    """What the log-likelihood loses where one component takes the place of each pair (m,)."""
    log_weights = np.logaddexp(mixture.log_weights[first], mixture.log_weights[second])
    merged = Mixture(mixture.family, log_weights, one)

    def measure(block: Block) -> tuple[Array, ...]:
        resp = mixture.log_joint(block.X)
        log_density = log_normalize(resp)
        possible = np.isfinite(log_density)
        resp, log_density = resp[possible], log_density[possible]
        # log of (density of all others + density of the one) over the density as it was
        rest = np.maximum(1.0 - resp[:, first] - resp[:, second], 0.0)
        change = merged.log_joint(block.X)[possible] - log_density[:, None]
        change = np.logaddexp(log_or_minus_infinity(rest), change)
        return (-(weights_of(block)[possible] @ change),)

    (cost,) = source.reduce(measure, mixture.n_components + 4 * len(first))
    return cost
