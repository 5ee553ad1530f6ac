"""Where factor analyzers are in danger: noise at zero, constant columns, awkward rows, sizes.

Without the prior, noise runs to zero where a column is a factor itself (Heywood 1931).
"""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.families.base import SingularComponentError
from emplus.families.factor_analyzer import NOISES, FactorAnalyzer
from emplus.starts.calibration import calibrated_prior
from tests.awkward import AWKWARD, awkward_rows, every_awkward
from tests.cases import STRUCTURES, Array, every_structure, problem_of
from tests.covering import pairwise

every_noise = pytest.mark.parametrize("noise", NOISES)


def rises(problem: Problem, start: Mixture, max_iter: int = 60) -> Climb:
    """A climb whose objective never falls and whose parameters stay finite."""
    climb = Engine(stopping=Stopping(1e-7, max_iter)).climb(problem, start)
    steps = np.diff(climb.objectives)
    assert steps.min(initial=0.0) >= -max(climb.state.rounding, 1e-8 * problem.source.n_rows)
    assert climb.outcome is not Outcome.OBJECTIVE_FELL
    for array in problem.family.pack(climb.state.mixture.parameters).values():
        assert np.isfinite(array).all()
    assert np.isfinite(climb.objectives).all()
    return climb


def hard(n: int, k: int, seed: int = 0) -> Array:
    labels = np.random.default_rng(seed).permutation(np.arange(n) % k)
    return np.asarray(np.eye(k)[labels])


@pytest.mark.parametrize(
    ("structure", "rows", "q", "k"),
    [(*row, *size) for *row, size in pairwise(STRUCTURES, list(AWKWARD), [(1, 3), (2, 2)])],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_the_objective_never_falls_on_the_awkward_table(
    structure: tuple[str, str], rows: str, q: int, k: int
) -> None:
    noise, loadings = structure
    family, X = FactorAnalyzer(q, noise, loadings), AWKWARD[rows]
    source = ArraySource(X, n_jobs=1)
    problem = Problem(family, source, calibrated_prior(family, source, k))
    climb = rises(problem, problem.estimate(X, hard(len(X), k)), 40)
    assert climb.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)


@every_structure
@every_awkward
def test_without_a_prior_it_is_finite_or_says_why_not(noise: str, loadings: str, X: Array) -> None:
    problem = problem_of(FactorAnalyzer(1, noise, loadings), ArraySource(X), 0.0)
    start: Mixture | None = None
    refused = ""
    try:
        start = problem.estimate(X, hard(len(X), 2))
    except SingularComponentError as error:
        refused = str(error)
    if start is None:
        assert re.match(r"component [01]: its noise variance in column \d has run to zero", refused)
        return
    climb = rises(problem, start, 60)
    if not climb.outcome.usable:
        assert climb.outcome in (Outcome.SINGULAR, Outcome.COMPONENT_EMPTY)
        assert climb.component in (0, 1)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    X=awkward_rows(),
    q=st.integers(0, 3),
    noise=st.sampled_from(NOISES),
    strength=st.sampled_from([1e-3, 0.1, 2.0, None]),
    k=st.integers(1, 4),
)
def test_the_objective_never_falls_on_rows_of_several_oddities(
    X: Array, q: int, noise: str, strength: float | None, k: int
) -> None:
    family, source = FactorAnalyzer(min(q, X.shape[1]), noise), ArraySource(X, n_jobs=1)
    problem = Problem(family, source, calibrated_prior(family, source, k, strength))
    rises(problem, problem.estimate(X, hard(len(X), k)))


# -- Heywood cases -----------------------------------------------------------------------------


def heywood(n: int = 150) -> tuple[Array, Array]:
    """Two clusters; in each, one column is the factor itself and the others follow it."""
    rng = np.random.default_rng(0)
    factor = rng.standard_normal(n)
    noise = rng.standard_normal((n, 4))
    X = np.column_stack([factor, factor[:, None] * [1.0, 0.8, -0.6, 0.5] + 0.7 * noise])
    labels = np.arange(n) % 2
    return X + 8.0 * labels[:, None], np.eye(2)[labels]


@every_noise
def test_the_prior_keeps_noise_where_a_column_is_the_factor(noise: str) -> None:
    X, resp = heywood()
    family, source = FactorAnalyzer(1, noise), ArraySource(X)
    problem = Problem(family, source, calibrated_prior(family, source, 2))
    assert problem.prior.strength > 0
    state = Engine(stopping=Stopping(1e-9, 5000)).climb(problem, problem.estimate(X, resp)).state
    climb = Engine(stopping=Stopping(1e-9, 5000)).climb(problem, state.mixture)
    assert climb.outcome is Outcome.CONVERGED
    m, weight = problem.prior.strength, state.statistics.weight
    psi = state.mixture.parameters.psi
    if noise == "shared":
        least = m * problem.prior.noise / (weight.sum() + 2 * m)
    else:
        least = m * problem.prior.noise / (weight[:, None] + m)
        if noise == "isotropic":
            least = least.mean(axis=1, keepdims=True)
    assert (psi >= least * (1.0 - 1e-6)).all()


def test_without_a_prior_it_runs_to_zero_there() -> None:
    # Otherwise the test above would say nothing.
    X, resp = heywood()

    def noise_after(strength: float, max_iter: int) -> tuple[Outcome, Array]:
        problem = problem_of(FactorAnalyzer(1), ArraySource(X), strength)
        engine = Engine(stopping=Stopping(1e-12, max_iter))
        climb = engine.climb(problem, problem.estimate(X, resp))
        return climb.outcome, climb.state.mixture.parameters.psi

    _, first = noise_after(0.0, 100)
    outcome, later = noise_after(0.0, 1000)
    assert outcome is Outcome.ITERATIONS_EXHAUSTED
    assert (later[:, 0] < 0.4 * first[:, 0]).all()
    assert (later[:, 1:] > 0.8 * first[:, 1:]).all()
    # A thousandth of a row ends that.
    outcome, held = noise_after(1e-3, 1000)
    assert outcome is Outcome.CONVERGED
    assert (held[:, 0] > 2.0 * later[:, 0]).all()


# -- constant columns ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "loadings", "strength", "value"),
    [
        (*structure, *rest)
        for structure, *rest in pairwise(
            [("diag", "own"), ("shared", "own"), ("diag", "common")], [1e-3, 2.0], [0.0, 7.0, -1e6]
        )
    ],
)
def test_a_constant_column_is_neutral(
    noise: str, loadings: str, strength: float, value: float
) -> None:
    X, resp = heywood()
    rows = np.insert(X, 2, value, axis=1)
    family = FactorAnalyzer(1, noise, loadings)
    plain, constant = (problem_of(family, ArraySource(each), strength) for each in (X, rows))
    variance = constant.prior.variances[2]
    # From the same start. One of its own is a little different: it looks at all columns.
    start = plain.estimate(X, resp)
    added = {
        "means": (value, -1),
        "loadings": (0.0, 1),
        "noise_variance": (variance, -1),
        "offset": (value, 0),
        "basis": (0.0, 0),
    }
    arrays = {
        name: np.insert(array, 2, *added[name]) if name in added else array
        for name, array in family.pack(start.parameters).items()
    }
    begun = replace(start, parameters=family.unpack(arrays))
    engine = Engine(stopping=Stopping(0.0, 12))
    one, other = engine.climb(plain, start), engine.climb(constant, begun)
    assert one.n_iter == other.n_iter == 12
    differences = np.subtract(other.log_likelihoods, one.log_likelihoods)
    assert_allclose(differences, -0.5 * len(X) * np.log(2 * np.pi * variance), rtol=1e-8)
    constants = np.subtract(other.objectives, one.objectives)
    assert_allclose(constants, constants[0], rtol=1e-8)
    assert_allclose(
        other.state.mixture.responsibilities(rows),
        one.state.mixture.responsibilities(X),
        atol=1e-8,
    )
    kept = np.delete(np.arange(6), 2)
    found, wanted = other.state.mixture.parameters, one.state.mixture.parameters
    assert_allclose(found.means[:, kept], wanted.means, rtol=1e-7, atol=1e-7)
    assert_allclose(found.loadings[:, kept], wanted.loadings, rtol=1e-6, atol=1e-7)
    assert_allclose(found.psi[:, kept], wanted.psi, rtol=1e-7)
    assert_allclose(found.means[:, 2], value, rtol=1e-12)
    assert (found.loadings[:, 2] == 0).all()
    # And where both end, whatever they began with.
    ends = [
        Engine(stopping=Stopping(1e-11, 5000)).climb(problem, problem.estimate(each, resp)).state
        for problem, each in ((plain, X), (constant, rows))
    ]
    assert ends[1].objective - ends[0].objective == pytest.approx(constants[0], abs=1e-4)


@every_structure
def test_with_constant_columns_only_it_is_finite(noise: str, loadings: str) -> None:
    X = np.tile([3.0, -1e5, 0.0], (9, 1))
    problem = problem_of(FactorAnalyzer(1, noise, loadings), ArraySource(X), 2.0)
    climb = rises(problem, problem.estimate(X, hard(9, 2)))
    assert np.isfinite(climb.state.mixture.log_density(X)).all()


# -- sizes ---------------------------------------------------------------------------------------


@every_structure
def test_more_factors_than_rows_or_directions(noise: str, loadings: str) -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.standard_normal((3, 6)), 9.0 + rng.standard_normal((9, 6))])
    resp = np.eye(2)[[0] * 3 + [1] * 9]
    for rows in (X, X[:, [0, 0, 1, 1, 0, 1]]):
        problem = problem_of(FactorAnalyzer(5, noise, loadings), ArraySource(rows), 0.5)
        rises(problem, problem.estimate(rows, resp))


@every_structure
def test_a_component_that_loses_its_rows_is_as_wide_as_the_prior(noise: str, loadings: str) -> None:
    X = AWKWARD["whole numbers"]
    resp = np.column_stack([np.ones(len(X)), np.zeros(len(X))])
    problem = problem_of(FactorAnalyzer(1, noise, loadings), ArraySource(X), 2.0)
    start = problem.estimate(X, resp)
    # Without weight it stays without rows.
    log_weights = np.array([0.0, -np.inf])
    for _ in range(200):
        state = problem.evaluate(Mixture(start.family, log_weights, start.parameters))
        start = problem.maximize(state.statistics)
    family: Any = problem.family
    if noise == "diag" and loadings == "own":
        wanted = problem.prior.variances + problem.prior.noise
        assert (start.parameters.variances[1] <= wanted * (1.0 + 1e-6)).all()
        assert (start.parameters.variances[1] >= 0.9 * problem.prior.variances).all()
    for covariance in family.full_covariances(start.parameters):
        assert (np.linalg.eigvalsh(covariance) > 0).all()
    without_prior = problem_of(family, ArraySource(X), 0.0)
    with pytest.raises(SingularComponentError, match="no row belongs to it"):
        without_prior.maximize(state.statistics)


@every_structure
def test_thousands_of_columns_take_no_matrix_of_them(noise: str, loadings: str) -> None:
    n, d = 60, 2000
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)) + rng.standard_normal((n, d))
    X += 3.0 * labels[:, None]
    problem = problem_of(FactorAnalyzer(3, noise, loadings), ArraySource(X, n_jobs=1), 2.0)
    tracemalloc.start()
    climb = rises(problem, problem.estimate(X, np.eye(2)[labels]), 15)
    mixture = climb.state.mixture
    mixture.log_density(X)
    mixture.sample(5, rng)
    family: Any = problem.family
    family.average(mixture.parameters, np.ones(2))
    family.perturb(mixture.parameters, 0.1, rng)
    mixture.condition(range(d - 3), X[0, : d - 3])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.25 * d * d * 8
    assert (mixture.predict(X) == labels).all()
