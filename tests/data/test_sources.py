from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.data.base import Block
from emplus.data.memory import ArraySource
from emplus.errors import ArgumentError
from tests.cases import Array, MakeSource, every_source


def rows(n: int = 30_000, d: int = 3) -> Array:
    return np.random.default_rng(0).standard_normal((n, d))


@every_source
@pytest.mark.parametrize("n", [1, 1023, 1025, 8193, 30_000])
@pytest.mark.parametrize("width", [1, 500, 10**9])
def test_blocks_are_all_the_rows_in_order(make_source: MakeSource, n: int, width: int) -> None:
    X, weight = rows(n), np.random.default_rng(1).uniform(size=n)
    source = make_source(X, weight)
    blocks: list[Block] = []

    def count(block: Block) -> tuple[Array, ...]:
        blocks.append(block)
        assert block.weight is not None
        return np.array([float(len(block.X))]), block.weight @ block.X

    total, sums = source.reduce(count, width)
    assert total.tolist() == [n]
    assert_allclose(sums, weight @ X, rtol=1e-10, atol=1e-10)
    assert_array_equal(np.concatenate([block.X for block in blocks]), X)
    assert [block.start for block in blocks] == sorted({block.start for block in blocks})
    assert_array_equal(np.concatenate([block.weight for block in blocks]), weight)


@every_source
def test_blocks_do_not_depend_on_the_number_of_threads(make_source: MakeSource) -> None:
    def edges(n_jobs: int) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []

        def look(block: Block) -> tuple[Array]:
            seen.append((block.start, len(block.X)))
            return (np.zeros(1),)

        make_source(rows(), n_jobs=n_jobs).reduce(look, 100)
        return sorted(seen)

    assert edges(1) == edges(2) == edges(5)
    assert len(edges(1)) > 5


@every_source
def test_sums_are_taken_in_block_order(make_source: MakeSource) -> None:
    X = rows()
    X *= 10.0 ** np.random.default_rng(2).integers(-8, 8, size=(len(X), 1))
    results = [
        make_source(X, n_jobs=n_jobs).reduce(lambda block: (block.X.sum(axis=0),), 10)[0]
        for n_jobs in (1, 2, 3, 1)
    ]
    for other in results[1:]:
        assert_array_equal(other, results[0])


@every_source
def test_map_rows_keeps_the_order_of_the_rows(make_source: MakeSource) -> None:
    X = rows()
    for n_jobs in (1, 2):
        source = make_source(X, n_jobs=n_jobs)
        assert_array_equal(source.map_rows(lambda block: block[:, ::-1] * 2.0), X[:, ::-1] * 2.0)


@every_source
@pytest.mark.parametrize("full", [False, True])
def test_moments_are_those_of_all_rows(make_source: MakeSource, full: bool) -> None:
    X, weight = rows() + 1e8, np.random.default_rng(1).uniform(size=30_000)
    moments = make_source(X, weight).moments(full=full)
    assert_allclose(moments.mean, np.average(X, axis=0, weights=weight), rtol=1e-13)
    scatter = weight.sum() * np.cov(X.T, aweights=weight, ddof=0)
    wanted = scatter if full else np.diagonal(scatter)
    assert_allclose(moments.scatter, wanted, rtol=1e-6, atol=1e-3)


@every_source
def test_counts(make_source: MakeSource) -> None:
    X, weight = rows(10), np.arange(10.0)
    source = make_source(X.astype(np.float32), weight)
    assert (source.n_rows, source.n_features, source.total_weight) == (10, 3, 45.0)
    assert source.dtype == np.float32
    assert make_source(X).total_weight == 10.0
    taken, taken_weight = source.take(np.array([7, 1]))
    assert_array_equal(taken, X.astype(np.float32)[[7, 1]])
    assert_array_equal(taken_weight, [7.0, 1.0])
    assert make_source(X).take(np.array([0]))[1] is None
    taken, taken_weight = source.take(slice(2, 5))
    assert_array_equal(taken, X.astype(np.float32)[2:5])
    assert_array_equal(taken_weight, [2.0, 3.0, 4.0])


@every_source
def test_a_subset_is_a_source_of_its_own(make_source: MakeSource) -> None:
    X, weight = rows(3000).astype(np.float32), np.arange(3000.0)
    chosen = np.arange(5, 3000, 7)
    for given in (weight, None):
        subset, wanted = (
            make_source(X, given).subset(chosen),
            make_source(X[chosen], None if given is None else given[chosen]),
        )
        assert (subset.n_rows, subset.n_features) == (len(chosen), 3)
        assert subset.dtype == np.float32
        assert subset.total_weight == wanted.total_weight
        assert_array_equal(subset.map_rows(lambda block: block), X[chosen])
        one, other = (source.moments(full=True) for source in (subset, wanted))
        assert_array_equal(one.scatter, other.scatter)
        assert_array_equal(one.mean, other.mean)


@every_source
def test_an_error_in_a_thread_comes_out(make_source: MakeSource) -> None:
    def fail(block: Block) -> tuple[Array]:
        raise KeyError(block.start)

    for n_jobs in (1, 2):
        with pytest.raises(KeyError):
            make_source(rows(), n_jobs=n_jobs).reduce(fail, 10)


@every_source
@pytest.mark.parametrize("n_jobs", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_each_answers_in_order(make_source: MakeSource, n_jobs: int, count: int) -> None:
    def late(index: int) -> int:
        # The first ones take longest.
        time.sleep(0.002 if index < 2 else 0.0)
        return index * index

    source = make_source(rows(), n_jobs=n_jobs)
    assert list(source.each(late, count)) == [index * index for index in range(count)]


def test_an_array_is_neither_copied_nor_written_to() -> None:
    X = np.asfortranarray(rows(100))
    X.flags.writeable = False
    source = ArraySource(X, n_jobs=1)
    source.reduce(lambda block: (np.array([float(np.shares_memory(block.X, X))]),), 1)
    assert np.shares_memory(source._block(0, 10).X, X)
    assert np.shares_memory(source.take(slice(None))[0], X)


def test_refuses_what_is_no_table() -> None:
    with pytest.raises(ArgumentError, match=r"must be \(n, d\)"):
        ArraySource(np.zeros(3))
    with pytest.raises(ArgumentError, match="whole numbers"):
        ArraySource(np.zeros((3, 1), dtype=complex))
    with pytest.raises(ArgumentError, match="as many labels"):
        ArraySource(np.zeros((3, 1)), labels=np.zeros(2, dtype=int))
    with pytest.raises(ArgumentError, match="as many weights"):
        ArraySource(np.zeros((3, 1)), np.ones(2))


@every_source
@pytest.mark.parametrize("count", [-1, 0, 1, 2, 7, 100, 101, 5000])
def test_parts_hold_every_row_once_from_all_over_the_data(
    make_source: MakeSource, count: int
) -> None:
    X, weight = rows(100), np.arange(1.0, 101.0)
    parts = make_source(X, weight).parts(count)
    assert len(parts) == min(max(count, 1), 100)
    sizes = [part.n_rows for part in parts]
    assert max(sizes) - min(sizes) <= 1
    given = [part.take(slice(None)) for part in parts]
    found = np.concatenate([held for held, _ in given])
    order = np.lexsort(found.T)
    assert_array_equal(found[order], X[np.lexsort(X.T)])
    for first, (held, own) in enumerate(given):
        # No part is a run of neighbours.
        assert_array_equal(held, X[first :: len(parts)])
        assert_array_equal(own, weight[first :: len(parts)])
        assert parts[first].total_weight == weight[first :: len(parts)].sum()


def test_parts_are_views_and_keep_dtype_labels_and_threads() -> None:
    X = rows(50).astype(np.float32)
    labels = np.arange(50) % 4 - 1
    source = ArraySource(X, n_jobs=2, labels=labels)
    assert source.parts(1) == [source]
    for first, part in enumerate(source.parts(3)):
        assert part.dtype == np.float32
        assert part.labels is not None
        assert_array_equal(part.labels, labels[first::3])
        assert np.shares_memory(part.take(slice(None))[0], X)
        assert part.total_weight == part.n_rows
        one = part.reduce(lambda block: (block.X.sum(axis=0),), 10)[0]
        assert_allclose(one, X[first::3].sum(axis=0), rtol=1e-5)


def test_parts_of_rows_with_holes_have_holes_from_all_over() -> None:
    X = rows(90)
    X[:30, 0] = np.nan
    X[60:, 1] = np.nan
    labels = np.arange(90) % 5
    source = ArraySource(X, np.arange(1.0, 91.0), 1, labels)
    parts = source.parts(3)
    assert sum(part.total_weight for part in parts) == source.total_weight
    for part in parts:
        missing = np.isnan(part.take(slice(None))[0]).sum(axis=0)
        assert missing.tolist() == [10, 10, 0]
        # Rows, weights and labels stay together.
        held, own = part.take(slice(None))
        assert own is not None
        assert part.labels is not None
        given = (own - 1.0).astype(int)
        assert_array_equal(held, X[given])
        assert_array_equal(part.labels, labels[given])
