"""Fits of rows in Dask collections, on the scheduler's own threads: what they are of an array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    FactorAnalyzerMixture,
    GaussianMixture,
    MixedMixture,
)
from emplus.datasets import make_mixture
from emplus.errors import ArgumentError, DataError, DataWarning
from tests.stored_tables import BITS, MIXED, SURVEY, with_holes

pytest.importorskip("distributed", reason="distributed is not installed")

import dask.array
import dask.dataframe
import dask.distributed

# Few of Dask's functions have types.
da: Any = dask.array
dd: Any = dask.dataframe
Client: Any = dask.distributed.Client
LocalCluster: Any = dask.distributed.LocalCluster

X = make_mixture("separated", 900, d=3, k=3, seed=0).X
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


# Before the first test that starts a cluster, which is then the default one.
def test_without_a_cluster_it_says_what_to_do() -> None:
    with pytest.raises(ArgumentError, match=r"dask\.distributed\.Client first"):
        GaussianMixture(2).fit(da.from_array(X))


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    options: Any = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(threads_per_worker=2, **options) as cluster, Client(cluster) as found:
        yield found


def collections() -> dict[str, Any]:
    return {
        "array": da.from_array(X, chunks=(250, 2)),
        "frame": dd.from_pandas(FRAME, npartitions=3),
    }


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("search", ["split_merge", "em"])
def test_a_fit_is_what_it_is_of_an_array(client: Any, kind: str, search: str) -> None:
    rows = X if kind == "array" else FRAME
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=900)
    model, other = (GaussianMixture(3, search=search, random_state=0) for _ in range(2))
    model.fit(rows, sample_weight=weight)
    given = collections()[kind]
    other.fit(given, sample_weight=weight)
    assert_allclose(other.lower_bound_, model.lower_bound_, rtol=0.0, atol=1e-10)
    assert_allclose(other.means_, model.means_, atol=1e-8)
    assert_array_equal(other.predict(given), model.predict(rows))
    assert_allclose(other.predict_proba(given), model.predict_proba(rows), atol=1e-10)
    assert_allclose(other.score(given), model.score(rows), atol=1e-10)
    names = None if kind == "array" else ["a", "b", "c"]
    assert getattr(other, "feature_names_in_", None) is names or (
        list(other.feature_names_in_) == names
    )


def test_factor_analyzers_and_known_components(client: Any) -> None:
    labels = np.where(np.arange(900) < 30, np.arange(900) % 2, -1)
    arguments: Any = {"n_factors": 1, "search": "em", "random_state": 0, "tol": 1e-4}
    fits = [
        FactorAnalyzerMixture(2, **arguments).fit(rows, labels=labels)
        for rows in (X, collections()["array"])
    ]
    assert_allclose(fits[1].lower_bound_, fits[0].lower_bound_, rtol=0.0, atol=1e-10)


HOLES = with_holes(SURVEY)[:500]
TABLES: dict[str, tuple[Any, Any]] = {
    "bits": (BITS, lambda: BernoulliMixture(3, tol=1e-3, random_state=0)),
    "floats": (BITS.astype(float), lambda: BernoulliMixture(3, search="em", random_state=0)),
    "survey": (SURVEY, lambda: CategoricalMixture(3, search="em", random_state=0)),
    "holes": (HOLES, lambda: CategoricalMixture(2, search="em", random_state=0)),
    "mixed": (MIXED, lambda: MixedMixture(3, categorical=["one"], random_state=0)),
}


@pytest.mark.parametrize(("rows", "make"), TABLES.values(), ids=TABLES)
def test_tables_are_coded_on_the_workers(client: Any, rows: Any, make: Any) -> None:
    frame = isinstance(rows, pd.DataFrame)
    given = dd.from_pandas(rows, npartitions=4) if frame else da.from_array(rows, chunks=(400, 3))
    model, other = make().fit(rows), make().fit(given)
    # Where entries are missing, starts are others, and ends as near as the tolerance says.
    within = 1e-5 if rows is HOLES else 1e-10
    assert_allclose(other.lower_bound_, model.lower_bound_, rtol=0.0, atol=within)
    assert_array_equal(other.predict(given), other.predict(rows))
    assert_allclose(other.score_samples(given), other.score_samples(rows), rtol=0.0, atol=1e-12)
    if frame:
        codings = model.coding_, other.coding_
        assert codings[0].levels == codings[1].levels
        assert [c.categories for c in codings[0].columns] == [
            c.categories for c in codings[1].columns
        ]
        assert list(other.feature_names_in_) == list(rows.columns)


def test_unknown_categories_are_told_with_their_row(client: Any) -> None:
    model = CategoricalMixture(2, search="em", random_state=0).fit(SURVEY)
    survey = SURVEY.copy()
    survey.loc[[700, 1200], "b"] = "new"
    with pytest.warns(DataWarning, match=r"2 entries in all: 'new' in column 'b' \(row 700\)"):
        model.predict(dd.from_pandas(survey, npartitions=3))


def spoiled(value: float) -> Any:
    rows = X.copy()
    rows[500, 1] = value
    return da.from_array(rows, chunks=(250, 3))


def test_what_is_wrong_is_said(client: Any) -> None:
    with pytest.raises(DataError, match=r"inf .* column 1"):
        GaussianMixture(2).fit(spoiled(np.inf))
    with pytest.raises(DataError, match="NaN in column 1"):
        GaussianMixture(2, allow_missing=False).fit(spoiled(np.nan))
    with pytest.raises(DataError, match=r"holds -?[0-9.]+ in row \d+, neither 0 nor 1"):
        BernoulliMixture(2, binarize=None).fit(collections()["array"])
    survey = dd.from_pandas(SURVEY.assign(a=SURVEY.index.astype(str)), npartitions=3)
    with pytest.raises(DataError, match="Column 'a' has more than 1,000 categories"):
        CategoricalMixture(2).fit(survey)
    with pytest.raises(DataError, match="cannot hold n_components = 4"):
        GaussianMixture(4).fit(da.from_array(X[:3]))
    model = GaussianMixture(2, search="em", random_state=0).fit(X)
    with pytest.raises(ValueError, match="2 features"):
        model.predict(collections()["array"][:, :2])
