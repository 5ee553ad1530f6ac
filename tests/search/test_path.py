"""From a fit with k components to one with more, or fewer."""

from __future__ import annotations

import numpy as np
import pytest

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine
from emplus.errors import ArgumentError, FitError
from emplus.search.path import Grown, Shrunk
from tests.cases import (
    FamilyCase,
    every_covariance,
    every_family,
    every_searched_family,
    gaussian_family,
    problem_of,
)
from tests.search.helpers import assert_same_mixture, clusters, clusters_for

_K = 6


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@every_searched_family
def test_the_best_split_finds_the_component_over_two_clusters(case: FamilyCase) -> None:
    X, labels = clusters_for(case, _K)
    problem = case.problem(X)
    good = np.eye(_K)[labels]
    merged = good[:, :-1].copy()
    merged[:, -1] += good[:, -1]
    grown = Grown(problem.estimate(X, merged))(problem, _K, _rng())
    assert grown.n_components == _K
    assert np.isclose(grown.weights.sum(), 1.0)
    reached = Engine().climb(problem, grown).state.objective
    best = Engine().climb(problem, problem.estimate(X, good)).state.objective
    assert reached >= best - 0.5


@every_searched_family
def test_the_cheapest_merge_finds_the_two_components_over_one_cluster(case: FamilyCase) -> None:
    X, labels = clusters_for(case, _K)
    problem = case.problem(X)
    good = np.eye(_K)[labels]
    torn = np.column_stack([good, np.zeros(len(X))])
    first = np.flatnonzero(labels == 0)[::2]
    torn[first] = np.eye(_K + 1)[_K]
    shrunk = Shrunk(problem.estimate(X, torn))(problem, _K, _rng())
    assert shrunk.n_components == _K
    assert np.isclose(shrunk.weights.sum(), 1.0)
    reached = Engine().climb(problem, shrunk).state.objective
    best = Engine().climb(problem, problem.estimate(X, good)).state.objective
    assert reached >= best - 0.5


@every_family
def test_a_climb_from_a_split_ends_no_lower(case: FamilyCase) -> None:
    """One component alone included; the split itself may lose where components share something."""
    X = case.rows(300)
    problem = case.problem(X, strength=1e-9)
    mixture = problem.estimate(X, np.ones((len(X), 1)))
    mixture = Engine().climb(problem, mixture).state.mixture
    for k in range(2, 5):
        climbed = Engine().climb(problem, Grown(mixture)(problem, k, _rng())).state.mixture
        before, after = (problem.evaluate(m).log_likelihood for m in (mixture, climbed))
        assert after >= before - 1e-6 * abs(before)
        mixture = climbed


@every_covariance
def test_several_steps_at_once(covariance_type: str) -> None:
    X, _ = clusters(_K)
    problem = problem_of(gaussian_family(covariance_type), ArraySource(X, None, n_jobs=1))
    one = problem.estimate(X, np.ones((len(X), 1)))
    grown = Grown(one)(problem, 5, _rng())
    assert grown.n_components == 5
    assert problem.evaluate(grown).log_likelihood > problem.evaluate(one).log_likelihood + 100.0
    assert_same_mixture(grown, Grown(one)(problem, 5, _rng()))
    # The merges lead back to the one component that all rows make.
    back = Shrunk(grown)(problem, 1, _rng())
    np.testing.assert_allclose(back.parameters.means, one.parameters.means, atol=0.01)
    for same in (Grown(one)(problem, 1, _rng()), Shrunk(one)(problem, 1, _rng())):
        assert_same_mixture(same, one)


def test_what_cannot_be_a_start_is_said() -> None:
    X, _ = clusters(3)
    problem = problem_of(gaussian_family("full"), ArraySource(X, None, n_jobs=1))
    two = problem.estimate(X, _rng().dirichlet(np.ones(2), size=len(X)))
    with pytest.raises(ArgumentError, match="2 components cannot grow to 1"):
        Grown(two)(problem, 1, _rng())
    with pytest.raises(ArgumentError, match="2 components cannot shrink to 3"):
        Shrunk(two)(problem, 3, _rng())
    other = Mixture.gaussian([1.0], [[0.0, 0.0]], [[1.0, 1.0]], "diag")
    wider = Mixture.gaussian([1.0], [[0.0] * 3], [np.eye(3)])
    for start in (Grown(other), Shrunk(other), Grown(wider), Shrunk(wider)):
        with pytest.raises(ArgumentError, match="another family, or has other columns"):
            start(problem, 1, _rng())


def test_equal_rows_cannot_be_split() -> None:
    X = np.full((9, 2), 3.25)
    problem = problem_of(gaussian_family("full"), ArraySource(X, None, n_jobs=1))
    one = problem.estimate(X, np.ones((len(X), 1)))
    with pytest.raises(FitError, match="None of the 1 components can be split"):
        Grown(one)(problem, 2, _rng())
