"""Weighted sums that factor analyzers are fitted from; values that add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.factor_parameters import FactorParameters
from emplus.families.factor_prior import PhantomFactorRows

__all__ = ["FactorStatistics"]


@dataclass(frozen=True)
class FactorStatistics:
    """Weight, moments and cross moments with the factors, each about a reference point.

    Parameters
    ----------
    expected : FactorParameters
        What the expectations of the factors were taken under; a component's whitened factors are
        y_ij = A_j' (x_i - mu_j).
    weight : (k,) ndarray
        Sum of responsibilities (times row weights).
    first : (k, d) ndarray
        sum_i r_ij (x_i - c_j).
    second : (k, d) ndarray
        sum_i r_ij (x_i - c_j)^2, column by column.
    cross : (k, q, d) ndarray
        sum_i r_ij y_ij (x_i - c_j)'.
    reference : (k, d) ndarray
        The points c_j.

    Notes
    -----
    d (q + 2) numbers a component, and never d^2: all that an M step needs of the scatter S_j is
    its diagonal and A_j' S_j.
    """

    expected: FactorParameters
    weight: Array
    first: Array
    second: Array
    cross: Array
    reference: Array

    def means(self) -> Array:
        """Means (k, d); a component without weight stays at its reference point."""
        return self.reference + self._deviation()

    def _deviation(self) -> Array:
        weight = np.where(self.weight > 0, self.weight, 1.0)
        deviation: Array = self.first / weight[:, None]
        return deviation

    def factor_sums(self) -> Array:
        """Sums of the whitened factors, sum_i r_ij y_ij (k, q)."""
        gap = self.first - self.weight[:, None] * self.expected.means_from(self.reference)
        projections, _, _ = self.expected.posterior
        sums: Array = np.einsum("kqa,ka->kq", projections, gap)
        return sums

    def scatter(self) -> tuple[Array, Array]:
        """About the means: the diagonal of each S_j (k, d), never below zero, and A_j' S_j."""
        deviation = self._deviation()
        diagonal = self.second - self.weight[:, None] * deviation**2
        cross = self.cross - self.factor_sums()[:, :, None] * deviation[:, None, :]
        # Rounding may leave a variance of -1e-20 where all rows are equal.
        return np.maximum(diagonal, 0.0), cross

    def moved(self, reference: Array) -> FactorStatistics:
        """The same sums about other reference points (k, d)."""
        return self._moved(reference - self.reference, reference, self.factor_sums())

    def from_means(self) -> FactorStatistics:
        """The same sums about the anchors, where these were taken about the means themselves."""
        anchors, projections = self.expected.anchors, self.expected.posterior[0]
        steps = -self.expected.means_from(anchors)
        return self._moved(steps, anchors, np.einsum("kqa,ka->kq", projections, self.first))

    def _moved(self, steps: Array, reference: Array, factor_sums: Array) -> FactorStatistics:
        weighted = self.weight[:, None] * steps
        return replace(
            self,
            first=self.first - weighted,
            second=self.second + (weighted - 2.0 * self.first) * steps,
            cross=self.cross - factor_sums[:, :, None] * steps[:, None, :],
            reference=reference,
        )

    def __add__(self, other: FactorStatistics) -> FactorStatistics:
        mine, others = self.expected, other.expected
        if mine is not others and not (
            np.array_equal(mine.means, others.means)
            and np.array_equal(mine.loadings, others.loadings)
            and np.array_equal(mine.psi, others.psi)
        ):
            raise ValueError("Sums add only where they were taken under the same parameters.")
        if not np.array_equal(self.reference, other.reference):
            other = other.moved(self.reference)
        return replace(
            self,
            weight=self.weight + other.weight,
            first=self.first + other.first,
            second=self.second + other.second,
            cross=self.cross + other.cross,
        )

    @classmethod
    def implied(
        cls, parameters: FactorParameters, weight: Array, prior: PhantomFactorRows
    ) -> FactorStatistics:
        """Those of ``weight`` rows from which, with the prior's, the M step gives the parameters.

        The scatter is (n_j + m) Sigma_j - m V, its diagonal less what the noise's own prior adds.
        Parameters that no M step under this prior gives leave as much of it as they can.
        """
        projections, roots, _ = parameters.posterior
        mass = weight + prior.strength
        spread = prior.strength * prior.variances
        # The part of V that leaves the scatter positive semidefinite, as Sigma >= Psi.
        largest = (spread / parameters.psi).max(axis=1) / np.maximum(mass, 1e-300)
        part = 1.0 / np.maximum(largest, 1.0)[:, None]
        spread = part * spread
        extra = part * (prior.strength * prior.noise)
        if parameters.structure.shared:
            extra = extra / len(weight)
        second = mass[:, None] * parameters.variances - spread - extra
        # A' Sigma = L' Lambda'.
        cross = roots.swapaxes(1, 2) @ parameters.loadings.swapaxes(1, 2)
        cross = mass[:, None, None] * cross - projections * spread[:, None, :]
        nothing = np.zeros_like(parameters.means)
        second = np.maximum(second, 0.0)
        about = cls(parameters, weight, nothing, second, cross, parameters.means)
        return about.from_means()

    def scaled(self, factor: float) -> FactorStatistics:
        """Statistics as of ``factor`` times as many rows."""
        names = ("weight", "first", "second", "cross")
        return replace(self, **{name: factor * getattr(self, name) for name in names})

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> FactorStatistics:
        """Statistics of some of the components."""
        chosen = np.asarray(components, dtype=np.intp)
        return replace(
            self,
            expected=self.expected.take(chosen),
            weight=self.weight[chosen],
            first=self.first[chosen],
            second=self.second[chosen],
            cross=self.cross[chosen],
            reference=self.reference[chosen],
        )
