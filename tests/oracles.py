"""Slow and plain ways to the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from emplus import Mixture
from emplus.engine.problem import Problem

Array = NDArray[np.floating]
LongArray = NDArray[np.longdouble]


def full_covariances(mixture: Mixture) -> Array:
    """Covariances of a Gaussian mixture as (k, d, d)."""
    family: Any = mixture.family
    covariances: Array = family.full_covariances(mixture.parameters)
    return covariances


def exact_log_joint(mixture: Mixture, X: Array) -> Array:
    """log w_j + log p(x_i | j) straight from the definition (n, k); what is NaN is left out."""
    n, k = len(X), mixture.n_components
    joint: Array = mixture.log_weights + np.zeros((n, 1))
    no_weights = np.zeros(k)
    for family, part, columns in _parts(mixture):
        one, rows = Mixture(family, no_weights, part), X[:, columns]
        joint = joint + _densities_of(family, part)(one, rows)
    return joint


def _densities_of(family: Any, part: Any) -> Callable[[Mixture, Array], Array]:
    if family.name == "poisson":
        return _exact_counts
    return _exact_probabilities if "probabilities" in family.pack(part) else _exact_normal


def _parts(mixture: Mixture) -> list[tuple[Any, Any, NDArray[np.integer]]]:
    """The families, parameters and columns that densities are products of."""
    family, parameters = mixture.family, mixture.parameters
    if not family.parts:
        return [(family, parameters, np.arange(mixture.n_features))]
    pairs = zip(family.parts, parameters.parts, strict=True)
    return [(part, own, columns) for (part, columns), own in pairs]


def _exact_probabilities(mixture: Mixture, X: Array) -> Array:
    """Probabilities looked up one by one."""
    family: Any = mixture.family
    levels = family.levels or (0,) * X.shape[1]
    joint = np.zeros((len(X), mixture.n_components))
    theta = mixture.parameters.probabilities
    for i, row in enumerate(X):
        start = 0
        for value, number in zip(row, levels, strict=True):
            chosen = theta[:, start + int(value)] if number and value >= 0 else theta[:, start]
            if not number and value == 0:
                chosen = 1.0 - chosen
            if value >= 0:
                joint[i] += np.log(chosen)
            start += max(number, 1)
    return joint


def _exact_counts(mixture: Mixture, X: Array) -> Array:
    """Probabilities of counts, one by one."""
    joint = np.zeros((len(X), mixture.n_components))
    for i, row in enumerate(X):
        for count, rates in zip(row, mixture.parameters.means.T, strict=True):
            if count >= 0:
                joint[i] += count * np.log(rates) - rates - math.log(math.factorial(int(count)))
    return joint


def _exact_normal(mixture: Mixture, X: Array) -> Array:
    """Normal densities in extended precision, pattern by pattern of what is there."""
    joint = np.zeros((len(X), mixture.n_components))
    there = ~np.isnan(X)
    for pattern in np.unique(there, axis=0):
        own = (there == pattern).all(axis=1)
        if pattern.any():
            joint[own] = _exact_complete(mixture, X[own][:, pattern], np.flatnonzero(pattern))
    return joint


def _exact_complete(mixture: Mixture, X: Array, columns: NDArray[np.integer]) -> Array:
    """log w_j + log N(x_i | j) of some columns, straight from the covariances (n, k)."""
    rows = X.astype(np.longdouble)
    densities = []
    for log_weight, whole, matrix in zip(
        mixture.log_weights, mixture.parameters.means, full_covariances(mixture), strict=True
    ):
        mean, covariance = whole[columns], matrix[np.ix_(columns, columns)]
        lower = _cholesky(covariance.astype(np.longdouble))
        white = _forward(lower, (rows - mean.astype(np.longdouble)).T)
        half_log_det = np.log(np.diagonal(lower)).sum()
        half_log_two_pi = 0.5 * len(mean) * np.log(2 * np.longdouble(np.pi))
        densities.append(log_weight - half_log_two_pi - half_log_det - 0.5 * (white**2).sum(axis=0))
    return np.stack(densities, axis=1).astype(np.float64)


def _cholesky(matrix: LongArray) -> LongArray:
    d = len(matrix)
    lower = np.zeros_like(matrix)
    for b in range(d):
        lower[b, b] = np.sqrt(matrix[b, b] - (lower[b, :b] ** 2).sum())
        for a in range(b + 1, d):
            lower[a, b] = (matrix[a, b] - (lower[a, :b] * lower[b, :b]).sum()) / lower[b, b]
    return lower


def _forward(lower: LongArray, right: LongArray) -> LongArray:
    solved = np.zeros_like(right)
    for a in range(len(lower)):
        solved[a] = (right[a] - lower[a, :a] @ solved[:a]) / lower[a, a]
    return solved


def rational_log_density(mixture: Mixture, row: Array, component: int) -> float:
    """log w_j + log p(x | j) of a factor analyzer, by elimination in rational numbers.

    Sums of squares of loadings and noise 1e-16 of them lose nothing there.
    """
    parameters = mixture.parameters

    def rational(array: Array) -> NDArray[np.object_]:
        values = [Fraction(float(value)) for value in array.ravel()]
        return np.array(values, dtype=object).reshape(array.shape)

    loadings = rational(parameters.loadings[component])
    deviation = rational(row) - rational(parameters.means[component])
    matrix = loadings @ loadings.T + np.diag(rational(parameters.psi[component]))
    quadratic, log_det = Fraction(0), 0.0
    for a in range(len(row)):
        # Cholesky's elimination without its roots: pivot by pivot, of rows and deviation alike.
        pivot = matrix[a, a]
        log_det += math.log(pivot.numerator) - math.log(pivot.denominator)
        quadratic += deviation[a] ** 2 / pivot
        factor = matrix[a + 1 :, a] / pivot
        deviation[a + 1 :] -= factor * deviation[a]
        matrix[a + 1 :, a + 1 :] -= np.outer(factor, matrix[a, a + 1 :])
    half_log_two_pi = 0.5 * len(row) * np.log(2.0 * np.pi)
    log_weight = float(mixture.log_weights[component])
    return float(log_weight - half_log_two_pi - 0.5 * log_det - 0.5 * float(quadratic))


def enumerated(log_joint: Array) -> tuple[float, Array]:
    """Log-likelihood and responsibilities by summing over every labelling of the rows.

    ``log_joint`` (n, k) holds log p(x_i, z_i = j); there are k^n labellings.
    """
    n, k = log_joint.shape
    labellings = np.array(list(product(range(k), repeat=n)))
    values = log_joint[np.arange(n), labellings].sum(axis=1)
    total = float(logsumexp(values))
    posterior = np.exp(values - total)
    resp = np.array([[posterior[labellings[:, i] == j].sum() for j in range(k)] for i in range(n)])
    return total, resp


def expected_objective(problem: Problem, parameters: Any, X: Array, resp: Array) -> float:
    """Expected complete-data log-likelihood plus log prior, term by term."""
    mixture = Mixture(problem.family, np.zeros(resp.shape[1]), parameters)
    log_prior = problem.family.log_prior(parameters, problem.prior).sum()
    return float((resp * mixture.log_joint(X)).sum() + log_prior)


def m_step(problem: Problem, parameters: Any, X: Array, resp: Array) -> Any:
    """One M step from these parameters, for responsibilities that are given."""
    family = problem.family
    no_weights = np.zeros(resp.shape[1])
    kernel = family.kernel(parameters, no_weights, problem.moments, X.dtype)
    statistics = kernel.statistics(kernel.sums(kernel.encode(X), resp))
    return family.maximize(statistics, problem.prior)


def m_steps(
    problem: Problem, parameters: Any, X: Array, resp: Array, most: int = 20_000
) -> tuple[Any, list[float]]:
    """Where M steps for the same responsibilities end, and the objective before and after each."""
    objectives = [expected_objective(problem, parameters, X, resp)]
    still = 0
    for _ in range(most):
        parameters = m_step(problem, parameters, X, resp)
        objectives.append(expected_objective(problem, parameters, X, resp))
        # Of a gain that rounding hides, a step may still be a hundred thousand times as long.
        still = still + 1 if objectives[-1] - objectives[-2] < 1e-12 * abs(objectives[-1]) else 0
        if still == 20:
            return parameters, objectives
    raise AssertionError(f"no end after {most} M steps")


def by_first_mean(means: Array) -> NDArray[np.intp]:
    """An order of components that does not depend on how they are numbered."""
    order: NDArray[np.intp] = np.argsort(means[:, 0])
    return order


def expected_whole(mixture: Mixture, X: Array) -> tuple[Array, Array]:
    """Of rows with holes the expected whole rows (k, n, d), and their covariances (k, n, d, d)."""
    k, (n, d) = mixture.n_components, X.shape
    rows, spread = np.empty((k, n, d)), np.zeros((k, n, d, d))
    for j, (mean, matrix) in enumerate(
        zip(mixture.parameters.means, full_covariances(mixture), strict=True)
    ):
        for i, row in enumerate(X):
            there, lost = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
            rows[j, i] = np.where(np.isnan(row), mean, row)
            inner = matrix[np.ix_(there, there)]
            gain = np.linalg.solve(inner, matrix[np.ix_(there, lost)]).T
            rows[j, i, lost] = mean[lost] + gain @ (row - mean)[there]
            left = matrix[np.ix_(lost, lost)] - gain @ matrix[np.ix_(there, lost)]
            spread[j, i][np.ix_(lost, lost)] = left
    return rows, spread


def expected_moments(mixture: Mixture, X: Array, resp: Array) -> tuple[Array, Array]:
    """Means (k, d), and sums of squares and products about them (k, d, d), of whole rows."""
    rows, spread = expected_whole(mixture, X)
    means = np.einsum("ij,jia->ja", resp, rows) / resp.sum(axis=0)[:, None]
    deviations = rows - means[:, None]
    scatter = np.einsum("ij,jia,jib->jab", resp, deviations, deviations)
    return means, scatter + np.einsum("ij,jiab->jab", resp, spread)
