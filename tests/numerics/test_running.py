"""The recursions of running means and variances, against batch values and their own expansion."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from emplus.numerics.moments import running_step

Array = NDArray[np.floating]


def run(rows: Array, rates: Array, *, exact: bool = False) -> tuple[Array, Array]:
    mean: Array = np.zeros(rows.shape[1:])
    variance = mean
    for row, rate in zip(rows, rates, strict=True):
        mean, variance = running_step(mean, variance, row, rate, exact=exact)
    return mean, variance


def equal_rates(n: int) -> Array:
    return 1.0 / np.arange(1.0, n + 1.0)


@given(n=st.integers(1, 60), seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 1e3, -1e8]))
def test_the_mean_is_exact_and_the_variance_a_sum_of_squares(
    n: int, seed: int, shift: float
) -> None:
    X = np.random.default_rng(seed).standard_normal((n, 3)) + shift
    mean, variance = run(X, equal_rates(n))
    means = np.cumsum(X, axis=0) / np.arange(1.0, n + 1.0)[:, None]
    size = max(abs(shift), 1.0)
    assert_allclose(mean, X.mean(axis=0), atol=1e-12 * size)
    # Each row is compared with the mean of the rows up to itself, and all count the same.
    assert_allclose(variance, ((X - means) ** 2).mean(axis=0), rtol=1e-6, atol=1e-6)
    assert (variance <= X.var(axis=0) + 1e-6).all()


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_the_expected_variance_is_as_stated_by_enumeration(n: int) -> None:
    # All samples of a variable that is -1, 0 or 2, equally likely.
    values = np.array([-1.0, 0.0, 2.0])
    samples = np.array(list(product(values, repeat=n)))
    _, variances = run(samples.T, equal_rates(n))
    expected = values.var() * (1.0 - equal_rates(n).sum() / n)
    assert variances.mean() == pytest.approx(expected, rel=1e-12)


def test_the_bias_named_in_the_docstring() -> None:
    for n, less in ((50, 0.07), (1000, 0.006)):
        rows = np.random.default_rng(n).standard_normal((n, 4000))
        _, variance = run(rows, equal_rates(n))
        assert 1.0 - variance.mean() / (1.0 - 1.0 / n) == pytest.approx(less, rel=0.15)


@given(n=st.integers(1, 60), seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 1e3, -1e8]))
def test_the_exact_form_is_the_batch_variance(n: int, seed: int, shift: float) -> None:
    X = np.random.default_rng(seed).standard_normal((n, 3)) + shift
    mean, variance = run(X, equal_rates(n), exact=True)
    assert_allclose(mean, X.mean(axis=0), atol=1e-12 * max(abs(shift), 1.0))
    assert_allclose(variance, X.var(axis=0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
def test_the_exact_form_with_a_constant_rate_is_the_weighted_variance(rate: float) -> None:
    X = np.random.default_rng(3).standard_normal((40, 2))
    _, variance = run(X, np.r_[1.0, np.full(39, rate)], exact=True)
    weights = np.r_[(1.0 - rate) ** 39, rate * (1.0 - rate) ** np.arange(38.0, -1.0, -1.0)]
    assert_allclose(variance, weights @ (X - weights @ X) ** 2, atol=1e-12)


@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
def test_a_constant_rate_forgets_geometrically(rate: float) -> None:
    X = np.random.default_rng(0).standard_normal((40, 2))
    mean, variance = run(X, np.full(40, rate))
    shares = rate * (1.0 - rate) ** np.arange(39.0, -1.0, -1.0)
    assert_allclose(mean, shares @ X, atol=1e-12)
    means = np.array([run(X[: m + 1], np.full(m + 1, rate))[0] for m in range(40)])
    assert_allclose(variance, shares @ (X - means) ** 2, atol=1e-12)


def test_means_of_categories_go_on_at_rates_of_their_own() -> None:
    rng = np.random.default_rng(1)
    means, variances, row = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4)), rng.normal(size=4)
    rates = np.array([[0.0], [0.25], [1.0]])
    moved, spread = running_step(means, variances, row, rates)
    assert moved.shape == spread.shape == (3, 4)
    for j in range(3):
        one = running_step(means[j], variances[j], row, float(rates[j, 0]))
        assert_allclose((moved[j], spread[j]), one)
    assert_allclose((moved[0], spread[0]), (means[0], variances[0]))
    assert_allclose((moved[2], spread[2]), (row, np.zeros(4)), atol=1e-30)


def test_nothing_is_written_to() -> None:
    arrays = [np.ones(2), np.ones(2), np.full(2, 3.0)]
    for array in arrays:
        array.flags.writeable = False
    mean, variance = running_step(arrays[0], arrays[1], arrays[2], 0.5)
    assert (mean.tolist(), variance.tolist()) == ([2.0, 2.0], [1.0, 1.0])
