"""The two ways a Gaussian pass can go: expanded into matrix products, or centred and exact.

Expanded: with z = x - c about one reference point c, log w_j + log N(x | mu_j, Sigma_j) is linear in
T(x) = (1, z, products of z), so the E step is T @ H and the M step's sums are resp' T: two matrix
products a block. The expansion cancels terms of size (spread / component size)^2; where that would
cost more than `TOLERANCE` nats, or where few components in many dimensions make it slower, the
centred way takes each component's own deviations through its Cholesky factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emplus.families.base import Array
from emplus.families.covariance import Chunk, Covariance, Expansion
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.moments import Moments
from emplus.numerics.workspace import scratch

__all__ = ["CentredKernel", "ExpandedKernel", "make_kernel"]

LOG_TWO_PI = float(np.log(2.0 * np.pi))

# Largest loss, in nats of one log density, that the expanded form is allowed. Rows in float32
# carry a relative error of 6e-8 themselves, so no more than 1e-3 is to be had from them.
TOLERANCE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-3}

# A single row's score must not depend on which rows come with it, so scoring allows less.
_SCORING_SHARE = 1e-3

# From this dimension on, building the products costs more than a triangular product a component.
_MANY_DIMENSIONS = 96


def make_kernel(
    covariance: Covariance,
    means: Array,
    factors: Array,
    log_weights: Array,
    moments: Moments,
    dtype: Any,
    scoring: bool,
) -> ExpandedKernel | CentredKernel:
    """The faster kernel that is exact enough for data with these moments."""
    d = means.shape[1]
    dtype = np.dtype(dtype)
    if d >= _MANY_DIMENSIONS and covariance.n_terms(d) > d:
        return CentredKernel(covariance, means, factors, log_weights, dtype)
    reference = moments.mean.astype(dtype).astype(np.float64)
    expansion = covariance.expand(means - reference, factors, moments.reach(reference))
    loss = np.finfo(dtype).eps * expansion.size
    if not loss <= TOLERANCE[dtype] * (_SCORING_SHARE if scoring else 1.0):
        return CentredKernel(covariance, means, factors, log_weights, dtype)
    return ExpandedKernel(covariance, expansion, factors, log_weights, dtype, reference, moments)


class ExpandedRows(NamedTuple):
    """A block about the reference: (1 + d, b), and its products where they fit in one run.

    Like everything a kernel hands out for a block, they are scratch: gone with the next block.
    """

    linear: Array
    quadratic: Array | None


class ExpandedKernel:
    """log p(x, j) as T(x) @ H about one fixed reference point."""

    def __init__(
        self,
        covariance: Covariance,
        expansion: Expansion,
        factors: Array,
        log_weights: Array,
        dtype: np.dtype[Any],
        reference: Array,
        moments: Moments,
    ):
        k, d = expansion.linear.shape
        self._covariance, self._reference, self._moments = covariance, reference, moments
        self._origin = reference.astype(dtype)[:, None]
        self._chunks: list[Chunk] = covariance.chunks(d)
        self._common = _Common(covariance, factors, reference) if covariance.shared else None
        linear = np.empty((k, d + 1))
        linear[:, 0] = log_weights + expansion.constant
        if not covariance.shared:
            linear[:, 0] += covariance.half_log_det(factors, d) - 0.5 * d * LOG_TWO_PI
        linear[:, 1:] = expansion.linear
        self._linear = linear.astype(dtype)
        self._quadratic = expansion.quadratic.astype(dtype)

    @property
    def width(self) -> int:
        return self._linear.shape[1] + max(c.size for c in self._chunks) + 2 * len(self._linear)

    def encode(self, X: Array) -> ExpandedRows:
        linear = scratch("linear", (self._linear.shape[1], len(X)), self._linear.dtype)
        linear[0] = 1.0
        np.subtract(X.T, self._origin, out=linear[1:], casting="same_kind")
        whole = self._products(linear, self._chunks[0]) if len(self._chunks) == 1 else None
        return ExpandedRows(linear, whole)

    def _products(self, linear: Array, chunk: Chunk) -> Array:
        products = scratch("products", (chunk.size, linear.shape[1]), linear.dtype)
        self._covariance.fill(linear[1:], chunk, products)
        return products

    def log_joint(self, rows: ExpandedRows) -> Array:
        shape, dtype = (len(self._linear), rows.linear.shape[1]), self._linear.dtype
        joint = np.matmul(self._linear, rows.linear, out=scratch("joint", shape, dtype))
        for chunk in self._chunks:
            if not chunk.size:
                continue
            products = self._products(rows.linear, chunk) if rows.quadratic is None else rows.quadratic
            coefficients = self._quadratic[:, chunk.offset : chunk.offset + chunk.size]
            joint += np.matmul(coefficients, products, out=scratch("part", shape, dtype))
        return joint.T

    def common(self, rows: ExpandedRows) -> Array | float:
        return 0.0 if self._common is None else self._common.of(rows.linear[1:].T)

    @property
    def log_common(self) -> float:
        return 0.0 if self._common is None else self._common.total(self._moments)

    def sums(self, rows: ExpandedRows, resp: Array) -> tuple[Array, ...]:
        transposed = resp.T
        first = (transposed @ rows.linear.T).astype(np.float64)
        second = np.empty((len(transposed), self._covariance.n_terms(len(self._reference))))
        for chunk in self._chunks:
            if not chunk.size:
                continue
            products = self._products(rows.linear, chunk) if rows.quadratic is None else rows.quadratic
            second[:, chunk.offset : chunk.offset + chunk.size] = transposed @ products.T
        return first, second

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        first, second = sums
        d = len(self._reference)
        reference = np.broadcast_to(self._reference, (len(first), d))
        if self._covariance.shared:
            gap = self._moments.mean - self._reference
            whole = self._moments.scatter + self._moments.weight * np.outer(gap, gap)
        else:
            whole = self._covariance.second_moment(second, d)
        return GaussianStatistics(self._covariance, first[:, 0], first[:, 1:], whole, reference)


@dataclass(frozen=True)
class _Common:
    """What a shared covariance adds to every component's log density of a row alike."""

    covariance: Covariance
    factors: Array
    reference: Array

    def of(self, Z: Array) -> Array:
        white = np.empty_like(Z)
        self.covariance.whiten(Z, self.factors.astype(Z.dtype), 0, white)
        return -0.5 * np.einsum("ij,ij->i", white, white) + self._constant

    def total(self, moments: Moments) -> float:
        gap = moments.mean - self.reference
        scatter = moments.scatter + moments.weight * np.outer(gap, gap)
        precision = self.factors @ self.factors.T
        return float(-0.5 * np.sum(precision * scatter) + moments.weight * self._constant)

    @property
    def _constant(self) -> float:
        d = len(self.reference)
        return float(self.covariance.half_log_det(self.factors, d)[0]) - 0.5 * d * LOG_TWO_PI


class CentredKernel:
    """log p(x, j) from each component's own deviations x - mu_j: exact, and fast for d >> k."""

    log_common = 0.0

    def __init__(
        self,
        covariance: Covariance,
        means: Array,
        factors: Array,
        log_weights: Array,
        dtype: np.dtype[Any],
    ):
        d = means.shape[1]
        self._covariance, self._means = covariance, means.astype(dtype).astype(np.float64)
        self._origins, self._factors = means.astype(dtype), factors.astype(dtype)
        half_log_det = covariance.half_log_det(factors, d)
        self._constants = log_weights + half_log_det - 0.5 * d * LOG_TWO_PI

    @property
    def width(self) -> int:
        k, d = self._means.shape
        return 3 * d + 2 * k

    def encode(self, X: Array) -> Array:
        return np.ascontiguousarray(X, dtype=self._origins.dtype)

    def _deviations(self, rows: Array) -> tuple[Array, Array]:
        return (
            scratch("deviations", rows.shape, rows.dtype),
            scratch("white", rows.shape, rows.dtype),
        )

    def log_joint(self, rows: Array) -> Array:
        joint = scratch("joint", (len(self._means), len(rows)), rows.dtype)
        deviations, white = self._deviations(rows)
        for j, origin in enumerate(self._origins):
            np.subtract(rows, origin, out=deviations)
            self._covariance.whiten(deviations, self._factors, j, white)
            np.einsum("ij,ij->i", white, white, out=joint[j])
        joint *= -0.5
        joint += self._constants[:, None].astype(joint.dtype)
        return joint.T

    def common(self, rows: Array) -> Array | float:
        return 0.0

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        k, d = self._means.shape
        first = np.empty((k, d + 1))
        first[:, 0] = resp.sum(axis=0, dtype=np.float64)
        shared = self._covariance.shared
        second = np.zeros(self._covariance.shape(k, d))
        deviations, white = self._deviations(rows)
        for j, origin in enumerate(self._origins):
            np.subtract(rows, origin, out=deviations)
            first[j, 1:] = resp[:, j] @ deviations
            outer = self._covariance.weighted_outer(deviations, resp[:, j], white)
            if shared:
                second += outer
            else:
                second[j] = outer
        return first, second

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        first, second = sums
        return GaussianStatistics(self._covariance, first[:, 0], first[:, 1:], second, self._means)
