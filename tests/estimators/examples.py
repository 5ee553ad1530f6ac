"""Tables that the tests of estimators share: one for each estimator, with its true components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    FactorAnalyzerMixture,
    GaussianMixture,
    MixedMixture,
)

Array = NDArray[np.floating]
Labels = NDArray[np.intp]

K = 3


@dataclass(frozen=True)
class Example:
    """An estimator, and tables of three components for it.

    ``draw`` gives a row for each label; ``apart`` says how far the components are: 1 where hardly a
    row is in doubt, 0 where they are the same.
    """

    id: str
    estimator: Callable[..., Any]
    draw: Callable[[Labels, float, np.random.Generator], Any]
    counted: bool = False

    def table(self, n: int = 240, apart: float = 1.0, seed: int = 0) -> tuple[Any, Labels]:
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(n) % K)
        return self.draw(labels, apart, rng), labels

    def __call__(self, n_components: int = K, **arguments: Any) -> Any:
        # On counts the default search tries many starts, which takes twenty times as long as one;
        # whoever asks about searches names them.
        search = {"search": "em"} if self.counted else {}
        return self.estimator(n_components, **{"random_state": 0, **search, **arguments})


def numbers(labels: Labels, apart: float, rng: np.random.Generator) -> Array:
    centres = 8.0 * apart * np.array([[0.0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]])
    return np.asarray(centres[labels] + rng.standard_normal((len(labels), 4)))


def ones(labels: Labels, apart: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Twelve columns, a third of which are mostly 1 for each component."""
    likely = np.repeat(np.eye(K), 4, axis=1)[labels]
    return np.asarray(rng.random(likely.shape) < 0.5 + 0.45 * apart * (2.0 * likely - 1.0))


def words(labels: Labels, apart: float, rng: np.random.Generator) -> NDArray[Any]:
    """Eight columns of three words, of which each component prefers another."""
    codes = rng.integers(0, K, (len(labels), 8))
    prefers = rng.random(codes.shape) < 0.9 * apart
    own = (labels[:, None] + np.arange(8)) % K
    return np.array(["agree", "disagree", "unsure"])[np.where(prefers, own, codes)]


def frame(labels: Labels, apart: float, rng: np.random.Generator) -> pd.DataFrame:
    """Columns of every kind."""
    real, said = numbers(labels, apart, rng), words(labels, apart, rng)
    table = pd.DataFrame(real[:, :2], columns=["height", "mass"])
    table["smokes"] = ones(labels, apart, rng)[:, 0]
    for place in range(3):
        table[f"answer {place}"] = said[:, place]
    return table


EXAMPLES = [
    Example("gaussian", GaussianMixture, numbers),
    Example("factor-analyzer", FactorAnalyzerMixture, numbers),
    Example("bernoulli", BernoulliMixture, ones, counted=True),
    Example("categorical", CategoricalMixture, words, counted=True),
    Example("mixed", MixedMixture, frame),
]

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)


def with_holes(table: Any, share: float, seed: int = 1) -> Any:
    """The table with some of its entries deleted at random, NaN or None in their place.

    Unless all entries go, something is left of every row.
    """
    rng = np.random.default_rng(seed)
    n, d = np.shape(table)
    deleted = rng.random((n, d)) < share
    if share < 1.0:
        deleted[np.arange(n), rng.integers(0, d, n)] = False
    if isinstance(table, pd.DataFrame):
        return table.astype(object).mask(deleted, None)
    if table.dtype.kind == "U":
        return np.where(deleted, None, table.astype(object))
    return np.where(deleted, np.nan, table.astype(np.float64))


def take(table: Any, rows: Any) -> Any:
    """Some rows of a table."""
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
