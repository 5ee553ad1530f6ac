"""Searches that are broken off anywhere and taken up again: the same bits as undisturbed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emplus.engine.journal import Entry, Journal, Place, Standing, Written
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.engine.registry import make_rule
from emplus.engine.rules import StepRule
from emplus.io.values import Reader, Writer
from emplus.search.base import Budget
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from emplus.starts.registry import make_start
from tests.cases import FAMILY_CASES, FamilyCase, every_search

CASES = {case.id: case for case in FAMILY_CASES}
K = 3
# How many of the moments at which a search may be broken off are tried.
TRIED = 2


class Snapshots:
    """What there was to be saved, each time."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[Place, Entry], tuple[Place, Standing] | None]] = []

    def save(self, journal: Written) -> None:
        self.taken.append((dict(journal.entries), journal.unfinished))

    def journal(self, number: int) -> Written:
        """A journal with what was there then, written as text and numbers and read again."""
        entries, unfinished = self.taken[number]
        writer = Writer()
        written = [
            [list(place), entry.name, writer.tree(entry.value), writer.tree(entry.generator)]
            for place, entry in entries.items()
        ]
        last = None if unfinished is None else writer.tree(unfinished)
        again = json.loads(json.dumps([written, last], allow_nan=False))
        reader = Reader(writer.tensors())
        known = {
            tuple(place): Entry(name, reader.value(tree), 0.0, reader.value(generator))
            for place, name, tree, generator in again[0]
        }
        return Written(
            lambda journal: None, 1e9, known, None if last is None else reader.value(again[1])
        )


def problem(case: FamilyCase) -> Problem:
    return case.problem(case.like(K, 3.0).sample(160, np.random.default_rng(5))[0])


def searched(problem: Problem, name: str, journal: Journal, rule: StepRule | None = None) -> Fit:
    engine = Engine(make_rule() if rule is None else rule, Stopping(1e-5, 25), journal=journal)
    search = make_search(name, 2, None if name in ("em", "restarts") else Budget(moves=2))
    start = make_start("k-means++")
    rng = np.random.default_rng(3)
    return journal.step(
        "fit", lambda: search(engine, problem, lambda own: start(problem, K, own), rng)
    )


def told(fit: Fit) -> list[Any]:
    """Everything about a fit but its seconds, every bit of it."""
    arrays = fit.mixture.family.pack(fit.mixture.parameters)
    bits = {name: (array.dtype, array.tobytes()) for name, array in arrays.items()}
    rest = replace(fit, mixture=None, seconds=0.0, runs=())  # type: ignore[arg-type]  # compared only
    runs = [replace(run, seconds=0.0) for run in fit.runs]
    return [fit.mixture.log_weights.tobytes(), bits, repr(rest), repr(runs)]


def assert_goes_on(
    problem: Problem, name: str, rule: StepRule | None = None, tried: int = TRIED
) -> None:
    undisturbed = told(searched(problem, name, Journal(), rule))
    snapshots = Snapshots()
    assert told(searched(problem, name, Written(snapshots.save, 0.0), rule)) == undisturbed
    moments = np.unique(np.linspace(0, len(snapshots.taken) - 1, tried + 1).astype(int))
    assert len(moments) > 1
    for moment in moments:
        assert told(searched(problem, name, snapshots.journal(moment), rule)) == undisturbed


@every_search
@pytest.mark.parametrize("case", ["gaussian-full", "bernoulli"])
def test_every_search_goes_on(search_name: str, case: str) -> None:
    assert_goes_on(problem(CASES[case]), search_name)


@pytest.mark.parametrize("case", FAMILY_CASES, ids=lambda case: case.id)
def test_every_family_goes_on(case: FamilyCase) -> None:
    assert_goes_on(problem(case), "split_merge", tried=1)


RULES = {
    "em": make_rule("em", None),
    "anderson": make_rule("em", "anderson"),
    "squarem": make_rule("em", "squarem"),
    "gradient": make_rule("gradient"),
    "lbfgs": make_rule("lbfgs"),
    "em+lbfgs": make_rule("em+lbfgs"),
    "stepwise": make_rule("stepwise"),
    "incremental": make_rule("incremental"),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("case", ["gaussian-tied", "categorical"])
def test_every_rule_goes_on(name: str, case: str) -> None:
    slow = CASES[case].like(K, 0.7).sample(600, np.random.default_rng(1))[0]
    assert_goes_on(CASES[case].problem(slow), "em", RULES[name], tried=3)


def test_starts_that_fail_are_tried_again() -> None:
    # Without a prior, components on few equal rows collapse: some starts have no climb.
    X = np.repeat(np.random.default_rng(0).normal(size=(12, 2)), 3, axis=0)
    bare = CASES["gaussian-full"].problem(X, strength=0.0)
    assert any(not run.outcome.usable for run in searched(bare, "restarts", Journal()).runs)
    assert_goes_on(bare, "restarts")


def test_holes_labels_and_weights_go_on() -> None:
    case = CASES["gaussian-full"]
    X = problem(case).source.take(slice(None))[0].copy()
    X[::7, 0] = np.nan
    assert_goes_on(case.problem(X, weight=np.linspace(0.5, 2.0, len(X))), "split_merge")
