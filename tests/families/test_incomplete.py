"""Rows with holes: densities of what is there, and statistics of what is expected of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from emplus import Mixture
from emplus.data import memory
from emplus.data.memory import ArraySource
from emplus.families import factor_kernels, gaussian_kernels
from emplus.families.factor_statistics import FactorStatistics
from emplus.numerics.moments import Moments
from tests.cases import (
    COVARIANCE_TYPES,
    Array,
    FamilyCase,
    every_family,
    problem_of,
    random_factors,
    random_gaussian,
)
from tests.counted import holed
from tests.oracles import exact_log_joint, expected_moments, expected_whole, full_covariances

MIXTURES = {name: random_gaussian(name, 3, 5) for name in COVARIANCE_TYPES}
MIXTURES |= {
    f"factors-{noise}": random_factors(noise, d=5, q=2) for noise in ("diag", "shared", "isotropic")
}
MIXTURES["factors-common"] = random_factors("diag", "common", d=6, q=2)
every_mixture = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=list(MIXTURES))

# What each family may lose before it goes the centred way; infinity and less than nothing decide.
WAYS = {"expanded": np.inf, "centred": -1.0}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for module in (gaussian_kernels, factor_kernels):
        tolerance = dict.fromkeys(module.TOLERANCE, WAYS[request.param])
        monkeypatch.setattr(module, "TOLERANCE", tolerance)
    return str(request.param)


def rows(mixture: Mixture, n: int = 60, share: float = 0.3, seed: int = 0) -> Array:
    """Rows with holes, some of them whole, and one without any entry."""
    X = holed(mixture.sample(n, np.random.default_rng(seed))[0], share, seed)
    X[5] = np.nan
    X[6:9] = mixture.sample(3, np.random.default_rng(seed + 1))[0]
    return X


def kernel_of(mixture: Mixture, X: Array, weights: Array | None = None) -> Any:
    family = mixture.family
    moments = Moments.of(X, full=family.needs_full_scatter)
    log_weights = mixture.log_weights if weights is None else weights
    return family.kernel(mixture.parameters, log_weights, moments, X.dtype)


def test_the_fixture_meets_both_ways(way: str) -> None:
    kernel = kernel_of(MIXTURES["full"], rows(MIXTURES["full"]))
    assert type(kernel).__name__.lower().startswith(way)
    for name in ("diag", "factors-diag"):
        found = kernel_of(MIXTURES[name], rows(MIXTURES[name]))
        assert (found._reference is None) == (way == "centred")


# -- densities -----------------------------------------------------------------------------------


@every_mixture
def test_the_density_is_that_of_what_is_there(mixture: Mixture, way: str) -> None:
    X = rows(mixture)
    kernel = kernel_of(mixture, X)
    block = kernel.encode(X)
    found = kernel.log_joint(block) + np.reshape(kernel.common(block), (-1, 1))
    assert_allclose(found, exact_log_joint(mixture, X), rtol=1e-10, atol=1e-10)
    assert_allclose(mixture.log_joint(X), found, rtol=1e-10, atol=1e-10)
    for i in range(20):
        there = np.flatnonzero(~np.isnan(X[i]))
        if not len(there):
            continue
        marginal = mixture.marginal(there.tolist()).log_joint(X[[i]][:, there])[0]
        assert_allclose(marginal, found[i], rtol=1e-9, atol=1e-9)
        scipys = [
            stats.multivariate_normal(mean[there], matrix[np.ix_(there, there)]).logpdf(X[i, there])
            for mean, matrix in zip(
                mixture.parameters.means, full_covariances(mixture), strict=True
            )
        ]
        assert_allclose(scipys + mixture.log_weights, found[i], rtol=1e-9, atol=1e-9)


@every_family
def test_a_row_without_any_entry_tells_nothing(case: FamilyCase) -> None:
    X = holed(case.rows(40), 0.2)
    empty = np.vstack([X, np.full((3, X.shape[1]), np.nan)])
    assert_allclose(case.mixture.log_density(empty)[-3:], 0.0, atol=1e-12)
    resp = case.mixture.responsibilities(empty)[-3:]
    assert_allclose(resp, np.tile(case.mixture.weights, (3, 1)), rtol=1e-10)
    prior = case.problem(X).prior
    without, including = (
        replace(problem_of(case.family, ArraySource(each)), prior=prior).evaluate(case.mixture)
        for each in (X, empty)
    )
    assert_allclose(including.log_likelihood, without.log_likelihood, rtol=1e-10)
    gained = including.statistics.weight - without.statistics.weight
    assert_allclose(gained, 3.0 * case.mixture.weights, rtol=1e-8)


@every_mixture
def test_with_nothing_missing_the_kernel_is_the_one_for_whole_rows(mixture: Mixture) -> None:
    X = mixture.sample(80, np.random.default_rng(0))[0]
    moments = Moments.of(X, full=mixture.family.needs_full_scatter)
    assert not moments.missing
    assert ArraySource(X).order is None
    plain = kernel_of(mixture, X)
    assert "Incomplete" not in type(plain).__name__
    # The other kernel agrees, but for rounding.
    lacking = replace(moments, observed=np.full(X.shape[1], 80.0))
    args = mixture.parameters, mixture.log_weights, lacking, X.dtype
    other = mixture.family.kernel(*args)
    assert "Incomplete" in type(other).__name__
    joint = np.array(other.log_joint(other.encode(X)))
    whole = plain.encode(X)
    wanted = plain.log_joint(whole) + np.reshape(plain.common(whole), (-1, 1))
    assert_allclose(joint, wanted, rtol=1e-10, atol=1e-10)
    resp = np.random.default_rng(1).dirichlet(np.ones(3), size=80)
    prior = problem_of(mixture.family, ArraySource(X)).prior
    one, two = (
        mixture.family.maximize(each.statistics(each.sums(each.encode(X), resp)), prior)
        for each in (plain, other)
    )
    arrays = mixture.family.pack(two)
    for name, array in mixture.family.pack(one).items():
        assert_allclose(array, arrays[name], rtol=1e-8, atol=1e-10)


# -- statistics ----------------------------------------------------------------------------------


def assert_expected(mixture: Mixture, statistics: Any, X: Array, resp: Array) -> None:
    """Against conditional expectations row by row."""
    means, scatter = expected_moments(mixture, X, resp)
    assert_allclose(statistics.weight, resp.sum(axis=0), rtol=1e-12)
    assert_allclose(statistics.means(), means, rtol=1e-9, atol=1e-9)
    if isinstance(statistics, FactorStatistics):
        diagonal, cross = statistics.scatter()
        projections, _, _ = statistics.expected.posterior
        assert_allclose(diagonal, np.einsum("kaa->ka", scatter), rtol=1e-8)
        assert_allclose(cross, projections @ scatter, rtol=1e-7, atol=1e-7)
        whitened = (expected_whole(mixture, X)[0] - mixture.parameters.means[:, None]) @ (
            projections.swapaxes(1, 2)
        )
        sums = np.einsum("ij,jiq->jq", resp, whitened)
        assert_allclose(statistics.factor_sums(), sums, rtol=1e-7, atol=1e-7)
        return
    covariance: Any = mixture.family
    found = covariance.covariance.full(
        covariance.covariance.covariances(
            statistics.scatter(), statistics.weight, np.ones(X.shape[1]), 0.0
        ),
        *means.shape,
    )
    wanted = scatter / statistics.weight[:, None, None]
    if covariance.covariance.shared:
        wanted = np.tile(scatter.sum(axis=0) / statistics.weight.sum(), (len(means), 1, 1))
    elif covariance.covariance.name != "full":
        wanted = np.einsum("kaa,ab->kab", wanted, np.eye(X.shape[1]))
        if covariance.covariance.name == "spherical":
            wanted = np.einsum("kaa,bc->kbc", wanted, np.eye(X.shape[1])) / X.shape[1]
    assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


@every_mixture
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_the_statistics_are_conditional_expectations(
    mixture: Mixture, way: str, share: float
) -> None:
    X = rows(mixture, share=share)
    resp = np.random.default_rng(1).dirichlet(np.full(3, 0.5), size=len(X))
    kernel = kernel_of(mixture, X)
    assert_expected(mixture, kernel.statistics(kernel.sums(kernel.encode(X), resp)), X, resp)


@every_mixture
def test_some_components_of_a_kernel(mixture: Mixture, way: str) -> None:
    X = rows(mixture)
    resp = np.random.default_rng(1).dirichlet(np.full(3, 0.5), size=len(X))
    whole = kernel_of(mixture, X)
    joint = np.array(whole.log_joint(whole.encode(X)))
    sums = []
    for chosen in ([2], [0, 1]):
        part = whole.take(np.array(chosen))
        block = part.encode(X)
        assert_allclose(part.log_joint(block), joint[:, chosen], rtol=1e-10, atol=1e-10)
        sums.append(part.sums(block, resp[:, chosen]))
    joined = whole.take(np.array([2, 0, 1])).statistics(whole.join(sums))
    alone = whole.statistics(whole.sums(whole.encode(X), resp)).take([2, 0, 1])
    assert_allclose(joined.weight, alone.weight, rtol=1e-12)
    assert_allclose(joined.means(), alone.means(), rtol=1e-10, atol=1e-10)
    prior = problem_of(mixture.family, ArraySource(X)).prior
    one, other = (mixture.family.pack(mixture.family.maximize(s, prior)) for s in (joined, alone))
    for name, array in one.items():
        assert_allclose(array, other[name], rtol=1e-7, atol=1e-9)


@every_family
def test_neither_order_nor_blocks_nor_copies_of_rows_matter(
    case: FamilyCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = holed(case.rows(700), 0.3)
    weight = np.random.default_rng(3).integers(1, 4, 700)
    wanted = case.problem(X, weight.astype(float)).evaluate(case.mixture)
    shuffled = np.random.default_rng(4).permutation(700)
    monkeypatch.setattr(memory, "_SHORTEST", 16)
    for bytes_held in (1 << 8, 1 << 13):
        monkeypatch.setattr(memory, "_BLOCK_BYTES", bytes_held)
        others = (
            case.problem(X[shuffled], weight[shuffled].astype(float)),
            case.problem(np.repeat(X, weight, axis=0)),
        )
        for problem in others:
            state = problem.evaluate(case.mixture)
            assert_allclose(state.log_likelihood, wanted.log_likelihood, rtol=1e-10)
            assert_allclose(state.statistics.weight, wanted.statistics.weight, rtol=1e-9)
            one, other = (
                problem.maximize(each.statistics).log_joint(X[:50]) for each in (state, wanted)
            )
            assert_allclose(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_covariances_are_symmetric_to_the_bit(covariance_type: str, way: str) -> None:
    # A model file is refused where they are not.
    for seed in range(8):
        mixture = random_gaussian(covariance_type, 3, 5, seed)
        X = rows(mixture, 100, seed=seed)
        problem = problem_of(mixture.family, ArraySource(X), 1.0)
        for found in (
            problem.maximize(problem.evaluate(mixture).statistics),
            problem.estimate(X, np.eye(3)[np.arange(100) % 3]),
        ):
            arrays = mixture.family.pack(found.parameters)
            assert_array_equal(arrays["covariances"], arrays["covariances"].swapaxes(-1, -2))
            mixture.family.unpack(arrays)


# -- filling in ----------------------------------------------------------------------------------


@every_mixture
def test_impute_is_the_conditional_mean(mixture: Mixture) -> None:
    X = rows(mixture, 30)
    filled = mixture.impute(X)
    assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    resp = np.exp(exact_log_joint(mixture, X) - mixture.log_density(X)[:, None])
    wanted = np.einsum("ij,jia->ia", resp, expected_whole(mixture, X)[0])
    assert_allclose(filled, wanted, rtol=1e-8, atol=1e-8)
    for i in range(10):
        there = np.flatnonzero(~np.isnan(X[i]))
        if 0 < len(there) < X.shape[1]:
            given_rest = mixture.condition(there.tolist(), X[i, there])
            mean = given_rest.weights @ given_rest.parameters.means
            assert_allclose(filled[i, np.isnan(X[i])], mean, rtol=1e-8, atol=1e-8)


@every_mixture
def test_draws_have_the_conditional_moments(mixture: Mixture) -> None:
    n = 20_000
    row = mixture.sample(1, np.random.default_rng(3))[0][0]
    row[[0, 2, 3]] = np.nan
    lost = np.isnan(row)
    drawn = mixture.sample_missing(np.tile(row, (n, 1)), np.random.default_rng(0))
    assert_array_equal(drawn[:, ~lost], np.tile(row[~lost], (n, 1)))
    resp = mixture.responsibilities(row[None])[0]
    means, spreads = (array[:, 0] for array in expected_whole(mixture, row[None]))
    mean = resp @ means
    outer = np.einsum("k,ka,kb->ab", resp, means - mean, means - mean)
    covariance = (np.einsum("k,kab->ab", resp, spreads) + outer)[np.ix_(lost, lost)]
    width = np.sqrt(np.diagonal(covariance))
    assert (np.abs(drawn[:, lost].mean(axis=0) - mean[lost]) < 5.0 * width / np.sqrt(n)).all()
    found = np.cov(drawn[:, lost].T)
    assert_allclose(found / np.outer(width, width), covariance / np.outer(width, width), atol=0.06)


# -- hostile -------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_pattern_in_any_number_of_columns(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    d, k = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    if data.draw(st.booleans()):
        mixture = random_gaussian(data.draw(st.sampled_from(COVARIANCE_TYPES)), k, d, seed)
    else:
        noise = data.draw(st.sampled_from(["diag", "shared", "isotropic"]))
        mixture = random_factors(noise, "own", k, d, data.draw(st.integers(0, d)), seed)
    share = data.draw(st.sampled_from([0.05, 0.5, 0.95]))
    X = holed(mixture.sample(data.draw(st.integers(2, 40)), rng)[0], share, seed)
    X[0] = np.nan
    assert_allclose(mixture.log_joint(X), exact_log_joint(mixture, X), rtol=1e-8, atol=1e-8)
    resp = rng.dirichlet(np.ones(k), size=len(X))
    kernel = kernel_of(mixture, X)
    assert_expected(mixture, kernel.statistics(kernel.sums(kernel.encode(X), resp)), X, resp)
    assert np.isfinite(mixture.impute(X)).all()
