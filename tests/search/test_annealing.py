"""Deterministic annealing: tempered climbs, and components that part again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from emplus import Mixture
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem, State
from emplus.families.base import SingularComponentError
from emplus.search.annealing import SCHEDULE, Annealing, _parted
from emplus.search.base import Budget
from emplus.search.registry import make_search
from emplus.search.restarts import Restarts
from tests.cases import (
    FAMILY_CASES,
    FamilyCase,
    every_searched_continuous_family,
    every_searched_family,
)
from tests.oracles import exact_log_joint, m_step
from tests.search.helpers import assert_same_mixture, drawing, search, trapped

CASE = FAMILY_CASES[0]
Rng = np.random.default_rng


def nearly_fixed_widths(case: FamilyCase) -> tuple[Problem, Mixture, Mixture]:
    """A trap for components that a strong prior keeps at the width of one cluster."""
    problem, bad, good = trapped(case)
    family: Any = case.family
    problem = replace(problem, prior=family.absolute_prior(1e5, 1.0, problem.source.n_features))
    starts = [Engine(stopping=Stopping(max_iter=1)).climb(problem, m) for m in (bad, good)]
    return problem, starts[0].state.mixture, starts[1].state.mixture


@every_searched_continuous_family
def test_annealing_leaves_a_trap_that_plain_em_stays_in(case: FamilyCase) -> None:
    if case.family.config().get("loadings") == "common":
        pytest.skip("phantom rows that outweigh the rows hold the common space where it begins")
    problem, bad, good = nearly_fixed_widths(case)
    top = Engine().climb(problem, good).state.objective
    stuck = search("em", problem, lambda rng: bad, n_init=1)
    assert stuck.objective < top - 100.0
    schedule = np.geomspace(0.01, 1.0, 20).tolist()
    for first in (None, Restarts()):
        annealing = Annealing(schedule, first=first)
        fits = [annealing(Engine(), problem, lambda rng: bad, Rng(seed)) for seed in range(3)]
        assert max(fit.objective for fit in fits) > top - 0.1
        assert all(fit.objective >= stuck.objective - 0.1 for fit in fits)


@every_searched_continuous_family
def test_components_that_coincide_are_parted_and_others_are_not(case: FamilyCase) -> None:
    problem, _, good = trapped(case)
    top = Engine(stopping=Stopping(1e-12, 5000)).climb(problem, good).state.mixture
    parted = _parted(problem, top, Rng(0))
    np.testing.assert_allclose(parted.parameters.means, top.parameters.means, atol=1e-3)
    one = problem.estimate(problem.source.take(np.arange(360))[0], np.ones((360, 6)))
    np.testing.assert_allclose(np.ptp(one.parameters.means, axis=0), 0.0, atol=1e-12)
    apart = _parted(problem, one, Rng(0))
    width = np.sqrt(problem.moments.variance)
    spread = (apart.parameters.means / width).std(axis=0)
    # 0.05 standard deviations of the component, the data's own here.
    assert (spread > 0.02).all()
    assert (spread < 0.1).all()
    np.testing.assert_allclose(apart.weights, 1 / 6, rtol=0.05)
    assert_same_mixture(apart, _parted(problem, one, Rng(0)))


@every_searched_continuous_family
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_parting_is_an_m_step_with_tilted_responsibilities(case: FamilyCase, beta: float) -> None:
    X = case.rows(200)
    weight = Rng(5).uniform(0.0, 2.0, 200)
    problem = replace(case.problem(X, weight), inverse_temperature=beta)
    mixture = case.mixture
    joint = beta * exact_log_joint(mixture, X)
    resp = weight[:, None] * np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    points = (X - problem.moments.mean) / np.sqrt(problem.moments.variance)
    means = (resp.T @ points) / resp.sum(axis=0)[:, None]
    deviations = points[:, None, :] - means
    variances = np.einsum("ij,ija->ja", resp, deviations**2) / resp.sum(axis=0)[:, None]
    steps = 0.05 * Rng(0).standard_normal(means.shape)
    tilted = joint + np.einsum("ija,ja->ij", deviations, steps / np.sqrt(variances))
    resp = weight[:, None] * np.exp(tilted - logsumexp(tilted, axis=1, keepdims=True))
    expected = m_step(problem, mixture.parameters, X, resp)
    found = _parted(problem, mixture, Rng(0))
    np.testing.assert_allclose(found.weights, resp.sum(axis=0) / resp.sum(), atol=1e-6)
    np.testing.assert_allclose(found.parameters.means, expected.means, atol=1e-6)


def test_the_schedule_is_gone_through() -> None:
    problem = CASE.problem(CASE.rows())
    seen: list[State] = []
    annealing = Annealing((0.2, 0.6, 1.0))
    fit = annealing(Engine(observers=(seen.append,)), problem, drawing(problem), Rng(0))
    climbs = [index for index, state in enumerate(seen) if state.iteration == 0]
    # Three temperatures.
    assert len(climbs) == 3
    last = seen[climbs[2] :]
    assert list(fit.trace) == [state.objective for state in last]
    for beta, start in zip((0.2, 0.6, 1.0), climbs, strict=True):
        tempered = replace(problem, inverse_temperature=beta)
        assert tempered.evaluate(seen[start].mixture).objective == seen[start].objective
    # Each climb and two passes before it, and one look at the start.
    assert fit.passes >= len(seen) + 2 * 3 + 1
    assert fit.runs[0].passes == fit.passes


def test_at_a_low_temperature_all_components_coincide() -> None:
    problem, bad, _ = trapped(CASE)
    tempered = replace(problem, inverse_temperature=0.05)
    state = Engine(stopping=Stopping(1e-10, 2000)).climb(tempered, bad).state
    np.testing.assert_allclose(
        state.mixture.parameters.means, np.tile(problem.moments.mean, (6, 1)), atol=0.05
    )


def test_without_annealing_it_is_plain_em() -> None:
    problem = CASE.problem(CASE.rows())
    plain = search("em", problem, drawing(problem), n_init=4)
    for annealing in (
        Annealing((1.0,), n_init=4),
        Annealing(n_init=4, budget=Budget(passes=0)),
        Annealing(n_init=4, budget=Budget(moves=0)),
    ):
        fit = annealing(Engine(), problem, drawing(problem), Rng(0))
        assert fit.objective == plain.objective
        assert_same_mixture(fit.mixture, plain.mixture)
    some = Annealing(n_init=4, budget=Budget(moves=1))
    fit = some(Engine(), problem, drawing(problem), Rng(0))
    assert [a.objective == b.objective for a, b in zip(fit.runs, plain.runs, strict=True)][1:] == [
        True,
        True,
        True,
    ]
    assert fit.runs[0].passes > plain.runs[0].passes


@every_searched_family
def test_it_does_not_end_below_its_start(case: FamilyCase) -> None:
    problem, _, good = trapped(case)
    fit = Annealing((0.01, 1.0))(Engine(), problem, lambda rng: good, Rng(0))
    assert fit.objective >= problem.evaluate(good).objective


def test_after_another_search_it_is_one_candidate() -> None:
    problem, bad, _ = trapped(CASE)
    fit = make_search("em+annealing")(Engine(), problem, lambda rng: bad, Rng(0))
    (candidate,) = fit.candidates
    assert (candidate.kind, candidate.components) == ("anneal", ())
    assert math.isnan(candidate.predicted)
    assert candidate.passes > len(SCHEDULE)
    assert fit.passes == pytest.approx(fit.runs[0].passes + candidate.passes)


def test_after_a_collapse_on_the_way_em_climbs_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem, bad, _ = trapped(CASE)
    plain = search("em", problem, lambda rng: bad, n_init=1)

    def collapsing(tempered: Problem, mixture: Mixture, rng: np.random.Generator) -> Mixture:
        if tempered.inverse_temperature > 0.3:
            raise SingularComponentError(1, "made to collapse")
        return mixture

    monkeypatch.setattr("emplus.search.annealing._parted", collapsing)
    fit = Annealing()(Engine(), problem, lambda rng: bad, Rng(0))
    assert fit.objective == plain.objective
    assert fit.passes > plain.passes + len(SCHEDULE)
    after = Annealing(first=Restarts())(Engine(), problem, lambda rng: bad, Rng(0))
    (candidate,) = after.candidates
    assert (candidate.accepted, candidate.gain) == (False, -math.inf)
    assert_same_mixture(after.mixture, plain.mixture)


def test_a_start_that_fails_loses_nothing_else() -> None:
    X = np.vstack([Rng(0).normal(0, 1, (30, 2)), Rng(1).normal(9, 1, (30, 2)), [[9.0, 9.0]] * 2])
    problem = CASE.problem(X, strength=0.0)
    means = [[0.0, 0.0], [9.0, 9.0]]
    sound = Mixture.gaussian([0.5, 0.5], means, [np.eye(2), np.eye(2)])
    point = Mixture.gaussian([0.5, 0.5], means, [30.0 * np.eye(2), 1e-100 * np.eye(2)])
    starts = iter([point, sound])
    fit = Annealing((0.9, 1.0), n_init=2)(Engine(), problem, lambda rng: next(starts), Rng(0))
    assert [run.outcome.usable for run in fit.runs] == [False, True]
    assert fit.objective == fit.runs[1].objective
