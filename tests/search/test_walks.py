"""Every search that goes on from another's result: the record, undoing, budgets, interrupts."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.errors import ArgumentError, UnknownNameError
from emplus.search.annealing import Annealing
from emplus.search.base import Budget
from emplus.search.fit import Fit
from emplus.search.registry import SEARCHES, make_search
from emplus.search.reset import Reset
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge
from emplus.search.walk import Move, Walk
from tests.cases import (
    FAMILY_CASES,
    SEARCH_NAMES,
    SEARCHED_CASES,
    FamilyCase,
    every_search,
    every_searched_family,
    problem_of,
)
from tests.covering import share
from tests.search.helpers import (
    CASES,
    WALKS,
    FailingSource,
    assert_same_mixture,
    drawing,
    quickly,
    search,
    searches_of_families,
    trapped,
)

CASE = FAMILY_CASES[0]
every_walk = pytest.mark.parametrize("name", WALKS)
# The other half of the pairs is met where searches start from rows.
some_of_both = searches_of_families(share(1, 2, SEARCHED_CASES, SEARCH_NAMES))


def searched(name: str, problem: Problem, start: Mixture, **arguments: Any) -> Fit:
    return search(name, problem, lambda rng: start, n_init=1, **arguments)


@cache
def from_the_trap(case_id: str, name: str) -> tuple[Problem, Mixture, Fit]:
    """A problem, its bad start, and where a search of its own length ends: several tests ask."""
    case = CASES[case_id]
    problem, bad, _ = trapped(case)
    return problem, bad, searched(name, problem, bad, **quickly(case))


@some_of_both
def test_never_worse_than_its_start(case: FamilyCase, search_name: str) -> None:
    problem, bad, found = from_the_trap(case.id, search_name)
    good = trapped(case)[2]
    for start, fit in (
        (bad, found),
        (good, searched(search_name, problem, good, **quickly(case))),
    ):
        assert fit.objective >= problem.evaluate(start).objective
        assert fit.objective == problem.evaluate(fit.mixture).objective


@some_of_both
def test_the_record_adds_up(case: FamilyCase, search_name: str) -> None:
    problem, _, fit = from_the_trap(case.id, search_name)
    slack = problem.evaluate(fit.mixture).rounding
    accepted = fit.candidates.accepted
    begun = accepted[0].start if accepted else len(fit.trace)
    before = max(fit.trace[:begun])
    assert fit.rise == pytest.approx(fit.objective - before, abs=10 * slack)
    for candidate in fit.candidates:
        assert candidate.accepted == (candidate.gain > 0 and candidate in accepted)
        assert 0 <= candidate.start <= len(fit.trace)
        assert candidate.passes >= 0
        assert candidate.accepted or candidate.kind in ("settle", "swap") or candidate.gain < 1.0
    # The trace falls where a candidate begins and nowhere else.
    marks = {candidate.start for candidate in accepted}
    falls = np.flatnonzero(np.diff(fit.trace) < -slack) + 1
    assert set(falls.tolist()) <= marks
    for candidate, following in itertools.pairwise([*accepted, None]):
        assert candidate is not None
        end = len(fit.trace) if following is None else following.start
        climb = fit.trace[candidate.start : end]
        reached = max(fit.trace[: candidate.start]) + candidate.gain
        assert max(climb) == pytest.approx(reached, abs=10 * slack)
    spent = sum(run.passes for run in fit.runs) + sum(c.passes for c in fit.candidates)
    assert fit.passes >= spent - 1e-6


@every_search
def test_the_tables_of_the_record(search_name: str) -> None:
    _, _, fit = from_the_trap(CASE.id, search_name)
    frame, candidates = fit.to_frame(), fit.candidates.to_frame()
    assert frame["objective"].tolist() == list(fit.trace)
    assert frame["pass"].tolist() == list(range(1, len(fit.trace) + 1))
    accepted = [number for number, c in enumerate(fit.candidates) if c.accepted]
    assert sorted(set(frame["candidate"]) - {-1}) == accepted
    marked = frame[frame["move"] != ""]
    assert marked["move"].tolist() == [fit.candidates[number].kind for number in accepted]
    assert marked.index.tolist() == [fit.candidates[number].start for number in accepted]
    assert len(candidates) == len(fit.candidates)
    assert candidates["gain"].tolist() == [c.gain for c in fit.candidates]


@every_searched_family
def test_a_rejected_candidate_leaves_the_same_arrays(case: FamilyCase) -> None:
    problem, bad, good = trapped(case)
    fit = Restarts()(Engine(), problem, lambda rng: good, np.random.default_rng(0))
    walk = Walk(Engine(), problem, fit, Budget())
    kept = {name: a.copy() for name, a in case.family.pack(fit.mixture.parameters).items()}
    weights = fit.mixture.log_weights.copy()
    assert not walk.consider(Move("split_merge", ((0, 1, 2),), bad), least=0.0)
    walk.reject(Move("swap", ((0, 1),), bad), -3.0)
    result = walk.result()
    assert_array_equal(result.mixture.log_weights, weights)
    for name, array in case.family.pack(result.mixture.parameters).items():
        assert_array_equal(array, kept[name])
    assert result.objective == fit.objective
    assert result.trace == fit.trace
    assert [c.accepted for c in result.candidates] == [False, False]
    assert result.candidates[1].gain == -3.0
    assert result.passes > fit.passes


@searches_of_families(share(0, 2, SEARCHED_CASES, WALKS), search_name="name")
def test_what_fails_is_undone_to_the_bit(case: FamilyCase, name: str) -> None:
    """From the best optimum, where nothing can be accepted."""
    problem, _, good = trapped(case)
    top = Engine(stopping=Stopping(0.0, 3000)).climb(problem, good).state.mixture
    first = searched("em", problem, top)
    fit = searched(f"em+{name}", problem, first.mixture)
    if not any(c.accepted for c in fit.candidates):
        again = searched("em", problem, first.mixture)
        assert_same_mixture(fit.mixture, again.mixture)
    assert fit.objective == pytest.approx(first.objective, abs=1e-3)


@every_search
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(
    search_name: str, weighted: bool
) -> None:
    # Rows enough for several blocks.
    X = CASE.rows(2100)
    weight = np.random.default_rng(1).uniform(0.2, 2.0, len(X)) if weighted else None
    fits = [
        search(search_name, problem, drawing(problem, 4), 1, stopping=Stopping(1e-4, 50))
        for n_jobs in (1, 2)
        for problem in [problem_of(CASE.family, ArraySource(X, weight, n_jobs))]
    ]
    one, other = fits
    assert one.trace == other.trace
    assert_same_mixture(one.mixture, other.mixture)
    assert [c.gain for c in one.candidates] == [c.gain for c in other.candidates]


@every_walk
def test_a_budget_of_nothing_gives_the_first_result(name: str) -> None:
    problem, bad, first = from_the_trap(CASE.id, "em")
    for budget in (Budget(moves=0), Budget(passes=0), Budget(seconds=0)):
        fit = searched(name, problem, bad, budget=budget)
        assert fit.objective == pytest.approx(first.objective, rel=1e-12)
        assert all(candidate.kind == "settle" for candidate in fit.candidates)


@every_walk
def test_budgets_are_kept(name: str) -> None:
    problem, bad, whole = from_the_trap(CASE.id, name)
    few = searched(name, problem, bad, budget=Budget(moves=2))
    assert sum(c.kind != "settle" for c in few.candidates) <= 2
    first = sum(run.passes for run in whole.runs)
    halfway = 0.5 * (whole.passes - first)
    short = searched(name, problem, bad, budget=Budget(passes=halfway))
    # What is being tried when it ends is finished.
    last = max((c.passes for c in short.candidates), default=0.0)
    settled = sum(c.passes for c in short.candidates if c.kind == "settle")
    if name != "annealing":
        assert short.passes - first <= halfway + last + settled + 20
    assert short.passes <= whole.passes + 20


@every_walk
def test_time_is_kept(name: str) -> None:
    problem, bad, _ = trapped(CASE)
    fit = searched(name, problem, bad, budget=Budget(seconds=0.02))
    assert fit.seconds < 5.0
    assert fit.outcome.usable


@cache
def few_moves(name: str) -> Fit:
    problem, bad, _ = trapped(CASE)
    return searched(name, problem, bad, budget=Budget(moves=3))


@every_walk
def test_searches_start_from_each_others_results(name: str) -> None:
    problem, bad, _ = trapped(CASE)
    for other in WALKS:
        budget = Budget(moves=3)
        before = few_moves(other)
        fit = searched(f"{other}+{name}", problem, bad, budget=budget)
        assert fit.objective >= before.objective - 1e-6
        known = [c.kind for c in before.candidates]
        assert [c.kind for c in fit.candidates][: len(known)] == known
    first = from_the_trap(CASE.id, "em")[2]
    assert searched(f"restarts+{name}", problem, bad).objective >= first.objective


class InterruptAt:
    """Presses Ctrl-C when it has seen so many states."""

    def __init__(self, at: float):
        self.at, self.seen = at, 0

    def __call__(self, state: State, /) -> None:
        self.seen += 1
        if self.seen - 1 == self.at:
            raise KeyboardInterrupt


@every_search
def test_an_interrupt_at_any_state_keeps_the_best(search_name: str) -> None:
    problem, bad, _ = trapped(CASE)
    counter = InterruptAt(math.inf)
    searched(search_name, problem, bad, observers=(counter,))
    for at in np.unique(np.linspace(0, counter.seen - 1, 6).astype(int)):
        fit = searched(search_name, problem, bad, observers=(InterruptAt(int(at)),))
        assert fit.outcome is Outcome.INTERRUPTED
        state = problem.evaluate(fit.mixture)
        assert fit.objective == state.objective
        before = fit.objective - fit.rise
        assert fit.trace[0] - state.rounding <= before <= fit.objective + state.rounding


@every_search
def test_an_interrupt_at_any_pass_keeps_the_best(search_name: str) -> None:
    """Also outside the climbs: while candidates are looked for."""
    _, bad, _ = trapped(CASE)
    X = trapped(CASE)[0].source.take(np.arange(360))[0]

    def interrupted(at: float) -> tuple[FailingSource, Fit]:
        source = FailingSource(ArraySource(X, None, 1), at, KeyboardInterrupt)
        return source, searched(search_name, problem_of(CASE.family, source), bad)

    whole, _ = interrupted(math.inf)
    # The first pass finds nothing yet that could be kept.
    for at in np.unique(np.linspace(1, whole.count - 1, 6).astype(int)):
        try:
            _, fit = interrupted(int(at))
        except KeyboardInterrupt:
            # In the first pass of annealing's last climb, too, nothing has been reached.
            assert search_name == "annealing"
            continue
        assert fit.outcome is Outcome.INTERRUPTED
        assert fit.objective >= fit.trace[0]


def test_names_and_budgets_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ueda'"):
        SplitMerge("ueeda")
    for bad in (-1, math.nan, True, "many", None):
        for name in ("passes", "seconds", "moves"):
            with pytest.raises(ArgumentError, match=f"{name} must be at least 0"):
                Budget(**{name: bad})  # type: ignore[arg-type]  # wrong on purpose
    for threshold in (-0.1, 1.5, math.nan, "low"):
        with pytest.raises(ArgumentError, match="threshold must lie in"):
            Reset(threshold)  # type: ignore[arg-type]  # wrong on purpose
    for schedule in ([], [0.5], [0.0, 1.0], [0.5, 1.5, 1.0], [math.nan, 1.0], "hot", 1.0, None):
        with pytest.raises(ArgumentError, match="ends at 1"):
            Annealing(schedule)  # type: ignore[arg-type]  # wrong on purpose
    for strength in (0.0, -1.0, math.inf, math.nan, "some"):
        with pytest.raises(ArgumentError, match="positive and finite"):
            SplitMerge("ueda", regularization=strength)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ArgumentError, match="'ueda' only"):
        SplitMerge("local", regularization=0.1)
    with pytest.raises(ArgumentError, match="max_candidates must be"):
        SplitMerge("ueda", max_candidates=0)


def test_names_make_searches() -> None:
    budget = Budget(moves=7)
    for name in SEARCHES:
        made = make_search(name, 2)
        assert make_search(name, 2) == made
        if name in WALKS:
            bounded = replace(made, budget=budget)  # type: ignore[type-var]  # all are dataclasses
            assert make_search(name, 2, budget) == bounded
        else:
            with pytest.raises(ArgumentError, match="has no budget"):
                make_search(name, 2, budget)
        for later in ("em", "restarts"):
            with pytest.raises(ArgumentError, match="can come first only"):
                make_search(f"{name}+{later}")
    chain = make_search("restarts+reset+split_merge", 20, budget)
    reset = Reset(first=Restarts(20, carried=3), budget=budget)
    assert chain == SplitMerge(first=reset, budget=budget)
    with pytest.raises(UnknownNameError, match="did you mean 'reset'"):
        make_search("em+rest")


def test_the_page_names_every_search_and_its_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "searches.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.M) == list(SEARCHES)
    for name in SEARCHES:
        assert re.search(rf"^## .*`{name}`", page, re.M)
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(block, "searches.md", "exec"), {"__name__": "page"})
