"""Weighted moments that merge: what one looks at before any model is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.sparse import is_sparse

__all__ = ["Moments", "level_counts", "running_step"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """Weight, mean, scatter and range of rows; two of them add to those of all the rows.

    Parameters
    ----------
    weight : float
        Sum of the row weights.
    mean : (d,) ndarray of float64
        Of the entries that are there; 0 in a column without any.
    scatter : (d,) or (d, d) ndarray of float64
        Weighted sum of squares about the mean, per column or for all pairs of columns. Where
        entries are missing, they count as if they lay at the mean.
    lower, upper : (d,) ndarray of float64
        Smallest and largest value of each column.
    observed : (d,) ndarray of float64, optional
        Weight of the entries of each column that are there; None where all of them are.
    counts : (t,) ndarray of float64, optional
        Weights of the levels of the categorical columns, side by side.
    holes : (d,) ndarray of int, optional
        Number of entries of each column that are missing, whatever their weight.

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
    observed: Array | None = None
    counts: Array | None = None
    holes: NDArray[np.integer] | None = None

    @classmethod
    def of(
        cls,
        X: Any,
        weight: Array | None = None,
        *,
        full: bool = False,
        levels: Sequence[int] = (),
    ) -> Moments:
        """Moments of the rows of ``X`` (n, d); O(n d), or O(n d^2) with ``full``.

        ``X`` may be of any real dtype, may hold NaN for what is missing, and may be sparse (CSR).
        ``levels`` (d,) are the numbers of levels of its columns, 0 where one is not categorical.
        """
        n, d = X.shape
        total = float(n) if weight is None else float(weight.sum(dtype=np.float64))
        counts = level_counts(X, levels, weight) if any(levels) else None
        if total <= 0.0:
            nothing = np.zeros((d, d) if full else d)
            empty = np.full(d, np.inf)
            return cls(0.0, np.zeros(d), nothing, empty, -empty, counts=counts)
        ones = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        if is_sparse(X):
            return cls._of_sparse(X, ones, total)
        lower, upper = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        if np.isnan(lower).any():
            with np.errstate(over="ignore", invalid="ignore"):
                return replace(cls._of_incomplete(X, ones, full), counts=counts)
        # What is too large to square is refused by whoever asks, from the range.
        with np.errstate(over="ignore", invalid="ignore"):
            # A first row as the origin keeps sums of far-away data from cancelling.
            centred = np.subtract(X, X[0], dtype=np.float64)
            shift = ones @ centred / total
            centred -= shift
            # One array times itself is what BLAS halves (syrk), and exactly symmetric.
            scaled = centred if weight is None else centred * np.sqrt(ones)[:, None]
            scatter = scaled.T @ scaled if full else np.einsum("ij,ij->j", scaled, scaled)
        return cls(total, X[0] + shift, scatter, lower, upper, counts=counts)

    @classmethod
    def _of_sparse(cls, X: Any, weight: Array, total: float) -> Moments:
        """Columns of zeros and ones have small means, so nothing cancels."""
        mean = np.asarray(X.T @ weight) / total
        scatter = np.asarray(X.multiply(X).T @ weight) - total * mean**2
        lower, upper = (
            np.ravel(bound.toarray()).astype(np.float64) for bound in (X.min(axis=0), X.max(axis=0))
        )
        return cls(total, mean, np.maximum(scatter, 0.0), lower, upper)

    @classmethod
    def _of_incomplete(cls, X: Array, weight: Array, full: bool) -> Moments:
        missing = np.isnan(X)
        lower = np.where(missing, np.inf, X).min(axis=0).astype(np.float64)
        upper = np.where(missing, -np.inf, X).max(axis=0).astype(np.float64)
        origin = np.where(np.isfinite(lower), lower, 0.0)
        observed = weight @ ~missing
        held = np.where(observed > 0, observed, 1.0)
        centred = np.where(missing, 0.0, np.subtract(X, origin, dtype=np.float64))
        shift = weight @ centred / held
        centred -= shift
        centred[missing] = 0.0
        scaled = centred * np.sqrt(weight)[:, None]
        scatter = scaled.T @ scaled if full else np.einsum("ij,ij->j", scaled, scaled)
        holes = missing.sum(axis=0)
        total = float(weight.sum())
        return cls(total, origin + shift, scatter, lower, upper, observed, holes=holes)

    def __add__(self, other: Moments) -> Moments:
        weight = self.weight + other.weight
        if self.weight == 0.0 or other.weight == 0.0:
            return other if self.weight == 0.0 else self
        gap = other.mean - self.mean
        mine, others = self._share(other), other._share(self)
        both = mine + others
        observed = None
        if self.missing or other.missing:
            observed, both = both, np.where(both > 0, both, 1.0)
        # A column without entries on one side has no mean there.
        product = self._outer(np.where((mine > 0) & (others > 0), gap, 0.0), mine * others / both)
        return Moments(
            weight,
            self.mean + gap * (others / both),
            self.scatter + other.scatter + product,
            np.minimum(self.lower, other.lower),
            np.maximum(self.upper, other.upper),
            observed,
            _sum_of_known(self.counts, other.counts, all_known=True),
            _sum_of_known(self.holes, other.holes, all_known=False),
        )

    def _share(self, other: Moments) -> Any:
        """The weight of the rows, or of the entries of each column where some are missing."""
        return self.present if self.missing or other.missing else self.weight

    def _outer(self, gap: Array, factor: Any) -> Array:
        if self.scatter.ndim == 1:
            squares: Array = gap * gap * factor
            return squares
        if np.ndim(factor) == 0:
            product: Array = np.outer(gap, gap) * factor
            return product
        scaled = gap * np.sqrt(factor)
        return np.outer(scaled, scaled)

    @property
    def missing(self) -> bool:
        """Whether entries are missing."""
        return self.observed is not None

    @property
    def present(self) -> Array:
        """Weight of the entries of each column that are there (d,)."""
        if self.observed is None:
            return np.full(len(self.mean), self.weight)
        return self.observed

    @property
    def variance(self) -> Array:
        """Variance of each column (d,), divided by the weight; exactly 0 where all are equal."""
        diagonal = self.scatter.diagonal() if self.scatter.ndim == 2 else self.scatter
        weight = self.weight if self.observed is None else np.maximum(self.observed, 1e-300)
        return np.where(self.upper > self.lower, diagonal / weight, 0.0)

    @property
    def unit(self) -> Array:
        """Standard deviation of each column (d,), 1 where it does not vary."""
        roots: Array = np.sqrt(self.variance)
        roots[roots == 0] = 1.0
        return roots

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns hold one value only (d,)."""
        return self.upper <= self.lower

    def reach(self, origin: Array) -> Array:
        """Largest distance of any value from ``origin`` in each column (d,)."""
        return np.maximum(np.abs(self.upper - origin), np.abs(self.lower - origin))

    def placed(self, elsewhere: Array) -> tuple[Array, Array]:
        """A reference point (d,) amid the rows, and their reach from it; 0 where nothing is.

        A column without any entry is placed ``elsewhere`` (d,).
        """
        there = (self.present > 0) & np.isfinite(self.mean)
        reference = np.where(there, self.mean, elsewhere)
        return reference, np.where(there, self.reach(reference), 0.0)

    def columns(self, chosen: NDArray[np.integer], levels: Sequence[int] = ()) -> Moments:
        """Moments of some of the columns; ``levels`` are those of all columns, as in `of`."""
        scatter, counts = self.scatter, self.counts
        holes = None if self.holes is None else self.holes[chosen]
        if holes is not None and not holes.any():
            holes = None
        if counts is not None:
            parts = np.split(counts, np.cumsum(levels)[:-1])
            own = [parts[column] for column in chosen]
            counts = np.concatenate(own) if any(map(len, own)) else None
        return Moments(
            self.weight,
            self.mean[chosen],
            scatter[np.ix_(chosen, chosen)] if scatter.ndim == 2 else scatter[chosen],
            self.lower[chosen],
            self.upper[chosen],
            None if holes is None else self.present[chosen],
            counts,
            holes,
        )


def _sum_of_known(one: Any, other: Any, *, all_known: bool) -> Any:
    """The sum of two arrays, of which None stands for unknown, or else for zeros."""
    if one is None or other is None:
        return None if all_known else (other if one is None else one)
    return one + other


def running_step(
    mean: Array, variance: Array, row: Array, rate: float | Array, *, exact: bool = False
) -> tuple[Array, Array]:
    """Running mean and variance after one more row, which need not be kept.

    mean' = (1 - rate) mean + rate x and variance' = (1 - rate) variance + rate (x - mean')^2, with
    ``rate`` 1 / (n + 1) for the row after n others; a constant rate forgets. Arrays of any shapes
    that go together, such as means (k, d) of k categories with rates (k, 1).

    Returns
    -------
    mean, variance : ndarray

    Notes
    -----
    The mean of n rows is exact. The variance is a little small, because each deviation is taken
    from a mean that the row itself has moved: where the rows are independent with variance s^2, it
    is expected to be s^2 (1 - H_n / n) after n of them, with H_n = 1 + 1/2 + ... + 1/n, where the
    batch value is expected to be s^2 (1 - 1 / n). That is 7 % less after 50 rows, 0.6 % less after
    1,000. ``exact`` takes (x - mean) (x - mean') in place of the square (Welford 1962; equation
    :eq:`running` of the theory page), and then has no such bias: the batch value to rounding.

    Examples
    --------
    >>> mean, variance = np.zeros(1), np.zeros(1)
    >>> for n, x in enumerate([1.0, 3.0, 8.0]):
    ...     mean, variance = running_step(mean, variance, np.array([x]), 1.0 / (n + 1))
    >>> mean.tolist(), np.round(variance, 3).tolist()
    ([4.0], [5.667])
    """
    gap = row - mean
    moved = mean + rate * gap
    # The gap to the mean that has moved is (1 - rate) of the one before.
    squares = gap * gap * (1.0 - rate if exact else (1.0 - rate) ** 2)
    return moved, variance + rate * (squares - variance)


def level_counts(X: Array, levels: Sequence[int], weight: Array | None = None) -> Array:
    """Weights of the levels of categorical columns of ``X`` (n, d), side by side (sum of levels,).

    Levels are 0, 1, ...; what is NaN or negative is missing and counts nowhere.
    """
    counts = []
    for column, number in enumerate(levels):
        if not number:
            continue
        codes = X[:, column]
        known = codes >= 0
        chosen = None if weight is None else np.asarray(weight, dtype=np.float64)[known]
        found = np.bincount(codes[known].astype(np.intp), chosen, minlength=number)
        counts.append(found.astype(np.float64))
    return np.concatenate(counts)
