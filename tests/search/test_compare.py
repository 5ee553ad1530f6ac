from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emplus import Mixture
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, FitError
from emplus.families.base import SingularComponentError
from emplus.search.base import Draw
from emplus.search.compare import compare
from emplus.search.comparison import Comparison, Trial
from emplus.search.fit import Fit
from emplus.search.optima import count_optima
from emplus.search.registry import make_search
from emplus.search.restarts import Restarts
from emplus.starts.registry import make_start
from tests.cases import FAMILY_CASES, FamilyCase
from tests.search.helpers import CASES

CASE = FAMILY_CASES[0]
Rng = np.random.Generator


def posed(case: FamilyCase = CASE, k: int = 4) -> tuple[Problem, Draw]:
    problem = case.problem(case.rows())
    return problem, lambda rng: make_start("random_from_data")(problem, k, rng)


def searches(*names: str) -> dict[str, Any]:
    return {name: make_search(name) for name in names}


# Running -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian-full", "bernoulli"])
def test_a_run_is_what_the_search_gives_from_that_seed(name: str) -> None:
    problem, draw = posed(CASES[name])
    engine = Engine(stopping=Stopping(1e-4, 100))
    found = compare(searches("em", "split_merge"), engine, problem, draw, [3, 5])
    assert [(t.search, t.seed) for t in found.trials] == [
        ("em", 3),
        ("split_merge", 3),
        ("em", 5),
        ("split_merge", 5),
    ]
    for trial in found.trials:
        rng = np.random.default_rng(trial.seed)
        alone = make_search(trial.search)(engine, problem, draw, rng)
        assert trial.log_likelihood == alone.log_likelihood
        assert trial.objective == alone.objective
        assert trial.passes == alone.passes
        assert (trial.tried, trial.accepted) == (
            len(alone.candidates),
            len(alone.candidates.accepted),
        )
        assert trial.outcome is alone.outcome
        assert trial.seconds > 0.0
    assert found.best.objective == max(trial.objective for trial in found.trials)
    assert not found.interrupted


def test_every_run_is_announced_before_it_begins() -> None:
    problem, draw = posed()
    told: list[tuple[str, int]] = []
    found = compare(
        searches("em"), Engine(), problem, draw, range(3), watch=lambda *run: told.append(run)
    )
    assert told == [(trial.search, trial.seed) for trial in found.trials]


class Failing:
    """A search that fails, or is interrupted, from the seeds that the script names."""

    def __init__(self, script: dict[int, str]):
        self.script, self.calls = script, 0

    def __call__(self, engine: Engine, problem: Problem, draw: Draw, rng: Rng) -> Fit:
        number, self.calls = self.calls, self.calls + 1
        what = self.script.get(number)
        if what == "fail":
            raise FitError("Nothing worked.")
        if what == "key":
            raise KeyboardInterrupt
        fit = Restarts()(engine, problem, draw, rng)
        return replace(fit, outcome=Outcome.INTERRUPTED) if what == "kept" else fit


@pytest.mark.parametrize("how", ["key", "kept"])
def test_an_interrupt_keeps_the_complete_runs(how: str) -> None:
    problem, draw = posed()
    both = {"em": make_search("em"), "other": Failing({1: how})}
    found = compare(both, Engine(), problem, draw, range(9))
    assert found.interrupted
    assert [(t.search, t.seed) for t in found.trials] == [("em", 0), ("other", 0), ("em", 1)]
    assert [summary.runs for summary in found.summaries()] == [2, 1]


def test_an_interrupt_before_the_first_result_is_one() -> None:
    problem, draw = posed()
    with pytest.raises(KeyboardInterrupt):
        compare({"a": Failing({0: "key"})}, Engine(), problem, draw, range(2))


def test_a_failed_run_loses_no_other() -> None:
    problem, draw = posed()
    found = compare({"a": Failing({0: "fail", 2: "fail"})}, Engine(), problem, draw, range(3))
    failed, sound, _ = found.trials
    assert (failed.outcome, failed.failure) == (None, "Nothing worked.")
    assert failed.log_likelihood == -math.inf
    assert found.best.log_likelihood == sound.log_likelihood
    [summary] = found.summaries()
    assert (summary.runs, summary.failed) == (3, 2)
    assert summary.at_best == pytest.approx(1 / 3)
    assert summary.worst == summary.median == -math.inf
    assert (summary.optima, summary.once, summary.chance_of_new) == (1, 1, 1.0)


def test_when_every_run_fails_the_reason_is_said() -> None:
    def draw(rng: Rng) -> Mixture:
        raise SingularComponentError(2, "no rows")

    with pytest.raises(FitError, match="component 2"):
        compare(searches("em"), Engine(), posed()[0], draw, range(2))


@pytest.mark.parametrize(
    ("names", "seeds", "near"), [((), [0], 0.1), (("em",), [], 0.1), (("em",), [0], -1.0)]
)
def test_nothing_to_compare_is_refused(names: tuple[str, ...], seeds: Any, near: float) -> None:
    problem, draw = posed()
    with pytest.raises(ArgumentError):
        compare(searches(*names), Engine(), problem, draw, seeds, near=near)


def test_nan_is_no_nearness() -> None:
    problem, draw = posed()
    with pytest.raises(ArgumentError, match="near"):
        compare(searches("em"), Engine(), problem, draw, [0], near=math.nan)


# Summaries -----------------------------------------------------------------------------------


def told(*values: tuple[str, float, float, float], weight: float = 10.0) -> Comparison:
    """A comparison of made-up runs: search, log-likelihood, passes, seconds."""
    trials = tuple(
        Trial(search, seed, total, total - 1.0, passes, seconds, 0, 0, Outcome.CONVERGED)
        for seed, (search, total, passes, seconds) in enumerate(values)
    )
    problem, draw = posed()
    fit = replace(
        Restarts()(Engine(), problem, draw, np.random.default_rng(0)), total_weight=weight
    )
    names = tuple(dict.fromkeys(name for name, *_ in values))
    return Comparison(names, trials, fit, same=0.05, near=1e-2)


def test_the_summary_counts_a_row() -> None:
    found = told(
        ("a", -50.0, 10, 1.0),
        ("a", -40.05, 30, 2.0),
        ("a", -44.0, 20, 9.0),
        ("b", -40.0, 7, 0.5),
    )
    a, b = found.summaries()
    assert (a.median, a.worst, a.best) == pytest.approx((-4.4, -5.0, -4.005))
    assert (a.median_gap, a.worst_gap) == pytest.approx((0.4, 1.0))
    # Best known is that of all searches.
    assert a.at_best == pytest.approx(1 / 3)
    assert b.at_best == 1.0
    assert (a.passes, a.seconds) == (20.0, 2.0)
    assert (a.optima, a.once, a.chance_of_new) == (3, 3, 1.0)
    frame = found.to_frame()
    assert frame["search"].tolist() == ["a", "b"]
    assert frame.loc[0, "median"] == a.median
    runs = found.trials_frame()
    assert runs["passes"].tolist() == [10, 30, 20, 7]
    assert runs["outcome"].tolist() == ["converged"] * 4


# Good and Turing -----------------------------------------------------------------------------


def test_optima_are_told_apart_from_their_tops() -> None:
    # A chain of runs each close to the next is not one optimum when it is longer than `same`.
    assert count_optima([-1.0, -1.4, -1.8, -2.2], same=0.5).hits == (2, 2)
    assert count_optima([-3.0], same=0.0).hits == (1,)
    assert count_optima(iter([5.0, 5.0, 5.0]), same=0.0).hits == (3,)


def test_the_estimate_is_right_on_average() -> None:
    # 40 optima of unequal chances: the estimate against the true chance of something unseen.
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(40, 0.5))
    errors = []
    for _ in range(400):
        hit = rng.choice(40, size=30, p=chances)
        estimate = count_optima(hit.astype(float), same=0.1).chance_of_new
        errors.append(estimate - chances[np.setdiff1d(np.arange(40), hit)].sum())
    assert abs(np.mean(errors)) < 0.02
    assert np.std(errors) < 0.2


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([], ["reached no optimum"]),
        ([1.0], ["from 1 start hit 1 optimum, once", "about 1.00"]),
        ([1.0, 1.0], ["from 2 starts hit 1 optimum, every time", "about 0."]),
        ([1.0, 1.0, 2.0], ["hit 2 distinct optima, 1 of them once", "about 0.33"]),
        ([1.0, 1.0, 2.0, 2.0], ["hit 2 distinct optima, none of them once", "about 0."]),
    ],
)
def test_the_sentence(values: list[float], parts: list[str]) -> None:
    sentence = count_optima(values, same=0.1).sentence("plain EM")
    assert sentence.startswith("plain EM ")
    for part in parts:
        assert part in sentence


def test_looser_climbs_count_about_the_same_optima() -> None:
    # The tolerance grows with the climbs', so that those broken off earlier are not more optima.
    problem, draw = posed(k=5)
    seeds = range(8)
    counts = []
    for tol in (1e-6, 1e-9):
        engine = Engine(stopping=Stopping(tol, 5000))
        found = compare(searches("em"), engine, problem, draw, seeds)
        counts.append(len(found.optima("em").hits))
    assert abs(counts[0] - counts[1]) <= 2
    assert counts[1] > 1
