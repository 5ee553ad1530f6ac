"""How the workers of a Dask cluster are given tasks and asked for their answers."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, final

from emplus.data.cluster_parts import asked, folded, half, itself, packed
from emplus.errors import DataError

if TYPE_CHECKING:
    from dask.distributed import Client

__all__ = ["Cluster"]

# Sums that one task adds at most, so that not all of a worker's are there at the same time.
_ADDED_AT_ONCE = 8
# Seconds to wait for a worker where there is none.
_PATIENCE = 60.0
# Seconds between two looks at whether there still are workers.
_BETWEEN_LOOKS = 0.5
# Times its fair share of the partitions up to which a worker keeps them.
_MOST_SHARES = 1.5


@final
class Cluster:
    """A Dask cluster that is given tasks and asked for their answers.

    Parameters
    ----------
    client : dask.distributed.Client
    patience : float, optional
        Seconds to wait for a worker where there is none; by default what Dask's configuration
        says under ``emplus.patience``, or 60.
    """

    def __init__(self, client: Client, patience: float | None = None):
        import dask

        # Of Dask's own methods, few have types.
        self._client: Any = client
        known = dask.config.get("emplus.patience", _PATIENCE)
        self._patience = float(known if patience is None else patience)

    @property
    def n_threads(self) -> int:
        """Threads of all workers, at least 1."""
        return max(1, sum(self._threads().values()))

    def keep(self, tasks: Sequence[Any]) -> list[Any]:
        """Tasks whose answers stay on the workers; what a lost worker had is worked out again."""
        return self._sent(self._client.persist, tasks)

    def lay_out(self, tasks: Sequence[Any]) -> list[Any]:
        """Like `keep`, tasks that follow each other on one worker, if they are nowhere yet.

        The sums of neighbours are added first, and then need not travel.
        """
        from dask import distributed

        # Of Dask's own functions, few have types.
        futures_of: Any = distributed.futures_of
        threads = sorted(self._threads().items())
        whole = sum(number for _, number in threads)
        if len(threads) < 2 or futures_of(list(tasks)):
            return self.keep(tasks)
        kept: list[Any] = []
        reached = 0
        for worker, number in threads:
            reached += number
            own = tasks[len(kept) : len(tasks) * reached // whole]
            if not own:
                continue
            hint = {"workers": [worker], "allow_other_workers": True}
            kept += self._sent(partial(self._client.persist, **hint), own)
        return kept

    def ask(self, parts: Sequence[Any], name: str, *arguments: Any) -> list[Any]:
        """A task for each part: a method of it, of arguments or lists of one for each part."""
        return self._asked(parts, self._places(parts), name, *arguments)

    def _asked(
        self, parts: Sequence[Any], places: list[list[str]], name: str, *arguments: Any
    ) -> list[Any]:
        from dask.base import annotate

        found = []
        for place, (part, workers) in enumerate(zip(parts, places, strict=True)):
            own = [given[place] if isinstance(given, list) else given for given in arguments]
            # Other workers may have it where these are gone.
            pinned = {"workers": workers, "allow_other_workers": True} if workers else {}
            with annotate(**pinned):
                found.append(self.task(asked, part, name, *own))
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
        return self.task(itself, packed(function))

    def total(self, parts: Sequence[Any], name: str, *arguments: Any) -> Any:
        """The sum of what parts answer, see `ask`, added on the workers.

        Two neighbours are added, then two of their sums, and so on: a tree that depends on the
        number of parts alone. What lies on one worker is added by one task there.
        """
        places = self._places(parts)
        tasks = self._asked(parts, places, name, *arguments)
        holders = [tuple(workers) for workers in places]

        def tree(first: int, last: int) -> Any:
            if last - first == 1:
                return tasks[first]
            one_place = len(set(holders[first:last])) == 1 and holders[first]
            if one_place and last - first <= _ADDED_AT_ONCE:
                return self.task(folded, *tasks[first:last])
            middle = first + half(last - first)
            return self.task(folded, tree(first, middle), tree(middle, last))

        return self.answers([tree(0, len(tasks))])[0]

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
        "with a checkpoint goes on from there."
    )


def _quiet() -> Any:
    """No warning where row weights or labels travel with the tasks: that is meant."""
    import dask

    return dask.config.set({"distributed.admin.large-graph-warning-threshold": sys.maxsize})
