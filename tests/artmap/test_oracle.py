"""Both forms of the algorithm against a loop over rows, categories and columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from emplus.artmap.categories import Categories
from emplus.artmap.training import Manner, learn_rows, train

Array = NDArray[np.floating]


@dataclass
class Category:
    mean: list[float]
    variance: list[float]
    count: float
    label: int

    def log_match(self, row: list[float], floor: float) -> float:
        q = 0.0
        for x, mean, variance in zip(row, self.mean, self.variance, strict=True):
            q += (x - mean) ** 2 / max(variance, floor)
        return -0.5 * q

    def log_activation(self, row: list[float], floor: float) -> float:
        height = math.log(self.count)
        for variance in self.variance:
            height -= math.log(math.sqrt(max(variance, floor)))
        return height + self.log_match(row, floor)

    def learn(self, row: list[float], share: float) -> None:
        self.count += share
        rate = share / self.count
        for i, x in enumerate(row):
            before = self.mean[i]
            self.mean[i] = (1.0 - rate) * before + rate * x
            kept = (1.0 - rate) * self.variance[i]
            self.variance[i] = kept + rate * (x - before) * (x - self.mean[i])


def ensemble_of(known: list[Category], active: list[int], logs: list[float]) -> dict[int, float]:
    """The winning class's active categories and their shares."""
    top = max(logs[j] for j in active)
    sums: dict[int, float] = {}
    for j in active:
        sums[known[j].label] = sums.get(known[j].label, 0.0) + math.exp(logs[j] - top)
    winner = max(sorted(sums), key=lambda label: sums[label])
    members = [j for j in active if known[j].label == winner]
    return {j: math.exp(logs[j] - top) / sums[winner] for j in members}


def present_slowly(
    known: list[Category], row: list[float], label: int, manner: Manner, floor: float
) -> None:
    log_rho, reset = manner.log_vigilance, set[int]()
    matches = [category.log_match(row, floor) for category in known]
    logs = [category.log_activation(row, floor) for category in known]
    while True:
        active = [j for j in range(len(known)) if j not in reset and matches[j] > log_rho]
        if not active:
            known.append(Category(list(row), [1.0] * len(row), 1.0, label))
            return
        if manner.winner_take_all:
            shares = {max(active, key=lambda j: logs[j]): 1.0}
        else:
            shares = ensemble_of(known, active, logs)
        if known[next(iter(shares))].label == label:
            for j, share in shares.items():
                known[j].learn(row, share)
            return
        log_rho = sum(share * matches[j] for j, share in shares.items())
        reset |= set(shares)


def overlapping(seed: int, n: int = 70) -> tuple[Array, NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    return rng.normal(size=(n, 3)) * 2.0 + labels[:, None] * [1.5, -1.0, 0.0], labels


MANNERS = [
    Manner(),
    Manner(winner_take_all=True),
    Manner(vigilance=0.05),
    Manner(vigilance=0.2, winner_take_all=True),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("floor", [0.0, 0.4])
@pytest.mark.parametrize("manner", MANNERS, ids=str)
def test_the_same_categories_as_a_plain_loop(manner: Manner, floor: float, seed: int) -> None:
    rows, labels = overlapping(seed)
    known: list[Category] = []
    categories = Categories(3, 3, floor)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        order = rng.permutation(len(rows))
        for i in order:
            present_slowly(known, rows[i].tolist(), int(labels[i]), manner, floor)
        learn_rows(categories, rows, labels, order, manner)
    assert len(known) > 5
    assert_array_equal(categories.classes, [category.label for category in known])
    assert_allclose(categories.means, [category.mean for category in known], rtol=1e-8, atol=1e-9)
    assert_allclose(categories.variances, [c.variance for c in known], rtol=1e-8)
    assert_allclose(categories.counts, [category.count for category in known], rtol=1e-9)


@pytest.mark.parametrize("manner", MANNERS, ids=str)
def test_differences_and_the_expanded_form_learn_the_same(manner: Manner) -> None:
    rows, labels = overlapping(seed=9)
    order = np.arange(len(rows))
    near, far = Categories(3, 3), Categories(3, 3)
    learn_rows(near, rows, labels, order, manner)
    # So far out that squares would lose every digit; the shift itself rounds to 1e-8.
    learn_rows(far, rows + 2.0**26, labels, order, manner)
    assert far.loses_digits(2.0**26)
    assert not near.loses_digits(float(np.abs(rows).max()))
    assert_array_equal(far.classes, near.classes)
    assert_allclose(far.means - 2.0**26, near.means, atol=1e-5)
    assert_allclose(far.variances, near.variances, rtol=1e-5)


def test_epochs_end_when_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    rows = rng.normal(size=(40, 2)) + 20.0 * labels[:, None]
    seen = []
    categories = Categories(2, 2)
    number, settled = train(
        categories, rows, labels, Manner(), 9, rng, lambda at, epoch: seen.append((at, epoch))
    )
    assert (number, settled) == (2, True)
    assert [(at, epoch.n_new, epoch.changed) for at, epoch in seen] == [
        (1, 2, True),
        (2, 0, False),
    ]
    assert train(Categories(2, 2), rows, labels, Manner(), 1, None) == (1, False)
