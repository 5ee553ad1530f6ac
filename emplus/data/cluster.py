"""Rows in the memory of a Dask cluster: they stay there, and only sums come back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block, Source
from emplus.data.cluster_parts import Part, facts, numbers, rows_as, told
from emplus.data.cluster_tasks import Cluster
from emplus.data.memory import ArraySource
from emplus.errors import ArgumentError, DataError
from emplus.numerics.moments import Moments

if TYPE_CHECKING:
    from dask.distributed import Client

__all__ = ["DaskSource", "Held", "Reader", "answers_of", "dask_source", "is_dask"]

T = TypeVar("T")

# Bytes of rows that differ up to which they are fetched from the workers.
_FETCHED = 64 << 20


def is_dask(X: Any) -> bool:
    """Whether rows are a Dask array or data frame; dask is not imported for it."""
    return hasattr(X, "__dask_graph__") and hasattr(X, "to_delayed")


def dask_source(
    X: Any,
    sample_weight: Any = None,
    n_jobs: int | None = None,
    labels: Any = None,
    *,
    client: Client | None = None,
    patience: float | None = None,
    reader: Reader | None = None,
) -> DaskSource:
    """The rows of a Dask array or data frame, kept in the memory of a cluster's workers.

    Parameters
    ----------
    X : dask array (n, d) or data frame
        Of numbers. Each partition stays on its worker, so partitions of some tens to hundreds of
        megabytes, a few for each thread, are best: each costs milliseconds a pass.
    sample_weight, labels : (n,) ndarray or dask array, optional
        As of `ArraySource`.
    n_jobs : int, optional
        Threads here, for what a search does with the rows it has fetched; None for every core.
        The workers use theirs.
    client : dask.distributed.Client, optional
        By default the one made last. Its workers need emplus.
    patience : float, optional
        As of `Cluster`.
    reader : Reader, optional
        Makes rows of partitions that are no numbers.

    Raises
    ------
    DataError
        If partitions do not go together, hold no numbers or no rows, or the cluster fails.
    ArgumentError
        If there is no cluster, or the weights or labels are not as many as the rows.
    """
    cluster = Cluster(_client() if client is None else client, patience)
    rows = _rows_on(cluster, _blocks(X), reader)
    found = cluster.answers([cluster.task(facts, block) for block in rows])
    sizes = [shape[0] for shape, _ in found]
    if not any(sizes):
        raise DataError("The Dask collection has no rows.")
    n_features = _common({shape[1] for shape, _ in found if shape[0]}, "number of columns")
    stored = _common({dtype for shape, dtype in found if shape[0]}, "type")
    weights, known = _pieces(sample_weight, sizes, "weights"), _pieces(labels, sizes, "labels")
    # Dask works on as many partitions side by side as there are threads.
    threads = math.ceil(cluster.n_threads / len(sizes))
    tasks = [
        cluster.task(Part, *of_part, threads) for of_part in zip(rows, weights, known, strict=True)
    ]
    weighted, labelled = sample_weight is not None, labels is not None
    held = Held(cluster, tasks, sizes, n_features, stored, weighted, labelled)
    return DaskSource(held, n_jobs)


class Reader(Protocol):
    """Makes rows of the partitions of a table, on the workers."""

    def __call__(self, block: Any) -> tuple[NDArray[Any], Any]:
        """The rows of a partition, and what is to be told of them."""

    def hear(self, sizes: Sequence[int], told: Sequence[Any]) -> None:
        """What was told of each partition, and its number of rows."""


def _rows_on(cluster: Cluster, blocks: Sequence[Any], reader: Reader | None) -> list[Any]:
    """Tasks of the rows of partitions, which stay on the workers."""
    if reader is None:
        return cluster.lay_out([cluster.task(numbers, block) for block in blocks])
    read = cluster.lay_out([cluster.task(reader, block) for block in blocks])
    found = cluster.answers([cluster.task(told, one) for one in read])
    reader.hear([shape[0] for shape, _, _ in found], [more for _, _, more in found])
    # Where entries are missing in one partition, all are floating.
    types = {dtype for shape, dtype, _ in found if shape[0]}
    dtype = np.result_type(*types) if types else None
    return cluster.keep([cluster.task(rows_as, one, dtype) for one in read])


def answers_of(X: Any, function: Callable[[Any], T]) -> list[T]:
    """What a function says of each partition of a Dask collection; it runs on the workers.

    Raises as `dask_source`.
    """
    cluster = Cluster(_client(), 60.0)
    return cluster.answers([cluster.task(function, block) for block in _blocks(X)])


def _common(found: set[T], what: str) -> T:
    first, *others = found
    if others:
        raise DataError(
            f"Partitions differ in their {what}: {', '.join(sorted(map(str, found)))}; make them "
            "alike first."
        )
    return first


def _client() -> Client:
    try:
        from dask.distributed import get_client
    except ImportError:
        raise DataError(
            "Rows in Dask need dask and distributed, which are not installed: pip install "
            "'emplus[cluster]'."
        ) from None
    try:
        return get_client()
    except ValueError:
        raise ArgumentError(
            "Rows in Dask need a cluster; make a dask.distributed.Client first."
        ) from None


def _blocks(X: Any) -> list[Any]:
    if not is_dask(X) or getattr(X, "ndim", 0) != 2:
        raise DataError(f"Rows are a Dask array or data frame with two dimensions; this is {X!r}.")
    if hasattr(X, "numblocks") and X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    return list(np.ravel(X.to_delayed()))


def _pieces(values: Any, sizes: list[int], what: str) -> list[Any]:
    """Values of the rows, split as the rows are; None for each partition where there are none."""
    if values is None:
        return [None] * len(sizes)
    if hasattr(values, "to_dask_array"):
        values = values.to_dask_array(lengths=True)
    if is_dask(values) and np.isnan(values.shape).any():
        values = values.compute_chunk_sizes()
    if values.shape != (sum(sizes),):
        raise ArgumentError(f"{sum(sizes)} rows need as many {what}; there are {values.shape}.")
    if is_dask(values):
        return list(values.rechunk((tuple(sizes),)).to_delayed())
    return np.split(values, list(accumulate(sizes))[:-1])


@final
class Held:
    """Rows on a cluster, and what is known of them.

    Parameters
    ----------
    cluster : Cluster
    tasks : sequence of tasks
        What makes each partition, a `Part`; it is done when it is first needed.
    sizes : sequence of int
        Rows of each partition; those without any are left out.
    n_features : int
    stored : numpy dtype
    weighted, labelled : bool
        Whether there are row weights, and known labels.
    """

    def __init__(
        self,
        cluster: Cluster,
        tasks: Sequence[Any],
        sizes: Sequence[int],
        n_features: int,
        stored: np.dtype[Any],
        weighted: bool,
        labelled: bool,
    ):
        self.cluster, self.n_features, self.stored = cluster, n_features, stored
        self.weighted, self.labelled = weighted, labelled
        self._tasks = [task for task, size in zip(tasks, sizes, strict=True) if size]
        self.sizes = [size for size in sizes if size]
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.intp)

    @cached_property
    def parts(self) -> list[Any]:
        """The partitions, which stay on the workers from now on."""
        kept = self.cluster.keep(self._tasks)
        # The tasks would keep what the partitions were made of.
        self._tasks = []
        return kept

    def ask(self, name: str, *arguments: Any) -> list[Any]:
        """A task for each partition: a method of it, of arguments or lists of one for each."""
        return self.cluster.ask(self.parts, name, *arguments)

    def answers(self, name: str, *arguments: Any) -> list[Any]:
        """What each partition answers."""
        return self.cluster.answers(self.ask(name, *arguments))

    def total(self, name: str, *arguments: Any) -> Any:
        """The sum of what the partitions answer."""
        return self.cluster.total(self.parts, name, *arguments)

    def derived(
        self,
        tasks: Sequence[Any],
        sizes: Sequence[int] | None = None,
        n_features: int | None = None,
        weighted: bool = False,
    ) -> Held:
        """Rows made of these."""
        return Held(
            self.cluster,
            tasks,
            self.sizes if sizes is None else sizes,
            self.n_features if n_features is None else n_features,
            self.stored,
            self.weighted or weighted,
            self.labelled,
        )


@final
class DaskSource:
    """The partitions of a Dask collection; `dask_source` makes one.

    A pass sends a function to the workers and fetches the sum of what it gives, added on the way
    in an order that depends on the partitions alone. So its traffic does not depend on the number
    of rows, and its bits neither on the number of workers nor on whether some of them were lost.

    A function that is sent must be one of its arguments alone: what it writes elsewhere is lost.
    """

    def __init__(self, held: Held, n_jobs: int | None = None):
        self._held, self._n_jobs = held, n_jobs
        self.n_rows, self.n_features = sum(held.sizes), held.n_features
        stored = held.stored
        # As of a source in memory.
        self.dtype: np.dtype[Any] = stored if stored.kind == "f" else np.dtype(np.float64)
        # Its threads are what rows fetched from the workers are worked on with.
        self._here = ArraySource(np.empty((0, held.n_features)), n_jobs=n_jobs)
        self._known_moments: dict[Any, Moments] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A function may come with the problem that it belongs to, and so with this source; no
        # worker can ask the others for their rows.
        return {
            name: value for name, value in self.__dict__.items() if name not in ("_held", "_here")
        }

    @property
    def in_memory(self) -> bool:
        """No: they are in those of the workers."""
        return False

    @cached_property
    def labels(self) -> NDArray[np.integer] | None:
        """Known components of the rows, fetched once."""
        return np.concatenate(self._held.answers("labels")) if self._held.labelled else None

    @cached_property
    def order(self) -> NDArray[np.intp] | None:
        """Number of each row in the data given, fetched once; None where they are in that order."""
        held = self._held
        if held.stored.kind != "f":
            return None
        orders = held.answers("order")
        if all(order is None for order in orders):
            return None
        return np.concatenate(
            [
                start + (np.arange(size) if order is None else order)
                for start, size, order in zip(held.starts[:-1], held.sizes, orders, strict=True)
            ]
        )

    @cached_property
    def total_weight(self) -> float:
        """Sum of the row weights; the number of rows where there are none."""
        held = self._held
        return float(held.total("total_weight") if held.weighted else self.n_rows)

    def reduce(
        self, function: Callable[[Block], tuple[Array, ...]], width: int
    ) -> tuple[Array, ...]:
        """The sum over blocks of the new arrays that ``function`` gives for each."""
        held = self._held
        carried, starts = held.cluster.carry(function), held.starts[:-1].tolist()
        sums: tuple[Array, ...] = held.total("reduce", carried, width, starts)
        return sums

    def map_rows(self, function: Callable[[Any], Array]) -> Array:
        """``function`` of each block of rows, its answers in the order of the rows given."""
        carried = self._held.cluster.carry(function)
        return np.concatenate(self._held.answers("map_rows", carried))

    def each(self, function: Callable[[int], T], count: int) -> Iterator[T]:
        """``function`` of 0 .. count - 1, worked out by threads here, in order."""
        return self._here.each(function, count)

    def moments(self, *, full: bool, levels: Sequence[int] = ()) -> Moments:
        """Weighted moments of all rows; with ``full`` the scatter of all pairs of columns."""
        asked = full, tuple(levels) if any(levels) else ()
        if asked not in self._known_moments:
            self._known_moments[asked] = self._held.total("moments", *asked)
        return self._known_moments[asked]

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Any, Array | None]:
        """Some of the rows and their weights, fetched from the workers."""
        held, whole = self._held, isinstance(rows, slice) and rows == slice(None)
        wanted = np.arange(self.n_rows)[rows]
        order = np.argsort(wanted, kind="stable")
        bounds = np.searchsorted(wanted[order], held.starts)
        parts, own, sizes = [], [], []
        for place, (begin, end) in enumerate(pairwise(bounds)):
            if begin < end:
                inner = wanted[order[begin:end]] - held.starts[place]
                parts.append(held.parts[place])
                own.append(slice(None) if whole else inner)
                sizes.append(end - begin)
        found = held.cluster.answers(held.cluster.ask(parts, "take", own)) if parts else []
        X = np.empty((len(wanted), self.n_features), dtype=held.stored)
        weight = np.ones(len(wanted)) if held.weighted else None
        for places, (own_X, own_weight) in zip(
            np.split(order, np.cumsum(sizes)[:-1]), found, strict=False
        ):
            X[places] = own_X
            if weight is not None and own_weight is not None:
                weight[places] = own_weight
        return X, weight

    def subset(self, rows: NDArray[np.integer]) -> ArraySource:
        """A source of some of the rows, in memory here."""
        labels = None if self.labels is None else self.labels[rows]
        return ArraySource(*self.take(rows), self._n_jobs, labels)

    def parts(self, count: int) -> list[Source]:
        """Every ``count``-th row, beginning with each of the first ones, where they are."""
        held, count = self._held, max(1, min(count, self.n_rows))
        if count == 1:
            return [self]
        found: list[Source] = []
        for first in range(count):
            firsts = [int((first - start) % count) for start in held.starts[:-1]]
            own = held.ask("every", firsts, count)
            sizes = [
                len(range(begin, size, count))
                for begin, size in zip(firsts, held.sizes, strict=True)
            ]
            found.append(self._with(held.derived(own, sizes)))
        return found

    def distinct(self) -> Source:
        """A source in which equal rows of a partition are one, with their weights added.

        Where few differ, they are fetched, and equal rows of all partitions are one, as of an array
        in memory. Itself where that saves little, where the rows are not boolean or whole numbers,
        and where components are known.
        """
        held = self._held
        if held.stored.kind == "f" or held.labelled:
            return self
        parts = held.cluster.keep(held.ask("distinct"))
        sizes = held.cluster.answers(held.cluster.ask(parts, "size"))
        if sum(sizes) == self.n_rows:
            return self
        few = self._with(held.derived(parts, sizes, weighted=True))
        if few.n_rows * self.n_features * held.stored.itemsize > _FETCHED:
            return few
        return ArraySource(*few.take(slice(None)), self._n_jobs).distinct()

    def columns(self, chosen: NDArray[np.integer]) -> DaskSource:
        """A source of some of the columns, on the workers too."""
        held, n_features = self._held, len(np.arange(self.n_features)[chosen])
        return self._with(held.derived(held.ask("columns", chosen), n_features=n_features))

    def _with(self, held: Held) -> DaskSource:
        return DaskSource(held, self._n_jobs)
