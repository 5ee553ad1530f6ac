"""Gaussian components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import EMPTY, Array, Coordinates, Kernel, SingularComponentError
from emplus.families.covariance import Covariance
from emplus.families.covariance_matrices import Full, Tied
from emplus.families.covariance_variances import Diagonal, Spherical
from emplus.families.features import standard_coordinates
from emplus.families.gaussian_coordinates import GaussianCoordinates
from emplus.families.gaussian_kernels import CentredKernel, make_incomplete_kernel, make_kernel
from emplus.families.gaussian_parameters import GaussianParameters
from emplus.families.gaussian_prior import PhantomRows, typical_variances
from emplus.families.gaussian_regressions import conditional_draws, conditional_means
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.moments import Moments
from emplus.numerics.triangular import SingularMatrixError

__all__ = ["Gaussian", "GaussianParameters", "PhantomRows"]

# A component whose variance is this small a part of the whole data's sits on a single point.
_POINT = 1e-26


@final
@dataclass(frozen=True)
class Gaussian:
    r"""Multivariate normal components.

    .. math:: p(x \mid j) = (2\pi)^{-d/2} |\Sigma_j|^{-1/2}
              \exp\left(-\tfrac12 (x-\mu_j)^\top \Sigma_j^{-1} (x-\mu_j)\right)

    Equation :eq:`gaussian` of the theory page; its M step is :eq:`m-step-gaussian`, or
    :eq:`m-step-tied`, its missing entries are :eq:`missing-gaussian`.

    Parameters
    ----------
    covariance : Covariance
        The structure: `Full`, `Tied`, `Diagonal` or `Spherical`.

    Notes
    -----
    A pass costs O(n k d^2) for full, O(n k d) for the others; see `gaussian_kernels` for how.

    Examples
    --------
    >>> from emplus.families.covariance_variances import Diagonal
    >>> Gaussian(Diagonal()).n_free_parameters(n_components=3, n_features=2)
    12
    """

    covariance: Covariance = field(default_factory=Full)
    # What the components share, while only some of them are fitted.
    held: GaussianParameters | None = field(default=None, compare=False, repr=False)

    name: ClassVar[str] = "gaussian"
    levels: ClassVar[tuple[int, ...]] = ()
    parts: ClassVar[tuple[()]] = ()
    pools: ClassVar[bool] = True

    @property
    def needs_full_scatter(self) -> bool:
        """A shared covariance is fitted from the total scatter, taken once."""
        return self.covariance.shared

    def config(self) -> dict[str, Any]:
        """The covariance structure's name."""
        return {"covariance_type": self.covariance.name}

    def parameters(self, means: Array, covariances: Array) -> GaussianParameters:
        """Parameters from means (k, d) and covariances in the structure's shape.

        Raises
        ------
        SingularComponentError
            If a covariance is not positive definite.
        """
        try:
            factors = self.covariance.factors(covariances)
        except SingularMatrixError as error:
            reason = "its covariance is not positive definite"
            raise SingularComponentError(error.index, reason) from None
        return GaussianParameters(means, covariances, factors, self.covariance.shared)

    def kernel(
        self,
        parameters: GaussianParameters,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """The faster of the two kernels that is exact enough for the data."""
        means, factors = parameters.means, parameters.factors
        if moments.missing:
            covariances = parameters.covariances
            return make_incomplete_kernel(
                self.covariance, means, covariances, factors, log_weights, moments, scoring
            )
        return make_kernel(self.covariance, means, factors, log_weights, moments, dtype, scoring)

    def maximize(self, statistics: GaussianStatistics, prior: PhantomRows) -> GaussianParameters:
        """Sigma_j = (S_j + m V) / (n_j + m), mu_j the weighted mean; O(k d^3) for full."""
        if self.held is not None:
            return replace(self.held, means=statistics.means())
        weight = statistics.weight
        lost = weight <= EMPTY * weight.sum()
        if prior.strength == 0.0 and not self.covariance.shared and lost.any():
            raise SingularComponentError(int(np.argmin(weight)), "no row belongs to it any more")
        covariances = self.covariance.covariances(
            statistics.scatter(), weight, prior.variances, prior.strength
        )
        if prior.strength == 0.0:
            self._refuse_points(covariances, prior.variances)
        return self.parameters(statistics.means(), covariances)

    def implied(
        self, parameters: GaussianParameters, weight: Array, prior: PhantomRows
    ) -> GaussianStatistics:
        """S_j = (n_j + m) Sigma_j - m V about mu_j, as far as that is one; O(k d^3) for full."""
        return GaussianStatistics.implied(self.covariance, parameters, weight, prior)

    def _refuse_points(self, covariances: Array, spread: Array) -> None:
        # Underflowed responsibilities of far rows leave a component on one point a variance that is
        # not exactly zero.
        variances = (
            np.einsum("...aa->...a", covariances) if self.covariance.matrices else covariances
        )
        if variances.ndim == 1 and not self.covariance.shared:
            variances, spread = variances[:, None], spread.mean(keepdims=True)
        points = np.atleast_2d(variances <= _POINT * spread).any(axis=1)
        if points.any():
            raise SingularComponentError(int(points.argmax()), "it has collapsed on one point")

    def estimate(self, X: Array, resp: Array, prior: PhantomRows) -> GaussianParameters:
        """Weighted means and covariances, each component from its own rows; O(n k d^2) at most."""
        statistics = GaussianStatistics.of(self.covariance, X, resp, prior.variances)
        return self.maximize(statistics, prior)

    def hold(self, parameters: GaussianParameters) -> Gaussian:
        """The family with a shared covariance held as it is; itself where each has its own."""
        return replace(self, held=parameters) if self.covariance.shared else self

    def default_prior(
        self, moments: Moments, strength: float, spread: Array | None = None
    ) -> PhantomRows:
        """``strength`` phantom rows with the variances of a typical component.

        Where those are not known, or far below the variances of the data's columns, the data's
        are taken, or a small part of them.
        """
        return PhantomRows(float(strength), typical_variances(moments, spread))

    def absolute_prior(self, strength: float, variance: float, n_features: int) -> PhantomRows:
        """Phantom rows of one variance in every column, in the squared units of the data.

        With strength 1 the M step is equation (20) of Ueda et al. (2000),
        Sigma_j = (S_j + variance I) / (n_j + 1).
        """
        return PhantomRows(float(strength), np.full(n_features, float(variance)))

    def log_prior(self, parameters: GaussianParameters, prior: PhantomRows) -> Array:
        """(m / 2) (log det P_j - tr(V P_j)) for each component; once where P is shared."""
        d = parameters.means.shape[1]
        if self.held is not None:
            # Of what is held: a constant.
            return np.zeros(len(parameters.means))
        if prior.strength == 0.0:
            return np.zeros(1 if self.covariance.shared else len(parameters.means))
        half_log_det = self.covariance.half_log_det(parameters.factors, d)
        diagonal = self.covariance.precision_diagonal(parameters.factors, d)
        log_prior: Array = prior.strength * (half_log_det - 0.5 * (diagonal @ prior.variances))
        return log_prior

    def coordinates(
        self, parameters: GaussianParameters, moments: Moments, prior: PhantomRows
    ) -> Coordinates:
        """Means and Cholesky factors of the precisions, with log diagonals."""
        return GaussianCoordinates(self.covariance, self.parameters, parameters, moments, prior)

    def average(self, parameters: GaussianParameters, weights: Array) -> GaussianParameters:
        """The weighted average of means and of covariances, as one component."""
        share = weights / weights.sum()
        means = share @ parameters.means
        if parameters.shared:
            return replace(parameters, means=means[None])
        covariances = np.tensordot(share, parameters.covariances, axes=1)
        return self.parameters(means[None], covariances[None])

    def perturb(
        self, parameters: GaussianParameters, scale: float, rng: np.random.Generator
    ) -> GaussianParameters:
        """Round covariances, :eq:`split-start`, and a normal step of ``scale`` times their root."""
        k, d = parameters.means.shape
        half_log_det = self.covariance.half_log_det(parameters.factors, d)
        variances = np.broadcast_to(np.exp(-2.0 * half_log_det / d), (k,))
        steps = scale * np.sqrt(variances)[:, None] * rng.standard_normal((k, d))
        if parameters.shared:
            return replace(parameters, means=parameters.means + steps)
        shape = parameters.covariances.shape
        unit = np.eye(d) if self.covariance.matrices else np.ones(shape[1:])
        covariances = variances.reshape((-1,) + (1,) * unit.ndim) * unit
        return self.parameters(parameters.means + steps, covariances)

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """Means and covariances; mixing weights are the mixture's."""
        return n_components * n_features + self.covariance.n_free(n_components, n_features)

    def sample(
        self,
        parameters: GaussianParameters,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """One row for each label (n, d)."""
        normal = rng.standard_normal((len(labels), parameters.means.shape[1]))
        noise = self.covariance.noise(parameters.factors, normal, labels)
        rows: Array = parameters.means[labels] + noise
        return rows

    def features(self, X: Array, moments: Moments) -> Array:
        """The rows about their means in units of their standard deviations."""
        return standard_coordinates(X, moments)

    def n_features(self, parameters: GaussianParameters) -> int:
        """Number of columns."""
        return int(parameters.means.shape[1])

    def means(self, parameters: GaussianParameters) -> Array:
        """The means (k, d)."""
        return parameters.means

    def probabilities(self, parameters: GaussianParameters) -> tuple[None, ...]:
        """None for each column: it may hold any number."""
        return (None,) * self.n_features(parameters)

    def variances(self, parameters: GaussianParameters) -> Array:
        """Variance of each column under each component (k, d)."""
        covariances = parameters.covariances
        if self.covariance.matrices:
            covariances = np.einsum("...aa->...a", covariances)
        elif covariances.ndim == 1:
            covariances = covariances[:, None]
        variances: Array = np.broadcast_to(covariances, parameters.means.shape)
        return variances

    def full_covariances(self, parameters: GaussianParameters) -> Array:
        """Covariances as (k, d, d), whatever the structure."""
        k, d = parameters.means.shape
        return self.covariance.full(parameters.covariances, k, d)

    def marginal(
        self, parameters: GaussianParameters, columns: NDArray[np.integer]
    ) -> tuple[Gaussian, GaussianParameters]:
        """The Gaussian of some of the columns, of the same structure."""
        covariances = self.covariance.marginal(parameters.covariances, columns)
        return self, self.parameters(parameters.means[:, columns], covariances)

    def condition(
        self, parameters: GaussianParameters, columns: NDArray[np.integer], values: Array
    ) -> tuple[Gaussian, GaussianParameters, Array]:
        """Regress the other columns on the given ones, component by component."""
        rest = np.setdiff1d(np.arange(parameters.means.shape[1]), columns)
        _, given = self.marginal(parameters, columns)
        zeros = np.zeros(len(given.means))
        kernel = CentredKernel(
            self.covariance, given.means, given.factors, zeros, values.dtype, np.abs(values)
        )
        log_density = kernel.log_joint(values[None, :])[0]
        if not self.covariance.matrices:
            # Without correlations the other columns do not hear of the given ones.
            return *self.marginal(parameters, rest), log_density
        full = self.full_covariances(parameters)
        # U' times the cross covariances and U' times the gap: their product is the regression.
        whitener = np.swapaxes(given.factors, -1, -2)
        cross = whitener @ full[:, columns[:, None], rest]
        gap = whitener @ (values - parameters.means[:, columns])[:, :, None]
        means = parameters.means[:, rest] + (cross.swapaxes(1, 2) @ gap)[:, :, 0]
        covariances = full[:, rest[:, None], rest] - cross.swapaxes(1, 2) @ cross
        covariances = 0.5 * (covariances + covariances.swapaxes(1, 2))
        if self.covariance.shared:
            covariances = covariances[0]
        return self, self.parameters(means, covariances), log_density

    def continuous(self, parameters: GaussianParameters) -> NDArray[np.bool_]:
        """Which columns have a density (d,): all."""
        return np.ones(parameters.means.shape[1], dtype=bool)

    def impute(self, parameters: GaussianParameters, X: Array, resp: Array) -> Array:
        """Missing entries filled by their mean given the others; O(n k d^2 + p k d^3)."""
        if not self.covariance.matrices:
            return np.where(np.isnan(X), resp @ parameters.means, X)
        return conditional_means(parameters.means, self._matrices(parameters), X, resp)

    def sample_missing(
        self,
        parameters: GaussianParameters,
        X: Array,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """Missing entries drawn given the others and the component of each row."""
        drawn = self.sample(parameters, labels, rng)
        if not self.covariance.matrices:
            return np.where(np.isnan(X), drawn, X)
        return conditional_draws(self._matrices(parameters), X, labels, drawn, parameters.means)

    def _matrices(self, parameters: GaussianParameters) -> Array:
        """Covariance matrices (k, d, d), or (1, d, d) where they share one."""
        covariances = parameters.covariances
        return covariances[None] if self.covariance.shared else covariances

    def map_columns(
        self, parameters: GaussianParameters, scale: Array, shift: Array
    ) -> tuple[Gaussian, GaussianParameters]:
        """The components of ``scale * x + shift``; spherical ones become diagonal."""
        covariance, covariances = self.covariance.map_columns(parameters.covariances, scale)
        family = Gaussian(covariance)
        return family, family.parameters(parameters.means * scale + shift, covariances)

    def pack(self, parameters: GaussianParameters) -> dict[str, Array]:
        """Means and covariances; the factors follow from them."""
        return {"means": parameters.means, "covariances": parameters.covariances}

    def unpack(self, arrays: Mapping[str, Array]) -> GaussianParameters:
        """Parameters from ``means`` and ``covariances``; ValueError says what does not fit."""
        for name in ("means", "covariances"):
            if name not in arrays:
                raise ValueError(f"the array {name!r} is missing")
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"the array {name!r} holds values that are not finite")
        means = np.asarray(arrays["means"], dtype=np.float64)
        covariances = np.asarray(arrays["covariances"], dtype=np.float64)
        if means.ndim != 2 or 0 in means.shape:
            raise ValueError(f"'means' has shape {means.shape} instead of (components, features)")
        expected = self.covariance.shape(*means.shape)
        if covariances.shape != expected:
            raise ValueError(f"'covariances' has shape {covariances.shape} instead of {expected}")
        mirrored = covariances.swapaxes(-1, -2) if self.covariance.matrices else covariances
        if not np.array_equal(covariances, mirrored):
            raise ValueError("a matrix in 'covariances' is not symmetric")
        try:
            return self.parameters(means, covariances)
        except SingularComponentError as error:
            raise ValueError(str(error)) from None


def infer_covariance(covariances: Array, k: int, d: int) -> list[Covariance]:
    """The structures whose shape fits the array."""
    structures: list[Covariance] = [Full(), Tied(), Diagonal(), Spherical()]
    return [s for s in structures if s.shape(k, d) == covariances.shape]
