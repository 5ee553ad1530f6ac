"""Covariance structures without correlations: variances by column, or one in all columns."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.covariance import Chunk, Covariance, Expansion, expansion_constant
from emplus.numerics.triangular import SingularMatrixError

__all__ = ["Diagonal", "Spherical"]


@final
class Diagonal(Covariance):
    """Every component has a variance of its own in each column, and no correlations."""

    name = "diag"

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d)

    def n_free(self, k: int, d: int) -> int:
        return k * d

    def n_terms(self, d: int) -> int:
        return d

    def fill(self, Z: Array, chunk: Chunk, out: Array) -> None:
        np.multiply(Z, Z, out=out)

    def expand(self, offsets: Array, factors: Array, reach: Array) -> Expansion:
        precisions = factors**2
        linear = precisions * offsets
        size = float(np.sqrt(((precisions * reach**2) ** 2).sum(axis=1).max()))
        return Expansion(expansion_constant(linear, offsets), linear, -0.5 * precisions, size)

    def second_moment(self, sums: Array, d: int) -> Array:
        return sums

    def outer(self, left: Array, right: Array) -> Array:
        return left * right

    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        covariances: Array = (scatter + strength * scale) / (weight + strength)[:, None]
        return covariances

    def factors(self, covariances: Array) -> Array:
        return _inverse_roots(covariances)

    def half_log_det(self, factors: Array, d: int) -> Array:
        half: Array = np.log(factors).sum(axis=1)
        return half

    def precision_diagonal(self, factors: Array, d: int) -> Array:
        return factors**2

    def whiten(self, deviations: Array, factors: Array, j: int, out: Array) -> Array:
        np.multiply(deviations, factors[j], out=out)
        return out

    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        np.multiply(deviations, deviations, out=out)
        product: Array = resp @ out
        return product

    def full(self, covariances: Array, k: int, d: int) -> Array:
        full = np.zeros((k, d, d))
        np.einsum("kaa->ka", full)[...] = covariances
        return full

    def marginal(self, covariances: Array, columns: NDArray[np.integer]) -> Array:
        return covariances[:, columns]

    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        rows: Array = normal / factors[labels]
        return rows

    def map_columns(self, covariances: Array, scale: Array) -> tuple[Covariance, Array]:
        return self, covariances * scale**2


@final
class Spherical(Covariance):
    """Every component has one variance, the same in all columns."""

    name = "spherical"

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k,)

    def n_free(self, k: int, d: int) -> int:
        return k

    def n_terms(self, d: int) -> int:
        return 1

    def fill(self, Z: Array, chunk: Chunk, out: Array) -> None:
        np.einsum("ai,ai->i", Z, Z, out=out[0])

    def expand(self, offsets: Array, factors: Array, reach: Array) -> Expansion:
        precisions = factors[:, None] ** 2
        linear = precisions * offsets
        size = float(np.sqrt(((precisions * reach**2) ** 2).sum(axis=1).max()))
        return Expansion(expansion_constant(linear, offsets), linear, -0.5 * precisions, size)

    def second_moment(self, sums: Array, d: int) -> Array:
        return sums[:, 0]

    def outer(self, left: Array, right: Array) -> Array:
        product: Array = np.einsum("ka,ka->k", left, right)
        return product

    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        d = len(scale)
        covariances: Array = (scatter + strength * scale.sum()) / (d * (weight + strength))
        return covariances

    def factors(self, covariances: Array) -> Array:
        return _inverse_roots(covariances[:, None])[:, 0]

    def half_log_det(self, factors: Array, d: int) -> Array:
        return d * np.log(factors)

    def precision_diagonal(self, factors: Array, d: int) -> Array:
        return np.repeat(factors[:, None] ** 2, d, axis=1)

    def whiten(self, deviations: Array, factors: Array, j: int, out: Array) -> Array:
        np.multiply(deviations, factors[j], out=out)
        return out

    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        return np.asarray(resp @ np.einsum("ij,ij->i", deviations, deviations))

    def outer_of_variances(self, scatter: Array) -> Array:
        return np.asarray(scatter.sum())

    def full(self, covariances: Array, k: int, d: int) -> Array:
        full: Array = covariances[:, None, None] * np.eye(d)
        return full

    def marginal(self, covariances: Array, columns: NDArray[np.integer]) -> Array:
        return covariances

    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        rows: Array = normal / factors[labels][:, None]
        return rows

    def map_columns(self, covariances: Array, scale: Array) -> tuple[Covariance, Array]:
        # Stretching columns by different factors takes a sphere out of its structure.
        return Diagonal(), covariances[:, None] * scale**2


def _inverse_roots(variances: Array) -> Array:
    good = ((variances > 0) & np.isfinite(variances)).all(axis=1)
    if not good.all():
        raise SingularMatrixError(int(np.argmin(good)))
    roots: Array = 1.0 / np.sqrt(variances)
    return roots
