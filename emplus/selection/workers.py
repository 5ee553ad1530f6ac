"""Processes that do tasks, and the same for tasks that are done in this process.

A worker is a Python of its own that runs `emplus.selection.worker`, talking through pipes. Unlike a
fork it inherits neither threads nor locks that nobody will release, and unlike the processes that
multiprocessing spawns it does not run the caller's script again, which would need a guard there and
fails for a script from standard input.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from emplus.errors import ArgumentError, FitError
from emplus.families.registry import KNOWN_FAMILIES
from emplus.numerics.threads import effective_n_jobs
from emplus.search.registry import KNOWN_SEARCHES
from emplus.selection.tasks import Rows

__all__ = ["Task", "Workers", "make_workers"]

# Work, in cells of the table times components, from which on processes are worth starting, and what
# each task costs besides.
_WORTH_PROCESSES = 2e6
_EACH_TASK = 1e4

# BLAS would otherwise start threads in every worker.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


Task = Callable[[Rows], Any]


class Workers(Protocol):
    """Something that does tasks; it ends with the ``with`` block, and with it what still runs."""

    slots: int

    def submit(self, task: Task) -> Future[Any]:
        """Begin a task."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def make_workers(
    rows: Rows, prototypes: list[Any], n_jobs: int | None, n_tasks: int, most_components: int
) -> Workers:
    """Workers for so many tasks: processes where they are asked for, or worth starting.

    Where a candidate cannot be sent to another process (it has observers, which could not be heard
    from there, or an argument that belongs to the caller's script), this process does the tasks.
    """
    slots = min(effective_n_jobs(n_jobs), n_tasks)
    numbers = float(rows.n) * (rows.X.shape[1] if len(rows.X.shape) > 1 else 1)
    work = n_tasks * (_EACH_TASK + numbers * most_components)
    if n_jobs is None and work < _WORTH_PROCESSES:
        slots = 1
    if slots == 1 or not sys.executable or not all(map(_can_be_sent, prototypes)):
        return _InThisProcess(rows)
    return _Processes(rows, slots, _Added.by(*prototypes))


@dataclass(frozen=True)
class _Added:
    """Families and searches that were registered in this process and are asked for by name."""

    families: dict[str, Callable[..., Any]]
    searches: dict[str, Callable[..., Any]]

    @classmethod
    def by(cls, *prototypes: Any) -> _Added:
        """Those of some candidates."""
        families = [getattr(prototype, "family", None) for prototype in prototypes]
        searches = [prototype.search for prototype in prototypes]
        return cls(
            KNOWN_FAMILIES.added(name for name in families if isinstance(name, str)),
            KNOWN_SEARCHES.added(
                part for name in searches if isinstance(name, str) for part in name.split("+")
            ),
        )

    def tell(self) -> None:
        """Register them here."""
        for name, family in self.families.items():
            KNOWN_FAMILIES.add(name, family)
        for name, search in self.searches.items():
            KNOWN_SEARCHES.add(name, search)


def _can_be_sent(prototype: Any) -> bool:
    if getattr(prototype, "observers", None):
        return False
    try:
        # What belongs to the script that was started is known by that name there only.
        return b"__main__" not in pickle.dumps((prototype, _Added.by(prototype)))
    except (pickle.PicklingError, TypeError, AttributeError):
        return False


class _InThisProcess:
    """Each task is done when it is submitted."""

    def __init__(self, rows: Rows):
        self.slots, self._rows = 1, rows

    def submit(self, task: Task) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(task(self._rows))
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Processes:
    """A thread for each worker, which sends it a task and waits for the answer."""

    def __init__(self, rows: Rows, slots: int, added: _Added):
        self.slots = slots
        self._told = pickle.dumps(added, protocol=pickle.HIGHEST_PROTOCOL)
        self._rows = pickle.dumps(replace(rows, threads=1), protocol=pickle.HIGHEST_PROTOCOL)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="emplus-select")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen[bytes]] = []
        self._ended = False

    def submit(self, task: Task) -> Future[Any]:
        return self._threads.submit(self._ask, task)

    def _ask(self, task: Task) -> Any:
        child = self._child()
        # Popen was given pipes for both.
        to, answers = child.stdin, child.stdout
        assert to is not None
        assert answers is not None
        try:
            packed = pickle.dumps(task, protocol=pickle.HIGHEST_PROTOCOL)
            pickle.dump(packed, to, protocol=pickle.HIGHEST_PROTOCOL)
            to.flush()
            failure, answer = pickle.load(answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            # The next task of this thread gets another.
            self._own.child = None
            raise FitError(
                f"A worker process ended before its task was done (code {child.wait()}); it may "
                "have run out of memory. Use fewer processes, n_jobs=1 for none."
            ) from None
        if failure:
            raise ArgumentError(f"In a worker process: {failure}. Use n_jobs=1 for none.")
        return answer

    def _child(self) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] | None = getattr(self._own, "child", None)
        if child is not None:
            return child
        places = os.pathsep.join(place or os.getcwd() for place in sys.path)
        with self._lock:
            if self._ended:
                raise FitError("The workers have ended.")
            child = subprocess.Popen(
                [sys.executable, "-c", "from emplus.selection.worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **_ONE_THREAD, "PYTHONPATH": places},
                # Control-C is for the process that has the table.
                start_new_session=True,
            )
            self._children.append(child)
        self._own.child = child
        assert child.stdin is not None
        # Where it has ended already, the first question finds out.
        with suppress(OSError):
            child.stdin.write(self._told)
            child.stdin.write(self._rows)
            child.stdin.flush()
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._ended = True
            for child in self._children:
                child.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for child in self._children:
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    _close(pipe)


def _close(pipe: Any) -> None:
    # What was not yet written has nobody left to read it.
    with suppress(OSError):
        pipe.close()
