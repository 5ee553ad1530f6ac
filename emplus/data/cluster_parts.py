"""What the workers of a Dask cluster hold and do, and how they are asked.

The functions here run on the workers, where emplus must be installed too.
"""

from __future__ import annotations

import asyncio
import math
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block
from emplus.data.memory import ArraySource
from emplus.errors import DataError
from emplus.numerics.moments import Moments

if TYPE_CHECKING:
    from dask.distributed import Client

# A function as bytes, and the arrays that it closes over.
_Carried = tuple[bytes, tuple[bytes, ...]]

__all__ = ["Cluster", "Part", "facts", "numbers"]

# Sums that are added by one task: a tree over the partitions, the same for any workers.
_ADDED_AT_ONCE = 8
# Seconds between two looks at whether there still are workers.
_BETWEEN_LOOKS = 0.5
# Times its fair share of the partitions up to which a worker keeps them.
_MOST_SHARES = 1.5


@final
class Part:
    """A partition on its worker: a source in memory that can be moved to another worker."""

    def __init__(
        self, X: Any, weight: Array | None, labels: NDArray[np.integer] | None, n_jobs: int
    ):
        self.source, self._n_jobs = ArraySource(X, weight, n_jobs, labels), n_jobs

    def __sizeof__(self) -> int:
        # By this Dask knows that a task had better come to the rows than the rows to the task.
        return sum(array.nbytes for array in self._arrays() if array is not None)

    def _arrays(self) -> tuple[Any, Array | None, NDArray[np.integer] | None]:
        return *self.source.take(slice(None)), self.source.labels

    def __reduce__(self) -> tuple[Any, ...]:
        # As they were given; the source that is made of them keeps them in its own order again.
        X, weight, labels = (_given(array, self.source.order) for array in self._arrays())
        return Part, (X, weight, labels, self._n_jobs)

    def every(self, first: int, step: int) -> Part:
        """Every ``step``-th of the rows; views where nothing is missing."""
        own, labels = slice(first, None, step), self.source.labels
        X, weight = self.source.take(own)
        return Part(X, weight, None if labels is None else labels[own], self._n_jobs)

    def columns(self, chosen: NDArray[np.integer]) -> Part:
        """Some of the columns."""
        X, weight, labels = self._arrays()
        return Part(X[:, chosen], weight, labels, self._n_jobs)

    def distinct(self) -> Part:
        """Equal rows as one, with their weights added, where that saves much."""
        found = self.source.distinct()
        return self if found is self.source else Part(*found.take(slice(None)), None, self._n_jobs)

    def size(self) -> int:
        """Number of rows."""
        return self.source.n_rows

    def total_weight(self) -> float:
        """Sum of the row weights."""
        return self.source.total_weight

    def order(self) -> NDArray[np.intp] | None:
        """Number of each row in the partition as it was given; None where they are in order."""
        return self.source.order

    def labels(self) -> NDArray[np.integer] | None:
        """Known components of the rows."""
        return self.source.labels

    def moments(self, full: bool, levels: tuple[int, ...]) -> Moments:
        """Moments of the partition."""
        return self.source.moments(full=full, levels=levels)

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Any, Array | None]:
        """Copies of some of the rows, and their weights."""
        return self.source.take(rows)

    def reduce(self, carried: _Carried, width: int, start: int) -> tuple[Array, ...]:
        """The sum over the partition's blocks, whose rows begin with number ``start``."""
        function: Callable[[Block], tuple[Array, ...]] = _opened(carried)
        return self.source.reduce(
            lambda block: function(block._replace(start=start + block.start)), width
        )

    def map_rows(self, carried: _Carried) -> Array:
        """Answers for the rows in the order they were given."""
        return self.source.map_rows(_opened(carried))


def _given(array: Any, order: NDArray[np.intp] | None) -> Any:
    if array is None or order is None:
        return array
    given = np.empty_like(array)
    given[order] = array
    return given


def numbers(block: Any) -> Array:
    """A partition as an array of numbers, NaN where an entry is missing.

    Raises
    ------
    DataError
        If it holds anything else.
    """
    if hasattr(block, "to_numpy") and hasattr(block, "dtypes"):
        block = _of_frame(block)
    rows = np.asarray(block)
    if rows.dtype.kind not in "biuf":
        raise DataError(
            f"A partition holds {rows.dtype}, which is no type of numbers; encode them first, or "
            "leave them out."
        )
    if rows.dtype.kind == "f" and rows.dtype.itemsize not in (4, 8):
        rows = rows.astype(np.float64)
    return rows


def facts(rows: Array) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of a partition."""
    return rows.shape, rows.dtype


def _of_frame(frame: Any) -> Any:
    kinds = list(frame.dtypes)
    for name, kind in zip(frame.columns, kinds, strict=True):
        if getattr(kind, "kind", "O") not in "biuf":
            raise DataError(
                f"Column {name!r} holds {kind}, which is no type of numbers; encode it first, or "
                "leave it out."
            )
    if all(isinstance(kind, np.dtype) for kind in kinds):
        common = np.result_type(*kinds)
        return frame.to_numpy(dtype=common if len(set(kinds)) == 1 else np.float64)
    # Columns that may hold pandas.NA.
    single = all(str(kind).lower() == "float32" for kind in kinds)
    return frame.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)


def _packed(function: Callable[..., Any]) -> _Carried:
    import cloudpickle

    arrays: list[pickle.PickleBuffer] = []
    content = cloudpickle.dumps(function, protocol=5, buffer_callback=arrays.append)
    return content, tuple(bytes(array.raw()) for array in arrays)


def _opened(carried: _Carried) -> Any:
    # Arrays made of bytes cannot be written to. A function that writes into what it closes over
    # would do so here in vain; so it fails instead.
    content, arrays = carried
    return pickle.loads(content, buffers=arrays)


def _itself(carried: _Carried) -> _Carried:
    return carried


def _asked(part: Part, name: str, *arguments: Any) -> Any:
    return getattr(part, name)(*arguments)


def _added(*terms: Any) -> Any:
    # What a task was given is not written to: it may be needed again when a worker is lost.
    total, *others = terms
    for other in others:
        if isinstance(total, tuple):
            total = tuple(one + more for one, more in zip(total, other, strict=True))
        else:
            total = total + other
    return total


@final
class Cluster:
    """A Dask cluster that is given tasks and asked for their answers.

    Parameters
    ----------
    client : dask.distributed.Client
    patience : float
        Seconds to wait for a worker where there is none.
    """

    def __init__(self, client: Client, patience: float):
        # Of Dask's own methods, few have types.
        self._client: Any = client
        self._patience = patience

    @property
    def n_threads(self) -> int:
        """Threads of all workers, at least 1."""
        return max(1, sum(self._threads().values()))

    def keep(self, tasks: Sequence[Any]) -> list[Any]:
        """Tasks whose answers stay on the workers; what a lost worker had is worked out again."""
        return self._sent(self._client.persist, tasks)

    def ask(self, parts: Sequence[Any], name: str, *arguments: Any) -> list[Any]:
        """A task for each part: a method of it, of arguments or lists of one for each part."""
        from dask.base import annotate

        found = []
        for place, (part, workers) in enumerate(zip(parts, self._places(parts), strict=True)):
            own = [given[place] if isinstance(given, list) else given for given in arguments]
            # Other workers may have it where these are gone.
            pinned = {"workers": workers, "allow_other_workers": True} if workers else {}
            with annotate(**pinned):
                found.append(self.task(_asked, part, name, *own))
        return found

    def _places(self, parts: Sequence[Any]) -> list[list[str]]:
        """The workers that have each part, where tasks are to be done.

        An idle worker would take a task from a busy one and have the rows sent over. So it may
        only where one has far more than its share, after others were lost or have come.
        """
        holders = self._told(self._client.who_has, list(parts))
        places = [list(holders.get(part.key, ())) for part in parts]
        most = max(Counter(workers[0] for workers in places if workers).values(), default=0)
        share = math.ceil(len(parts) / max(1, len(self._threads())))
        return places if most <= _MOST_SHARES * share else [[] for _ in parts]

    def task(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A task: a function of arguments, which may be tasks."""
        from dask.delayed import delayed

        return delayed(function, pure=False, traverse=False)(*arguments)

    def carry(self, function: Callable[..., Any]) -> Any:
        """A task whose answer is a function as bytes: it travels once, then among the workers."""
        return self.task(_itself, _packed(function))

    def total(self, tasks: Sequence[Any]) -> Any:
        """The sum of the answers, added on the workers in a tree that depends on nothing else."""
        while len(tasks) > 1:
            runs = range(0, len(tasks), _ADDED_AT_ONCE)
            tasks = [self.task(_added, *tasks[run : run + _ADDED_AT_ONCE]) for run in runs]
        return self.answers(tasks)[0]

    def answers(self, tasks: Sequence[Any]) -> list[Any]:
        """The answers of tasks, in order.

        Raises
        ------
        DataError
            If the cluster is gone, or a task has cost it several workers.
        """
        futures = self._sent(self._client.compute, tasks)
        try:
            return self._awaited(futures)
        except BaseException:
            if self._client.status == "running":
                self._client.cancel(futures)
            raise

    def _sent(self, send: Callable[..., Any], tasks: Sequence[Any]) -> list[Any]:
        try:
            with _quiet():
                return list(send(list(tasks), optimize_graph=False))
        except Exception as error:
            if self._client.status == "running":
                raise
            raise _gone("the connection to it was lost") from error

    def _awaited(self, futures: list[Any]) -> list[Any]:
        # Gathered on the client's own loop, so that it can be watched from here: Dask itself
        # waits without end where no worker is left.
        waiting = asyncio.run_coroutine_threadsafe(
            self._client.gather(futures, asynchronous=True), self._client.loop.asyncio_loop
        )
        last_seen = time.monotonic()
        while True:
            try:
                return list(waiting.result(timeout=_BETWEEN_LOOKS))
            except Exception as error:
                if waiting.done():
                    raise _explained(error, futures) from error
            if self._threads():
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen >= self._patience:
                waiting.cancel()
                raise _gone(f"it has had no worker for {self._patience:g} seconds")

    def _threads(self) -> dict[str, int]:
        return dict(self._told(self._client.nthreads))

    def _told(self, question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return question(*arguments)
        except Exception as error:
            raise _gone(f"its scheduler does not answer ({type(error).__name__})") from error


def _explained(error: Exception, futures: list[Any]) -> Exception:
    """A task's own error as it is, and one sentence for what befell the cluster."""
    from dask.distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return _gone(
            "the same rows have cost it several workers, most likely for want of memory; "
            "smaller partitions may help"
        )
    if any(future.status == "error" for future in futures):
        return error
    return _gone(f"rows or answers were lost with its workers ({type(error).__name__})")


def _gone(what: str) -> DataError:
    return DataError(
        f"The Dask cluster that holds the rows failed: {what}. Start it again and fit again; a fit "
        "can go on from the mixture it had reached."
    )


def _quiet() -> Any:
    """No warning where row weights or labels travel with the tasks: that is meant."""
    import dask

    return dask.config.set({"distributed.admin.large-graph-warning-threshold": sys.maxsize})
