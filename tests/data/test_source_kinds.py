"""Sources of rows with holes, of whole numbers, truth values and sparse rows; of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from emplus.data.base import Block
from emplus.data.memory import ArraySource
from emplus.numerics.moments import Moments
from tests.cases import Array
from tests.counted import holed


def rows(n: int = 3000, d: int = 4, share: float = 0.2) -> Array:
    # The number of each row is in its first column, which has no holes.
    X = np.random.default_rng(0).standard_normal((n, d))
    X[:, 1:] = holed(X[:, 1:], share)
    X[:, 0] = np.arange(n)
    return X


def collected(source: ArraySource, width: int = 10) -> list[Block]:
    blocks: list[Block] = []

    def look(block: Block) -> tuple[Array, ...]:
        blocks.append(block)
        return (np.zeros(1),)

    source.reduce(look, width)
    return blocks


def labelled(n: int = 3000) -> tuple[Array, Any]:
    rng = np.random.default_rng(1)
    return rng.uniform(0.0, 2.0, n), rng.integers(-1, 3, n)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_rows_that_miss_the_same_lie_together_and_answers_come_as_given(n_jobs: int) -> None:
    X = rows()
    source = ArraySource(X, n_jobs=n_jobs)
    assert source.order is not None
    assert_array_equal(np.sort(source.order), np.arange(3000))
    held, _ = source.take(slice(None))
    assert_array_equal(held, X[source.order])
    missing = np.isnan(held)
    changes = (missing[1:] != missing[:-1]).any(axis=1).sum()
    assert changes == len(np.unique(missing, axis=0)) - 1
    assert_array_equal(source.map_rows(lambda block: block), X)
    assert_array_equal(source.map_rows(lambda block: block[:, 0]), np.arange(3000.0))


def test_weights_and_labels_go_with_their_rows() -> None:
    X, (weight, labels) = rows(), labelled()
    source = ArraySource(X, weight, 1, labels)
    assert source.order is not None
    assert_array_equal(source.labels, labels[source.order])
    assert source.total_weight == pytest.approx(weight.sum())
    for block in collected(source):
        numbers = block.X[:, 0].astype(int)
        assert_array_equal(block.weight, weight[numbers])
        assert_array_equal(block.labels, labels[numbers])
    taken, own = source.take(np.array([7, 2999, 1]))
    assert_array_equal(own, weight[taken[:, 0].astype(int)])


def test_a_subset_and_columns_keep_rows_weights_and_labels_together() -> None:
    X, (weight, labels) = rows(), labelled()
    source = ArraySource(X, weight, 1, labels)
    assert source.order is not None
    chosen = np.arange(0, 3000, 7)
    subset = source.subset(chosen)
    held, own = subset.take(slice(None))
    numbers = held[:, 0].astype(int)
    assert_array_equal(np.sort(numbers), np.sort(source.order[chosen]))
    assert_array_equal(own, weight[numbers])
    assert_array_equal(subset.labels, labels[numbers])
    columns = source.columns(np.array([2, 0]))
    held, own = columns.take(slice(None))
    numbers = held[:, 1].astype(int)
    assert_array_equal(held, X[numbers][:, [2, 0]])
    assert_array_equal(own, weight[numbers])
    assert_array_equal(columns.labels, labels[numbers])
    assert columns.n_features == 2
    # These have no holes, so nothing needs another order.
    assert ArraySource(X).columns(np.array([0])).order is None


@pytest.mark.parametrize("full", [False, True])
def test_moments_of_rows_with_holes(full: bool) -> None:
    X, (weight, _) = rows(), labelled()
    found = ArraySource(X, weight, 2).moments(full=full)
    wanted = Moments.of(X, weight, full=full)
    assert_allclose(found.mean, wanted.mean, rtol=1e-12)
    assert_allclose(found.present, wanted.present, rtol=1e-12)
    assert_allclose(found.variance, wanted.variance, rtol=1e-10)
    assert_array_equal(found.upper, wanted.upper)


def test_rows_without_holes_are_left_as_they_are() -> None:
    X = rows(share=0.0)
    assert ArraySource(X).order is None
    assert np.shares_memory(ArraySource(X).take(slice(None))[0], X)
    # Sums that overflow, or cancel to no number, are no holes.
    for odd in (np.full((3, 2), 1e308), np.array([[np.inf, 1.0], [-np.inf, 2.0]])):
        assert ArraySource(odd).order is None


KINDS = {
    "boolean": lambda X: X.astype(bool),
    "bytes": lambda X: X.astype(np.uint8),
    "whole": lambda X: X.astype(np.int64),
    "sparse": csr_array,
    "sparse boolean": lambda X: csr_array(X.astype(bool)),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
def test_other_kinds_of_rows(make: Any) -> None:
    X = (np.random.default_rng(0).random((3000, 5)) < 0.3).astype(np.float64)
    weight, labels = labelled()
    source = ArraySource(make(X), weight, 2, labels)
    assert (source.n_rows, source.n_features) == (3000, 5)
    assert source.dtype == np.float64
    assert source.order is None

    def dense(rows: Any) -> Array:
        array = rows.toarray() if hasattr(rows, "toarray") else rows
        return np.asarray(array, dtype=np.float64)

    assert_array_equal(source.map_rows(dense), X)
    blocks = collected(source)
    assert len(blocks) > 0
    for block in blocks:
        assert block.X.dtype == make(X).dtype
        own = slice(block.start, block.start + block.X.shape[0])
        assert_array_equal(dense(block.X), X[own])
        assert_array_equal(block.labels, labels[own])
    chosen = np.array([5, 3, 2900])
    assert_array_equal(dense(source.subset(chosen).take(slice(None))[0]), X[chosen])
    assert_array_equal(dense(source.columns(np.array([4, 1])).take(slice(None))[0]), X[:, [4, 1]])
    assert_allclose(source.moments(full=False).mean, np.average(X, axis=0, weights=weight))


def test_moments_with_and_without_levels_are_not_mixed_up() -> None:
    X = np.random.default_rng(0).integers(0, 3, (50, 2)).astype(np.float64)
    source = ArraySource(X)
    assert source.moments(full=False).counts is None
    counted = source.moments(full=False, levels=(3, 3)).counts
    assert counted is not None
    assert counted.sum() == 100.0
    assert source.moments(full=False, levels=(0, 0)).counts is None
