"""How many threads, and BLAS held to one of them.

emplus runs its own threads over blocks of rows. A BLAS that spawned more inside each of them would
only fight for the same cores, and its sums would depend on how many cores there are; so BLAS is
held to one thread wherever bits matter.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import threadpoolctl
from threadpoolctl import ThreadpoolController

from emplus.errors import ArgumentError

__all__ = ["effective_n_jobs", "single_threaded"]

_lock = threading.Lock()
_users = 0
_limiter: Any = None


@lru_cache(maxsize=4)
def _controller(n_libraries: int) -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, so it is done once per set of them.
    return ThreadpoolController()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread; may be nested and entered from several threads.

    threadpoolctl's own limit is global and restores what it found on entry, so two overlapping
    uses could leave the limit behind. Here the first one in sets it and the last one out lifts it.

    Examples
    --------
    >>> with single_threaded():
    ...     pass
    """
    global _users, _limiter
    with _lock:
        if _users == 0:
            _take_control()
            _limiter = _controller(_loaded_libraries()).limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _take_control()
                _limiter.restore_original_limits()
                _limiter = None
                _take_control()


def _take_control() -> None:
    # From 3.8 on, threadpoolctl lets the first thread that sets OpenBLAS's limit keep it, and
    # quietly ignores all others: a fit in a second thread would not be held to one.
    release = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)


def _loaded_libraries() -> int:
    # scipy and scikit-learn bring BLAS and OpenMP libraries of their own when first imported.
    import sys

    return sum(name in sys.modules for name in ("scipy.linalg", "sklearn.cluster", "torch"))


def effective_n_jobs(n_jobs: int | None) -> int:
    """Number of threads meant by ``n_jobs``: None or -1 is every core this process may use.

    Raises
    ------
    ArgumentError
        If ``n_jobs`` is zero, or no whole number.

    Examples
    --------
    >>> effective_n_jobs(3)
    3
    """
    if n_jobs is None:
        return _available_cores()
    if isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__") or int(n_jobs) == 0:
        raise ArgumentError(
            f"n_jobs={n_jobs!r} is not a number of threads; use None for all cores, or 1, 2, ..."
        )
    if n_jobs < 0:
        # scikit-learn's reading: -1 is all of them, -2 all but one.
        return max(1, _available_cores() + 1 + int(n_jobs))
    return int(n_jobs)


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
