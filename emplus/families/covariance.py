"""The contract of a covariance structure: what is shared, what is free.

A structure says which quadratic terms of a row its log density needs, how their sums become a
second moment, and how a second moment becomes a covariance. The four structures are final classes
in `covariance_matrices` and `covariance_variances`. Shapes follow scikit-learn: full (k, d, d),
tied (d, d), diag (k, d), spherical (k,).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array

__all__ = ["Chunk", "Covariance", "Expansion", "expansion_constant"]


class Covariance(ABC):
    """A covariance structure. Abstract; the four finals below are values without state."""

    name: ClassVar[str]
    shared: ClassVar[bool] = False
    matrices: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

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

        ``reach`` (d,) is the largest ``|z|`` in each column; it tells how much the terms may
        cancel.
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

    def outer_of_variances(self, scatter: Array) -> Array:
        """Scatter (d,) that is not correlated, shaped as the second moment of one component."""
        return np.diag(scatter) if self.matrices else scatter

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


def expansion_constant(linear: Array, offsets: Array) -> Array:
    """-1/2 offset' P offset from linear = P offset, both (k, d)."""
    constant: Array = np.einsum("ka,ka->k", linear, offsets)
    constant *= -0.5
    return constant
