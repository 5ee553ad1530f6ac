"""Factor analyzers averaged, pushed apart, seen through some columns, conditioned, rescaled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.factor_common import common_parameters
from emplus.families.factor_kernels import CentredFactors
from emplus.families.factor_parameters import (
    CommonFactors,
    FactorParameters,
    Noise,
    canonical,
    factor_posterior,
)

__all__ = ["averaged", "conditioned", "mapped", "perturbed", "seen_through"]


def averaged(parameters: FactorParameters, weights: Array) -> FactorParameters:
    """One component with the averaged covariance, as far as q factors can hold it.

    Averages of loadings would depend on how they are turned. The factors are the q longest axes of
    the averaged Lambda Lambda'; what they leave of its diagonal goes to the noise.
    """
    share = weights / weights.sum()
    structure, common = parameters.structure, parameters.common
    if common is not None:
        means = (share @ common.means)[None]
        turned, lengths, _ = _stacked_svd(common.roots, share)
        one = replace(common, means=means, roots=(turned * lengths)[None])
        return common_parameters(one, parameters.noise, structure)
    _, d, q = parameters.loadings.shape
    axes, lengths, _ = _stacked_svd(parameters.loadings, share)
    loadings = np.zeros((1, d, q))
    kept = min(q, len(lengths))
    loadings[0, :, :kept] = axes[:, :kept] * lengths[:kept]
    noise = parameters.noise
    if not structure.shared:
        psi = share @ parameters.psi + axes[:, kept:] ** 2 @ lengths[kept:] ** 2
        noise = psi.mean(keepdims=True) if structure.isotropic else psi[None]
    means = (share @ parameters.means)[None]
    return FactorParameters(means, canonical(loadings), noise, structure)


def _stacked_svd(factors: Array, share: Array) -> tuple[Array, Array, Array]:
    """Of the factors (k, a, q) of all components side by side, by the roots of their weights."""
    k, a, q = factors.shape
    scaled = factors * np.sqrt(share)[:, None, None]
    left, lengths, right = np.linalg.svd(
        scaled.transpose(1, 0, 2).reshape(a, k * q), full_matrices=False
    )
    return left, lengths, right


def perturbed(
    parameters: FactorParameters, scale: float, rng: np.random.Generator
) -> FactorParameters:
    """Noise of variance det(Sigma)^(1/d) in every column, short factors at random, and a step."""
    k, d, q = parameters.loadings.shape
    structure, common = parameters.structure, parameters.common
    variances = np.exp(-2.0 * parameters.half_log_det / d)
    steps = scale * np.sqrt(variances)[:, None] * rng.standard_normal((k, d))
    if common is not None:
        moved = replace(common, means=common.means + steps @ common.basis)
        return common_parameters(moved, parameters.noise, structure)
    lengths = scale * np.sqrt(variances / d)[:, None, None]
    loadings = canonical(lengths * rng.standard_normal((k, d, q)))
    noise = parameters.noise
    if not structure.shared:
        noise = variances if structure.isotropic else np.repeat(variances[:, None], d, axis=1)
    return FactorParameters(parameters.means + steps, loadings, noise, structure)


def seen_through(parameters: FactorParameters, columns: NDArray[np.integer]) -> FactorParameters:
    """The same factors seen through some of the columns."""
    structure, common = parameters.structure, parameters.common
    noise = parameters.noise if structure.isotropic else parameters.noise[..., columns]
    if common is not None:
        seen = replace(common, offset=common.offset[columns], basis=common.basis[columns])
        return common_parameters(seen, noise, structure)
    means, loadings = parameters.means[:, columns], canonical(parameters.loadings[:, columns])
    return FactorParameters(means, loadings, noise, structure)


def conditioned(
    parameters: FactorParameters, columns: NDArray[np.integer], values: Array
) -> tuple[FactorParameters, Array]:
    """The other columns given these, and each log p(values | j) (k,); O(k d q^2).

    The factors, given the values, are N(m_j, M_j^-1), so that the rest is a factor analyzer again.
    """
    structure, common = parameters.structure, parameters.common
    rest = np.setdiff1d(np.arange(parameters.means.shape[1]), columns)

    def noise(of: NDArray[np.integer]) -> Array:
        return parameters.noise if structure.isotropic else parameters.noise[..., of]

    # The loadings as they are, not turned: both parts must speak of the same factors.
    means, loadings = parameters.means[:, columns], parameters.loadings[:, columns]
    seen = FactorParameters(means, loadings, noise(columns), structure)
    reach = np.abs(values - means).max(axis=0, initial=0.0)
    kernel = CentredFactors(seen, np.zeros(len(means)), values.dtype, reach)
    log_density = kernel.log_joint(values[None, :])[0].copy()
    projections, _, inverse_roots = factor_posterior(loadings, seen.psi)
    turn = inverse_roots.swapaxes(1, 2)
    factors = np.einsum("kqr,kra,ka->kq", turn, projections, values - means)
    if common is not None:
        given = CommonFactors(
            common.offset[rest],
            common.basis[rest],
            common.means + np.einsum("kqr,kr->kq", common.roots, factors),
            common.roots @ turn,
        )
        return common_parameters(given, noise(rest), structure), log_density
    others = parameters.loadings[:, rest]
    shifted = parameters.means[:, rest] + np.einsum("kaq,kq->ka", others, factors)
    return FactorParameters(shifted, canonical(others @ turn), noise(rest), structure), log_density


def mapped(parameters: FactorParameters, scale: Array, shift: Array) -> FactorParameters:
    """The components of ``scale * x + shift``; isotropic noise becomes one of each column."""
    structure, common = Noise(parameters.structure.shared, isotropic=False), parameters.common
    psi = parameters.psi[0] if structure.shared else parameters.psi
    noise = psi * scale**2
    if common is not None:
        offset, basis = common.offset * scale + shift, common.basis * scale[:, None]
        return common_parameters(replace(common, offset=offset, basis=basis), noise, structure)
    means = parameters.means * scale + shift
    loadings = canonical(parameters.loadings * scale[:, None])
    return FactorParameters(means, loadings, noise, structure)
