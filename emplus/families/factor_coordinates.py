"""Factor analyzers in coordinates without constraints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from emplus.families.base import Array, SingularComponentError
from emplus.families.factor_common import cleared, common_parameters, principal
from emplus.families.factor_parameters import CommonFactors, FactorParameters, canonical
from emplus.families.factor_prior import PhantomFactorRows
from emplus.families.factor_statistics import FactorStatistics
from emplus.numerics.moments import Moments

__all__ = ["CommonFactorCoordinates", "FactorCoordinates"]

# Logarithms of noise variances, in the columns' units, that no data ask for.
_FARTHEST_LOG = 200.0


@dataclass(frozen=True, eq=False)
class _Gradient:
    """Of the objective by means and loadings (k, d), (k, d, q), and log noise in its own shape.

    Notes
    -----
    With S the scatter about mu_j, phantom rows counted in, n its weight, A as in
    `factor_posterior` and C = A' S, what stands beside a small change of Sigma_j is
    G = (Sigma^-1 S Sigma^-1 - n Sigma^-1) / 2, and

        d / d Lambda = 2 G Lambda = (Psi^-1 C' - A C A - n A) L^-1,    d / d Psi = diag(G),

    of which no d x d matrix is made: O(k d q^2).
    """

    means: Array
    loadings: Array
    log_noise: Array

    @classmethod
    def of(
        cls, parameters: FactorParameters, statistics: FactorStatistics, prior: PhantomFactorRows
    ) -> _Gradient:
        projections, _, inverse_roots = parameters.posterior
        psi, turned = parameters.psi, projections.swapaxes(1, 2)
        gaps = statistics.means() - parameters.means
        told = np.einsum("kqa,ka->kq", projections, gaps)
        mass = statistics.weight[:, None]
        by_mean = mass * (gaps / psi - np.einsum("kaq,kq->ka", turned, told))
        diagonal, cross = statistics.scatter()
        spread = prior.strength * prior.variances
        diagonal = diagonal + mass * gaps**2 + spread
        cross = cross + (mass * told)[:, :, None] * gaps[:, None, :] + projections * spread
        weight = (statistics.weight + prior.strength)[:, None, None]
        inner = cross @ turned
        precise = cross.swapaxes(1, 2) / psi[:, :, None]
        by_loadings = (precise - turned @ inner - weight * turned) @ inverse_roots
        # Everything times psi, so that no square of it is needed.
        explained = np.einsum("kaq,kaq->ka", turned, turned)
        folded = np.einsum("kaq,kqr,kar->ka", turned, inner, turned, optimize=True)
        by_log = diagonal / psi - 2.0 * np.einsum("kqa,kaq->ka", cross, turned) + psi * folded
        by_log -= weight[:, :, 0] * (1.0 - psi * explained)
        extra = prior.strength * (prior.noise / psi)
        by_log = 0.5 * (by_log + (extra / len(psi) if parameters.structure.shared else extra))
        if not parameters.structure.isotropic:
            by_log = np.where(prior.fixed, 0.0, by_log)
            by_loadings = np.where(prior.fixed[:, None], 0.0, by_loadings)
        else:
            by_log = by_log.sum(axis=1)
        if parameters.structure.shared:
            by_log = by_log.sum(axis=0)
        return cls(by_mean, by_loadings, np.asarray(by_log))


@final
@dataclass(frozen=True, eq=False)
class FactorCoordinates:
    """Means, loadings, and logarithms of the noise variances.

    The first two in units of the columns' standard deviations. Turning a component's factors
    changes nothing, so loadings are turned to lie as near as they can to those before.
    """

    like: FactorParameters
    moments: Moments
    prior: PhantomFactorRows

    @cached_property
    def _unit(self) -> Array:
        return self.moments.unit

    def free(self, parameters: FactorParameters, near: Array | None = None) -> Array:
        """Means, loadings and noise."""
        loadings = parameters.loadings / self._unit[:, None]
        if near is not None:
            loadings = loadings @ nearest_turn(loadings, self._split(near)[1])
        means = (parameters.means - self.moments.mean) / self._unit
        noise = log_noise(parameters, self._unit)
        return np.concatenate([means.ravel(), loadings.ravel(), noise.ravel()])

    def _split(self, vector: Array) -> tuple[Array, Array, Array]:
        means, loadings = self.like.means, self.like.loadings
        parts = np.split(vector, np.cumsum([means.size, loadings.size]))
        shapes = (means.shape, loadings.shape, np.shape(self.like.noise))
        first, second, third = (
            part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)
        )
        return first, second, third

    def bind(self, vector: Array) -> FactorParameters:
        """The parameters with the loadings in canonical form; O(k d q^2)."""
        means, loadings, logs = self._split(vector)
        means = means * self._unit + self.moments.mean
        noise = noise_of_logs(logs, self.like, self._unit)
        loadings = canonical(loadings * self._unit[:, None])
        return _with_posterior(FactorParameters(means, loadings, noise, self.like.structure))

    def gradient(
        self, vector: Array, parameters: FactorParameters, statistics: FactorStatistics
    ) -> Array:
        """From the sums of rows, squares and factors."""
        found = _Gradient.of(parameters, statistics, self.prior)
        loadings = self._split(vector)[1] * self._unit[:, None]
        turn = nearest_turn(parameters.loadings, loadings)
        by_loadings = found.loadings @ turn * self._unit[:, None]
        by_mean = found.means * self._unit
        return np.concatenate([by_mean.ravel(), by_loadings.ravel(), found.log_noise.ravel()])


@final
@dataclass(frozen=True, eq=False)
class CommonFactorCoordinates:
    """Offset, basis, each component's mean and root in the space, and log noise variances.

    Offset and basis in units of the columns' standard deviations. Any other basis of the space
    would do as well, so the one nearest to that before is taken.
    """

    like: FactorParameters
    moments: Moments
    prior: PhantomFactorRows

    @cached_property
    def _unit(self) -> Array:
        return self.moments.unit

    def free(self, parameters: FactorParameters, near: Array | None = None) -> Array:
        """Offset, basis, means, roots and noise."""
        common = _common(parameters)
        basis = common.basis / self._unit[:, None]
        offset = (common.offset - self.moments.mean) / self._unit
        means, roots = common.means, common.roots
        if near is not None:
            before, noise = self._split(near)
            # x = offset + basis z: z = turn y + shift, with basis turn and offset + basis shift
            # as near to what was there as they can be.
            turn = np.linalg.lstsq(basis, before.basis, rcond=None)[0]
            if np.linalg.matrix_rank(turn) == len(turn):
                shift = np.linalg.lstsq(basis, before.offset - offset, rcond=None)[0]
                offset = offset + basis @ shift
                basis = basis @ turn
                means = np.linalg.solve(turn, (means - shift).T).T
                roots = np.linalg.solve(turn, roots)
                roots = roots @ nearest_turn(roots, before.roots)
        noise = log_noise(parameters, self._unit)
        return np.concatenate([np.ravel(part) for part in (offset, basis, means, roots, noise)])

    def _split(self, vector: Array) -> tuple[CommonFactors, Array]:
        common = _common(self.like)
        shapes = [np.shape(one) for one in (common.offset, common.basis, common.means)]
        shapes += [np.shape(common.roots), np.shape(self.like.noise)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        parts = [
            part.reshape(shape) for part, shape in zip(np.split(vector, ends), shapes, strict=True)
        ]
        return CommonFactors(*parts[:4]), parts[4]

    def _placed(self, vector: Array) -> tuple[CommonFactors, Array]:
        scaled, noise = self._split(vector)
        offset = scaled.offset * self._unit + self.moments.mean
        basis = scaled.basis * self._unit[:, None]
        return CommonFactors(offset, basis, scaled.means, scaled.roots), noise

    def bind(self, vector: Array) -> FactorParameters:
        """The parameters with the principal axes of equally likely components as the basis."""
        common, logs = self._placed(vector)
        noise, structure = noise_of_logs(logs, self.like, self._unit), self.like.structure
        covariances = common.roots @ common.roots.swapaxes(1, 2)
        deviations = np.sqrt(np.broadcast_to(noise, common.offset.shape))
        even = np.ones(len(covariances))
        common = principal(common.offset, common.basis, common.means, covariances, even, deviations)
        common = cleared(common, structure, self.prior)
        return _with_posterior(common_parameters(common, noise, structure))

    def gradient(
        self, vector: Array, parameters: FactorParameters, statistics: FactorStatistics
    ) -> Array:
        """By the chain rule from mu_j = offset + basis xi_j and Lambda_j = basis T_j."""
        found = _Gradient.of(parameters, statistics, self.prior)
        common, _ = self._placed(vector)
        loadings = common.basis @ common.roots
        by_loadings = found.loadings @ nearest_turn(parameters.loadings, loadings)
        by_basis = np.einsum("ka,kq->aq", found.means, common.means)
        by_basis += np.einsum("kaq,krq->ar", by_loadings, common.roots)
        if not parameters.structure.isotropic:
            by_basis = np.where(self.prior.fixed[:, None], 0.0, by_basis)
        by_offset = found.means.sum(axis=0) * self._unit
        by_means = found.means @ common.basis
        by_roots = common.basis.T @ by_loadings
        parts = (by_offset, by_basis * self._unit[:, None], by_means, by_roots, found.log_noise)
        return np.concatenate([np.ravel(part) for part in parts])


def log_noise(parameters: FactorParameters, unit: Array) -> Array:
    """Logarithms of the noise variances, in units of the columns' where each has its own."""
    noise = np.asarray(parameters.noise)
    logs: Array = np.log(noise if parameters.structure.isotropic else noise / unit**2)
    return logs


def noise_of_logs(logs: Array, like: FactorParameters, unit: Array) -> Array:
    """The noise variances again.

    Raises
    ------
    SingularComponentError
        Where they would be out of all bounds.
    """
    if np.abs(logs).max(initial=0.0) > _FARTHEST_LOG:
        component = (
            0 if like.structure.shared else int(np.abs(logs).argmax() // (logs.size // len(logs)))
        )
        raise SingularComponentError(component, "its noise variances are out of all bounds")
    noise: Array = np.exp(logs) if like.structure.isotropic else np.exp(logs) * unit**2
    return noise


def nearest_turn(loadings: Array, near: Array) -> Array:
    """Orthogonal matrices (k, q, q) that turn loadings (k, d, q) towards others (Procrustes)."""
    left, _, right = np.linalg.svd(loadings.swapaxes(1, 2) @ near)
    turns: Array = left @ right
    return turns


def _common(parameters: FactorParameters) -> CommonFactors:
    common = parameters.common
    assert common is not None  # the family makes these coordinates where there is a common space
    return common


def _with_posterior(parameters: FactorParameters) -> FactorParameters:
    """The parameters, once it is known that the posterior of their factors can be had."""
    try:
        _ = parameters.posterior
    except np.linalg.LinAlgError:
        raise SingularComponentError(0, "its factors leave next to no noise") from None
    return parameters
