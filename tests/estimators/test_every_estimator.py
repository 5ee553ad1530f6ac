"""What all estimators have in common, whatever their tables hold."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from emplus import CategoricalMixture, MixedMixture
from emplus.errors import ArgumentError, DataError
from emplus.estimators import ESTIMATORS, estimator_class
from emplus.estimators.base import MixtureEstimator
from emplus.starts.registry import STARTS
from tests.cases import SEARCH_NAMES, tolerated
from tests.covering import pairwise
from tests.estimators.examples import EXAMPLES, Example, every_example, with_holes


def test_there_is_an_example_of_every_estimator() -> None:
    mixtures = {name for name in ESTIMATORS if issubclass(estimator_class(name), MixtureEstimator)}
    # That of families from outside has tests beside theirs.
    assert {example.estimator.__name__ for example in EXAMPLES} == mixtures - {"FamilyMixture"}


@every_example
@pytest.mark.parametrize(("holes", "search"), [(0.0, "split_merge"), (0.2, "em")])
def test_survives_pickling_and_cloning(example: Example, holes: float, search: str) -> None:
    table = with_holes(example.table()[0], holes) if holes else example.table()[0]
    model = example(search=search).fit(table)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "mixture_")
    assert_array_equal(copied.fit(table).score_samples(table), model.score_samples(table))


@pytest.mark.parametrize(
    ("example", "search", "holes"),
    pairwise(EXAMPLES, SEARCH_NAMES, [0.0, 0.2]),
    ids=lambda value: getattr(value, "id", None),
)
def test_every_search_finds_components_that_are_far_apart(
    example: Example, search: str, holes: float
) -> None:
    table, labels = example.table(120)
    table = with_holes(table, holes) if holes else table
    with tolerated():
        model = example(search=search, n_init=3).fit(table)
    counts = np.zeros((3, 3))
    np.add.at(counts, (labels, model.predict(table)), 1)
    assert counts.max(axis=1).sum() >= 0.9 * len(labels)
    rises = np.diff(model.result_.trace)
    if search == "em":
        assert (rises > -1e-9 * abs(model.result_.trace[-1])).all()


@every_example
@pytest.mark.parametrize("start", STARTS)
def test_every_start_copes_with_holes(example: Example, start: str) -> None:
    holed = with_holes(example.table(120)[0], 0.3)
    with tolerated():
        model = example(init_params=start, search="em", max_iter=3000).fit(holed)
    assert model.converged_
    assert np.isfinite(model.score_samples(holed)).all()


@every_example
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_number_of_threads_changes_no_bit(example: Example, n_jobs: int) -> None:
    table = with_holes(example.table(900, 0.5)[0], 0.1)
    one = example(n_jobs=1, search="em").fit(table)
    many = example(n_jobs=n_jobs, search="em").fit(table)
    assert many.result_.trace == one.result_.trace
    assert_array_equal(many.predict_proba(table), one.predict_proba(table))


@every_example
def test_warm_start_goes_on_from_the_fit_before(example: Example) -> None:
    table, _ = example.table(apart=0.5)
    model = example(warm_start=True).fit(table)
    before = model.result_.log_likelihood
    model.fit(table)
    assert model.result_.log_likelihoods[0] == pytest.approx(before)
    assert model.n_iter_ <= 10
    with pytest.raises(ValueError, match="3 components, not 4"):
        model.set_params(n_components=4).fit(table)


@every_example
def test_criteria_are_their_formulas(example: Example) -> None:
    table, _ = example.table(apart=0.5)
    model = example().fit(table)
    log_density, free = model.score_samples(table), model.mixture_.n_free_parameters
    total, n = log_density.sum(), len(log_density)
    assert model.score(table) == pytest.approx(total / n)
    assert model.lower_bound_ == pytest.approx(total / n)
    assert model.bic(table) == pytest.approx(-2 * total + free * np.log(n))
    assert model.aic(table) == pytest.approx(-2 * total + 2 * free)
    resp = model.predict_proba(table)
    assert_allclose(resp.sum(axis=1), 1.0)
    assert model.icl(table) == pytest.approx(model.bic(table) - 2 * np.log(resp.max(axis=1)).sum())


@every_example
def test_a_sample_is_a_table_that_can_be_fitted(example: Example) -> None:
    table, _ = example.table()
    model = example().fit(table)
    rows, labels = model.sample(300, random_state=0)
    assert type(rows) is type(table)
    assert (model.predict(rows) == labels).mean() > 0.95
    again = example().fit(rows)
    assert model.score(table) - again.score(table) < 0.5
    assert len(model.sample()[0]) == 1
    with pytest.raises(ArgumentError, match="n_samples=0 is too small"):
        model.sample(0)


@every_example
def test_says_when_the_iterations_ran_out(example: Example) -> None:
    with pytest.warns(ConvergenceWarning, match="After 2 iterations: .*raise max_iter"):
        model = example(max_iter=2, tol=0.0, search="em").fit(example.table(apart=0.3)[0])
    assert model.converged_ is False


@every_example
def test_an_unfitted_model_says_so(example: Example) -> None:
    table, _ = example.table()
    model = example()
    for use in (model.predict, model.score, model.bic, model.impute, model.sample_missing):
        with pytest.raises(NotFittedError):
            use(table)
    for use in (model.sample, lambda: model.marginal(0), lambda: model.save("nowhere")):
        with pytest.raises(NotFittedError):
            use()


@every_example
def test_a_fit_that_is_refused_leaves_the_one_before(example: Example) -> None:
    table, _ = example.table()
    model = example().fit(table)
    before = model.score(table)
    # One column less, and other categories in those that are left.
    other = np.asarray(table, dtype=object)[:, 1:]
    if example.id in ("categorical", "mixed"):
        other = np.where(np.arange(other.shape[1]) > 0, "other " + other.astype(str), other)
    refused: list[dict[str, Any]] = [
        {"sample_weight": np.r_[-1.0, np.ones(len(table) - 1)]},
        {"labels": np.full(len(table), 3)},
    ]
    for arguments in refused:
        with pytest.raises(ValueError, match=next(iter(arguments)).split("_")[0]):
            model.fit(other, **arguments)
        assert model.score(table) == before
    with pytest.raises(ArgumentError, match="did you mean"):
        model.set_params(init_params="kmean").fit(other)
    assert model.score(table) == before
    assert model.n_features_in_ == table.shape[1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "k 0": ({"n_components": 0}, "n_components=0 is too small"),
    "k text": ({"n_components": "two"}, "n_components='two' is not a whole number"),
    "search": ({"search": "splitmerge"}, "did you mean 'split_merge'"),
    "start": ({"init_params": "kmean"}, "did you mean 'kmeans'"),
    "tol": ({"tol": -1.0}, r"tol=-1\.0 must be finite and at least 0"),
    "max_iter": ({"max_iter": 0}, "max_iter=0 is too small"),
    "n_init": ({"n_init": 0}, "n_init=0 is too small"),
    "n_jobs": ({"n_jobs": 0}, "n_jobs=0 is not a number of threads"),
    "seed": ({"random_state": "seven"}, "random_state='seven' is no seed"),
    "weights": ({"weights_init": [0.5, 0.5]}, r"weights_init has shape \(2,\); it must be \(3,\)"),
}


@every_example
@pytest.mark.parametrize("name", BAD)
def test_refuses_arguments_in_a_sentence(example: Example, name: str) -> None:
    arguments, words = BAD[name]
    k = arguments.get("n_components", 3)
    rest = {key: value for key, value in arguments.items() if key != "n_components"}
    with pytest.raises(ArgumentError, match=words):
        example(k, **rest).fit(example.table()[0])


# Tables nobody thought of ----------------------------------------------------------------------

CELLS = [None, np.nan, 0, 1, 2, -1.5, 1e9, True, False, "a", "b", "", " ", "1", "ü", "NaN"]


@st.composite
def odd_tables(draw: st.DrawFn) -> pd.DataFrame:
    """Small tables whose columns hold some few of such cells."""
    n = draw(st.integers(1, 12))
    columns = {}
    for place in range(draw(st.integers(1, 4))):
        cells = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4))
        held = [draw(st.sampled_from(cells)) for _ in range(n)]
        dtype = draw(st.sampled_from([object, object, None, "category"]))
        columns[f"c{place}"] = pd.Series(held, dtype=dtype)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("estimator", [CategoricalMixture, MixedMixture])
@settings(max_examples=40, deadline=None)
@given(table=odd_tables(), k=st.integers(1, 3))
def test_odd_tables_are_fitted_or_refused_in_a_sentence(
    estimator: Any, table: pd.DataFrame, k: int
) -> None:
    model = estimator(k, random_state=0, search="em", max_iter=50)
    try:
        with tolerated():
            model.fit(table)
    except DataError:
        return
    assert np.isfinite(model.score_samples(table)).all()
    rows, _ = model.sample(5, random_state=0)
    assert rows.columns.tolist() == table.columns.tolist()
    assert np.isfinite(model.score_samples(rows)).all()
    filled = model.impute(table)
    assert not filled.isna().any(axis=None)
    kept = table.notna()
    assert (filled.astype(object)[kept] == table.astype(object)[kept])[kept].all(axis=None) or (
        "continuous" in model.coding_.kinds
    )
