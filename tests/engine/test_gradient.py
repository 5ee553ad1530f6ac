"""Gradient step rules: they rise to where the gradient is nothing, and end where EM ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.coordinates import MixtureCoordinates
from emplus.engine.gradient import LBFGS, GradientAscent
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.registry import make_rule
from emplus.engine.rules import EM, StepRule, WarmStart
from tests.cases import GAUSSIAN_CASES, Array, FamilyCase, every_family, every_searched_family

CASE = GAUSSIAN_CASES[0]
NAMES = ("gradient", "lbfgs", "em+gradient", "em+lbfgs")
every_rule = pytest.mark.parametrize("name", NAMES)
either_rule = pytest.mark.parametrize("name", NAMES[:2])


def climb(
    problem: Problem, start: Mixture, rule: StepRule, tol: float = 1e-8, max_iter: int = 1000
) -> Climb:
    return Engine(rule, Stopping(tol, max_iter)).climb(problem, start)


def slope(problem: Problem, mixture: Mixture) -> float:
    """Length of the gradient of the objective a row."""
    coordinates = MixtureCoordinates(problem, mixture)
    gradient = coordinates.gradient(coordinates.free(mixture), problem.evaluate(mixture))
    return float(np.linalg.norm(gradient)) / problem.source.total_weight


def assert_rises(found: Climb) -> None:
    assert np.diff(found.objectives).min(initial=0.0) >= -2.0 * found.state.rounding


# Most of what EM gains, after 100 steps along plain gradients; some families are badly scaled.
CREEPING = {"factors-common": 0.1, "categorical-many": 0.7}


@either_rule
@every_family
def test_rises_to_where_em_ends(case: FamilyCase, name: str) -> None:
    mixture = case.like(3, 4.0)
    problem = case.problem(mixture.sample(300, np.random.default_rng(2))[0], strength=2.0)
    plain = climb(problem, mixture, EM(), 1e-9, 2000)
    found = climb(problem, mixture, make_rule(name), 1e-9, 1000 if name == "lbfgs" else 100)
    assert_rises(found)
    if name == "gradient":
        gained, whole = (end.state.objective - plain.objectives[0] for end in (found, plain))
        assert gained > CREEPING.get(case.id, 0.85) * whole
        return
    assert found.outcome is Outcome.CONVERGED
    assert found.state.objective >= plain.state.objective - 1e-7 * 300
    assert slope(problem, found.state.mixture) < 1e-3


@pytest.mark.parametrize("name", ["em+gradient", "em+lbfgs"])
@every_searched_family
def test_a_warm_start_is_em_at_first(case: FamilyCase, name: str) -> None:
    problem = case.problem(case.rows(200), strength=1.0)
    plain = climb(problem, case.mixture, EM(), -1.0, 10)
    found = climb(problem, case.mixture, make_rule(name), -1.0, 14)
    assert found.n_iter == 14
    assert found.objectives[:11] == plain.objectives
    assert found.objectives[11] > plain.objectives[10]
    assert_rises(found)
    few = climb(problem, case.mixture, WarmStart(LBFGS(), 3), -1.0, 3)
    assert few.objectives == plain.objectives[:4]


def test_a_first_step_goes_along_the_gradient() -> None:
    problem = CASE.problem(CASE.rows(200))
    coordinates = MixtureCoordinates(problem, CASE.mixture)
    vector = coordinates.free(CASE.mixture)
    gradient = coordinates.gradient(vector, problem.evaluate(CASE.mixture))
    for length in (1e-3, 1e3):
        found = climb(problem, CASE.mixture, GradientAscent(length), max_iter=1)
        moved = coordinates.free(found.state.mixture, vector) - vector
        along = gradient - np.r_[np.full(3, gradient[:3].mean()), np.zeros(len(vector) - 3)]
        step = float(moved @ along / (along @ along))
        assert_allclose(moved, step * along, atol=1e-12)
        # Armijo's rule: a long step was cut down, a short one was kept.
        gain = found.objectives[1] - found.objectives[0]
        assert gain >= 1e-4 * step * float(gradient @ gradient)
        assert (step * 200 == pytest.approx(length)) == (length < 1.0)
        assert (found.passes == 2) == (length < 1.0)


@every_rule
@pytest.mark.parametrize("what", ["holes", "labels", "weights", "tempered"])
def test_rows_of_other_kinds(name: str, what: str) -> None:
    problem = a_problem(what)
    found = climb(problem, CASE.mixture, make_rule(name), 1e-9, 3000)
    plain = climb(problem, CASE.mixture, EM(), 1e-10, 3000)
    assert found.outcome is plain.outcome is Outcome.CONVERGED
    assert_rises(found)
    assert_allclose(found.state.objective, plain.state.objective, atol=1e-4)


def a_problem(what: str) -> Problem:
    rng = np.random.default_rng(2)
    X, labels = CASE.mixture.sample(200, rng)
    if what == "holes":
        X[rng.random(X.shape) < 0.2] = np.nan
    problem = CASE.problem(X, rng.uniform(0.2, 2.0, 200) if what == "weights" else None, 1.0)
    if what == "labels":
        known = np.where(rng.random(200) < 0.2, labels, -1)
        return replace(problem, source=ArraySource(X, n_jobs=1, labels=known))
    return replace(problem, inverse_temperature=0.7 if what == "tempered" else 1.0)


@either_rule
def test_units_and_origins_of_columns_do_not_matter(name: str) -> None:
    X, scale = CASE.rows(200), np.array([1e-3, 700.0])
    family, parameters = CASE.family.map_columns(CASE.mixture.parameters, scale, 5.0 * scale)
    other = replace(CASE.mixture, family=family, parameters=parameters)
    one = climb(CASE.problem(X), CASE.mixture, make_rule(name), max_iter=15)
    two = climb(CASE.problem(X * scale + 5.0 * scale), other, make_rule(name), max_iter=15)
    assert one.passes == two.passes
    gains, others = (np.array(found.objectives) - found.objectives[0] for found in (one, two))
    assert_allclose(others, gains, rtol=1e-6, atol=1e-7)


@every_rule
def test_an_interrupt_keeps_the_best(name: str) -> None:
    problem = CASE.problem(CASE.rows(200))
    full = climb(problem, CASE.mixture, make_rule(name), -1.0, 15)
    assert (full.outcome, full.n_iter) == (Outcome.ITERATIONS_EXHAUSTED, 15)

    def press(state: State) -> None:
        if state.iteration == 13:
            raise KeyboardInterrupt

    engine = Engine(make_rule(name), Stopping(-1.0, 15), (press,))
    found = engine.climb(problem, CASE.mixture)
    assert (found.outcome, found.n_iter) == (Outcome.INTERRUPTED, 13)
    assert found.state.objective == max(full.objectives[:14])


@every_rule
def test_from_the_top_it_ends_at_once(name: str) -> None:
    problem = CASE.problem(CASE.rows(200))
    top = climb(problem, CASE.mixture, EM(), 0.0, 20_000).state
    found = climb(problem, top.mixture, make_rule(name), 1e-9)
    assert found.outcome is Outcome.CONVERGED
    assert found.n_iter <= 3
    assert abs(found.state.objective - top.objective) <= top.rounding
    assert slope(problem, found.state.mixture) < 1e-7


@either_rule
def test_every_pass_is_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, evaluate = [], Problem.evaluate

    def counted(self: Problem, mixture: Mixture, iteration: int = 0) -> State:
        taken.append(iteration)
        return evaluate(self, mixture, iteration)

    monkeypatch.setattr(Problem, "evaluate", counted)
    found = climb(CASE.problem(CASE.rows(200)), CASE.mixture, make_rule(name), 0.0, 40)
    assert found.passes == len(taken) == found.state.passes


@every_rule
def test_without_a_prior_a_collapse_is_still_an_outcome(name: str) -> None:
    X: Array = np.vstack([CASE.rows(30), [[50.0, 50.0], [50.0, 50.0]]])
    labels = np.r_[np.zeros(15, int), np.ones(15, int), 2, 2]
    start = CASE.problem(X, strength=1.0).estimate(X, np.eye(3)[labels])
    found = climb(CASE.problem(X, strength=0.0), start, make_rule(name), max_iter=500)
    assert np.isfinite(found.state.objective)
    assert_rises(found)
    if name == "gradient":
        # Its steps creep into the pole, a little every time.
        assert found.outcome is Outcome.ITERATIONS_EXHAUSTED
        return
    assert not found.outcome.usable
    assert found.component in (1, 2)
