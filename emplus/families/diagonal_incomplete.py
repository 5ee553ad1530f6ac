"""A pass over rows with missing entries, for Gaussians without correlations.

Within a component the columns do not hear of each other, so what is missing is expected to be the
mean, and to vary as it does: patterns play no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, side_by_side
from emplus.families.covariance import Covariance
from emplus.families.gaussian_centred import LOG_TWO_PI
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.workspace import scratch

__all__ = ["DiagonalIncomplete"]


class DiagonalIncomplete:
    """Three terms a column: whether it is there, its deviation, the square of that.

    With a ``reference`` (d,) all components are worked out at once about it; without, each about
    its own mean, where nothing cancels.
    """

    log_common = 0.0
    n_sums = 3

    def __init__(
        self,
        covariance: Covariance,
        means: Array,
        variances: Array,
        log_weights: Array,
        reference: Array | None,
        loss: float,
    ):
        self._covariance, self._means, self._variances = covariance, means, variances
        self._log_weights = np.maximum(log_weights, NOWHERE)
        self._reference, self.loss = reference, loss

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._means.shape
        return int(4 * d + 2 * k)

    @property
    def _references(self) -> Array:
        if self._reference is None:
            return self._means
        return np.broadcast_to(self._reference, self._means.shape)

    def _groups(self, rows: Array) -> Iterator[tuple[slice, Array]]:
        """Components that share a reference point, and the terms about it."""
        if self._reference is not None:
            yield slice(0, len(self._means)), rows
            return
        for j, mean in enumerate(self._means):
            yield slice(j, j + 1), self._terms(rows, mean)

    def encode(self, X: Array) -> Array:
        """The terms of the rows about the reference; without one the rows as they are."""
        return X if self._reference is None else self._terms(X, self._reference)

    def _terms(self, X: Array, reference: Array) -> Array:
        """Whether it is there, z and z^2 of each column (3 d, b); 0 where it is missing."""
        b, d = X.shape
        terms = scratch("terms", (3 * d, b), np.float64)
        there, linear, squares = (terms[i * d : (i + 1) * d] for i in range(3))
        np.subtract(X.T, reference[:, None], out=linear)
        np.equal(linear, linear, out=there, casting="unsafe")
        np.copyto(linear, 0.0, where=there == 0.0)
        np.multiply(linear, linear, out=squares)
        return terms

    def log_joint(self, rows: Array) -> Array:
        """Joint log densities (b, k) of what is there."""
        b = len(rows) if self._reference is None else rows.shape[1]
        joint = scratch("joint", (len(self._means), b), np.float64)
        offsets = self._means - self._references
        precisions = 1.0 / self._variances
        linear = offsets * precisions
        there = -0.5 * (np.log(self._variances) + LOG_TWO_PI + linear * offsets)
        coefficients = np.concatenate([there, linear, -0.5 * precisions], axis=1)
        for own, terms in self._groups(rows):
            np.matmul(coefficients[own], terms, out=joint[own])
        joint += self._log_weights[:, None]
        return joint.T

    def common(self, rows: Array) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and expected first and second moments of whole rows (k, d)."""
        weight = resp.sum(axis=0, dtype=np.float64)
        parts = [np.dot(terms, resp[:, own]).T for own, terms in self._groups(rows)]
        there, first, second = np.split(np.concatenate(parts), 3, axis=1)
        absent = weight[:, None] - there
        offsets = self._means - self._references
        whole = first + absent * offsets
        return weight, whole, second + absent * (offsets**2 + self._variances)

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        weight, first, second = sums
        if len(self._covariance.shape(1, 1)) == 1:
            second = second.sum(axis=1)
        return GaussianStatistics(self._covariance, weight, first, second, self._references)

    def take(self, components: slice | NDArray[np.integer]) -> Self:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_means", "_variances", "_log_weights"):
            setattr(taken, name, getattr(self, name)[components])
        return taken

    def join(self, parts: Sequence[tuple[Any, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)
