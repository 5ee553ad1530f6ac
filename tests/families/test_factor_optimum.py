"""Where EM of factor analyzers ends, against closed forms and other people's estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import FactorAnalysis

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.gaussian import PhantomRows
from tests.cases import (
    Array,
    every_structure,
    gaussian_family,
    problem_of,
    random_factors,
    tolerated,
)

TIGHT = Engine(stopping=Stopping(tol=1e-13, max_iter=30_000))


def correlated(n: int, d: int, q: int, seed: int = 0) -> Array:
    """Rows of one factor analyzer whose columns have different units."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, q)) @ rng.uniform(0.5, 1.5, size=(q, d))
    noise = rng.standard_normal((n, d)) * rng.uniform(0.5, 1.0, size=d)
    return np.asarray((factors + noise) * 10.0 ** np.linspace(-2, 2, d))


def standardized(X: Array) -> Array:
    return np.asarray((X - X.mean(axis=0)) / X.std(axis=0))


DATA = {
    "correlated": lambda: standardized(correlated(200, 9, 2)),
    "iris": lambda: standardized(load_iris().data),
    "wine": lambda: standardized(load_wine().data),
}


def climbed(problem: Problem, X: Array, resp: Array | None = None) -> Climb:
    resp = np.ones((len(X), 1)) if resp is None else resp
    return TIGHT.climb(problem, problem.estimate(X, resp))


# -- one component ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "q"),
    [("correlated", 1), ("correlated", 2), ("wine", 1), ("wine", 2), ("wine", 3)],
)
def test_one_component_is_as_likely_as_scikit_learns(data: str, q: int) -> None:
    X = DATA[data]()
    climb = climbed(problem_of(FactorAnalyzer(q), ArraySource(X), 0.0), X)
    assert climb.outcome is Outcome.CONVERGED
    theirs = FactorAnalysis(q, tol=1e-10, max_iter=20_000, svd_method="lapack").fit(X)
    assert climb.state.log_likelihood / len(X) == pytest.approx(theirs.score(X), abs=1e-6)
    assert_allclose(climb.state.mixture.parameters.psi[0], theirs.noise_variance_, rtol=1e-3)


@pytest.mark.parametrize(("data", "q"), [("iris", 1), ("iris", 2), ("wine", 4)])
def test_where_noise_runs_to_zero_it_is_no_less_likely(data: str, q: int) -> None:
    # The maximum lies at a noise of zero, which neither reaches: both only come nearer.
    X = DATA[data]()
    problem = problem_of(FactorAnalyzer(q), ArraySource(X), 0.0)
    start = problem.estimate(X, np.ones((len(X), 1)))
    state = Engine(stopping=Stopping(0.0, 2000)).climb(problem, start).state
    theirs = FactorAnalysis(q, tol=1e-10, max_iter=2000, svd_method="lapack")
    with tolerated():
        theirs.fit(X)
    assert state.log_likelihood / len(X) > theirs.score(X) - 1e-6
    assert state.mixture.parameters.psi.min() < 0.01


@pytest.mark.parametrize("q", [1, 2, 4])
def test_isotropic_noise_is_the_closed_form_of_tipping_and_bishop(q: int) -> None:
    # Equations (7) and (8) of Tipping & Bishop (1999).
    X = correlated(150, 6, 3) * 10.0 ** -np.linspace(-2, 2, 6)
    values, vectors = np.linalg.eigh(np.cov(X.T, ddof=0))
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[q:].mean()
    total = np.log(values[:q]).sum() + (6 - q) * np.log(noise) + 6 * (np.log(2 * np.pi) + 1)
    problem = problem_of(FactorAnalyzer(q, "isotropic"), ArraySource(X), 0.0)
    # It is the first guess already, and what EM comes back to from elsewhere.
    first = problem.estimate(X, np.ones((150, 1)))
    reached = problem.evaluate(first).log_likelihood
    assert_allclose(reached, -0.5 * 150 * total, rtol=1e-6)
    moved = replace(first.parameters, loadings=first.parameters.loadings[:, ::-1] + 0.3)
    for start in (first, replace(first, parameters=moved)):
        state = TIGHT.climb(problem, start).state
        assert_allclose(state.log_likelihood, -0.5 * 150 * total, rtol=1e-11)
        parameters = state.mixture.parameters
        assert_allclose(parameters.noise, [noise], rtol=1e-6)
        lengths = np.sqrt(values[:q] - noise)
        assert_allclose(np.linalg.norm(parameters.loadings[0], axis=0), lengths, rtol=1e-5)
        spanned = np.abs(parameters.loadings[0].T @ vectors[:, :q]) / lengths[:, None]
        assert_allclose(spanned, np.eye(q), atol=1e-4)


# -- as few factors as none, as many as there can be --------------------------------------------


def two_clusters(d: int, n: int = 80) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    labels = np.arange(n) % 2
    shapes = rng.standard_normal((2, d, d)) + 1.5 * np.eye(d)
    rows = np.einsum("iab,ib->ia", shapes[labels], rng.standard_normal((n, d)))
    return rows + 6.0 * labels[:, None], np.eye(2)[labels]


def same_prior(family: FactorAnalyzer, problem: Problem, strength: float) -> Problem:
    """With the prior of the Gaussian family alone: none on the noise."""
    prior = family.default_prior(problem.moments, strength)
    return Problem(family, problem.source, replace(prior, noise=0.0 * prior.noise))


@pytest.mark.parametrize("noise", ["diag", "isotropic"])
@pytest.mark.parametrize("strength", [1e-3, 2.0])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_all_factors_but_one_are_full_covariances(noise: str, strength: float, d: int) -> None:
    X, resp = two_clusters(d)
    full = problem_of(gaussian_family("full"), ArraySource(X), strength)
    family = FactorAnalyzer(d - 1, noise)
    found = climbed(same_prior(family, full, strength), X, resp)
    wanted = climbed(full, X, resp)
    assert abs(found.state.objective - wanted.state.objective) < 1e-5 * len(X)
    one, other = found.state.mixture, wanted.state.mixture
    covariances = family.full_covariances(one.parameters)
    assert_allclose(covariances, other.parameters.covariances, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("noise", "name"), [("diag", "diag"), ("isotropic", "spherical")])
@pytest.mark.parametrize("strength", [0.0, 1e-3, 2.0])
def test_no_factors_are_variances(noise: str, name: str, strength: float) -> None:
    X, resp = two_clusters(3)
    problems = [
        problem_of(family, ArraySource(X), strength)
        for family in (FactorAnalyzer(0, noise), gaussian_family(name))
    ]
    ours, theirs = (
        Engine(stopping=Stopping(0.0, 8)).climb(problem, problem.estimate(X, resp))
        for problem in problems
    )
    assert_allclose(ours.objectives, theirs.objectives, rtol=1e-12)
    found, wanted = ours.state.mixture.parameters, theirs.state.mixture.parameters
    assert_allclose(found.means, wanted.means, rtol=1e-10)
    assert_allclose(found.noise, wanted.covariances, rtol=1e-10)


@pytest.mark.parametrize("loadings", ["own", "common"])
def test_no_factors_and_one_noise_are_pooled_variances(loadings: str) -> None:
    X, resp = two_clusters(3)
    problem = problem_of(FactorAnalyzer(0, "shared", loadings), ArraySource(X), 2.0)
    found = problem.estimate(X, resp).parameters
    # In a common space of no dimensions all components are one.
    means = resp.T @ X / resp.sum(axis=0)[:, None] if loadings == "own" else X.mean(axis=0)[None]
    own = resp if loadings == "own" else np.ones((len(X), 1))
    scatter = sum(w @ (X - mean) ** 2 for w, mean in zip(own.T, means, strict=True))
    phantoms = 2 * 2.0 * problem.prior.variances
    assert_allclose(found.noise, (scatter + phantoms) / (len(X) + 2 * 2.0), rtol=1e-10)
    # And an M step finds them again.
    state = problem.evaluate(Mixture(problem.family, np.log([0.5, 0.5]), found))
    if loadings == "common":
        assert_allclose(problem.maximize(state.statistics).parameters.noise, found.noise)


# -- gradients ---------------------------------------------------------------------------------


@every_structure
@pytest.mark.parametrize("strength", [0.0, 2.0])
def test_every_derivative_vanishes_where_a_run_ends(
    noise: str, loadings: str, strength: float
) -> None:
    mixture = random_factors(noise, loadings, k=2, d=6, q=2)
    X, _ = mixture.sample(200, np.random.default_rng(1))
    typical = mixture.parameters.variances.mean(axis=0)
    problem = problem_of(mixture.family, ArraySource(X), strength, typical)
    climb = TIGHT.climb(problem, mixture)
    assert climb.outcome is Outcome.CONVERGED
    best = climb.state.mixture
    h = 1e-4
    for name, array in mixture.family.pack(best.parameters).items():
        for place in np.ndindex(array.shape):

            def at(step: float, name: str = name, place: Any = place) -> float:
                arrays = {key: np.array(a) for key, a in best.family.pack(best.parameters).items()}
                if name == "noise_variance":
                    arrays[name][place] *= np.exp(step)
                else:
                    arrays[name][place] += step
                parameters = best.family.unpack(arrays)
                return problem.evaluate(replace(best, parameters=parameters)).objective

            slope = (at(h) - at(-h)) / (2.0 * h)
            # Some hundred nats for a whole unit, where the start has slopes of ten and more.
            assert abs(slope) < 5e-3, (name, place)
    resp = best.responsibilities(X)
    assert_allclose(best.weights, resp.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_the_prior_is_that_of_full_covariances_and_one_on_the_noise(strength: float) -> None:
    # (m / 2) (log det P - tr(V P)) - (m / 2) tr(U Psi^-1).
    family = FactorAnalyzer(2)
    mixture = random_factors("diag", d=4, q=2)
    X, _ = mixture.sample(50, np.random.default_rng(0))
    prior = problem_of(family, ArraySource(X), strength).prior
    full = gaussian_family("full")
    covariances = family.full_covariances(mixture.parameters)
    gaussian: Any = Mixture.gaussian(mixture.weights, mixture.parameters.means, covariances)
    wanted = full.log_prior(gaussian.parameters, PhantomRows(strength, prior.variances))
    wanted = wanted - 0.5 * strength * (prior.noise / mixture.parameters.psi).sum(axis=1)
    assert_allclose(family.log_prior(mixture.parameters, prior), wanted, rtol=1e-10)
    assert (prior.noise > 0).all()
