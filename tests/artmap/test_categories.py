"""What categories learn, and cases of match tracking worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from emplus.artmap.categories import Categories
from emplus.artmap.presentation import Answer, present
from emplus.artmap.training import Manner
from emplus.artmap.votes import class_log_votes, pooled

Array = NDArray[np.floating]


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_recursions_give_the_weighted_mean_and_variance(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, shares = rng.normal(size=(n, d)) * 3.0, rng.uniform(0.01, 1.0, size=n)
    shares[0] = 1.0
    categories = Categories(d, 1)
    categories.add(rows[0], 0)
    for row, share in zip(rows[1:], shares[1:], strict=True):
        categories.learn(np.array([0]), np.array([share]), row)
    mean = np.average(rows, axis=0, weights=shares)
    # The initial variance counts as that of the first row.
    scatter = 1.0 + shares @ (rows - mean) ** 2
    assert_allclose(categories.counts, [shares.sum()])
    assert_allclose(categories.means[0], mean, atol=1e-12)
    assert_allclose(categories.variances[0], scatter / shares.sum(), rtol=1e-10)


def known(*given: tuple[float, float, float, int], floor: float = 0.0) -> Categories:
    """One-dimensional categories: mean, variance, count, class."""
    mean, variance, count, label = (np.array(column) for column in zip(*given, strict=True))
    return Categories.restored(
        mean[:, None], variance[:, None], count, label, n_classes=3, floor=floor
    )


def answer(categories: Categories, x: float, label: int, manner: Manner, expanded: bool) -> Answer:
    row = np.array([x])
    terms = categories.terms(row[None])[0] if expanded else None
    return present(categories, row, terms, label, manner.log_vigilance, manner.winner_take_all)


every_form = pytest.mark.parametrize("manner", [Manner(), Manner(winner_take_all=True)], ids=str)
both_ways = pytest.mark.parametrize("expanded", [True, False])


@every_form
@both_ways
def test_wrong_and_nothing_matches_better_makes_a_category(manner: Manner, expanded: bool) -> None:
    categories = known((0.0, 1.0, 1.0, 0), (3.0, 1.0, 1.0, 1))
    assert answer(categories, 1.0, 1, manner, expanded) is Answer.NEW
    assert_array_equal(categories.means[:, 0], [0.0, 3.0, 1.0])
    assert_array_equal(categories.variances[:, 0], [1.0, 1.0, 1.0])
    assert_array_equal(categories.counts, [1.0, 1.0, 1.0])
    assert_array_equal(categories.classes, [0, 1, 1])


@every_form
@both_ways
def test_wrong_but_a_better_match_is_of_the_class(manner: Manner, expanded: bool) -> None:
    # The first wins by its count, 50 exp(-0.72) against exp(-0.5), but matches less well.
    categories = known((0.0, 1.0, 50.0, 0), (2.2, 1.0, 1.0, 1))
    assert answer(categories, 1.2, 1, manner, expanded) is Answer.CORRECTED
    assert_allclose(categories.means[:, 0], [0.0, 1.7])
    assert_allclose(categories.variances[:, 0], [1.0, 0.75])
    assert_array_equal(categories.counts, [50.0, 2.0])


@every_form
def test_right_at_once(manner: Manner) -> None:
    categories = known((0.0, 1.0, 4.0, 2), (9.0, 1.0, 1.0, 1))
    assert answer(categories, 1.0, 2, manner, True) is Answer.RIGHT
    assert_allclose(categories.means[:, 0], [0.2, 9.0])
    assert_array_equal(categories.counts, [5.0, 1.0])


def test_many_small_categories_outvote_one_in_the_form_of_1997_only() -> None:
    given = ((1.0, 1.0, 3.0, 0), (1.0, 1.0, 2.0, 1), (1.0, 1.0, 2.0, 1))
    together, alone = known(*given), known(*given)
    assert answer(together, 1.0, 1, Manner(), True) is Answer.RIGHT
    assert_allclose(together.counts, [3.0, 2.5, 2.5])
    assert answer(alone, 1.0, 0, Manner(winner_take_all=True), True) is Answer.RIGHT
    assert_allclose(alone.counts, [4.0, 2.0, 2.0])


def test_the_whole_ensemble_is_reset_also_what_matches_better_than_it_does() -> None:
    # Class 0 wins by a far category of many rows; one of its own matches better than the class.
    categories = known((1.5, 1.0, 1000.0, 0), (0.1, 1.0, 1.0, 0), (-1.0, 1.0, 1.0, 2))
    assert answer(categories, 0.0, 2, Manner(), True) is Answer.CORRECTED
    assert_array_equal(categories.counts, [1000.0, 1.0, 2.0])


@every_form
@both_ways
def test_vigilance_makes_a_category_though_the_class_is_right(
    manner: Manner, expanded: bool
) -> None:
    strict = Manner(np.exp(-0.5) + 1e-9, manner.winner_take_all)
    loose = Manner(np.exp(-0.5) - 1e-9, manner.winner_take_all)
    categories = known((0.0, 1.0, 1.0, 0))
    assert answer(categories, 1.0, 0, loose, expanded) is Answer.RIGHT
    categories = known((0.0, 1.0, 1.0, 0))
    assert answer(categories, 1.0, 0, strict, expanded) is Answer.NEW


def test_rows_too_far_for_any_density_still_find_the_nearest() -> None:
    """exp(-q/2) of all of them is 0 as a number."""
    categories = known((0.0, 1.0, 1.0, 0), (5.0, 1.0, 1.0, 1))
    assert answer(categories, 1e6, 1, Manner(), False) is Answer.RIGHT
    assert_array_equal(categories.counts, [1.0, 2.0])


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_activations_are_counts_times_densities(floor: float) -> None:
    rng = np.random.default_rng(3)
    k, d = 90, 4
    means, variances = rng.normal(size=(k, d)), rng.uniform(0.1, 2.0, size=(k, d))
    counts, labels = rng.uniform(1, 9, size=k), rng.integers(3, size=k)
    categories = Categories.restored(means, variances, counts, labels, n_classes=5, floor=floor)
    rows = rng.normal(size=(20, d))
    scales = np.sqrt(np.maximum(variances, floor))
    densities: Array = np.asarray(norm.logpdf(rows[:, None], means, scales))
    logs = densities.sum(axis=2) + np.log(counts)
    constant = 0.5 * d * np.log(2.0 * np.pi)
    assert_allclose(categories.log_activations(rows), logs + constant, rtol=1e-10, atol=1e-10)
    for terms in (categories.terms(rows)[4], None):
        found = categories.log_activation(rows[4], terms)
        assert_allclose(found, logs[4] + constant, rtol=1e-10, atol=1e-10)
    wanted = np.stack([logsumexp(logs[:, labels == c], axis=1) for c in range(3)], axis=1)
    wanted -= logsumexp(wanted, axis=1, keepdims=True)
    votes = class_log_votes(categories, rows, Manner())
    assert_allclose(votes[:, :3], wanted, rtol=1e-9, atol=1e-9)
    assert np.isneginf(votes[:, 3:]).all()
    alone = class_log_votes(categories, rows, Manner(winner_take_all=True))
    assert_array_equal(alone.argmax(axis=1), labels[logs.argmax(axis=1)])


def test_only_active_categories_vote_and_all_where_none_is() -> None:
    categories = known((0.0, 1.0, 1.0, 0), (2.0, 1.0, 100.0, 1))
    rows = np.array([[0.5], [1000.0]])
    everyone = class_log_votes(categories, rows, Manner())
    assert everyone[:, :2].argmax(axis=1).tolist() == [1, 1]
    strict = class_log_votes(categories, rows, Manner(vigilance=0.8))
    assert_array_equal(np.exp(strict[0]), [1.0, 0.0, 0.0])
    assert_allclose(strict[1], everyone[1])


def test_one_voter_alone_cannot_rule_a_class_out() -> None:
    with np.errstate(divide="ignore"):
        first, second = np.log([[1.0, 0.0, 0.0]]), np.log([[0.0, 1.0, 0.0]])
    together = np.exp(pooled([first, second]))
    assert_allclose(together, [[0.5, 0.5, 0.0]])
    assert_array_equal(pooled([first]), first)
