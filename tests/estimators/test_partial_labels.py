"""Classifiers of mixtures where the classes of some rows are not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from emplus import GaussianMixture, MixtureClassifier
from emplus.data.base import Array
from tests.cases import tolerated
from tests.covering import pairwise
from tests.estimators.examples import (
    EXAMPLES,
    Example,
    Labels,
    every_example,
    numbers,
    take,
    with_holes,
)


def some_known(y: Labels, each: int, seed: int = 0) -> NDArray[np.intp]:
    """The labels with all but a few of each class unknown."""
    rng, known = np.random.default_rng(seed), np.full(len(y), -1)
    for label in np.unique(y):
        kept = rng.permutation(np.flatnonzero(y == label))[:each]
        known[kept] = label
    return known


@pytest.mark.parametrize(
    ("example", "holes", "k"),
    pairwise(EXAMPLES, [0.0, 0.2], [1, 2]),
    ids=lambda value: getattr(value, "id", None),
)
def test_the_objective_never_falls(example: Example, holes: float, k: int) -> None:
    table, y = example.table(apart=0.4)
    table = with_holes(table, holes) if holes else table
    known = some_known(y, 20)
    with tolerated():
        mixture = example(k, search="em")
        model = MixtureClassifier(mixture, max_iter=12, tol=0.0).fit(table, known)
    # A step that loses more than rounding would have ended the climb before its time.
    assert model.n_iter_ == 12 or model.converged_
    assert len(model.objectives_) > 2
    assert np.diff(model.objectives_).min() >= 0.0
    assert model.objectives_[-1] > model.objectives_[0]
    assert_allclose(model.objectives_[-1], objective(model, table, known), rtol=1e-9)


def objective(model: Any, table: Any, known: NDArray[np.intp]) -> float:
    """What a fit with unknown rows raises, from the fitted model."""
    joint = model.predict_joint_log_proba(table)
    rows = np.flatnonzero(known >= 0)
    value = joint[rows, known[rows]].sum() + logsumexp(joint[known < 0], axis=1).sum()
    return float(value + sum(one.result_.log_prior for one in model.mixtures_))


@every_example
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_is_that_of_em_for_the_whole_mixture(example: Example, weighted: bool) -> None:
    """Where it has settled, classes and components are what the shared rows make of them."""
    table, y = example.table(apart=0.5)
    known = some_known(y, 20)
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 3, len(y)).astype(float) if weighted else np.ones(len(y))
    with tolerated():
        model = MixtureClassifier(example(1), tol=1e-10).fit(table, known, weight)
    assert model.converged_
    resp = model.predict_proba(table)
    resp[known >= 0] = np.eye(3)[known[known >= 0]]
    resp *= weight[:, None]
    assert_allclose(model.class_prior_, resp.sum(axis=0) / resp.sum(), atol=1e-4)
    if example.id == "gaussian":
        means = resp.T @ table / resp.sum(axis=0)[:, None]
        assert_allclose([one.means_[0] for one in model.mixtures_], means, atol=1e-2)


@every_example
@pytest.mark.parametrize("k", [1, 2])
def test_a_few_known_rows_are_enough_where_classes_are_far_apart(example: Example, k: int) -> None:
    table, y = example.table(600)
    known = some_known(y, 5)
    with tolerated():
        model = MixtureClassifier(example(k, search="em")).fit(table, known)
    assert model.n_unlabeled_ == 585
    assert model.score(table, y) > 0.98
    assert_allclose(model.class_prior_, 1 / 3, atol=0.01)


def test_unknown_rows_help_where_the_model_is_right() -> None:
    gains = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 3, 900)
        X = numbers(y, 0.35, rng)
        known = some_known(y, 8, seed)
        both = MixtureClassifier(tol=1e-4).fit(X, known)
        alone = MixtureClassifier().fit(X[known >= 0], known[known >= 0])
        gains.append(both.score(X, y) - alone.score(X, y))
    assert min(gains) > 0.01


@every_example
def test_with_all_classes_known_nothing_changes(example: Example) -> None:
    table, y = example.table(apart=0.4)
    mixture = example(2, **({} if example.id == "gaussian" else {"search": "em"}))
    plain = MixtureClassifier(mixture, unlabeled=None).fit(table, y)
    asked = MixtureClassifier(mixture).fit(table, y)
    assert_array_equal(asked.predict_proba(table), plain.predict_proba(table))
    assert (asked.n_unlabeled_, asked.n_iter_, asked.converged_) == (0, 1, True)


@pytest.mark.parametrize("missing", [None, np.nan, "?"])
def test_unknown_is_said_in_several_ways(missing: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    X, known = numbers(y, 0.5, rng), some_known(y, 20)
    wanted = MixtureClassifier(random_state=0).fit(X, known)
    names = np.array(["a", "b", "c"], dtype=object)[known]
    names[known < 0] = missing
    unlabeled = missing if isinstance(missing, str) else -1
    model = MixtureClassifier(unlabeled=unlabeled, random_state=0).fit(X, names)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert_allclose(model.predict_proba(X), wanted.predict_proba(X))
    reals = np.where(known < 0, np.nan, known)
    assert_array_equal(MixtureClassifier().fit(X, reals).predict_proba(X), wanted.predict_proba(X))


def test_given_priors_stay() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = numbers(y, 0.4, rng)
    model = MixtureClassifier(priors=[0.5, 0.3, 0.2]).fit(X, some_known(y, 10))
    assert_allclose(model.class_prior_, [0.5, 0.3, 0.2])
    assert np.diff(model.objectives_).min() >= 0.0
    never = MixtureClassifier(priors=[0.5, 0.5, 0.0]).fit(X, some_known(y, 10))
    assert set(never.predict(X)) == {0, 1}
    assert np.isfinite(never.objectives_).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X, known = numbers(y, 0.3, rng), some_known(y, 30)
    one, two, threads = (
        MixtureClassifier(GaussianMixture(2), tol=1e-4, random_state=5, n_jobs=jobs).fit(X, known)
        for jobs in (1, 1, 2)
    )
    assert one.objectives_ == two.objectives_ == threads.objectives_
    assert_array_equal(one.predict_proba(X), threads.predict_proba(X))


def test_weights_stand_for_rows_of_unknown_class_too() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    X, known = numbers(y, 0.5, rng), some_known(y, 20)
    weight = rng.integers(0, 3, 200)
    rows = np.repeat(np.arange(200), weight)
    weighted = MixtureClassifier(tol=1e-9).fit(X, known, weight)
    stood = MixtureClassifier(tol=1e-9).fit(take(X, rows), known[rows])
    assert_allclose(weighted.predict_proba(X), stood.predict_proba(X), atol=1e-4)


def test_says_when_the_iterations_ran_out() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    X: Array = numbers(y, 0.1, rng)
    with pytest.warns(ConvergenceWarning, match="After 2 iterations over the classes: .*max_iter"):
        model = MixtureClassifier(max_iter=2, tol=0.0).fit(X, some_known(y, 20))
    assert (model.converged_, model.n_iter_) == (False, 2)
    assert len(model.objectives_) == 3


def test_classes_of_one_known_row() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = numbers(y, 1.0, rng)
    model = MixtureClassifier(random_state=0).fit(X, some_known(y, 1))
    assert model.score(X, y) > 0.98
