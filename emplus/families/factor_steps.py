"""First values and M steps of factor analyzers with loadings of their own."""

from __future__ import annotations

import numpy as np

from emplus.families.base import Array
from emplus.families.factor_parameters import FactorParameters, Noise, canonical
from emplus.families.factor_prior import PhantomFactorRows
from emplus.families.factor_statistics import FactorStatistics
from emplus.numerics.lowrank import leading_directions

__all__ = ["PhantomFactorRows", "first_noise", "first_parameters", "maximized", "principal_factors"]

# The least part of a column's variance that a first guess leaves to the noise: EM is slow to come
# back from too little.
_LEAST_NOISE = 0.05

# The least length of a first guess's factor, as a part of the noise: one of length 0 stays there.
_LEAST_FACTOR = 1e-2


def maximized(
    statistics: FactorStatistics, prior: PhantomFactorRows, held: FactorParameters | None
) -> FactorParameters:
    """New means, then new loadings and noise about them; O(k d q^2).

    With the labels' posterior fixed, the best mean is the weighted mean whatever the covariance is,
    and one step of EM for the factors follows about it: the alternating scheme of Meng & van Dyk
    (1997, section 3.7) in one pass. The factors' own covariance is let go and
    put into the loadings (Liu, Rubin & Wu 1998), which costs nothing and takes larger steps. With
    S_j the mean scatter, M and A as in `factor_posterior`, and

        G_j = E[z z'] = M^-1 + L'^-1 A' S_j A L^-1 = C C',

    it is Lambda_j = S_j A L^-1 C'^-1 and Psi_j = diag(S_j - Lambda_j Lambda_j'), equation
    :eq:`m-step-factors` of the theory page.
    """
    structure = statistics.expected.structure
    scatter, cross, weight = with_phantoms(statistics, prior)
    loadings = _loadings(statistics.expected, cross / weight[:, None, None])
    if held is not None:
        return FactorParameters(
            statistics.means(), canonical(_cleared(loadings, prior)), held.noise, structure
        )
    explained = np.einsum("kaq,kaq->ka", loadings, loadings) * weight[:, None]
    residual = np.maximum(scatter - explained, 0.0)
    noise = noise_of(structure, residual, weight, prior)
    if not structure.isotropic:
        loadings = _cleared(loadings, prior)
    return FactorParameters(statistics.means(), canonical(loadings), noise, structure)


def with_phantoms(
    statistics: FactorStatistics, prior: PhantomFactorRows
) -> tuple[Array, Array, Array]:
    """Diagonals of the scatters, A_j' S_j, and weights, the phantom rows counted in."""
    scatter, cross = statistics.scatter()
    if not prior.strength:
        # A component without any rows: what it has is divided by something.
        return scatter, cross, np.where(statistics.weight > 0, statistics.weight, 1e-300)
    added = prior.strength * prior.variances
    projections, _, _ = statistics.expected.posterior
    return scatter + added, cross + projections * added, statistics.weight + prior.strength


def _loadings(expected: FactorParameters, cross: Array) -> Array:
    """Lambda_j (k, d, q) from A_j' S_j (k, q, d)."""
    q = expected.n_factors
    if q == 0:
        return expected.loadings
    projections, _, inverse_roots = expected.posterior
    turned = inverse_roots.swapaxes(1, 2)
    whitened = cross @ projections.swapaxes(1, 2)
    second = turned @ (np.eye(q) + 0.5 * (whitened + whitened.swapaxes(1, 2))) @ inverse_roots
    roots = np.linalg.cholesky(0.5 * (second + second.swapaxes(1, 2)))
    return np.linalg.solve(roots, turned @ cross).swapaxes(1, 2)


def noise_of(structure: Noise, residual: Array, weight: Array, prior: PhantomFactorRows) -> Array:
    """Noise variances from what the factors leave of the scatter (k, d)."""
    extra = prior.strength * prior.noise
    noise = structure.pooled(residual, weight, extra)
    return noise if structure.isotropic else np.where(prior.fixed, prior.variances, noise)


def _cleared(loadings: Array, prior: PhantomFactorRows) -> Array:
    """No loadings on columns that do not vary."""
    return np.where(prior.fixed[:, None], 0.0, loadings) if prior.fixed.any() else loadings


def first_parameters(
    X: Array, resp: Array, prior: PhantomFactorRows, n_factors: int, structure: Noise
) -> FactorParameters:
    """Local principal factors: each component's from its own rows; O(n d q) for hard ``resp``.

    Tipping & Bishop (1999), section 4: a probabilistic PCA of the rows, in units of their standard
    deviations unless the noise is the same in all columns.
    """
    k, d = resp.shape[1], X.shape[1]
    resp = resp.astype(np.float64, copy=False)
    weight = resp.sum(axis=0)
    total = max(float(weight.sum()), 1e-300)
    middle = X[0] + resp.sum(axis=1) @ np.subtract(X, X[0], dtype=np.float64) / total
    means: Array = np.repeat(middle[None], k, axis=0)
    loadings: Array = np.zeros((k, d, n_factors))
    scatter = np.zeros((k, d))
    strength = prior.strength
    for j in range(k):
        own = np.flatnonzero(resp[:, j])
        share, cell = resp[own, j], X[own]
        rows: Array = np.zeros((0, d))
        if len(own):
            rows = np.subtract(cell, cell[0], dtype=np.float64)
            shift = share @ rows / weight[j]
            means[j] = cell[0] + shift
            rows -= shift
            rows *= np.sqrt(share)[:, None]
        scatter[j] = np.einsum("ia,ia->a", rows, rows) + strength * prior.variances
        mass = max(float(weight[j]) + strength, 1e-300)
        loadings[j] = principal_factors(rows, mass, scatter[j] / mass, n_factors, structure)
    mass = np.maximum(weight + strength, 1e-300)
    explained = np.einsum("kaq,kaq->ka", loadings, loadings)
    observed = scatter / mass[:, None]
    residual = first_noise(observed, observed - explained, structure) if n_factors else observed
    noise = noise_of(structure, residual * mass[:, None], mass, prior)
    if not structure.isotropic:
        loadings = _cleared(loadings, prior)
    return FactorParameters(means, canonical(loadings), noise, structure)


def first_noise(variances: Array, left: Array, structure: Noise) -> Array:
    """What factors leave of the variances (k, d), and at least a part of these."""
    if structure.isotropic:
        # Whatever the columns are turned to.
        variances = np.broadcast_to(variances.mean(axis=1, keepdims=True), variances.shape)
        left = np.broadcast_to(left.mean(axis=1, keepdims=True), left.shape)
    least: Array = np.maximum(left, _LEAST_NOISE * variances)
    return least


def principal_factors(
    rows: Array, weight: float, variances: Array, n_factors: int, structure: Noise
) -> Array:
    """Loadings (d, q) from rows about their mean, times the roots of their weights.

    What is left of the variance beyond the factors is taken for noise, and off each of them.
    """
    d = len(variances)
    if n_factors == 0:
        return np.zeros((d, 0))
    scale = np.ones(d) if structure.isotropic else np.sqrt(variances)
    unit = np.where(scale > 0, scale, 1.0)
    values, vectors = leading_directions(rows / unit, n_factors)
    values = values / weight
    total = float((variances / unit**2).sum())
    noise = max(total - float(values.sum()), 0.0) / max(d - len(values), 1)
    noise = max(noise, _LEAST_NOISE * total / d)
    factors = np.zeros((d, n_factors))
    lengths = np.sqrt(np.maximum(values - noise, _LEAST_FACTOR * noise))
    factors[:, : len(values)] = vectors * lengths
    missing = n_factors - len(values)
    if missing:
        # General directions: the rows span fewer, and more rows may come.
        drawn = np.random.default_rng(d).standard_normal((d, missing))
        factors[:, len(values) :] = drawn * np.sqrt(_LEAST_FACTOR * noise / d)
    factors *= unit[:, None]
    return factors
