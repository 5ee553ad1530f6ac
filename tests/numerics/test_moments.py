from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from emplus.numerics.moments import Moments

either_scatter = pytest.mark.parametrize("full", [False, True], ids=["columns", "pairs"])


def rows(seed: int, shift: float, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    # On a grid, so that a shift by a large whole number is exact.
    X = np.round(rng.standard_normal((n, 3)) * 2.0**20) / 2.0**20 + shift
    return X, rng.uniform(0.0, 2.0, size=n)


def assert_same(one: Moments, other: Moments) -> None:
    assert_allclose(one.weight, other.weight, rtol=1e-14)
    assert_allclose(one.mean, other.mean, rtol=1e-14, atol=1e-14)
    # A mean near 1e8 is known to 1e-8, and that is all that merging two of them can lose.
    assert_allclose(one.scatter, other.scatter, rtol=1e-8, atol=1e-7 * other.weight)
    assert_array_equal(one.lower, other.lower)
    assert_array_equal(one.upper, other.upper)


@either_scatter
def test_agrees_with_numpy(full: bool) -> None:
    X, weight = rows(0, 0.0)
    moments = Moments.of(X, weight, full=full)
    scatter = weight.sum() * np.cov(X.T, aweights=weight, ddof=0)
    assert_allclose(moments.mean, np.average(X, axis=0, weights=weight))
    assert_allclose(moments.scatter, scatter if full else np.diagonal(scatter))
    assert_allclose(moments.variance, np.diagonal(scatter) / weight.sum())


@either_scatter
@pytest.mark.parametrize("shift", [0.0, 1e8, -1e8])
@settings(max_examples=25)
@given(cut=st.integers(0, 60), seed=st.integers(0, 1000))
def test_parts_merge_to_the_whole(full: bool, shift: float, cut: int, seed: int) -> None:
    X, weight = rows(seed, shift)
    one = Moments.of(X[:cut], weight[:cut], full=full)
    other = Moments.of(X[cut:], weight[cut:], full=full)
    assert_same(one + other, Moments.of(X, weight, full=full))
    assert_same(one + other, other + one)


@either_scatter
def test_a_shift_by_1e8_changes_nothing_but_the_mean(full: bool) -> None:
    X, weight = rows(1, 0.0)
    near, far = Moments.of(X, weight, full=full), Moments.of(X + 1e8, weight, full=full)
    assert_allclose(far.mean, near.mean + 1e8, rtol=1e-15)
    assert_allclose(far.scatter, near.scatter, rtol=1e-12, atol=1e-12)


def test_weights_are_repetitions() -> None:
    X, _ = rows(2, 5.0)
    counts = np.random.default_rng(2).integers(1, 4, size=len(X))
    weighted = Moments.of(X, counts.astype(float), full=True)
    assert_same(weighted, Moments.of(np.repeat(X, counts, axis=0), full=True))


def test_float32_rows_are_summed_in_float64() -> None:
    X = (np.random.default_rng(0).standard_normal((5000, 2)) + 1000.0).astype(np.float32)
    moments = Moments.of(X)
    assert moments.mean.dtype == moments.scatter.dtype == np.float64
    assert_allclose(moments.mean, X.astype(np.float64).mean(axis=0), rtol=1e-13)
    assert_allclose(moments.variance, X.astype(np.float64).var(axis=0), rtol=1e-11)


def test_constant_columns_have_exactly_no_variance() -> None:
    X = np.column_stack([np.full(7, 0.1), np.arange(7.0)])
    moments = Moments.of(X)
    assert moments.constant.tolist() == [True, False]
    assert moments.variance[0] == 0.0


def test_nothing_added_changes_nothing() -> None:
    X, weight = rows(3, 0.0)
    whole = Moments.of(X, weight)
    assert_same(whole + Moments.of(X[:0]), whole)
    assert_same(Moments.of(X, np.zeros(len(X))) + whole, whole)


def test_reach_is_the_largest_distance() -> None:
    X = np.array([[-3.0, 0.0], [1.0, 8.0]])
    assert_array_equal(Moments.of(X).reach(np.array([0.0, 5.0])), [3.0, 5.0])
