"""A pass over rows with missing entries, for Gaussians with covariance matrices.

The log density is that of what is there; the statistics are what is expected of the whole row
given it: full-information maximum likelihood (Ghahramani & Jordan 1994; Little & Rubin 2019). Rows
that miss the same entries share their matrices, see `Regressions`. As for complete rows, there is
an expanded way, two matrix products a pattern, and a centred one where that would cancel too much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, side_by_side
from emplus.families.covariance import Covariance
from emplus.families.covariance_matrices import Full
from emplus.families.gaussian_regressions import Regressions, pattern_chunks
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.patterns import Patterns
from emplus.numerics.workspace import scratch

__all__ = ["MOST_EXPANDED", "CentredIncomplete", "ExpandedIncomplete"]

# Numbers in the matrices of a block's patterns up to which they are kept from the E step for the
# sums: solving for them again takes longer than all else.
_MOST_KEPT = 1 << 22

# Columns up to which the quadratic terms of a row are made.
MOST_EXPANDED = 32


class _Rows(NamedTuple):
    """A block: its rows or terms in the order of their patterns, and what was solved for these."""

    values: Array
    patterns: Patterns
    solved: dict[int, Regressions]


class _Incomplete:
    """What both ways share: patterns, and completing what was summed over each."""

    log_common = 0.0
    n_sums = 3

    def __init__(
        self, covariance: Covariance, means: Array, covariances: Array, log_weights: Array
    ):
        self._covariance, self._means = covariance, means
        # One matrix for all components, or one for each.
        self._matrices = covariances[None] if covariance.shared else covariances
        self._log_weights = np.maximum(log_weights, NOWHERE)

    def _solved(self, rows: _Rows) -> Iterator[tuple[list[slice], Regressions]]:
        """The runs of some patterns, and their matrices; kept where they are not too many."""
        k, d = self._means.shape
        kept = len(rows.patterns.observed) * self._matrices.size <= _MOST_KEPT
        for chunk in pattern_chunks(len(rows.patterns.observed), k, d):
            found = rows.solved.get(chunk.start)
            if found is None:
                found = Regressions.of(self._matrices, rows.patterns.observed[chunk])
                if kept:
                    rows.solved[chunk.start] = found
            yield rows.patterns.runs[chunk], found

    def _given_order(self, joint: Array, patterns: Patterns) -> Array:
        if patterns.order is None:
            return joint.T
        given = scratch("given", joint.shape, joint.dtype)
        given[:, patterns.order] = joint
        return given.T

    def _completed(
        self, solved: Regressions, weight: Array, first: Array, second: Array, offsets: Array
    ) -> tuple[Array, Array]:
        """Sums (k, d) and (k, d, d) of whole rows from those of what is there, by patterns.

        ``weight`` (p, k), ``first`` (p, k, d) and ``second`` (p, k, d, d) are about reference
        points, ``offsets`` (k, d) the means about them. Where a covariance is shared the second
        moments may be those of all components together, (p, 1, d, d), and are so then.
        """
        gains = solved.gains
        steps = offsets - _applied(gains, offsets)
        through = _applied(gains, first)
        weighted = weight[..., None] * steps
        whole = (gains @ second @ gains.swapaxes(2, 3)).sum(axis=0)
        if whole.shape[0] == 1:
            # Of all components together: outer products summed over them.
            crossed = np.einsum("pka,pkb->ab", through + 0.5 * weighted, steps)[None]
            residual = np.einsum("p,pab->ab", weight.sum(axis=1), solved.residuals[:, 0])
        else:
            crossed = np.einsum("pka,pkb->kab", through + 0.5 * weighted, steps)
            residual = np.einsum("pk,pkab->kab", weight, solved.residuals)
        whole += crossed + crossed.swapaxes(1, 2) + residual
        # Exactly symmetric: a model file is refused where a matrix is not.
        whole = 0.5 * (whole + whole.swapaxes(1, 2))
        return (through + weighted).sum(axis=0), whole

    def common(self, rows: _Rows) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def _statistics(self, sums: tuple[Array, ...], reference: Array) -> GaussianStatistics:
        weight, first, second = sums
        if self._covariance.shared:
            second = second.sum(axis=0)
        return GaussianStatistics(self._covariance, weight, first, second, reference)

    def take(self, components: slice | NDArray[np.integer]) -> Self:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_means", "_log_weights"):
            setattr(taken, name, getattr(self, name)[components])
        if not self._covariance.shared:
            taken._matrices = self._matrices[components]
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


class ExpandedIncomplete(_Incomplete):
    """Terms of the block's rows about one reference point, 0 where an entry is missing.

    A covariance that all components share needs no products: their common quadratic term is taken
    row by row, and summed over all components at once.
    """

    def __init__(
        self,
        covariance: Covariance,
        means: Array,
        covariances: Array,
        log_weights: Array,
        reference: Array,
        loss: float,
    ):
        super().__init__(covariance, means, covariances, log_weights)
        self._reference, self.loss = reference, loss
        d = 0 if covariance.shared else means.shape[1]
        self._upper = np.triu_indices(d)
        self._factors = np.where(self._upper[0] == self._upper[1], -0.5, -1.0)

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._means.shape
        return int(1 + 2 * d + len(self._factors) + 3 * k)

    def encode(self, X: Array) -> _Rows:
        """The terms (1, z, products) of the rows, in the order of their patterns."""
        patterns = Patterns.of(~np.isnan(X))
        ordered = X if patterns.order is None else X[patterns.order]
        d = X.shape[1]
        terms = scratch("terms", (1 + d + len(self._factors), len(X)), np.float64)
        terms[0] = 1.0
        linear = terms[1 : d + 1]
        np.subtract(ordered.T, self._reference[:, None], out=linear)
        linear[np.isnan(linear)] = 0.0
        if not self._covariance.shared:
            (chunk,) = Full().chunks(d)
            Full().fill(linear, chunk, terms[d + 1 :])
        return _Rows(terms, patterns, {})

    def _coefficients(self, solved: Regressions) -> Array:
        """Of the terms (p, k, t), for log w_j + log p(what is there | j)."""
        precisions = solved.whiteners.swapaxes(2, 3) @ solved.whiteners
        offsets = self._means - self._reference
        linear = _applied(precisions, offsets)
        shape = linear.shape[:2]
        constants = solved.constants + self._log_weights
        constants = constants - 0.5 * (linear * offsets).sum(axis=2)
        quadratic = precisions[..., self._upper[0], self._upper[1]] * self._factors
        quadratic = np.broadcast_to(quadratic, (*shape, len(self._factors)))
        return np.concatenate([constants[..., None], linear, quadratic], axis=2)

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k) of what is there."""
        joint = scratch("joint", (len(self._means), rows.values.shape[1]), np.float64)
        for runs, solved in self._solved(rows):
            for p, coefficients in enumerate(self._coefficients(solved)):
                own = rows.values[:, runs[p]]
                joint[:, runs[p]] = np.dot(coefficients, own)
                if self._covariance.shared:
                    white = np.dot(solved.whiteners[p, 0], own[1:])
                    joint[:, runs[p]] -= 0.5 * np.einsum("ai,ai->i", white, white)
        return self._given_order(joint, rows.patterns)

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and expected first (k, d) and second moments (k, d, d)."""
        k, d = self._means.shape
        if rows.patterns.order is not None:
            resp = resp[rows.patterns.order]
        first = np.zeros((k, d))
        second = np.zeros((1 if self._covariance.shared else k, d, d))
        offsets = self._means - self._reference
        for runs, solved in self._solved(rows):
            summed = np.empty((len(runs), len(rows.values), k))
            for p, run in enumerate(runs):
                np.dot(rows.values[:, run], resp[run], out=summed[p])
            summed = summed.swapaxes(1, 2)
            there = self._products(rows.values, resp, runs, summed[..., d + 1 :])
            more = self._completed(solved, summed[..., 0], summed[..., 1 : d + 1], there, offsets)
            first += more[0]
            second += more[1]
        return resp.sum(axis=0, dtype=np.float64), first, second

    def _products(self, terms: Array, resp: Array, runs: list[slice], summed: Array) -> Array:
        """Second moments of what is there (p, k, d, d), or (p, 1, d, d) of all components."""
        d = self._means.shape[1]
        if self._covariance.shared:
            mass = resp.sum(axis=1)
            there = np.empty((len(runs), 1, d, d))
            for p, run in enumerate(runs):
                linear = terms[1:, run]
                np.dot(linear * mass[run], linear.T, out=there[p, 0])
            return there
        there = np.empty((*summed.shape[:2], d, d))
        there[..., self._upper[0], self._upper[1]] = summed
        there[..., self._upper[1], self._upper[0]] = summed
        return there

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        return self._statistics(sums, np.broadcast_to(self._reference, self._means.shape))


class CentredIncomplete(_Incomplete):
    """Deviations from each component's own mean: exact, whatever the spread."""

    def __init__(
        self,
        covariance: Covariance,
        means: Array,
        covariances: Array,
        log_weights: Array,
        loss: float,
    ):
        super().__init__(covariance, means, covariances, log_weights)
        self.loss = loss

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._means.shape
        return int(2 * k * d + 3 * k)

    def encode(self, X: Array) -> _Rows:
        """The rows in the order of their patterns."""
        patterns = Patterns.of(~np.isnan(X))
        ordered = X if patterns.order is None else X[patterns.order]
        return _Rows(ordered.astype(np.float64, copy=False), patterns, {})

    def _deviations(self, rows: Array, observed: NDArray[np.bool_]) -> Array:
        """Of what is there from each mean (k, r, d); 0 elsewhere."""
        deviations = scratch("deviations", (len(self._means), *rows.shape), np.float64)
        np.subtract(rows, self._means[:, None], out=deviations)
        deviations[..., ~observed] = 0.0
        return deviations

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k) of what is there."""
        joint = scratch("joint", (len(self._means), len(rows.values)), np.float64)
        for runs, solved in self._solved(rows):
            constants = solved.constants + self._log_weights
            for p, run in enumerate(runs):
                deviations = self._deviations(rows.values[run], solved.observed[p])
                white = scratch("white", deviations.shape, np.float64)
                np.matmul(deviations, solved.whiteners[p].swapaxes(1, 2), out=white)
                joint[:, run] = -0.5 * np.einsum("kia,kia->ki", white, white)
                joint[:, run] += constants[p][:, None]
        return self._given_order(joint, rows.patterns)

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and expected first (k, d) and second moments (k, d, d)."""
        k, d = self._means.shape
        if rows.patterns.order is not None:
            resp = resp[rows.patterns.order]
        first, second = np.zeros((k, d)), np.zeros((k, d, d))
        for runs, solved in self._solved(rows):
            weight, sums = np.empty((len(runs), k)), np.empty((len(runs), k, d))
            squares = np.empty((len(runs), k, d, d))
            for p, run in enumerate(runs):
                deviations = self._deviations(rows.values[run], solved.observed[p])
                share = resp[run].T
                weight[p] = share.sum(axis=1)
                np.einsum("ki,kia->ka", share, deviations, out=sums[p])
                weighted = scratch("white", deviations.shape, np.float64)
                np.multiply(deviations, share[..., None], out=weighted)
                np.matmul(weighted.swapaxes(1, 2), deviations, out=squares[p])
            more = self._completed(solved, weight, sums, squares, np.zeros((k, d)))
            first += more[0]
            second += more[1]
        return resp.sum(axis=0, dtype=np.float64), first, second

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        return self._statistics(sums, self._means)


def _applied(gains: Array, vectors: Array) -> Array:
    """Matrices (p, k, d, d) times vectors (p, k, d) or (k, d)."""
    if gains.shape[1] == 1:
        # One matrix for all: a product of matrices rather than many with vectors.
        return vectors @ gains[:, 0].swapaxes(1, 2)
    product: Array = (gains @ vectors[..., None])[..., 0]
    return product
