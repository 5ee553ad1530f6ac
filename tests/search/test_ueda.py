"""The published split-and-merge algorithm against slow evaluations of its formulas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import logsumexp

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.partial import PartialEM
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from emplus.families.gaussian import Gaussian
from emplus.search.assignment import Sample
from emplus.search.base import Budget
from emplus.search.split_merge import SplitMerge
from emplus.search.ueda import Posterior, regularized, triples
from tests.cases import (
    FAMILY_CASES,
    Array,
    FamilyCase,
    every_searched_continuous_family,
    every_searched_family,
)
from tests.oracles import exact_log_joint, full_covariances, m_step
from tests.search.helpers import clusters, trapped

CASE = FAMILY_CASES[0]


def posterior_of(problem: Problem, mixture: Mixture) -> tuple[Posterior, Sample]:
    sample = Sample(problem, mixture.n_components, np.random.default_rng(0))
    return Posterior(problem, sample, mixture), sample


def slowly(mixture: Mixture, X: Array, weight: Array) -> tuple[Array, Array]:
    """J_merge and J_split, row by row and component by component."""
    k = mixture.n_components
    joint = exact_log_joint(mixture, X)
    log_own = joint - mixture.log_weights
    resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    merge, split = np.zeros((k, k)), np.zeros(k)
    for i in range(k):
        for j in range(k):
            merge[i, j] = sum(w * r[i] * r[j] for w, r in zip(weight, resp, strict=True))
        share = weight * resp[:, i] / (weight * resp[:, i]).sum()
        split[i] = sum(
            f * (np.log(f) - log_p)
            for f, log_p in zip(share, log_own[:, i], strict=True)
            if f > 1e-300
        )
    return merge, split


@every_searched_family
@pytest.mark.parametrize("weighted", [False, True])
def test_the_criteria_are_the_published_ones(case: FamilyCase, weighted: bool) -> None:
    X = case.rows(150)
    weight = np.random.default_rng(2).uniform(0.0, 2.0, 150) if weighted else np.ones(150)
    problem = case.problem(X, weight if weighted else None)
    posterior, _ = posterior_of(problem, case.mixture)
    merge, split = slowly(case.mixture, X, weight)
    np.testing.assert_allclose(posterior.merge, merge, rtol=1e-6)
    np.testing.assert_allclose(posterior.split, split, rtol=1e-6)


@every_searched_family
def test_the_rows_of_three_components_and_how_much_they_hold(case: FamilyCase) -> None:
    X = case.rows(200)
    weight = np.random.default_rng(2).integers(0, 3, 200).astype(float)
    wide = case.like(5, 4.0)
    problem = case.problem(X, weight)
    posterior, _ = posterior_of(problem, wide)
    cell = posterior.cell((1, 4, 2))
    joint = exact_log_joint(wide, X)
    resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    held = weight * resp[:, [1, 4, 2]].sum(axis=1)
    np.testing.assert_allclose(cell.mass, held[cell.rows], rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(cell.fetch(), X[cell.rows])
    assert held.sum() - cell.mass.sum() < 1e-5


@every_searched_continuous_family
def test_partial_em_is_em_of_three_components_on_fixed_shares(case: FamilyCase) -> None:
    """Against dense responsibilities r_il = s_i p_l / sum p, equations (13) and (14)."""
    X, labels = clusters(4)
    problem = case.problem(X)
    mixture = problem.estimate(X, 0.7 * np.eye(4)[labels] + 0.075)
    posterior, _ = posterior_of(problem, mixture)
    chosen = (0, 1, 3)
    cell = posterior.cell(chosen)
    partial = PartialEM(problem, mixture)
    three = mixture.take(chosen)
    group = partial.group(cell, chosen, three.responsibilities(cell.fetch()))
    held = problem.family.hold(mixture.parameters)
    objectives = [partial.objective(cell, chosen)]
    # What a shared covariance costs is a constant of the rows, and left out.
    constants = []
    for _ in range(4):
        resp = three.responsibilities(cell.fetch()) * cell.mass[:, None]
        q_before = _expected(held, three, cell.fetch(), resp, problem.prior)
        parameters = m_step(replace(problem, family=held), three.parameters, cell.fetch(), resp)
        weight = resp.sum(axis=0)
        three = Mixture(three.family, np.log(weight / weight.sum()), parameters)
        q_after = _expected(held, three, cell.fetch(), resp, problem.prior)
        assert q_after >= q_before - 1e-9
        partial.climb([group], 1)
        np.testing.assert_allclose(group.log_weights, three.log_weights, atol=1e-9)
        np.testing.assert_allclose(group.parameters.means, parameters.means, atol=1e-7)
        dense = cell.mass @ three.log_density(cell.fetch())
        dense += problem.family.log_prior(parameters, problem.prior).sum()
        constants.append(group.objective - dense)
        objectives.append(group.objective)
    if held is problem.family:
        np.testing.assert_allclose(constants, 0.0, atol=1e-6)
    np.testing.assert_allclose(constants, constants[0], atol=1e-6)
    assert (np.diff(objectives) >= -1e-9).all()


def _expected(family: Any, mixture: Mixture, X: Array, resp: Array, prior: Any) -> float:
    """Q, the expected complete-data log-likelihood, plus the log prior."""
    log_prior = family.log_prior(mixture.parameters, prior).sum()
    return float((resp * mixture.log_joint(X)).sum() + log_prior)


def test_triples_come_in_the_published_order() -> None:
    rng = np.random.default_rng(0)
    merge, split = rng.random((5, 5)), rng.random(5)
    merge = merge + merge.T
    split[3] = -np.inf
    found = list(triples(merge, split))
    # A component without rows is merged, never split.
    assert len(found) == len(set(found)) == 5 * 4 * 3 // 2 - 4 * 3 // 2
    assert all(i < j and k not in (i, j) and k != 3 for i, j, k in found)
    keys = [(-merge[i, j], -split[k]) for i, j, k in found]
    assert keys == sorted(keys)


@every_searched_continuous_family
def test_the_triple_that_a_trap_needs_comes_first(case: FamilyCase) -> None:
    problem, bad, _ = trapped(case)
    stuck = Engine().climb(problem, bad).state.mixture
    fit = SplitMerge("ueda")(Engine(), problem, lambda rng: stuck, np.random.default_rng(0))
    # The factor of a component that holds two clusters leaves less of them to be seen.
    first = (fit.candidates.accepted if case.exact else fit.candidates)[0]
    ((i, j, k),) = first.components
    # Components 0 and 5 share a cluster and 4 holds two.
    assert (i, j) == (0, 5)
    assert k == 4 or not case.exact
    assert first.gain >= first.predicted - 1e-3 or not first.accepted


def test_it_ends_when_so_many_in_a_row_have_failed() -> None:
    problem, _, good = trapped(CASE)
    for most in (1, 5, 8):
        search = SplitMerge("ueda", max_candidates=most)
        engine = Engine(stopping=Stopping(1e-9, 2000))
        fit = search(engine, problem, lambda rng: good, np.random.default_rng(0))
        kinds = [c.accepted for c in fit.candidates]
        assert kinds[-most:] == [False] * most
        assert len({c.round for c in fit.candidates[-most:]}) == 1
        if not any(kinds):
            assert len(kinds) == most


@every_searched_continuous_family
def test_its_regularized_m_step(case: FamilyCase) -> None:
    """Sigma_j = (S_j + lambda I) / (n_j + 1), equation (20), is EM's with the prior exchanged."""
    X, labels = clusters(3)
    problem = regularized(case.problem(X), 0.1)
    resp = np.random.default_rng(0).dirichlet(np.ones(3), size=len(X))
    mixture = problem.estimate(X, resp)
    if case.id == "gaussian-full":
        for j, covariance in enumerate(full_covariances(mixture)):
            deviations = X - resp[:, j] @ X / resp[:, j].sum()
            scatter = (resp[:, j, None] * deviations).T @ deviations
            expected = (scatter + 0.1 * np.eye(2)) / (resp[:, j].sum() + 1.0)
            np.testing.assert_allclose(covariance, expected, rtol=1e-10)
    search = SplitMerge("ueda", regularization=0.1, budget=Budget(moves=3))
    start = case.problem(X).estimate(X, np.eye(3)[labels])
    fit = search(Engine(), case.problem(X), lambda rng: start, np.random.default_rng(0))
    assert fit.objective == problem.evaluate(fit.mixture).objective


def test_regularization_needs_a_covariance() -> None:
    @dataclass(frozen=True)
    class Bare:
        name: str = "bare"

    problem = Problem(Bare(), ArraySource(np.zeros((3, 1))), None)  # type: ignore[arg-type]  # bare
    with pytest.raises(ArgumentError, match="bare components have no covariance"):
        SplitMerge("ueda", regularization=0.1)(
            Engine(), problem, lambda rng: CASE.mixture, np.random.default_rng(0)
        )


def test_the_m_step_is_where_the_regularized_objective_is_flat() -> None:
    X = CASE.rows(60)[:, :1]
    problem = regularized(Problem(Gaussian(), ArraySource(X), None), 0.3)
    mixture = problem.estimate(X, np.ones((60, 1)))

    def objective(values: Array) -> float:
        moved = Mixture.gaussian([1.0], [[values[0]]], [[[np.exp(values[1])]]])
        return problem.evaluate(moved).objective

    top = np.array([mixture.parameters.means[0, 0], np.log(full_covariances(mixture)[0, 0, 0])])

    def flat(values: Array) -> Array:
        return np.zeros_like(values)

    assert check_grad(objective, flat, top) < 1e-3
