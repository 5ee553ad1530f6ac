"""Partial EM: some components on their own rows, many groups side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine import partial as partial_module
from emplus.engine.loop import Engine
from emplus.engine.partial import Cell, Group, PartialEM
from emplus.engine.problem import Problem
from tests.cases import FAMILY_CASES, Array, FamilyCase, every_family

CASE = FAMILY_CASES[0]


def example(
    case: FamilyCase, k: int = 5, strength: float = 1e-3, weighted: bool = False
) -> tuple[Problem, Mixture]:
    mixture = case.like(k, 3.0)
    X, _ = mixture.sample(400, np.random.default_rng(0))
    weight = np.random.default_rng(1).uniform(0.1, 3.0, 400) if weighted else None
    problem = case.problem(X, weight, strength)
    # A few steps on, so that it is the problem's own and not yet settled.
    state = problem.evaluate(mixture)
    for _ in range(3):
        state = problem.evaluate(problem.maximize(state.statistics))
    return problem, state.mixture


def shared_rows(problem: Problem, mixture: Mixture, components: list[int]) -> tuple[Cell, Array]:
    """All rows, with what some components hold of each, and how they share it."""
    X, weight = problem.source.take(np.arange(problem.source.n_rows))
    resp = mixture.responsibilities(X)[:, components]
    held = resp.sum(axis=1)
    mass = held if weight is None else held * weight
    return Cell(X, mass, np.arange(len(X))), resp / held[:, None]


def assert_same_components(problem: Problem, one: Any, other: Any, atol: float) -> None:
    arrays = problem.family.pack(other)
    for name, array in problem.family.pack(one).items():
        np.testing.assert_allclose(array, arrays[name], rtol=1e-6, atol=atol)


def is_shared(problem: Problem, mixture: Mixture) -> bool:
    return problem.family.hold(mixture.parameters) is not problem.family


@every_family
@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_is_the_dense_one(case: FamilyCase, weighted: bool) -> None:
    problem, mixture = example(case, weighted=weighted)
    partial = PartialEM(problem, mixture)
    held = problem.family.hold(mixture.parameters)
    values, dense = [], []
    for components in ([0], [1, 3], [0, 2, 4], [0, 1, 2, 3, 4]):
        cell, _ = shared_rows(problem, mixture, components)
        value = cell.mass @ mixture.take(components).log_density(cell.fetch())
        value += held.log_prior(mixture.parameters, problem.prior)[components].sum()
        if held is not problem.family:
            # What a shared covariance costs each row is a constant.
            value -= cell.mass @ _common(problem, mixture, cell.fetch())
        values.append(partial.objective(cell, components))
        dense.append(value)
    np.testing.assert_allclose(values, dense, rtol=1e-7)


def _common(problem: Problem, mixture: Mixture, X: Array) -> Array:
    kernel = problem.family.kernel(
        mixture.parameters, mixture.log_weights, problem.moments, problem.source.dtype
    )
    return np.broadcast_to(kernel.common(kernel.encode(X)), len(X)).copy()


@every_family
@pytest.mark.parametrize("weighted", [False, True])
def test_all_components_on_all_rows_are_plain_em(case: FamilyCase, weighted: bool) -> None:
    problem, mixture = example(case, weighted=weighted)
    if is_shared(problem, mixture):
        pytest.skip("the shared covariance is held")
    cell, resp = shared_rows(problem, mixture, list(range(5)))
    partial = PartialEM(problem, mixture)
    group = partial.group(cell, range(5), resp)
    state = problem.evaluate(mixture)
    assert partial.objective(cell, range(5)) == pytest.approx(state.objective, rel=1e-10)
    for _ in range(3):
        state = problem.evaluate(problem.maximize(state.statistics))
        partial.climb([group], 1)
        assert group.objective == pytest.approx(state.objective, rel=1e-9)
        np.testing.assert_allclose(group.log_weights, state.mixture.log_weights, atol=1e-8)
        assert_same_components(problem, group.parameters, state.mixture.parameters, 1e-7)


@every_family
def test_each_step_raises_the_objective(case: FamilyCase) -> None:
    problem, mixture = example(case)
    partial = PartialEM(problem, mixture)
    for components in ([0], [1, 3], [0, 2, 4]):
        cell, resp = shared_rows(problem, mixture, components)
        group = partial.group(cell, components, resp)
        reached = [partial.objective(cell, components)]
        for _ in range(8):
            partial.climb([group], 1)
            reached.append(group.objective)
        assert (np.diff(reached) >= -1e-8).all()
        assert np.logaddexp.reduce(group.log_weights) == pytest.approx(0.0, abs=1e-12)


@every_family
@pytest.mark.parametrize("weighted", [False, True])
def test_what_a_group_gains_the_mixture_gains_at_least(case: FamilyCase, weighted: bool) -> None:
    problem, mixture = example(case, weighted=weighted)
    before = problem.evaluate(mixture).objective
    partial = PartialEM(problem, mixture)
    for components in ([2], [1, 3], [0, 2, 4]):
        cell, resp = shared_rows(problem, mixture, components)
        group = partial.group(cell, components, resp)
        partial.climb([group], 6)
        gain = group.objective - partial.objective(cell, components)
        after = problem.evaluate(put(mixture, components, group)).objective
        assert gain > 0
        assert after - before >= gain - 1e-6


@every_family
def test_gains_of_groups_without_a_common_component_add(case: FamilyCase) -> None:
    problem, mixture = example(case)
    before = problem.evaluate(mixture).objective
    partial = PartialEM(problem, mixture)
    changed, gain = mixture, 0.0
    for components in ([0, 1], [2, 4]):
        cell, resp = shared_rows(problem, mixture, components)
        group = partial.group(cell, components, resp)
        partial.climb([group], 6)
        gain += group.objective - partial.objective(cell, components)
        changed = put(changed, components, group)
    assert problem.evaluate(changed).objective - before >= gain - 1e-6


def put(mixture: Mixture, components: list[int], group: Group) -> Mixture:
    log_weights = mixture.log_weights.copy()
    log_weights[components] = np.logaddexp.reduce(log_weights[components]) + group.log_weights
    parameters = mixture.parameters.put(components, group.parameters)
    return Mixture(mixture.family, log_weights, parameters)


@every_family
def test_groups_climb_side_by_side_as_each_alone(case: FamilyCase) -> None:
    problem, mixture = example(case)
    choices = [[0], [0, 1], [1, 3], [0, 2, 4], [3], [3]]

    def begun(partial: PartialEM) -> list[Group]:
        return [
            partial.group(cell, components, resp)
            for components in choices
            for cell, resp in [shared_rows(problem, mixture, components)]
        ]

    together = PartialEM(problem, mixture)
    groups = begun(together)
    together.climb(groups, 5)
    for index, group in enumerate(groups):
        alone = PartialEM(problem, mixture)
        own = begun(alone)[index]
        alone.climb([own], 5)
        assert own.objective == pytest.approx(group.objective, rel=1e-10)
        np.testing.assert_allclose(own.log_weights, group.log_weights, atol=1e-9)
        assert_same_components(problem, own.parameters, group.parameters, 1e-8)
    same = groups[4].objective, groups[5].objective
    assert same[0] == same[1]


def test_a_collapse_takes_no_other_group_with_it() -> None:
    problem, mixture = example(CASE, strength=0.0)
    partial = PartialEM(problem, mixture)
    sound = [
        partial.group(cell, components, resp)
        for components in ([0, 1], [2, 4])
        for cell, resp in [shared_rows(problem, mixture, components)]
    ]
    # Half of it on a single row.
    cell, _ = shared_rows(problem, mixture, [3])
    side = np.zeros((len(cell.mass), 2))
    side[:, 0] = 1.0
    side[7] = [0.0, 1.0]
    doomed = partial.group(cell, [3, 3], side)
    partial.climb([sound[0], doomed, sound[1]], 4)
    assert doomed.lost
    assert doomed.objective == -np.inf
    assert [group.lost for group in sound] == [False, False]
    other = PartialEM(problem, mixture)
    for components, group in zip(([0, 1], [2, 4]), sound, strict=True):
        cell, resp = shared_rows(problem, mixture, components)
        alone = other.group(cell, components, resp)
        other.climb([alone], 4)
        assert alone.objective == pytest.approx(group.objective, rel=1e-10)
    partial.climb([doomed], 3)
    assert doomed.lost


def test_only_collapsed_groups_is_no_error() -> None:
    problem, mixture = example(CASE, strength=0.0)
    partial = PartialEM(problem, mixture)
    cell = Cell(problem.source.take(np.arange(9))[0], np.ones(1), np.array([5]))
    group = partial.group(cell, [0], np.ones((1, 1)))
    partial.climb([group], 3)
    assert group.lost


@every_family
def test_a_shared_covariance_is_held(case: FamilyCase) -> None:
    problem, mixture = example(case, strength=50.0)
    partial = PartialEM(problem, mixture)
    cell, resp = shared_rows(problem, mixture, [1, 3])
    group = partial.group(cell, [1, 3], resp)
    partial.climb([group], 3)
    # One component alone is no exception: the prior of what is shared is left out either way.
    one, ones = shared_rows(problem, mixture, [2])
    single = partial.group(one, [2], ones)
    partial.climb([single], 3)
    beside = partial.group(one, [2], ones)
    partial.climb([beside, partial.group(cell, [1, 3], resp)], 3)
    assert single.objective == pytest.approx(beside.objective, rel=1e-10)
    changed = put(mixture, [1, 3], group)
    # So is everything of the other components.
    chosen = [0, 2, 4]
    kept, before = (m.parameters.take(chosen) for m in (changed, mixture))
    arrays = problem.family.pack(before)
    for name, array in problem.family.pack(kept).items():
        np.testing.assert_array_equal(array, arrays[name])


@every_family
def test_the_threads_do_not_change_a_bit(case: FamilyCase, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that there is a run for each group, however small.
    monkeypatch.setattr(partial_module, "_NUMBERS_A_THREAD", 1)
    problem, mixture = example(case)
    reached = []
    for n_jobs in (1, 2, 3):
        X, _ = problem.source.take(slice(None))
        own = replace(problem, source=ArraySource(X, None, n_jobs))
        partial = PartialEM(own, mixture)
        groups = [
            partial.group(cell, components, resp)
            for components in ([0], [0, 1], [1, 3], [0, 2, 4], [3])
            for cell, resp in [shared_rows(own, mixture, components)]
        ]
        partial.climb(groups, 3)
        reached.append((partial.passes, *(group.objective for group in groups)))
    assert reached[0] == reached[1] == reached[2]


@pytest.mark.parametrize("numbers", [[1], [5, 1, 1], [1] * 40, [0, 0, 30, 0, 9, 11, 2]])
def test_groups_are_handed_over_in_runs(
    numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_module, "_NUMBERS_A_THREAD", 10)
    found = partial_module._runs(np.array(numbers))
    np.testing.assert_array_equal(np.concatenate(found), np.arange(len(numbers)))
    assert all(len(run) for run in found)
    # No more of them than the work is worth.
    assert len(found) <= 1 + sum(numbers) // 10


@every_family
def test_work_is_counted_in_passes(case: FamilyCase) -> None:
    problem, mixture = example(case)
    partial = PartialEM(problem, mixture)
    cell, resp = shared_rows(problem, mixture, [1, 3])
    group = partial.group(cell, [1, 3], resp)
    assert partial.passes == pytest.approx(2 / 5)
    partial.climb([group], 4)
    assert partial.passes == pytest.approx(5 * 2 / 5)
    settled = Engine().climb(problem, put(mixture, [1, 3], group)).state
    assert settled.objective >= problem.evaluate(mixture).objective
