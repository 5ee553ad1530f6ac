"""Both ways of a Gaussian pass: which is chosen, that they agree, and how exact they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.families import gaussian_kernels
from emplus.families.gaussian_kernels import CentredKernel, ExpandedKernel, PlainKernel
from emplus.numerics.logspace import log_normalize
from emplus.numerics.moments import Moments
from tests.cases import (
    COVARIANCE_TYPES,
    Array,
    every_covariance,
    gaussian_family,
    problem_of,
    random_gaussian,
)
from tests.oracles import exact_log_joint, full_covariances


def moments_of(mixture: Mixture, X: Array) -> Moments:
    return Moments.of(X, full=mixture.family.needs_full_scatter)


def chosen(mixture: Mixture, X: Array, **options: Any) -> Any:
    moments = moments_of(mixture, X)
    return mixture.family.kernel(
        mixture.parameters, mixture.log_weights, moments, X.dtype, **options
    )


def every_kernel(mixture: Mixture, X: Array, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The kernels that could serve the mixture, whatever would be chosen; the centred one last."""
    tolerances = gaussian_kernels.TOLERANCE
    kernels = []
    for tolerance, long_rows in ((np.inf, 1), (np.inf, 10**9), (-1.0, 10**9)):
        with monkeypatch.context() as patch:
            patch.setattr(gaussian_kernels, "TOLERANCE", dict.fromkeys(tolerances, tolerance))
            patch.setattr(gaussian_kernels, "_MANY_DIMENSIONS", 10**9)
            patch.setattr(gaussian_kernels, "_LONG_ROWS", long_rows)
            kernels.append(chosen(mixture, X))
    assert isinstance(kernels[0], PlainKernel | ExpandedKernel)
    assert isinstance(kernels[1], ExpandedKernel)
    assert isinstance(kernels[2], CentredKernel)
    return kernels


def log_joint(kernel: Any, X: Array) -> Array:
    rows = kernel.encode(X)
    joint: Array = kernel.log_joint(rows) + np.reshape(kernel.common(rows), (-1, 1))
    return joint


def tight_mixture(covariance_type: str) -> Mixture:
    """Components 1e-6 wide, 1 apart from each other: the squares reach 1e12."""
    loose = random_gaussian(covariance_type, k=3, d=3, seed=5, separation=1.0)
    parameters = loose.parameters
    covariances = parameters.covariances * 1e-12
    return Mixture.gaussian(loose.weights, parameters.means, covariances, covariance_type)


@every_covariance
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_tight_components_take_the_centred_way(covariance_type: str, shift: float) -> None:
    mixture = tight_mixture(covariance_type)
    X, _ = mixture.sample(400, np.random.default_rng(0))
    kernel = chosen(mixture, X)
    assert isinstance(kernel, CentredKernel)
    assert_allclose(log_joint(kernel, X).max(axis=1), exact_log_joint(mixture, X).max(axis=1))


@every_covariance
def test_expanding_tight_components_would_lose_more_than_a_micronat(
    covariance_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = tight_mixture(covariance_type)
    X, labels = mixture.sample(400, np.random.default_rng(0))
    *expanded, centred = every_kernel(mixture, X, monkeypatch)
    own = np.arange(400), labels
    exact = exact_log_joint(mixture, X)[own]
    for kernel in expanded:
        assert np.abs(log_joint(kernel, X)[own] - exact).max() > 1e-6
        assert kernel.loss > 1e-6
    assert np.abs(log_joint(centred, X)[own] - exact).max() < 1e-6


@every_covariance
@pytest.mark.parametrize("width", 10.0 ** -np.arange(1, 8), ids=lambda width: f"{width:.0e}")
@pytest.mark.parametrize("scoring", [False, True])
def test_no_width_loses_a_micronat(covariance_type: str, width: float, scoring: bool) -> None:
    loose = random_gaussian(covariance_type, k=3, d=3, seed=5, separation=1.0)
    covariances = loose.parameters.covariances * width**2
    means = loose.parameters.means
    mixture = Mixture.gaussian(loose.weights, means, covariances, covariance_type)
    X, labels = mixture.sample(300, np.random.default_rng(1))
    own = np.arange(300), labels
    exact, found = exact_log_joint(mixture, X), log_joint(chosen(mixture, X, scoring=scoring), X)
    assert np.abs(found[own] - exact[own]).max() < 1e-6
    assert_allclose(found, exact, rtol=1e-9, atol=1e-6)


@every_covariance
def test_kernels_notice_a_loss_in_float32_sooner(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=3, separation=200.0)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    assert not isinstance(chosen(mixture, X), CentredKernel)
    assert isinstance(chosen(mixture, X.astype(np.float32)), CentredKernel)


@every_covariance
def test_ordinary_data_take_the_expanded_way(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=4, d=5)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    for rows in (X, X + 1e8):
        assert isinstance(chosen(mixture, rows), ExpandedKernel)


@pytest.mark.parametrize("covariance_type", ["tied", "diag", "spherical"])
def test_long_rows_are_left_as_they_are_unless_far_from_zero(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=4, d=20)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    assert isinstance(chosen(mixture, X), PlainKernel)
    far = Mixture.gaussian(
        mixture.weights,
        mixture.parameters.means + 1e8,
        mixture.parameters.covariances,
        covariance_type,
    )
    assert isinstance(chosen(far, X + 1e8), ExpandedKernel)


def test_few_components_in_many_dimensions_take_the_centred_way() -> None:
    for covariance_type in COVARIANCE_TYPES:
        mixture = random_gaussian(covariance_type, k=2, d=128)
        X, _ = mixture.sample(200, np.random.default_rng(0))
        assert isinstance(chosen(mixture, X), CentredKernel) == (covariance_type == "full")


# 40 columns have 820 products, more than are kept at a time.
@every_covariance
@pytest.mark.parametrize("d", [1, 2, 7, 40, 60])
def test_all_kernels_are_one_function(
    covariance_type: str, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=d)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    exact = exact_log_joint(mixture, X)
    family = gaussian_family(covariance_type)
    prior = family.default_prior(moments_of(mixture, X), 1e-3)
    wanted = family.estimate(X, mixture.responsibilities(X), prior)
    for kernel in every_kernel(mixture, X, monkeypatch):
        assert_allclose(log_joint(kernel, X), exact, rtol=1e-9, atol=1e-9)
        assert kernel.width > 0
        assert 0 < kernel.loss < 1e-7
        rows = kernel.encode(X)
        resp = kernel.log_joint(rows)
        total = log_normalize(resp).sum() + kernel.log_common
        assert_allclose(total, logsumexp(exact, axis=1).sum(), rtol=1e-11)
        found = family.maximize(kernel.statistics(kernel.sums(rows, resp)), prior)
        assert_allclose(found.means, wanted.means, rtol=1e-8, atol=1e-8)
        assert_allclose(found.covariances, wanted.covariances, rtol=1e-8, atol=1e-8)


@every_covariance
@pytest.mark.parametrize("d", [1, 3, 20])
def test_densities_are_scipys(covariance_type: str, d: int) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=d, seed=d)
    X, _ = mixture.sample(50, np.random.default_rng(0))
    covariances = full_covariances(mixture)
    for j, mean in enumerate(mixture.parameters.means):
        wanted = multivariate_normal(mean, covariances[j]).logpdf(X) + mixture.log_weights[j]
        assert_allclose(mixture.log_joint(X)[:, j], wanted, rtol=1e-9, atol=1e-9)


@every_covariance
@pytest.mark.parametrize("shift", [0.0, 30.0, 1e4, 1e6])
def test_float32_blocks_are_float32_and_their_sums_float64(
    covariance_type: str, shift: float
) -> None:
    # Where the rows are far from zero, a mean rounded to float32 would be off by many widths.
    mixture = random_gaussian(covariance_type, k=3, d=3, seed=2)
    near, _ = mixture.sample(3000, np.random.default_rng(0))
    X = (np.round(near * 8.0) / 8.0 + shift).astype(np.float32)
    moved = Mixture.gaussian(
        mixture.weights,
        mixture.parameters.means + shift + 0.03,
        mixture.parameters.covariances,
        covariance_type,
    )
    for kernel in (chosen(moved, X), chosen(moved, X, scoring=True)):
        rows = kernel.encode(X)
        resp = kernel.log_joint(rows)
        assert rows.dtype == resp.dtype == np.float32
        log_normalize(resp)
        sums = kernel.sums(rows, resp)
        assert {part.dtype for part in sums} == {np.dtype(np.float64)}
        exact = exact_log_joint(moved, X.astype(np.float64))
        assert_allclose(log_joint(kernel, X), exact, rtol=1e-4, atol=2e-3)


@every_covariance
def test_a_component_without_weight_gets_no_row(
    covariance_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = random_gaussian(covariance_type, k=3, d=2)
    log_weights = np.array([np.log(0.5), -np.inf, np.log(0.5)])
    mixture = Mixture(ordinary.family, log_weights, ordinary.parameters)
    X, _ = ordinary.sample(100, np.random.default_rng(0))
    for kernel in every_kernel(mixture, X, monkeypatch):
        resp = kernel.log_joint(kernel.encode(X))
        log_normalize(resp)
        assert resp[:, 1].max() < 1e-30
        assert np.isfinite(resp).all()
    state = problem_of(mixture.family, ArraySource(X)).evaluate(mixture)
    following = problem_of(mixture.family, ArraySource(X)).maximize(state.statistics)
    assert following.weights[1] < 1e-30
    assert np.isfinite(following.parameters.covariances).all()
