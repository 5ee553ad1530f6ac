"""Factor analyzers: components of low-dimensional structure in many columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.errors import ArgumentError, UnknownNameError
from emplus.families.base import EMPTY, Array, Coordinates, Kernel, SingularComponentError
from emplus.families.factor_arrays import packed, unpacked
from emplus.families.factor_common import common_parameters, first_common, maximized_common
from emplus.families.factor_coordinates import CommonFactorCoordinates, FactorCoordinates
from emplus.families.factor_incomplete import (
    completed,
    filled_by_draws,
    filled_by_means,
    first_filled,
)
from emplus.families.factor_kernels import make_factor_kernel
from emplus.families.factor_parameters import FactorParameters, Noise, canonical
from emplus.families.factor_parts import averaged, conditioned, mapped, perturbed, seen_through
from emplus.families.factor_prior import PhantomFactorRows
from emplus.families.factor_statistics import FactorStatistics
from emplus.families.factor_steps import first_parameters, maximized
from emplus.families.features import standard_coordinates
from emplus.families.gaussian_prior import typical_variances
from emplus.numerics.moments import Moments

__all__ = ["LOADINGS", "NOISES", "FactorAnalyzer"]

NOISES = ("diag", "shared", "isotropic")
LOADINGS = ("own", "common")

# A noise variance that is this small a part of its column's has run to zero.
_ZERO = 1e-13


@final
@dataclass(frozen=True)
class FactorAnalyzer:
    r"""Components that vary along ``n_factors`` directions of their own, and by noise.

    .. math:: p(x \mid j) = N(x;\, \mu_j,\; \Lambda_j \Lambda_j^\top + \Psi_j)

    A row is mu_j + Lambda_j z + e with q standard normal factors z and noise e of diagonal
    covariance Psi_j: clustering and local dimension reduction in one (Ghahramani & Hinton 1996).
    Equations :eq:`factor-analyzer` to :eq:`m-step-factors` of the theory page.

    Parameters
    ----------
    n_factors : int
        q. 0 is a diagonal Gaussian.
    noise : {'diag', 'shared', 'isotropic'}
        Each component its own Psi; one Psi for all; one variance for all columns of a component
        (probabilistic PCA, Tipping & Bishop 1999).
    loadings : {'own', 'common'}
        With 'common' all components lie in one q-dimensional space, each with a mean and a
        covariance in it (Baek, McLachlan & Flack 2010), and share one Psi whatever ``noise`` is:
        'isotropic' gives it one variance, the others one for each column.

    Raises
    ------
    ArgumentError
        If n_factors is not a whole number of at least 0.
    UnknownNameError
        If there is no such noise or loadings.

    Notes
    -----
    A pass costs O(n k d q) and O(k d q) memory; no d x d matrix is ever made.

    Examples
    --------
    >>> FactorAnalyzer(2).n_free_parameters(n_components=3, n_features=10)
    117
    """

    n_factors: int = 1
    noise: str = "diag"
    loadings: str = "own"
    # What the components share, while only some of them are fitted.
    held: FactorParameters | None = field(default=None, compare=False, repr=False)

    name: ClassVar[str] = "factor-analyzer"
    needs_full_scatter: ClassVar[bool] = False
    levels: ClassVar[tuple[int, ...]] = ()
    parts: ClassVar[tuple[()]] = ()
    pools: ClassVar[bool] = False

    def __post_init__(self) -> None:
        q: object = self.n_factors
        if isinstance(q, bool) or not isinstance(q, int | np.integer) or q < 0:
            raise ArgumentError(f"n_factors must be a whole number of at least 0; it is {q!r}.")
        object.__setattr__(self, "n_factors", int(q))
        for what, name, known in (
            ("noise", self.noise, NOISES),
            ("loadings", self.loadings, LOADINGS),
        ):
            if name not in known:
                raise UnknownNameError(what, name, known)

    @property
    def structure(self) -> Noise:
        """Which noise variances are equal."""
        return Noise(self.noise == "shared" or self._common, self.noise == "isotropic")

    @property
    def _common(self) -> bool:
        return self.loadings == "common"

    def config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"n_factors": self.n_factors, "noise": self.noise, "loadings": self.loadings}

    def parameters(self, means: Array, loadings: Array, noise: Array) -> FactorParameters:
        """Parameters from means (k, d), loadings (k, d, q), noise variances in their shape.

        Raises
        ------
        SingularComponentError
            If a noise variance is not positive.
        """
        made = FactorParameters(means, canonical(loadings), noise, self.structure)
        positive = (made.psi > 0).all(axis=1)
        if not positive.all():
            raise SingularComponentError(int(np.argmin(positive)), "its noise variance is not > 0")
        return made

    def kernel(
        self,
        parameters: FactorParameters,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """The faster of the two kernels that is exact enough for the data."""
        return make_factor_kernel(parameters, log_weights, moments, dtype, scoring)

    def maximize(self, statistics: Any, prior: PhantomFactorRows) -> FactorParameters:
        """One step of EM for the factors of each component; O(k d q^2).

        It raises the expected log-likelihood plus log prior and leaves it at its maximum, but does
        not reach it at once: the factors are unobserved too.
        """
        weight = statistics.weight
        if prior.strength == 0.0 and (lost := weight <= EMPTY * weight.sum()).any():
            raise SingularComponentError(int(lost.argmax()), "no row belongs to it any more")
        step = maximized_common if self._common else maximized
        parameters = step(statistics, prior, self.held)
        if prior.strength == 0.0:
            _refuse_zero_noise(parameters, prior)
        return parameters

    def implied(
        self, parameters: FactorParameters, weight: Array, prior: PhantomFactorRows
    ) -> FactorStatistics:
        """Those of rows scattered as the parameters say, less the prior's."""
        return FactorStatistics.implied(parameters, weight, prior)

    def estimate(self, X: Array, resp: Array, prior: PhantomFactorRows) -> FactorParameters:
        """Local principal factors of each component's rows; O(n d q) for hard ``resp``."""
        X = first_filled(X, resp)
        first = first_common if self._common else first_parameters
        parameters = first(X, resp, prior, self.n_factors, self.structure)
        if prior.strength == 0.0:
            _refuse_zero_noise(parameters, prior)
        if self.held is None:
            return parameters
        return _in_held(parameters, self.held)

    def hold(self, parameters: FactorParameters) -> FactorAnalyzer:
        """The family with shared noise, and common loadings, held as they are."""
        return replace(self, held=parameters) if self.structure.shared else self

    def default_prior(
        self, moments: Moments, strength: float, spread: Array | None = None
    ) -> PhantomFactorRows:
        """``strength`` phantom rows with the variances of a typical component."""
        variances = typical_variances(moments, spread)
        fixed = moments.constant & ~np.bool_(self.structure.isotropic)
        return self._phantoms(strength, variances, fixed)

    def absolute_prior(
        self, strength: float, variance: float, n_features: int
    ) -> PhantomFactorRows:
        """Phantom rows of one variance in every column, in the squared units of the data."""
        variances = np.full(n_features, float(variance))
        return self._phantoms(strength, variances, np.zeros(n_features, dtype=bool))

    def _phantoms(
        self, strength: float, variances: Array, fixed: NDArray[np.bool_]
    ) -> PhantomFactorRows:
        # Without factors there is nothing that could take a column's noise away.
        noise = variances if self.n_factors else np.zeros_like(variances)
        return PhantomFactorRows(float(strength), variances, noise, fixed)

    def log_prior(self, parameters: FactorParameters, prior: PhantomFactorRows) -> Array:
        """(m / 2) (log det P_j - tr(V P_j) - tr(U Psi_j^-1)) for each component (k,).

        The last term belongs to all of them alike where Psi is shared, and is left out where it
        is held.
        """
        k = len(parameters.means)
        if prior.strength == 0.0:
            return np.zeros(k)
        spread = 0.5 * (parameters.precision_diagonal @ prior.variances)
        noise = 0.5 * ((1.0 / parameters.psi) @ prior.noise)
        if self.structure.shared:
            noise = noise / k if self.held is None else np.zeros(k)
        log_prior: Array = prior.strength * (parameters.half_log_det - spread - noise)
        return log_prior

    def coordinates(
        self, parameters: FactorParameters, moments: Moments, prior: PhantomFactorRows
    ) -> Coordinates:
        """Means, loadings and log noise variances, or what makes them where loadings are common."""
        made = CommonFactorCoordinates if self._common else FactorCoordinates
        return made(parameters, moments, prior)

    def average(self, parameters: FactorParameters, weights: Array) -> FactorParameters:
        """One component with the averaged covariance, as far as q factors can hold it."""
        return averaged(parameters, weights)

    def perturb(
        self, parameters: FactorParameters, scale: float, rng: np.random.Generator
    ) -> FactorParameters:
        """Noise of variance det(Sigma)^(1/d) in every column, short factors at random, and a step.

        Factors of length 0 would stay so under EM. What is shared stays; the step is ``scale``
        times the root of the noise.
        """
        return perturbed(parameters, scale, rng)

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """Means, loadings without the rotations that change nothing, and noise variances.

        Never more than a Gaussian with full covariances has.
        """
        k, d = n_components, n_features
        q = min(self.n_factors, d)
        noise = int(np.prod(self.structure.shape(k, d)))
        full = k * (d + d * (d + 1) // 2)
        if self._common:
            # The space, the offset across it, and in it a mean and a covariance for each.
            space = d * q - q * q + (d - q)
            return min(space + k * (q + q * (q + 1) // 2) + noise, full)
        return min(k * (d + d * q - q * (q - 1) // 2) + noise, full)

    def sample(
        self, parameters: FactorParameters, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """One row for each label (n, d)."""
        n, d = len(labels), parameters.means.shape[1]
        rows: Array = np.sqrt(parameters.psi)[labels] * rng.standard_normal((n, d))
        factors = rng.standard_normal((n, parameters.n_factors))
        for j, loadings in enumerate(parameters.loadings):
            own = labels == j
            rows[own] += parameters.means[j] + factors[own] @ loadings.T
        return rows

    def factor_means(self, parameters: FactorParameters, X: Array) -> Array:
        """E[z | x_i, j] (n, k, q): what the factors of each row are expected to be; O(n k d q)."""
        projections, _, inverse_roots = parameters.posterior
        factors = np.empty((len(X), len(projections), parameters.n_factors))
        for j, mean in enumerate(parameters.means):
            deviations = completed(parameters.take([j]), X - mean)
            factors[:, j] = deviations @ (projections[j].T @ inverse_roots[j])
        return factors

    def features(self, X: Array, moments: Moments) -> Array:
        """The rows about their means in units of their standard deviations."""
        return standard_coordinates(X, moments)

    def n_features(self, parameters: FactorParameters) -> int:
        """Number of columns."""
        return int(parameters.means.shape[1])

    def means(self, parameters: FactorParameters) -> Array:
        """The means (k, d)."""
        return parameters.means

    def probabilities(self, parameters: FactorParameters) -> tuple[None, ...]:
        """None for each column: it may hold any number."""
        return (None,) * self.n_features(parameters)

    def variances(self, parameters: FactorParameters) -> Array:
        """Variance of each column under each component (k, d)."""
        return parameters.variances

    def full_covariances(self, parameters: FactorParameters) -> Array:
        """Covariances (k, d, d), which nothing else here ever makes."""
        covariances: Array = parameters.loadings @ parameters.loadings.swapaxes(1, 2)
        np.einsum("kaa->ka", covariances)[...] += parameters.psi
        return covariances

    def marginal(
        self, parameters: FactorParameters, columns: NDArray[np.integer]
    ) -> tuple[FactorAnalyzer, FactorParameters]:
        """The same factors seen through some of the columns."""
        return replace(self, held=None), seen_through(parameters, columns)

    def condition(
        self, parameters: FactorParameters, columns: NDArray[np.integer], values: Array
    ) -> tuple[FactorAnalyzer, FactorParameters, Array]:
        """The other columns, given the factors' posterior: factor analyzers again; O(k d q^2)."""
        given, log_density = conditioned(parameters, columns, values)
        return replace(self, held=None), given, log_density

    def continuous(self, parameters: FactorParameters) -> NDArray[np.bool_]:
        """Which columns have a density (d,): all."""
        return np.ones(parameters.means.shape[1], dtype=bool)

    def impute(self, parameters: FactorParameters, X: Array, resp: Array) -> Array:
        """Missing entries filled by their mean given the others; O(n k d q)."""
        return filled_by_means(parameters, X, resp)

    def sample_missing(
        self,
        parameters: FactorParameters,
        X: Array,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """Missing entries drawn given the others and the component of each row."""
        return filled_by_draws(parameters, X, labels, self.sample(parameters, labels, rng))

    def map_columns(
        self, parameters: FactorParameters, scale: Array, shift: Array
    ) -> tuple[FactorAnalyzer, FactorParameters]:
        """The components of ``scale * x + shift``; isotropic noise becomes one of each column."""
        noise = "diag" if self.structure.isotropic else self.noise
        return replace(self, held=None, noise=noise), mapped(parameters, scale, shift)

    def pack(self, parameters: FactorParameters) -> dict[str, Array]:
        """Means, loadings and noise variances, or what makes them where loadings are common."""
        return packed(parameters)

    def unpack(self, arrays: Mapping[str, Array]) -> FactorParameters:
        """Parameters from ``pack``'s arrays; ValueError says what does not fit."""
        return unpacked(arrays, self.n_factors, self.structure, common=self._common)


def _refuse_zero_noise(parameters: FactorParameters, prior: PhantomFactorRows) -> None:
    """Without a prior: a noise variance that has run to zero ends the run."""
    zero = parameters.psi <= _ZERO * np.maximum(parameters.variances, _ZERO * prior.variances)
    if zero.any():
        component, column = np.argwhere(zero)[0]
        raise SingularComponentError(
            int(component), f"its noise variance in column {column} has run to zero"
        )


def _in_held(parameters: FactorParameters, held: FactorParameters) -> FactorParameters:
    """Parameters estimated anew, with what is shared as it is held."""
    if held.common is None or parameters.common is None:
        return replace(parameters, noise=held.noise)
    common = held.common
    # Least squares through the held basis, whose columns need not be orthonormal.
    inverse = np.linalg.pinv(common.basis)
    placed = replace(
        common,
        means=(parameters.means - common.offset) @ inverse.T,
        roots=inverse @ parameters.loadings,
    )
    return common_parameters(placed, held.noise, held.structure)
