"""Fits of rows that stay in their file: the same bits as of the same rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from emplus import FactorAnalyzerMixture, GaussianMixture
from emplus.datasets import make_mixture
from emplus.errors import DataError, DataWarning
from tests.cases import Array, tolerated

X = make_mixture("overlapping", 1500, d=4, k=4, separation=3.0, seed=0).X
NAMES = ["a", "b", "c", "d"]


def holes() -> Array:
    rows = X.copy()
    rows[:, :3][np.random.default_rng(1).random((1500, 3)) < 0.15] = np.nan
    return rows


def as_npy(rows: Array, place: Path) -> Any:
    np.save(place / "x.npy", rows)
    return place / "x.npy"


def as_map(rows: Array, place: Path) -> Any:
    return np.load(as_npy(rows, place), mmap_mode="r")


def as_csv(rows: Array, place: Path) -> Any:
    pd.DataFrame(rows, columns=NAMES).to_csv(place / "x.csv", index=False)
    return str(place / "x.csv")


def as_parquet(rows: Array, place: Path) -> Any:
    pytest.importorskip("pyarrow")
    pd.DataFrame(rows, columns=NAMES).to_parquet(place / "x.parquet")
    return place / "x.parquet"


def as_blocks(rows: Array, place: Path) -> Any:
    def blocks() -> Iterator[Array]:
        for start in range(0, len(rows), 400):
            yield rows[start : start + 400]

    return blocks


KINDS = (as_npy, as_map, as_csv, as_parquet, as_blocks)


def gaussians(covariance_type: str) -> Callable[[], Any]:
    return lambda: GaussianMixture(3, covariance_type=covariance_type, tol=1e-4, random_state=0)


MODELS: dict[str, Callable[[], Any]] = {
    **{name: gaussians(name) for name in ("full", "tied", "diag", "spherical")},
    "em": lambda: GaussianMixture(3, tol=1e-4, search="em", random_state=0),
    "ueda": lambda: GaussianMixture(3, tol=1e-4, search="ueda", random_state=0),
    "annealing": lambda: GaussianMixture(3, tol=1e-4, search="annealing", random_state=0),
    "stepwise": lambda: GaussianMixture(
        3, tol=1e-4, search="em", optimizer="stepwise", random_state=0
    ),
    "lbfgs": lambda: GaussianMixture(3, tol=1e-4, search="em", optimizer="lbfgs", random_state=0),
    "factors": lambda: FactorAnalyzerMixture(3, n_factors=1, tol=1e-4, random_state=0),
}


def assert_same(model: Any, other: Any, rows: Array, stored: Any) -> None:
    for name, array in model.mixture_.family.pack(model.mixture_.parameters).items():
        assert_array_equal(array, other.mixture_.family.pack(other.mixture_.parameters)[name])
    assert model.lower_bound_ == other.lower_bound_
    assert model.bic(rows) == other.bic(stored)
    assert_array_equal(model.predict(rows), other.predict(stored))
    assert_array_equal(model.predict_proba(rows), other.predict_proba(stored))
    assert_array_equal(model.score_samples(rows), other.score_samples(stored))
    assert_array_equal(model.impute(rows), other.impute(stored))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("rows", [X[:700], holes()[:250]], ids=["complete", "holes"])
def test_every_search_gives_the_same_bits(make: Any, rows: Array, tmp_path: Path) -> None:
    stored = as_npy(rows, tmp_path)
    with tolerated():
        assert_same(make().fit(rows), make().fit(stored), rows, stored)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_rows_gives_the_same_bits(kind: Any, tmp_path: Path) -> None:
    for rows in (X, holes()):
        stored = kind(rows, tmp_path)
        weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(rows))
        models = [GaussianMixture(3, search="em", random_state=1) for _ in range(2)]
        for model, given in zip(models, (rows, stored), strict=True):
            model.fit(given, sample_weight=weight)
        assert_same(models[0], models[1], rows, stored)
    named = kind in (as_csv, as_parquet)
    assert list(getattr(models[1], "feature_names_in_", [])) == (NAMES if named else [])


def test_weights_of_zero_and_known_components(tmp_path: Path) -> None:
    weight = np.arange(1500.0) % 3.0
    labels = np.where(np.arange(1500) < 40, np.arange(1500) % 3, -1)
    for rows in (X, holes()):
        stored = as_npy(rows, tmp_path)
        fits = [
            GaussianMixture(3, tol=1e-4, random_state=0).fit(
                given, sample_weight=weight, labels=labels
            )
            for given in (rows, stored)
        ]
        assert_same(fits[0], fits[1], rows, stored)


def test_single_precision_stays_so(tmp_path: Path) -> None:
    rows = X.astype(np.float32)
    stored = as_npy(rows, tmp_path)
    fits = [GaussianMixture(3, search="em", random_state=0).fit(own) for own in (rows, stored)]
    assert_same(fits[0], fits[1], rows, stored)
    whole = as_npy((10.0 * X).astype(np.int16), tmp_path)
    model = GaussianMixture(2, search="em", random_state=0).fit(whole)
    assert model.score_samples(whole).dtype == np.float64


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("emplus.data.stored._AT_ONCE", 4096)
    rows = X.copy()
    rows[1234, 2] = np.nan
    with pytest.raises(DataError, match="NaN in column 2, row 1234"):
        GaussianMixture(2, allow_missing=False).fit(as_npy(rows, tmp_path))
    rows[1235, 1] = np.inf
    with pytest.raises(DataError, match=r"inf .* in column 'b', row 1235"):
        GaussianMixture(2).fit(as_csv(rows, tmp_path))
    model = GaussianMixture(2, search="em", random_state=0).fit(as_npy(X, tmp_path))
    with pytest.raises(ValueError, match="2 features"):
        model.predict(as_npy(X[:, :2], tmp_path))
    with pytest.raises(DataError, match="cannot hold n_components = 9"):
        GaussianMixture(9).fit(as_npy(X[:5], tmp_path))
    with pytest.raises(DataError, match="no file"):
        GaussianMixture(2).fit("rows.npy")


def test_constant_columns_are_warned_of(tmp_path: Path) -> None:
    rows = X.copy()
    rows[:, 1] = 3.0
    with pytest.warns(DataWarning, match="column 1"):
        GaussianMixture(1, search="em", random_state=0).fit(as_npy(rows, tmp_path))
