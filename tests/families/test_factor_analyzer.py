"""Factor analyzers as values: seen through columns, conditioned, rescaled, averaged, perturbed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import Mixture
from emplus.errors import ArgumentError, UnknownNameError
from emplus.families.base import SingularComponentError
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.factor_parameters import canonical
from emplus.families.registry import make_family
from tests.cases import Array, every_structure, random_factors
from tests.oracles import full_covariances

every_q = pytest.mark.parametrize("q", [0, 1, 3])


def as_gaussian(mixture: Mixture) -> Mixture:
    """The same mixture with covariances written out."""
    covariances = full_covariances(mixture)
    covariances = 0.5 * (covariances + covariances.swapaxes(1, 2))
    return Mixture.gaussian(mixture.weights, mixture.parameters.means, covariances, "full")


@every_structure
@every_q
@pytest.mark.parametrize("columns", [[0], [2, 0], [1, 3], [3, 2, 1, 0]])
def test_marginal_is_the_gaussian_of_those_columns(
    noise: str, loadings: str, q: int, columns: list[int]
) -> None:
    mixture = random_factors(noise, loadings, q=q)
    marginal = mixture.marginal(columns)
    X, _ = mixture.sample(40, np.random.default_rng(0))
    wanted = as_gaussian(mixture).marginal(columns)
    assert marginal.family == mixture.family
    assert_allclose(marginal.log_joint(X[:, columns]), wanted.log_joint(X[:, columns]), rtol=1e-9)


@every_structure
@every_q
@pytest.mark.parametrize("columns", [[1], [2, 0], [3, 1, 0]])
def test_condition_is_the_gaussian_regression(
    noise: str, loadings: str, q: int, columns: list[int]
) -> None:
    mixture = random_factors(noise, loadings, q=q)
    plain = as_gaussian(mixture)
    rest = [c for c in range(4) if c not in columns]
    X, _ = mixture.sample(30, np.random.default_rng(0))
    for values in X[:4, columns]:
        given, wanted = mixture.condition(columns, values), plain.condition(columns, values)
        assert given.family == mixture.family
        assert_allclose(given.weights, wanted.weights, rtol=1e-9)
        assert_allclose(given.parameters.means, wanted.parameters.means, rtol=1e-8, atol=1e-9)
        found = full_covariances(given)
        assert_allclose(found, wanted.parameters.covariances, rtol=1e-8, atol=1e-9)
        joint = given.log_joint(X[:, rest])
        assert_allclose(joint, wanted.log_joint(X[:, rest]), rtol=1e-8, atol=1e-8)


@every_structure
def test_conditioning_twice_is_conditioning_on_both(noise: str, loadings: str) -> None:
    mixture = random_factors(noise, loadings, d=5, q=2)
    at_once = mixture.condition([0, 3], [0.5, -1.0])
    in_turn = mixture.condition(3, -1.0).condition(0, 0.5)
    X, _ = at_once.sample(20, np.random.default_rng(0))
    assert_allclose(in_turn.log_joint(X), at_once.log_joint(X), rtol=1e-9, atol=1e-9)


@every_structure
def test_map_columns_is_the_image_of_the_mixture(noise: str, loadings: str) -> None:
    mixture = random_factors(noise, loadings, d=3, q=2)
    scale, shift = np.array([2.0, -0.5, 1e5]), np.array([1.0, -7.0, 0.0])
    family: Any = mixture.family
    mapped, parameters = family.map_columns(mixture.parameters, scale, shift)
    assert_allclose(parameters.means, mixture.parameters.means * scale + shift)
    wanted = full_covariances(mixture) * np.multiply.outer(scale, scale)
    assert_allclose(mapped.full_covariances(parameters), wanted, rtol=1e-12, atol=1e-12)
    assert mapped.noise == ("diag" if noise == "isotropic" else noise)
    again = mapped.unpack(mapped.pack(parameters))
    X, _ = mixture.sample(20, np.random.default_rng(0))
    moved = Mixture(mapped, mixture.log_weights, again).log_joint(X * scale + shift)
    lost = np.log(np.abs(scale)).sum()
    assert_allclose(moved, mixture.log_joint(X) - lost, rtol=1e-9, atol=1e-9)


@every_structure
@every_q
def test_sample_has_the_moments_of_the_mixture(noise: str, loadings: str, q: int) -> None:
    mixture = random_factors(noise, loadings, d=3, q=q)
    X, labels = mixture.sample(40_000, np.random.default_rng(0))
    covariances = full_covariances(mixture)
    for j in range(3):
        own = X[labels == j]
        error = np.sqrt(np.diagonal(covariances[j]) / len(own))
        assert (np.abs(own.mean(axis=0) - mixture.parameters.means[j]) < 4.5 * error).all()
        white = np.linalg.cholesky(covariances[j])
        relative = np.linalg.solve(white, np.linalg.solve(white, np.cov(own.T)).T)
        assert np.abs(relative - np.eye(3)).max() < 5.0 * np.sqrt(2.0 / len(own))


@every_structure
@every_q
def test_factor_means_are_the_regression_of_the_factors(noise: str, loadings: str, q: int) -> None:
    # Lambda' Sigma^-1 (x - mu).
    mixture = random_factors(noise, loadings, d=5, q=q)
    X, _ = mixture.sample(20, np.random.default_rng(0))
    family: Any = mixture.family
    found = family.factor_means(mixture.parameters, X)
    assert found.shape == (20, 3, q)
    covariances = full_covariances(mixture)
    for j, (mean, own) in enumerate(
        zip(mixture.parameters.means, mixture.parameters.loadings, strict=True)
    ):
        wanted = np.linalg.solve(covariances[j], (X - mean).T).T @ own
        assert_allclose(found[:, j], wanted, rtol=1e-9, atol=1e-10)


@every_structure
def test_an_average_has_the_mean_of_the_variances(noise: str, loadings: str) -> None:
    mixture = random_factors(noise, loadings, k=4, d=6, q=2)
    share = np.array([0.4, 0.1, 0.2, 0.3])
    average = mixture.family.average(mixture.parameters, 5.0 * share)
    assert_allclose(average.means, share[None] @ mixture.parameters.means)
    mean = np.einsum("k,kab->ab", share, full_covariances(mixture))
    one = Mixture(mixture.family, np.zeros(1), average)
    found = full_covariances(one)[0]
    if noise == "diag" and loadings == "own":
        # What the factors cannot hold stays in the noise.
        assert_allclose(np.diagonal(found), np.diagonal(mean), rtol=1e-10)
    elif noise == "isotropic" and loadings == "own":
        assert_allclose(np.trace(found), np.trace(mean), rtol=1e-10)
    # And is no further from the mean covariance than any one of them.
    error = np.linalg.norm(found - mean)
    for covariance in full_covariances(mixture):
        assert error < np.linalg.norm(covariance - mean)
    # Of all factors, the longest are kept, and what they leave is not just dropped.
    factors = found - np.diag(average.psi[0])
    values = np.linalg.eigvalsh(np.einsum("k,kab->ab", share, _factor_parts(mixture)))
    values[:-2] = 0.0
    assert_allclose(np.linalg.eigvalsh(factors), values, rtol=1e-9, atol=1e-12)
    dropped = factors + np.diag(share @ mixture.parameters.psi)
    assert error <= np.linalg.norm(dropped - mean) + 1e-12


def _factor_parts(mixture: Mixture) -> Array:
    parts: Array = mixture.parameters.loadings @ mixture.parameters.loadings.swapaxes(1, 2)
    return parts


@every_structure
def test_a_perturbation_keeps_the_volume_and_steps_as_far_as_the_radius(
    noise: str, loadings: str
) -> None:
    mixture = random_factors(noise, loadings, k=4, d=4, q=2)
    parameters = mixture.parameters
    steps = []
    for seed in range(400):
        moved = mixture.family.perturb(parameters, 0.1, np.random.default_rng(seed))
        steps.append(moved.means - parameters.means)
    covariances = full_covariances(mixture)
    radius = np.linalg.det(covariances) ** (1.0 / 8.0)
    assert np.isfinite(steps).all()
    found = full_covariances(Mixture(mixture.family, mixture.log_weights, moved))
    if loadings == "common":
        # A step within the common space only; what is in it stays as it is.
        across = np.eye(4) - parameters.common.basis @ parameters.common.basis.T
        assert_allclose(np.array(steps) @ across, 0.0, atol=1e-12)
        assert_allclose(np.std(steps, axis=(0, 2)), 0.1 * radius * np.sqrt(0.5), rtol=0.1)
        assert_allclose(found, covariances, rtol=1e-10)
        return
    assert_allclose(np.std(steps, axis=(0, 2)), 0.1 * radius, rtol=0.1)
    if noise == "shared":
        assert_array_equal(moved.noise, parameters.noise)
    else:
        # Round but for short factors, which EM could not find again from none.
        assert_allclose(found, radius[:, None, None] ** 2 * np.eye(4), atol=0.05)
        assert_allclose(np.linalg.det(found) ** (1.0 / 8.0), radius, rtol=0.02)
    assert (np.linalg.norm(moved.loadings, axis=1) > 1e-3 * radius[:, None]).all()


@pytest.mark.parametrize("q", [-1, 1.0, True, "two", None, np.array([1, 2])])
def test_a_number_of_factors_is_checked(q: Any) -> None:
    with pytest.raises(ArgumentError, match="whole number of at least 0"):
        FactorAnalyzer(q)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'isotropic'"):
        FactorAnalyzer(1, noise="isotropc")
    with pytest.raises(UnknownNameError, match="did you mean 'common'"):
        FactorAnalyzer(1, loadings="comon")
    with pytest.raises(UnknownNameError, match="did you mean 'factor-analyzer'"):
        make_family("factor-analyser")


def test_numbers_of_numpy_are_numbers() -> None:
    two: Any = np.int64(2)
    family = FactorAnalyzer(two)
    assert family == FactorAnalyzer(2)
    assert type(family.config()["n_factors"]) is int


@every_structure
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_noise_must_be_positive(noise: str, loadings: str, bad: float) -> None:
    mixture = random_factors(noise, loadings)
    arrays = mixture.family.pack(mixture.parameters)
    spoiled = np.array(arrays["noise_variance"])
    spoiled.reshape(-1)[-1] = bad
    with pytest.raises(ValueError, match="'noise_variance' is not positive"):
        mixture.family.unpack({**arrays, "noise_variance": spoiled})


def test_parameters_are_checked_and_turned() -> None:
    family = FactorAnalyzer(2)
    means, noise = np.zeros((2, 3)), np.ones((2, 3))
    loadings = np.random.default_rng(0).standard_normal((2, 3, 2))
    assert_array_equal(family.parameters(means, loadings, noise).loadings, canonical(loadings))
    noise[1, 2] = 0.0
    with pytest.raises(SingularComponentError, match="noise variance is not > 0") as caught:
        family.parameters(means, loadings, noise)
    assert caught.value.component == 1


@every_structure
def test_unpack_names_what_does_not_fit(noise: str, loadings: str) -> None:
    mixture = random_factors(noise, loadings, q=2)
    arrays = mixture.family.pack(mixture.parameters)
    for name, array in arrays.items():
        for wrong in (array[..., None], np.stack([array, array])):
            with pytest.raises(ValueError, match=f"'{name}' has shape"):
                mixture.family.unpack({**arrays, name: wrong})


@pytest.mark.parametrize(("noise", "d", "q", "wanted"), [
    # Means, loadings without turns, noise; McLachlan & Peel (2000), section 8.2.
    ("diag", 10, 0, 3 * (10 + 10)),
    ("diag", 10, 2, 3 * (10 + 20 - 1 + 10)),
    ("shared", 10, 2, 3 * (10 + 20 - 1) + 10),
    ("isotropic", 10, 3, 3 * (10 + 30 - 3 + 1)),
    # Never more than covariances in full.
    ("diag", 3, 2, 3 * (3 + 6)),
    ("diag", 3, 3, 3 * (3 + 6)),
])  # fmt: skip
def test_free_parameters_by_their_formula(noise: str, d: int, q: int, wanted: int) -> None:
    assert FactorAnalyzer(q, noise).n_free_parameters(3, d) == wanted


@pytest.mark.parametrize(("d", "q", "k"), [(6, 1, 3), (6, 2, 3), (8, 3, 4)])
def test_free_parameters_of_a_common_space_are_the_rank_of_what_they_move(
    d: int, q: int, k: int
) -> None:
    # The dimension of the set of means and covariances, by finite differences.
    mixture = random_factors("diag", "common", k=k, d=d, q=q)
    family: Any = mixture.family
    arrays = family.pack(mixture.parameters)
    at = np.concatenate([np.ravel(array) for array in arrays.values()])

    def reached(values: Array) -> Array:
        parts = np.split(values, np.cumsum([a.size for a in arrays.values()])[:-1])
        made = family.unpack(
            {
                name: part.reshape(a.shape)
                for (name, a), part in zip(arrays.items(), parts, strict=True)
            }
        )
        return np.concatenate([made.means.ravel(), family.full_covariances(made).ravel()])

    steps = 1e-5 * np.eye(len(at))
    jacobian = np.array([reached(at + s) - reached(at - s) for s in steps]) / 2e-5
    values = np.linalg.svd(jacobian, compute_uv=False)
    assert (values > 1e-6 * values[0]).sum() == family.n_free_parameters(k, d)
