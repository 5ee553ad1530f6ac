"""MixedMixture: tables of several kinds of columns as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from emplus import CategoricalMixture, GaussianMixture, MixedMixture, load
from emplus.datasets import make_mixed_table
from emplus.errors import ArgumentError, DataError, DataWarning, UnknownNameError
from tests.cases import COVARIANCE_TYPES, tolerated

KINDS = {
    "age": "continuous",
    "siblings": "continuous",
    "retired": "binary",
    "smokes": "binary",
    "music": "categorical",
    "region": "categorical",
    "team": "categorical",
    "won": "binary",
}


def people(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """Young and old, in columns of every type, with holes in most of them."""
    rng = np.random.default_rng(seed)
    old = rng.random(n) < 0.4
    index = pd.Index([f"person {i}" for i in range(n)][::-1])

    def column(values: Any, dtype: Any = None, holes: float = 0.1) -> pd.Series[Any]:
        missing = rng.random(n) < holes
        held = [None if gone else value for gone, value in zip(missing, values, strict=True)]
        return pd.Series(held, index=index, dtype=dtype)

    music = np.where(rng.random(n) < 0.8, np.where(old, "jazz", "pop"), "folk")
    return pd.DataFrame(
        {
            "age": column(np.where(old, 65.0, 25.0) + 4 * rng.standard_normal(n), float),
            "siblings": column(rng.poisson(np.where(old, 4, 1)), "Int64"),
            "retired": column(old & (rng.random(n) < 0.8), bool, holes=0.0),
            "smokes": column(rng.random(n) < np.where(old, 0.2, 0.5), "boolean"),
            "music": column(music, "str"),
            "region": column(
                np.array(["north", "south"])[rng.integers(0, 2, n)],
                pd.CategoricalDtype(["south", "north", "abroad"]),
            ),
            "team": column(np.where(rng.random(n) < 0.5, "red", "blue"), object),
            "won": column(rng.integers(0, 2, n), int, holes=0.0),
        }
    )


def fitted(table: Any, k: int = 2, **arguments: Any) -> MixedMixture:
    return MixedMixture(k, **{"random_state": 0, **arguments}).fit(table)


# Kinds -----------------------------------------------------------------------------------------


def test_kinds_are_inferred() -> None:
    model = fitted(people())
    assert dict(zip(KINDS, model.coding_.kinds, strict=True)) == KINDS
    assert model.means_.shape == (2, 2)
    assert model.covariances_.shape == (2, 2, 2)
    others = [name for name, kind in KINDS.items() if kind != "continuous"]
    assert list(model.probabilities_) == list(model.categories_) == others
    assert model.categories_["retired"].tolist() == [False, True]
    assert model.categories_["music"].tolist() == ["folk", "jazz", "pop"]
    assert model.categories_["region"].tolist() == ["south", "north"]
    assert model.categories_["won"].tolist() == [0, 1]
    for name in others:
        assert model.probabilities_[name].shape == (2, len(model.categories_[name]))
        assert_allclose(model.probabilities_[name].sum(axis=1), 1.0)
    old = int(model.means_[:, 0].argmax())
    assert_allclose(np.sort(model.means_[:, 0]), [25.0, 65.0], atol=2.0)
    assert_allclose(model.probabilities_["retired"][old, 1], 0.8, atol=0.1)
    assert len(model.prior_) == 3


def test_kinds_are_overridden() -> None:
    table = people()
    model = fitted(table, continuous=["won"], binary=["team"], categorical=["siblings", 2])
    changed = {"won": "continuous", "team": "binary", "siblings": "categorical"}
    wanted = KINDS | changed | {"retired": "categorical"}
    assert dict(zip(KINDS, model.coding_.kinds, strict=True)) == wanted
    assert model.means_.shape == (2, 2)
    assert model.categories_["team"].tolist() == ["blue", "red"]
    assert model.categories_["siblings"].tolist()[:3] == [0, 1, 2]


def test_an_array_has_numbers_for_names() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(90), rng.integers(0, 2, 90), rng.integers(0, 4, 90)])
    model = fitted(X, categorical=[2])
    assert model.coding_.kinds == ("continuous", "binary", "categorical")
    assert list(model.probabilities_) == [1, 2]
    assert model.sample(3, random_state=0)[0].dtype == np.float64


def test_zero_weights_are_rows_that_are_not_there() -> None:
    table = people()
    weight = np.ones(len(table))
    weight[:5] = 0.0
    odd = table.copy()
    # Neither a kind nor a category is told by such rows.
    odd.iloc[:5, 7], odd.iloc[:5, 4] = 9, "noise"
    model = MixedMixture(2, random_state=0).fit(odd, sample_weight=weight)
    wanted = fitted(table.iloc[5:])
    assert model.coding_ == wanted.coding_
    assert_array_equal(model.predict_proba(table), wanted.predict_proba(table))


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "twice": ({"binary": ["team"], "categorical": ["team"]}, ArgumentError, "'team' is listed as"),
    "unknown": ({"categorical": ["musik"]}, UnknownNameError, "did you mean 'music'"),
    "place": ({"binary": [8]}, ArgumentError, "binary holds 8; places of columns are 0 to 7"),
    "not two": ({"binary": ["music"]}, DataError, "'music' is to be binary, but it holds 3 values"),
    "text": ({"continuous": ["music"]}, DataError, "Column 'music'"),
    "factors": ({"n_factors": 3}, ArgumentError, "n_factors=3 is more than the 2 continuous col"),
    "covariance": ({"covariance_type": "ful"}, UnknownNameError, "did you mean 'full'"),
    "prior": ({"prior": "strong"}, UnknownNameError, "Unknown prior 'strong'"),
    "reg_covar": ({"reg_covar": -2}, ArgumentError, "reg_covar=-2 must be finite and at least 0"),
    "labels": ({"n_components": 0}, ArgumentError, "n_components=0 is too small"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_arguments_in_a_sentence(name: str) -> None:
    arguments, error, words = BAD[name]
    with pytest.raises(error, match=words):
        MixedMixture(**{"n_components": 2, **arguments}).fit(people())


SPOILED: dict[str, tuple[Any, str]] = {
    "a date": (pd.date_range("2020-01-01", periods=240), "Column 'new' holds dates or times"),
    "nothing": ([None] * 240, "Column 'new' has no values: all of its entries are missing"),
    "no number": (np.full(240, np.nan), "Column 'new' has no values"),
    "infinity": (np.r_[np.inf, np.zeros(239) + 0.5], "infin.*column 'new'|Column 'new'.*infin"),
    "complex": (np.full(240, 1j), "complex"),
    "too many": ([f"p{i % 1001}" for i in range(240)] * 5, "1,001 categories, more than 1,000"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_refuses_columns_in_a_sentence(name: str) -> None:
    values, words = SPOILED[name]
    table = people()
    if len(values) > len(table):
        table = pd.concat([table] * 5)
        values = [f"p{i}" for i in range(1001)] + ["p0"] * (len(table) - 1001)
    with pytest.raises(ValueError, match=words), tolerated():
        fitted(table.assign(new=values))


# Tables in, tables out -------------------------------------------------------------------------


def test_a_sample_has_the_types_of_the_table() -> None:
    table = people()
    rows, labels = fitted(table).sample(50, random_state=0)
    assert rows.dtypes.tolist() == table.dtypes.tolist()
    assert rows.columns.tolist() == list(KINDS)
    assert not rows.isna().any(axis=None)
    assert set(rows["music"]) <= {"folk", "jazz", "pop"}
    assert len(labels) == 50


@pytest.mark.parametrize("how", ["impute", "sample_missing"])
def test_filling_keeps_what_is_there(how: str) -> None:
    table = people()
    model = fitted(table)
    filled = model.impute(table) if how == "impute" else model.sample_missing(table, 0)
    assert filled.index.tolist() == table.index.tolist()
    assert filled.columns.tolist() == table.columns.tolist()
    assert filled.dtypes.tolist() == table.dtypes.tolist()
    assert not filled.isna().any(axis=None)
    for name in table:
        kept = table[name].notna()
        assert filled[name][kept].tolist() == table[name][kept].tolist()
    # An old person is expected to like jazz.
    lacking = table["music"].isna() & (table["age"] > 50)
    if how == "impute":
        assert set(filled["music"][lacking]) == {"jazz"}


def test_columns_must_come_in_the_order_of_the_fit() -> None:
    table = people()
    model = fitted(table)
    with pytest.raises(ValueError, match="same order"):
        model.predict(table[list(KINDS)[::-1]])
    with pytest.raises(ValueError, match=r"(?s)feature names.*music"):
        model.predict(table.drop(columns="music"))
    plain = fitted(table.to_numpy())
    with pytest.raises(ValueError, match="7 features"):
        plain.predict(table.drop(columns="music").to_numpy())


def test_an_unseen_category_counts_as_missing() -> None:
    table = people()
    model = fitted(table)
    odd, holed = table.head(9).copy(), table.head(9).copy()
    odd.loc[odd.index[2], "music"], holed.loc[holed.index[2], "music"] = "techno", None
    with pytest.warns(DataWarning, match=r"1 entry in all: 'techno' in column 'music' \(row 2\)"):
        found = model.predict_proba(odd)
    assert_array_equal(found, model.predict_proba(holed))


class Foreign:
    """A table of another library: it converts itself, or speaks the interchange protocol."""

    def __init__(self, frame: pd.DataFrame, how: str):
        self.shape, self.columns = frame.shape, frame.columns
        if how == "to_pandas":
            self.to_pandas = lambda: frame
        else:
            self.__dataframe__ = frame.__dataframe__


@pytest.mark.filterwarnings("ignore:.*interchange:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*__dataframe__")
@pytest.mark.parametrize("how", ["to_pandas", "__dataframe__"])
def test_tables_of_other_libraries(how: str) -> None:
    table = people()[["age", "retired", "music"]].dropna()
    wanted = fitted(table)
    model = fitted(Foreign(table, how))
    assert model.coding_.kinds == ("continuous", "binary", "categorical")
    assert_array_equal(model.predict_proba(Foreign(table, how)), wanted.predict_proba(table))


def test_a_file_keeps_kinds_and_types(tmp_path: Path) -> None:
    table = people()
    model = fitted(table, n_factors=1)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.coding_ == model.coding_
    assert again.feature_names_in_.tolist() == list(KINDS)
    assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    assert_array_equal(again.covariances_, model.covariances_)
    pd.testing.assert_frame_equal(again.impute(table), model.impute(table))
    mine, theirs = again.sample(50, random_state=2)[0], model.sample(50, random_state=2)[0]
    pd.testing.assert_frame_equal(mine, theirs)


# The model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_classes_of_a_table_with_holes(seed: int) -> None:
    """Three continuous columns 4 standard deviations apart, 4 binary, 2 categorical; 10 % holes."""
    drawn = make_mixed_table(
        1000, k=3, continuous=3, binary=4, categorical=2, separation=4.0, missing=0.1, seed=seed
    )
    model = fitted(drawn.table, 3)
    assert model.coding_.kinds == ("continuous",) * 3 + ("binary",) * 4 + ("categorical",) * 2
    assert adjusted_rand_score(drawn.y, model.predict(drawn.table)) >= 0.9
    # Kullback-Leibler divergence: about the number of free parameters over twice the rows.
    rows, _ = drawn.mixture.sample(4000, np.random.default_rng(seed))
    lost = drawn.mixture.log_density(rows) - model.mixture_.log_density(rows)
    assert 0 < lost.mean() < model.mixture_.n_free_parameters / 1000


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_numbers_alone_are_a_gaussian_mixture(covariance_type: str) -> None:
    X = make_mixed_table(300, binary=0, categorical=0, seed=0).complete.to_numpy()
    arguments: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 0}
    ours = MixedMixture(3, **arguments).fit(X)
    theirs = GaussianMixture(3, **arguments).fit(X)
    assert ours.result_.objective == pytest.approx(theirs.result_.objective, abs=1e-8)
    assert_allclose(ours.means_, theirs.means_, atol=1e-8)
    assert ours.covariances_.shape == theirs.covariances_.shape
    assert ours.bic(X) == pytest.approx(theirs.bic(X), abs=1e-6)


def test_text_alone_is_a_categorical_mixture() -> None:
    table = make_mixed_table(300, continuous=1, categorical=6, seed=0).table.iloc[:, 5:]
    ours = fitted(table, 3, tol=1e-12)
    theirs = CategoricalMixture(3, tol=1e-12, random_state=0).fit(table)
    assert ours.result_.objective == pytest.approx(theirs.result_.objective, abs=1e-8)
    assert_allclose(ours.score_samples(table), theirs.score_samples(table), atol=1e-5)
    assert ours.means_.shape == (3, 0)
    assert ours.covariances_.shape == (3, 0, 0)


@pytest.mark.parametrize(
    "arguments",
    [{"n_factors": 1}, {"n_factors": 0}, *({"covariance_type": name} for name in COVARIANCE_TYPES)],
    ids=str,
)
def test_every_kind_of_continuous_part(arguments: dict[str, Any]) -> None:
    drawn = make_mixed_table(400, seed=1)
    model = fitted(drawn.table, 3, **arguments)
    shapes = {"tied": (3, 3), "diag": (3, 3), "spherical": (3,)}
    assert model.covariances_.shape == shapes.get(arguments.get("covariance_type", ""), (3, 3, 3))
    assert adjusted_rand_score(drawn.y, model.predict(drawn.table)) > 0.85
    assert model.converged_
    free = model.mixture_.n_free_parameters
    total = model.score_samples(drawn.table).sum()
    assert model.bic(drawn.table) == pytest.approx(-2 * total + free * np.log(400))


def test_the_parts_are_independent_given_the_component() -> None:
    drawn = make_mixed_table(400, missing=0.0, seed=2)
    model = fitted(drawn.table, 1)
    numbers = GaussianMixture(1).fit(drawn.codes[:, :3])
    rest = drawn.table.iloc[:, 3:]
    others = fitted(rest, 1)
    wanted = numbers.score_samples(drawn.codes[:, :3]) + others.score_samples(rest)
    assert_allclose(model.score_samples(drawn.table), wanted, rtol=1e-6)
