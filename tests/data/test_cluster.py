from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.data.base import Block, Source
from emplus.data.cluster import DaskSource, dask_source, is_dask
from emplus.data.cluster_parts import Part
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import State
from emplus.errors import ArgumentError, DataError
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from tests.cases import FAMILY_CASES, Array, FamilyCase, problem_of, tolerated

pytest.importorskip("dask", reason="dask is not installed: pip install 'emplus[cluster]'")
pytest.importorskip("distributed", reason="distributed is not installed")

import dask.array
import dask.dataframe
import dask.distributed

# Few of Dask's functions have types.
da: Any = dask.array
dd: Any = dask.dataframe
Client: Any = dask.distributed.Client
LocalCluster: Any = dask.distributed.LocalCluster

CASES = {case.id: case for case in FAMILY_CASES}
# Rows of the partitions; without any, few, and many.
SIZES = (700, 0, 1, 2000, 299)


def local_cluster(n_workers: int) -> Any:
    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_cluster(2) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def mortal() -> Iterator[Any]:
    """A client of two workers that nobody starts again."""
    with local_cluster(2) as cluster, Client(cluster, set_as_default=False) as client:
        for nanny in cluster.workers.values():
            nanny.close_gracefully()
        yield client


def kill(client: Any, most: int | None = None) -> None:
    for pid in list(client.run(os.getpid).values())[:most]:
        os.kill(pid, signal.SIGKILL)


def partitioned(X: Array) -> Any:
    chunks = SIZES if len(X) == sum(SIZES) else -(-len(X) // 4)
    return da.from_array(X, chunks=(chunks, max(1, X.shape[1] - 1)))


def rows(kind: str) -> Any:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((sum(SIZES), 4)) + 3.0
    if kind == "bool":
        return X > 3.0
    if kind == "int":
        return np.rint(X).astype(np.int64)
    if kind == "float32":
        return X.astype(np.float32)
    if kind == "missing":
        # Some partitions are complete, and the missing entries of the others are not alike.
        X[800:][rng.random((len(X) - 800, 4)) < 0.2] = np.nan
    return X


def same(one: Source, other: Source) -> None:
    """Both hold the same rows, whatever order each keeps them in."""
    assert (one.n_rows, one.n_features, one.dtype) == (other.n_rows, other.n_features, other.dtype)
    assert_allclose(one.total_weight, other.total_weight, rtol=1e-14)
    kept = []
    for source in (one, other):
        X, weight = source.take(slice(None))
        order = np.arange(source.n_rows) if source.order is None else source.order
        place = np.argsort(order)
        assert_array_equal(np.sort(order), np.arange(source.n_rows))
        known = None if source.labels is None else source.labels[place]
        kept.append((X[place], None if weight is None else weight[place], known))
    for mine, others in zip(*kept, strict=True):
        assert (mine is None) == (others is None)
        if mine is not None:
            assert mine.dtype == others.dtype
            assert_array_equal(mine, others)
    tolerance = 1e-5 if one.dtype == np.float32 else 1e-11
    for full in (False, True):
        mine, others = one.moments(full=full), other.moments(full=full)
        # What pairs of columns with missing entries add depends on how blocks are cut.
        names = ["mean", "variance", "lower", "upper", "present"]
        for name in names if mine.missing else [*names, "scatter"]:
            assert_allclose(
                getattr(mine, name), getattr(others, name), rtol=tolerance, atol=tolerance
            )


@pytest.mark.parametrize("kind", ["float64", "float32", "bool", "int", "missing"])
def test_the_rows_are_those_of_an_array(client: Any, kind: str) -> None:
    X, n = rows(kind), sum(SIZES)
    weight = np.random.default_rng(1).uniform(size=n) if kind != "float32" else None
    labels = np.arange(n) % 5 - 1 if kind in ("missing", "int") else None
    source = dask_source(partitioned(X), weight, 1, labels)
    array = ArraySource(X, weight, 1, labels)
    same(source, array)

    def sums(block: Block) -> tuple[Array, ...]:
        ones = np.ones(len(block.X)) if block.weight is None else block.weight
        filled = np.nan_to_num(np.asarray(block.X, dtype=np.float64))
        return ones @ filled, filled.T @ filled, np.array([len(block.X)])

    for mine, others in zip(source.reduce(sums, 10), array.reduce(sums, 10), strict=True):
        assert_allclose(mine, others, rtol=1e-12)
        assert mine.flags.writeable
    assert_array_equal(source.map_rows(lambda X: X[:, ::-1]), X[:, ::-1])
    chosen = np.array([2500, 0, 700, 2500, -1, 12])
    mine_X, mine_weight = source.take(chosen)
    order = np.arange(n) if source.order is None else source.order
    assert_array_equal(mine_X, X[order][chosen])
    if weight is not None:
        assert_array_equal(mine_weight, weight[order][chosen])
    for cut in (slice(3, 900, 7), slice(0, 0)):
        assert_array_equal(source.take(cut)[0], X[order][cut])
    subset = source.subset(chosen[:4])
    assert_array_equal(subset.map_rows(lambda X: X), X[order][chosen[:4]])
    assert isinstance(subset, ArraySource)


def test_parts_and_columns_stay_on_the_workers(client: Any) -> None:
    X, weight, labels = rows("missing"), np.arange(1.0, sum(SIZES) + 1), np.arange(sum(SIZES)) % 3
    source = dask_source(partitioned(X), weight, 1, labels)
    order = np.arange(len(X)) if source.order is None else source.order
    assert source.parts(1) == [source]
    parts = source.parts(7)
    for first in (0, 6):
        own = order[first::7]
        assert isinstance(parts[first], DaskSource)
        same(parts[first], ArraySource(X[own], weight[own], 1, labels[own]))
    chosen = np.array([3, 1])
    few = source.columns(chosen)
    assert isinstance(few, DaskSource)
    same(few, ArraySource(X[order][:, chosen], weight[order], 1, labels[order]))


def test_starts_of_blocks_are_numbers_of_rows(client: Any) -> None:
    X = np.arange(float(sum(SIZES)))[:, None] * np.ones(2)
    source = dask_source(partitioned(X))
    (wrong,) = source.reduce(
        lambda block: (np.atleast_1d(np.abs(block.X[:, 0] - block.start - np.arange(len(block.X)))
                                     .max()),), 5
    )  # fmt: skip
    assert wrong == 0.0
    assert list(source.each(lambda index: index * index, 5)) == [0, 1, 4, 9, 16]


def test_equal_rows_of_a_partition_are_taken_together(client: Any) -> None:
    X = rows("bool")
    source = dask_source(partitioned(X))
    distinct = source.distinct()
    assert distinct.n_rows < 0.1 * source.n_rows
    assert distinct.total_weight == source.n_rows
    assert_allclose(distinct.moments(full=True).scatter, source.moments(full=True).scatter)
    assert distinct.take(slice(None))[1].sum() == source.n_rows  # type: ignore[union-attr]
    numbers = dask_source(partitioned(rows("float64")))
    assert numbers.distinct() is numbers


def test_data_frames_and_unknown_lengths(client: Any) -> None:
    frame = pd.DataFrame(
        {"a": np.arange(90.0), "b": np.arange(90) % 7, "c": pd.array([1, None, 3] * 30, "Int64")}
    )
    table = dd.from_pandas(frame, npartitions=3)
    assert is_dask(table)
    assert not is_dask(frame)
    table = table[table["a"] >= 40.0]
    wanted = frame[frame["a"] >= 40.0]
    source = dask_source(table, table["a"])
    X = wanted.to_numpy(dtype=np.float64, na_value=np.nan)
    same(source, ArraySource(X, wanted["a"].to_numpy(), 1))
    same(dask_source(table[["a", "b"]].to_dask_array()), ArraySource(X[:, :2], None, 1))
    narrow = dd.from_pandas(frame[["a"]].astype("float32"), npartitions=2)
    assert dask_source(narrow).dtype == np.float32


def test_what_cannot_be_used_is_refused(client: Any) -> None:
    X = partitioned(rows("float64"))
    text = dd.from_pandas(pd.DataFrame({"a": [1.0, 2.0], "name": ["x", "y"]}), npartitions=1)
    with pytest.raises(DataError, match="'name' holds"):
        dask_source(text)
    with pytest.raises(DataError, match="object"):
        dask_source(da.from_array(np.array([[1, "a"]], dtype=object), chunks=1))
    with pytest.raises(DataError, match="two dimensions"):
        dask_source(X[:, 0])
    with pytest.raises(DataError, match="no rows"):
        dask_source(X[:0])
    with pytest.raises(ArgumentError, match="as many weights"):
        dask_source(X, np.ones(3))
    with pytest.raises(ArgumentError, match="as many labels"):
        dask_source(X, labels=np.zeros(3, dtype=int))
    mixed = [da.from_array(np.ones((5, 2), dtype), chunks=5) for dtype in ("f4", "f8")]
    blocks = [block.to_delayed().ravel()[0] for block in mixed]
    lying = da.concatenate([da.from_delayed(block, (5, 2), "f8") for block in blocks])
    with pytest.raises(DataError, match="type: float32, float64"):
        dask_source(lying)


def test_an_error_on_a_worker_comes_out(client: Any) -> None:
    source = dask_source(partitioned(rows("float64")))

    def fail(block: Block) -> tuple[Array]:
        raise KeyError(block.start)

    with pytest.raises(KeyError):
        source.reduce(fail, 10)
    seen = np.zeros(source.n_rows)

    def write(block: Block) -> tuple[Array]:
        seen[block.start] = 1.0
        return (np.zeros(1),)

    # What a function writes on a worker would be lost without a word.
    with pytest.raises(ValueError, match="read-only"):
        source.reduce(write, 10)


def test_heavy_weights_are_sent_without_a_warning(client: Any) -> None:
    X = da.zeros((1_500_000, 1), chunks=(400_000, 1), dtype=np.float32)
    assert dask_source(X, np.full(1_500_000, 0.5)).total_weight == 750_000.0


def fitted(case: FamilyCase, source: Source, search: str = "em", *observers: Any) -> Fit:
    problem = problem_of(case.family, source)
    engine = Engine(stopping=Stopping(-np.inf if observers else 1e-8, 8), observers=observers)
    with tolerated():
        return make_search(search)(
            engine, problem, lambda rng: case.mixture, np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    ("name", "search", "n", "missing"),
    [
        ("gaussian-full", "em", 2000, False),
        ("gaussian-full", "em", 2000, True),
        # So many that it looks at a part of them closely, in memory.
        ("gaussian-full", "split_merge", 100_500, False),
        ("factors-diag", "em", 2000, False),
        ("factors-diag", "em", 2000, True),
        ("bernoulli", "em", 2000, False),
        ("product-full", "em", 2000, True),
    ],
)
def test_a_fit_is_that_of_rows_in_memory(
    client: Any, name: str, search: str, n: int, missing: bool
) -> None:
    case = CASES[name]
    X = case.rows(n)
    if missing:
        X = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
    one, other = (
        fitted(case, source, search)
        for source in (ArraySource(X, None, 1), dask_source(partitioned(X)))
    )
    assert one.n_iter == other.n_iter
    assert abs(one.log_likelihood - other.log_likelihood) <= 1e-10 * n
    assert_allclose(one.mixture.log_density(X), other.mixture.log_density(X), atol=1e-9)


def test_a_function_may_come_with_its_problem(client: Any) -> None:
    case = CASES["gaussian-full"]
    X = case.rows(300)
    problem = problem_of(case.family, dask_source(partitioned(X)))
    middle = problem.moments.mean
    (total,) = problem.source.reduce(
        lambda block: ((block.X - problem.moments.mean).sum(axis=0) + problem.source.n_rows,), 5
    )
    assert_allclose(total, (X - middle).sum(axis=0) + 4 * 300, atol=1e-9)


def test_rows_do_not_travel(client: Any) -> None:
    def sent() -> int:
        each = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        return int(sum(each.values()))

    X = da.ones((400_000, 4), chunks=(50_000, 4))
    source = dask_source(X)
    source.moments(full=False)
    before = sent()
    for _ in range(5):
        source.reduce(lambda block: (np.exp(block.X).sum(axis=0),), 10)
    assert sent() - before < 100_000


def bits(fit: Fit) -> list[Any]:
    arrays = fit.mixture.family.pack(fit.mixture.parameters)
    return [fit.trace, fit.mixture.log_weights.tolist(), *(a.tolist() for a in arrays.values())]


def test_bits_depend_neither_on_the_workers_nor_on_losing_one(client: Any, mortal: Any) -> None:
    case, states = CASES["gaussian-full"], []
    X = partitioned(case.rows(4000))

    def strike(state: State) -> None:
        states.append(state)
        if state.iteration == 3:
            kill(mortal, 1)

    calm = fitted(case, dask_source(X), "em", lambda state: None)
    struck = fitted(case, dask_source(X, client=mortal), "em", strike)
    assert len(mortal.nthreads()) == 1
    assert len(states) > 5
    alone = fitted(case, dask_source(X, client=mortal), "em", lambda state: None)
    assert bits(calm) == bits(struck) == bits(alone)
    # And when the last one is gone, there is an end to it.
    source = dask_source(X, client=mortal, patience=1.0)
    with pytest.raises(DataError, match="had no worker for 1 seconds"):
        fitted(case, source, "em", lambda state: kill(mortal))


def test_a_scheduler_that_is_gone_is_told(mortal: Any) -> None:
    source = dask_source(partitioned(rows("float64")), client=mortal)
    mortal.cluster.close()
    with pytest.raises(DataError, match="Dask cluster that holds the rows failed"):
        source.moments(full=True)


def test_a_part_survives_being_moved() -> None:
    X = rows("missing")
    part = Part(X, np.arange(1.0, len(X) + 1), np.arange(len(X)) % 4, 1)
    moved: Part = pickle.loads(pickle.dumps(part))
    same(part.source, moved.source)
    assert_array_equal(part.order(), moved.order())
    assert_array_equal(moved.source.map_rows(lambda X: X), X)
    assert part.__sizeof__() == X.nbytes + 16 * len(X)


def test_without_a_cluster_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise ValueError("No global client found")

    monkeypatch.setattr("dask.distributed.get_client", none)
    with pytest.raises(ArgumentError, match=r"make a dask\.distributed\.Client"):
        dask_source(da.zeros((3, 2)))


def test_dask_is_imported_when_it_is_needed() -> None:
    ask = (
        "import sys, emplus.data.cluster; sys.exit(bool({'dask', 'distributed'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0
