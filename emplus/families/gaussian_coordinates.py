"""Gaussian components in coordinates without constraints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array, SingularComponentError
from emplus.families.covariance import Covariance
from emplus.families.gaussian_parameters import GaussianParameters
from emplus.families.gaussian_prior import PhantomRows
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.moments import Moments
from emplus.numerics.triangular import inverse_upper

__all__ = ["GaussianCoordinates"]

# Logarithms beyond which squares times the rows could overflow, and a component would be a point.
_FARTHEST_LOG = 100.0


@final
@dataclass(frozen=True, eq=False)
class GaussianCoordinates:
    r"""Means, and Cholesky factors of the precisions with the logarithms of their diagonals.

    In units of the columns' standard deviations, the means about that of all rows.

    Notes
    -----
    With P_j = U_j U_j', n_j a component's weight and B_j = S_j + n_j g_j g_j' + m V its scatter
    about mu_j with the phantom rows, where g_j is the weighted mean of its rows less mu_j,

    .. math:: \frac{\partial}{\partial\mu_j} = n_j P_j g_j, \qquad
              \frac{\partial}{\partial U_j} = (n_j + m)\, \mathrm{diag}(1/u_{aa}) - B_j U_j

    on and above the diagonal. O(k d^3) for covariance matrices, O(k d) for variances.
    """

    covariance: Covariance
    make: Callable[[Array, Array], GaussianParameters]
    like: GaussianParameters
    moments: Moments
    prior: PhantomRows

    @cached_property
    def _unit(self) -> Array:
        return self.moments.unit

    @property
    def _column_unit(self) -> Array | float:
        # One variance in all columns has the unit of none of them.
        return self._unit if self.like.factors.ndim == 2 else 1.0

    @cached_property
    def _upper(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.triu_indices(len(self._unit))

    def free(self, parameters: GaussianParameters, near: Array | None = None) -> Array:
        """Means, then factors."""
        means = (parameters.means - self.moments.mean) / self._unit
        factors = parameters.factors
        if self.covariance.matrices:
            factors = self._flat(factors * self._unit[:, None], np.log)
        else:
            factors = np.log(factors * self._column_unit)
        return np.concatenate([means.ravel(), factors.ravel()])

    def _flat(self, matrices: Array, on_diagonal: np.ufunc) -> Array:
        """Upper triangles (..., t) of matrices, with a function of their diagonals."""
        diagonal = np.einsum("...aa->...a", matrices)
        diagonal[...] = on_diagonal(diagonal)
        flat: Array = matrices[..., self._upper[0], self._upper[1]]
        return flat

    def bind(self, vector: Array) -> GaussianParameters:
        """The covariances follow from the factors; O(k d^3) for matrices."""
        means, rest = np.split(vector, [self.like.means.size])
        means = means.reshape(self.like.means.shape) * self._unit + self.moments.mean
        logs = self._logs(rest)
        if np.abs(logs).max(initial=0.0) > _FARTHEST_LOG:
            far = np.argwhere(np.abs(logs) > _FARTHEST_LOG)[0]
            component = 0 if self.like.shared else int(far[0])
            raise SingularComponentError(component, "its covariance overflows")
        if self.covariance.matrices:
            covariances = self._matrices(rest)
        else:
            covariances = (np.exp(logs) / self._column_unit) ** -2.0
        # With factors of their own making, as after an M step and from a model file.
        return self.make(means, covariances)

    def _logs(self, flat: Array) -> Array:
        """The logarithms of the diagonals among the coordinates of the factors."""
        shape = self.like.factors.shape
        if not self.covariance.matrices:
            return flat.reshape(shape)
        logs: Array = flat.reshape(*shape[:-2], -1)[..., self._upper[0] == self._upper[1]]
        return logs

    def _matrices(self, flat: Array) -> Array:
        """Covariances from the triangles of their precisions' factors."""
        shape = self.like.factors.shape
        scaled = np.zeros(shape)
        scaled[..., self._upper[0], self._upper[1]] = flat.reshape(*shape[:-2], -1)
        diagonal = np.einsum("...aa->...a", scaled)
        diagonal[...] = np.exp(diagonal)
        inverse = inverse_upper(scaled.reshape(-1, *shape[-2:])).reshape(shape) * self._unit
        covariances = np.swapaxes(inverse, -1, -2) @ inverse
        symmetric: Array = 0.5 * (covariances + np.swapaxes(covariances, -1, -2))
        return symmetric

    def gradient(
        self, vector: Array, parameters: GaussianParameters, statistics: GaussianStatistics
    ) -> Array:
        """From weights, weighted means and scatters."""
        gaps = statistics.means() - parameters.means
        by_mean = statistics.weight[:, None] * self._precise(parameters.factors, gaps) * self._unit
        weight, scatter = self._with_phantoms(statistics, gaps)
        factors = parameters.factors
        if self.covariance.matrices:
            by_factor: Array = -(scatter @ factors) / self._unit[:, None]
            scaled = np.einsum("...aa->...a", factors) * self._unit
            diagonal = np.einsum("...aa->...a", by_factor)
            # By the logarithm of the diagonal.
            diagonal[...] = weight[..., None] + diagonal * scaled
            by_factor = by_factor[..., self._upper[0], self._upper[1]]
        else:
            columns = parameters.means.shape[1] if factors.ndim == 1 else 1
            mass = columns * weight.reshape((-1,) + (1,) * (factors.ndim - 1))
            by_factor = mass - scatter * factors**2
        return np.concatenate([by_mean.ravel(), by_factor.ravel()])

    def _precise(self, factors: Array, gaps: Array) -> Array:
        """Precisions times rows (k, d)."""
        if not self.covariance.matrices:
            return factors.reshape(len(gaps), -1) ** 2 * gaps
        whitened = gaps[:, None, :] @ factors
        product: Array = (whitened @ np.swapaxes(factors, -1, -2))[:, 0]
        return product

    def _with_phantoms(self, statistics: GaussianStatistics, gaps: Array) -> tuple[Array, Array]:
        """Weights and scatters about the present means, the prior's rows counted in."""
        strength, covariance = self.prior.strength, self.covariance
        phantom = covariance.outer_of_variances(strength * self.prior.variances)
        if not covariance.shared:
            moved = covariance.outer(gaps, gaps)
            by = statistics.weight.reshape((-1,) + (1,) * (moved.ndim - 1))
            return statistics.weight + strength, statistics.scatter() + by * moved + phantom
        moved = (gaps * statistics.weight[:, None]).T @ gaps
        return statistics.weight.sum() + strength, statistics.scatter() + moved + phantom
