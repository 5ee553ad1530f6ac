"""The expanded way of a Gaussian pass: log densities linear in fixed terms T(x) of a row.

Two kernels share it. `ExpandedKernel` holds a block about the reference point and transposed, so
that every step runs along its rows; it serves all structures and few columns best. `PlainKernel`
leaves the rows as they are, which saves copying them where the origin is as good a reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, side_by_side
from emplus.families.covariance import Covariance, Expansion
from emplus.families.gaussian_centred import LOG_TWO_PI
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.moments import Moments
from emplus.numerics.workspace import scratch

__all__ = ["ExpandedKernel", "PlainKernel", "Terms"]


@dataclass(frozen=True)
class Terms:
    """What both kernels know: the coefficients of T(x) = (1, z, quadratic terms), z = x - c.

    ``coefficients`` (k, 1 + d + q); ``reference`` (d,) is the point c.
    """

    covariance: Covariance
    coefficients: Array
    reference: Array
    factors: Array
    moments: Moments

    @classmethod
    def of(
        cls,
        covariance: Covariance,
        expansion: Expansion,
        factors: Array,
        log_weights: Array,
        reference: Array,
        moments: Moments,
    ) -> Terms:
        """Gather the coefficients of every component's log joint density."""
        d = len(reference)
        constant = log_weights + expansion.constant
        if not covariance.shared:
            constant += covariance.half_log_det(factors, d) - 0.5 * d * LOG_TWO_PI
        # A component without weight: minus infinity would meet zeros inside the matrix product.
        np.maximum(constant, NOWHERE, out=constant)
        parts = (constant[:, None], expansion.linear, expansion.quadratic)
        return cls(covariance, np.concatenate(parts, axis=1), reference, factors, moments)

    def take(self, components: slice | NDArray[np.integer]) -> Terms:
        """The terms of some of the components."""
        return replace(self, coefficients=self.coefficients[components])

    def statistics(self, sums: Array) -> GaussianStatistics:
        """Read the sums of resp_ij T(x_i), (k, 1 + d + q), as statistics about the reference."""
        d = len(self.reference)
        weight, first, second = np.split(sums, (1, d + 1), axis=1)
        reference = np.broadcast_to(self.reference, (len(first), d))
        if self.covariance.shared:
            whole = self._total_scatter()
        else:
            whole = self.covariance.second_moment(second, d)
        return GaussianStatistics(self.covariance, weight[:, 0], first, whole, reference)

    def _total_scatter(self) -> Array:
        gap = self.moments.mean - self.reference
        total: Array = self.moments.scatter + self.moments.weight * np.outer(gap, gap)
        return total

    def common(self, Z: Array) -> Array | float:
        """What a shared covariance adds to every component's log density of a row z alike."""
        if not self.covariance.shared:
            return 0.0
        white = np.empty_like(Z)
        self.covariance.whiten(Z, self.factors.astype(Z.dtype), 0, white)
        common: Array = np.einsum("ij,ij->i", white, white)
        common *= -0.5
        common += self._constant()
        return common

    def log_common(self) -> float:
        """The sum of ``common`` over all rows, from the total scatter alone."""
        if not self.covariance.shared:
            return 0.0
        precision = self.factors @ self.factors.T
        trace = float(np.sum(precision * self._total_scatter()))
        return -0.5 * trace + self.moments.weight * self._constant()

    def _constant(self) -> float:
        d = len(self.reference)
        return float(self.covariance.half_log_det(self.factors, d)[0]) - 0.5 * d * LOG_TWO_PI


class ExpandedKernel:
    """Blocks held as T' (terms, b), about the reference point.

    Where there are too many products to stay in cache, those beyond the first chunk are built
    again for each use.
    """

    n_sums = 1

    def __init__(self, terms: Terms, dtype: np.dtype[Any], loss: float):
        self._terms, self.loss = terms, loss
        self._coefficients = terms.coefficients.astype(dtype)
        self._origin = terms.reference.astype(dtype)[:, None]
        self._first, *self._further = terms.covariance.chunks(len(terms.reference))
        self._n_linear = 1 + len(terms.reference)
        self._n_first = self._n_linear + int(self._first.size)

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, terms = self._coefficients.shape
        return int(min(terms, 2 * self._n_first) + 2 * k)

    def encode(self, X: Array) -> Array:
        """The block about the reference point, with its first products."""
        rows = scratch("rows", (self._n_first, len(X)), self._coefficients.dtype)
        rows[0] = 1.0
        linear = rows[1 : self._n_linear]
        np.subtract(X.T, self._origin, out=linear, casting="same_kind")
        self._terms.covariance.fill(linear, self._first, rows[self._n_linear :])
        return rows

    def _more(self, rows: Array) -> Iterator[tuple[slice, Array]]:
        """The further products (terms, b), each with its place among all terms."""
        for chunk in self._further:
            products = scratch("products", (chunk.size, rows.shape[1]), rows.dtype)
            self._terms.covariance.fill(rows[1 : self._n_linear], chunk, products)
            start = self._n_linear + chunk.offset
            yield slice(start, start + chunk.size), products

    def log_joint(self, rows: Array) -> Array:
        """Joint log densities (b, k), without what is common to all components."""
        shape, dtype = (len(self._coefficients), rows.shape[1]), rows.dtype
        first = self._coefficients[:, : self._n_first]
        joint = np.matmul(first, rows, out=scratch("joint", shape, dtype))
        for place, products in self._more(rows):
            part = scratch("part", shape, dtype)
            joint += np.matmul(self._coefficients[:, place], products, out=part)
        return joint.T

    def common(self, rows: Array) -> Array | float:
        """What ``log_joint`` left out of each row."""
        return self._terms.common(rows[1 : self._n_linear].T)

    @property
    def log_common(self) -> float:
        """The sum of ``common`` over all rows."""
        return self._terms.log_common()

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        """Weighted sums of the terms over the block (k, terms)."""
        sums = np.empty(self._coefficients.shape)
        # np.dot, because matmul holds the interpreter's lock where the product itself is small.
        sums[:, : self._n_first] = np.dot(rows, resp).T
        for place, products in self._more(rows):
            sums[:, place] = np.dot(products, resp).T
        return (sums,)

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        return self._terms.statistics(sums[0])

    def take(self, components: slice | NDArray[np.integer]) -> ExpandedKernel:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        taken._coefficients = self._coefficients[components]
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


class PlainKernel:
    """Blocks left as they are, rows (b, d) about the origin, with few quadratic terms beside."""

    n_sums = 1

    def __init__(self, terms: Terms, dtype: np.dtype[Any], loss: float):
        self._terms, self.loss = terms, loss
        d = len(terms.reference)
        constant, linear, quadratic = np.split(terms.coefficients.astype(dtype), (1, d + 1), axis=1)
        self._constant = constant
        self._linear, self._quadratic = (
            np.ascontiguousarray(linear),
            np.ascontiguousarray(quadratic),
        )
        (self._chunk,) = terms.covariance.chunks(d)

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._linear.shape
        return int(d + self._quadratic.shape[1] + 2 * k)

    def encode(self, X: Array) -> tuple[Array, Array]:
        """The rows themselves and their quadratic terms (b, q)."""
        rows = X.astype(self._linear.dtype, copy=False)
        squares = scratch("squares", (len(X), self._quadratic.shape[1]), rows.dtype)
        self._terms.covariance.fill(rows.T, self._chunk, squares.T)
        return rows, squares

    def log_joint(self, rows: tuple[Array, Array]) -> Array:
        """Joint log densities (b, k), without what is common to all components."""
        linear, squares = rows
        shape = (len(self._linear), len(linear))
        joint = np.matmul(self._linear, linear.T, out=scratch("joint", shape, linear.dtype))
        joint += self._constant
        if squares.shape[1]:
            part = scratch("part", shape, linear.dtype)
            joint += np.matmul(self._quadratic, squares.T, out=part)
        return joint.T

    def common(self, rows: tuple[Array, Array]) -> Array | float:
        """What ``log_joint`` left out of each row."""
        return self._terms.common(rows[0])

    @property
    def log_common(self) -> float:
        """The sum of ``common`` over all rows."""
        return self._terms.log_common()

    def sums(self, rows: tuple[Array, Array], resp: Array) -> tuple[Array, ...]:
        """Weighted sums of the terms over the block (k, terms)."""
        linear, squares = rows
        sums = np.empty(self._terms.coefficients.shape)
        sums[:, 0] = resp.sum(axis=0, dtype=np.float64)
        d = linear.shape[1]
        sums[:, 1 : d + 1] = np.dot(linear.T, resp).T
        if squares.shape[1]:
            sums[:, d + 1 :] = np.dot(squares.T, resp).T
        return (sums,)

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        return self._terms.statistics(sums[0])

    def take(self, components: slice | NDArray[np.integer]) -> PlainKernel:
        """The same pass for some of the components."""
        return PlainKernel(self._terms.take(components), self._linear.dtype, self.loss)

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)
