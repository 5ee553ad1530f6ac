"""What only the mixture of factor analyzers has: loadings, factors, rows without their noise."""

from __future__ import annotations

import re
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import FactorAnalyzerMixture, GaussianMixture, Mixture
from emplus.engine.problem import State
from emplus.errors import ArgumentError, DataWarning
from emplus.estimators import factor_analyzer_mixture
from emplus.families.factor_analyzer import LOADINGS, NOISES, FactorAnalyzer
from emplus.starts.given import GivenLabels
from tests.cases import Array, tolerated
from tests.covering import pairwise

every_noise = pytest.mark.parametrize("noise", NOISES)
every_loadings = pytest.mark.parametrize("loadings", LOADINGS)


def make_rows(n: int = 240, d: int = 6, k: int = 3, q: int = 2, seed: int = 0) -> tuple[Array, Any]:
    """Rows of components that vary along directions of their own, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    means, loadings = 5.0 * rng.standard_normal((k, d)), rng.standard_normal((k, d, q))
    rows = means[labels] + np.einsum("iaq,iq->ia", loadings[labels], rng.standard_normal((n, q)))
    return rows + 0.3 * rng.standard_normal((n, d)), labels


def fitted(noise: str = "diag", loadings: str = "own", q: int = 2, **more: Any) -> Any:
    rows, labels = make_rows()
    arguments: dict[str, Any] = {"init_params": GivenLabels(labels), "search": "em", **more}
    model = FactorAnalyzerMixture(3, n_factors=q, noise=noise, loadings=loadings, **arguments)
    with tolerated():
        return model.fit(rows)


SHAPES = {
    ("diag", "own"): (3, 6),
    ("shared", "own"): (6,),
    ("isotropic", "own"): (3,),
    ("diag", "common"): (6,),
    ("shared", "common"): (6,),
    ("isotropic", "common"): (),
}


@every_noise
@every_loadings
def test_the_attributes_are_the_density(noise: str, loadings: str) -> None:
    rows, _ = make_rows()
    model = fitted(noise, loadings)
    assert model.means_.shape == (3, 6)
    assert model.loadings_.shape == (3, 6, 2)
    shape = SHAPES[noise, loadings]
    assert np.shape(model.noise_variance_) == shape
    assert isinstance(model.noise_variance_, float if shape == () else np.ndarray)
    spread = np.reshape(model.noise_variance_, (-1, 1) if noise == "isotropic" else (-1, 6))
    psi = np.broadcast_to(spread, (3, 6))
    for j, covariance in enumerate(model.covariances_):
        by_hand = model.loadings_[j] @ model.loadings_[j].T + np.diag(psi[j])
        assert_allclose(covariance, by_hand)
        assert_allclose(model.precisions_[j], np.linalg.inv(by_hand), rtol=1e-8, atol=1e-10)
        factor = model.precisions_cholesky_[j]
        assert_array_equal(factor, np.triu(factor))
        assert_allclose(factor @ factor.T, model.precisions_[j], rtol=1e-8, atol=1e-10)
    full = Mixture.gaussian(model.weights_, model.means_, model.covariances_)
    assert_allclose(model.score_samples(rows), full.log_density(rows), rtol=1e-9)


def regression(model: Any, rows: Array) -> Array:
    """E[z | x, j] (n, k, q) by the textbook's formula, with d x d inverses."""
    factors = [
        (rows - mean) @ np.linalg.inv(covariance) @ loadings
        for mean, covariance, loadings in zip(
            model.means_, model.covariances_, model.loadings_, strict=True
        )
    ]
    return np.stack(factors, axis=1)


@every_noise
@every_loadings
def test_factors_and_noiseless_rows_are_the_regressions(noise: str, loadings: str) -> None:
    rows, _ = make_rows(seed=1)
    model = fitted(noise, loadings)
    wanted = regression(model, rows)
    assert_allclose(model.transform(rows, all_components=True), wanted, rtol=1e-7, atol=1e-9)
    labels = model.predict(rows)
    assert_allclose(
        model.transform(rows), wanted[np.arange(len(rows)), labels], rtol=1e-7, atol=1e-9
    )
    noiseless = model.means_ + np.einsum("ijq,jaq->ija", wanted, model.loadings_)
    averaged = np.einsum("ij,ija->ia", model.predict_proba(rows), noiseless)
    assert_allclose(model.reconstruct(rows), averaged, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["transform", "reconstruct"])
def test_blocks_and_threads_change_nothing(
    dtype: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows(seed=2)[0].astype(dtype)
    model = fitted()
    whole = getattr(model, method)(rows)
    assert whole.dtype == dtype
    monkeypatch.setattr(factor_analyzer_mixture, "_NUMBERS_AT_ONCE", 1)
    for n_jobs in (1, 2):
        model.set_params(n_jobs=n_jobs)
        assert_allclose(
            getattr(model, method)(rows), whole, rtol=1e-4 if dtype == np.float32 else 1e-9
        )


def test_no_array_of_rows_by_columns_by_components() -> None:
    rng = np.random.default_rng(0)
    k, d, n = 16, 2000, 100
    rows = rng.standard_normal((n, d))
    model = FactorAnalyzerMixture(k, n_factors=2, search="em", max_iter=1, random_state=0, n_jobs=1)
    with tolerated():
        model.fit(rows)
    for method in (model.transform, model.reconstruct):
        tracemalloc.start()
        method(rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.5 * n * d * k * 8


def test_components_in_another_order_have_the_same_loadings() -> None:
    rows, labels = make_rows()
    one = fitted(tol=1e-10)
    other = fitted(init_params=GivenLabels((labels + 1) % 3), tol=1e-10)
    order = [1, 2, 0]
    assert_allclose(other.loadings_[order], one.loadings_, rtol=1e-6, atol=1e-8)
    gram = one.loadings_.swapaxes(1, 2) @ one.loadings_
    assert_allclose(gram[:, 0, 1], 0.0, atol=1e-9)
    assert (gram[:, 0, 0] >= gram[:, 1, 1]).all()
    assert_allclose(one.transform(rows), other.transform(rows), rtol=1e-5, atol=1e-7)


def test_names_of_factors_and_output_as_a_frame() -> None:
    rows, _ = make_rows()
    model = fitted()
    names = ["factoranalyzermixture0", "factoranalyzermixture1"]
    assert model.get_feature_names_out().tolist() == names
    frame = model.set_output(transform="pandas").transform(rows)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame) == names
    assert fitted(q=0).transform(rows).shape == (240, 0)


def test_reconstruction_leaves_out_noise_and_keeps_structure() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400, 2))
    structure = z @ rng.standard_normal((2, 30))
    rows = structure + rng.standard_normal((400, 30))
    model = FactorAnalyzerMixture(1, n_factors=2).fit(rows)
    error = np.square(model.reconstruct(rows) - structure).mean()
    assert error < 0.15


# Arguments -----------------------------------------------------------------------------------


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "q -1": ({"n_factors": -1}, "n_factors must be a whole number of at least 0; it is -1"),
    "q two": ({"n_factors": "two"}, "n_factors must be a whole number .* 'two'"),
    "q 1.5": ({"n_factors": 1.5}, "n_factors must be a whole number"),
    "q True": ({"n_factors": True}, "n_factors must be a whole number"),
    "q None": ({"n_factors": None}, "n_factors must be a whole number"),
    "q > d": ({"n_factors": 7}, "n_factors=7 is more than n_features=6"),
    "noise": ({"noise": "isotrop"}, "did you mean 'isotropic'"),
    "noise None": ({"noise": None}, "Unknown noise None"),
    "noise list": ({"noise": ["diag"]}, "Unknown noise"),
    "loadings": ({"loadings": "owns"}, "did you mean 'own'"),
    "common": (
        {"loadings": "common", "loadings_init": np.ones((2, 6, 1))},
        "loadings_init is for loadings='own'",
    ),
    "loadings shape": ({"loadings_init": np.ones((2, 6))}, r"it must be \(2, 6, 1\)"),
    "loadings text": ({"loadings_init": "none"}, "not a number"),
    "noise shape": ({"noise_variance_init": 1.0}, r"has shape \(\); it must be \(2, 6\)"),
    "noise 0": ({"noise_variance_init": np.zeros((2, 6))}, "noise_variance_init must be above 0"),
    "noise NaN": ({"noise_variance_init": np.full((2, 6), np.nan)}, "contains NaN"),
    "means shape": ({"means_init": np.zeros((2, 5))}, r"it must be \(2, 6\)"),
    "weights": ({"weights_init": [0.5, 0.6]}, "sum to 1"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_refuses_arguments_in_a_sentence(name: str) -> None:
    arguments, words = BAD_ARGUMENTS[name]
    with pytest.raises(ArgumentError, match=words):
        FactorAnalyzerMixture(**{"n_components": 2, **arguments}).fit(make_rows()[0])


def first_of(model: FactorAnalyzerMixture) -> Mixture:
    """The mixture that a fit starts from."""
    states: list[State] = []
    model.set_params(observers=[states.append], search="em", max_iter=2, random_state=0)
    with tolerated():
        model.fit(make_rows()[0])
    return states[0].mixture


@every_noise
def test_starting_values_are_kept(noise: str) -> None:
    rng = np.random.default_rng(5)
    shape = FactorAnalyzer(2, noise).structure.shape(3, 6)
    means, loadings = make_rows()[0][:3], rng.standard_normal((3, 6, 2))
    variances = rng.uniform(0.5, 2.0, size=shape)
    start = first_of(
        FactorAnalyzerMixture(
            3,
            n_factors=2,
            noise=noise,
            weights_init=[0.2, 0.3, 0.5],
            means_init=means,
            loadings_init=loadings,
            noise_variance_init=variances,
        )
    )
    assert_allclose(start.weights, [0.2, 0.3, 0.5])
    assert_array_equal(start.parameters.means, means)
    found = start.parameters.loadings
    assert_allclose(found @ found.swapaxes(1, 2), loadings @ loadings.swapaxes(1, 2), atol=1e-12)
    assert_array_equal(start.parameters.noise, variances)


@every_loadings
def test_means_alone_are_centres_of_the_rest(loadings: str) -> None:
    rows, labels = make_rows()
    centres = np.stack([rows[labels == j].mean(axis=0) for j in range(3)])
    model = FactorAnalyzerMixture(3, n_factors=2, loadings=loadings, means_init=centres)
    start = first_of(model)
    assert_allclose(start.weights, 1 / 3, atol=0.02)
    # Common loadings leave the means in a plane, as near to the given ones as it goes.
    atol = 1e-12 if loadings == "own" else 3.0
    assert_allclose(start.parameters.means, centres, atol=atol)


def test_scalar_noise_can_be_given() -> None:
    model = FactorAnalyzerMixture(2, loadings="common", noise="isotropic", noise_variance_init=0.7)
    assert first_of(model).parameters.noise == 0.7


def test_warm_start_goes_on_from_the_fit_before() -> None:
    rows, _ = make_rows()
    model = FactorAnalyzerMixture(3, n_factors=2, warm_start=True, random_state=0).fit(rows)
    first = model.lower_bound_
    assert model.fit(rows).n_iter_ <= 20
    assert model.lower_bound_ >= first - 1e-6
    model.set_params(n_factors=1)
    with pytest.raises(ArgumentError, match="another family"):
        model.fit(rows)


# Odd data ------------------------------------------------------------------------------------


def constant_pixel(rows: Array) -> Array:
    changed = rows.copy()
    changed[:, 2] = 3.0
    return changed


ODD: dict[str, tuple[dict[str, Any], Any]] = {
    "no factors": ({"n_factors": 0}, None),
    "as many factors as columns": ({"n_factors": 6}, None),
    "more factors than rows in a component": (
        {"n_components": 3, "n_factors": 5},
        lambda rows: rows[:9],
    ),
    "as many rows as components": ({"n_components": 3, "n_factors": 3}, lambda rows: rows[:3]),
    "a constant pixel": ({"n_factors": 3}, constant_pixel),
    "all rows equal": ({"n_factors": 2}, lambda rows: np.full((9, 6), 3.25)),
    "one column": ({}, lambda rows: rows[:, :1]),
    "more columns than rows": ({"n_factors": 4}, lambda rows: rows.reshape(-1, 60)[:20]),
    "whole numbers": ({"n_factors": 3}, lambda rows: np.round(rows)),
}


@pytest.mark.parametrize(("name", "noise", "loadings"), pairwise(list(ODD), NOISES, LOADINGS))
def test_odd_data_give_a_finite_fit(name: str, noise: str, loadings: str) -> None:
    arguments, change = ODD[name]
    rows = make_rows(60)[0]
    rows = rows if change is None else change(rows)
    model = FactorAnalyzerMixture(
        **{"n_components": 2, **arguments}, noise=noise, loadings=loadings, random_state=0
    )
    with tolerated():
        model.fit(rows)
    for array in (model.weights_, model.means_, model.loadings_, model.covariances_):
        assert np.isfinite(array).all()
    assert (np.asarray(model.noise_variance_) > 0).all()
    for answer in (model.score_samples(rows), model.transform(rows), model.reconstruct(rows)):
        assert np.isfinite(answer).all()
    assert np.isfinite(model.sample(5, random_state=0)[0]).all()


def test_a_constant_column_is_told_once() -> None:
    frame = pd.DataFrame(constant_pixel(make_rows()[0]), columns=list("abcdef"))
    model = FactorAnalyzerMixture(2, n_factors=2, random_state=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(frame)
    [warning] = [message for message in said if message.category is DataWarning]
    assert "Constant in every row: column 'c'." in str(warning.message)
    assert warning.filename == __file__


def test_no_factors_are_a_diagonal_gaussian() -> None:
    rows, labels = make_rows()
    arguments: dict[str, Any] = {"init_params": GivenLabels(labels), "search": "em"}
    ours = FactorAnalyzerMixture(3, n_factors=0, **arguments).fit(rows)
    theirs = GaussianMixture(3, covariance_type="diag", **arguments).fit(rows)
    assert_allclose(ours.noise_variance_, theirs.covariances_, rtol=1e-6)
    assert_allclose(ours.bic(rows), theirs.bic(rows), rtol=1e-9)
    assert_array_equal(ours.reconstruct(rows), ours.predict_proba(rows) @ ours.means_)


# The page ------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "factor-analyzers.md"


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S))
def test_the_examples_of_the_page_run(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with tolerated():
        exec(compile(block, PAGE.name, "exec"), {"__name__": "page"})


@pytest.mark.parametrize(
    ("noise", "loadings", "free"),
    [
        ("diag", "own", lambda k, d, q: k * (2 * d + d * q - q * (q - 1) // 2)),
        ("shared", "own", lambda k, d, q: k * (d + d * q - q * (q - 1) // 2) + d),
        ("isotropic", "own", lambda k, d, q: k * (d + d * q - q * (q - 1) // 2 + 1)),
        ("diag", "common", lambda k, d, q: space(k, d, q) + d),
        ("shared", "common", lambda k, d, q: space(k, d, q) + d),
        ("isotropic", "common", lambda k, d, q: space(k, d, q) + 1),
    ],
)
def test_free_parameters_are_the_pages(noise: str, loadings: str, free: Any) -> None:
    for k, d, q in ((1, 9, 0), (3, 12, 2), (10, 64, 4)):
        family = FactorAnalyzer(q, noise, loadings)
        assert family.n_free_parameters(k, d) == free(k, d, q)


def space(k: int, d: int, q: int) -> int:
    """Free parameters of a space of q dimensions, and of k Gaussians in it."""
    return d * q - q * q + d - q + k * (q + q * (q + 1) // 2)
