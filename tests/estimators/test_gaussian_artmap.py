"""Gaussian ARTMAP in scikit-learn's dress: conventions, streams, hostile rows, model files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

import emplus
from emplus import GaussianARTMAP
from tests.awkward import awkward_rows, every_awkward
from tests.estimators.checks import parametrize_with_checks

Array = NDArray[np.floating]

FORMS: list[dict[str, Any]] = [
    {},
    {"winner_take_all": True},
    {"n_voters": 3, "vigilance": 0.01},
    {"scaling": "minmax", "initial_std": 0.2, "min_std": 0.0},
]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def moons(n: int = 240, seed: int = 0) -> tuple[Array, NDArray[np.intp]]:
    """Three classes, none of them one Gaussian."""
    rng = np.random.default_rng(seed)
    angle, labels = rng.uniform(0, np.pi, n), rng.integers(3, size=n)
    X = np.column_stack([np.cos(angle), np.sin(angle)]) * (1.0 + labels[:, None])
    return X + rng.normal(scale=0.15, size=(n, 2)), labels


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [GaussianARTMAP(**form) for form in FORMS[:1]], [GaussianARTMAP(**form) for form in FORMS[1:]]
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@every_form
def test_learns_classes_that_no_gaussian_has(form: dict[str, Any]) -> None:
    X, y = moons()
    model = GaussianARTMAP(random_state=0, **form).fit(X, y)
    assert model.score(*moons(seed=1)) > 0.9
    assert 3 < model.n_categories_ / model.n_voters < 80


@every_form
def test_probabilities_are_those_of_the_published_categories(form: dict[str, Any]) -> None:
    X, y = moons()
    model = GaussianARTMAP(random_state=0, **{**form, "n_voters": 1}).fit(X, y)
    q = ((X[:, None] - model.means_) ** 2 / model.variances_).sum(axis=2)
    log_g = np.log(model.counts_) - 0.5 * np.log(model.variances_).sum(axis=1) - 0.5 * q
    g = np.exp(log_g - log_g.max(axis=1, keepdims=True))
    active = np.exp(-0.5 * q) > model.vigilance
    g *= active | ~active.any(axis=1, keepdims=True)
    gather = np.max if model.winner_take_all else np.sum
    votes = np.stack([gather(g[:, model.category_classes_ == c], axis=1) for c in range(3)], 1)
    assert_allclose(
        model.predict_proba(X), votes / votes.sum(axis=1, keepdims=True), rtol=1e-7, atol=1e-12
    )
    assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))


def test_one_class_is_one_category_with_the_moments_of_its_rows() -> None:
    X = moons()[0]
    model = GaussianARTMAP(initial_std=[0.5, 2.0], scaling=None, max_epochs=1, random_state=3)
    model.fit(X, np.zeros(len(X)))
    assert model.n_categories_ == 1
    assert_allclose(model.means_[0], X.mean(axis=0))
    scatter = ((X - X.mean(axis=0)) ** 2).sum(axis=0) + np.array([0.25, 4.0])
    floors = np.square(model.min_std * np.array([0.5, 2.0]))
    assert_allclose(model.variances_[0], np.maximum(scatter / len(X), floors))
    assert_array_equal(model.counts_, [len(X)])
    assert_array_equal(model.predict_proba(X), np.ones((len(X), 1)))


def test_the_least_standard_deviation_is_a_share_of_the_initial_one() -> None:
    X, y = moons()
    plain = GaussianARTMAP(scaling=None, initial_std=0.4, min_std=0.0, random_state=0).fit(X, y)
    held = GaussianARTMAP(scaling=None, initial_std=0.4, min_std=0.8, random_state=0).fit(X, y)
    assert plain.variances_.min() < 0.5 * 0.32**2
    assert_allclose(held.variances_.min(), 0.32**2)


@every_form
def test_permuted_and_rescaled_columns_make_no_difference(form: dict[str, Any]) -> None:
    X, y = moons()
    moved = X[:, ::-1] * [1e3, 1e-6] + [5e3, -1e-6]
    one = GaussianARTMAP(random_state=0, **form).fit(X, y)
    other = GaussianARTMAP(random_state=0, **form).fit(moved, y)
    assert_array_equal(other.category_classes_, one.category_classes_)
    assert_allclose(other.predict_proba(moved), one.predict_proba(X), atol=1e-6)
    assert_allclose(other.means_, one.means_[:, ::-1] * [1e3, 1e-6] + [5e3, -1e-6], rtol=1e-6)


@every_form
def test_far_from_the_origin_nothing_is_lost(form: dict[str, Any]) -> None:
    X, y = moons()
    one = GaussianARTMAP(random_state=0, **form).fit(X, y)
    other = GaussianARTMAP(random_state=0, **form).fit(X + 1e8, y)
    assert_array_equal(other.category_classes_, one.category_classes_)
    assert_allclose(other.predict_proba(X + 1e8), one.predict_proba(X), atol=1e-4)


def test_the_same_seed_gives_the_same_bits_in_any_number_of_processes() -> None:
    X, y = moons()
    one = GaussianARTMAP(n_voters=3, random_state=5).fit(X, y)
    other = GaussianARTMAP(n_voters=3, random_state=5, n_jobs=2).fit(X, y)
    third = GaussianARTMAP(n_voters=3, random_state=6).fit(X, y)
    assert_array_equal(other.predict_proba(X), one.predict_proba(X))
    assert_array_equal(other.means_, one.means_)
    assert not np.array_equal(third.predict_proba(X), one.predict_proba(X))
    assert_array_equal(np.unique(one.voters_), [0, 1, 2])
    again = GaussianARTMAP(random_state=5).fit(X, y)
    assert_array_equal(again.means_, one.means_[one.voters_ == 0])


def test_voters_take_the_mean_of_their_logarithms() -> None:
    X, y = moons()
    model = GaussianARTMAP(n_voters=3, random_state=0).fit(X, y)
    voters, total = model._voters, np.zeros((len(X), 3))
    for voter in voters:
        model._voters = [voter]
        total += np.maximum(model.predict_log_proba(X), -700.0) / 3.0
    model._voters = voters
    shares = np.exp(total - total.max(axis=1, keepdims=True))
    assert_allclose(model.predict_proba(X), shares / shares.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("kind", [str, object, int, float, bool], ids=lambda kind: kind.__name__)
def test_classes_of_every_kind_also_in_a_file(kind: type, tmp_path: Path) -> None:
    X, codes = moons()
    labels = {
        str: np.array(["c", "a", "b"]),
        object: np.array(["c", "a", "b"], dtype=object),
        int: np.array([7, -3, 2]),
        float: np.array([2.0, 0.0, 1.0]),
        bool: np.array([True, False, True]),
    }[kind]
    model = GaussianARTMAP(random_state=0).fit(X, labels[codes])
    assert (model.predict(X) == labels[codes]).mean() > 0.9
    assert model.predict(X).dtype == model.classes_.dtype
    model.save(tmp_path / "model")
    again = emplus.load(tmp_path / "model")
    assert again.classes_.dtype == model.classes_.dtype
    assert_array_equal(again.predict(X), model.predict(X))


@every_form
def test_a_model_file_goes_on_as_the_model_does(form: dict[str, Any], tmp_path: Path) -> None:
    X, y = moons()
    frame = pd.DataFrame(X, columns=["width", "height"])
    model = GaussianARTMAP(random_state=0, **form).fit(frame, y)
    model.save(tmp_path / "model")
    again = emplus.load(tmp_path / "model")
    assert again.get_params() == {**model.get_params(), "random_state": again.random_state}
    assert again.feature_names_in_.tolist() == ["width", "height"]
    for name in ("n_epochs_", "converged_", "n_samples_seen_", "n_categories_"):
        assert getattr(again, name) == getattr(model, name)
    assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    more = pd.DataFrame(moons(seed=4)[0], columns=["width", "height"])
    for one in (model, again):
        one.partial_fit(more, moons(seed=4)[1])
    assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert_array_equal(again.variances_, model.variances_)
    assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict_proba(frame), model.predict_proba(frame)
    )


def _set(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def damage(arrays: dict[str, Any], facts: dict[str, Any]) -> None:
        (arrays if name in arrays else facts)[name] = value

    return damage


def _classes(kind: str, dtype: str, values: list[Any]) -> dict[str, Any]:
    return {"type": kind, "dtype": dtype, "values": values}


DAMAGES = [
    (_set("means", np.zeros((2, 2))), "do not fit together"),
    (_set("means", np.zeros(2)), "means are not an array of 2 axes"),
    (_set("counts", np.full(5, np.nan)), "counts are not an array of 1 axes of finite"),
    (_set("unit", np.zeros(2)), "units of the columns"),
    (_set("voter_sizes", np.zeros(1)), "without categories"),
    (_set("voter_sizes", np.ones(0)), "without categories"),
    (_set("voter_sizes", np.array([1.5])), "voter_sizes are not whole numbers"),
    (_set("classes", None), "classes are not described"),
    (_set("classes", _classes("int", "<i8", ["a"])), "not what it says"),
    (_set("classes", _classes("nonsense", "<i8", [1])), "not known"),
    (_set("classes", _classes("int", "nonsense", [1, 2])), "not of the type"),
    (_set("classes", _classes("int", "<i8", [1, 1, 2])), "not in order"),
    (_set("classes", _classes("int", "|i1", [1, 2, 1000])), "not of the type"),
    (_set("classes", _classes("int", "<i8", [1, 2])), "whole numbers below 2"),
    (_set("seeds", [[1, 2], [3, 4]]), "one for each voter"),
    (_set("seeds", [["a"]]), "not whole numbers"),
    (_set("n_epochs", -1), "n_epochs is not a count"),
    (_set("n_samples_seen", 1.5), "n_samples_seen is not a count"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_what_does_not_fit_together_is_no_model(damage: Any, sentence: str) -> None:
    model = GaussianARTMAP(random_state=0).fit(*moons())
    arrays, facts = model._pack_model()
    assert all(array.dtype == np.float64 for array in arrays.values())
    facts = json.loads(json.dumps(facts))
    damage(arrays, facts)
    with pytest.raises(ValueError, match=sentence):
        clone(model)._unpack_model(arrays, facts)


@pytest.mark.parametrize("name", ["means", "variances", "counts", "category_classes", "shift"])
def test_a_missing_array_is_refused(name: str) -> None:
    model = GaussianARTMAP(random_state=0).fit(*moons())
    arrays, facts = model._pack_model()
    del arrays[name]
    with pytest.raises(ValueError, match=f"its {name} are not"):
        clone(model)._unpack_model(arrays, facts)


def test_verbose_tells_of_every_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    model = GaussianARTMAP(verbose=1, random_state=0).fit(*moons())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_epochs_
    assert lines[-1].endswith(f"{model.n_categories_} categories")
    GaussianARTMAP(random_state=0).fit(*moons())
    assert capsys.readouterr().out == ""


def test_cross_validation_and_parameters() -> None:
    X, y = moons()
    assert cross_val_score(GaussianARTMAP(random_state=0), X, y, cv=3).min() > 0.85
    few = GaussianARTMAP(initial_std=2.0, random_state=0).fit(X, y).n_categories_
    many = GaussianARTMAP(initial_std=0.1, random_state=0).fit(X, y).n_categories_
    assert few < many
    watchful = GaussianARTMAP(vigilance=0.5, random_state=0).fit(X, np.zeros(len(X)))
    assert watchful.n_categories_ > 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vigilance": 1.0}, "must be below 1"),
        ({"vigilance": -0.1}, "at least 0"),
        ({"initial_std": 0.0}, "above 0"),
        ({"initial_std": [1.0, 0.0]}, "above 0 in every column"),
        ({"initial_std": [1.0]}, r"has shape \(1,\)"),
        ({"min_std": -1.0}, "at least 0"),
        ({"scaling": "standrad"}, "did you mean 'standard'"),
        ({"n_voters": 0}, "at least 1"),
        ({"n_voters": 2, "shuffle": False}, "shuffle=False"),
        ({"max_epochs": 2.5}, "whole number"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"random_state": "now"}, "no seed"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_used(given: dict[str, Any], sentence: str) -> None:
    model = GaussianARTMAP(**given)
    with pytest.raises(ValueError, match=sentence):
        model.fit(*moons())
    with pytest.raises(NotFittedError):
        model.predict([[0.0, 0.0]])
    for name in ("means_", "n_categories_", "voters_"):
        assert not hasattr(model, name)


@every_form
@every_awkward
def test_awkward_rows(X: Array, form: dict[str, Any]) -> None:
    y = np.arange(len(X)) % 2
    for model in (GaussianARTMAP(random_state=0, **form), GaussianARTMAP(**form)):
        learn = model.fit if model.random_state == 0 else model.partial_fit
        shares = learn(X, y).predict_proba(X)
        assert_allclose(shares.sum(axis=1), 1.0)
        assert np.isfinite(model.means_).all()
        assert (model.variances_ > 0.0).all()
        assert np.isfinite(model.predict_proba(-1e3 * X)).all()


@given(awkward_rows())
@settings(max_examples=40)
def test_hostile_streams(X: Array) -> None:
    y = np.where(np.arange(len(X)) % 3 == 0, "a", "b")
    model = GaussianARTMAP(n_voters=2, random_state=0)
    for part in np.array_split(np.arange(len(X)), 1 + len(X) // 9):
        model.partial_fit(X[part], y[part], classes=["a", "b", "never seen"])
    assert model.n_samples_seen_ == len(X)
    assert_allclose(model.counts_.sum(), 2 * len(X))
    shares = model.predict_proba(X)
    assert_allclose(shares.sum(axis=1), 1.0)
    assert_array_equal(shares[:, 2], 0.0)


@pytest.mark.parametrize("winner_take_all", [False, True])
def test_row_by_row_is_one_epoch_in_that_order(winner_take_all: bool) -> None:
    X, y = moons()
    given: dict[str, Any] = {"winner_take_all": winner_take_all, "scaling": None}
    whole = GaussianARTMAP(shuffle=False, max_epochs=1, **given).fit(X, y)
    stream, blocks = GaussianARTMAP(**given), GaussianARTMAP(**given)
    for row, label in zip(X, y, strict=True):
        stream.partial_fit(row[None], [label], classes=[0, 1, 2])
    for part in np.array_split(np.arange(len(X)), 5):
        blocks.partial_fit(X[part], y[part], classes=[2, 1, 0])
    for model in (stream, blocks):
        assert_array_equal(model.category_classes_, whole.category_classes_)
        assert_allclose(model.means_, whole.means_, rtol=1e-9, atol=1e-9)
        assert_allclose(model.variances_, whole.variances_, rtol=1e-9)
        assert model.n_samples_seen_ == whole.n_samples_seen_ == len(X)


def test_the_first_block_sets_the_units() -> None:
    X, y = moons()
    whole = GaussianARTMAP(shuffle=False, max_epochs=1).fit(X, y)
    stream = GaussianARTMAP().partial_fit(X, y)
    assert_array_equal(stream.means_, whole.means_)
    begun = stream.means_[0].copy()
    stream.partial_fit(1e3 * X, y)
    assert_allclose(stream.means_[0], begun, atol=10.0)
    # A fit begins anew.
    stream.set_params(max_epochs=1, shuffle=False).fit(X, y)
    assert_array_equal(stream.means_, whole.means_)
    assert stream.n_samples_seen_ == len(X)


def _nan() -> tuple[Array, list[int]]:
    X = moons(4)[0]
    X[2, 1] = np.nan
    return X, [0, 1, 2, 0]


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "another width": (np.zeros((2, 3)), [0, 1], "3 features.*expecting 2"),
    "an empty block": (np.zeros((0, 2)), [], "0 sample"),
    "an unknown class": (np.zeros((3, 2)), [0, 1, 9], "class 9 in row 2.*argument classes"),
    "a class of another type": (np.zeros((1, 2)), ["a"], "class 'a' in row 0"),
    "NaN": (*_nan(), r"NaN in column 1, row 2.*remove or fill these rows first\."),
    "infinity": (np.array([[np.inf, 0.0]]), [0], r"inf \(infinity\) in column 0, row 0"),
    "too far to be squared": (np.array([[1e200, 0.0]]), [0], "too large to square"),
    "no classes": (np.zeros((2, 2)), None, "requires y"),
    "too few classes": (np.zeros((2, 2)), [0], "inconsistent numbers"),
    "targets of a regression": (np.zeros((2, 2)), [0.5, 1.2], "Unknown label type"),
}


@pytest.mark.parametrize(("X", "y", "sentence"), REFUSED.values(), ids=list(REFUSED))
def test_bad_blocks_of_a_stream_are_refused_and_leave_it_as_it_was(
    X: Any, y: Any, sentence: str
) -> None:
    model = GaussianARTMAP(n_voters=2, random_state=0).partial_fit(*moons())
    before, rows = model.predict_proba(moons()[0]), model.n_samples_seen_
    with pytest.raises(ValueError, match=f"(?s){sentence}"):
        model.partial_fit(X, y)
    assert_array_equal(model.predict_proba(moons()[0]), before)
    assert model.n_samples_seen_ == rows


def test_classes_are_those_of_the_first_call() -> None:
    X, y = moons()
    model = GaussianARTMAP().partial_fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match="class 2 in row 0"):
        model.partial_fit(X[y == 2], y[y == 2])
    with pytest.raises(ValueError, match="not those of the first call"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class 2 in row"):
        GaussianARTMAP().partial_fit(X, y, classes=[0, 1])
    model.partial_fit(X[y < 2], y[y < 2], classes=[1, 0])
    told = GaussianARTMAP().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    told.partial_fit(X, y)
    assert set(told.predict(X)) == {0, 1, 2}


def test_nan_is_refused_by_column_and_row_where_columns_have_names() -> None:
    X, y = moons()
    frame = pd.DataFrame(X, columns=["width", "height"])
    model = GaussianARTMAP().fit(frame, y)
    frame.loc[17, "height"] = np.nan
    for use in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="NaN in column 'height', row 17"):
            use(frame)
    with pytest.raises(ValueError, match="NaN in column 'height', row 17"):
        GaussianARTMAP().fit(frame, y)
