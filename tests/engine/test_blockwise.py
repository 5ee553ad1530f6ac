"""EM in blocks: incremental EM, and sweeps of stepwise EM before another rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.engine.blockwise import Incremental, Stepwise
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.rules import EM, StepRule
from emplus.errors import ArgumentError
from tests.cases import FAMILY_CASES, GAUSSIAN_CASES, Array, FamilyCase, every_family

CASE = GAUSSIAN_CASES[0]
every_exact_family = pytest.mark.parametrize(
    "case", [case for case in FAMILY_CASES if case.exact], ids=lambda case: case.id
)
every_factor_family = pytest.mark.parametrize(
    "case", [case for case in FAMILY_CASES if not case.exact], ids=lambda case: case.id
)


def climb(
    problem: Problem, start: Mixture, rule: StepRule, tol: float = 1e-9, max_iter: int = 500
) -> Climb:
    return Engine(rule, Stopping(tol, max_iter)).climb(problem, start)


def assert_rises(found: Climb) -> None:
    assert np.diff(found.objectives).min() >= -2.0 * found.state.rounding


@every_exact_family
def test_incremental_em_never_falls_and_ends_where_em_ends(case: FamilyCase) -> None:
    mixture = case.like(3, 3.0)
    problem = case.problem(mixture.sample(3000, np.random.default_rng(1))[0], strength=2.0)
    plain = climb(problem, mixture, EM(), 1e-7)
    found = climb(problem, mixture, Incremental(6), 1e-7)
    assert found.outcome is plain.outcome is Outcome.CONVERGED
    assert_rises(found)
    assert_allclose(found.state.objective, plain.state.objective, atol=1e-5 * 3000)
    assert found.n_iter < plain.n_iter
    assert found.passes == 2 * found.n_iter + 2
    # The state is what one pass over all rows would give.
    again = problem.evaluate(found.state.mixture)
    assert_allclose(found.state.objective, again.objective, rtol=1e-12)
    assert_allclose(found.state.statistics.weight, again.statistics.weight)


def free_energy(
    problem: Problem, parts: list[Problem], seen: list[Mixture], mixture: Mixture
) -> float:
    """F of Neal & Hinton (1998): each part's responsibilities under the mixture it was seen under.

    sum_i sum_j r_ij (log p(x_i, j) - log r_ij), plus the log prior.
    """
    total = float(problem.family.log_prior(mixture.parameters, problem.prior).sum())
    for part, known in zip(parts, seen, strict=True):
        X = part.source.take(slice(None))[0]
        resp = np.exp(known.log_joint(X) - known.log_density(X)[:, None])
        entropy = -np.where(resp > 0, resp * np.log(np.maximum(resp, 1e-300)), 0.0).sum()
        total += float((resp * mixture.log_joint(X)).sum() + entropy)
    return total


def test_every_m_step_of_a_sweep_raises_the_free_energy() -> None:
    problem = CASE.problem(CASE.rows(1500), strength=1.0)
    parts = [replace(problem, source=part) for part in problem.source.parts(3)]
    seen = [CASE.mixture] * 3
    known = [part.evaluate(CASE.mixture).statistics for part in parts]
    energies = [free_energy(problem, parts, seen, CASE.mixture)]
    assert energies[0] == pytest.approx(problem.evaluate(CASE.mixture).objective)
    mixture = problem.maximize(known[0] + known[1] + known[2])
    for index, part in enumerate(parts):
        known[index], seen[index] = part.evaluate(mixture).statistics, mixture
        energies.append(free_energy(problem, parts, seen, mixture))
        mixture = problem.maximize(known[0] + known[1] + known[2])
        energies.append(free_energy(problem, parts, seen, mixture))
    assert (np.diff(energies) > 0.0).all()
    assert problem.evaluate(mixture).objective >= energies[-1]
    # The rule ends its sweep there.
    found = climb(problem, CASE.mixture, Incremental(3), max_iter=1)
    assert_allclose(found.state.mixture.parameters.means, mixture.parameters.means)
    assert found.state.objective == pytest.approx(problem.evaluate(mixture).objective)


@every_exact_family
def test_one_block_is_em_two_steps_at_a_time(case: FamilyCase) -> None:
    problem = case.problem(case.rows(300), strength=1.0)
    plain = climb(problem, case.mixture, EM(), -1.0, 8)
    # Less than 500 rows make one block, whatever is asked for.
    for asked in (1, 20):
        found = climb(problem, case.mixture, Incremental(asked), -1.0, 4)
        assert found.objectives == plain.objectives[::2]


@every_factor_family
def test_factors_are_refused_with_a_sentence(case: FamilyCase) -> None:
    with pytest.raises(ArgumentError, match=r"sums of factors .*use 'stepwise'"):
        climb(case.problem(case.rows(200)), case.mixture, Incremental())


@pytest.mark.parametrize("rule", [Incremental(4), Stepwise()], ids=["incremental", "stepwise"])
@pytest.mark.parametrize("what", ["holes", "weights", "tempered"])
def test_rows_of_other_kinds(rule: Any, what: str) -> None:
    rng = np.random.default_rng(2)
    X = CASE.rows(2500, 3)
    if what == "holes":
        X[rng.random(X.shape) < 0.2] = np.nan
    problem = CASE.problem(X, rng.uniform(0.2, 2.0, 2500) if what == "weights" else None)
    problem = replace(problem, inverse_temperature=0.7 if what == "tempered" else 1.0)
    plain = climb(problem, CASE.mixture, EM(), 1e-10)
    found = climb(problem, CASE.mixture, rule, 1e-10)
    assert_rises(found)
    assert_allclose(found.state.objective, plain.state.objective, atol=1e-6 * 2500)


def rough(case: FamilyCase, n: int) -> tuple[Problem, Mixture]:
    """Rows with a start of which a third is random."""
    mixture = case.like(3, 4.0)
    X: Array = mixture.sample(n, np.random.default_rng(1))[0]
    problem = case.problem(X, strength=2.0)
    true = np.exp(mixture.log_joint(X) - mixture.log_density(X)[:, None])
    mixed = 0.3 * np.random.default_rng(5).dirichlet(np.ones(3), n) + 0.7 * true
    return problem, problem.estimate(X, mixed)


@every_family
def test_stepwise_never_falls_and_ends_no_lower(case: FamilyCase) -> None:
    problem, start = rough(case, 6000)
    plain = climb(problem, start, EM(), 1e-7, 200)
    found = climb(problem, start, Stepwise(), 1e-7, 200)
    assert_rises(found)
    assert found.state.objective >= plain.state.objective - 1e-4 * 6000
    assert found.outcome is Outcome.CONVERGED


def test_sweeps_come_before_the_other_rule_and_cost_two_passes() -> None:
    problem, start = rough(CASE, 20_000)
    seen: list[State] = []
    engine = Engine(Stepwise(sweeps=2, rule=EM()), Stopping(-1.0, 6), (seen.append,))
    found = engine.climb(problem, start)
    assert [state.passes for state in seen] == [1, 3, 5, 6, 7, 8, 9]
    assert found.n_iter == 6
    plain = climb(problem, start, EM(), -1.0, 6)
    # One sweep over ten mini-batches is worth more than two passes.
    assert found.objectives[1] > plain.objectives[2]


def test_where_a_sweep_gains_nothing_the_other_rule_goes_on_from_the_best() -> None:
    problem, start = rough(CASE, 6000)
    top = climb(problem, start, EM(), 0.0, 2000).state
    found = climb(problem, top.mixture, Stepwise())
    assert found.outcome is Outcome.CONVERGED
    assert found.state.objective >= top.objective - top.rounding
    assert found.passes < 8


@pytest.mark.parametrize("rule", [Incremental(4), Stepwise()], ids=["incremental", "stepwise"])
def test_an_interrupt_keeps_the_best(rule: Any) -> None:
    problem, start = rough(CASE, 4000)
    full = climb(problem, start, rule, -1.0, 4)

    def press(state: State) -> None:
        if state.iteration == 2:
            raise KeyboardInterrupt

    found = Engine(rule, Stopping(-1.0, 4), (press,)).climb(problem, start)
    assert (found.outcome, found.n_iter) == (Outcome.INTERRUPTED, 2)
    assert found.state.objective == full.objectives[2]
