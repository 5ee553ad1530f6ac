"""Sums over cells, and k-means that moves centres by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.starts.centres import cell_sums, lloyd, move_to_means, nearest
from tests.cases import Array


@pytest.mark.parametrize("laid", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (50, 1, 4), (200, 3, 7), (30, 500, 2)])
def test_sums_over_cells(n: int, d: int, k: int, laid: Any) -> None:
    rng = np.random.default_rng(0)
    points = laid(rng.standard_normal((n, d)))
    labels, weight = rng.integers(0, k, n), rng.integers(0, 3, n).astype(float)
    found = cell_sums(points, weight, labels, k + 1)
    assert found.shape == (k + 1, d)
    for j in range(k + 1):
        assert_allclose(found[j], weight[labels == j] @ points[labels == j], atol=1e-12)


def test_centres_go_to_the_means_of_their_points() -> None:
    points = np.array([[0.0, 0.0], [2.0, 4.0], [9.0, 9.0], [5.0, 5.0]])
    centres = np.array([[1.0, 1.0], [7.0, 7.0], [3.0, 3.0], [4.0, 4.0]])
    move_to_means(centres, points, np.array([3.0, 1.0, 2.0, 0.0]), np.array([0, 0, 1, 3]))
    # The third has no points, and those of the last weigh nothing.
    assert_array_equal(centres, [[0.5, 1.0], [9.0, 9.0], [3.0, 3.0], [4.0, 4.0]])


def test_lloyd_takes_k_means_steps() -> None:
    rng = np.random.default_rng(0)
    points, weight = rng.standard_normal((300, 5)), rng.uniform(0.0, 2.0, 300)
    begun = points[:6].copy()
    kept = begun.copy()
    centres: Array = begun.copy()
    assert_array_equal(lloyd(points, weight, begun, 0), nearest(points, centres))
    for steps in (1, 2, 3):
        labels = nearest(points, centres)
        centres = np.stack(
            [np.average(points[labels == j], axis=0, weights=weight[labels == j]) for j in range(6)]
        )
        assert_array_equal(lloyd(points, weight, begun, steps), nearest(points, centres))
    assert_array_equal(begun, kept)
