"""A pass over rows with missing entries, for factor analyzers.

Given what is there, the factors are N(m, V) with V = (I + Lambda_o' Psi_o^-1 Lambda_o)^-1 and
m = V Lambda_o' Psi_o^-1 (x_o - mu_o), and the rest is expected at mu_m + Lambda_m m with covariance
Lambda_m V Lambda_m' + Psi_m. Which entries are missing enters by matrices of q x q numbers only, so
the products with the rows are those of complete rows with 0 for what is missing; the statistics are
those of the whole rows, as `FactorStatistics` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, side_by_side
from emplus.families.factor_parameters import FactorParameters
from emplus.families.factor_statistics import FactorStatistics
from emplus.families.gaussian_centred import LOG_TWO_PI
from emplus.numerics.patterns import Patterns
from emplus.numerics.workspace import scratch

__all__ = [
    "IncompleteFactors",
    "completed",
    "filled_by_draws",
    "filled_by_means",
    "first_filled",
]


@dataclass(frozen=True)
class _Solved:
    """Of p patterns and k components.

    ``covariances`` (p, k, q, q) are V; ``absent`` (p, k, q, q) is Lambda_m' Psi_m^-1 Lambda_m, what
    is missing would have told of the factors; ``constants`` (p, k) what does not depend on the row.
    """

    covariances: Array
    absent: Array
    constants: Array

    @classmethod
    def of(cls, parameters: FactorParameters, observed: NDArray[np.bool_]) -> _Solved:
        """Solve for all patterns; O(p k q^2 (d + q))."""
        k, d, q = parameters.loadings.shape
        there = observed.astype(np.float64)
        told = parameters.loadings[..., :, None] * parameters.loadings[..., None, :]
        told /= parameters.psi[..., None, None]
        by_column = told.transpose(1, 0, 2, 3).reshape(d, k * q * q)
        information = (there @ by_column).reshape(len(there), k, q, q)
        absent = ((1.0 - there) @ by_column).reshape(len(there), k, q, q)
        precisions = information + np.eye(q)
        roots = np.linalg.cholesky(0.5 * (precisions + precisions.swapaxes(2, 3)))
        inverse_roots = np.linalg.inv(roots)
        constants = -0.5 * (there @ (np.log(parameters.psi) + LOG_TWO_PI).T)
        constants -= np.log(np.einsum("pkqq->pkq", roots)).sum(axis=2)
        return cls(inverse_roots.swapaxes(2, 3) @ inverse_roots, absent, constants)


class _Terms(NamedTuple):
    """Deviations of what is there (b, d), else 0; their squares; expected factors (m, q, b)."""

    deviations: Array
    squares: Array
    factors: Array


class _Rows(NamedTuple):
    """A block in the order of its patterns, what was solved for these, and its terms if kept."""

    X: Array
    patterns: Patterns
    solved: _Solved
    absent: Array
    kept: list[_Terms]


class IncompleteFactors:
    """All components at once about a reference point (d,), or each about its own mean."""

    log_common = 0.0
    n_sums = 4

    def __init__(
        self,
        parameters: FactorParameters,
        log_weights: Array,
        reference: Array | None,
        loss: float,
    ):
        self._parameters, self._reference, self.loss = parameters, reference, loss
        self._log_weights = np.maximum(log_weights, NOWHERE)
        about = parameters.means if reference is None else reference
        self._offsets = (
            np.zeros_like(parameters.means) if reference is None else parameters.means_from(about)
        )

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d, q = self._parameters.loadings.shape
        return int(2 * d + 3 * k * (q + 1))

    def encode(self, X: Array) -> _Rows:
        """The rows in the order of their patterns."""
        patterns = Patterns.of(~np.isnan(X))
        ordered = X if patterns.order is None else X[patterns.order]
        solved = _Solved.of(self._parameters, patterns.observed)
        return _Rows(ordered, patterns, solved, 1.0 - patterns.observed, [])

    def _groups(self, rows: _Rows) -> Iterator[tuple[slice, _Terms]]:
        """Components that share a reference point, and the terms about it."""
        if self._reference is None:
            for j, mean in enumerate(self._parameters.means):
                yield slice(j, j + 1), self._terms(rows, slice(j, j + 1), mean)
            return
        everyone = slice(0, len(self._offsets))
        if not rows.kept:
            rows.kept.append(self._terms(rows, everyone, self._reference))
        yield everyone, rows.kept[0]

    def _terms(self, rows: _Rows, own: slice, reference: Array) -> _Terms:
        loadings, psi = self._parameters.loadings[own], self._parameters.psi[own]
        m, d, q = loadings.shape
        deviations = scratch("rows", rows.X.shape, np.float64)
        np.subtract(rows.X, reference, out=deviations)
        deviations[np.isnan(deviations)] = 0.0
        squares = scratch("squares", rows.X.shape, np.float64)
        np.multiply(deviations, deviations, out=squares)
        weighted = (loadings / psi[..., None]).swapaxes(1, 2)
        told = scratch("told", (m * q, len(rows.X)), np.float64)
        np.matmul(weighted.reshape(m * q, d), deviations.T, out=told)
        told = told.reshape(m, q, len(rows.X))
        factors = scratch("factors", told.shape, np.float64)
        shifts = weighted * self._offsets[own][:, None, :]
        for p, run in enumerate(rows.patterns.runs):
            there = rows.patterns.observed[p]
            told[:, :, run] -= (shifts @ there)[:, :, None]
            np.matmul(rows.solved.covariances[p, own], told[:, :, run], out=factors[:, :, run])
        return _Terms(deviations, squares, factors)

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k) of what is there."""
        psi, offsets = self._parameters.psi, self._offsets
        joint = scratch("joint", (len(psi), len(rows.X)), np.float64)
        linear = offsets / psi
        constants = rows.solved.constants + self._log_weights
        constants = constants - 0.5 * (rows.patterns.observed @ (linear * offsets).T)
        for own, terms in self._groups(rows):
            joint[own] = (-0.5 / psi[own]) @ terms.squares.T
            if offsets[own].any():
                joint[own] += linear[own] @ terms.deviations.T
            told = scratch("told", terms.factors.shape, np.float64)
            told *= terms.factors
            joint[own] += 0.5 * told.sum(axis=1)
        for p, run in enumerate(rows.patterns.runs):
            joint[:, run] += constants[p][:, None]
        if rows.patterns.order is None:
            return joint.T
        given = scratch("given", joint.shape, np.float64)
        given[:, rows.patterns.order] = joint
        return given.T

    def common(self, rows: _Rows) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and first, second (k, d) and cross moments (k, q, d) of whole rows."""
        if rows.patterns.order is not None:
            resp = resp[rows.patterns.order]
        parts = [
            self._summed(rows, own, terms, resp[:, own].T) for own, terms in self._groups(rows)
        ]
        weight = resp.sum(axis=0, dtype=np.float64)
        return weight, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def _summed(
        self, rows: _Rows, own: slice, terms: _Terms, share: Array
    ) -> tuple[Array, Array, Array]:
        loadings, psi = self._parameters.loadings[own], self._parameters.psi[own]
        offsets = self._offsets[own]
        m, q, b = terms.factors.shape
        weighted = terms.factors * share[:, None]
        first = np.dot(share, terms.deviations)
        second = np.dot(share, terms.squares)
        cross = np.dot(weighted.reshape(m * q, b), terms.deviations)
        cross = cross.reshape(m, q, rows.X.shape[1])
        # Of each pattern, then of all that miss a column: rows, factors, products of factors.
        runs, absent = rows.patterns.runs, rows.absent.T
        mass = np.array([share[:, run].sum(axis=1) for run in runs])
        factors = np.array([weighted[:, :, run].sum(axis=2) for run in runs])
        products = np.array(
            [weighted[:, :, run] @ terms.factors[:, :, run].swapaxes(1, 2) for run in runs]
        )
        covariances = rows.solved.covariances[:, own]
        lost = mass[..., None, None] * (rows.solved.absent[:, own] @ covariances + np.eye(q))
        spread = products + mass[..., None, None] * covariances

        def by_column(values: Array) -> Array:
            shape = values.shape[1:]
            summed: Array = absent @ values.reshape(len(runs), prod(shape))
            return summed.reshape(len(absent), *shape)

        rows_lost, factors_lost = by_column(mass).T, by_column(factors).swapaxes(0, 1)
        expected = np.einsum("kaq,kaq->ka", loadings, factors_lost)
        first += offsets * rows_lost + expected
        second += (offsets**2 + psi) * rows_lost + 2.0 * offsets * expected
        second += np.einsum("akqr,kaq,kar->ka", by_column(spread), loadings, loadings)
        cross += factors_lost.swapaxes(1, 2) * offsets[:, None, :]
        cross += np.einsum("akqr,kar->kqa", by_column(products), loadings)
        # Whitened factors are y = L' E[z | x], and what is missing varies with them.
        _, roots, inverse_roots = (array[own] for array in self._parameters.posterior)
        varying = np.einsum("akqr,kar->kqa", by_column(lost), loadings)
        return first, second, roots.swapaxes(1, 2) @ cross + inverse_roots @ varying

    def statistics(self, sums: tuple[Array, ...]) -> FactorStatistics:
        """The sums of all blocks, read as statistics."""
        weight, first, second, cross = sums
        parameters = self._parameters
        if self._reference is not None:
            reference = np.broadcast_to(self._reference, first.shape)
            return FactorStatistics(parameters, weight, first, second, cross, reference)
        about = FactorStatistics(parameters, weight, first, second, cross, parameters.means)
        return about if parameters.common is None else about.from_means()

    def take(self, components: slice | NDArray[np.integer]) -> Self:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        chosen = np.arange(len(self._offsets))[components]
        taken._parameters = self._parameters.take(chosen)
        posterior = tuple(array[chosen] for array in self._parameters.posterior)
        taken._parameters.__dict__["posterior"] = posterior
        taken._offsets, taken._log_weights = self._offsets[chosen], self._log_weights[chosen]
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


def filled_by_means(parameters: FactorParameters, X: Array, resp: Array) -> Array:
    """Rows (n, d) with what is missing filled by its mean under responsibilities (n, k)."""
    expected = np.zeros_like(X)
    for j, mean in enumerate(parameters.means):
        expected += resp[:, [j]] * (mean + _explained(parameters.take([j]), X - mean))
    return np.where(np.isnan(X), expected, X)


def filled_by_draws(
    parameters: FactorParameters, X: Array, labels: NDArray[np.integer], drawn: Array
) -> Array:
    """Rows (n, d) with what is missing drawn given what is there and each row's component.

    ``drawn`` (n, d) are whole rows of the components; see `conditional_draws`.
    """
    filled = drawn.copy()
    for j in np.unique(labels):
        own = labels == j
        filled[own] += _explained(parameters.take([j]), X[own] - drawn[own])
    return np.where(np.isnan(X), filled, X)


def first_filled(X: Array, resp: Array) -> Array:
    """What is missing at the mean of the others of its component; of all, where it has none."""
    missing = np.isnan(X)
    if not missing.any():
        return X
    there = np.where(missing, 0.0, X)
    counted, total = resp.T @ ~missing, resp.sum(axis=1)
    overall = total @ there / np.maximum(total @ ~missing, 1e-300)
    means = np.where(counted > 0, (resp.T @ there) / np.maximum(counted, 1e-300), overall)
    share = resp / np.maximum(total, 1e-300)[:, None]
    return np.where(missing, share @ means, X)


def completed(one: FactorParameters, deviations: Array) -> Array:
    """Deviations from one component's mean with what is missing as it is expected to be."""
    missing = np.isnan(deviations)
    if not missing.any():
        return deviations
    return np.where(missing, _explained(one, deviations), deviations)


def _explained(one: FactorParameters, deviations: Array) -> Array:
    """What the factors, told by deviations with NaN for what is missing, make of all columns."""
    observed = ~np.isnan(deviations)
    patterns = Patterns.of(observed)
    solved = _Solved.of(one, patterns.observed)
    loadings = one.loadings[0]
    told = np.where(observed, deviations, 0.0) @ (loadings / one.psi[0][:, None])
    order = np.arange(len(told)) if patterns.order is None else patterns.order
    for p, run in enumerate(patterns.runs):
        told[order[run]] = told[order[run]] @ solved.covariances[p, 0]
    explained: Array = told @ loadings.T
    return explained
