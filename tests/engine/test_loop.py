from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from emplus import Mixture
from emplus.engine.loop import Engine, Stopping
from emplus.engine.observers import Printer, ProgressBar
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.rules import Proposals
from tests.cases import FAMILY_CASES, Array, FamilyCase, every_family

CASE = FAMILY_CASES[0]


@pytest.fixture
def problem() -> Problem:
    return CASE.problem(CASE.rows(200))


@pytest.fixture
def start(problem: Problem) -> Mixture:
    resp = np.random.default_rng(5).dirichlet(np.ones(3), size=200)
    return problem.estimate(CASE.rows(200), resp)


class Interrupter:
    """An observer that presses Ctrl-C at an iteration."""

    def __init__(self, at: int):
        self.at = at

    def __call__(self, state: State, /) -> None:
        if state.iteration == self.at:
            raise KeyboardInterrupt


@every_family
def test_observers_see_every_iteration_and_its_objective(case: FamilyCase) -> None:
    seen: list[State] = []
    engine = Engine(stopping=Stopping(max_iter=40), observers=(seen.append,))
    climb = engine.climb(case.problem(case.rows()), case.mixture)
    assert [state.iteration for state in seen] == list(range(climb.n_iter + 1))
    assert [state.objective for state in seen] == list(climb.objectives)
    assert [state.log_likelihood for state in seen] == list(climb.log_likelihoods)
    assert seen[0].mixture is case.mixture
    assert seen[-1] is climb.state


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_stops_at_the_first_gain_within_the_tolerance(
    problem: Problem, start: Mixture, tol: float
) -> None:
    climb = Engine(stopping=Stopping(tol, 5000)).climb(problem, start)
    gains = np.diff(climb.objectives) / 200
    assert climb.outcome is Outcome.CONVERGED
    assert gains[-1] <= tol
    assert (gains[:-1] > tol).all()
    assert climb.n_iter == len(gains) == climb.passes - 1


def test_the_tolerance_is_for_a_unit_of_weight(start: Mixture) -> None:
    X = CASE.rows(200)
    plain = Engine().climb(CASE.problem(X), start)
    # A thousandth of the weight and of the prior: the same problem, counted in other units.
    light = CASE.problem(X, np.full(200, 1e-3), strength=1e-6)
    assert Engine().climb(light, start).n_iter == plain.n_iter


def test_says_when_the_iterations_ran_out(problem: Problem, start: Mixture) -> None:
    climb = Engine(stopping=Stopping(0.0, 4)).climb(problem, start)
    assert (climb.outcome, climb.n_iter) == (Outcome.ITERATIONS_EXHAUSTED, 4)


def test_an_interrupt_keeps_the_state_reached(problem: Problem, start: Mixture) -> None:
    full = Engine(stopping=Stopping(0.0, 8)).climb(problem, start)
    for at in (0, 1, 5):
        engine = Engine(stopping=Stopping(0.0, 8), observers=(Interrupter(at),))
        climb = engine.climb(problem, start)
        assert (climb.outcome, climb.n_iter) == (Outcome.INTERRUPTED, at)
        assert climb.state.objective == full.objectives[at]


class Downhill:
    """EM for some steps, then a step back to where the run began."""

    def __init__(self, start: Mixture):
        self.start = start

    def propose(self, problem: Problem, state: State) -> Mixture:
        return self.start if state.iteration == 3 else problem.maximize(state.statistics)


def test_a_fall_is_an_outcome_and_the_step_before_it_is_kept(
    problem: Problem, start: Mixture
) -> None:
    engine = Engine(rule=Proposals(Downhill(start).propose), stopping=Stopping(0.0, 50))
    climb = engine.climb(problem, start)
    assert (climb.outcome, climb.n_iter) == (Outcome.OBJECTIVE_FELL, 3)
    assert climb.state.objective == max(climb.objectives) == climb.objectives[3]
    assert climb.objectives[4] < climb.objectives[3]


@dataclass(frozen=True)
class Stumble:
    """A step aside by so much."""

    size: float

    def propose(self, problem: Problem, state: State) -> Mixture:
        arrays = problem.family.pack(state.mixture.parameters)
        moved = {**arrays, "means": arrays["means"] + self.size}
        return replace(state.mixture, parameters=problem.family.unpack(moved))


def test_a_step_lost_in_rounding_is_not_taken(problem: Problem, start: Mixture) -> None:
    top = Engine(stopping=Stopping(0.0, 20_000)).climb(problem, start).state
    for size in 10.0 ** -np.arange(4.0, 9.0, 0.125):
        lost = problem.evaluate(Stumble(size).propose(problem, top)).objective - top.objective
        if -top.rounding < lost < 0.0:
            break
    else:
        pytest.fail("no step is lost in rounding")
    climb = Engine(rule=Proposals(Stumble(size).propose)).climb(problem, top.mixture)
    assert climb.outcome is Outcome.CONVERGED
    assert climb.state.mixture is top.mixture


class ToNaN:
    def propose(self, problem: Problem, state: State) -> Mixture:
        weights = np.full_like(state.mixture.log_weights, np.nan)
        return replace(state.mixture, log_weights=weights)


def test_an_objective_that_is_no_number_counts_as_a_fall(problem: Problem, start: Mixture) -> None:
    climb = Engine(rule=Proposals(ToNaN().propose)).climb(problem, start)
    assert climb.outcome is Outcome.OBJECTIVE_FELL
    assert climb.state.mixture is start


def collapsing() -> tuple[Problem, Mixture]:
    """Without a prior, two equal rows far out draw a component onto themselves."""
    X: Array = np.vstack([CASE.rows(30), [[50.0, 50.0], [50.0, 50.0]]])
    labels = np.r_[np.zeros(15, int), np.ones(15, int), 2, 2]
    near = CASE.problem(X, strength=1.0).estimate(X, np.eye(3)[labels])
    return CASE.problem(X, strength=0.0), near


def test_a_collapse_is_an_outcome_that_names_the_component() -> None:
    climb = Engine().climb(*collapsing())
    assert (climb.outcome, climb.component) == (Outcome.SINGULAR, 2)
    assert not climb.outcome.usable


def test_an_empty_component_is_an_outcome_that_names_it() -> None:
    problem, near = collapsing()
    family = problem.family
    arrays = {name: array.copy() for name, array in family.pack(near.parameters).items()}
    arrays["means"][1] = 1e6
    arrays["covariances"][1] = 1e-3 * np.eye(2)
    arrays["covariances"][2] = 25.0 * np.eye(2)
    climb = Engine().climb(problem, replace(near, parameters=family.unpack(arrays)))
    assert (climb.outcome, climb.component) == (Outcome.COMPONENT_EMPTY, 1)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_sentence(outcome: Outcome) -> None:
    assert outcome.sentence[0].isupper()
    assert outcome.sentence.endswith(".")
    assert outcome.value == outcome.name.lower()


def test_printer_prints_every_so_many_iterations(
    problem: Problem, start: Mixture, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(stopping=Stopping(0.0, 6), observers=(Printer(3, 200.0),))
    climb = engine.climb(problem, start)
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == [0, 3, 6]
    assert f"{climb.state.objective / 200:.9g}" in lines[-1]


def test_progress_bar_follows_several_runs(
    problem: Problem, start: Mixture, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressBar(5, 200.0, mininterval=0.0)
    engine = Engine(stopping=Stopping(0.0, 5), observers=(bar,))
    for _ in range(2):
        climb = engine.climb(problem, start)
    bar.close()
    written = capsys.readouterr().err
    assert "5/5" in written
    assert f"{climb.objectives[3] / 200:.6f} a row" in written
