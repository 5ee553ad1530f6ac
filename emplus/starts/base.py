"""The contract of a start, and the coordinates that starts measure distances in."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array
from emplus.engine.problem import Problem
from emplus.families.base import Family
from emplus.mixture import Mixture

__all__ = [
    "MOST_ROWS",
    "Start",
    "chosen_rows",
    "hard_responsibilities",
    "spanning_rows",
    "standardized",
]

# A start looks at no more rows than this, drawn at random: enough to seed hundreds of components,
# and a small part of the cost of one pass of EM at that size.
MOST_ROWS = 100_000


class Start(Protocol):
    """A way to a first mixture."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """A mixture of ``n_components`` to climb from."""


def chosen_rows(
    problem: Problem, n_components: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The rows a start works on and their weights: all of them, or a random part of many."""
    source = problem.source
    most = max(MOST_ROWS, 100 * n_components)
    rows: NDArray[np.integer] | slice = slice(None)
    if source.n_rows > most:
        rows = np.sort(rng.choice(source.n_rows, size=most, replace=False))
    X, weight = source.take(rows)
    return X, np.ones(len(X)) if weight is None else weight


def standardized(problem: Problem, X: Array) -> Array:
    """The family's features about their means, in units of their standard deviations.

    Distances then do not depend on the units of a column.
    """
    features = problem.family.features(X)
    moments = problem.moments
    if features.shape[1] != len(moments.mean):
        return features
    scale = np.sqrt(moments.variance)
    scale[scale == 0] = 1.0
    points: Array = np.subtract(features, moments.mean, dtype=np.float64)
    points /= scale
    return points


def spanning_rows(family: Family, n_features: int) -> int:
    """Rows on which one component is determined: one for each column and one for the mean.

    Fewer, two for each parameter a column, where the family's components have few parameters.
    """
    parameters = family.n_free_parameters(1, n_features)
    return min(n_features + 1, math.ceil(2 * parameters / n_features))


def hard_responsibilities(labels: NDArray[np.integer], weight: Array, n_components: int) -> Array:
    """Weighted responsibilities (n, k) of rows that each belong to one component."""
    resp = np.zeros((len(labels), n_components))
    resp[np.arange(len(labels)), labels] = weight
    return resp
