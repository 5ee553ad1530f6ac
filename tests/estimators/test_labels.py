"""Known components of some rows: what a fit makes of them, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from emplus import GaussianMixture
from emplus.errors import ArgumentError
from emplus.search.registry import SEARCHES
from tests.cases import tolerated
from tests.estimators.examples import Example, K, every_example, take, with_holes


def some_known(labels: NDArray[np.intp], number: int, seed: int = 0) -> NDArray[np.intp]:
    """The labels of so many rows, -1 for the others."""
    known = np.full(len(labels), -1)
    chosen = np.random.default_rng(seed).choice(len(labels), number, replace=False)
    known[chosen] = labels[chosen]
    return known


@every_example
@pytest.mark.parametrize("shift", range(K))
def test_components_are_those_that_rows_are_known_to_come_from(
    example: Example, shift: int
) -> None:
    table, labels = example.table()
    known = (labels + shift) % K
    model = example().fit(table, labels=some_known(known, 24))
    assert_array_equal(model.predict(table), known)
    # Fewer components than there are rows of: one is known of, the others are found.
    one = np.where(known == 1, 1, -1)
    model = example().fit(table, labels=one)
    assert (model.predict(table)[known == 1] == 1).all()
    assert adjusted_rand_score(labels, model.predict(table)) == pytest.approx(1.0)


@every_example
def test_rows_with_holes_may_be_known(example: Example) -> None:
    table, labels = example.table()
    holed = with_holes(table, 0.2)
    model = example().fit(holed, labels=some_known(labels, 24))
    assert (model.predict(holed) == labels).mean() > 0.95
    weight = np.ones(len(labels))
    weight[::7] = 0.0
    # Labels go with their rows where rows of no weight are left out.
    model = example().fit(holed, sample_weight=weight, labels=labels)
    wanted = example().fit(take(holed, weight > 0), labels=labels[weight > 0])
    assert_allclose(model.score_samples(holed), wanted.score_samples(holed), rtol=1e-9)


@every_example
def test_known_rows_hold_to_their_component_against_all_odds(example: Example) -> None:
    """A third of the rows are said to be one component, though they are of all three."""
    table, labels = example.table()
    known = np.full(len(labels), -1)
    known[: len(labels) // 3] = 0
    with tolerated():
        model = example().fit(table, labels=known)
    assert model.weights_[0] > 0.33
    everything = example().fit(table, labels=labels)
    assert_allclose(everything.weights_, np.bincount(labels) / len(labels), atol=1e-9)


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_leaves_known_rows_where_they_are(search: str) -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(7, 1, (60, 2))])
    known = np.full(120, -1)
    known[:3], known[60:63] = 1, 0
    model = GaussianMixture(2, search=search, random_state=0).fit(X, labels=known)
    assert_array_equal(model.predict(X), np.repeat([1, 0], 60))


@every_example
def test_none_known_is_as_if_nothing_were_said(example: Example) -> None:
    table, labels = example.table(apart=0.4)
    searches = {"gaussian": "split_merge", "mixed": "split_merge"}
    search = searches.get(example.id, "em")
    wanted = example(search=search).fit(table)
    for known in (np.full(len(labels), -1), [-1] * len(labels), np.full(len(labels), -1.0)):
        model = example(search=search).fit(table, labels=known)
        assert model.result_.trace == wanted.result_.trace
        assert_array_equal(model.predict_proba(table), wanted.predict_proba(table))
    # Nor is anything known by rows without weight.
    weight = np.ones(len(labels))
    weight[:5] = 0.0
    known = np.where(weight == 0.0, labels, -1)
    model = example(search=search).fit(table, sample_weight=weight, labels=known)
    wanted = example(search=search).fit(table, sample_weight=weight)
    assert model.result_.trace == wanted.result_.trace


@every_example
def test_the_target_of_a_pipeline_is_never_taken_for_labels(example: Example) -> None:
    table, labels = example.table(apart=0.4)
    plain = example(search="em")
    wanted = example(search="em").fit(table)
    for y in (labels, ["a"] * len(labels)):
        assert plain.fit(table, y).result_.trace == wanted.result_.trace
    assert_array_equal(plain.fit_predict(table, labels), wanted.predict(table))


@every_example
def test_fit_predict_takes_labels(example: Example) -> None:
    table, labels = example.table()
    known = some_known(labels, 24)
    assert_array_equal(example().fit_predict(table, labels=known), labels)


@every_example
def test_whole_numbers_of_any_type_are_labels(example: Example) -> None:
    table, labels = example.table(apart=0.4)
    known = some_known(labels, 24)
    wanted = example().fit(table, labels=known)
    forms: list[Any] = [known.tolist(), known.astype(np.int8), known.astype(float)]
    for form in forms:
        assert example().fit(table, labels=form).result_.trace == wanted.result_.trace


N = 240
BAD: dict[str, tuple[Any, str]] = {
    "too large": (np.r_[np.zeros(7, int), 3, np.zeros(N - 8, int)], "holds 3 in row 7; components"),
    "too small": (np.r_[-2, np.zeros(N - 1, int)], r"holds -2 in row 0; components are 0 \.\. 2"),
    "too few": (np.zeros(N - 1, int), r"shape \(239,\) for 240 rows; give one a row"),
    "a table": (np.zeros((N, 1), int), r"shape \(240, 1\) for 240 rows"),
    "a number": (0, r"shape \(\) for 240 rows"),
    "fractions": (np.full(N, 0.5), "labels must be whole numbers: a component, or -1"),
    "NaN": (np.full(N, np.nan), "labels must be whole numbers"),
    "text": (np.array(["a"] * N), "labels must be whole numbers"),
    "truth values": (np.ones(N, bool), "labels must be whole numbers"),
}


@pytest.mark.parametrize("name", BAD)
@every_example
def test_refuses_labels_in_a_sentence(example: Example, name: str) -> None:
    known, words = BAD[name]
    table, _ = example.table(N)
    with pytest.raises(ArgumentError, match=words):
        example().fit(table, labels=known)


# How far apart the components are, so that they are found, but not easily.
OVERLAP = {
    "gaussian": 0.2,
    "factor-analyzer": 0.2,
    "bernoulli": 0.2,
    "categorical": 0.3,
    "mixed": 0.2,
}


@every_example
def test_a_few_known_rows_help_to_tell_the_others_apart(example: Example) -> None:
    """Adjusted Rand of the rows that are not known, with 5 % of the others known; 4 tables."""
    found = []
    for seed in range(4):
        table, labels = example.table(400, OVERLAP[example.id], seed)
        known = some_known(labels, 20, seed)
        rest = known < 0
        for given in (None, known):
            model = example(tol=1e-4).fit(table, labels=given)
            found.append(adjusted_rand_score(labels[rest], model.predict(table)[rest]))
    alone, helped = np.reshape(found, (4, 2)).mean(axis=0)
    assert helped > alone
