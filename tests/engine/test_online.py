"""Streams: stepwise EM against its recursion written out, closed forms, batch EM, drift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.online import DecayingRate, Forgetting, LearningRate, Stream, as_rate
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from tests.cases import (
    FAMILY_CASES,
    GAUSSIAN_CASES,
    Array,
    FamilyCase,
    every_covariance,
    every_family,
    gaussian_family,
)

CASE = GAUSSIAN_CASES[0]
RATES: list[LearningRate] = [DecayingRate(), DecayingRate(1.0, 1.0), Forgetting(0.3)]
every_rate = pytest.mark.parametrize("rate", RATES, ids=str)


def source(X: Array, weight: Array | None = None) -> ArraySource:
    return ArraySource(X, weight, n_jobs=1)


def hand_written_share(rate: LearningRate, seen: float, weight: float) -> float:
    """The share of a block of less than 4,000 rows."""
    if isinstance(rate, Forgetting):
        return rate.rate
    assert isinstance(rate, DecayingRate)
    step = max(seen / 2000 + rate.offset, 1.0) ** -rate.exponent
    # Never less than the rows' equal part among all so far.
    return float(max(1.0 - (1.0 - step) ** (weight / 2000), weight / (seen + weight)))


def assert_same(one: Mixture, other: Mixture, tol: float = 1e-9) -> None:
    assert_allclose(other.weights, one.weights, rtol=tol, atol=tol)
    arrays = other.family.pack(other.parameters)
    for name, array in one.family.pack(one.parameters).items():
        assert_allclose(arrays[name], array, rtol=tol, atol=tol, err_msg=name)


@every_rate
@pytest.mark.parametrize(
    "case", [case for case in FAMILY_CASES if case.exact], ids=lambda case: case.id
)
def test_a_stream_is_stepwise_em_on_running_statistics(
    case: FamilyCase, rate: LearningRate
) -> None:
    # Cappé & Moulines (2009), equation (12), with the statistics remembered as such.
    problem = case.problem(case.rows(500), strength=1.5)
    known = problem.evaluate(case.mixture).statistics
    mixture = problem.maximize(known)
    stream, size, seen = Stream.after(mixture, 500.0, rate), 500.0, 500.0
    for block in range(4):
        X = case.rows(200 + 100 * block, seed=10 + block)
        n = float(len(X))
        fresh = replace(problem, source=source(X))
        state = fresh.evaluate(mixture)
        share = hand_written_share(rate, seen, n)
        after = 1.0 / ((1.0 - share) ** 2 / size + share**2 / n)
        known = known.scaled((1.0 - share) * after / size)
        known = known + state.statistics.scaled(share * after / n)
        mixture, size, seen = fresh.maximize(known), after, seen + n
        stream, log_likelihood = stream.learned(source(X), problem.prior)
        assert log_likelihood == pytest.approx(state.log_likelihood, rel=1e-9)
        assert (stream.seen, stream.size) == pytest.approx((seen, size))
        assert_same(mixture, stream.mixture)


def one_component(X: Array, covariance_type: str, rate: LearningRate) -> Stream:
    family = gaussian_family(covariance_type)
    problem = Problem(family, source(X), family.default_prior(moments_of(X), 0.0))
    return Stream.after(problem.estimate(X, np.ones((len(X), 1))), float(len(X)), rate)


def moments_of(X: Array) -> Any:
    return source(X).moments(full=True)


@every_covariance
def test_one_component_with_equal_rates_is_the_batch_estimate(covariance_type: str) -> None:
    X = np.random.default_rng(0).standard_normal((8000, 2)) @ [[1.0, 0.5], [0.0, 2.0]]
    blocks = np.split(X, 4)
    # With kappa = t_0 = 1 a mini-batch counts as much as each of those before it.
    stream = one_component(blocks[0], covariance_type, DecayingRate(1.0, 1.0))
    no_prior = gaussian_family(covariance_type).default_prior(moments_of(X), 0.0)
    before = 0.0
    for block in blocks[1:]:
        expected = float(stream.mixture.log_density(block).sum())
        stream, before = stream.learned(source(block), no_prior)
        assert before == pytest.approx(expected)
    assert stream.size == pytest.approx(8000.0)
    batch = one_component(X, covariance_type, DecayingRate())
    assert_same(batch.mixture, stream.mixture, 1e-10)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_one_component_that_forgets_is_an_exponentially_weighted_mean(rate: float) -> None:
    X = np.random.default_rng(1).standard_normal((1500, 2)) + np.linspace(0, 3, 1500)[:, None]
    blocks = np.split(X, 15)
    stream = one_component(blocks[0], "diag", Forgetting(rate))
    no_prior = gaussian_family("diag").default_prior(moments_of(X), 0.0)
    mean, square = blocks[0].mean(axis=0), (blocks[0] ** 2).mean(axis=0)
    for block in blocks[1:]:
        stream, _ = stream.learned(source(block), no_prior)
        mean = (1.0 - rate) * mean + rate * block.mean(axis=0)
        square = (1.0 - rate) * square + rate * (block**2).mean(axis=0)
    parameters = stream.mixture.parameters
    assert_allclose(parameters.means[0], mean)
    assert_allclose(parameters.covariances[0], square - mean**2)
    # So many rows with equal weights would tell the mean as well, but for the first block's trace.
    shares = rate * (1.0 - rate) ** np.arange(13.0, -1.0, -1.0)
    squares = (np.r_[(1.0 - rate) ** 14, shares] ** 2).sum()
    assert stream.size == pytest.approx(100.0 / squares)


def test_a_long_block_is_learned_in_mini_batches() -> None:
    X = CASE.rows(8000)
    prior = CASE.problem(X).prior
    stream = Stream.after(CASE.mixture, 2000.0, DecayingRate())
    at_once, total = stream.learned(source(X), prior)
    by_hand, sums = stream, 0.0
    for first in range(4):
        by_hand, more = by_hand.learned(source(X[first::4]), prior)
        sums += more
    assert total == pytest.approx(sums)
    assert_same(by_hand.mixture, at_once.mixture)
    # A block's parts together replace what the block is to replace.
    forgetting = replace(stream, rate=Forgetting(0.5), mixture=one_mixture(0.0))
    no_prior = gaussian_family("spherical").default_prior(moments_of(X), 0.0)
    after, _ = forgetting.learned(source(np.full((8000, 2), 1.0)), no_prior)
    assert_allclose(after.mixture.parameters.means, 0.5)


def one_mixture(mean: float) -> Mixture:
    return Mixture.gaussian([1.0], [[mean, mean]], [1.0], "spherical")


def kept(rate: LearningRate, size: float, start: float, end: float) -> float:
    """Logarithm of what is left of what was known, after blocks of one size."""
    places = np.arange(start, end - 1e-9, size)
    return float(sum(np.log1p(-rate.share(place, size, 1.0)) for place in places))


@pytest.mark.parametrize("rate", [DecayingRate(), DecayingRate(1.0, 10.0)], ids=str)
def test_the_size_of_blocks_does_not_change_how_fast_a_decaying_rate_forgets(
    rate: LearningRate,
) -> None:
    finest = kept(rate, 0.05, 5.0, 50.0)
    for size in (0.5, 1.0, 3.0):
        assert kept(rate, size, 5.0, 50.0) == pytest.approx(finest, rel=0.02 * (1.0 + size))


@every_family
@every_rate
def test_a_weight_of_two_is_a_row_that_stands_there_twice(
    case: FamilyCase, rate: LearningRate
) -> None:
    X = case.rows(300, 2)
    prior = case.problem(X, strength=1.5).prior
    stream = Stream.after(case.mixture, 400.0, rate)
    heavy, one = stream.learned(source(X, np.full(300, 2.0)), prior)
    twice, other = stream.learned(source(np.repeat(X, 2, axis=0)), prior)
    assert one == pytest.approx(other)
    assert (heavy.seen, heavy.size) == pytest.approx((twice.seen, twice.size))
    assert_same(twice.mixture, heavy.mixture, 1e-7)


@every_family
def test_three_passes_end_near_batch_em(case: FamilyCase) -> None:
    mixture, n = case.like(3, 2.0), 20_000
    X = mixture.sample(n, np.random.default_rng(4))[0]
    problem = case.problem(X, strength=2.0)
    true = np.exp(mixture.log_joint(X) - mixture.log_density(X)[:, None])
    mixed = 0.2 * np.random.default_rng(5).dirichlet(np.ones(3), n) + 0.8 * true
    start = problem.estimate(X, mixed)
    batch = Engine(stopping=Stopping(1e-6, 60)).climb(problem, start).state
    stream = Stream(start, 0.0, 1000.0)
    for _ in range(3):
        for first in range(0, n, 1000):
            stream, _ = stream.learned(source(X[first : first + 1000]), problem.prior)
    found = problem.evaluate(stream.mixture)
    assert found.log_likelihood >= batch.log_likelihood - 0.01 * n
    assert found.log_likelihood > problem.evaluate(start).log_likelihood


def test_a_constant_rate_follows_a_moving_cluster_and_the_default_does_not() -> None:
    rng = np.random.default_rng(6)
    start = Mixture.gaussian([0.5, 0.5], [[0.0, 0.0], [0.0, 8.0]], [1.0, 1.0], "spherical")
    prior = gaussian_family("spherical").default_prior(moments_of(start.sample(500, rng)[0]), 2.0)
    ends = {}
    for rate in (DecayingRate(), Forgetting(0.2)):
        stream = Stream.after(start, 20_000.0, rate)
        for block in range(80):
            X, labels = start.sample(300, rng)
            X[labels == 0, 0] += 0.1 * block
            stream, _ = stream.learned(source(X), prior)
        ends[str(rate)] = stream.mixture.parameters.means
    # What is remembered is (1 - rate) / rate = 4 blocks old on average.
    assert_allclose(ends["Forgetting(rate=0.2)"], [[7.5, 0.0], [0.0, 8.0]], atol=0.2)
    assert ends[str(DecayingRate())][0, 0] < 7.0


@every_family
def test_nothing_of_the_stream_before_is_written_to(case: FamilyCase) -> None:
    stream = Stream.after(case.mixture, 100.0, Forgetting(0.3))
    arrays = {
        name: array.copy() for name, array in case.family.pack(case.mixture.parameters).items()
    }
    prior = case.problem(case.rows(200)).prior
    after, _ = stream.learned(source(case.rows(50, 5)), prior)
    assert stream.mixture is case.mixture
    assert after.mixture is not case.mixture
    for name, array in case.family.pack(case.mixture.parameters).items():
        assert_allclose(array, arrays[name], rtol=0.0)


@every_rate
@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
def test_shares_are_shares(rate: LearningRate, size: float) -> None:
    for before in (0.0, 1e-3, 1.0, 1e6):
        assert 0.0 < rate.share(before, size, 0.5) <= 1.0


def test_rates_by_what_is_given() -> None:
    assert as_rate(None) == DecayingRate()
    assert as_rate(0.25) == as_rate(np.float32(0.25)) == Forgetting(0.25)
    assert as_rate(RATES[1]) is RATES[1]


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 2, np.nan, np.inf, True, "fast", [0.1]])
def test_bad_rates_are_refused(bad: Any) -> None:
    with pytest.raises(ArgumentError, match="rate"):
        as_rate(bad)


@pytest.mark.parametrize(
    ("exponent", "offset"), [(0.5, 2.0), (1.1, 2.0), (np.nan, 2.0), (0.6, -1.0), (0.6, np.inf)]
)
def test_decaying_rates_that_do_not_settle_are_refused(exponent: float, offset: float) -> None:
    with pytest.raises(ArgumentError, match=r"rate's (exponent|offset)"):
        DecayingRate(exponent, offset)
