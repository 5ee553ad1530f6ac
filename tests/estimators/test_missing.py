"""Missing entries in estimators: what a fit makes of them, and how they are filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from emplus import FactorAnalyzerMixture, GaussianMixture, Mixture, datasets
from emplus.engine.problem import Problem
from emplus.errors import DataError, DataWarning
from tests.cases import COVARIANCE_TYPES, tolerated
from tests.estimators.examples import Example, every_example, take, with_holes

Array = NDArray[np.floating]

# Against what one does otherwise -------------------------------------------------------------

TABLES: dict[str, Callable[[], Array]] = {
    "iris": lambda: datasets.load("iris").X,
    "wine": lambda: datasets.load("wine").X,
    "generated": lambda: datasets.make_mixture("overlapping", 600, d=4, separation=4.0, seed=0).X,
}


@dataclass(frozen=True)
class From:
    """A start: this mixture."""

    mixture: Mixture

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        return self.mixture


def distance(model: Any, other: Any, spread: Array) -> float:
    """Of the parameters of two fits, components matched, in units of the columns' spreads."""
    found = []
    for order in permutations(range(3)):
        chosen = list(order)
        means = (model.means_[chosen] - other.means_) / spread
        covariances = (model.covariances_[chosen] - other.covariances_) / np.outer(spread, spread)
        weights = model.weights_[chosen] - other.weights_
        found.append((means**2).mean() + (covariances**2).mean() + (weights**2).mean())
    return float(np.sqrt(min(found)))


def deleted(X: Array, seed: int) -> NDArray[np.bool_]:
    """Which entries go: 30 % of them at random, but one of each row stays."""
    rng = np.random.default_rng(seed)
    gone = rng.random(X.shape) < 0.3
    gone[np.arange(len(X)), rng.integers(0, X.shape[1], len(X))] = False
    return np.asarray(gone)


@pytest.mark.parametrize("name", TABLES)
def test_is_nearer_to_the_complete_fit_than_mean_imputation_and_dropping_rows(name: str) -> None:
    X = TABLES[name]()
    spread = X.std(axis=0)
    whole = GaussianMixture(3, random_state=0).fit(X)
    distances, errors = [], []
    for seed in range(4):
        gone = deleted(X, seed)
        holed = np.where(gone, np.nan, X)
        imputed, complete = np.where(gone, np.nanmean(holed, axis=0), X), X[~gone.any(axis=1)]
        # All from the fit to the complete rows: so it is seen what they make of the holes, and not
        # which of several optima a search prefers.
        start: dict[str, Any] = {"init_params": From(whole.mixture_), "search": "em"}

        def error(filled: Array, X: Array = X, gone: Any = gone) -> float:
            return float(np.sqrt((((filled - X) / spread)[gone] ** 2).mean()))

        ours = GaussianMixture(3, **start).fit(holed)
        theirs = GaussianMixture(3, **start).fit(imputed)
        distances.append([distance(one, whole, spread) for one in (ours, theirs)] + [np.inf])
        errors.append([error(ours.impute(holed)), error(imputed), np.inf])
        # Of 13 columns hardly a row is complete.
        if len(complete) > 3 * X.shape[1]:
            dropped = GaussianMixture(3, **start).fit(complete)
            distances[-1][2] = distance(dropped, whole, spread)
            errors[-1][2] = error(dropped.impute(holed))
    for table in (np.array(distances), np.array(errors)):
        assert (table[:, 0] < table[:, 1]).all()
        assert table[:, 0].mean() < table.mean(axis=0)[1:].min()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_finds_the_truth_through_the_holes(covariance_type: str) -> None:
    drawn = datasets.make_mixture("separated", 2000, d=3, k=3, separation=5.0, seed=1)
    holed = np.where(np.random.default_rng(0).random(drawn.X.shape) < 0.3, np.nan, drawn.X)
    arguments: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 0}
    with tolerated():
        ours = GaussianMixture(3, **arguments).fit(holed)
    whole = GaussianMixture(3, **arguments).fit(drawn.X)
    order = np.argsort(ours.means_[:, 0])[np.argsort(np.argsort(whole.means_[:, 0]))]
    assert_allclose(ours.means_[order], whole.means_, atol=0.1)
    assert_allclose(ours.weights_[order], whole.weights_, atol=0.02)


# Nothing missing -------------------------------------------------------------------------------


@every_example
def test_with_nothing_missing_the_bits_are_those_of_complete_rows(example: Example) -> None:
    table, _ = example.table()
    allowed = example(allow_missing=True).fit(table)
    refused = example(allow_missing=False).fit(table)
    assert allowed.result_.trace == refused.result_.trace
    assert_array_equal(allowed.predict_proba(table), refused.predict_proba(table))
    assert_array_equal(allowed.impute(table), np.asarray(table))
    assert_array_equal(allowed.sample_missing(table, 0), np.asarray(table))


@every_example
def test_missing_entries_may_be_refused(example: Example) -> None:
    table, _ = example.table()
    holed = with_holes(table, 0.05)
    with pytest.raises(DataError, match=r"NaN.* in column .*, row \d+"):
        example(allow_missing=False).fit(holed)
    model = example(allow_missing=False).fit(table)
    for method in (model.predict, model.score_samples, model.impute):
        with pytest.raises(DataError, match="NaN"):
            method(holed)


# Something missing -----------------------------------------------------------------------------


@every_example
def test_scores_are_those_of_what_is_there(example: Example) -> None:
    table, _ = example.table()
    model = example(search="em").fit(with_holes(table, 0.2))
    some = take(table, slice(0, 9))
    only = [0, 2]
    holed = with_holes(some, 1.0)
    if isinstance(holed, pd.DataFrame):
        holed[some.columns[only]] = some[some.columns[only]]
    else:
        holed[:, only] = some[:, only]
    rows = model._read(some, reset=False)[:, only]
    wanted = model.marginal(only).log_density(rows)
    assert_allclose(model.score_samples(holed), wanted, rtol=1e-9)
    assert model.score(holed) == pytest.approx(wanted.mean())
    assert_allclose(model.predict_proba(holed), model.marginal(only).responsibilities(rows))
    assert_array_equal(model.predict(holed), model.predict_proba(holed).argmax(axis=1))
    assert np.isfinite([model.aic(holed), model.bic(holed), model.icl(holed)]).all()


def same_entries(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Numbers up to rounding, everything else exactly."""
    for mine, theirs in zip(found.ravel(), wanted.ravel(), strict=True):
        assert mine == (pytest.approx(theirs) if isinstance(theirs, float) else theirs)


@every_example
def test_answers_are_in_the_order_of_the_rows(example: Example) -> None:
    table, _ = example.table()
    holed = with_holes(table, 0.2)
    model = example(search="em").fit(holed)
    n = len(table)
    order = np.random.default_rng(3).permutation(n)
    mixed = take(holed, order)
    for method in (model.predict, model.predict_proba, model.score_samples):
        assert_allclose(method(mixed), method(holed)[order], rtol=1e-9, atol=1e-12)
    filled = np.asarray(model.impute(holed), dtype=object)
    same_entries(np.asarray(model.impute(mixed), dtype=object), filled[order])
    drawn = np.asarray(model.sample_missing(holed, 0), dtype=object)
    there = np.asarray(pd.DataFrame(holed).notna())
    held = np.asarray(holed, dtype=object)
    assert (drawn[there] == held[there]).all()
    assert (filled[there] == held[there]).all()
    assert not pd.DataFrame(drawn).isna().any(axis=None)


@every_example
def test_drawn_entries_differ_between_seeds_only(example: Example) -> None:
    table, _ = example.table()
    holed = with_holes(table, 0.3)
    model = example(search="em").fit(holed)
    first, again, other = (np.asarray(model.sample_missing(holed, seed)) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert (first != other).any()
    assert (
        np.asarray(model.sample_missing(holed)) != np.asarray(model.sample_missing(holed))
    ).any()


def test_drawn_entries_vary_as_they_should() -> None:
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal([1.0, -1.0], [[1.0, 0.8], [0.8, 1.0]], size=4000)
    model = GaussianMixture(1).fit(X)
    asked = np.column_stack([np.full(20_000, 2.0), np.full(20_000, np.nan)])
    drawn = model.sample_missing(asked, 0)[:, 1]
    assert drawn.mean() == pytest.approx(-0.2, abs=0.05)
    assert drawn.var() == pytest.approx(0.36, abs=0.03)
    assert_allclose(model.impute(asked)[:, 1], drawn.mean(), atol=0.02)


@every_example
def test_a_row_with_nothing_tells_nothing(example: Example) -> None:
    table, _ = example.table()
    holed = with_holes(table, 0.1)
    empty = with_holes(take(table, [4, 9]), 1.0)
    both: Any = np.vstack([holed, empty])
    if isinstance(holed, pd.DataFrame):
        both = pd.concat([holed, empty])
    n = len(table)
    with pytest.warns(
        DataWarning, match=rf"missing in 2 rows, first in row {n}; such rows"
    ) as said:
        model = example(search="em").fit(both)
    assert len(said) == 1
    assert_allclose(model.score_samples(empty), 0.0, atol=1e-9)
    assert_allclose(model.predict_proba(empty), [model.weights_] * 2, rtol=1e-9)
    for values in model.mixture_.family.pack(model.mixture_.parameters).values():
        assert np.isfinite(values).all()
    assert not pd.DataFrame(model.impute(empty)).isna().any(axis=None)


@every_example
def test_a_column_with_nothing_is_refused(example: Example) -> None:
    table, _ = example.table()
    holed = with_holes(table, 0.1)
    if isinstance(holed, pd.DataFrame):
        holed["mass"] = None
        name = "column 'mass'"
    else:
        holed[:, 1], name = (None if holed.dtype == object else np.nan), "column 1"
    with pytest.raises(DataError, match=f"(?i){name}"):
        example().fit(holed)


@every_example
def test_infinity_is_refused(example: Example) -> None:
    table, _ = example.table()
    bad = with_holes(table, 0.1)
    if isinstance(bad, pd.DataFrame):
        bad.iloc[7, 0] = np.inf
    else:
        bad[7, 0] = np.inf
    with pytest.raises(DataError, match=r"(?i)inf"):
        example().fit(bad)


@every_example
def test_weights_are_repeated_rows(example: Example) -> None:
    table, _ = example.table(150)
    holed = with_holes(table, 0.2)
    times = np.random.default_rng(5).integers(0, 3, 150)
    repeated = take(holed, np.repeat(np.arange(150), times))
    start: dict[str, Any] = {"search": "em", "tol": 1e-13, "max_iter": 5000}
    weighted = example(**start).fit(holed, sample_weight=times)
    # Starts draw rows, so the second begins where the first ended.
    start["init_params"] = From(weighted.mixture_)
    plain = example(**start).fit(repeated)
    assert plain.n_iter_ <= 3
    assert_allclose(plain.score_samples(holed), weighted.score_samples(holed), atol=1e-4)
    assert weighted.score(holed, sample_weight=times) == pytest.approx(plain.score(repeated))
    assert weighted.bic(holed, sample_weight=times) == pytest.approx(plain.bic(repeated))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("arguments", [{}, {"loadings": "common"}, {"noise": "isotropic"}], ids=str)
def test_factors_and_reconstructions_of_incomplete_rows(
    arguments: dict[str, Any], dtype: Any
) -> None:
    rng = np.random.default_rng(0)
    factors, loadings = rng.standard_normal((400, 1)), np.array([[1.0, -1.0, 1.0, 0.8, -0.9, 1.1]])
    X = (factors @ loadings + 0.2 * rng.standard_normal((400, 6))).astype(dtype)
    holed = np.where(rng.random(X.shape) < 0.2, np.nan, X).astype(dtype)
    holed[0] = np.nan
    with tolerated():
        model = FactorAnalyzerMixture(1, n_factors=1, random_state=0, **arguments).fit(holed)
    found = model.transform(holed)
    assert found.shape == (400, 1)
    assert abs(np.corrcoef(found[1:, 0], factors[1:, 0])[0, 1]) > 0.98
    assert_allclose(found[0], model.transform(holed, all_components=True)[0, 0], atol=1e-6)
    smooth = model.reconstruct(holed)
    assert np.isfinite(smooth).all()
    assert_allclose(smooth[0], model.means_[0], rtol=1e-4, atol=1e-5)
    gone = np.isnan(holed)
    gone[0] = False
    assert np.sqrt(np.square(smooth - X)[gone].mean()) < 0.35
    # What is missing is expected where the reconstruction has it: noise is nobody's guess.
    assert_allclose(model.impute(holed)[gone], smooth[gone], rtol=1e-3, atol=1e-4)
