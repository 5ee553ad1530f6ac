"""The objective: what it is, that it never falls, and that it is flat where a run ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from tests.awkward import AWKWARD, awkward_rows
from tests.cases import (
    CONTINUOUS_CASES,
    FAMILY_CASES,
    GAUSSIAN_CASES,
    Array,
    FamilyCase,
    MakeSource,
    every_continuous_family,
    every_family,
    every_source,
    problem_of,
)
from tests.covering import pairwise
from tests.oracles import enumerated, exact_log_joint
from tests.rising import assert_rises


@every_family
@every_source
def test_log_likelihood_is_the_sum_over_all_labellings(
    case: FamilyCase, make_source: MakeSource
) -> None:
    X = case.rows(7)
    state = problem_of(case.family, make_source(X)).evaluate(case.mixture)
    total, resp = enumerated(exact_log_joint(case.mixture, X))
    assert_allclose(state.log_likelihood, total, rtol=1e-10)
    assert_allclose(case.mixture.responsibilities(X), resp, atol=1e-9)
    assert_allclose(state.statistics.weight, resp.sum(axis=0), rtol=1e-9)


@every_family
@every_source
def test_weights_count_rows_in_the_objective(case: FamilyCase, make_source: MakeSource) -> None:
    X, weight = case.rows(50), np.random.default_rng(0).uniform(0, 3, size=50)
    state = problem_of(case.family, make_source(X, weight)).evaluate(case.mixture)
    assert_allclose(state.log_likelihood, weight @ case.mixture.log_density(X), rtol=1e-10)
    prior = problem_of(case.family, make_source(X, weight)).prior
    assert state.log_prior == case.family.log_prior(case.mixture.parameters, prior).sum()
    assert state.objective == state.log_likelihood + state.log_prior


@every_continuous_family
def test_never_falls_at_default_settings(case: FamilyCase) -> None:
    examples = 20 if case.exact else 6

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(X=awkward_rows(), k=st.integers(1, 6), seed=st.integers(0, 10_000))
    def never_falls(X: Array, k: int, seed: int) -> None:
        assume(X.shape[1] >= case.least_columns)
        assert_rises(case, X, min(k, len(X)), seed)

    never_falls()


# One component has no responsibilities to be wrong about; one family's do for all.
FITTED = [(CONTINUOUS_CASES[0], 1), *((case, 3) for case in CONTINUOUS_CASES)]


@pytest.mark.parametrize(
    ("fitted", "rows", "dtype"),
    pairwise(FITTED, list(AWKWARD), [np.float64, np.float32]),
    ids=lambda value: f"{value[0].id}-{value[1]}" if isinstance(value, tuple) else None,
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_never_falls_on_the_awkward_table(
    fitted: tuple[FamilyCase, int], rows: str, dtype: type[np.floating]
) -> None:
    case, k = fitted
    X = AWKWARD[rows].astype(dtype)
    # What single precision cannot hold is met in double.
    if not np.isfinite(X).all():
        X = AWKWARD[rows]
    assert_rises(case, X, k, seed=k)


@every_continuous_family
def test_never_falls_where_collinear_columns_have_other_units(case: FamilyCase) -> None:
    # Here precision factors from the covariances as they are, and not from the correlations, lost
    # a quarter of a nat in a step.
    a = [0, 0, 1, -1, -2, -2, 0, 1, 1, -1, -2, 1, -2, 0, 1, 0, 2, -1, -1, -1, -2, -2, 2, -2, 1, -1]
    b = [0, -1, 1, -1, 0, 3, 1, -1, 0, 0, 4, 0, 4, 2, 1, 1, 1, 0, 0, 3, 3, 4, 1, 0, -1, -1]
    X = np.column_stack([a, 1e16 * np.array(b), 3.0 + np.array(a)])
    seeds = {"gaussian-full": 30, "gaussian-tied": 15}
    for seed in range(seeds.get(case.id, 8 if case.exact else 4)):
        assert_rises(case, X, 4, seed)


@pytest.mark.parametrize(
    ("case", "start", "search"),
    pairwise(FAMILY_CASES, ["kmeans", "random", "random_from_data"], ["em", "split_merge"]),
    ids=lambda value: getattr(value, "id", None),
)
def test_never_falls_from_the_other_starts(case: FamilyCase, start: str, search: str) -> None:
    for seed in range(2 if case in GAUSSIAN_CASES else 1):
        assert_rises(case, case.rows(60, seed), 4, seed, init_params=start, search=search)


@every_family
@pytest.mark.parametrize("strength", [1e-3, 3.0])
def test_the_gradient_vanishes_where_a_run_ends(case: FamilyCase, strength: float) -> None:
    X = case.rows(120)
    problem = case.problem(X, strength=strength)
    climb = Engine(stopping=Stopping(tol=0.0, max_iter=20_000)).climb(problem, case.mixture)
    assert climb.outcome is Outcome.CONVERGED
    best = climb.state.mixture

    def gain(mixture: Mixture) -> float:
        return problem.evaluate(mixture).objective - climb.state.objective

    t = 1e-4
    for seed in range(4):
        ahead, behind = (
            Mixture(
                case.family, best.log_weights, case.move(case.family, best.parameters, seed, step)
            )
            for step in (t, -t)
        )
        slope, curvature = (
            (gain(ahead) - gain(behind)) / (2 * t),
            (gain(ahead) + gain(behind)) / t**2,
        )
        assert curvature < 0
        # A Newton step from here would be shorter than this.
        assert abs(slope / curvature) < 1e-4
    assert_allclose(best.weights, best.responsibilities(X).mean(axis=0), rtol=1e-4)


@every_family
def test_one_pass_belongs_to_its_own_parameters(case: FamilyCase) -> None:
    problem = case.problem(case.rows(100))
    climb = Engine(stopping=Stopping(max_iter=3)).climb(problem, case.mixture)
    again = problem.evaluate(climb.state.mixture)
    assert climb.state.objective == again.objective == climb.objectives[climb.n_iter]
    assert climb.state.log_likelihood == climb.log_likelihoods[climb.n_iter]


def test_rounding_counts_what_the_kernel_loses() -> None:
    from tests.cases import random_gaussian

    mixture = random_gaussian("full")
    X, _ = mixture.sample(200, np.random.default_rng(0))
    in_double = problem_of(mixture.family, ArraySource(X)).evaluate(mixture)
    in_single = problem_of(mixture.family, ArraySource(X.astype(np.float32))).evaluate(mixture)
    assert 0 < in_double.rounding < 1e-9 * len(X)
    assert in_double.rounding < in_single.rounding < 1e-2 * len(X)
    assert abs(in_double.objective - in_single.objective) < in_single.rounding
