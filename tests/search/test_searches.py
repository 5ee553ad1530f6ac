from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from emplus import Mixture
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.errors import ArgumentError, FitError, UnknownNameError
from emplus.families.base import SingularComponentError
from emplus.search.base import Draw
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from emplus.search.restarts import Restarts
from tests.cases import (
    FAMILY_CASES,
    GAUSSIAN_CASES,
    SEARCH_NAMES,
    SEARCHED_CASES,
    FamilyCase,
    every_search,
)
from tests.covering import share
from tests.search.helpers import CASES, drawing, search, searches_of_families

CASE = FAMILY_CASES[0]
# The other half of the pairs is met where searches start from a trap.
some_of_both = searches_of_families(share(0, 2, SEARCHED_CASES, SEARCH_NAMES))
Rng = np.random.Generator


def coarsely(case: FamilyCase) -> dict[str, Any]:
    """Coarse climbs where they take many steps, which searches see no otherwise than short ones."""
    return {} if case in GAUSSIAN_CASES else {"stopping": Stopping(1e-4, 2000)}


class Scripted:
    """Starts that fail where the script says so, and count themselves."""

    def __init__(self, draw: Draw, failures: dict[int, BaseException]):
        self.draw, self.failures, self.count = draw, failures, 0

    def __call__(self, rng: Rng) -> Mixture:
        self.count += 1
        if self.count - 1 in self.failures:
            raise self.failures[self.count - 1]
        return self.draw(rng)


@cache
def several_starts(case_id: str, search_name: str) -> tuple[Problem, Fit]:
    """A fit that more than one test looks at."""
    case = CASES[case_id]
    problem = case.problem(case.rows())
    n_init = starts_of(search_name)
    return problem, search(search_name, problem, drawing(problem), n_init, **coarsely(case))


def starts_of(search_name: str) -> int:
    """restarts climbs each briefly and carries three on; for the others fewer tell as much."""
    return 10 if search_name == "restarts" else 4


@some_of_both
def test_the_fit_is_what_it_says(case: FamilyCase, search_name: str) -> None:
    problem, fit = several_starts(case.id, search_name)
    state = problem.evaluate(fit.mixture)
    assert fit.log_likelihood == state.log_likelihood
    assert fit.log_prior == state.log_prior
    assert fit.objective == state.objective
    assert fit.trace[-1] == pytest.approx(fit.objective, abs=state.rounding)
    assert fit.log_likelihoods[-1] == pytest.approx(fit.log_likelihood, abs=state.rounding)
    assert len(fit.trace) == len(fit.log_likelihoods)
    assert (fit.n_rows, fit.total_weight) == (300, 300.0)
    assert fit.seconds > 0


@some_of_both
def test_the_best_run_is_kept_and_every_run_recorded(case: FamilyCase, search_name: str) -> None:
    n_init = starts_of(search_name)
    _, fit = several_starts(case.id, search_name)
    first = fit.runs[:n_init]
    assert [run.start for run in first] == list(range(n_init))
    # Ends of further starts that are hardly better count as the same end.
    assert fit.objective >= max(run.objective for run in first)
    assert fit.objective >= max(run.objective for run in fit.runs) - 0.05
    assert fit.passes >= sum(run.passes for run in fit.runs)
    assert all(run.outcome is Outcome.CONVERGED and run.seconds > 0 for run in first)
    assert len({run.objective for run in first}) > 1
    assert [run.short for run in first] == [search_name == "restarts"] * n_init
    if case.real.all():
        assert len(fit.runs) == (13 if search_name == "restarts" else n_init)


def test_more_starts_begin_with_the_same_ones() -> None:
    problem = CASE.problem(CASE.rows())
    few, many = (search("em", problem, drawing(problem), n_init=n) for n in (2, 5))
    assert [r.objective for r in many.runs[:2]] == [r.objective for r in few.runs]
    assert many.objective >= few.objective


@every_search
def test_one_failing_start_loses_nothing_else(search_name: str) -> None:
    problem, whole = several_starts(CASE.id, search_name)
    n_init = starts_of(search_name)
    failing = Scripted(drawing(problem), {1: SingularComponentError(2, "made to fail")})
    fit = search(search_name, problem, failing, n_init=n_init)
    usable = [run.outcome.usable for run in fit.runs[:n_init]]
    assert usable == [True, False] + [True] * (n_init - 2)
    assert fit.runs[1].component == 2
    assert fit.runs[1].log_likelihood == -np.inf
    kept = [run.objective for run in whole.runs[:n_init] if run.start != 1]
    assert [run.objective for run in fit.runs[:n_init] if run.start != 1] == kept
    assert fit.objective >= max(kept)


def collapsing(strength: float = 0.0) -> tuple[Problem, Draw]:
    """Two clusters, one with two equal rows; every other start sits on those two."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (30, 2)), rng.normal(9, 1, (30, 2)), [[9.0, 9.0]] * 2])
    problem, near = CASE.problem(X, strength=strength), CASE.problem(X, strength=1.0)

    def draw(rng: Rng) -> Mixture:
        if rng.random() < 0.5:
            return near.estimate(X, rng.dirichlet(np.ones(2), size=62))
        covariances = np.array([30.0 * np.eye(2), 1e-100 * np.eye(2)])
        return Mixture.gaussian([0.5, 0.5], [[4.0, 4.0], [9.0, 9.0]], covariances)

    return problem, draw


def test_a_collapse_ends_its_own_run_only() -> None:
    problem, draw = collapsing()
    fit = search("em", problem, draw, n_init=12)
    ends = {run.outcome for run in fit.runs}
    assert Outcome.SINGULAR in ends
    assert fit.outcome.usable
    # On its way to the collapse a run may stand higher than any sound one ends.
    sound = [run.objective for run in fit.runs if run.outcome.usable]
    assert fit.objective == max(sound)
    assert max(run.objective for run in fit.runs) > max(sound)


def test_with_the_prior_nothing_collapses() -> None:
    problem, draw = collapsing(strength=1e-3)
    fit = search("em", problem, draw, n_init=6)
    assert {run.outcome for run in fit.runs} == {Outcome.CONVERGED}


@every_search
def test_when_every_start_fails_the_error_says_how(search_name: str) -> None:
    problem = CASE.problem(CASE.rows())
    failures: dict[int, BaseException] = {
        index: SingularComponentError(index, "made to fail") for index in range(12)
    }
    with pytest.raises(FitError, match="No start led to a usable mixture") as caught:
        search(search_name, problem, Scripted(drawing(problem), failures), n_init=12)
    for words in (
        "start 0: component 0",
        "start 4: component 4",
        "singular",
        "reg_covar",
        "7 more",
    ):
        assert words in str(caught.value)


class InterruptAt:
    """Presses Ctrl-C when it has seen so many states."""

    def __init__(self, at: int):
        self.left = at

    def __call__(self, state: State, /) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [0, 3, 15, 40])
def test_an_interrupt_of_plain_runs_returns_the_best_so_far(at: int) -> None:
    problem = CASE.problem(CASE.rows())
    arguments: dict[str, Any] = {"stopping": Stopping(0.0, 10), "n_init": 5}
    whole = search("em", problem, drawing(problem), **arguments)
    observers = (InterruptAt(at),)
    fit = search("em", problem, drawing(problem), observers=observers, **arguments)
    assert fit.outcome is Outcome.INTERRUPTED
    assert fit.objective == problem.evaluate(fit.mixture).objective
    assert len(fit.runs) == at // 11 + 1
    assert fit.runs[-1].outcome is Outcome.INTERRUPTED
    finished = [run.objective for run in whole.runs[: at // 11]]
    assert fit.objective == max([*finished, fit.runs[-1].objective])


def test_an_interrupt_between_runs_keeps_the_ones_before() -> None:
    problem = CASE.problem(CASE.rows())
    draw = Scripted(drawing(problem), {2: KeyboardInterrupt()})
    fit = search("em", problem, draw, n_init=5)
    assert fit.outcome is Outcome.INTERRUPTED
    assert len(fit.runs) == 2
    assert fit.objective == max(run.objective for run in fit.runs)


def test_an_interrupt_before_any_usable_run_goes_through() -> None:
    problem, draw = collapsing()
    first = Scripted(draw, {0: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        search("em", problem, first)
    after_a_failure = Scripted(
        draw, {0: SingularComponentError(0, "made to fail"), 1: KeyboardInterrupt()}
    )
    with pytest.raises(KeyboardInterrupt):
        search("em", problem, after_a_failure)


def test_an_interrupt_after_a_collapse_goes_through() -> None:
    # What a collapsed run had reached is no fit to return, marked or not.
    problem, draw = collapsing()
    failed = Scripted(lambda rng: draw(np.random.default_rng(0)), {1: KeyboardInterrupt()})
    assert np.random.default_rng(0).random() >= 0.5
    with pytest.raises(KeyboardInterrupt):
        search("em", problem, failed)


def test_other_errors_of_a_start_come_out() -> None:
    problem = CASE.problem(CASE.rows())
    with pytest.raises(ZeroDivisionError):
        search("em", problem, Scripted(drawing(problem), {1: ZeroDivisionError()}))


def test_unknown_search_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'em'"):
        make_search("emm")
    assert make_search("em", 4) == Restarts(4)


def test_the_same_starts_whatever_is_carried() -> None:
    problem = CASE.problem(CASE.rows())
    fit = search("restarts", problem, drawing(problem), n_init=10)
    whole = search("em", problem, drawing(problem), n_init=10)
    short, carried = fit.runs[:10], fit.runs[10:]
    assert all(one.n_iter <= other.n_iter for one, other in zip(short, whole.runs, strict=True))
    assert sum(run.passes for run in short) < sum(run.passes for run in whole.runs)
    best = sorted(short, key=lambda run: -run.objective)[:3]
    assert [run.start for run in carried] == [run.start for run in best]
    # Carried on, a run ends where it would have ended at once.
    for run in carried:
        at_once = whole.runs[run.start]
        assert (run.n_iter, run.objective) == (at_once.n_iter, at_once.objective)
    assert fit.n_iter + 1 == len(fit.trace)
    assert (np.diff(fit.trace) >= 0).all()


def test_a_short_run_ends_where_an_iteration_gains_little_of_the_whole() -> None:
    problem = CASE.problem(CASE.rows())
    engine = Engine(stopping=Stopping(0.0, 200, share=0.01))
    climb = engine.climb(problem, drawing(problem)(np.random.default_rng(1)))
    gains, gained = np.diff(climb.objectives), np.array(climb.objectives) - climb.objectives[0]
    assert climb.outcome is Outcome.CONVERGED
    assert (gains[:-1] > 0.01 * gained[1:-1]).all()
    assert gains[-1] <= 0.01 * gained[-1]


def test_where_a_carried_run_collapses_the_next_best_is_carried_on() -> None:
    problem, draw = collapsing()
    # Short runs that stand high because they collapse a little later.
    search_ = Restarts(12, carried=2)
    fit = search_(Engine(), problem, draw, np.random.default_rng(3))
    assert any(not run.outcome.usable for run in fit.runs)
    carried = [run for run in fit.runs if not run.short]
    assert sum(run.outcome.usable for run in carried) == 2
    assert fit.objective == max(run.objective for run in carried if run.outcome.usable)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "two"])
def test_a_number_of_starts_is_checked(value: Any) -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        Restarts(value)
    with pytest.raises(ArgumentError, match="carried must be"):
        Restarts(3, carried=value)
