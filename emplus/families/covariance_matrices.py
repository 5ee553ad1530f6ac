"""Covariance structures with matrices: one a component, or one for all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.covariance import Chunk, Covariance, Expansion, expansion_constant
from emplus.numerics.triangular import half_log_det, precision_factors, triangular_product

__all__ = ["Full", "Tied"]

# Rows of quadratic terms built at a time: together with a block of rows they stay in cache.
_TERMS_AT_ONCE = 600
_TERMS_REBUILT = 256


@final
class Full(Covariance):
    """Every component has a covariance matrix of its own."""

    name = "full"
    matrices = True

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d, d)

    def n_free(self, k: int, d: int) -> int:
        return k * d * (d + 1) // 2

    def n_terms(self, d: int) -> int:
        return d * (d + 1) // 2

    def chunks(self, d: int) -> list[Chunk]:
        return list(_pair_chunks(d))

    def fill(self, Z: Array, chunk: Chunk, out: Array) -> None:
        d, row = len(Z), 0
        for a in range(chunk.first, chunk.last):
            np.multiply(Z[a], Z[a:], out=out[row : row + d - a])
            row += d - a

    def expand(self, offsets: Array, factors: Array, reach: Array) -> Expansion:
        precisions = factors @ factors.swapaxes(-1, -2)
        linear = np.matmul(precisions, offsets[:, :, None])[:, :, 0]
        rows, columns, coefficient = _upper_triangle(len(reach))
        quadratic = precisions[:, rows, columns] * coefficient
        constant = expansion_constant(linear, offsets)
        return Expansion(constant, linear, quadratic, _size(precisions, reach))

    def second_moment(self, sums: Array, d: int) -> Array:
        rows, columns, _ = _upper_triangle(d)
        second = np.empty((len(sums), d, d))
        second[:, rows, columns] = sums
        second[:, columns, rows] = sums
        return second

    def outer(self, left: Array, right: Array) -> Array:
        product: Array = left[:, :, None] * right[:, None, :]
        return product if left is right else 0.5 * (product + product.swapaxes(1, 2))

    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        covariances: Array = scatter / (weight + strength)[:, None, None]
        diagonal = np.einsum("kaa->ka", covariances)
        diagonal += strength * scale / (weight + strength)[:, None]
        return covariances

    def factors(self, covariances: Array) -> Array:
        return precision_factors(covariances)

    def half_log_det(self, factors: Array, d: int) -> Array:
        return half_log_det(factors)

    def precision_diagonal(self, factors: Array, d: int) -> Array:
        diagonal: Array = np.einsum("kab,kab->ka", factors, factors)
        return diagonal

    def whiten(self, deviations: Array, factors: Array, j: int, out: Array) -> Array:
        return triangular_product(deviations, factors[j], out)

    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        np.multiply(deviations, np.sqrt(resp)[:, None], out=out)
        product: Array = np.dot(out.T, out)
        return product

    def full(self, covariances: Array, k: int, d: int) -> Array:
        return covariances

    def marginal(self, covariances: Array, columns: NDArray[np.integer]) -> Array:
        return covariances[..., columns[:, None], columns]

    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        rows = np.empty_like(normal)
        for j in np.unique(labels):
            own = labels == j
            # U' y = e has covariance (U U')^-1.
            rows[own] = np.linalg.solve(factors[j].T, normal[own].T).T
        return rows


@final
class Tied(Covariance):
    """All components share one covariance matrix.

    The quadratic term is then the same for every component of a row: it cancels in the
    responsibilities, and its sum over the rows follows from the total scatter, which never changes.
    """

    name = "tied"
    shared = True
    matrices = True

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (d, d)

    def n_free(self, k: int, d: int) -> int:
        return d * (d + 1) // 2

    def n_terms(self, d: int) -> int:
        return 0

    def fill(self, Z: Array, chunk: Chunk, out: Array) -> None:
        """Nothing to write: the linear terms tell the components apart."""

    def expand(self, offsets: Array, factors: Array, reach: Array) -> Expansion:
        precision = factors @ factors.T
        linear = offsets @ precision
        constant, nothing = expansion_constant(linear, offsets), np.zeros((len(offsets), 0))
        return Expansion(constant, linear, nothing, _size(precision[None], reach))

    def second_moment(self, sums: Array, d: int) -> Array:
        return sums

    def outer(self, left: Array, right: Array) -> Array:
        return Full().outer(left, right)

    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        total = weight.sum(keepdims=True)
        shared: Array = Full().covariances(scatter[None], total, scale, strength)[0]
        return shared

    def factors(self, covariances: Array) -> Array:
        shared: Array = precision_factors(covariances[None])[0]
        return shared

    def half_log_det(self, factors: Array, d: int) -> Array:
        return half_log_det(factors[None])

    def precision_diagonal(self, factors: Array, d: int) -> Array:
        return Full().precision_diagonal(factors[None], d)

    def whiten(self, deviations: Array, factors: Array, j: int, out: Array) -> Array:
        return triangular_product(deviations, factors, out)

    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        return Full().weighted_outer(deviations, resp, out)

    def full(self, covariances: Array, k: int, d: int) -> Array:
        return np.repeat(covariances[None], k, axis=0)

    def marginal(self, covariances: Array, columns: NDArray[np.integer]) -> Array:
        part: Array = covariances[np.ix_(columns, columns)]
        return part

    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        rows: Array = np.linalg.solve(factors.T, normal.T).T
        return rows


@lru_cache(maxsize=16)
def _upper_triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    rows, columns = np.triu_indices(d)
    # An off-diagonal product stands for both z_a z_b and z_b z_a.
    return rows, columns, np.where(rows == columns, -0.5, -1.0)


def _size(precisions: Array, reach: Array) -> float:
    scaled = precisions * np.multiply.outer(reach, reach)
    return float(np.sqrt(np.einsum("kab,kab->k", scaled, scaled).max()))


def _pair_chunks(d: int) -> Iterator[Chunk]:
    limit = _TERMS_AT_ONCE if d * (d + 1) // 2 <= _TERMS_AT_ONCE else _TERMS_REBUILT
    first = offset = size = 0
    for a in range(d):
        if size and size + d - a > limit:
            yield Chunk(first, a, offset, size)
            first, offset, size = a, offset + size, 0
        size += d - a
    yield Chunk(first, d, offset, size)
