"""The shrinking spiral."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.datasets import make_spiral, spiral
from emplus.errors import ArgumentError


def test_rows_lie_about_the_curve() -> None:
    drawn = make_spiral(4_000, noise=0.3, seed=0)
    noise = drawn.X - spiral(drawn.t)
    assert drawn.t.min() >= 0.0
    assert drawn.t.max() <= 4.0 * np.pi
    assert_allclose(np.histogram(drawn.t, 4, (0.0, 4.0 * np.pi))[0] / 4_000, 0.25, atol=0.03)
    assert_allclose(np.cov(noise.T), 0.09 * np.eye(3), atol=0.01)


def test_it_shrinks_and_turns_clockwise() -> None:
    X = spiral(np.linspace(0.0, 4.0 * np.pi, 9))
    assert (np.diff(np.hypot(X[:, 0], X[:, 1])) < 0).all()
    assert_allclose(X[1, :2], [0.0, -(13.0 - 0.25 * np.pi)], atol=1e-12)


def test_the_same_seed_gives_the_same_rows() -> None:
    assert_array_equal(make_spiral(10, seed=3).X, make_spiral(10, seed=3).X)
    assert not np.array_equal(make_spiral(10, seed=3).X, make_spiral(10, seed=4).X)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"n_samples": 0}, "n_samples must be"),
        ({"noise": 0.0}, "noise must be"),
        ({"noise": "some"}, "noise must be"),
        ({"seed": "lucky"}, "seed must be"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ArgumentError, match=fragment):
        make_spiral(**arguments)
