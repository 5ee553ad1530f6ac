"""Where the rows of a component may be cut in two, with few columns and with many."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from emplus.search.cuts import cuts
from tests.cases import Array

# Few columns, more than are looked at in full, more than rows; the last by iteration.
SHAPES = [(400, 3), (400, 40), (400, 100), (150, 600), (400, 700)]


def heaps(b: int, d: int, scale: float) -> tuple[Array, Array]:
    """Two heaps along a direction that is not the longest, and which row is in which."""
    rng = np.random.default_rng(0)
    side = (np.arange(b) % 2).astype(float)
    rows = rng.standard_normal((b, d)) * np.r_[9.0, 2.0, np.full(d - 2, 0.5)]
    rows[:, 1] += 12.0 * side
    # Two reflections turn the axes at little cost.
    for mirror in rng.standard_normal((2, d)):
        rows -= np.outer(rows @ mirror, 2.0 / (mirror @ mirror) * mirror)
    return rows * scale, side


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shape", SHAPES)
def test_two_heaps_are_cut_apart(shape: tuple[int, int], scale: float) -> None:
    X, side = heaps(*shape, scale)
    found = cuts(X, np.random.default_rng(1).uniform(0.5, 2.0, len(X)))
    assert 1 <= len(found) <= 3
    agreement = [abs(np.mean(cut == side) - 0.5) for cut in found]
    assert max(agreement) > 0.49
    for one in found:
        assert set(np.unique(one)) == {0.0, 1.0}
    assert len(cuts(X, np.ones(len(X)), most=1)) == 1


@pytest.mark.parametrize("d", [2, 100, 600])
def test_rows_that_cannot_be_cut(d: int) -> None:
    assert cuts(np.zeros((1, d)), np.ones(1)) == []
    assert cuts(np.full((9, d), 3.25), np.ones(9)) == []
    line = np.zeros((9, d))
    line[:, 0] = np.arange(9)
    found = cuts(line, np.ones(9))
    assert found
    for cut in found:
        assert 0 < cut.sum() < 9


@pytest.mark.parametrize("d", [3, 100])
def test_rows_without_mass_are_put_on_a_side_but_do_not_decide_it(d: int) -> None:
    X, side = heaps(400, d, 1.0)
    mass = np.ones(400)
    X[::5] *= 100.0
    mass[::5] = 0.0
    agreement = [abs(np.mean((cut == side)[mass > 0]) - 0.5) for cut in cuts(X, mass)]
    assert max(agreement) > 0.49


def test_ten_thousand_columns_need_no_matrix_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    side = (np.arange(300) % 2).astype(float)
    X = rng.standard_normal((300, 10_000))
    X[:, :400] += side[:, None]
    mass = np.ones(300)
    tracemalloc.start()
    try:
        found = cuts(X, mass)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(abs(np.mean(cut == side) - 0.5) for cut in found) > 0.49
    assert peak < 4 * X.nbytes
