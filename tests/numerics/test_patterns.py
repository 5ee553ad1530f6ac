from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from emplus.numerics.patterns import Patterns, pattern_order


def drawn(n: int, d: int, share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, d)) >= share


@settings(max_examples=80)
@given(
    n=st.integers(1, 60),
    # Eight columns fill a byte, and 64 of them a number.
    d=st.sampled_from([1, 2, 7, 8, 9, 63, 64, 65, 130]),
    share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    sort=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_row_is_in_the_run_of_its_pattern(
    n: int, d: int, share: float, sort: bool, seed: int
) -> None:
    observed = drawn(n, d, share, seed)
    if sort:
        observed = observed[pattern_order(~observed)]
    found = Patterns.of(observed)
    assert len(found.observed) == len(found.runs) == len(np.unique(observed, axis=0))
    assert_array_equal(np.unique(found.observed, axis=0), np.unique(observed, axis=0))
    order = np.arange(n) if found.order is None else found.order
    assert_array_equal(np.sort(order), np.arange(n))
    ends = [0, *(run.stop for run in found.runs)]
    assert [run.start for run in found.runs] == ends[:-1]
    assert ends[-1] == n
    for pattern, run in zip(found.observed, found.runs, strict=True):
        assert run.stop > run.start
        assert (observed[order[run]] == pattern).all()
        # Rows of one pattern stay in their order.
        assert (np.diff(order[run]) > 0).all()
    if sort:
        assert found.order is None


def test_patterns_come_in_the_order_of_their_first_rows() -> None:
    observed = np.array([[0, 1], [1, 1], [0, 1], [1, 0], [1, 1]], dtype=bool)
    found = Patterns.of(observed)
    assert_array_equal(found.observed, observed[[0, 1, 3]])
    assert found.order is not None
    assert found.order.tolist() == [0, 2, 1, 4, 3]


@pytest.mark.parametrize("d", [3, 64, 65, 200])
def test_an_order_puts_equal_rows_together(d: int) -> None:
    rng = np.random.default_rng(0)
    few = drawn(5, d, 0.5, 1)
    missing = few[rng.integers(5, size=200)]
    order = pattern_order(missing)
    assert_array_equal(np.sort(order), np.arange(200))
    changes = (missing[order][1:] != missing[order][:-1]).any(axis=1).sum()
    assert changes == len(np.unique(missing, axis=0)) - 1
