"""Statistics that parameters imply, and statistics as of more or fewer rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem, State
from tests.cases import FamilyCase, every_family


def a_state(case: FamilyCase, n: int = 200, weight: float = 1.0) -> tuple[Problem, State]:
    problem = case.problem(case.rows(n, 1), np.full(n, weight), strength=1.5)
    return problem, problem.evaluate(case.mixture)


def assert_same(case: FamilyCase, one: Any, other: Any, rtol: float = 1e-9) -> None:
    for name, array in case.family.pack(one).items():
        assert_allclose(case.family.pack(other)[name], array, rtol=rtol, atol=rtol, err_msg=name)


@every_family
@pytest.mark.parametrize("factor", [1.0, 40.0])
def test_fitted_parameters_imply_statistics_that_give_them_back(
    case: FamilyCase, factor: float
) -> None:
    problem, _ = a_state(case)
    mixture = Engine(stopping=Stopping(0.0, 20)).climb(problem, case.mixture).state.mixture
    weight = factor * 200 * mixture.weights
    implied = case.family.implied(mixture.parameters, weight, problem.prior)
    assert_allclose(implied.weight, weight)
    again = problem.maximize(implied)
    assert_allclose(again.weights, mixture.weights)
    assert_same(case, mixture.parameters, again.parameters)


@every_family
def test_a_component_that_stands_for_nothing_is_left_to_the_prior(
    case: FamilyCase,
) -> None:
    problem, _ = a_state(case)
    weight = np.array([0.0, 100.0, 100.0])
    mixture = problem.maximize(case.family.implied(case.mixture.parameters, weight, problem.prior))
    assert mixture.weights[0] == 0.0
    for array in case.family.pack(mixture.parameters).values():
        assert np.isfinite(array).all()
    assert np.isfinite(problem.evaluate(mixture).objective)


@every_family
def test_scaled_statistics_are_those_of_weighted_rows(case: FamilyCase) -> None:
    problem, state = a_state(case)
    _, heavy = a_state(case, weight=2.5)
    scaled = state.statistics.scaled(2.5)
    assert_allclose(scaled.weight, heavy.statistics.weight)
    assert_same(
        case,
        problem.maximize(heavy.statistics).parameters,
        problem.maximize(scaled).parameters,
    )


@every_family
def test_parts_that_are_scaled_add_to_the_whole(case: FamilyCase) -> None:
    problem, state = a_state(case)
    statistics = state.statistics
    whole = statistics.scaled(0.3) + statistics.scaled(0.7)
    assert_allclose(whole.weight, statistics.weight)
    one, other = problem.maximize(statistics), problem.maximize(whole)
    assert_same(case, one.parameters, other.parameters)


@every_family
def test_only_what_does_not_depend_on_parameters_pools(case: FamilyCase) -> None:
    # Where statistics of halves under different parameters may be added, their sum is what all
    # rows tell if both halves were seen under the same.
    problem, state = a_state(case)
    assert case.family.pools == case.exact
    halves = [Problem(case.family, part, problem.prior) for part in problem.source.parts(2)]
    one, other = (half.evaluate(case.mixture).statistics for half in halves)
    assert_allclose((one + other).weight, state.statistics.weight)
    joined = problem.maximize(one + other)
    assert_same(case, problem.maximize(state.statistics).parameters, joined.parameters, 1e-8)


@every_family
@pytest.mark.parametrize("strength", [0.0, 50.0, 1e4])
def test_under_another_prior_what_is_implied_is_still_that_of_rows(
    case: FamilyCase, strength: float
) -> None:
    # As where a model goes on under a prior that it was not fitted under.
    problem, _ = a_state(case)
    other = case.problem(case.rows(200, 1), strength=strength)
    mixture = Engine(stopping=Stopping(0.0, 20)).climb(problem, case.mixture).state.mixture
    weight = 20 * mixture.weights
    found = other.maximize(case.family.implied(mixture.parameters, weight, other.prior))
    assert_allclose(found.weights, mixture.weights)
    # A mixture whose densities are densities: it scores its own rows better than others do.
    own = found.sample(2000, np.random.default_rng(0))[0]
    gain = found.log_density(own) - mixture.log_density(own)
    assert gain.mean() > -3.0 * gain.std() / np.sqrt(2000) - 1e-9
    if strength == 0.0:
        assert_allclose(found.log_density(own), mixture.log_density(own), atol=1e-6)
    assert_probabilities(case, found)


def assert_probabilities(case: FamilyCase, mixture: Any) -> None:
    """Sums over the levels of each column are 1: a file with anything else is refused."""
    parameters = mixture.parameters
    pairs = case.family.parts or ((case.family, None),)
    owns = parameters.parts if case.family.parts else (parameters,)
    for (family, _), own in zip(pairs, owns, strict=True):
        if family.name == "categorical":
            columns = np.cumsum(family.levels)[:-1]
            for column in np.split(own.probabilities, columns, axis=1):
                assert_allclose(column.sum(axis=1), 1.0, atol=1e-12)
