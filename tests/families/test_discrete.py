"""Bernoulli and categorical components against counting and looking up."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import beta

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.problem import Problem
from emplus.families.base import Counting, SingularComponentError
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.discrete import Probabilities, PseudoCounts
from emplus.numerics.moments import Moments
from emplus.starts import calibration
from emplus.starts.calibration import calibrated_prior
from tests.cases import DISCRETE_CASES, Array, FamilyCase, problem_of
from tests.counted import holed, random_bernoulli, random_categorical
from tests.oracles import exact_log_joint

# Few enough combinations of levels to go through all; the second is looked up.
SMALL = {
    "bernoulli": random_bernoulli(3, 5),
    "categorical": random_categorical((2, 3, 1, 4)),
    "many levels": random_categorical((33, 2)),
}
every_small = pytest.mark.parametrize("mixture", SMALL.values(), ids=list(SMALL))
every_discrete = pytest.mark.parametrize("case", DISCRETE_CASES, ids=lambda case: case.id)


def sizes(mixture: Mixture) -> tuple[int, ...]:
    """Number of values of each column."""
    return mixture.family.levels or (2,) * mixture.n_features


def all_rows(mixture: Mixture) -> Array:
    return np.array(list(product(*map(range, sizes(mixture)))), dtype=np.float64)


def fractions(problem: Problem, X: Array, resp: Array) -> list[Array]:
    """For each column the probabilities (k, levels) that smoothed counting gives."""
    prior, found, start = problem.prior, [], 0
    levels = problem.family.levels or (0,) * X.shape[1]
    for column, number in enumerate(levels):
        frequencies = prior.frequencies[start : start + max(number, 1)]
        if not number:
            frequencies = np.array([1.0 - frequencies[0], frequencies[0]])
        start += max(number, 1)
        there = X[:, column] >= 0
        counts = np.array(
            [resp[X[:, column] == level].sum(axis=0) for level in range(len(frequencies))]
        ).T
        mass = resp[there].sum(axis=0)[:, None] + prior.strength
        found.append((counts + prior.strength * frequencies) / mass)
    return found


def by_column(mixture: Mixture) -> list[Array]:
    """The probabilities of each column's values (k, values)."""
    theta = mixture.parameters.probabilities
    if not mixture.family.levels:
        return [np.stack([1.0 - column, column], axis=1) for column in theta.T]
    return np.split(theta, np.cumsum(mixture.family.levels)[:-1], axis=1)


# -- densities -----------------------------------------------------------------------------------


@every_small
def test_probabilities_of_all_rows_sum_to_one(mixture: Mixture) -> None:
    X = all_rows(mixture)
    assert_allclose(np.exp(mixture.log_density(X)).sum(), 1.0, rtol=1e-12)
    assert_allclose(mixture.log_joint(X), exact_log_joint(mixture, X), rtol=1e-12)


@every_small
@pytest.mark.parametrize("absent", [np.nan, -1.0])
def test_a_missing_entry_is_summed_over(mixture: Mixture, absent: float) -> None:
    if absent < 0 and not mixture.family.levels:
        pytest.skip("zeros and ones have no codes")
    X = all_rows(mixture)
    joint = np.exp(mixture.log_joint(X))
    for columns in ([0], [1], [0, 1], list(range(X.shape[1]))):
        rest = [column for column in range(X.shape[1]) if column not in columns]
        there = X.copy()
        there[:, columns] = absent
        found = np.exp(mixture.log_joint(there))
        for key in np.unique(X[:, rest], axis=0)[:20]:
            own = (X[:, rest] == key).all(axis=1)
            assert_allclose(found[own], np.tile(joint[own].sum(axis=0), (own.sum(), 1)))
        if rest:
            assert_allclose(found, np.exp(mixture.marginal(rest).log_joint(X[:, rest])))
    assert_allclose(np.exp(mixture.log_density(np.full_like(X[:3], absent))), 1.0)


@every_small
def test_condition_and_impute_are_bayes_rule(mixture: Mixture) -> None:
    X = all_rows(mixture)
    density = np.exp(mixture.log_density(X))
    given_row = X[len(X) // 3]
    chosen = [0]
    rest = list(range(1, X.shape[1]))
    own = X[:, 0] == given_row[0]
    conditional = mixture.condition(chosen, given_row[chosen])
    assert_allclose(
        np.exp(conditional.log_density(X[own][:, rest])), density[own] / density[own].sum()
    )
    for column in rest:
        row = given_row.copy()
        row[column] = np.nan
        others = [other for other in range(X.shape[1]) if other != column]
        alike = (X[:, others] == row[others]).all(axis=1)
        likeliest = X[alike][density[alike].argmax(), column]
        assert mixture.impute(row[None])[0, column] == likeliest


@every_small
def test_missing_entries_are_drawn_as_often_as_they_are_likely(mixture: Mixture) -> None:
    row = all_rows(mixture)[1].copy()
    row[1] = np.nan
    n = 20_000
    drawn = mixture.sample_missing(np.tile(row, (n, 1)), np.random.default_rng(0))
    assert_array_equal(np.delete(drawn, 1, axis=1), np.tile(np.delete(row, 1), (n, 1)))
    conditional = mixture.condition(
        [column for column in range(len(row)) if column != 1], np.delete(row, 1)
    )
    values = np.arange(sizes(mixture)[1], dtype=np.float64)
    wanted = np.exp(conditional.log_density(values[:, None]))
    found = np.bincount(drawn[:, 1].astype(int), minlength=len(values)) / n
    assert_allclose(found, wanted, atol=5.0 * np.sqrt(0.25 / n))


# -- the M step ----------------------------------------------------------------------------------


@every_discrete
@pytest.mark.parametrize("strength", [0.0, 1e-6, 1.0, 20.0])
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "holed"])
def test_the_m_step_counts(case: FamilyCase, strength: float, share: float) -> None:
    X = holed(case.rows(400), share)
    problem = case.problem(X, strength=strength)
    resp = case.mixture.responsibilities(X)
    stepped = problem.maximize(problem.evaluate(case.mixture).statistics)
    for found, wanted in zip(by_column(stepped), fractions(problem, X, resp), strict=True):
        assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)
        assert_allclose(found.sum(axis=1), 1.0)
    assert_allclose(stepped.weights, resp.mean(axis=0))


@every_discrete
def test_the_prior_has_its_mode_at_the_frequencies(case: FamilyCase) -> None:
    problem = case.problem(case.rows(200), strength=3.0)
    mode = Probabilities(problem.prior.frequencies[None])
    case.family.unpack(case.family.pack(mode))
    most = case.family.log_prior(mode, problem.prior).sum()
    for seed in range(20):
        for t in (1e-2, 0.5, 5.0):
            moved = case.move(case.family, mode, seed, t)
            assert case.family.log_prior(moved, problem.prior).sum() < most


def test_the_prior_is_a_proper_density() -> None:
    # Beta with parameters 1 + m f and 1 + m (1 - f): finite even where m is next to nothing.
    theta = (np.arange(200_000) + 0.5) / 200_000
    for strength in (1e-3, 2.0, 16.0):
        prior = PseudoCounts(strength, np.array([0.3]))
        density = np.exp(Bernoulli().log_prior(Probabilities(theta[:, None]), prior))
        wanted = beta(1.0 + 0.3 * strength, 1.0 + 0.7 * strength)
        assert_allclose(density.mean(), wanted, rtol=1e-4)


@every_discrete
def test_no_probability_is_ever_zero_or_one_under_a_prior(case: FamilyCase) -> None:
    X = np.zeros((50, case.mixture.n_features))
    problem = case.problem(X, strength=1e-6)
    state = problem.evaluate(problem.estimate(X, np.full((50, 2), 0.5)))
    for _ in range(5):
        state = problem.evaluate(problem.maximize(state.statistics))
    assert np.isfinite(state.objective)
    assert all((theta > 0).all() for theta in by_column(state.mixture) if theta.shape[1] > 1)
    # What was never seen is unlikely, not impossible.
    others = np.ones_like(X[:1])
    assert np.isfinite(state.mixture.log_density(others)).all()
    assert (state.mixture.log_density(others) < -10.0).all()


@every_discrete
def test_values_never_seen_have_a_finite_density_without_a_prior(case: FamilyCase) -> None:
    X = np.zeros((50, case.mixture.n_features))
    problem = case.problem(X, strength=0.0)
    resp = np.full((50, 2), 0.5)
    stepped = problem.maximize(problem.evaluate(problem.estimate(X, resp)).statistics)
    for dtype in (np.float64, np.float32):
        found = stepped.log_density(np.ones_like(X[:2], dtype=dtype))
        assert np.isfinite(found).all()
        assert (found < -30.0).all()


@every_discrete
def test_a_component_without_rows_falls_back_on_the_prior_or_is_singular(case: FamilyCase) -> None:
    X = case.rows(50)
    resp = np.column_stack([np.ones(50), np.zeros(50)])
    statistics: Any = None
    for strength in (1.0, 0.0):
        problem = case.problem(X, strength=strength)
        kernel = case.family.kernel(
            case.mixture.parameters.take([0, 1]), np.zeros(2), problem.moments, X.dtype
        )
        statistics = kernel.statistics(kernel.sums(kernel.encode(X), resp))
        if strength:
            found = case.family.maximize(statistics, problem.prior).probabilities[1]
            assert_allclose(found, problem.prior.frequencies)
    with pytest.raises(SingularComponentError, match="no row"):
        case.family.maximize(statistics, problem.prior)


# -- one and the same rows -----------------------------------------------------------------------


def test_sparse_boolean_and_whole_rows_are_the_same_rows() -> None:
    mixture = random_bernoulli(3, 70)
    X = mixture.sample(500, np.random.default_rng(0))[0]
    plain = problem_of(mixture.family, ArraySource(X), 0.5)
    wanted = plain.evaluate(mixture)
    best = plain.maximize(wanted.statistics)
    kinds: list[Any] = [
        csr_array(X),
        csr_array(X.astype(bool)),
        csr_array(X.astype(np.int8)),
        X.astype(bool),
        X.astype(np.uint8),
        X.astype(np.int64),
        np.asfortranarray(X),
    ]
    for rows in kinds:
        problem = problem_of(mixture.family, ArraySource(rows), 0.5)
        assert_allclose(problem.prior.frequencies, plain.prior.frequencies, rtol=1e-14)
        state = problem.evaluate(mixture)
        assert_allclose(state.objective, wanted.objective, rtol=1e-12)
        stepped = problem.maximize(state.statistics)
        assert_allclose(stepped.parameters.probabilities, best.parameters.probabilities, rtol=1e-12)
        assert_allclose(mixture.log_joint(rows), mixture.log_joint(X), rtol=1e-12)
        own = mixture.family.estimate(rows, np.eye(3)[np.arange(500) % 3], problem.prior)
        whole = mixture.family.estimate(X, np.eye(3)[np.arange(500) % 3], plain.prior)
        assert_allclose(own.probabilities, whole.probabilities, rtol=1e-12)
        one, other = (
            mixture.family.features(each, Moments.of(each)) for each in (rows, csr_array(X))
        )
        if one.shape == other.shape:
            assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.25], ids=["whole", "holed"])
def test_zeros_and_ones_are_two_levels(share: float) -> None:
    bits = random_bernoulli(3, 6)
    theta = bits.parameters.probabilities
    family = Categorical((2,) * 6)
    both = np.stack([1.0 - theta, theta], axis=2).reshape(3, 12)
    codes = Mixture(family, bits.log_weights, Probabilities(both))
    X = holed(bits.sample(300, np.random.default_rng(1))[0], share)
    assert_allclose(codes.log_joint(X), bits.log_joint(X), rtol=1e-10)
    one, other = (problem_of(m.family, ArraySource(X), 2.0) for m in (bits, codes))
    for _ in range(5):
        states = one.evaluate(bits), other.evaluate(codes)
        assert_allclose(states[1].log_likelihood, states[0].log_likelihood, rtol=1e-10)
        assert_allclose(states[1].log_prior, states[0].log_prior, rtol=1e-10)
        bits, codes = one.maximize(states[0].statistics), other.maximize(states[1].statistics)
        ones = codes.parameters.probabilities[:, 1::2]
        assert_allclose(ones, bits.parameters.probabilities, rtol=1e-10)
    counted = [
        problem.family.leave_one_out(state.statistics, problem.prior)
        for problem, state in zip((one, other), states, strict=True)
        if isinstance(problem.family, Counting)
    ]
    assert_allclose(counted[1], counted[0], rtol=1e-10)


# -- how strong the prior is ---------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.125, 1.0, 4.0])
def test_leave_one_out_by_leaving_out(strength: float) -> None:
    case = DISCRETE_CASES[1]
    X = case.rows(30)
    labels = np.arange(30) % 3
    problem = case.problem(X, strength=strength)
    total = 0.0
    for i in range(30):
        others = (np.arange(30) != i) & (labels == labels[i])
        probabilities = fractions(problem, X[others], np.ones((others.sum(), 1)))
        total += sum(
            np.log(column[0, int(value)]) for column, value in zip(probabilities, X[i], strict=True)
        )
    family: Any = case.family
    indicators = family.indicators(X)
    statistics = family.counted(np.full(3, 10.0), np.asarray(np.eye(3)[labels].T @ indicators))
    assert_allclose(family.leave_one_out(statistics, problem.prior), total, rtol=1e-10)


@every_discrete
def test_the_calibrated_prior_is_of_the_grid_and_the_rows_order_is_nothing(
    case: FamilyCase,
) -> None:
    X = case.rows(600)
    prior = calibrated_prior(case.family, ArraySource(X), 3)
    assert prior.strength in calibration._PSEUDO_ROWS
    assert isinstance(case.family, Counting)
    shuffled = np.random.default_rng(0).permutation(len(X))
    again = calibrated_prior(case.family, ArraySource(X[shuffled]), 3)
    assert again.strength == prior.strength
    assert_allclose(again.frequencies, prior.frequencies, rtol=1e-12)
    columns = np.arange(X.shape[1])[::-1]
    family, _ = case.family.marginal(case.mixture.parameters, columns)
    turned = calibrated_prior(family, ArraySource(np.ascontiguousarray(X[:, columns])), 3)
    assert turned.strength == prior.strength
    assert_allclose(np.sort(turned.frequencies), np.sort(prior.frequencies), rtol=1e-12)
    given_one = calibrated_prior(case.family, ArraySource(X), 3, 0.7)
    assert given_one.strength == 0.7


# -- whatever the rows ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_em_raises_the_objective_whatever_is_counted(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = tuple(data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4)))
    n, k = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4))
    X = np.floor(rng.random((n, len(levels))) ** 2 * levels)
    X[rng.random(X.shape) < data.draw(st.sampled_from([0.0, 0.3, 0.9]))] = np.nan
    if data.draw(st.booleans()):
        X[:, 0] = 0.0
    weight = rng.integers(0, 3, n) + 0.5 if data.draw(st.booleans()) else None
    family: Any = Categorical(levels)
    if data.draw(st.booleans()):
        family, X = Bernoulli(), np.where(np.isnan(X), np.nan, X > 0)
    strength = data.draw(st.sampled_from([1e-6, 0.5, 8.0]))
    problem = problem_of(family, ArraySource(X, weight), strength)
    mixture = problem.estimate(X, rng.dirichlet(np.ones(k), size=n))
    objectives = []
    for _ in range(15):
        state = problem.evaluate(mixture)
        objectives.append(state.objective)
        mixture = problem.maximize(state.statistics)
    assert np.isfinite(objectives).all()
    assert np.diff(objectives).min() >= -1e-9 * (1.0 + abs(objectives[0]))
