"""Weighted moments that merge: what one looks at before any model is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """Weight, mean, scatter and range of rows; two of them add to those of all the rows.

    Parameters
    ----------
    weight : float
        Sum of the row weights.
    mean : (d,) ndarray of float64
    scatter : (d,) or (d, d) ndarray of float64
        Weighted sum of squares about the mean, per column or for all pairs of columns.
    lower, upper : (d,) ndarray of float64
        Smallest and largest value of each column.

    Notes
    -----
    Merging is exact in the sense of Chan, Golub & LeVeque (1983): the scatter is always about the
    mean, so data far from the origin lose nothing.

    Examples
    --------
    >>> X = np.array([[0.0], [2.0], [4.0]])
    >>> both = Moments.of(X[:2]) + Moments.of(X[2:])
    >>> both.weight, both.mean.tolist(), both.scatter.tolist()
    (3.0, [2.0], [8.0])
    """

    weight: float
    mean: Array
    scatter: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, X: Array, weight: Array | None = None, *, full: bool = False) -> Moments:
        """Moments of the rows of ``X`` (n, d); O(n d), or O(n d^2) with ``full``."""
        n, d = X.shape
        total = float(n) if weight is None else float(weight.sum(dtype=np.float64))
        if total <= 0.0:
            nothing = np.zeros((d, d) if full else d)
            return cls(0.0, np.zeros(d), nothing, np.full(d, np.inf), np.full(d, -np.inf))
        lower, upper = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        # A first row as the origin keeps sums of far-away data from cancelling.
        centred = np.subtract(X, X[0], dtype=np.float64)
        ones = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        shift = ones @ centred / total
        centred -= shift
        # The product of one array with itself is what BLAS halves (syrk), and exactly symmetric.
        scaled = centred if weight is None else centred * np.sqrt(ones)[:, None]
        scatter = scaled.T @ scaled if full else np.einsum("ij,ij->j", scaled, scaled)
        return cls(total, X[0] + shift, scatter, lower, upper)

    def __add__(self, other: Moments) -> Moments:
        weight = self.weight + other.weight
        if self.weight == 0.0 or other.weight == 0.0:
            return other if self.weight == 0.0 else self
        gap = other.mean - self.mean
        product = np.outer(gap, gap) if self.scatter.ndim == 2 else gap * gap
        return Moments(
            weight,
            self.mean + gap * (other.weight / weight),
            self.scatter + other.scatter + product * (self.weight * other.weight / weight),
            np.minimum(self.lower, other.lower),
            np.maximum(self.upper, other.upper),
        )

    @property
    def variance(self) -> Array:
        """Variance of each column (d,), divided by the weight; exactly 0 where all are equal."""
        diagonal = self.scatter.diagonal() if self.scatter.ndim == 2 else self.scatter
        return np.where(self.upper > self.lower, diagonal / self.weight, 0.0)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns hold one value only (d,)."""
        return self.upper <= self.lower

    def reach(self, origin: Array) -> Array:
        """Largest distance of any value from ``origin`` in each column (d,)."""
        return np.maximum(np.abs(self.upper - origin), np.abs(self.lower - origin))
