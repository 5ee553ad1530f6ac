"""Epochs of rows in an order, until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.artmap.categories import Categories
from emplus.artmap.presentation import Answer, present
from emplus.numerics.threads import single_threaded

__all__ = ["Epoch", "Manner", "learn_rows", "taught", "train"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

# Rows whose squares are made ready at a time; whether they would lose digits is asked as often.
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Manner:
    """How rows are voted on: the resting vigilance, 0 to 1, and which form of the algorithm."""

    vigilance: float = 0.0
    winner_take_all: bool = False

    @property
    def log_vigilance(self) -> float:
        """Its logarithm, -inf where every category is active."""
        return float(np.log(self.vigilance)) if self.vigilance > 0.0 else -np.inf


@dataclass(frozen=True)
class Epoch:
    """What happened in one: of how many rows, how many were not answered right at first."""

    n_rows: int
    n_corrected: int
    n_new: int

    @property
    def changed(self) -> bool:
        """Whether a row was misclassified or a category was made."""
        return self.n_corrected + self.n_new > 0


def learn_rows(
    categories: Categories, rows: Array, labels: Indices, order: Indices, manner: Manner
) -> Epoch:
    """Present the rows (n, d) in that order, once each; O(k d) a row."""
    n_right, n_new = 0, 0
    log_vigilance, alone = manner.log_vigilance, manner.winner_take_all
    for first in range(0, len(order), _ROWS_AT_ONCE):
        some = order[first : first + _ROWS_AT_ONCE]
        block, known = rows[some], labels[some].tolist()
        terms: Iterable[Array | None]
        if categories.loses_digits(float(np.abs(block).max())):
            terms = [None] * len(some)
        else:
            terms = categories.terms(block)
        for row, row_terms, label in zip(block, terms, known, strict=True):
            answer = present(categories, row, row_terms, label, log_vigilance, alone)
            n_right += answer is Answer.RIGHT
            n_new += answer is Answer.NEW
    return Epoch(len(order), len(order) - n_right - n_new, n_new)


def train(
    categories: Categories,
    rows: Array,
    labels: Indices,
    manner: Manner,
    max_epochs: int,
    rng: np.random.Generator | None,
    watch: Callable[[int, Epoch], None] | None = None,
) -> tuple[int, bool]:
    """Epochs until one changes nothing; each in an order of its own, or as given without ``rng``.

    Returns
    -------
    n_epochs : int
    settled : bool
        Whether the last one changed nothing.
    """
    order = np.arange(len(rows))
    for number in range(1, max_epochs + 1):
        if rng is not None:
            order = rng.permutation(len(rows))
        epoch = learn_rows(categories, rows, labels, order, manner)
        if watch is not None:
            watch(number, epoch)
        if not epoch.changed:
            return number, True
    return max_epochs, False


def taught(
    categories: Categories,
    number: int,
    seed: list[int],
    rows: Array,
    codes: Indices,
    manner: Manner,
    max_epochs: int,
    shuffle: bool,
    verbose: bool,
) -> tuple[Categories, int, bool]:
    """A voter after its epochs, how many they were, and whether the last one changed nothing."""

    def tell(epoch_number: int, epoch: Epoch) -> None:
        print(
            f"voter {number}, epoch {epoch_number}: {epoch.n_corrected + epoch.n_new} of "
            f"{epoch.n_rows} rows misclassified, {categories.size} categories"
        )

    rng = np.random.default_rng(seed) if shuffle else None
    watch = tell if verbose else None
    with single_threaded():
        return categories, *train(categories, rows, codes, manner, max_epochs, rng, watch)
