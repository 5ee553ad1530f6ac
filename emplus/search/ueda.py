"""Split-and-merge EM as it was published (Ueda, Nakano, Ghahramani & Hinton 2000)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from emplus.data.base import Array, Block
from emplus.engine.partial import Cell, Group, PartialEM
from emplus.engine.problem import Problem, constrain
from emplus.errors import ArgumentError
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize
from emplus.search.assignment import Sample
from emplus.search.walk import Move, Trial, Walk

__all__ = ["Posterior", "UedaSplitMerge", "regularized", "triples"]

# Length of the random step by which the halves of a split are set apart, in standard deviations.
_STEP = 0.2

# Most steps of partial EM, and its tolerance in nats a row.
_PARTIAL_STEPS = 50
_PARTIAL_TOL = 1e-5

# A row of which three components hold less than this together is none of theirs.
_NEGLIGIBLE = 1e-8

# Rows worked on at a time.
_ROWS_AT_ONCE = 2048

_Triple = tuple[int, int, int]


class UedaSplitMerge:
    """Split-and-merge moves from where a walk stands, one at a time.

    Triples (i, j, k) are tried in the order of `triples`: i and j are merged, k is split, partial
    EM lets the three share out what they hold together, and EM on all rows follows. The first that
    raises the objective is kept, and triples are sorted anew.

    The paper compares the expected complete-data log-likelihood Q before and after; that may rise
    where the likelihood falls (Minagawa, Tagawa & Tanaka 2002), so the objective decides here,
    log-likelihood plus log prior.

    Parameters
    ----------
    walk : Walk
    rng : Generator
    max_candidates : int
        It ends when so many in a row have failed: C_max in the paper.
    """

    def __init__(self, walk: Walk, rng: np.random.Generator, max_candidates: int):
        self._walk, self._rng, self._most = walk, rng, max_candidates
        self._sample = Sample(walk.problem, walk.mixture.n_components, rng)

    def run(self) -> None:
        """Improve the walk until ``max_candidates`` triples in a row have failed."""
        while self._walk.goes_on() and self._round():
            pass

    def _round(self) -> bool:
        walk = self._walk
        walk.round += 1
        posterior = Posterior(walk.problem, self._sample, walk.mixture)
        walk.spend(posterior.passes)
        for failed, triple in enumerate(triples(posterior.merge, posterior.split)):
            if failed == self._most or not walk.goes_on():
                break
            if self._try(posterior, triple):
                return True
        return False

    def _try(self, posterior: Posterior, triple: _Triple) -> bool:
        move = Move("split_merge", (triple,), posterior.mixture)
        return self._walk.judge(move, lambda: self._attempt(posterior, triple), self._rng)

    def _attempt(self, posterior: Posterior, triple: _Triple) -> Trial:
        mixture = posterior.mixture
        partial = PartialEM(self._walk.problem, mixture)
        try:
            parameters, shares = self._begun(mixture, triple)
        except SingularComponentError:
            return Trial(-math.inf, 0.0, None)
        cell = posterior.cell(triple)
        three = Mixture(mixture.family, shares, parameters)
        i, _, k = triple
        group = partial.group(cell, (i, k, k), three.responsibilities(cell.fetch()))
        _settle(partial, group, cell)
        gain = group.objective - partial.objective(cell, triple)
        if group.lost:
            return Trial(-math.inf, partial.passes, None)
        log_weights = mixture.log_weights.copy()
        log_weights[list(triple)] = np.logaddexp.reduce(log_weights[list(triple)])
        log_weights[list(triple)] += group.log_weights
        placed = mixture.parameters.put(triple, group.parameters)
        return Trial(gain, partial.passes, Mixture(mixture.family, log_weights, placed))

    def _begun(self, mixture: Mixture, triple: _Triple) -> tuple[object, Array]:
        """Parameters of the merged component and the two halves, and their log weights."""
        i, j, k = triple
        family, all_parameters = mixture.family, mixture.parameters
        weights = mixture.weights
        pair = weights[[i, j]]
        if not pair.sum() > 0.0:
            pair = np.ones(2)
        merged = family.average(all_parameters.take([i, j]), pair)
        halves = family.perturb(all_parameters.take([k, k]), _STEP, self._rng)
        parameters = all_parameters.take([i, j, k]).put([0], merged).put([1, 2], halves)
        shares = np.array([weights[i] + weights[j], 0.5 * weights[k], 0.5 * weights[k]])
        return parameters, np.log(np.maximum(shares / shares.sum(), 1e-300))


class Posterior:
    r"""The posterior of every component over the rows of a sample, and the published criteria.

    Parameters
    ----------
    problem : Problem
    sample : Sample
    mixture : Mixture

    Attributes
    ----------
    merge : (k, k) ndarray
        J_merge(i, j) = P_i' P_j, the inner product of two posterior vectors, not normalized,
        equation :eq:`j-merge` of the theory page; rows of weight w count w times.
    split : (k,) ndarray
        J_split(k), the local Kullback-Leibler divergence between the empirical density around the
        component, which puts f_k(x_i) = r_ik / n_k on row i, and the component's own density:

        .. math:: \sum_i f_k(x_i) \log \frac{f_k(x_i)}{p(x_i \mid \theta_k)}

        Equation :eq:`j-split`.
        -inf for a component that has no rows.

    Notes
    -----
    Section 3.2 of Ueda et al. (2000). Cost: one pass over the sample and O(n k^2).
    """

    def __init__(self, problem: Problem, sample: Sample, mixture: Mixture):
        self.mixture = mixture
        self._sample = sample
        kernel = problem.family.kernel(
            mixture.parameters, mixture.log_weights, problem.moments, problem.source.dtype
        )
        self._kernel = kernel
        self._log_density = np.empty(sample.n_rows)
        finite = np.where(np.isfinite(mixture.log_weights), mixture.log_weights, 0.0)

        def criteria(block: Block) -> tuple[Array, ...]:
            rows = kernel.encode(block.X)
            log_joint = kernel.log_joint(rows)
            if block.labels is not None:
                constrain(log_joint, block.labels)
            log_own = log_joint + np.reshape(kernel.common(rows), (-1, 1)) - finite
            resp = log_joint
            own = slice(block.start, block.start + block.X.shape[0])
            self._log_density[own] = log_normalize(resp)
            resp = resp.astype(np.float64)
            mass = sample.weight[own, None] * resp
            present = mass > 0.0
            ratio = np.log(np.where(present, mass, 1.0)) - np.where(present, log_own, 0.0)
            return mass.T @ resp, (mass * ratio).sum(axis=0), mass.sum(axis=0)

        self.merge, divergence, weight = sample.source.reduce(criteria, 2 * kernel.width)
        with np.errstate(divide="ignore", invalid="ignore"):
            split = divergence / weight - np.log(weight)
        self.split = np.where(weight > 0.0, split, -np.inf)
        self.passes = sample.n_rows / problem.source.n_rows

    def cell(self, components: _Triple) -> Cell:
        """The rows of the sample that some components hold, with how much they hold together."""
        kernel, sample = self._kernel.take(np.asarray(components)), self._sample
        mass = np.empty(sample.n_rows)
        for start in range(0, len(mass), _ROWS_AT_ONCE):
            own = slice(start, start + _ROWS_AT_ONCE)
            log_joint = kernel.log_joint(kernel.encode(sample.X[own])).astype(np.float64)
            log_density = self._log_density[own, None]
            mass[own] = np.exp(np.minimum(log_joint - log_density, 0.0)).sum(axis=1)
        if sample.source.labels is not None:
            known = sample.source.labels >= 0
            mass[known] = np.isin(sample.source.labels[known], components)
        rows = np.flatnonzero((mass > _NEGLIGIBLE) & (sample.weight > 0.0))
        return Cell(sample.X, mass[rows] * sample.weight[rows], rows)


def triples(merge: Array, split: Array) -> Iterator[_Triple]:
    """Candidates (i, j, k), i < j: pairs in falling J_merge, for each k in falling J_split.

    Ties go to the lower numbers. Section 3.2 of Ueda et al. (2000).

    Examples
    --------
    >>> merge = np.array([[9.0, 1.0, 3.0], [1.0, 9.0, 2.0], [3.0, 2.0, 9.0]])
    >>> list(triples(merge, np.array([0.1, 0.3, 0.2])))
    [(0, 2, 1), (1, 2, 0), (0, 1, 2)]
    """
    upper, lower = np.triu_indices(len(split), 1)
    pairs = np.argsort(-merge[upper, lower], kind="stable")
    falling = np.argsort(-split, kind="stable")
    for pair in pairs:
        i, j = int(upper[pair]), int(lower[pair])
        for k in falling:
            if k not in (i, j) and split[k] > -np.inf:
                yield i, j, int(k)


def regularized(problem: Problem, strength: float) -> Problem:
    """The problem with the paper's M step, Sigma_j = (S_j + strength I) / (n_j + 1).

    Equation (20) of Ueda et al. (2000). ``strength``, their lambda, is in squared units of the
    data.

    Raises
    ------
    ArgumentError
        If the family has no covariance to regularize.
    """
    prior = getattr(problem.family, "absolute_prior", None)
    if prior is None:
        raise ArgumentError(
            f"{problem.family.name} components have no covariance to add regularization to."
        )
    return replace(problem, prior=prior(1.0, strength, problem.source.n_features))


def _settle(partial: PartialEM, group: Group, cell: Cell) -> None:
    least = _PARTIAL_TOL * float(cell.mass.sum())
    before = -math.inf
    for _ in range(_PARTIAL_STEPS):
        partial.climb([group], 1)
        if group.lost or group.objective - before <= least:
            break
        before = group.objective
