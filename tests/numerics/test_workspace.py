from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from emplus.numerics.workspace import scratch, scratch_of


def shares(one: Any, other: Any) -> bool:
    return bool(np.shares_memory(one, other))


def test_the_same_name_is_the_same_memory_of_any_shape_that_fits() -> None:
    first = scratch("ours", (4, 5), np.float64)
    assert shares(first, scratch("ours", (5, 2), np.float32))
    assert first.flags.c_contiguous
    assert not shares(first, scratch("other", (4, 5), np.float64))
    assert not shares(first, scratch("ours", (400, 5), np.float64))
    assert scratch("ours", (0, 3), np.float64).shape == (0, 3)


def test_owners_share_nothing_and_keep_theirs() -> None:
    outer = scratch("rows", (3,), np.float64)
    with scratch_of("0"):
        zero = scratch("rows", (3,), np.float64)
        with scratch_of("1"):
            inner = scratch("rows", (3,), np.float64)
        assert shares(zero, scratch("rows", (3,), np.float64))
    with scratch_of("1"):
        one = scratch("rows", (3,), np.float64)
    arrays = [outer, zero, inner, one]
    for i, mine in enumerate(arrays):
        assert not any(shares(mine, other) for other in arrays[:i])
    assert shares(outer, scratch("rows", (3,), np.float64))
    with scratch_of("0"), scratch_of("1"):
        assert shares(inner, scratch("rows", (3,), np.float64))


def test_an_error_inside_gives_the_names_back() -> None:
    outer = scratch("rows", (3,), np.float64)
    with pytest.raises(KeyError), scratch_of("broken"):
        raise KeyError
    assert shares(outer, scratch("rows", (3,), np.float64))


def test_threads_have_their_own() -> None:
    found = []

    def work() -> None:
        with scratch_of("0"):
            found.append(scratch("rows", (3,), np.float64))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with scratch_of("0"):
        found.append(scratch("rows", (3,), np.float64))
    assert not shares(found[0], found[2])
    assert not shares(found[1], found[2])
