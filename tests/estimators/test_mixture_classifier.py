"""Bayes' rule over mixtures, one for each class."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split

from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianMixture,
    MixedMixture,
    MixtureClassifier,
)
from emplus.data.base import Array
from emplus.errors import ArgumentError, DataError, DataWarning, FitError
from tests.cases import tolerated
from tests.estimators.checks import parametrize_with_checks
from tests.estimators.examples import EXAMPLES, Example, every_example, take, with_holes
from tests.estimators.test_conventions import HalvesStart

NAMES = np.array(["north", "east", "south"])


def blobs(n: int = 300, apart: float = 5.0, seed: int = 0) -> tuple[Array, Any]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    centres = apart * np.array([[0.0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]])
    return centres[y] + rng.standard_normal((n, 4)) * (1.0 + y[:, None]), y


@pytest.mark.filterwarnings("ignore:.*:emplus.errors.EmplusWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [MixtureClassifier()],
    [
        MixtureClassifier(GaussianMixture(2, init_params=HalvesStart(), max_iter=30, search="em")),
        MixtureClassifier(BernoulliMixture()),
        MixtureClassifier(MixedMixture()),
    ],
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# Bayes' rule ------------------------------------------------------------------------------------


@every_example
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_is_bayes_rule_by_hand(example: Example, holes: float) -> None:
    table, y = example.table(apart=0.4)
    table = with_holes(table, holes) if holes else table
    model = MixtureClassifier(example(2, search="em")).fit(table, NAMES[y])
    assert model.classes_.tolist() == sorted(NAMES)
    joint = np.stack([one.score_samples(table) for one in model.mixtures_], axis=1)
    joint += np.log([(NAMES[y] == name).mean() for name in model.classes_])
    total = logsumexp(joint, axis=1)
    assert_allclose(model.predict_joint_log_proba(table), joint, rtol=1e-12)
    assert_allclose(model.score_samples(table), total, rtol=1e-12)
    assert_allclose(model.predict_log_proba(table), joint - total[:, None], atol=1e-9)
    assert_allclose(model.predict_proba(table), np.exp(joint - total[:, None]), atol=1e-12)
    assert_array_equal(model.predict(table), model.classes_[joint.argmax(axis=1)])
    assert_array_equal(model.decision_function(table), model.predict_joint_log_proba(table))
    assert model.objectives_[0] == pytest.approx(
        sum(one.result_.log_prior for one in model.mixtures_)
        + joint[np.arange(len(y)), np.searchsorted(model.classes_, NAMES[y])].sum()
    )


@every_example
def test_a_mixture_of_a_class_is_that_of_its_rows(example: Example) -> None:
    table, y = example.table(apart=0.4)
    given = {"search": "em"} if example.id != "gaussian" else {}
    model = MixtureClassifier(example(2, **given)).fit(table, y)
    for place, one in enumerate(model.mixtures_):
        own = take(table, np.flatnonzero(y == place))
        # The kinds and categories are those of the whole table, which this part has all of.
        again = example(2, random_state=one.random_state, **given).fit(own)
        assert_array_equal(again.score_samples(table), one.score_samples(table))


@pytest.mark.parametrize("data", [load_iris, load_digits])
def test_one_gaussian_a_class_is_quadratic_discriminant_analysis(data: Any) -> None:
    X, y = data(return_X_y=True)
    rng = np.random.default_rng(0)
    # Digits have columns that do not vary in a class, for which theirs has no covariance.
    X = X[:, :20] + rng.standard_normal((len(X), min(20, X.shape[1])))
    ours = MixtureClassifier(GaussianMixture(reg_covar=0)).fit(X, y)
    theirs = QuadraticDiscriminantAnalysis(tol=0.0).fit(X, y)
    joint = np.empty((len(X), len(theirs.classes_)))
    for c, (mean, axes) in enumerate(zip(theirs.means_, theirs.rotations_, strict=True)):
        gaps = (X - mean) @ axes
        # Divided by n, as EM does it; some versions of theirs divide by n - 1.
        variances = gaps[y == c].var(axis=0)
        joint[:, c] = np.log((y == c).mean())
        joint[:, c] -= 0.5 * (np.log(variances).sum() + (gaps**2 / variances).sum(axis=1))
    wanted = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    assert_allclose(ours.predict_proba(X), wanted, atol=1e-8)
    assert (ours.predict(X) == theirs.predict(X)).mean() > 0.98


def test_priors_are_frequencies_or_given_by_place_or_by_class() -> None:
    X, y = blobs(apart=1.0)
    free = MixtureClassifier().fit(X, NAMES[y])
    assert_allclose(free.class_prior_, [(NAMES[y] == name).mean() for name in free.classes_])
    given = MixtureClassifier(priors=[0.7, 0.2, 0.1]).fit(X, NAMES[y])
    named = MixtureClassifier(priors={"south": 0.1, "east": 0.7, "north": 0.2}).fit(X, NAMES[y])
    assert_array_equal(given.predict_proba(X), named.predict_proba(X))
    shift = np.log([0.7, 0.2, 0.1]) - np.log(free.class_prior_)
    wanted = free.predict_joint_log_proba(X) + shift
    assert_allclose(given.predict_joint_log_proba(X), wanted, rtol=1e-9)
    never = MixtureClassifier(priors=[0.5, 0.5, 0.0]).fit(X, y)
    assert set(never.predict(X)) == {0, 1}
    assert (never.predict_proba(X)[:, 2] == 0).all()


@every_example
def test_weights_stand_for_rows(example: Example) -> None:
    table, y = example.table(apart=0.4)
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    # A start that weights do not change.
    mixture = example(1)
    weighted = MixtureClassifier(mixture).fit(table, y, sample_weight=weight)
    repeated = np.repeat(np.arange(len(y)), weight)
    stood = MixtureClassifier(mixture).fit(take(table, repeated), y[repeated])
    assert_allclose(weighted.class_prior_, stood.class_prior_)
    # Factors are found by steps, which end within the tolerance of each other.
    slack = 1e-2 if example.id == "factor-analyzer" else 1e-6
    assert_allclose(weighted.predict_proba(table), stood.predict_proba(table), atol=slack)


def test_a_class_without_weight_is_no_class() -> None:
    X, y = blobs()
    model = MixtureClassifier().fit(X, y, sample_weight=(y != 1).astype(float))
    assert model.classes_.tolist() == [0, 2]
    assert_array_equal(
        model.predict_proba(X), MixtureClassifier().fit(X[y != 1], y[y != 1]).predict_proba(X)
    )


# Classes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        NAMES.astype(object),
        np.array([True, False, True]),
        np.array([0.0, 1.0, 2.0]),
        np.array([-1, 7, 3]),
        np.array([2**60, 1, 0]),
        pd.Categorical(NAMES),
        pd.Series(NAMES, dtype="string"),
    ],
    ids=lambda names: str(names.dtype),
)
def test_classes_may_be_anything_that_has_an_order(names: Any) -> None:
    X, y = blobs(apart=20.0)
    labels = names.take(y)
    model = MixtureClassifier(unlabeled=None).fit(X, labels)
    assert model.classes_.tolist() == sorted(set(names.tolist()))
    assert (model.predict(X) == np.asarray(labels)).all()


def test_minus_one_is_unknown_only_beside_two_other_classes() -> None:
    X, y = blobs(apart=20.0)
    two = MixtureClassifier().fit(X, np.where(y == 0, -1, 1))
    assert (two.classes_.tolist(), two.n_unlabeled_) == ([-1, 1], 0)
    three = MixtureClassifier().fit(X, y - 1)
    assert (three.classes_.tolist(), three.n_unlabeled_) == ([0, 1], (y == 0).sum())
    kept = MixtureClassifier(unlabeled=None).fit(X, y - 1)
    assert (kept.classes_.tolist(), kept.n_unlabeled_) == ([-1, 0, 1], 0)


def test_a_class_does_not_depend_on_the_others() -> None:
    X, y = blobs(apart=1.0)
    mixture = GaussianMixture(3, search="em", init_params="random")
    model = MixtureClassifier(mixture, random_state=3).fit(X, NAMES[y])
    fewer = MixtureClassifier(mixture, random_state=3).fit(X[y < 2], NAMES[y[y < 2]])
    ours = dict(zip(model.classes_, model.mixtures_, strict=True))
    for name, one in zip(fewer.classes_, fewer.mixtures_, strict=True):
        assert_array_equal(one.means_, ours[name].means_)
    assert len({one.random_state for one in model.mixtures_}) == 3
    again = MixtureClassifier(clone(mixture).set_params(random_state=3)).fit(X, NAMES[y])
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_components_by_class() -> None:
    X, y = blobs()
    model = MixtureClassifier(GaussianMixture(2), n_components={0: 1, 2: 3}, random_state=0)
    assert [one.n_components for one in model.fit(X, y).mixtures_] == [1, 2, 3]
    model = MixtureClassifier(n_components=2, random_state=0).fit(X, y)
    assert [one.n_components for one in model.mixtures_] == [2, 2, 2]


def test_a_class_of_few_rows_gets_fewer_components() -> None:
    X, y = blobs()
    few = np.flatnonzero((y != 1) | (np.cumsum(y == 1) <= 3))
    with pytest.warns(DataWarning, match=r"in 1 class \('east' has 3 for 5\)"):
        model = MixtureClassifier(GaussianMixture(5), random_state=0).fit(X[few], NAMES[y[few]])
    numbers = dict(zip(model.classes_, (one.n_components for one in model.mixtures_), strict=True))
    assert numbers == {"east": 3, "north": 5, "south": 5}


# Tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [CategoricalMixture, MixedMixture])
def test_a_category_that_a_class_lacks_is_unlikely_there_and_not_missing(estimator: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], 100)
    first = np.where(y == "a", np.array(["x", "y"])[rng.integers(0, 2, 200)], "z")
    table = pd.DataFrame({"first": first, "second": np.array(["u", "v"])[rng.integers(0, 2, 200)]})
    with tolerated():
        model = MixtureClassifier(estimator(random_state=0)).fit(table, y)
    # No warning that the category was not there at the fit: every class knows of it.
    assert (model.predict(table) == y).all()
    assert [one.coding_ for one in model.mixtures_] == [model.coding_] * 2
    proba = model.predict_proba(table)
    assert proba.min() > 0
    assert proba.min(axis=1).max() < 0.05
    odd = pd.DataFrame({"first": ["x", "z"], "second": ["u", "v"]})
    assert model.predict(odd).tolist() == ["a", "b"]


def test_sparse_rows_are_those_of_the_dense_ones() -> None:
    table, y = next(e for e in EXAMPLES if e.id == "bernoulli").table(apart=0.5)
    mixture = BernoulliMixture(2, search="em", random_state=0)
    labels = np.where(np.arange(len(y)) % 3 == 0, y, -1)
    for known in (y, labels):
        with tolerated():
            dense = MixtureClassifier(mixture, max_iter=20).fit(table, known)
            sparse = MixtureClassifier(mixture, max_iter=20).fit(csr_array(table), known)
        assert_allclose(sparse.predict_proba(csr_array(table)), dense.predict_proba(table))


def test_column_names_are_kept_and_asked_for() -> None:
    X, y = blobs()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MixtureClassifier().fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert_array_equal(model.predict(frame), MixtureClassifier().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "e"}))
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_columns_that_do_not_vary_in_a_class_make_no_row_impossible(covariance_type: str) -> None:
    X, y = load_digits(return_X_y=True)
    train, test, known, wanted = train_test_split(X, y, test_size=0.3, random_state=0)
    with warnings.catch_warnings():
        # Columns that vary in no class at all.
        warnings.filterwarnings("ignore", "Constant in every row", DataWarning)
        mixture = GaussianMixture(covariance_type=covariance_type)
        model = MixtureClassifier(mixture).fit(train, known)
    # With next to no variance there it would be 0.95 and 0.73.
    assert model.score(test, wanted) > {"full": 0.957, "diag": 0.86}[covariance_type]


def test_warns_once_of_columns_that_vary_nowhere() -> None:
    X, y = blobs()
    X[:, 2] = 1.0
    X[y == 1, 3] = 0.0
    with pytest.warns(DataWarning) as caught:
        MixtureClassifier().fit(X, y)
    assert [str(one.message) for one in caught] == [
        "Constant in every row: column 2. It tells nothing apart."
    ]


def test_what_mixtures_warn_of_names_the_classes() -> None:
    X, y = blobs(apart=1.0)
    mixture = GaussianMixture(3, max_iter=2, search="em", tol=0.0)
    with pytest.warns(ConvergenceWarning, match="Class 'east', 'north', 'south': After 2 iter"):
        MixtureClassifier(mixture, random_state=0).fit(X, NAMES[y])


def test_warns_of_empty_rows_by_their_numbers_in_the_table() -> None:
    X, y = blobs()
    row = int(np.flatnonzero(y == 2)[5])
    X[row] = np.nan
    with pytest.warns(DataWarning) as caught:
        model = MixtureClassifier().fit(X, y)
    (sentence,) = [str(one.message) for one in caught]
    assert sentence.startswith(f"Every value is missing in 1 row, first in row {row};")
    # What tells nothing leaves the priors as they are.
    assert_allclose(model.predict_proba(X[[row]])[0], model.class_prior_)


def test_an_interrupted_fit_leaves_the_one_before() -> None:
    X, y = blobs()
    model = MixtureClassifier(GaussianMixture(2), random_state=0).fit(X, y)
    before = model.predict_proba(X)

    def interrupt(state: Any) -> None:
        raise KeyboardInterrupt

    model.set_params(mixture__observers=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :3], y)
    assert_array_equal(model.predict_proba(X), before)


def test_searches_over_the_arguments_of_the_mixture() -> None:
    X, y = blobs(apart=1.0)
    grid = GridSearchCV(MixtureClassifier(GaussianMixture()), {"mixture__n_components": [1, 2]})
    assert grid.fit(X, y).best_params_["mixture__n_components"] == 1


# Errors -----------------------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "mixture": ({"mixture": "gaussian"}, "mixture='gaussian' is no mixture estimator"),
    "components": ({"n_components": 0}, "n_components=0 is too small"),
    "components of none": ({"n_components": {"west": 2}}, "names the class 'west', which y lacks"),
    "prior of none": ({"priors": {"west": 1.0}}, "priors names the class 'west'"),
    "prior lacking": ({"priors": {"east": 1.0}}, "priors lacks the class 'north'"),
    "priors short": ({"priors": [0.5, 0.5]}, r"priors has shape \(2,\) for 3 classes"),
    "priors sum": ({"priors": [0.5, 0.5, 0.5]}, "sum to 1"),
    "priors negative": ({"priors": [1.5, -0.5, 0.0]}, "at least 0"),
    "priors text": ({"priors": "equal"}, "not a number"),
    "tol": ({"tol": -1.0}, r"tol=-1\.0 must be finite"),
    "max_iter": ({"max_iter": 0}, "max_iter=0 is too small"),
    "seed": ({"random_state": "seven"}, "no seed"),
    "k of the mixture": ({"mixture": GaussianMixture(0)}, "n_components=0"),
    "search": ({"mixture": GaussianMixture(search="splitmerge")}, "did you mean 'split_merge'"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_arguments_in_a_sentence(name: str) -> None:
    X, y = blobs(60)
    arguments, words = BAD[name]
    model = MixtureClassifier().fit(X, NAMES[y])
    before = model.predict_proba(X)
    model.set_params(**arguments)
    with pytest.raises((ArgumentError, DataError), match=words):
        model.fit(X[:, :3], NAMES[y])
    assert_array_equal(model.predict_proba(X), before)


def test_refuses_rows_and_labels_in_a_sentence() -> None:
    X, y = blobs(60)
    model = MixtureClassifier()
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(DataError, match="y has 59 labels for 60 rows"):
        model.fit(X, y[:-1])
    for missing in (np.full(60, -1), [None] * 60, np.full(60, np.nan)):
        with pytest.raises(DataError, match="No row's class is known"):
            model.fit(X, missing)
    with pytest.raises(DataError, match="several types"):
        model.fit(X, np.array(["a"] * 30 + [1] * 30, dtype=object))
    with pytest.raises(ValueError, match="continuous"):
        model.fit(X, X[:, 0])
    holed = X.copy()
    holed[y == 1, 2] = np.nan
    with pytest.raises(DataError, match="Class 1: Every value is missing in column 2"):
        model.fit(holed, y)
    infinite = X.copy()
    infinite[41, 2] = np.inf
    with pytest.raises(DataError, match=r"column 2, row 41 "):
        model.fit(infinite, y)
    with pytest.raises(FitError, match="Class 0: "):
        # Without a prior a component on one point has no likelihood.
        MixtureClassifier(GaussianMixture(reg_covar=0)).fit(X, np.r_[0, np.ones(59, dtype=int)])
    model.fit(X, y)
    with pytest.raises(ValueError, match="3 features"):
        model.predict(X[:, :3])


def test_survives_pickling_and_cloning() -> None:
    X, y = blobs()
    model = MixtureClassifier(GaussianMixture(2), random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))
    threads = clone(model).set_params(n_jobs=2).fit(X, y)
    assert [one.n_jobs for one in threads.mixtures_] == [2] * 3
    assert_array_equal(threads.predict_proba(X), model.predict_proba(X))
