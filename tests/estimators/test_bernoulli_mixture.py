"""BernoulliMixture: what it reads, what it says, what it keeps in memory."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from emplus import BernoulliMixture, load
from emplus.errors import ArgumentError, DataError, UnknownNameError
from emplus.numerics.sparse import is_sparse
from tests.cases import tolerated

Array = NDArray[np.floating]


def answers(n: int = 300, d: int = 6, seed: int = 0) -> NDArray[np.bool_]:
    """Three groups; each says yes to another third of the questions."""
    rng = np.random.default_rng(seed)
    likely = np.repeat(np.eye(3), -(-d // 3), axis=1)[:, :d][rng.integers(3, size=n)]
    return np.asarray(rng.random((n, d)) < 0.15 + 0.7 * likely)


def fitted(X: Any = None, k: int = 3, **arguments: Any) -> BernoulliMixture:
    return BernoulliMixture(k, random_state=0, **arguments).fit(answers() if X is None else X)


# What it reads ---------------------------------------------------------------------------------

FORMS: dict[str, Callable[[Any], Any]] = {
    "int64": lambda X: X.astype(np.int64),
    "uint8": lambda X: X.astype(np.uint8),
    "float64": lambda X: X.astype(np.float64),
    "Fortran order": lambda X: np.asfortranarray(X.astype(np.float64)),
    "lists": lambda X: X.astype(int).tolist(),
    "objects": lambda X: X.astype(int).astype(object),
    "data frame": lambda X: pd.DataFrame(X.astype(int)).to_numpy(),
    "other numbers": lambda X: np.where(X, 7.5, -2.0),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_any_form_give_the_same_bits(form: str) -> None:
    X = answers()
    wanted, found = fitted(X), fitted(FORMS[form](X))
    assert_array_equal(found.probabilities_, wanted.probabilities_)
    assert_array_equal(found.predict_proba(FORMS[form](X)), wanted.predict_proba(X))
    assert found.lower_bound_ == wanted.lower_bound_
    assert found.prior_.strength == wanted.prior_.strength


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float64])
@pytest.mark.parametrize("make", [csr_array, csr_matrix, csc_array, coo_array])
def test_sparse_rows_give_the_same_fit(make: Any, dtype: Any) -> None:
    X = answers()
    rows = make(X.astype(dtype))
    wanted, found = fitted(X, search="em"), fitted(rows, search="em")
    # The products are summed in another order.
    assert_allclose(found.probabilities_, wanted.probabilities_, rtol=1e-9)
    assert_allclose(found.score_samples(rows), wanted.score_samples(X), rtol=1e-9)
    assert_array_equal(found.predict(rows), found.predict(X))
    assert_allclose(found.bic(rows), wanted.bic(X))


def test_sparse_rows_give_the_same_bits_whatever_holds_them() -> None:
    X = answers()
    stored = csr_array(X.astype(float))
    # Zeros that are stored, numbers below the threshold, and columns out of order.
    odd = csr_array(np.where(X, 3.0, 0.5))
    other = csr_array((stored.data, stored.indices.copy(), stored.indptr), shape=stored.shape)
    for row in range(X.shape[0]):
        own = slice(other.indptr[row], other.indptr[row + 1])
        other.indices[own] = other.indices[own][::-1]
    for rows, binarize in ((odd, 1.0), (other, 0.0), (csr_array(X), 0.0)):
        found = fitted(rows, binarize=binarize)
        assert_array_equal(found.probabilities_, fitted(stored).probabilities_)


@pytest.mark.parametrize(("binarize", "ones"), [(-2.0, 5), (-1.0, 4), (0.0, 3), (1.0, 2), (1.5, 2)])
def test_values_above_the_threshold_are_ones(binarize: float, ones: int) -> None:
    X = np.column_stack([np.tile([-1.0, 0.0, 1.0, 2.0, 2.0], 4), np.arange(20) % 4 - 1.5])
    with tolerated():  # of a column of ones alone
        model = BernoulliMixture(1, binarize=binarize, prior=0.0).fit(X)
    assert_allclose(model.probabilities_[0, 0], ones / 5, atol=1e-12)


def test_without_a_threshold_the_rows_must_be_zeros_and_ones() -> None:
    X = answers().astype(float)
    assert_array_equal(fitted(X, binarize=None).probabilities_, fitted(X).probabilities_)
    X[17, 4] = 2.5
    with pytest.raises(DataError, match=r"Column 4 holds 2\.5 in row 17, neither 0 nor 1; set"):
        fitted(X, binarize=None)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    with pytest.raises(DataError, match=r"Column 'e' holds 2\.5"):
        fitted(frame, binarize=None)
    with pytest.raises(DataError, match=r"holds 2\.5, neither 0 nor 1"):
        fitted(csr_array(X), binarize=None)
    model = fitted(X[18:], binarize=None)
    with pytest.raises(DataError, match="Column 4"):
        model.predict(X)
    X[17, 4] = np.nan
    assert np.isfinite(fitted(X, binarize=None).score_samples(X)).all()


def test_missing_entries_survive_the_threshold() -> None:
    X = np.where(answers(), 3.0, -3.0)
    X[::5, 2] = np.nan
    model = fitted(X)
    filled = model.impute(X)
    assert set(np.unique(filled)) == {0.0, 1.0}
    there = ~np.isnan(X)
    assert_array_equal(filled[there], X[there] > 0)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "binarize text": ({"binarize": "half"}, "binarize='half' is neither a number nor None"),
    "binarize True": ({"binarize": True}, "binarize=True is neither a number nor None"),
    "binarize NaN": ({"binarize": np.nan}, "binarize=nan must be finite"),
    "prior": ({"prior": -1.0}, r"prior=-1\.0 must be finite and at least 0"),
    "prior name": ({"prior": "aut"}, "Unknown prior 'aut'; did you mean 'auto'"),
    "prior None": ({"prior": None}, "prior=None is not a number"),
    "prior list": ({"prior": [1.0]}, "is not a number"),
    "prior inf": ({"prior": np.inf}, "prior=inf must be finite"),
    "shape": ({"probabilities_init": [[0.5]]}, r"has shape \(1, 1\); it must be \(2, 6\)"),
    "one": ({"probabilities_init": np.ones((2, 6))}, "must lie above 0 and below 1"),
    "zero": ({"probabilities_init": np.zeros((2, 6))}, "must lie above 0 and below 1"),
    "text": ({"probabilities_init": "even"}, "probabilities_init holds something that is not"),
    "weights": ({"weights_init": [0.9, 0.3]}, "weights_init must be at least 0 and sum to 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_arguments_in_a_sentence(name: str) -> None:
    arguments, words = BAD[name]
    with pytest.raises((ArgumentError, UnknownNameError), match=words):
        BernoulliMixture(2, **arguments).fit(answers().astype(float))


def test_refuses_rows_in_a_sentence() -> None:
    X = answers().astype(float)
    with pytest.raises(ArgumentError, match=r"binarize=-0\.5 is below 0.*dense array"):
        fitted(csr_array(X), binarize=-0.5)
    for rows in (X, csr_array(X)):
        bad = rows.copy()
        bad[3, 1] = np.inf
        with pytest.raises(DataError, match="infinity"):
            fitted(bad)
    bad = csr_array(X)
    bad.data[5] = np.nan
    with pytest.raises(DataError, match="Sparse rows cannot hold missing entries"):
        fitted(bad)
    with pytest.raises(DataError, match="NaN"):
        fitted(np.where(answers(), 1.0, np.nan), allow_missing=False)
    with pytest.raises(ValueError, match="could not convert string to float"):
        fitted([["yes"], ["no"], ["yes"]], k=1)
    with pytest.raises(DataError, match="cannot hold n_components = 9"):
        fitted(csr_array(X[:4]), k=9)


def test_neither_rows_nor_weights_are_written_to() -> None:
    forms: list[Any] = [
        answers(),
        np.where(answers(), 1.0, -1.0),
        csr_array(answers(), dtype=float),
    ]
    for rows in forms:
        weight = np.linspace(0.0, 2.0, rows.shape[0])
        held = rows.data if is_sparse(rows) else rows
        before = held.copy()
        for array in (held, weight):
            array.setflags(write=False)
        model = BernoulliMixture(2, random_state=0).fit(rows, sample_weight=weight)
        model.predict(rows)
        assert_array_equal(held, before)


# Memory ----------------------------------------------------------------------------------------


def peak(work: Any) -> float:
    """Bytes that the work held at most."""
    tracemalloc.start()
    try:
        work()
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_boolean_rows_are_not_copied_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).integers(0, 2, (200_000, 50), dtype=np.uint8).view(bool)
    # A start looks at some of the rows only; at this size that would be half of them.
    monkeypatch.setattr("emplus.starts.base.MOST_ROWS", 5_000)
    model = BernoulliMixture(2, search="em", max_iter=2, random_state=0, n_jobs=1)
    with tolerated():
        assert peak(lambda: model.fit(X)) < 0.25 * X.size * 8
    assert peak(lambda: model.predict(X)) < 0.25 * X.size * 8


def test_sparse_rows_are_never_made_dense() -> None:
    rng = np.random.default_rng(0)
    ones = (
        np.ones(200_000),
        (rng.integers(20_000, size=200_000), rng.integers(5_000, size=200_000)),
    )
    X = csr_array(coo_array(ones, shape=(20_000, 5_000)))
    model = BernoulliMixture(3, search="em", max_iter=2, random_state=0, n_jobs=1)
    # Dense, the rows would take 100 MB as booleans and 800 MB as numbers.
    with tolerated():
        assert peak(lambda: model.fit(X)) < 50e6
    assert peak(lambda: model.predict_proba(X)) < 20e6


# What it says ----------------------------------------------------------------------------------


def test_scores_are_log_probabilities() -> None:
    model = fitted()
    grid = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    theta = model.probabilities_
    log_joint = np.log(model.weights_) + grid @ np.log(theta).T + (1 - grid) @ np.log(1 - theta).T
    assert_allclose(model.score_samples(grid), logsumexp(log_joint, axis=1), rtol=1e-10)
    assert_allclose(np.exp(model.score_samples(grid)).sum(), 1.0)
    assert_allclose(
        model.marginal([4, 0]).log_density(grid[:, [4, 0]]), _summed(model, grid, [4, 0])
    )
    given = model.condition([1, 5], [1.0, 0.0]).log_density(grid[:, [0, 2, 3, 4]])
    rows = grid[(grid[:, 1] == 1) & (grid[:, 5] == 0)]
    wanted = model.score_samples(rows) - model.marginal([1, 5]).log_density([[1.0, 0.0]])
    assert_allclose(np.unique(given.round(9)), np.unique(wanted.round(9)))


def _summed(model: BernoulliMixture, grid: Array, columns: list[int]) -> Array:
    """Log probabilities of some columns, by adding up those of all rows that agree in them."""
    density = np.exp(model.score_samples(grid))
    agree = (grid[:, None, columns] == grid[None, :, columns]).all(axis=2)
    return np.asarray(np.log(agree @ density))


def test_criteria_are_their_formulas() -> None:
    X = answers()
    model, n = fitted(X), len(X)
    log_density, free = model.score_samples(X), 3 * 6 + 2
    assert model.score(X) == pytest.approx(log_density.mean())
    assert model.aic(X) == pytest.approx(-2 * log_density.sum() + 2 * free)
    assert model.bic(X) == pytest.approx(-2 * log_density.sum() + free * np.log(n))
    unsure = -np.log(model.predict_proba(X).max(axis=1)).sum()
    assert model.icl(X) == pytest.approx(model.bic(X) + 2 * unsure)
    assert model.lower_bound_ == pytest.approx(model.score(X))
    twice = np.full(n, 2.0)
    assert model.bic(X, twice) == pytest.approx(-4 * log_density.sum() + free * np.log(2 * n))


def test_the_probabilities_are_smoothed_frequencies() -> None:
    X = answers()
    for prior in (1e-6, 0.5, 20.0):
        model = fitted(X, prior=prior, tol=1e-12, max_iter=5000)
        resp, f = model.predict_proba(X), model.prior_.frequencies
        assert model.prior_.strength == prior
        assert_allclose(f, (X.sum(axis=0) + 0.5) / (len(X) + 1.0))
        wanted = (resp.T @ X + prior * f) / (resp.sum(axis=0)[:, None] + prior)
        assert_allclose(model.probabilities_, wanted, atol=1e-5)


def test_the_prior_keeps_probabilities_from_0_and_1() -> None:
    X = np.repeat(np.eye(4, dtype=bool), 20, axis=0)
    for prior in ("auto", 1e-6):
        model = fitted(X, 4, prior=prior)
        assert (model.probabilities_ > 0).all()
        assert (model.probabilities_ < 1).all()
        assert np.isfinite(model.score_samples(~X)).all()
    auto = fitted(X, 4).prior_.strength
    assert auto in [2.0**power for power in range(-7, 5)]


def test_a_sample_is_of_zeros_and_ones() -> None:
    model = fitted()
    rows, labels = model.sample(4000, random_state=0)
    assert set(np.unique(rows)) == {0.0, 1.0}
    for j in range(3):
        assert_allclose(rows[labels == j].mean(axis=0), model.probabilities_[j], atol=0.08)
    assert_array_equal(model.means_, model.probabilities_)


# What it starts from and keeps -----------------------------------------------------------------


def test_given_starts_are_used() -> None:
    X = answers()
    theta = np.array([[0.9] * 3 + [0.1] * 3, [0.1] * 3 + [0.9] * 3])
    arguments: dict[str, Any] = {"search": "em", "max_iter": 1, "tol": 0.0, "prior": 1.0}
    model = BernoulliMixture(2, probabilities_init=theta, weights_init=[0.25, 0.75], **arguments)
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    rows = X.astype(float)
    joint = np.log([0.25, 0.75]) + rows @ np.log(theta).T + (1 - rows) @ np.log(1 - theta).T
    assert model.result_.log_likelihoods[0] == pytest.approx(logsumexp(joint, axis=1).sum())
    resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    f = model.prior_.frequencies
    assert_allclose(
        model.probabilities_, (resp.T @ rows + f) / (resp.sum(axis=0)[:, None] + 1.0), rtol=1e-9
    )


def test_warm_start_goes_on_from_the_fit_before() -> None:
    X = answers()
    model = fitted(X, warm_start=True)
    before = model.result_.log_likelihood
    model.fit(X)
    assert model.result_.log_likelihoods[0] == pytest.approx(before)
    assert model.n_iter_ <= 2
    with pytest.raises(ValueError, match="3 components, not 4"):
        model.set_params(n_components=4).fit(X)


def test_a_file_keeps_every_bit(tmp_path: Path) -> None:
    frame = pd.DataFrame(answers().astype(float), columns=list("abcdef")).mask(answers(seed=9))
    model = fitted(frame, binarize=0.5)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.get_params() == model.get_params()
    assert again.feature_names_in_.tolist() == list("abcdef")
    assert_array_equal(again.probabilities_, model.probabilities_)
    assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert_array_equal(again.sample(9, random_state=1)[0], model.sample(9, random_state=1)[0])
