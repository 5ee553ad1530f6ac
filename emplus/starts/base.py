"""The contract of a start, and the coordinates that starts measure distances in."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array
from emplus.engine.problem import Problem
from emplus.families.base import Family
from emplus.mixture import Mixture

__all__ = [
    "MOST_ROWS",
    "Start",
    "chosen_numbers",
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


def chosen_rows(problem: Problem, n_components: int, rng: np.random.Generator) -> tuple[Any, Array]:
    """The rows a start works on and their weights: all of them, or a random part of many."""
    X, weight = problem.source.take(chosen_numbers(problem, n_components, rng))
    return X, np.ones(X.shape[0]) if weight is None else weight


def chosen_numbers(
    problem: Problem, n_components: int, rng: np.random.Generator
) -> NDArray[np.integer] | slice:
    """Which rows of the source a start works on."""
    n, most = problem.source.n_rows, max(MOST_ROWS, 100 * n_components)
    return slice(None) if n <= most else np.sort(rng.choice(n, size=most, replace=False))


def standardized(problem: Problem, X: Any) -> Array:
    """The family's features, in which distances do not depend on the units of a column."""
    return problem.family.features(X, problem.moments)


def spanning_rows(family: Family, n_features: int) -> int:
    """Rows on which one component is determined: one for each column and one for the mean.

    Fewer, two for each parameter a column, where the family's components have few parameters.
    """
    parameters = family.n_free_parameters(1, n_features)
    return max(1, min(n_features + 1, math.ceil(2 * parameters / n_features)))


def hard_responsibilities(labels: NDArray[np.integer], weight: Array, n_components: int) -> Array:
    """Weighted responsibilities (n, k) of rows that each belong to one component."""
    resp = np.zeros((len(labels), n_components))
    resp[np.arange(len(labels)), labels] = weight
    return resp
