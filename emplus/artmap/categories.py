"""Categories of Gaussian ARTMAP: what they hold, what they say of a row, how they learn it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.moments import running_step

__all__ = ["Categories"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

# Room for so many categories at first; doubled when it is used up.
_FIRST = 64

# The expanded form cancels terms of the size (row / standard deviation)^2. Beyond so many nats of
# rounding it gives way to differences from the means.
_MOST_LOST = 1e-8

# Entries of the arrays of differences that are made at a time.
_ENTRIES = 1 << 20


class Categories:
    r"""Gaussians with separable variances, each of one class, that learn row by row.

    Category j has a mean, variances and a count n_j. With
    :math:`q_j(x) = \sum_i (x_i - \mu_{ji})^2 / \sigma_{ji}^2` its *match* is
    :math:`\exp(-q_j / 2)` and its *activation* :math:`n_j \prod_i \sigma_{ji}^{-1} \exp(-q_j / 2)`.
    Both are kept as logarithms: log activation = height + log match. Equation :eq:`artmap` of the
    theory page.

    Parameters
    ----------
    n_features : int
    n_classes : int
    floor : float, default=0.0
        Densities take no variance below it; what is learned is not touched by it.

    Notes
    -----
    Rows are in units of the initial standard deviation: a new category has variances of 1.
    All log activations of a row are one product of a (k, 2d + 1) array with (x^2, x, 1), O(k d).
    Learning a row touches only the categories that share in it, O(m d).

    Examples
    --------
    >>> categories = Categories(n_features=1, n_classes=2)
    >>> categories.add(np.array([0.0]), 1)
    >>> categories.learn(np.array([0]), np.array([1.0]), np.array([2.0]))
    >>> categories.means.tolist(), categories.variances.tolist(), categories.counts.tolist()
    ([[1.0]], [[1.5]], [2.0])
    """

    def __init__(self, n_features: int, n_classes: int, floor: float = 0.0):
        self.n_features, self.n_classes, self.floor = n_features, n_classes, floor
        self.size = 0
        width = 2 * n_features + 1
        # A row of each: mean, variances, count; and what (x^2, x, 1) is multiplied by, beside
        # which stands the height, so that both are put in place at once.
        self._state = np.empty((_FIRST, width))
        self._coefficients = np.empty((_FIRST, width + 1))
        self._classes = np.empty(_FIRST, dtype=np.intp)
        self._members: list[Indices] = [np.empty(0, dtype=np.intp) for _ in range(n_classes)]

    @classmethod
    def restored(
        cls, means: Array, variances: Array, counts: Array, classes: Indices, **given: Any
    ) -> Categories:
        """Categories that hold what is given; ``variances`` as they were learned."""
        made = cls(means.shape[1], **given)
        for mean, label in zip(means, classes, strict=True):
            made.add(mean, int(label))
        made._put(np.arange(made.size), np.column_stack([means, variances, counts]))
        return made

    @property
    def means(self) -> Array:
        """Their means (k, d)."""
        return self._state[: self.size, : self.n_features]

    @property
    def variances(self) -> Array:
        """Their variances (k, d) as they were learned."""
        return self._state[: self.size, self.n_features : -1]

    @property
    def density_variances(self) -> Array:
        """Their variances (k, d) as densities take them."""
        return np.maximum(self.variances, self.floor)

    @property
    def counts(self) -> Array:
        """Rows that each has learned (k,), shares added up."""
        return self._state[: self.size, -1]

    @property
    def classes(self) -> Indices:
        """The class of each (k,)."""
        return self._classes[: self.size]

    @property
    def heights(self) -> Array:
        """Log activations (k,) at the means."""
        heights: Array = self._coefficients[: self.size, -1]
        return heights

    def members(self, label: int) -> Indices:
        """The categories of a class, oldest first."""
        return self._members[label]

    def add(self, row: Array, label: int) -> None:
        """A new category at the row, of count 1, with the initial variances."""
        if self.size == len(self._classes):
            self._grow()
        new = np.array([self.size])
        self._classes[self.size] = label
        self._members[label] = np.append(self._members[label], self.size)
        self.size += 1
        state = np.ones((1, self._state.shape[1]))
        state[0, : self.n_features] = row
        self._put(new, state)

    def learn(self, chosen: Indices, shares: Array, row: Array) -> None:
        """Let the chosen categories learn their shares (m,) of a row.

        The exact `running_step` keeps the weighted mean and variance of all that was learned, with
        the initial variance as that of the first row.
        """
        d = self.n_features
        state = self._state[chosen]
        counts = state[:, -1]
        counts += shares
        state[:, :d], state[:, d:-1] = running_step(
            state[:, :d], state[:, d:-1], row, (shares / counts)[:, None], exact=True
        )
        self._put(chosen, state)

    def terms(self, rows: Array) -> Array:
        """What rows (n, d) are to the expanded form: (x^2, x, 1, 0), one row each."""
        terms = np.zeros((len(rows), 2 * self.n_features + 2))
        np.multiply(rows, rows, out=terms[:, : self.n_features])
        terms[:, self.n_features : -2] = rows
        terms[:, -2] = 1.0
        return terms

    def loses_digits(self, reach: float) -> bool:
        """Whether rows that reach so far from 0 cancel too much in the expanded form."""
        least = float(self.density_variances.min()) if self.size else 1.0
        spread = self.n_features * (reach**2) / least if least > 0.0 else np.inf
        return not spread * float(np.finfo(np.float64).eps) < _MOST_LOST

    def log_activation(self, row: Array, terms: Array | None) -> Array:
        """Log activations (k,) of one row with its `terms`, or None to take differences.

        The constant of the normal density, the same for all, is left out.
        """
        if terms is not None:
            product: Array = self._coefficients[: self.size] @ terms
            return product
        alone: Array = self._by_differences(row[None])[0]
        return alone

    def log_activations(self, rows: Array) -> Array:
        """Log activations (n, k) of many rows."""
        if self.loses_digits(float(np.abs(rows).max(initial=0.0))):
            return self._by_differences(rows)
        d = self.n_features
        coefficients = self._coefficients[: self.size]
        joint = (rows * rows) @ coefficients[:, :d].T
        joint += rows @ coefficients[:, d:-2].T
        joint += coefficients[:, -2]
        return joint

    def _by_differences(self, rows: Array) -> Array:
        joint = np.empty((len(rows), self.size))
        precisions = -2.0 * self._coefficients[: self.size, : self.n_features]
        at_once = max(1, _ENTRIES // max(1, precisions.size))
        for first in range(0, len(rows), at_once):
            part = slice(first, first + at_once)
            differences = rows[part, None, :] - self.means
            differences *= differences
            joint[part] = np.einsum("nkd,kd->nk", differences, precisions)
        joint *= -0.5
        joint += self.heights
        return joint

    def _put(self, chosen: Indices, state: Array) -> None:
        d = self.n_features
        means, variances = state[:, :d], state[:, d:-1]
        if self.floor > 0.0:
            variances = np.maximum(variances, self.floor)
        coefficients = np.empty((len(state), 2 * d + 2))
        halves, scaled = coefficients[:, :d], coefficients[:, d:-2]
        np.divide(means, variances, out=scaled)
        np.divide(-0.5, variances, out=halves)
        heights = np.add.reduce(np.log(variances), axis=1)
        heights *= -0.5
        heights += np.log(state[:, -1])
        coefficients[:, -1] = heights
        heights -= 0.5 * np.einsum("ij,ij->i", scaled, means)
        coefficients[:, -2] = heights
        self._state[chosen] = state
        self._coefficients[chosen] = coefficients

    def _grow(self) -> None:
        for name in ("_state", "_coefficients", "_classes"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.empty_like(old)]))
