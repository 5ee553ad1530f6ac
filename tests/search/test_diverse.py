"""Starts of several kinds on small tables, and when they are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.families.registry import make_family
from emplus.search.base import Budget
from emplus.search.diverse import diverse, n_diverse
from emplus.search.split_merge import SplitMerge
from emplus.starts.registry import make_start


def binary(n: int = 200, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, d)) < 0.4


def problem(
    X: np.ndarray, name: str = "bernoulli", strength: float = 0.5, **config: Any
) -> Problem:
    family, source = make_family(name, **config), ArraySource(X)
    moments = source.moments(full=family.needs_full_scatter, levels=family.levels)
    return Problem(family, source, family.default_prior(moments, strength))


COUNTS: dict[str, Any] = {
    "parts": [["bernoulli", {}, [0, 1]], ["categorical", {"levels": [2, 2]}, [2, 3]]]
}
REAL: dict[str, Any] = {"parts": [["bernoulli", {}, [0, 1]], ["gaussian", {}, [2, 3]]]}


def test_few_counts_and_few_rows_with_holes_get_more_starts() -> None:
    counts = binary().astype(float)
    holed = np.where(np.random.default_rng(1).random((200, 4)) < 0.2, np.nan, counts)
    assert n_diverse(problem(counts), 3) == 18
    assert n_diverse(problem(counts), 1) == 0
    assert n_diverse(problem(binary(5_000, 40)), 3) == 6
    assert n_diverse(problem(binary(100_000, 40)), 3) == 0
    assert n_diverse(problem(counts, "product", **COUNTS), 3) == 18
    assert n_diverse(problem(counts, "product", **REAL), 3) == 0
    assert n_diverse(problem(counts, "gaussian"), 3) == 0
    assert n_diverse(problem(holed, "gaussian"), 3) == 18
    labelled = problem(counts)
    known = ArraySource(counts, labels=np.zeros(200, dtype=np.intp))
    assert n_diverse(Problem(labelled.family, known, labelled.prior), 3) == 0


def test_the_kinds_take_turns() -> None:
    asked: list[int] = []
    table = problem(binary())
    start = make_start("k-means++")

    def draw(rng: np.random.Generator) -> Any:
        asked.append(1)
        return start(table, 2, rng)

    numbered = diverse(table, 2, draw)
    starts = [numbered(number)(np.random.default_rng(number)) for number in range(7)]
    assert len(asked) == 3
    # Parameters at random have equal weights, nearly alike ones nearly the same parameters.
    assert np.allclose(starts[2].log_weights, np.log(0.5))
    assert np.ptp(starts[1].parameters.probabilities, axis=0).max() < 0.2
    assert np.ptp(starts[2].parameters.probabilities, axis=0).max() > 0.2


def searched(search: SplitMerge, engine: Engine | None = None, strength: float = 0.5) -> Any:
    table, start = problem(binary(), strength=strength), make_start("k-means++")
    rng = np.random.default_rng(0)
    return search(engine or Engine(), table, lambda own: start(table, 3, own), rng)


def test_they_are_tried_and_never_lose() -> None:
    with_more, alone = searched(SplitMerge()), searched(SplitMerge(further=False))
    assert (len(with_more.runs), len(alone.runs)) == (18, 1)
    assert with_more.objective >= alone.objective - 0.05


def test_no_budget_no_further_starts() -> None:
    assert len(searched(SplitMerge(budget=Budget(seconds=0.0))).runs) == 1


@pytest.mark.parametrize("run", [2, 5])
def test_an_interruption_among_them_ends_the_search_and_keeps_the_best(run: int) -> None:
    begun = 0
    seen: list[float] = []

    def stop(state: State) -> None:
        nonlocal begun
        begun += state.iteration == 0
        seen.append(state.objective)
        if begun == run:
            raise KeyboardInterrupt

    fit = searched(SplitMerge(), Engine(observers=(stop,)))
    assert fit.outcome is Outcome.INTERRUPTED
    assert begun == run
    assert fit.objective >= max(seen) - 0.05
