"""Moments of rows with holes, of other types than floating point, and of categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from emplus.numerics.moments import Moments, level_counts
from tests.counted import holed

either_scatter = pytest.mark.parametrize("full", [False, True], ids=["columns", "pairs"])


def rows(n: int = 60, share: float = 0.3, seed: int = 0, shift: float = 0.0) -> Any:
    X = np.random.default_rng(seed).standard_normal((n, 4)) * [1.0, 2.0, 0.5, 3.0]
    return holed(np.round(X * 2.0**16) / 2.0**16 + shift, share, seed)


def assert_same(one: Moments, other: Moments, far: float = 0.0) -> None:
    assert_allclose(one.weight, other.weight, rtol=1e-13)
    assert_allclose(one.present, other.present, rtol=1e-13)
    there = other.present > 0
    assert_allclose(one.mean[there], other.mean[there], rtol=1e-13, atol=1e-12)
    assert_allclose(one.scatter, other.scatter, rtol=1e-9, atol=1e-8 * (1.0 + far))
    assert_array_equal(one.lower, other.lower)
    assert_array_equal(one.upper, other.upper)
    assert (one.counts is None) == (other.counts is None)
    if one.counts is not None and other.counts is not None:
        assert_allclose(one.counts, other.counts, rtol=1e-13)


@pytest.mark.parametrize("shift", [0.0, 1e8])
def test_of_what_is_there(shift: float) -> None:
    X, weight = rows(shift=shift), np.random.default_rng(1).uniform(0.5, 2.0, 60)
    moments = Moments.of(X, weight)
    assert moments.missing
    for column in range(4):
        there = ~np.isnan(X[:, column])
        values, own = X[there, column], weight[there]
        mean = np.average(values, weights=own)
        assert_allclose(moments.present[column], own.sum())
        assert_allclose(moments.mean[column], mean, rtol=1e-14)
        variance = np.average((values - mean) ** 2, weights=own)
        assert_allclose(moments.variance[column], variance, rtol=1e-6)
        assert (moments.lower[column], moments.upper[column]) == (values.min(), values.max())


def test_pairs_count_what_is_missing_at_the_mean() -> None:
    X = rows()
    moments = Moments.of(X, full=True)
    centred = np.where(np.isnan(X), 0.0, X - np.nanmean(X, axis=0))
    assert_allclose(moments.scatter, centred.T @ centred, rtol=1e-12, atol=1e-12)
    assert_allclose(np.diagonal(moments.scatter), Moments.of(X).scatter, rtol=1e-12)


def test_a_column_without_any_entry() -> None:
    X = rows()
    X[:, 2] = np.nan
    moments = Moments.of(X)
    assert (moments.present[2], moments.mean[2], moments.variance[2]) == (0.0, 0.0, 0.0)
    assert moments.constant.tolist() == [False, False, True, False]
    assert np.isfinite(moments.mean).all()


@either_scatter
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("shift", [0.0, 1e8])
@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_any_split_merges_to_the_whole(
    full: bool, share: float, shift: float, cuts: list[int], seed: int
) -> None:
    X, weight = rows(60, share, seed, shift), np.random.default_rng(seed).uniform(0.0, 2.0, 60)
    # The holes of one half only: one side then knows of none.
    X[:20] = rows(60, 0.0, seed, shift)[:20]
    levels = (0, 3, 0, 2)
    X[:, [1, 3]] = np.where(np.isnan(X[:, [1, 3]]), np.nan, np.abs(np.round(X[:, [1, 3]])) % [3, 2])
    parts = np.split(np.arange(60), sorted(cuts))
    merged = None
    for part in parts:
        own = Moments.of(X[part], weight[part], full=full, levels=levels)
        merged = own if merged is None else merged + own
    assert merged is not None
    whole = Moments.of(X, weight, full=full, levels=levels)
    if not full:
        assert_same(merged, whole, shift)
    else:
        # What is missing lies at the mean of its own part: pairs of such columns merge only nearly,
        # each column by itself exactly.
        assert_allclose(merged.mean, whole.mean, rtol=1e-13, atol=1e-12)
        diagonal = np.diagonal(whole.scatter)
        assert_allclose(np.diagonal(merged.scatter), diagonal, rtol=1e-9, atol=1e-8 * (1 + shift))


@pytest.mark.parametrize("make", [csr_array, lambda X: X.astype(bool), lambda X: X.astype(np.int8)])
@pytest.mark.parametrize("weighted", [False, True])
def test_zeros_and_ones_of_any_type(make: Any, weighted: bool) -> None:
    X = (np.random.default_rng(0).random((80, 5)) < [0.1, 0.5, 0.9, 0.0, 1.0]).astype(float)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, 80) if weighted else None
    wanted = Moments.of(X, weight)
    given_rows = make(X)
    assert_same(Moments.of(given_rows, weight), wanted)
    half = None if weight is None else weight[:30], None if weight is None else weight[30:]
    both = Moments.of(given_rows[:30], half[0]) + Moments.of(given_rows[30:], half[1])
    assert_same(both, wanted)
    assert both.variance[3] == both.variance[4] == 0.0


def test_levels_are_counted_by_weight_and_what_is_missing_nowhere() -> None:
    X = np.array([[0.0, 5.5, 2.0], [1.0, 1.5, np.nan], [0.0, 0.5, -1.0], [np.nan, 9.0, 0.0]])
    weight = np.array([1.0, 2.0, 4.0, 8.0])
    levels = (3, 0, 3)
    assert_array_equal(level_counts(X, levels, weight), [5.0, 2.0, 0.0, 8.0, 0.0, 1.0])
    assert_array_equal(level_counts(X, levels), [2.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    moments = Moments.of(X, weight, levels=levels)
    assert_array_equal(moments.counts, [5.0, 2.0, 0.0, 8.0, 0.0, 1.0])
    assert Moments.of(X, weight).counts is None


@either_scatter
def test_columns_are_moments_of_those_columns(full: bool) -> None:
    X = rows()
    X[:, [1, 3]] = np.abs(np.round(np.nan_to_num(X[:, [1, 3]]))) % [3, 2]
    levels = (0, 3, 0, 2)
    whole = Moments.of(X, full=full, levels=levels)
    for chosen in ([2, 0], [3], [1, 2], [3, 2, 1, 0]):
        wanted = Moments.of(X[:, chosen], full=full, levels=[levels[c] for c in chosen])
        found = whole.columns(np.array(chosen), levels)
        assert_allclose(found.mean, wanted.mean)
        assert_allclose(found.scatter, wanted.scatter, rtol=1e-12, atol=1e-12)
        assert_array_equal(found.upper, wanted.upper)
        assert_array_equal(found.present, wanted.present)
        assert (found.counts is None) == (wanted.counts is None)
        if wanted.counts is not None:
            assert_array_equal(found.counts, wanted.counts)
