"""What tests of searches share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.search.base import Budget, Draw
from emplus.search.fit import Fit
from emplus.search.registry import make_search
from emplus.starts.registry import make_start
from tests.cases import FAMILY_CASES, GAUSSIAN_CASES, SEARCH_NAMES, Array, FamilyCase

# Those that go on from another search's result, within a budget.
WALKS = tuple(name for name in SEARCH_NAMES if name not in ("em", "restarts"))

# Fits that several tests look at are kept by the names of what they are fits of.
CASES = {case.id: case for case in FAMILY_CASES}


def searches_of_families(
    rows: list[tuple[Any, ...]], *others: str, search_name: str = "search_name"
) -> pytest.MarkDecorator:
    """A test over rows of a family, a search, and values of other arguments."""
    return pytest.mark.parametrize(
        ("case", search_name, *others), rows, ids=lambda value: getattr(value, "id", None)
    )


def drawing(problem: Problem, k: int = 3, start: str = "random_from_data") -> Draw:
    return lambda rng: make_start(start)(problem, k, rng)


def search(
    name: str,
    problem: Problem,
    draw: Draw,
    n_init: int = 3,
    seed: int = 0,
    budget: Budget | None = None,
    **engine: Any,
) -> Fit:
    found = make_search(name, n_init, budget)
    return found(Engine(**engine), problem, draw, np.random.default_rng(seed))


def assert_same_mixture(one: Mixture, other: Mixture) -> None:
    """To the bit."""
    assert_array_equal(one.log_weights, other.log_weights)
    arrays = one.family.pack(one.parameters)
    for name, array in other.family.pack(other.parameters).items():
        assert_array_equal(arrays[name], array)


def quickly(case: FamilyCase) -> dict[str, Stopping]:
    """Coarse climbs, where those to the end take many steps."""
    return {} if case in GAUSSIAN_CASES else {"stopping": Stopping(1e-4, 200)}


def clusters(k: int = 6, each: int = 60, seed: int = 0) -> tuple[Array, Any]:
    """Round clusters on a grid, far apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), each)
    grid = np.array([(8.0 * (j % 3), 8.0 * (j // 3)) for j in range(k)])
    return grid[labels] + rng.standard_normal((len(labels), 2)), labels


def clusters_for(case: FamilyCase, k: int = 6) -> tuple[Array, Any]:
    """Clusters whose rows tell a component's parameters well enough for EM to settle soon."""
    if not case.real.all():
        return _counted_clusters(case, k)
    X, labels = clusters(k)
    if case.exact:
        return X, labels
    # Longer one way than the other, seen through more columns, each with noise of its own: what
    # factors and noise are in two columns would be left to the prior.
    d = case.mixture.n_features
    rng = np.random.default_rng(1)
    grid = np.round(X / 8.0) * 8.0
    turned = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    rows = (1.5 * grid + (X - grid) * [1.2, 0.8]) @ turned
    return rows + 0.7 * rng.standard_normal(rows.shape), labels


def _counted_clusters(case: FamilyCase, k: int, each: int = 60) -> tuple[Array, Any]:
    """Clusters told apart by what they mostly hold in every column; real columns on a grid."""
    X, labels = clusters(k, each)
    rng = np.random.default_rng(2)
    bits = (labels[:, None] >> np.arange(3)) & 1
    # Words of six bits, three of which differ at least.
    words = np.column_stack([bits, bits[:, [0, 0, 1]] ^ bits[:, [1, 2, 2]]])
    if not case.family.levels:
        words = np.tile(words, 2)
        return np.where(rng.random(words.shape) < 0.05, 1.0 - words, words), labels
    levels = np.array(case.family.levels)
    binary = ~case.real & (levels == 0)
    own = np.where(levels > 0, labels[:, None] % np.maximum(levels, 1), 0)
    own[:, binary] = words[:, : binary.sum()]
    others = rng.integers(0, np.where(binary, 2, np.maximum(levels, 1)), size=own.shape)
    rows = np.where(rng.random(own.shape) < 0.1, others, own).astype(np.float64)
    real = np.flatnonzero(case.real)
    rows[:, real] = rng.standard_normal((len(rows), len(real)))
    rows[:, real[:2]] = X[:, : len(real[:2])]
    return rows, labels


def trapped(case: FamilyCase, k: int = 6) -> tuple[Problem, Mixture, Mixture]:
    """A problem, a start with one component over two clusters and two over one, and a good one."""
    X, labels = clusters_for(case, k)
    problem = case.problem(X)
    good = np.eye(k)[labels]
    bad = good.copy()
    bad[labels == k - 1, k - 1] = 0.0
    bad[labels == k - 1, k - 2] = 1.0
    first = np.flatnonzero(labels == 0)
    bad[first[::2]] = np.eye(k)[k - 1]
    return problem, problem.estimate(X, bad), problem.estimate(X, good)


class FailingSource:
    """A source that raises at one of its passes, and counts them."""

    def __init__(self, source: ArraySource, at: float, error: Callable[[], BaseException]):
        self._source, self._at, self._error = source, at, error
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def reduce(self, function: Any, width: int) -> Any:
        self.count += 1
        if self.count - 1 == self._at:
            raise self._error()
        return self._source.reduce(function, width)
