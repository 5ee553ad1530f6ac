"""Covariance structures of Gaussian components: what is shared, what is free.

Each structure is a final class. It says which quadratic terms of a row its log density needs, how
their sums become a second moment, and how a second moment becomes a covariance. Shapes follow
scikit-learn: full (k, d, d), tied (d, d), diag (k, d), spherical (k,).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.numerics.triangular import (
    SingularMatrixError,
    half_log_det,
    precision_factors,
    triangular_product,
)

__all__ = ["Covariance", "Diagonal", "Full", "Spherical", "Tied"]

# Rows of quadratic terms built at a time: together with a block of rows they stay in cache.
_TERMS_AT_ONCE = 600
_TERMS_REBUILT = 256


class Covariance(ABC):
    """A covariance structure. Abstract; the four finals below are values without state."""

    name: ClassVar[str]
    shared: ClassVar[bool] = False
    matrices: ClassVar[bool] = False

    @abstractmethod
    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """Shape of the covariances of k components in d dimensions."""

    @abstractmethod
    def n_free(self, k: int, d: int) -> int:
        """Number of free covariance parameters."""

    @abstractmethod
    def n_terms(self, d: int) -> int:
        """Number of quadratic terms of a row."""

    def chunks(self, d: int) -> list[Chunk]:
        """The quadratic terms cut in runs that stay in cache; usually one."""
        return [Chunk(0, d, 0, self.n_terms(d))]

    @abstractmethod
    def fill(self, Z: Array, chunk: Chunk, out: Array) -> None:
        """Write the chunk's quadratic terms of the rows Z (d, b) into out (terms, b)."""

    @abstractmethod
    def expand(self, offsets: Array, factors: Array, reach: Array) -> Expansion:
        """-1/2 (z - offset)' P (z - offset) as a polynomial in z, for offsets (k, d).

        ``reach`` (d,) is the largest |z| in each column; it tells how much the terms may cancel.
        """

    @abstractmethod
    def second_moment(self, sums: Array, d: int) -> Array:
        """Sums of the quadratic terms (k, terms), in the structure's own shape with axis k."""

    @abstractmethod
    def outer(self, left: Array, right: Array) -> Array:
        """Symmetric part of left right' (k, ...) for rows (k, d), shaped as a second moment."""

    @abstractmethod
    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        """MAP covariances from centred scatter under the prior's phantom rows."""

    @abstractmethod
    def factors(self, covariances: Array) -> Array:
        """Precision factors U, U U' = covariance^-1, in scikit-learn's shape."""

    @abstractmethod
    def half_log_det(self, factors: Array, d: int) -> Array:
        """Half the log determinant of each precision; (k,), or (1,) where shared."""

    @abstractmethod
    def precision_diagonal(self, factors: Array, d: int) -> Array:
        """Diagonal of each precision; (k, d), or (1, d) where shared."""

    @abstractmethod
    def whiten(self, deviations: Array, factors: Array, j: int, out: Array) -> Array:
        """Rows (b, d) times the factor of component j, so that squared lengths are Mahalanobis."""

    @abstractmethod
    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        """sum_i resp_i delta_i delta_i' of one component, shaped as its second moment."""

    @abstractmethod
    def full(self, covariances: Array, k: int, d: int) -> Array:
        """Covariances as (k, d, d)."""

    @abstractmethod
    def marginal(self, covariances: Array, columns: NDArray[np.integer]) -> Array:
        """Covariances of some of the columns."""

    @abstractmethod
    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        """Standard normal rows (n, d) given the covariance of each label's component."""

    def map_columns(self, covariances: Array, scale: Array) -> tuple[Covariance, Array]:
        """Structure and covariances after each column is multiplied by ``scale`` (d,)."""
        return self, covariances * np.multiply.outer(scale, scale)


@dataclass(frozen=True)
class Expansion:
    """Coefficients of -1/2 (z - offset)' P (z - offset), k components at a time.

    ``constant`` (k,), ``linear`` (k, d), ``quadratic`` (k, terms); ``size`` is that of the largest
    terms that cancel, in nats.
    """

    constant: Array
    linear: Array
    quadratic: Array
    size: float


@dataclass(frozen=True)
class Chunk:
    """Quadratic terms ``offset .. offset + size`` of the pairs whose first index is in a range."""

    first: int
    last: int
    offset: int
    size: int


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
        return Expansion(_constant(linear, offsets), linear, quadratic, _size(precisions, reach))

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
        covariances = scatter.copy()
        diagonal = np.einsum("kaa->ka", covariances)
        diagonal += strength * scale
        covariances /= (weight + strength)[:, None, None]
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
        product: Array = out.T @ out
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


@lru_cache(maxsize=16)
def _upper_triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    rows, columns = np.triu_indices(d)
    # An off-diagonal product stands for both z_a z_b and z_b z_a.
    return rows, columns, np.where(rows == columns, -0.5, -1.0)


def _constant(linear: Array, offsets: Array) -> Array:
    constant: Array = np.einsum("ka,ka->k", linear, offsets)
    constant *= -0.5
    return constant


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
        size = _size(precision[None], reach)
        return Expansion(_constant(linear, offsets), linear, np.zeros((len(offsets), 0)), size)

    def second_moment(self, sums: Array, d: int) -> Array:
        return sums

    def outer(self, left: Array, right: Array) -> Array:
        return Full().outer(left, right)

    def covariances(self, scatter: Array, weight: Array, scale: Array, strength: float) -> Array:
        total = weight.sum(keepdims=True)
        return Full().covariances(scatter[None], total, scale, strength)[0]

    def factors(self, covariances: Array) -> Array:
        return precision_factors(covariances[None])[0]

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
        return covariances[np.ix_(columns, columns)]

    def noise(self, factors: Array, normal: Array, labels: NDArray[np.integer]) -> Array:
        rows: Array = np.linalg.solve(factors.T, normal.T).T
        return rows


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
        return Expansion(_constant(linear, offsets), linear, -0.5 * precisions, size)

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
        return np.multiply(deviations, factors[j], out=out)

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
        size = float(precisions.max() * (reach**2).sum())
        return Expansion(_constant(linear, offsets), linear, -0.5 * precisions, size)

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
        return np.multiply(deviations, factors[j], out=out)

    def weighted_outer(self, deviations: Array, resp: Array, out: Array) -> Array:
        return np.asarray(resp @ np.einsum("ij,ij->i", deviations, deviations))

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
