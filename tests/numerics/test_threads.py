from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from emplus.errors import ArgumentError
from emplus.numerics.threads import effective_n_jobs, single_threaded
from emplus.numerics.workspace import scratch


def blas_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


def test_blas_has_one_thread_inside_and_what_it_had_outside() -> None:
    with threadpool_limits(2):
        before = blas_threads()
        with single_threaded():
            assert blas_threads() == {1}
            with single_threaded():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_overlapping_uses_leave_no_limit_behind() -> None:
    with threadpool_limits(2):
        before = blas_threads()
        entered, leave = threading.Event(), threading.Event()

        def outlasting() -> None:
            with single_threaded():
                entered.set()
                leave.wait(5)

        first = single_threaded()
        first.__enter__()
        other = threading.Thread(target=outlasting)
        other.start()
        entered.wait(5)
        first.__exit__(None, None, None)
        # The other user is still inside.
        assert blas_threads() == {1}
        leave.set()
        other.join(5)
        assert blas_threads() == before


def test_a_second_thread_is_held_as_well() -> None:
    seen: list[set[int]] = []

    def use() -> None:
        with single_threaded():
            seen.append(blas_threads())

    with threadpool_limits(2):
        use()
        other = threading.Thread(target=use)
        other.start()
        other.join()
        use()
    assert seen == [{1}, {1}, {1}]


def test_an_error_inside_lifts_the_limit() -> None:
    with threadpool_limits(2):
        before = blas_threads()
        with pytest.raises(KeyError), single_threaded():
            raise KeyError
        assert blas_threads() == before


def test_number_of_threads() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert effective_n_jobs(None) == effective_n_jobs(-1) == cores
    assert effective_n_jobs(-1000) == 1
    assert effective_n_jobs(np.int64(3)) == 3  # type: ignore[arg-type]  # not an int


@pytest.mark.parametrize("n_jobs", [0, 1.5, "two", True])
def test_refuses_what_is_no_number_of_threads(n_jobs: object) -> None:
    with pytest.raises(ArgumentError, match="n_jobs"):
        effective_n_jobs(n_jobs)  # type: ignore[arg-type]  # refused for that very reason


def test_scratch_is_kept_by_name_and_thread() -> None:
    mine = scratch("test", (4, 5), np.float64)
    assert scratch("test", (2, 2), np.float32).base is mine.base
    assert not np.shares_memory(scratch("other", (4, 5), np.float64), mine)
    theirs: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: theirs.append(scratch("test", (4, 5), np.float64)))
    thread.start()
    thread.join()
    assert not np.shares_memory(theirs[0], mine)
