"""What must not change a fit: the origin and units of the columns, float32, threads, copies."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.data import memory
from emplus.data.base import Block
from emplus.data.memory import ArraySource
from emplus.estimators.base import MixtureEstimator
from tests.cases import (
    COVARIANCE_TYPES,
    FAMILY_CASES,
    GAUSSIAN_CASES,
    Array,
    FamilyCase,
    every_covariance,
    every_family,
    random_gaussian,
    tolerated,
)
from tests.covering import pairwise

STARTS = ("k-means++", "kmeans", "random", "random_from_data")


def rows(covariance_type: str, n: int = 250) -> Array:
    # On a grid, so that shifted rows are the same rows exactly.
    X, _ = random_gaussian(covariance_type, k=3, d=3, seed=8).sample(n, np.random.default_rng(4))
    return np.asarray(np.round(X * 2.0**20) / 2.0**20)


def fit(covariance_type: str, X: Array, **arguments: Any) -> Any:
    from emplus import GaussianMixture

    # Longer steps take other turns by rounding, so what holds to many digits is told of plain EM.
    plain = {"n_components": 3, "random_state": 1, "max_iter": 60, "accelerate": None}
    settings = {**plain, **arguments}
    with tolerated():
        return GaussianMixture(covariance_type=covariance_type, **settings).fit(X)


@cache
def unmapped(covariance_type: str, start: str) -> Any:
    return fit(covariance_type, rows(covariance_type), init_params=start)


@every_covariance
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("shift", [(1e8, 1e8, 1e8), (-1e8, 0.0, 3e6)], ids=["all", "some"])
def test_shifting_the_rows_shifts_the_model(
    covariance_type: str, start: str, shift: tuple[float, ...]
) -> None:
    X = rows(covariance_type)
    near = unmapped(covariance_type, start)
    far = fit(covariance_type, X + shift, init_params=start)
    assert far.n_iter_ == near.n_iter_
    assert_allclose(far.weights_, near.weights_, rtol=1e-6)
    assert_allclose(far.means_ - shift, near.means_, atol=1e-6)
    assert_allclose(far.covariances_, near.covariances_, rtol=1e-5, atol=1e-6)
    assert_allclose(far.lower_bounds_, near.lower_bounds_, rtol=1e-7)
    assert_allclose(far.predict_proba(X + shift), near.predict_proba(X), atol=1e-5)


@every_covariance
@pytest.mark.parametrize("mapped", ["shifted", "scaled"])
def test_accelerated_fits_of_mapped_rows_end_as_high(covariance_type: str, mapped: str) -> None:
    X = rows(covariance_type)
    scale = np.full(3, 1e-6 if mapped == "scaled" else 1.0)
    shift = np.full(3, 1e8 if mapped == "shifted" else 0.0)
    settings = {"accelerate": "auto", "tol": 1e-9, "max_iter": 1000}
    one, other = (
        fit(covariance_type, X, **settings),
        fit(covariance_type, X * scale + shift, **settings),
    )
    assert_allclose(other.lower_bound_ + np.log(scale).sum(), one.lower_bound_, atol=1e-7)
    assert_allclose(other.weights_, one.weights_, atol=1e-3)
    assert_allclose((other.means_ - shift) / scale, one.means_, atol=1e-2)
    assert one.converged_
    assert other.converged_


def scales() -> list[Any]:
    each = {"micro": (1e-6,) * 3, "mega": (1e6,) * 3, "mixed": (1e-6, 1.0, 1e6)}
    return [
        pytest.param(name, np.array(scale), id=f"{name}-{label}")
        for name in COVARIANCE_TYPES
        for label, scale in each.items()
        # One variance for all columns does not follow when they are scaled apart.
        if (name, label) != ("spherical", "mixed")
    ]


@pytest.mark.parametrize(("covariance_type", "scale"), scales())
@pytest.mark.parametrize("start", STARTS)
def test_scaling_the_columns_scales_the_model(
    covariance_type: str, scale: Array, start: str
) -> None:
    X = rows(covariance_type)
    one = unmapped(covariance_type, start)
    other = fit(covariance_type, X * scale, init_params=start)
    family, parameters = one.mixture_.family.map_columns(one.mixture_.parameters, scale, 0.0)
    assert other.n_iter_ == one.n_iter_
    assert_allclose(other.weights_, one.weights_, rtol=1e-7)
    assert_allclose(other.means_, parameters.means, rtol=1e-6)
    units = np.multiply.outer(scale, scale)
    found, wanted = (
        kind.full_covariances(values) / units
        for kind, values in (
            (other.mixture_.family, other.mixture_.parameters),
            (family, parameters),
        )
    )
    assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    assert_allclose(other.lower_bound_, one.lower_bound_ - np.log(scale).sum(), rtol=1e-9)
    assert other.converged_ == one.converged_


@every_covariance
def test_float32_is_worked_on_as_float32(
    covariance_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtypes = set()
    original = ArraySource.reduce

    def spy(self: ArraySource, function: Any, width: int) -> Any:
        def watched(block: Block) -> Any:
            dtypes.add(block.X.dtype)
            return function(block)

        return original(self, watched, width)

    monkeypatch.setattr(ArraySource, "reduce", spy)
    X = rows(covariance_type, 2000)
    single = fit(covariance_type, X.astype(np.float32))
    assert dtypes == {np.dtype(np.float32)}
    double = fit(covariance_type, X)
    assert dtypes == {np.dtype(np.float32), np.dtype(np.float64)}
    assert single.means_.dtype == single.covariances_.dtype == np.float64
    assert_allclose(single.means_, double.means_, atol=2e-3)
    assert_allclose(single.covariances_, double.covariances_, atol=5e-3)
    assert_allclose(single.lower_bound_, double.lower_bound_, atol=1e-4)
    assert_allclose(single.score_samples(X), double.score_samples(X), atol=2e-2)


@every_covariance
def test_float32_far_from_zero_keeps_up(covariance_type: str) -> None:
    near = np.round(rows(covariance_type, 2000) * 16.0) / 16.0
    X = (near + 2.0**17).astype(np.float32)
    single, double = (fit(covariance_type, array) for array in (X, X.astype(np.float64)))
    assert_allclose(single.means_, double.means_, atol=2e-2)
    assert_allclose(single.lower_bound_, double.lower_bound_, atol=1e-3)


def estimator_bits(model: MixtureEstimator) -> list[Array]:
    arrays = model.mixture_.family.pack(model.mixture_.parameters)
    return [*arrays.values(), model.mixture_.log_weights, np.array(model.result_.trace)]


@pytest.mark.parametrize(
    ("case", "dtype", "weighted"),
    [
        (case, dtype, weighted)
        for number, case in enumerate(FAMILY_CASES)
        for place, (dtype, weighted) in enumerate([(np.float64, True), (np.float32, False)])
        # The other families take turns.
        if case in GAUSSIAN_CASES or number % 2 == place
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_the_same_bits_for_any_number_of_threads_and_every_run(
    case: FamilyCase,
    dtype: type[np.floating],
    weighted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So few rows would be left to one thread.
    monkeypatch.setattr(memory, "_SMALL", 0)
    # Several blocks either way; the M step's own work is what a family adds.
    searched = case in GAUSSIAN_CASES
    X = case.rows(13_000 if searched else 9_000).astype(dtype)
    arguments: dict[str, Any] = {} if searched else {"search": "em", "n_init": 2}
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(X)) if weighted else None
    fits = []
    for n_jobs in (1, 3, 1):
        model = case.estimator(3, random_state=7, max_iter=3, n_jobs=n_jobs, **arguments)
        with tolerated():
            model.fit(X, sample_weight=weight)
        fits.append([*estimator_bits(model), model.predict_proba(X), model.score_samples(X)])
    for other in fits[1:]:
        for one_array, other_array in zip(fits[0], other, strict=True):
            assert_array_equal(one_array, other_array)


@every_family
def test_blocks_are_summed_by_several_threads(case: FamilyCase) -> None:
    # Otherwise the test above would compare one thread with itself.
    import threading

    names = set()

    def name(block: Block) -> tuple[Array]:
        names.add(threading.current_thread().name)
        return (np.zeros(1),)

    source = ArraySource(case.rows(50_000), n_jobs=2)
    for _ in range(20):
        source.reduce(name, 100)
    assert any(thread.startswith("emplus") for thread in names)


def given_start(case: FamilyCase, X: Array, k: int) -> Any:
    """A start that does not depend on how often a row stands in the data."""
    from emplus.starts.given import GivenMixture

    resp = np.random.default_rng(3).dirichlet(np.ones(k), size=len(X))
    return GivenMixture(case.problem(X).estimate(X, resp))


def _searched(case: FamilyCase) -> dict[str, Any]:
    """Where rows are counted, the default search draws many starts besides the given one."""
    return {} if case.real.all() else {"search": "em"}


@every_family
def test_weights_are_repetitions(case: FamilyCase) -> None:
    X = case.rows(120)
    counts = np.random.default_rng(0).integers(1, 5, size=120)
    arguments = {"init_params": given_start(case, X, 3), "tol": 1e-9, **_searched(case)}
    repeated, weighted = (case.estimator(3, **arguments) for _ in range(2))
    repeated.fit(np.repeat(X, counts, axis=0))
    weighted.fit(X, sample_weight=counts)
    assert weighted.n_iter_ == repeated.n_iter_
    assert weighted.result_.total_weight == repeated.result_.total_weight == counts.sum()
    assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-9)
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-8)
    for criterion in ("aic", "bic", "icl"):
        one = getattr(weighted, criterion)(X, sample_weight=counts)
        assert_allclose(one, getattr(repeated, criterion)(np.repeat(X, counts, axis=0)), rtol=1e-9)
    assert_allclose(
        weighted.score(X, sample_weight=counts), repeated.score(np.repeat(X, counts, axis=0))
    )


@pytest.mark.parametrize(
    ("case", "start", "search"),
    pairwise(FAMILY_CASES, STARTS, ["em", "split_merge"]),
    ids=lambda value: getattr(value, "id", None),
)
def test_weight_zero_is_an_absent_row(case: FamilyCase, start: str, search: str) -> None:
    X = case.rows(120)
    weight = np.random.default_rng(0).integers(0, 3, size=120).astype(float)
    outlying = X.copy()
    # Where all columns are categories it is one of them.
    outlying[np.ix_(weight == 0, case.real | ~case.real.any())] = 1e12
    arguments = {"init_params": start, "random_state": 3, "search": search, **_searched(case)}
    one = case.estimator(3, **arguments).fit(outlying, sample_weight=weight)
    other = case.estimator(3, **arguments).fit(X[weight > 0], sample_weight=weight[weight > 0])
    for one_array, other_array in zip(estimator_bits(one), estimator_bits(other), strict=True):
        assert_array_equal(one_array, other_array)


@every_family
def test_ones_are_no_weights(case: FamilyCase) -> None:
    X = case.rows(120)
    plain, ones = (case.estimator(3, random_state=0, **_searched(case)) for _ in range(2))
    plain.fit(X)
    ones.fit(X, sample_weight=np.ones(120))
    assert_allclose(ones.lower_bounds_, plain.lower_bounds_, rtol=1e-12)
