"""The observer that keeps what scores best on rows held out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from emplus.engine.loop import Engine, Stopping
from emplus.engine.observers import HeldOut
from emplus.engine.outcome import Outcome
from emplus.engine.problem import State
from tests.cases import GAUSSIAN_CASES


class Scored:
    """Stands for a mixture that scores every row the same."""

    def __init__(self, score: float):
        self.score = score

    def log_density(self, X: Any) -> Any:
        return np.full(len(X), self.score)


def ended(held_out: HeldOut, iteration: int, score: float) -> bool:
    """Show a state; whether the observer asked to end the run."""
    try:
        held_out(cast(State, SimpleNamespace(iteration=iteration, mixture=Scored(score))))
    except KeyboardInterrupt:
        return True
    return False


def test_the_best_is_kept_and_the_run_ends_after_the_patience() -> None:
    held_out = HeldOut(np.zeros((3, 1)), patience=2)
    scores = [-5.0, -3.0, -4.0, -3.5]
    assert [ended(held_out, *shown) for shown in enumerate(scores)] == [False, False, False, True]
    assert (held_out.score, held_out.iteration) == (-3.0, 1)
    # Another run has a patience of its own, and must be better to be kept.
    assert not any(ended(held_out, *shown) for shown in enumerate([-9.0, -8.0, -7.0, -6.0]))
    assert held_out.score == -3.0
    assert not ended(held_out, 4, -2.0)
    assert (held_out.score, held_out.iteration) == (-2.0, 4)


def test_a_climb_ends_past_its_best() -> None:
    case = GAUSSIAN_CASES[0]
    X, others = case.rows(30), case.rows(200, seed=1)
    problem = case.problem(X, strength=1e-3)
    start = problem.estimate(X, np.random.default_rng(0).dirichlet(np.ones(5), size=30))
    scores: list[float] = []

    def score(state: State) -> None:
        scores.append(float(state.mixture.log_density(others).mean()))

    held_out = HeldOut(others, patience=3)
    engine = Engine(stopping=Stopping(-1.0, 300), observers=(score, held_out))
    climb = engine.climb(problem, start)
    assert climb.outcome is Outcome.INTERRUPTED
    assert held_out.score == max(scores)
    assert held_out.iteration == int(np.argmax(scores))
    assert climb.state.iteration == held_out.iteration + 3
