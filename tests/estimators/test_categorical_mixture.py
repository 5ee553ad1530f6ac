"""CategoricalMixture: categories of any type, and the maxima that poLCA finds."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import logsumexp

from emplus import CategoricalMixture, load
from emplus.errors import DataError, DataWarning
from tests.cases import tolerated

DATA = Path(os.environ.get("EMPLUS_DATA", "")) / "latent_class"


def codes(n: int = 300, d: int = 6, levels: int = 3, seed: int = 0) -> NDArray[np.intp]:
    """Two classes that prefer other answers."""
    rng = np.random.default_rng(seed)
    own = (rng.integers(2, size=n)[:, None] + np.arange(d)) % levels
    return np.where(rng.random((n, d)) < 0.7, own, rng.integers(levels, size=(n, d)))


def fitted(X: Any, k: int = 2, **arguments: Any) -> CategoricalMixture:
    return CategoricalMixture(k, random_state=0, **arguments).fit(X)


# Categories ------------------------------------------------------------------------------------

WORDS = np.array(["agree", "disagree", "unsure"])
FORMS: dict[str, tuple[Any, list[Any]]] = {
    "text": (lambda X: WORDS[X], ["agree", "disagree", "unsure"]),
    "objects": (lambda X: WORDS.astype(object)[X], ["agree", "disagree", "unsure"]),
    "0, 1, 2": (lambda X: X, [0, 1, 2]),
    "1, 2, 3": (lambda X: X + 1, [1, 2, 3]),
    "1.0, 2.0, 3.0": (lambda X: X + 1.0, [1.0, 2.0, 3.0]),
    "numbers far apart": (lambda X: np.array([-7, 0, 10**9])[X], [-7, 0, 10**9]),
    "lists": (lambda X: WORDS[X].tolist(), ["agree", "disagree", "unsure"]),
    "frame of text": (lambda X: pd.DataFrame(WORDS[X]), ["agree", "disagree", "unsure"]),
    "frame of categoricals": (
        lambda X: pd.DataFrame(WORDS[::-1][X]).astype(
            pd.CategoricalDtype(["unsure", "disagree", "agree", "never said"])
        ),
        ["unsure", "disagree", "agree"],
    ),
    "nullable integers": (lambda X: pd.DataFrame(X + 1).astype("Int64"), [1, 2, 3]),
}


@pytest.mark.parametrize("form", FORMS)
def test_categories_of_any_type_give_the_same_model(form: str) -> None:
    make, categories = FORMS[form]
    X = codes()
    wanted, found = fitted(X), fitted(make(X))
    assert [own.tolist() for own in found.categories_] == [categories] * 6
    for mine, theirs in zip(found.probabilities_, wanted.probabilities_, strict=True):
        assert mine.shape == (2, 3)
        assert_array_equal(mine, theirs)
        assert_allclose(mine.sum(axis=1), 1.0)
    assert_array_equal(found.predict_proba(make(X)), wanted.predict_proba(X))


def test_truth_values_are_categories() -> None:
    X = codes(levels=2).astype(bool)
    model = fitted(X)
    assert [own.tolist() for own in model.categories_] == [[False, True]] * 6
    assert_array_equal(model.predict_proba(X), fitted(X.astype(int)).predict_proba(X.astype(int)))
    rows, _ = model.sample(5, random_state=0)
    assert rows.dtype == bool


def test_scores_are_log_probabilities() -> None:
    X = codes()
    model = fitted(X)
    joint = np.log(model.weights_) + sum(
        np.log(own[:, X[:, column]]).T for column, own in enumerate(model.probabilities_)
    )
    assert_allclose(model.score_samples(X), logsumexp(joint, axis=1), rtol=1e-10)
    total, free = model.score_samples(X).sum(), 2 * 6 * 2 + 1
    assert model.bic(X) == pytest.approx(-2 * total + free * np.log(len(X)))
    assert model.aic(X) == pytest.approx(-2 * total + 2 * free)


def test_the_probabilities_are_smoothed_frequencies() -> None:
    X = codes()
    model = fitted(X, prior=4.0, tol=1e-12, max_iter=5000)
    resp = model.predict_proba(X)
    for column, found in enumerate(model.probabilities_):
        held = np.eye(3)[X[:, column]]
        # The rows, and one more that is spread evenly.
        f = (held.sum(axis=0) + 1 / 3) / (len(X) + 1.0)
        assert_allclose(found, (resp.T @ held + 4 * f) / (resp.sum(axis=0)[:, None] + 4), atol=1e-5)


def test_a_category_not_seen_before_counts_as_missing_and_is_told_once() -> None:
    table = pd.DataFrame(WORDS[codes()], columns=list("abcdef"))
    model = fitted(table)
    new, holed = table.head(20).astype(object), table.head(20).astype(object)
    for row, column in ((3, "b"), (7, "b"), (5, "e")):
        new.loc[row, column], holed.loc[row, column] = f"maybe {row}", None
    with pytest.warns(DataWarning) as said:
        found = model.predict_proba(new)
    (message,) = [str(one.message) for one in said]
    assert "3 entries in all" in message
    assert "'maybe 3' in column 'b' (row 3)" in message
    assert "'maybe 5' in column 'e' (row 5)" in message
    assert_array_equal(found, model.predict_proba(holed))
    # Declared, but in no row of the fit.
    declared = table.astype(pd.CategoricalDtype([*WORDS, "never said"]))
    model, odd = fitted(declared), declared.head(3).copy()
    odd.iloc[0, 0] = "never said"
    with pytest.warns(DataWarning, match="'never said' in column 'a'"):
        assert np.isfinite(model.score_samples(odd)).all()


def test_a_category_that_only_rows_of_no_weight_hold_is_none() -> None:
    X = codes()
    weight = np.ones(len(X))
    weight[:3] = 0.0
    odd = X.copy()
    odd[:3] = 9
    for table, rows in ((odd, X[3:]), (pd.DataFrame(odd), pd.DataFrame(X[3:]))):
        model = CategoricalMixture(2, random_state=0).fit(table, sample_weight=weight)
        wanted = fitted(rows)
        assert [own.tolist() for own in model.categories_] == [[0, 1, 2]] * 6
        assert_array_equal(model.predict_proba(rows), wanted.predict_proba(rows))


def test_a_column_of_one_category_goes_on_and_is_told() -> None:
    X = codes()
    X[:, 2] = 1
    with pytest.warns(DataWarning, match="Column 2 has one value only and tells nothing") as said:
        model = fitted(X)
    assert len(said) == 1
    assert_allclose(model.probabilities_[2], 1.0)
    without = np.delete(X, 2, axis=1)
    assert_allclose(model.score_samples(X), fitted(without).score_samples(without), rtol=1e-6)


REFUSED: dict[str, tuple[Any, str]] = {
    "10,000 categories": (
        pd.DataFrame({"answer": np.arange(10_000) % 3, "id": [f"p{i}" for i in range(10_000)]}),
        "Column 'id' has 10,000 categories, more than 1,000; it may be an identifier. Leave it out",
    ),
    "dates": (
        pd.DataFrame({"a": codes()[:, 0], "day": pd.date_range("2020-01-01", periods=300)}),
        "Column 'day' holds dates or times",
    ),
    "nothing": (np.where([[True, False]], codes()[:, :2] + 0.0, np.nan), "Column 1 has no values"),
    "infinity": (np.where(codes() == 2, np.inf, 0.0), "Column 0 .*infin"),
    "no rows": (np.empty((0, 2)), "0 sample"),
    "too few rows": (codes(n=1), "cannot hold n_components = 2"),
    "flat": (codes()[:, 0], "Expected 2D array, got 1D"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_tables_in_a_sentence(name: str) -> None:
    table, words = REFUSED[name]
    with pytest.raises(ValueError, match=words), tolerated():
        fitted(table)


def test_what_is_missing_may_be_refused() -> None:
    X = WORDS.astype(object)[codes()]
    X[4, 1] = None
    with pytest.raises(DataError, match=r"missing value\) in column 1, row 4; .*allow_missing"):
        fitted(X, allow_missing=False)
    assert np.isfinite(fitted(X).score_samples(X)).all()
    with pytest.raises(TypeError, match="Sparse input is taken by BernoulliMixture only"):
        fitted(csr_array(codes()))


# Samples and files -----------------------------------------------------------------------------


LEVELS = ["low", "mid", "high"]


def of_many_types(n: int = 200) -> pd.DataFrame:
    X = codes(n, 7)
    return pd.DataFrame(
        {
            "text": pd.Series(WORDS[X[:, 0]]),
            "objects": pd.Series(list(WORDS[X[:, 1]]), dtype=object),
            "whole": X[:, 2] + 1,
            "short": (X[:, 3] + 1).astype(np.int8),
            "nullable": pd.Series(X[:, 4]).astype("Int16"),
            "truth": X[:, 5] > 0,
            "ordered": pd.Categorical(np.array(LEVELS)[X[:, 6]], LEVELS, ordered=True),
        }
    )


def test_a_sample_has_the_types_of_the_table() -> None:
    table = of_many_types()
    model = fitted(table)
    rows, labels = model.sample(3000, random_state=0)
    assert rows.dtypes.tolist() == table.dtypes.tolist()
    assert rows.columns.tolist() == table.columns.tolist()
    assert rows["ordered"].cat.categories.tolist() == LEVELS
    for column, name in enumerate(table):
        found = pd.crosstab(labels, rows[name], normalize="index").to_numpy()
        assert_allclose(found, model.probabilities_[column], atol=0.05)
    array, _ = fitted(WORDS[codes()]).sample(4, random_state=0)
    assert array.dtype.kind == "U"
    assert set(np.unique(array)) <= set(WORDS)


def test_a_file_keeps_categories_and_their_types(tmp_path: Path) -> None:
    table = of_many_types()
    model = fitted(table)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.coding_ == model.coding_
    for mine, theirs in zip(again.categories_, model.categories_, strict=True):
        assert (mine.dtype, mine.tolist()) == (theirs.dtype, theirs.tolist())
    assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    mine, theirs = again.sample(50, random_state=2)[0], model.sample(50, random_state=2)[0]
    pd.testing.assert_frame_equal(mine, theirs)


def test_impute_takes_the_likeliest_category() -> None:
    table = of_many_types()
    model = fitted(table)
    holed = table.astype(object).copy()
    holed.iloc[::3, 0], holed.iloc[::4, 6] = None, None
    filled = model.impute(holed)
    assert filled.dtypes.tolist() == table.dtypes.tolist()
    expected = model.predict_proba(holed) @ model.probabilities_[0]
    wanted = model.categories_[0][expected.argmax(axis=1)]
    assert filled["text"][::3].tolist() == wanted[::3].tolist()
    kept = holed.notna()
    assert (filled.astype(object)[kept].fillna(0) == holed[kept].fillna(0)).all(axis=None)


# poLCA -----------------------------------------------------------------------------------------

# Maxima that R's poLCA 1.6 finds from 20 starts: file, columns, k, log-likelihood, BIC.
POLCA = [
    ("carcinoma", "ABCDEFG", 2, -317.2568, None),
    ("carcinoma", "ABCDEFG", 3, -293.7050, 697.1357),
    ("carcinoma", "ABCDEFG", 4, -289.2858, None),
    ("cheating", ["LIEEXAM", "LIEPAPER", "FRAUD", "COPYEXAM"], 2, -440.0271, 931.9409),
]


@pytest.mark.skipif(not DATA.is_dir(), reason="EMPLUS_DATA does not name a folder with these data")
@pytest.mark.parametrize(("file", "columns", "k", "log_likelihood", "bic"), POLCA)
@pytest.mark.parametrize("seed", range(3))
def test_reaches_the_maxima_of_polca(
    file: str, columns: Any, k: int, log_likelihood: float, bic: float | None, seed: int
) -> None:
    table = pd.read_csv(DATA / f"{file}.csv")[list(columns)]
    model = CategoricalMixture(k, prior=1e-6, tol=1e-9, max_iter=10_000, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table)
    assert model.score(table) * len(table) == pytest.approx(log_likelihood, abs=1e-3)
    if bic is not None:
        assert model.bic(table) == pytest.approx(bic, abs=2e-3)
