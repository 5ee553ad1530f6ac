"""What every family owes its users, family by family from the table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from emplus import Mixture
from emplus.engine.problem import Problem
from emplus.families.base import Family
from emplus.families.registry import FAMILIES, make_family
from emplus.numerics.moments import Moments
from tests.cases import (
    FAMILY_CASES,
    GAUSSIAN_CASES,
    OUTSIDE_CASES,
    Array,
    FamilyCase,
    every_family,
)
from tests.oracles import expected_objective, m_step, m_steps


def responsibilities(n: int, k: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.5), size=n)


def m_step_of(case: FamilyCase, strength: float) -> tuple[Problem, Array, Array]:
    """A problem, and rows and responsibilities to take M steps with."""
    X = case.rows(case.telling_rows)
    # Any responsibilities have one best mean and covariance. Factors need rows that have some:
    # otherwise their noise or their length runs to zero, slower and slower.
    resp = responsibilities(len(X), 3) if case.exact else case.mixture.responsibilities(X)
    typical = case.family.variances(case.mixture.parameters).mean(axis=0)
    return case.problem(X, strength=strength, spread=typical), X, resp


def maximizer(case: FamilyCase, problem: Problem, X: Array, resp: Array) -> object:
    first = problem.family.estimate(X, resp, problem.prior)
    if case.exact:
        return m_step(problem, first, X, resp)
    return m_steps(problem, first, X, resp)[0]


def test_every_family_of_the_registry_has_a_row_in_the_table() -> None:
    inside = [case for case in FAMILY_CASES if case not in OUTSIDE_CASES]
    assert {case.family.name for case in inside} == set(FAMILIES)


@every_family
def test_is_a_family(case: FamilyCase) -> None:
    assert isinstance(case.family, Family)


@every_family
def test_config_makes_it_again(case: FamilyCase) -> None:
    config = json.loads(json.dumps(case.family.config()))
    assert make_family(case.family.name, **config) == case.family


@every_family
@pytest.mark.parametrize("strength", [0.0, 1e-3, 2.0, 50.0])
def test_m_step_is_stationary(case: FamilyCase, strength: float) -> None:
    problem, X, resp = m_step_of(case, strength)
    best = maximizer(case, problem, X, resp)
    at_best = expected_objective(problem, best, X, resp)
    for seed in range(8):

        def along(t: float, seed: int = seed) -> float:
            moved = case.move(case.family, best, seed, t)
            return expected_objective(problem, moved, X, resp) - at_best

        t = 1e-4
        # Of central differences the cubic term of the expansion is all that is left.
        slope, curvature = (along(t) - along(-t)) / (2 * t), (along(t) + along(-t)) / t**2
        assert curvature < 0
        assert abs(slope) < 1e-5 * abs(curvature)
        assert along(0.05) < 0
        assert along(-0.05) < 0


@every_family
def test_the_prior_moves_the_m_step(case: FamilyCase) -> None:
    # Otherwise the test above would pass with a prior that is in neither.
    weak, X, resp = m_step_of(case, 0.0)
    strong, _, _ = m_step_of(case, 50.0)
    best, strongest = maximizer(case, weak, X, resp), maximizer(case, strong, X, resp)
    reached, most = (expected_objective(strong, each, X, resp) for each in (best, strongest))
    assert reached < most - 1e-3


@every_family
@pytest.mark.parametrize("strength", [0.0, 1e-3, 2.0])
def test_m_steps_rise_to_where_they_stay(case: FamilyCase, strength: float) -> None:
    problem, X, resp = m_step_of(case, strength)
    start = case.move(case.family, case.mixture.parameters, 1, 0.3)
    best, objectives = m_steps(problem, start, X, resp)
    rises = np.diff(objectives)
    assert rises[0] > 1.0
    assert rises.min() > -1e-9
    if case.exact:
        assert_allclose(objectives[1:], objectives[1], rtol=1e-13)
        return
    # The first guess is nearer to the same maximum.
    first = problem.family.estimate(X, resp, problem.prior)
    again, others = m_steps(problem, first, X, resp)
    assert np.diff(others).min() > -1e-9
    assert others[0] > objectives[0]
    assert_allclose(others[-1], objectives[-1], rtol=1e-7)
    assert_allclose(_densities(case, again, X), _densities(case, best, X), atol=0.02)


def _densities(case: FamilyCase, parameters: object, X: Array) -> Array:
    return Mixture(case.family, np.zeros(3), parameters).log_joint(X)


@every_family
def test_the_engine_has_the_same_m_step(case: FamilyCase) -> None:
    X = case.rows(500)
    problem = case.problem(X)
    state = problem.evaluate(case.mixture)
    stepped = problem.maximize(state.statistics)
    resp = case.mixture.responsibilities(X)
    if case in GAUSSIAN_CASES:
        direct = problem.estimate(X, resp)
    else:
        parameters = m_step(problem, case.mixture.parameters, X, resp)
        direct = Mixture(case.family, np.log(resp.mean(axis=0)), parameters)
    assert_allclose(stepped.weights, direct.weights, rtol=1e-10)
    assert_allclose(stepped.log_joint(X), direct.log_joint(X), rtol=1e-8, atol=1e-8)


@every_family
def test_expected_statistics_of_other_parameters_do_not_add(case: FamilyCase) -> None:
    X = case.rows(60)
    problem = case.problem(X)
    moved = case.move(case.family, case.mixture.parameters, 2, 0.1)
    one, same, other = (
        problem.evaluate(Mixture(case.family, case.mixture.log_weights, parameters)).statistics
        for parameters in (
            case.mixture.parameters,
            case.family.unpack(case.family.pack(case.mixture.parameters)),
            moved,
        )
    )
    assert_allclose((one + same).weight, 2.0 * one.weight)
    if case.exact:
        assert_allclose((one + other).weight, one.weight + other.weight)
    else:
        with pytest.raises(ValueError, match="same parameters"):
            one + other


@every_family
@pytest.mark.parametrize("shift", [0.0, 1e8], ids=["near", "far"])
def test_statistics_of_parts_add_to_those_of_the_whole(case: FamilyCase, shift: float) -> None:
    X = np.round(case.rows(90) * 2.0**16) / 2.0**16 + shift * case.real
    problem = case.problem(X)
    start = problem.estimate(X, responsibilities(90, 3))
    k = start.n_components

    def statistics(rows: Array) -> Any:
        return case.problem(rows).evaluate(start).statistics

    one, other, whole = statistics(X[:25]), statistics(X[25:]), statistics(X)
    added, swapped = one + other, other + one
    assert_allclose(added.weight, whole.weight, rtol=1e-9)

    def fitted(statistics: Any) -> Array:
        parameters = case.family.maximize(statistics, problem.prior)
        return Mixture(case.family, np.zeros(k), parameters).log_joint(X[:20])

    assert_allclose(fitted(added), fitted(whole), rtol=1e-6, atol=1e-6)
    assert_allclose(fitted(swapped), fitted(whole), rtol=1e-6, atol=1e-6)


@every_family
def test_take_gives_some_of_the_components(case: FamilyCase) -> None:
    X = case.rows(20)
    joint = case.mixture.log_joint(X)
    taken = case.mixture.take([2, 0])
    lost = np.log(case.mixture.weights[[2, 0]].sum())
    assert_allclose(taken.log_joint(X), joint[:, [2, 0]] - lost, rtol=1e-10, atol=1e-10)
    statistics = case.problem(X).evaluate(case.mixture).statistics
    assert_array_equal(statistics.take([2, 0]).weight, statistics.weight[[2, 0]])


@every_family
def test_pack_and_unpack_are_inverse(case: FamilyCase) -> None:
    arrays = case.family.pack(case.mixture.parameters)
    again = Mixture(case.family, case.mixture.log_weights, case.family.unpack(arrays))
    X = case.rows(20)
    assert_array_equal(again.log_joint(X), case.mixture.log_joint(X))


@every_family
def test_unpack_refuses_what_does_not_fit(case: FamilyCase) -> None:
    arrays = case.family.pack(case.mixture.parameters)
    for name in arrays:
        # A part of a product calls an array by its own name.
        with pytest.raises(ValueError, match=name.split(".")[-1]):
            case.family.unpack({other: a for other, a in arrays.items() if other != name})
        with pytest.raises(ValueError, match=r"not finite|no probabilities"):
            case.family.unpack({**arrays, name: np.full_like(arrays[name], np.nan)})
        with pytest.raises(ValueError, match="shape"):
            case.family.unpack({**arrays, name: arrays[name][..., None]})


@every_family
def test_samples_follow_the_density(case: FamilyCase) -> None:
    # If rows X come from p, then q(X) / p(X) averages to 1 for every density q; here q is p moved.
    X = case.rows(40_000, seed=3)
    log_p = case.mixture.log_density(X)
    for seed in range(4):
        parameters = case.move(case.family, case.mixture.parameters, seed, 0.05)
        moved = Mixture(case.family, case.mixture.log_weights, parameters)
        ratio = np.exp(moved.log_density(X) - log_p)
        error = ratio.std() / np.sqrt(len(X))
        assert abs(ratio.mean() - 1.0) < 4.5 * error
        assert error < 0.05


@every_family
def test_sampled_labels_follow_the_weights(case: FamilyCase) -> None:
    _, labels = case.mixture.sample(20_000, np.random.default_rng(0))
    counts = np.bincount(labels, minlength=3)
    assert stats.chisquare(counts, 20_000 * case.mixture.weights).pvalue > 1e-3


@every_family
def test_free_parameters_of_more_components_add(case: FamilyCase) -> None:
    one, two, three = (case.family.n_free_parameters(k, 8) for k in (1, 2, 3))
    assert 0 < two - one == three - two
    own = case.family.n_free_parameters(3, case.mixture.n_features)
    assert case.mixture.n_free_parameters == own + 2


@every_family
def test_features_are_a_row_each(case: FamilyCase) -> None:
    rows = case.rows(7)
    assert len(case.family.features(rows, Moments.of(rows, levels=case.family.levels))) == 7
