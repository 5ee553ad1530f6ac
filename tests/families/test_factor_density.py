"""Densities of factor analyzers against the covariances that they stand for, in both kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.families import factor_kernels
from emplus.families.factor_kernels import CentredFactors, ExpandedFactors
from emplus.numerics.logspace import log_normalize
from emplus.numerics.moments import Moments
from tests.cases import Array, every_structure, problem_of, random_factors
from tests.oracles import exact_log_joint, full_covariances, rational_log_density

every_q = pytest.mark.parametrize("q", [0, 1, 3, 5])


def chosen(mixture: Mixture, X: Array, **options: Any) -> Any:
    return mixture.family.kernel(
        mixture.parameters, mixture.log_weights, Moments.of(X), X.dtype, **options
    )


def both_kernels(mixture: Mixture, X: Array, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Both kernels, whichever would be chosen."""
    kernels = []
    for tolerance in (np.inf, -1.0):
        with monkeypatch.context() as patch:
            names = dict.fromkeys(factor_kernels.TOLERANCE, tolerance)
            patch.setattr(factor_kernels, "TOLERANCE", names)
            kernels.append(chosen(mixture, X))
    assert isinstance(kernels[0], ExpandedFactors)
    assert isinstance(kernels[1], CentredFactors)
    return kernels


def log_joint(kernel: Any, X: Array) -> Array:
    found: Array = kernel.log_joint(kernel.encode(X)).copy()
    return found


@every_structure
@every_q
def test_covariances_are_loadings_and_noise(noise: str, loadings: str, q: int) -> None:
    mixture = random_factors(noise, loadings, k=3, d=5, q=q)
    parameters, covariances = mixture.parameters, full_covariances(mixture)
    for j, lengths in enumerate(parameters.loadings):
        wanted = lengths @ lengths.T + np.diag(parameters.psi[j])
        assert_allclose(covariances[j], wanted, rtol=1e-13, atol=1e-14)
    assert_allclose(parameters.variances, np.einsum("kaa->ka", covariances), rtol=1e-13)
    half_log_det = -0.5 * np.linalg.slogdet(covariances).logabsdet
    assert_allclose(parameters.half_log_det, half_log_det, rtol=1e-11, atol=1e-12)
    precisions = np.linalg.inv(covariances)
    wanted = np.einsum("kaa->ka", precisions)
    assert_allclose(parameters.precision_diagonal, wanted, rtol=1e-9)


@every_structure
@every_q
def test_densities_are_scipys(
    noise: str, loadings: str, q: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = random_factors(noise, loadings, k=3, d=5, q=q)
    X, _ = mixture.sample(50, np.random.default_rng(0))
    covariances = full_covariances(mixture)
    wanted = np.stack(
        [
            multivariate_normal(mean, covariances[j]).logpdf(X) + mixture.log_weights[j]
            for j, mean in enumerate(mixture.parameters.means)
        ],
        axis=1,
    )
    assert_allclose(mixture.log_joint(X), wanted, rtol=1e-9, atol=1e-9)
    for kernel in both_kernels(mixture, X, monkeypatch):
        assert_allclose(log_joint(kernel, X), wanted, rtol=1e-9, atol=1e-9)
        assert kernel.width > 0
        assert 0 < kernel.loss < 1e-7
        assert kernel.log_common == kernel.common(kernel.encode(X)) == 0.0


@every_structure
@pytest.mark.parametrize("d", [1, 2, 40])
def test_both_kernels_leave_the_same_statistics(
    noise: str, loadings: str, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = random_factors(noise, loadings, k=3, d=d, q=min(d, 2))
    X, _ = mixture.sample(500, np.random.default_rng(0))
    prior = problem_of(mixture.family, ArraySource(X)).prior
    family: Any = mixture.family
    found = []
    for kernel in both_kernels(mixture, X, monkeypatch):
        rows = kernel.encode(X)
        resp = kernel.log_joint(rows)
        total = log_normalize(resp).sum()
        exact = exact_log_joint(mixture, X)
        assert_allclose(total, logsumexp(exact, axis=1).sum(), rtol=1e-11)
        found.append(family.maximize(kernel.statistics(kernel.sums(rows, resp)), prior))
    one, other = found
    assert_allclose(one.means, other.means, rtol=1e-8, atol=1e-8)
    covariances = [family.full_covariances(parameters) for parameters in found]
    assert_allclose(covariances[0], covariances[1], rtol=1e-8, atol=1e-8)


@every_structure
@pytest.mark.parametrize("shift", [0.0, 30.0, 1e4, 1e6])
def test_float32_blocks_are_float32_and_their_sums_float64(
    noise: str, loadings: str, shift: float
) -> None:
    mixture = random_factors(noise, loadings, k=3, d=4, q=2)
    near, _ = mixture.sample(3000, np.random.default_rng(0))
    X = (np.round(near * 8.0) / 8.0 + shift).astype(np.float32)
    family: Any = mixture.family
    kind, parameters = family.map_columns(mixture.parameters, np.ones(4), shift + 0.03)
    moved = Mixture(kind, mixture.log_weights, parameters)
    exact = exact_log_joint(moved, X.astype(np.float64))
    for kernel in (chosen(moved, X), chosen(moved, X, scoring=True)):
        rows = kernel.encode(X)
        resp = kernel.log_joint(rows)
        assert resp.dtype == np.float32
        log_normalize(resp)
        sums = kernel.sums(rows, resp)
        assert {part.dtype for part in sums} == {np.dtype(np.float64)}
        assert_allclose(log_joint(kernel, X), exact, rtol=1e-4, atol=2e-3)


@every_structure
def test_float32_in_both_kernels(
    noise: str, loadings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = random_factors(noise, loadings, k=3, d=5, q=2)
    X = mixture.sample(200, np.random.default_rng(0))[0].astype(np.float32)
    exact = exact_log_joint(mixture, X.astype(np.float64))
    for kernel in both_kernels(mixture, X, monkeypatch):
        assert_allclose(log_joint(kernel, X), exact, rtol=1e-4, atol=2e-3)


def narrow(noise: str, loadings: str, width: float, *, factors: bool) -> Mixture:
    """Components with noise this wide; with ``factors`` no longer than that, or as ever."""
    loose = random_factors(noise, loadings, k=3, d=4, q=2, separation=1.0)
    arrays = dict(loose.family.pack(loose.parameters))
    arrays["noise_variance"] = arrays["noise_variance"] * width**2
    if factors:
        name = "loadings" if loadings == "own" else "factor_roots"
        arrays[name] = arrays[name] * width
    return Mixture(loose.family, loose.log_weights, loose.family.unpack(arrays))


@every_structure
@pytest.mark.parametrize("width", 10.0 ** -np.arange(1, 8), ids=lambda width: f"{width:.0e}")
@pytest.mark.parametrize("factors", [False, True], ids=["noise", "all"])
def test_no_width_loses_a_micronat(noise: str, loadings: str, width: float, factors: bool) -> None:
    mixture = narrow(noise, loadings, width, factors=factors)
    X, labels = mixture.sample(200, np.random.default_rng(1))
    for scoring in (False, True):
        kernel = chosen(mixture, X, scoring=scoring)
        found = log_joint(kernel, X)
        for i in range(10):
            lost = abs(found[i, labels[i]] - rational_log_density(mixture, X[i], labels[i]))
            assert lost < 1e-6
            # Which the kernel says itself.
            assert lost < kernel.loss + 1e-13 * abs(found[i, labels[i]])


@every_structure
def test_expanding_a_narrow_component_would_lose_more(
    noise: str, loadings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise the test above would pass with one kernel.
    mixture = narrow(noise, loadings, 1e-6, factors=True)
    X, labels = mixture.sample(200, np.random.default_rng(1))
    exact = np.array([rational_log_density(mixture, X[i], labels[i]) for i in range(20)])
    own = np.arange(20), labels[:20]
    expanded, centred = both_kernels(mixture, X, monkeypatch)
    assert isinstance(chosen(mixture, X), CentredFactors)
    assert np.abs(log_joint(expanded, X)[own] - exact).max() > 1e-6
    assert expanded.loss > 1e-6
    assert np.abs(log_joint(centred, X)[own] - exact).max() < 1e-6


def test_ordinary_rows_are_expanded_wherever_they_lie() -> None:
    mixture = random_factors("diag", k=4, d=20, q=3)
    X, _ = mixture.sample(500, np.random.default_rng(0))
    family: Any = mixture.family
    for shift in (0.0, 1e8):
        _, parameters = family.map_columns(mixture.parameters, np.ones(20), shift)
        moved = Mixture(family, mixture.log_weights, parameters)
        assert isinstance(chosen(moved, X + shift), ExpandedFactors)


@every_structure
def test_a_component_without_weight_gets_no_row(
    noise: str, loadings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = random_factors(noise, loadings, k=3, d=3, q=1)
    log_weights = np.array([np.log(0.5), -np.inf, np.log(0.5)])
    mixture = Mixture(ordinary.family, log_weights, ordinary.parameters)
    X, _ = ordinary.sample(100, np.random.default_rng(0))
    for dtype in (np.float64, np.float32):
        for kernel in both_kernels(mixture, X.astype(dtype), monkeypatch):
            resp = kernel.log_joint(kernel.encode(X.astype(dtype)))
            log_normalize(resp)
            assert resp[:, 1].max() < 1e-25
            assert np.isfinite(resp).all()
    problem = problem_of(mixture.family, ArraySource(X))
    following = problem.maximize(problem.evaluate(mixture).statistics)
    assert following.weights[1] < 1e-30
    for array in mixture.family.pack(following.parameters).values():
        assert np.isfinite(array).all()
