"""Planted traps, and problems too small or too odd for the usual moves."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.errors import FitError
from emplus.search.assignment import Sample
from emplus.search.base import Budget
from emplus.search.fit import Fit
from emplus.search.random_swap import RandomSwap
from emplus.search.registry import make_search
from emplus.search.relocation import Relocation
from emplus.search.reset import Reset
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge
from tests.awkward import AWKWARD, awkward_rows
from tests.cases import (
    FAMILY_CASES,
    SEARCH_NAMES,
    SEARCHED_CASES,
    SEARCHED_CONTINUOUS_CASES,
    Array,
    FamilyCase,
    every_searched_continuous_family,
    every_searched_family,
    problem_of,
)
from tests.covering import pairwise, share
from tests.search.helpers import (
    CASES,
    clusters,
    clusters_for,
    drawing,
    quickly,
    search,
    searches_of_families,
    trapped,
)

CASE = FAMILY_CASES[0]

# Moves within which each search repairs one trap among six clusters.
REPAIRS = {"split_merge": 1, "ueda": 5, "random_swap": 60}


@pytest.mark.parametrize("name", REPAIRS)
@every_searched_family
def test_one_component_over_two_clusters_and_two_over_one(case: FamilyCase, name: str) -> None:
    problem, bad, good = trapped(case)
    top = Engine().climb(problem, good).state.objective
    stuck = search("em", problem, lambda rng: bad, n_init=1)
    assert stuck.objective < top - 30.0
    budget = Budget(moves=REPAIRS[name])
    # Factors creep on long after they have left the trap.
    stopping = Stopping() if case.exact else Stopping(1e-5, 2000)
    fits = [
        search(name, problem, lambda rng: bad, 1, seed, budget, stopping=stopping)
        for seed in range(2)
    ]
    if not case.exact:
        # Factors may settle in a way that is a nat from the best, and what moves at random has
        # more ways to fail.
        best = max(fits, key=lambda fit: fit.objective)
        assert best.objective > top - 1.0
        fits = [fit for fit in fits if name == "split_merge" or fit is best]
    for fit in fits:
        assert fit.objective > top - (0.01 if case.exact else 1.0)
        # Where rows are counted, another start may have found the way out before.
        if case.real.all():
            assert max(c.gain for c in fit.candidates if c.accepted) > 30.0


@every_searched_continuous_family
def test_a_component_that_has_nearly_died_out_is_reset(case: FamilyCase) -> None:
    """Two clusters share a component, and another one holds few rows that lie close together."""
    if case.family.hold(case.mixture.parameters) is not case.family:
        pytest.skip("a component as wide as the others does not stay on so few rows")
    X, labels = clusters(4)
    clump = np.random.default_rng(1).normal([4.0, 4.0], 0.05, (8, 2))
    X, labels = np.vstack([X, clump]), np.append(labels, [4] * 8)
    problem = case.problem(X)
    resp = np.eye(4)[np.array([0, 1, 2, 2, 3])[labels]]
    start = problem.estimate(X, resp)
    stuck = search("em", problem, lambda rng: start, n_init=1)
    assert stuck.mixture.weights.min() < 1 / 8
    found = [search("reset", problem, lambda rng: start, n_init=1, seed=s) for s in range(5)]
    for fit in found:
        resets = [c for c in fit.candidates if c.kind == "reset"]
        assert 1 <= len(resets) <= 8
        assert all(len(c.components) == len(c.components[0]) == 1 for c in resets)
        assert fit.objective >= stuck.objective
        assert fit.mixture.n_components == 4
    assert max(fit.objective for fit in found) > stuck.objective + 30.0


def test_reset_leaves_what_is_heavy_enough() -> None:
    problem, bad, _ = trapped(CASE)
    fit = Reset(threshold=0.0)(Engine(), problem, lambda rng: bad, np.random.default_rng(0))
    assert fit.candidates == ()
    stuck = search("em", problem, lambda rng: bad, n_init=1)
    every = Reset(threshold=1.0, budget=Budget(moves=9))
    tried = every(Engine(), problem, lambda rng: bad, np.random.default_rng(0))
    assert len(tried.candidates) == 9
    lightest = int(np.argmin(stuck.mixture.weights))
    assert tried.candidates[0].components == ((lightest,),)


@every_searched_continuous_family
def test_a_component_is_put_at_the_rows_around_another(case: FamilyCase) -> None:
    X, labels = clusters(4)
    weight = np.random.default_rng(0).uniform(0.0, 2.0, len(X)).round()
    problem = case.problem(X, weight)
    mixture = problem.estimate(X, np.eye(4)[labels] * weight[:, None])
    relocation = Relocation(problem, Sample(problem, 4, np.random.default_rng(0)), 4)
    row = int(np.flatnonzero((labels == 3) & (weight > 0))[0])
    moved = relocation.moved(mixture, 1, row)
    np.testing.assert_allclose(moved.weights.sum(), 1.0)
    assert moved.weights[1] == pytest.approx(0.25)
    others = [0, 2, 3]
    ratio = moved.weights[others] / mixture.weights[others]
    np.testing.assert_allclose(ratio, ratio[0])
    # The weighted mean of the nearest rows that hold an eighth of the weight.
    scale = np.sqrt(problem.moments.variance)
    order = np.argsort((((X - X[row]) / scale) ** 2).sum(axis=1), kind="stable")
    order = order[weight[order] > 0]
    held = np.cumsum(weight[order])
    near = order[: int(np.argmax(held >= weight.sum() / 8)) + 1]
    expected = np.average(X[near], axis=0, weights=weight[near])
    np.testing.assert_allclose(moved.parameters.means[1], expected)
    np.testing.assert_array_equal(moved.parameters.means[others], mixture.parameters.means[others])
    rng = np.random.default_rng(1)
    assert all(weight[relocation.draw(rng)] > 0 for _ in range(200))
    avoided = np.flatnonzero(labels != 2)
    assert {int(labels[relocation.draw(rng, avoided)]) for _ in range(50)} == {2}
    assert weight[relocation.draw(rng, np.arange(len(X)))] > 0


def test_a_component_that_has_all_the_weight_can_be_moved() -> None:
    X = CASE.rows(40)
    problem = CASE.problem(X)
    mixture = CASE.mixture.take([0, 1])
    relocation = Relocation(problem, Sample(problem, 2, np.random.default_rng(0)), 2)
    lonely = Mixture(mixture.family, np.array([0.0, -np.inf]), mixture.parameters)
    np.testing.assert_allclose(relocation.moved(lonely, 0, 3).weights, 0.5)
    np.testing.assert_allclose(relocation.moved(lonely, 1, 3).weights, 0.5)


@cache
def two_clusters(case_id: str, search_name: str, k: int) -> Fit:
    case = CASES[case_id]
    problem = case.problem(clusters_for(case, 2)[0])
    coarse: dict[str, Any] = {} if k == 1 else quickly(case)
    return search(search_name, problem, drawing(problem, k), n_init=1, **coarse)


@searches_of_families(
    [(*row, k) for k in (1, 2) for row in share(k - 1, 2, SEARCHED_CASES, SEARCH_NAMES)], "k"
)
def test_too_few_components_for_a_triple(case: FamilyCase, search_name: str, k: int) -> None:
    fit, plain = (two_clusters(case.id, name, k) for name in (search_name, "em"))
    assert fit.mixture.n_components == k
    if k == 1:
        assert fit.objective == pytest.approx(plain.objective, rel=1e-9)
        assert all(c.kind == "settle" for c in fit.candidates)
    else:
        assert fit.objective >= plain.objective - 0.1


@pytest.mark.parametrize("variant", ["local", "ueda"])
def test_with_two_components_split_and_merge_tries_other_starts(variant: str) -> None:
    problem = CASE.problem(CASE.rows())
    rng = np.random.default_rng(0)
    fit = SplitMerge(variant)(Engine(), problem, drawing(problem, 2), rng)
    assert [run.start for run in fit.runs if run.short] == [1, 2, 3, 4]
    assert fit.objective >= max(run.objective for run in fit.runs)
    assert fit.passes >= sum(run.passes for run in fit.runs)
    six = SplitMerge(variant, first=Restarts(6))(Engine(), problem, drawing(problem, 2), rng)
    assert len(six.runs) == 6


@searches_of_families(share(0, 2, SEARCHED_CASES, SEARCH_NAMES))
def test_as_many_components_as_rows_and_more_than_distinct_ones(
    case: FamilyCase, search_name: str
) -> None:
    rows: Array = np.random.default_rng(0).standard_normal((4, 2))
    if not case.real.all():
        rows = case.rows(4)
    shifted = rows + 9.0 * case.real[: rows.shape[1]]
    for X, k in ((np.repeat(rows, 3, axis=0), 6), (np.vstack([rows, shifted]), 8)):
        problem = case.problem(X)
        stopping = Stopping(1e-4, 100)
        fit = search(search_name, problem, drawing(problem, k), n_init=1, stopping=stopping)
        assert np.isfinite(fit.objective)
        assert fit.mixture.n_components == k
        assert fit.objective == problem.evaluate(fit.mixture).objective


@pytest.mark.parametrize(
    ("rows", "search_name", "strength"), pairwise(list(AWKWARD), SEARCH_NAMES, [0.0, 1e-3])
)
def test_awkward_rows(rows: str, search_name: str, strength: float) -> None:
    _survives(CASE, AWKWARD[rows], search_name, 3, strength, 0)


@pytest.mark.parametrize("index", range(len(SEARCHED_CONTINUOUS_CASES)))
def test_rows_of_several_oddities(index: int) -> None:
    case = SEARCHED_CONTINUOUS_CASES[index]
    names = [*REPAIRS, "reset", "annealing", "restarts", "em+annealing"]

    @settings(
        max_examples=20 if case.exact else 8,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
    )
    @given(X=awkward_rows(), data=st.data())
    def survives(X: Array, data: st.DataObject) -> None:
        assume(X.shape[1] >= case.least_columns)
        name, k = data.draw(st.sampled_from(names)), data.draw(st.integers(1, 5))
        strength = data.draw(st.sampled_from([0.0, 1e-6, 1e-3, 1.0]))
        _survives(case, X, name, k, strength, data.draw(st.integers(0, 9)))

    survives()


def _survives(case: FamilyCase, X: Array, name: str, k: int, strength: float, seed: int) -> None:
    """A finite fit, or without a prior an error that says why not."""
    problem = problem_of(case.family, ArraySource(X, None, 1), strength)
    draw = drawing(problem, k, "k-means++")
    # Where EM is slow to settle, each of the moves as published gains a little, one after another.
    budget = Budget(passes=2000) if name == "ueda" else None
    try:
        fit = search(name, problem, draw, 1, seed, budget, stopping=Stopping(1e-4, 50))
    except FitError:
        assert strength == 0.0
        return
    state = problem.evaluate(fit.mixture)
    assert np.isfinite(fit.objective)
    assert fit.objective == state.objective
    assert fit.outcome.usable
    assert np.isfinite(fit.mixture.weights).all()
    assert fit.mixture.weights.sum() == pytest.approx(1.0)
    # Nothing that was kept has made it worse.
    assert fit.objective >= fit.trace[0] - state.rounding


@every_searched_family
def test_swaps_say_what_they_moved(case: FamilyCase) -> None:
    problem, bad, _ = trapped(case)
    swaps = RandomSwap(budget=Budget(moves=12))
    fit = swaps(Engine(), problem, lambda rng: bad, np.random.default_rng(0))
    assert [c.kind for c in fit.candidates] == ["swap"] * 12
    for candidate in fit.candidates:
        ((removed, near),) = candidate.components
        assert removed != near
        assert {removed, near} <= set(range(6))
        assert candidate.passes > 0
        # Partial EM promises no more than EM on all rows keeps, but for what was left out.
        if candidate.accepted:
            assert candidate.gain > candidate.predicted - 1.0
    again = make_search("random_swap")
    default = again(Engine(), problem, lambda rng: bad, np.random.default_rng(0))
    assert len(default.candidates) == 30
