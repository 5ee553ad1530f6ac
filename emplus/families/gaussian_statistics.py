"""Weighted sums that Gaussian components are fitted from; values that add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.covariance import Covariance
from emplus.families.gaussian_parameters import GaussianParameters
from emplus.families.gaussian_prior import PhantomRows

__all__ = ["GaussianStatistics"]


@dataclass(frozen=True)
class GaussianStatistics:
    """Weight, first and second moments of k components, each about a reference point of its own.

    Parameters
    ----------
    covariance : Covariance
        The structure that the second moments are shaped for.
    weight : (k,) ndarray
        Sum of responsibilities (times row weights).
    first : (k, d) ndarray
        sum_i r_ij (x_i - c_j).
    second : ndarray
        sum_i r_ij (x_i - c_j)(x_i - c_j)', kept only where the structure needs it: (k, d, d),
        (k, d) or (k,). A shared covariance has one (d, d), the sum over components.
    reference : (k, d) ndarray
        The points c_j. Close to the rows, they keep the moments from cancelling.
    """

    covariance: Covariance
    weight: Array
    first: Array
    second: Array
    reference: Array

    @classmethod
    def of(
        cls, covariance: Covariance, X: Array, resp: Array, spread: Array | None = None
    ) -> GaussianStatistics:
        """Statistics of rows X (n, d) about each component's own mean, from resp (n, k).

        What is missing (NaN) counts as if it lay at the mean of its component's others and varied
        as they do; where there are none, at that of all rows, with the variance ``spread`` (d,).
        """
        if np.isnan(X).any():
            return cls._of_incomplete(covariance, X, resp, spread)
        rows, resp = X.astype(np.float64, copy=False), resp.astype(np.float64, copy=False)
        k, d = resp.shape[1], rows.shape[1]
        weight = resp.sum(axis=0)
        # A component without rows is put at the middle of all of them.
        middle = resp.sum(axis=1) @ (rows - rows[0]) / max(float(weight.sum()), 1e-300) + rows[0]
        means = np.repeat(middle[None], k, axis=0)
        first, second = np.zeros((k, d)), np.zeros(covariance.shape(k, d))
        for j in np.flatnonzero(weight > 0):
            own = np.flatnonzero(resp[:, j])
            share, cell = resp[own, j], rows[own]
            means[j] = cell[0] + share @ (cell - cell[0]) / weight[j]
            deviations = cell - means[j]
            first[j] = share @ deviations
            outer = covariance.weighted_outer(deviations, share, np.empty_like(deviations))
            if covariance.shared:
                second += outer
            else:
                second[j] = outer
        return cls(covariance, weight, first, second, means)

    @classmethod
    def _of_incomplete(
        cls, covariance: Covariance, X: Array, resp: Array, spread: Array | None
    ) -> GaussianStatistics:
        rows, resp = X.astype(np.float64, copy=False), resp.astype(np.float64, copy=False)
        there = ~np.isnan(rows)
        (k, d), total = (resp.shape[1], rows.shape[1]), resp.sum(axis=1)
        present = np.maximum(total @ there, 1e-300)
        origin = np.where(there, rows, 0.0).T @ total / present
        centred = np.where(there, rows - origin, 0.0)
        observed = resp.T @ there
        held = observed > 0
        mass = np.where(held, observed, 1.0)
        means = origin + resp.T @ centred / mass
        overall = total @ centred**2 / present if spread is None else spread
        weight, second = resp.sum(axis=0), np.zeros(covariance.shape(k, d))
        for j in range(k):
            own = np.flatnonzero(resp[:, j])
            deviations = np.where(there[own], rows[own] - means[j], 0.0)
            share = resp[own, j]
            outer = covariance.weighted_outer(deviations, share, np.empty_like(deviations))
            variances = np.where(held[j], share @ deviations**2 / mass[j], overall)
            absent = (weight[j] - observed[j]) * variances
            outer = outer + covariance.outer_of_variances(absent)
            if covariance.shared:
                second += outer
            else:
                second[j] = outer
        return cls(covariance, weight, np.zeros((k, d)), second, means)

    @classmethod
    def implied(
        cls,
        covariance: Covariance,
        parameters: GaussianParameters,
        weight: Array,
        prior: PhantomRows,
    ) -> GaussianStatistics:
        """Those of ``weight`` rows from which, with the prior's, the M step gives the parameters.

        Parameters that no M step under this prior gives leave as much of it as they can.
        """
        means, covariances = parameters.means, parameters.covariances
        mass = (weight.sum(keepdims=True) if covariance.shared else weight) + prior.strength
        columns = means.shape[1] if covariances.ndim == 1 and not covariance.shared else 1
        whole = np.reshape(columns * mass, (-1,) + (1,) * (2 if covariance.matrices else 1))
        second = whole[..., 0] * covariances if columns > 1 else whole * covariances
        taken = covariance.outer_of_variances(prior.strength * prior.variances)
        if covariance.matrices:
            # The part of V that leaves S positive semidefinite.
            roots = np.sqrt(prior.strength * prior.variances)[:, None] * parameters.factors
            squares = np.linalg.eigvalsh(roots @ np.swapaxes(roots, -1, -2))
            largest = squares.reshape(len(mass), -1)[:, -1] / mass
            second = second - taken / np.maximum(largest, 1.0)[:, None, None]
        else:
            second = np.maximum(second - taken, 0.0)
        second = second.reshape(covariances.shape)
        return cls(covariance, weight, np.zeros_like(means), second, means)

    def means(self) -> Array:
        """Means (k, d); a component without weight stays at its reference point."""
        return self.reference + self._deviation()

    def _deviation(self) -> Array:
        weight = np.where(self.weight > 0, self.weight, 1.0)
        deviation: Array = self.first / weight[:, None]
        return deviation

    def scatter(self) -> Array:
        """Second moments about the means, shaped as ``second``; variances never below zero."""
        deviation = self._deviation()
        if self.covariance.shared:
            product = (deviation * self.weight[:, None]).T @ deviation
            removed: Array = 0.5 * (product + product.T)
        else:
            removed = self._by_weight(self.covariance.outer(deviation, deviation))
        scatter: Array = np.subtract(self.second, removed, out=removed)
        variances = np.einsum("...aa->...a", scatter) if self.covariance.matrices else scatter
        # Rounding may leave a variance of -1e-20 where all rows are equal.
        np.maximum(variances, 0.0, out=variances)
        return scatter

    def _by_weight(self, products: Array) -> Array:
        products *= self.weight.reshape((-1,) + (1,) * (products.ndim - 1))
        return products

    def moved(self, reference: Array) -> GaussianStatistics:
        """The same sums about other reference points (k, d)."""
        steps = reference - self.reference
        outer = self.covariance.outer
        change = self._by_weight(outer(steps, steps)) - 2.0 * outer(self.first, steps)
        return replace(
            self,
            first=self.first - self.weight[:, None] * steps,
            second=self.second + (change.sum(axis=0) if self.covariance.shared else change),
            reference=reference,
        )

    def __add__(self, other: GaussianStatistics) -> GaussianStatistics:
        if not np.array_equal(self.reference, other.reference):
            other = other.moved(self.reference)
        return replace(
            self,
            weight=self.weight + other.weight,
            first=self.first + other.first,
            second=self.second + other.second,
        )

    def scaled(self, factor: float) -> GaussianStatistics:
        """Statistics as of ``factor`` times as many rows."""
        arrays = {name: factor * getattr(self, name) for name in ("weight", "first", "second")}
        return replace(self, **arrays)

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> GaussianStatistics:
        """Statistics of some components; a shared second moment stays that of all of them."""
        chosen = np.asarray(components, dtype=np.intp)
        return replace(
            self,
            weight=self.weight[chosen],
            first=self.first[chosen],
            second=self.second if self.covariance.shared else self.second[chosen],
            reference=self.reference[chosen],
        )
