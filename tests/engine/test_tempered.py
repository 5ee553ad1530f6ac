"""Tempered responsibilities: the objective that EM then raises, and that 1 is plain EM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax

from emplus import Mixture
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from tests.cases import FAMILY_CASES, Array, FamilyCase, every_family
from tests.covering import pairwise
from tests.oracles import exact_log_joint

BETAS = [0.05, 0.5, 0.9, 1.0]
every_beta = pytest.mark.parametrize("beta", BETAS)
every_weighting = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


def problem_at(case: FamilyCase, beta: float, n: int, weighted: bool) -> tuple[Problem, Array]:
    X = case.rows(n)
    weight = np.random.default_rng(1).uniform(0.2, 3.0, size=n) if weighted else None
    problem = replace(case.problem(X, weight, strength=0.5), inverse_temperature=beta)
    return problem, np.ones(n) if weight is None else weight


@every_family
@every_beta
@every_weighting
def test_one_pass_by_its_definition(case: FamilyCase, beta: float, weighted: bool) -> None:
    problem, weight = problem_at(case, beta, 60, weighted)
    state = problem.evaluate(case.mixture)
    joint = exact_log_joint(case.mixture, case.rows(60))
    assert_allclose(state.log_likelihood, weight @ logsumexp(beta * joint, axis=1) / beta)
    assert_allclose(state.statistics.weight, weight @ softmax(beta * joint, axis=1))


@every_family
@every_weighting
def test_it_is_the_negative_free_energy(case: FamilyCase, weighted: bool) -> None:
    # Expected complete log-likelihood plus the entropy of the responsibilities over beta.
    beta = 0.4
    problem, weight = problem_at(case, beta, 60, weighted)
    joint = exact_log_joint(case.mixture, case.rows(60))
    resp = softmax(beta * joint, axis=1)
    entropy = -(resp * np.log(resp)).sum(axis=1)
    wanted = weight @ ((resp * joint).sum(axis=1) + entropy / beta)
    assert_allclose(problem.evaluate(case.mixture).log_likelihood, wanted)


@every_family
@every_weighting
def test_temperature_one_is_plain_em_to_the_bit(case: FamilyCase, weighted: bool) -> None:
    tempered, _ = problem_at(case, 1.0, 200, weighted)
    plain = Problem(tempered.family, tempered.source, tempered.prior)
    one, other = (Engine().climb(problem, case.mixture) for problem in (tempered, plain))
    assert one.objectives == other.objectives
    arrays = case.family.pack(other.state.mixture.parameters)
    for name, array in case.family.pack(one.state.mixture.parameters).items():
        assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    ("case", "beta", "weighted"),
    pairwise(FAMILY_CASES, BETAS, [False, True]),
    ids=lambda value: getattr(value, "id", None),
)
def test_em_raises_the_tempered_objective(case: FamilyCase, beta: float, weighted: bool) -> None:
    problem, weight = problem_at(case, beta, 200, weighted)
    climb = Engine(stopping=Stopping(tol=1e-10, max_iter=300)).climb(problem, case.mixture)
    assert climb.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)
    assert climb.n_iter > 2
    assert np.diff(climb.objectives).min() >= -1e-9 * weight.sum()
    # Only this one: what it ends at is flat for its own temperature.
    best, t = climb.state.mixture, 1e-4

    def gain(seed: int, step: float) -> float:
        moved = case.move(case.family, best.parameters, seed, step)
        mixture = Mixture(case.family, best.log_weights, moved)
        return problem.evaluate(mixture).objective - climb.state.objective

    for seed in range(4):
        ahead, behind = gain(seed, t), gain(seed, -t)
        assert ahead + behind < 0
        assert abs((ahead - behind) / (2 * t)) < 2e-2 * abs((ahead + behind) / t**2)


@every_family
def test_the_hotter_the_more_alike_are_the_responsibilities(case: FamilyCase) -> None:
    weights = [
        problem_at(case, beta, 300, False)[0].evaluate(case.mixture).statistics.weight
        for beta in (1.0, 0.3, 1e-3)
    ]
    for hot in weights[1:]:
        assert_allclose(hot.sum(), 300.0)
    assert_allclose(weights[-1], 100.0, rtol=0.02)
    assert np.ptp(weights[0]) > np.ptp(weights[-1])
