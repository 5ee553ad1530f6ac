"""What scouts see: who holds which rows, how they may be cut, and what changes would bring."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.special import logsumexp

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.search.assignment import Assignment, Sample
from emplus.search.patches import FREE, Patch, merged, patched, split
from emplus.search.scout import Scout
from tests.cases import FAMILY_CASES, Array, FamilyCase, every_searched_family, problem_of
from tests.oracles import exact_log_joint
from tests.search.helpers import trapped

CASE = FAMILY_CASES[0]


def overlapping(case: FamilyCase, weighted: bool = False) -> tuple[Problem, Mixture]:
    """A settled mixture of five components, some of which overlap."""
    mixture = case.like(5, 3.0)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    weight = np.random.default_rng(1).uniform(0.1, 3.0, 500) if weighted else None
    problem = case.problem(X, weight)
    return problem, Engine().climb(problem, mixture).state.mixture


def looking(problem: Problem, mixture: Mixture) -> Assignment:
    sample = Sample(problem, mixture.n_components, np.random.default_rng(0))
    return Assignment(problem, sample, mixture)


def responsibilities(mixture: Mixture, X: Array) -> Array:
    joint = exact_log_joint(mixture, X)
    resp: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return resp


@every_searched_family
@pytest.mark.parametrize("weighted", [False, True])
def test_an_assignment_is_the_responsibilities_without_the_smallest(
    case: FamilyCase, weighted: bool
) -> None:
    problem, mixture = overlapping(case, weighted)
    X, weight = problem.source.take(np.arange(500))
    weight = np.ones(500) if weight is None else weight
    found = looking(problem, mixture)
    resp = responsibilities(mixture, X)
    kept = np.where(resp > 0.01, resp, 0.0)
    np.testing.assert_allclose(found.weight, weight @ kept, rtol=1e-5)
    for j in range(5):
        np.testing.assert_array_equal(found.rows_of(j), np.flatnonzero(kept[:, j]))
    cell, shares = found.cell((3, 1))
    rows = np.flatnonzero(kept[:, [3, 1]].any(axis=1))
    np.testing.assert_array_equal(cell.rows, rows)
    np.testing.assert_array_equal(cell.fetch(), X[rows])
    held = kept[rows][:, [3, 1]]
    np.testing.assert_allclose(cell.mass, weight[rows] * held.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(shares, held / held.sum(axis=1, keepdims=True), rtol=1e-4)
    together = (kept * weight[:, None]).T @ kept
    np.fill_diagonal(together, 0.0)
    np.testing.assert_allclose(
        found.overlap, together / (weight @ kept)[:, None], rtol=1e-4, atol=1e-12
    )


def test_neighbours_are_those_that_overlap_and_then_those_most_alike() -> None:
    means = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 0.0], [30.0, 0.0], [90.0, 0.0]])
    mixture = Mixture.gaussian(np.full(5, 0.2), means, np.tile(np.eye(2), (5, 1, 1)))
    X, _ = mixture.sample(2000, np.random.default_rng(0))
    found = looking(CASE.problem(X), mixture)
    assert found.neighbours(0, 4) == [1, 2, 3, 4]
    assert found.neighbours(4, 2) == [3, 2]
    assert found.neighbours(2, 2) == [1, 0]
    assert found.neighbours(3, 9) == [2, 1, 0, 4]


def test_a_component_without_rows_is_no_trouble() -> None:
    problem, mixture = overlapping(CASE)
    weights = np.append(mixture.weights * (1 - 1e-12), 1e-12)
    means = np.vstack([mixture.parameters.means, [[500.0, 500.0]]])
    covariances = np.concatenate([mixture.parameters.covariances, [np.eye(2)]])
    lonely = Mixture.gaussian(weights, means, covariances)
    found = looking(problem, lonely)
    assert len(found.rows_of(5)) == 0
    assert found.weight[5] == 0.0
    assert np.isfinite(found.overlap).all()
    assert len(found.cell((5,))[0].mass) == 0
    assert 5 not in found.neighbours(5, 4)


def test_a_sample_stands_for_all_rows() -> None:
    X = CASE.rows(5000)
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 5000)
    problem = CASE.problem(X, weight)
    whole = Sample(problem, 3, np.random.default_rng(0))
    assert whole.source is problem.source
    np.testing.assert_array_equal(whole.weight, weight)
    part = Sample(problem, 1, np.random.default_rng(0), most=500)
    assert len(part.X) == 1000
    assert part.weight.sum() == pytest.approx(weight.sum())
    again = Sample(problem, 1, np.random.default_rng(0), most=500)
    np.testing.assert_array_equal(part.X, again.X)


def test_shares_after_a_merge_and_a_split() -> None:
    rng = np.random.default_rng(0)
    resp = rng.dirichlet(np.ones(3), size=20)
    together = merged(resp, (4, 7, 9), 9, 4)
    np.testing.assert_allclose(together, np.column_stack([resp[:, 1], resp[:, 0] + resp[:, 2]]))
    side = rng.integers(0, 2, 20).astype(float)
    apart = split(resp, (4, 7, 9), 7, side)
    assert apart.shape == (20, 4)
    np.testing.assert_allclose(apart[:, 3], resp[:, 1] * side)
    np.testing.assert_allclose(apart[:, 1] + apart[:, 3], resp[:, 1])


def dropped(problem: Problem, mixture: Mixture) -> float:
    """Nats that responsibilities left out may be worth: a small share of the rows that have any."""
    X, weight = problem.source.take(np.arange(problem.source.n_rows))
    weight = np.ones(len(X)) if weight is None else weight
    resp = responsibilities(mixture, X)
    lost = np.where(resp <= 0.01, resp, 0.0).sum(axis=1)
    log_own = exact_log_joint(mixture, X)
    return float(weight @ lost * np.ptp(log_own))


@every_searched_family
@pytest.mark.parametrize("weighted", [False, True])
def test_a_gain_is_a_lower_bound(case: FamilyCase, weighted: bool) -> None:
    for problem, mixture in (overlapping(case, weighted), _stuck(case)):
        before = problem.evaluate(mixture).objective
        slack = dropped(problem, mixture) + 1e-6
        scout = Scout(problem, Sample(problem, mixture.n_components, np.random.default_rng(0)))
        scout.look(mixture)
        merges = scout.merges()
        splits = scout.splits(merges, 8)
        assert merges
        assert splits
        pairs = [
            (merge, half)
            for merge in merges
            for half in splits
            if not merge.meets(half) and np.isfinite(merge.gain + half.gain)
        ]
        for merge, half in pairs[:30]:
            after = patched(mixture, [(merge, merge.core[1]), (half, merge.core[1])])
            assert after.weights.sum() == pytest.approx(1.0)
            rise = problem.evaluate(after).objective - before
            assert rise >= merge.gain + half.gain - slack


def _stuck(case: FamilyCase) -> tuple[Problem, Mixture]:
    problem, bad, _ = trapped(case)
    return problem, Engine().climb(problem, bad).state.mixture


@every_searched_family
def test_the_prices_in_a_trap(case: FamilyCase) -> None:
    """Two over one cluster cost little to merge, one over two gains most from a split."""
    problem, mixture = _stuck(case)
    scout = Scout(problem, Sample(problem, 6, np.random.default_rng(0)))
    scout.look(mixture)
    merges = scout.merges()
    splits = scout.splits(merges, 8)
    assert merges[0].core == (0, 5)
    assert splits[0].core == (4,)
    assert splits[0].numbers == (4, FREE)
    assert merges[0].gain + splits[0].gain > 30.0
    assert [p.gain for p in merges] == sorted((p.gain for p in merges), reverse=True)


def prices(patches: list[Patch]) -> dict[tuple[int, ...], float]:
    return {patch.core: patch.gain for patch in patches}


@every_searched_family
def test_memory_gives_the_prices_of_a_fresh_scout(case: FamilyCase) -> None:
    problem, mixture = _stuck(case)
    sample = Sample(problem, 6, np.random.default_rng(0))

    def looked(scout: Scout) -> tuple[dict[tuple[int, ...], float], ...]:
        scout.look(mixture)
        merges = scout.merges()
        return prices(merges), prices(scout.splits(merges, 8))

    scout = Scout(problem, sample)
    first = looked(scout)
    worked = scout.passes
    again = looked(scout)
    assert again == first == looked(Scout(problem, sample))
    # The second time it only looks.
    assert scout.passes < worked
    kept = scout.versions(range(6))
    # A change is seen: the two that share a cluster, merged, and the one over two, split.
    merges = scout.merges()
    splits = scout.splits(merges, 8)
    best = [(merges[0], merges[0].core[1]), (splits[0], merges[0].core[1])]
    mixture = Engine().climb(problem, patched(mixture, best)).state.mixture
    later, fresh = looked(scout), looked(Scout(problem, sample))
    changed = [j for j in range(6) if scout.versions([j])[0] != kept[j]]
    assert set(changed) >= {0, 4, 5}
    for known, new in zip(later, fresh, strict=True):
        for core in known.keys() & new.keys():
            # What did not change to speak of keeps the price it had.
            assert known[core] == pytest.approx(new[core], abs=5.0, rel=0.05)


def test_threads_do_not_change_what_is_seen() -> None:
    X = CASE.rows(20_000)
    seen = []
    for n_jobs in (1, 2):
        problem = problem_of(CASE.family, ArraySource(X, None, n_jobs))
        scout = Scout(problem, Sample(problem, 3, np.random.default_rng(0)))
        scout.look(CASE.mixture)
        seen.append(prices(scout.merges()))
    assert seen[0] == seen[1]


def test_a_scout_keeps_prices_and_no_rows() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(6000) % 15
    X = 4.0 * rng.standard_normal((15, 20))[labels] + rng.standard_normal((6000, 20))
    problem = CASE.problem(X)
    mixture = problem.estimate(X, 0.9 * np.eye(15)[labels] + 0.1 / 15)
    sample = Sample(problem, 15, rng)
    assert np.shares_memory(sample.X, X)
    scout = Scout(problem, sample)
    tracemalloc.start()
    try:
        scout.look(mixture)
        begun = tracemalloc.get_traced_memory()[0]
        merges = scout.merges()
        splits = scout.splits(merges, 8)
        scout.relaxed(merges[:4], splits[:4])
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - begun < 2 * X.nbytes
    assert peak - begun < 6 * X.nbytes
