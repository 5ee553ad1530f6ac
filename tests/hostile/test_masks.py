"""Masked arrays: what is masked is missing, whatever lies under the mask."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from emplus import GaussianMixture, MixtureClassifier
from emplus.errors import DataError
from tests.hostile.test_arrays import CLASSIFIERS, ESTIMATORS, MIXTURES, N, classes

HIDDEN = np.random.default_rng(5).random(N.shape) < 0.15
UNDER = np.where(HIDDEN, 1e6, N)
MASKED = np.ma.masked_array(UNDER, mask=HIDDEN)
HOLES = np.where(HIDDEN, np.nan, N)
COUNTS = np.round(np.abs(N)).astype(np.int64)
BINARIZED = {"bernoulli": {"binarize": 0.0}}


def _fitted(name: str, X: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that ran out
        model = ESTIMATORS[name]("em").set_params(**BINARIZED.get(name, {}))
        return model.fit(X, classes(X)) if name in CLASSIFIERS else model.fit(X)


@pytest.mark.parametrize("name", [*MIXTURES, "classifier"])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_masked_entries_are_missing(name: str, kind: Any) -> None:
    rows = COUNTS if kind is np.int64 else N
    masked = np.ma.masked_array(np.where(HIDDEN, 77, rows).astype(kind), mask=HIDDEN)
    holes = np.where(HIDDEN, np.nan, rows).astype(np.float32 if kind is np.float32 else float)
    if name == "categorical" and kind is np.float32:
        holes = holes.astype(np.float64)  # as tables of numbers with gaps are
    model, plain = _fitted(name, masked), _fitted(name, holes)
    for method in ("predict", "predict_proba", "score_samples"):
        expected = getattr(plain, method)(holes)
        np.testing.assert_array_equal(getattr(model, method)(masked), expected)
        np.testing.assert_array_equal(getattr(plain, method)(masked), expected)
    if name == "classifier":
        return
    assert model.score(masked) == plain.score(holes)
    filled = np.asarray(model.impute(masked), dtype=np.float64)
    np.testing.assert_array_equal(filled, np.asarray(plain.impute(holes), dtype=np.float64))
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("name", ["full", "diag", "factors"])
def test_streams_take_masks(name: str) -> None:
    one, other = _fitted(name, N), _fitted(name, N)
    one.partial_fit(MASKED)
    other.partial_fit(HOLES)
    np.testing.assert_array_equal(one.means_, other.means_)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_mask_of_nothing_is_none(name: str) -> None:
    unhidden = np.ma.masked_array(N, mask=np.zeros(N.shape, dtype=bool))
    model, plain = _fitted(name, unhidden), _fitted(name, N)
    np.testing.assert_array_equal(model.predict_proba(unhidden), plain.predict_proba(N))


@pytest.mark.parametrize("name", ["full", "bernoulli", "categorical", "mixed", "artmap"])
def test_masks_are_refused_where_nothing_may_be_missing(name: str) -> None:
    model = ESTIMATORS[name]("em").set_params(**BINARIZED.get(name, {}))
    if name != "artmap":
        model.set_params(allow_missing=False)
    with pytest.raises(DataError, match="NaN"):
        model.fit(MASKED, classes(N)) if name == "artmap" else model.fit(MASKED)


def test_weights_labels_and_classes_that_are_masked_are_not_known() -> None:
    hide = np.arange(len(N)) % 5 == 0
    weight = np.ma.masked_array(np.ones(len(N)), mask=hide)
    with pytest.raises(DataError, match="sample_weight contains NaN"):
        GaussianMixture(2).fit(N, sample_weight=weight)
    labels = (N[:, 0] > 0).astype(int)
    masked, marked = np.ma.masked_array(labels, mask=hide), np.where(hide, -1, labels)
    fits = [GaussianMixture(2, random_state=0).fit(N, labels=given) for given in (masked, marked)]
    np.testing.assert_array_equal(fits[0].means_, fits[1].means_)
    numbers = [MixtureClassifier(random_state=0).fit(N, y) for y in (masked, marked)]
    np.testing.assert_array_equal(numbers[0].classes_, [0, 1])
    assert numbers[0].n_unlabeled_ == hide.sum()
    np.testing.assert_array_equal(numbers[0].predict(N), numbers[1].predict(N))
