"""Rows of real numbers that break what is careless: a table of them, and a strategy for more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.floating]


def _awkward() -> dict[str, Array]:
    rng = np.random.default_rng(42)
    normal = rng.standard_normal((30, 3))
    spiked, far, mixed = normal.copy(), normal.copy(), normal.copy()
    spiked[0] = 1e9
    far += [1e8, -1e8, 0.0]
    mixed *= [1e-9, 1.0, 1e9]
    constant = normal.copy()
    constant[:, 1] = 7.0
    return {
        "duplicated rows": normal[rng.integers(4, size=30)],
        "two points": np.repeat([[0.0, 0.0], [1.0, 5.0]], 8, axis=0),
        "one outlier": spiked,
        "far from zero": far,
        "columns of every size": mixed,
        "tiny": 1e-100 * normal,
        "huge": 1e100 * normal,
        "whole numbers": np.round(2.0 * normal),
        "constant column": constant,
        "constant zero column": constant - [0.0, 7.0, 0.0],
        "collinear columns": np.column_stack([normal, normal @ [1.0, -2.0, 0.5] + 3.0]),
        "twice the same column": normal[:, [0, 0]],
        "all rows equal": np.full((9, 2), 3.25),
        "all zero": np.zeros((9, 2)),
        "as many rows as components": normal[:4],
        "more columns than rows": rng.standard_normal((6, 9)),
        "heavy tails": rng.standard_t(1, size=(40, 2)),
        "nearly equal": 1.0 + 1e-12 * normal,
        "on a line, far": np.outer(rng.standard_normal(30), [1.0, 1.0]) + 1e6,
    }


AWKWARD = _awkward()
every_awkward = pytest.mark.parametrize("X", AWKWARD.values(), ids=list(AWKWARD))


@st.composite
def awkward_rows(draw: st.DrawFn) -> Array:
    """Small data sets with several oddities at a time."""
    n, d = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, d))
    X[rng.integers(n, size=n // 3)] += rng.uniform(-8, 8, size=d)
    if draw(st.booleans()):
        X = X[rng.integers(max(1, n // 3), size=n)]
    if draw(st.booleans()):
        X[: draw(st.integers(1, 3))] *= 10.0 ** draw(st.integers(0, 9))
    if draw(st.booleans()):
        X = np.round(X)
    if draw(st.booleans()):
        X[:, -1] = X[:, 0] * draw(st.sampled_from([0.0, 1.0, -2.0])) + 3.0
    X *= 10.0 ** np.array(draw(st.lists(st.integers(-30, 30), min_size=d, max_size=d)))
    if draw(st.booleans()):
        X += 10.0 ** draw(st.integers(-3, 9)) * np.abs(X).max(axis=0)
    return X
