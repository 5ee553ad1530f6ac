"""Fits of rows with holes: the objective, where it ends, and what must not change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from tests.cases import (
    CONTINUOUS_CASES,
    FAMILY_CASES,
    Array,
    FamilyCase,
    every_continuous_family,
    every_family,
    tolerated,
)
from tests.counted import holed
from tests.oracles import exact_log_joint
from tests.rising import assert_rises

# Far more cases would say the same again.
OTHER_CASES = [case for case in FAMILY_CASES if case not in CONTINUOUS_CASES]


def estimated(problem: Problem, X: Array, k: int = 3, seed: int = 0) -> Mixture:
    return problem.estimate(X, np.random.default_rng(seed).dirichlet(np.ones(k), size=len(X)))


@every_family
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_objective_counts_what_is_there(case: FamilyCase, dtype: type[np.floating]) -> None:
    X = holed(case.rows(60), 0.3).astype(dtype)
    weight = np.random.default_rng(1).uniform(0.0, 3.0, 60)
    state = case.problem(X, weight).evaluate(case.mixture)
    exact = exact_log_joint(case.mixture, X.astype(np.float64))
    wanted = weight @ np.logaddexp.reduce(exact, axis=1)
    rtol = 1e-10 if dtype == np.float64 else 1e-5
    assert_allclose(state.log_likelihood, wanted, rtol=rtol)


@every_family
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_em_never_lowers_it(case: FamilyCase, share: float) -> None:
    X = holed(case.rows(80), share)
    problem = case.problem(X, strength=0.1)
    climb = Engine(stopping=Stopping(0.0, 60)).climb(problem, estimated(problem, X))
    assert climb.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)
    assert np.diff(climb.objectives).min() >= -1e-9 * len(X)
    assert climb.objectives[-1] > climb.objectives[0] + 1.0


@every_family
def test_its_gradient_vanishes_where_em_ends(case: FamilyCase) -> None:
    X = holed(case.rows(150), 0.2)
    problem = case.problem(X, strength=1.0)
    climb = Engine(stopping=Stopping(1e-13, 20_000)).climb(problem, case.mixture)
    assert climb.outcome is Outcome.CONVERGED
    best, t = climb.state.mixture, 1e-4

    def gain(seed: int, step: float) -> float:
        moved = case.move(case.family, best.parameters, seed, step)
        mixture = Mixture(case.family, best.log_weights, moved)
        return problem.evaluate(mixture).objective - climb.state.objective

    for seed in range(6):
        ahead, behind = gain(seed, t), gain(seed, -t)
        slope, curvature = (ahead - behind) / (2.0 * t), (ahead + behind) / t**2
        assert curvature < 0
        assert abs(slope / curvature) < 3e-4
    assert_allclose(best.weights, best.responsibilities(X).mean(axis=0), rtol=1e-4)


@every_family
def test_fits_rise_at_default_settings(case: FamilyCase) -> None:
    X = holed(case.rows(120), 0.25)
    # The default search, too, where components have no part in common that slows it down.
    search = "split_merge" if case.id in ("gaussian-full", "bernoulli") else "em"
    assert_rises(case, X, 3, 0, search=search)


@pytest.mark.parametrize("index", range(len(OTHER_CASES)), ids=lambda i: OTHER_CASES[i].id)
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_counted_columns_rise_with_whatever_oddities(
    index: int, data: st.DataObject, seed: int
) -> None:
    case = OTHER_CASES[index]
    X = case.rows(60, seed)
    if data.draw(st.booleans()):
        X = X[np.random.default_rng(seed).integers(20, size=60)]
    if data.draw(st.booleans()):
        X = holed(X, data.draw(st.sampled_from([0.1, 0.5])), seed)
    if data.draw(st.booleans()):
        X[:, case.real] = 1e6 + np.round(X[:, case.real])
    if np.isnan(X).all(axis=0).any():
        return
    values = [len(np.unique(column[~np.isnan(column)])) for column in X.T]
    arguments = {"search": data.draw(st.sampled_from(["em", "split_merge"]))}
    if min(values) > 1:
        assert_rises(case, X, data.draw(st.integers(1, 4)), seed, **arguments)


@every_continuous_family
def test_far_from_zero_is_as_near(case: FamilyCase) -> None:
    near = np.round(holed(case.rows(120), 0.2) * 2.0**20) / 2.0**20
    fits = []
    for shift in (0.0, 1e8):
        X = near + shift
        problem = case.problem(X, strength=1.0)
        labels = np.arange(len(X)) % 3
        first = problem.estimate(X, 0.8 * np.eye(3)[labels] + 0.2 / 3)
        climb = Engine(stopping=Stopping(0.0, 20)).climb(problem, first)
        fits.append((climb, climb.state.mixture.log_joint(X)))
    assert_allclose(fits[1][0].objectives, fits[0][0].objectives, rtol=1e-6)
    assert_allclose(fits[1][1], fits[0][1], rtol=1e-4, atol=1e-4)


@every_continuous_family
def test_float32_is_as_good_as_its_rows(case: FamilyCase) -> None:
    X = holed(case.rows(300), 0.2)
    single, double = (
        case.problem(rows, strength=1.0).evaluate(case.mixture)
        for rows in (X.astype(np.float32), X.astype(np.float32).astype(np.float64))
    )
    assert_allclose(single.log_likelihood, double.log_likelihood, rtol=1e-5)
    one, other = (
        case.family.maximize(state.statistics, case.problem(X).prior) for state in (single, double)
    )
    moved = Mixture(case.family, case.mixture.log_weights, one)
    wanted = Mixture(case.family, case.mixture.log_weights, other)
    assert_allclose(moved.log_joint(X), wanted.log_joint(X), rtol=1e-3, atol=1e-3)


@every_family
def test_estimators_do_not_see_the_order_of_the_rows(case: FamilyCase) -> None:
    X = holed(case.rows(300), 0.15)
    shuffled = np.random.default_rng(2).permutation(len(X))
    arguments: dict[str, Any] = {"search": "em", "max_iter": 30, "random_state": 0}
    with tolerated():
        one = case.estimator(3, init_params="random", **arguments).fit(X)
    # Answers come in the order of the questions.
    assert_allclose(one.predict_proba(X)[shuffled], one.predict_proba(X[shuffled]), atol=1e-9)
    assert_allclose(one.score_samples(X)[shuffled], one.score_samples(X[shuffled]), rtol=1e-9)
    filled = np.asarray(one.impute(X))
    assert_array_equal(filled[~np.isnan(X)].astype(float), X[~np.isnan(X)])
    assert_allclose(np.asarray(one.impute(X[shuffled])), filled[shuffled], rtol=1e-8, atol=1e-8)
    drawn = np.asarray(one.sample_missing(X, random_state=1))
    assert_array_equal(drawn[~np.isnan(X)].astype(float), X[~np.isnan(X)])
    assert np.isfinite(drawn.astype(float)).all()
    assert_array_equal(drawn, np.asarray(one.sample_missing(X, random_state=1)))


@every_family
def test_the_same_bits_for_any_number_of_threads(case: FamilyCase) -> None:
    X = holed(case.rows(6_000), 0.1)
    traces = []
    for n_jobs in (1, 2, 3):
        problem = case.problem(X)
        problem = Problem(case.family, ArraySource(X, None, n_jobs), problem.prior)
        climb = Engine(stopping=Stopping(0.0, 2)).climb(problem, case.mixture)
        traces.append(climb.objectives)
    assert traces[0] == traces[1] == traces[2]
