"""Rows whose components are known: what the objective says of them, and that they stay there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, constrain
from emplus.errors import ArgumentError
from emplus.search.base import Budget
from emplus.search.registry import make_search
from emplus.starts.base import standardized
from emplus.starts.given import KnownLabels
from tests.cases import (
    FAMILY_CASES,
    Array,
    FamilyCase,
    every_family,
    every_search,
    problem_of,
    tolerated,
)
from tests.counted import holed
from tests.oracles import exact_log_joint, m_step, m_steps
from tests.search.helpers import search, trapped

SEARCHED = [case for case in FAMILY_CASES if case.id in ("gaussian-full", "bernoulli")]
searched_cases = pytest.mark.parametrize("case", SEARCHED, ids=lambda case: case.id)


def drawn(case: FamilyCase, n: int = 200, share: float = 0.3) -> tuple[Array, Any]:
    """Rows, and the true component of some of them."""
    X, labels = case.mixture.sample(n, np.random.default_rng(1))
    return X, np.where(np.random.default_rng(2).random(n) < share, labels, -1)


def labelled(
    case: FamilyCase, X: Array, labels: Any, weight: Array | None = None, strength: float = 1e-3
) -> Problem:
    return problem_of(case.family, ArraySource(X, weight, 1, labels), strength)


def constrained_joint(mixture: Mixture, X: Array, labels: Any) -> Array:
    """log p(x_i, j), with nothing left of components that a row is known not to come from."""
    joint = exact_log_joint(mixture, X)
    for i, label in enumerate(labels):
        for j in range(joint.shape[1]):
            if label >= 0 and j != label:
                joint[i, j] = -np.inf
    return joint


# -- one pass ------------------------------------------------------------------------------------


def test_constrain_leaves_one_component_of_rows_that_are_known() -> None:
    joint = np.log(np.random.default_rng(0).random((5, 3)))
    before = joint.copy()
    labels = np.array([2, -1, 0, -1, 1])
    constrain(joint, labels)
    assert_array_equal(joint[[1, 3]], before[[1, 3]])
    for i in (0, 2, 4):
        assert joint[i, labels[i]] == before[i, labels[i]]
        assert np.isneginf(np.delete(joint[i], labels[i])).all()


@every_family
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "holed"])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_one_pass_by_its_definition(case: FamilyCase, share: float, beta: float) -> None:
    X, labels = drawn(case)
    X = holed(X, share)
    weight = np.random.default_rng(3).uniform(0.0, 2.0, len(X))
    plain = labelled(case, X, labels, weight)
    problem = Problem(plain.family, plain.source, plain.prior, beta)
    state = problem.evaluate(case.mixture)
    joint = beta * constrained_joint(case.mixture, X, labels)
    log_density = logsumexp(joint, axis=1)
    assert_allclose(state.log_likelihood, weight @ log_density / beta, rtol=1e-10)
    resp = np.exp(joint - log_density[:, None])
    assert_allclose(state.statistics.weight, weight @ resp, rtol=1e-9)
    if beta == 1.0 and not share:
        known = labels >= 0
        assert_array_equal(resp[known], np.eye(3)[labels[known]])
        stepped = problem.maximize(state.statistics)
        wanted = m_step(problem, case.mixture.parameters, X, weight[:, None] * resp)
        again = Mixture(case.family, stepped.log_weights, wanted)
        assert_allclose(stepped.log_joint(X), again.log_joint(X), rtol=1e-8, atol=1e-8)


@every_family
def test_labels_of_nothing_are_no_labels(case: FamilyCase) -> None:
    X = case.rows(100)
    none = labelled(case, X, np.full(100, -1)).evaluate(case.mixture)
    plain = case.problem(X).evaluate(case.mixture)
    assert none.objective == plain.objective


# -- EM ------------------------------------------------------------------------------------------


@every_family
def test_where_all_rows_are_known_one_m_step_is_the_fit(case: FamilyCase) -> None:
    n = 100 if case.exact else 600
    X, labels = case.mixture.sample(max(n, case.telling_rows), np.random.default_rng(1))
    problem = labelled(case, X, labels, strength=1.0)
    resp = np.eye(3)[labels]
    climb = Engine(stopping=Stopping(0.0 if case.exact else 1e-12, 5000)).climb(
        problem, case.mixture
    )
    assert climb.outcome is Outcome.CONVERGED
    if case.exact:
        best = m_step(problem, case.mixture.parameters, X, resp)
        assert climb.n_iter <= 3
    else:
        best, _ = m_steps(problem, case.mixture.parameters, X, resp)
    assert_allclose(climb.state.mixture.weights, resp.mean(axis=0), rtol=1e-12)
    wanted = Mixture(case.family, np.log(resp.mean(axis=0)), best)
    atol = 1e-9 if case.exact else 1e-2
    assert_allclose(climb.state.mixture.log_joint(X), wanted.log_joint(X), rtol=1e-7, atol=atol)
    complete = (resp * wanted.log_joint(X)).sum()
    complete += case.family.log_prior(best, problem.prior).sum()
    assert_allclose(climb.state.objective, complete, rtol=1e-9)


@pytest.mark.parametrize("name", ["gaussian-full", "bernoulli"])
def test_where_all_rows_are_known_it_is_the_closed_form(name: str) -> None:
    case = next(case for case in FAMILY_CASES if case.id == name)
    X, labels = case.mixture.sample(200, np.random.default_rng(1))
    climb = Engine().climb(labelled(case, X, labels, strength=0.0), case.mixture)
    arrays = case.family.pack(climb.state.mixture.parameters)
    for j in range(3):
        own = X[labels == j]
        (means, *others) = arrays.values()
        assert_allclose(means[j], own.mean(axis=0), rtol=1e-10)
        for covariances in others:
            assert_allclose(covariances[j], np.cov(own.T, ddof=0), rtol=1e-8, atol=1e-12)


@every_family
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "holed"])
def test_em_never_lowers_the_objective(case: FamilyCase, share: float) -> None:
    X, labels = drawn(case)
    X = holed(X, share)
    problem = labelled(case, X, labels, strength=0.1)
    start = problem.estimate(X, np.random.default_rng(0).dirichlet(np.ones(3), size=len(X)))
    climb = Engine(stopping=Stopping(0.0, 60)).climb(problem, start)
    assert np.diff(climb.objectives).min() >= -1e-9 * len(X)
    assert climb.objectives[-1] > climb.objectives[0] + 10.0


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_whatever_is_known_the_objective_rises(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = data.draw(st.sampled_from(FAMILY_CASES))
    X = holed(case.rows(40, seed % 1000), data.draw(st.sampled_from([0.0, 0.4])), seed)
    # Labels at odds with the rows, of some components or of one only.
    most = data.draw(st.integers(1, 3))
    labels = np.where(
        rng.random(40) < data.draw(st.sampled_from([0.05, 0.5, 1.0])), rng.integers(0, most, 40), -1
    )
    problem = labelled(case, X, labels, strength=0.5)
    start = problem.estimate(X, rng.dirichlet(np.ones(3), size=40))
    climb = Engine(stopping=Stopping(0.0, 15)).climb(problem, start)
    assert climb.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)
    assert np.isfinite(climb.objectives).all()
    assert np.diff(climb.objectives).min() >= -1e-8 * (1.0 + abs(climb.objectives[0]))


# -- starts --------------------------------------------------------------------------------------


@every_family
def test_a_start_puts_components_at_their_known_rows(case: FamilyCase) -> None:
    mixture = case.like(3, 4.0)
    X, truth = mixture.sample(300, np.random.default_rng(0))
    for seen in ([0, 1, 2], [2], [0, 2]):
        labels = np.where(np.isin(truth, seen) & (np.arange(300) % 4 == 0), truth, -1)
        problem = labelled(case, X, labels)
        start = KnownLabels()(problem, 3, np.random.default_rng(5))
        again = KnownLabels()(problem, 3, np.random.default_rng(5))
        assert_array_equal(start.log_joint(X[:20]), again.log_joint(X[:20]))
        points = standardized(problem, X)
        resp = start.responsibilities(X)
        for j in seen:
            # The centre of the rows that component j takes is nearest to that of its known rows.
            centre = points[labels == j].mean(axis=0)
            taken = resp.T @ points / np.maximum(resp.sum(axis=0), 1e-9)[:, None]
            assert ((taken - centre) ** 2).sum(axis=1).argmin() == j


@every_family
def test_a_start_believes_labels_at_odds_with_the_rows(case: FamilyCase) -> None:
    X = case.rows(120)
    labels = np.random.default_rng(0).integers(0, 3, 120)
    problem = labelled(case, X, labels)
    start = KnownLabels()(problem, 3, np.random.default_rng(0))
    wanted = problem.estimate(X, np.eye(3)[labels])
    assert_allclose(start.log_joint(X), wanted.log_joint(X), rtol=1e-10, atol=1e-10)


@every_family
def test_a_start_needs_labels(case: FamilyCase) -> None:
    with pytest.raises(ArgumentError, match="No row's component is known"):
        KnownLabels()(case.problem(case.rows(30)), 3, np.random.default_rng(0))


# -- searches ------------------------------------------------------------------------------------


@every_search
@searched_cases
def test_no_search_moves_the_rows_that_are_known(case: FamilyCase, search_name: str) -> None:
    mixture = case.like(5, 3.0)
    X, truth = mixture.sample(300, np.random.default_rng(0))
    # Of some components none is known, and they may change places with each other only.
    labels = np.where((truth < 3) & (np.arange(300) % 3 == 0), truth, -1)
    problem = labelled(case, X, labels, strength=0.5)
    start = KnownLabels()
    fit = make_search(search_name, 2)(
        Engine(), problem, lambda rng: start(problem, 5, rng), np.random.default_rng(3)
    )
    assert fit.objective == problem.evaluate(fit.mixture).objective
    joint = constrained_joint(fit.mixture, X, labels)
    log_prior = case.family.log_prior(fit.mixture.parameters, problem.prior).sum()
    assert_allclose(fit.objective, logsumexp(joint, axis=1).sum() + log_prior, rtol=1e-9)
    # Rows of component j, known or not, are still explained by it.
    known = labels >= 0
    agreed = (fit.mixture.predict(X[known]) == labels[known]).mean()
    assert agreed > 0.85
    # And no lower than where EM alone gets from the same start, but for when it stops.
    alone = make_search("em", 1)(
        Engine(), problem, lambda rng: start(problem, 5, rng), np.random.default_rng(3)
    )
    assert fit.objective >= alone.objective - 0.1


@pytest.mark.parametrize("name", ["split_merge", "random_swap"])
@pytest.mark.parametrize("stays", [0, 5])
@searched_cases
def test_a_trap_is_left_by_moving_the_component_that_is_not_known(
    case: FamilyCase, stays: int, name: str
) -> None:
    plain, bad, good = trapped(case)
    X, _ = plain.source.take(slice(None))
    # Components 0 and 5 share a cluster; of one of them rows are known, so the other must go.
    labels = np.full(len(X), -1)
    labels[:20] = stays
    best = good if stays == 0 else good.take([5, 1, 2, 3, 4, 0])
    problem = replace(plain, source=ArraySource(X, None, 1, labels))
    top = Engine().climb(problem, best).state.objective
    stuck = Engine().climb(problem, bad).state.objective
    assert stuck < top - 30.0
    budget = Budget(moves={"split_merge": 2, "random_swap": 100}[name])
    fit = search(name, problem, lambda rng: bad, n_init=1, budget=budget)
    assert fit.objective > top - 0.1
    assert_array_equal(fit.mixture.predict(X[:20]), np.full(20, stays))


@every_family
@pytest.mark.parametrize("share", [0.0, 0.15], ids=["whole", "holed"])
def test_an_estimator_is_told_by_labels_which_component_is_which(
    case: FamilyCase, share: float
) -> None:
    mixture = case.like(3, 4.0)
    X, truth = mixture.sample(400, np.random.default_rng(0))
    X = holed(X, share)
    for order in ([0, 1, 2], [2, 0, 1]):
        called = np.array(order)[truth]
        labels = np.where(np.arange(400) % 5 == 0, called, -1)
        model = case.estimator(3, random_state=0, search="em")
        with tolerated():
            model.fit(X, labels=labels)
        # As often as the rows can be told apart at all.
        possible = (mixture.predict(X) == truth).mean()
        assert (model.predict(X) == called).mean() > possible - 0.1
