from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from scipy.special import logsumexp

from emplus import Mixture
from emplus.errors import ArgumentError, DataError, UnknownNameError
from tests.cases import (
    Array,
    FamilyCase,
    every_covariance,
    every_family,
    random_covariances,
    random_gaussian,
)
from tests.oracles import full_covariances


def scipy_log_density(mixture: Mixture, X: Array) -> Array:
    parts = [
        log_weight + np.reshape(stats.multivariate_normal(mean, covariance).logpdf(X), -1)
        for log_weight, mean, covariance in zip(
            mixture.log_weights, mixture.parameters.means, full_covariances(mixture), strict=True
        )
    ]
    return np.asarray(logsumexp(np.stack(parts), axis=0))


@every_covariance
def test_log_density_is_scipys(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=4, d=3)
    X, _ = mixture.sample(200, np.random.default_rng(0))
    assert_allclose(mixture.log_density(X), scipy_log_density(mixture, X), rtol=1e-9)


@every_family
def test_the_four_readings_agree(case: FamilyCase) -> None:
    X = case.rows(50)
    joint = case.mixture.log_joint(X)
    assert_allclose(case.mixture.log_density(X), logsumexp(joint, axis=1), rtol=1e-12)
    resp = case.mixture.responsibilities(X)
    assert_allclose(resp, np.exp(joint - logsumexp(joint, axis=1)[:, None]), atol=1e-12)
    assert_array_equal(case.mixture.predict(X), resp.argmax(axis=1))


@every_family
def test_no_rows_are_no_answers(case: FamilyCase) -> None:
    empty = np.empty((0, case.mixture.n_features))
    assert case.mixture.log_density(empty).shape == (0,)
    assert case.mixture.predict(empty).shape == (0,)


@every_family
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scores_do_not_depend_on_the_rows_beside(
    case: FamilyCase, dtype: type[np.floating]
) -> None:
    X = case.rows(5000).astype(dtype)
    far = np.vstack([X, np.where(case.real, 1e7, X[:1]).astype(dtype)])
    whole = case.mixture.log_joint(X)
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    assert_allclose(case.mixture.log_joint(far)[:-1], whole, rtol=tolerance, atol=tolerance)
    assert_allclose(case.mixture.log_joint(X[::-1])[::-1], whole, rtol=tolerance, atol=tolerance)
    alone = np.vstack([case.mixture.log_joint(row[None]) for row in X[:50]])
    assert_allclose(alone, whole[:50], rtol=tolerance, atol=tolerance)


def test_density_integrates_to_one() -> None:
    mixture = Mixture.gaussian([0.3, 0.7], [[-3.0], [2.0]], [0.5, 2.0], "spherical")
    mass, _ = integrate.quad(lambda x: np.exp(mixture.log_density([[x]])[0]), -20, 20)
    assert_allclose(mass, 1.0, rtol=1e-7)


@every_covariance
def test_sample_has_the_moments_of_the_mixture(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=3)
    n = 60_000
    X, labels = mixture.sample(n, np.random.default_rng(0))
    covariances = full_covariances(mixture)
    for j in range(3):
        own = X[labels == j]
        error = np.sqrt(np.diagonal(covariances[j]) / len(own))
        assert (np.abs(own.mean(axis=0) - mixture.parameters.means[j]) < 4.5 * error).all()
        white = np.linalg.cholesky(covariances[j])
        relative = np.linalg.solve(white, np.linalg.solve(white, np.cov(own.T)).T)
        assert np.abs(relative - np.eye(3)).max() < 5.0 * np.sqrt(2.0 / len(own))


def test_sample_in_one_dimension_has_the_distribution_function() -> None:
    weights, means, widths = [0.2, 0.5, 0.3], np.array([-4.0, 0.0, 3.0]), [0.5, 1.0, 2.0]
    mixture = Mixture.gaussian(weights, means[:, None], np.square(widths), "spherical")
    X, _ = mixture.sample(20_000, np.random.default_rng(1))

    def cdf(x: Any) -> Any:
        return np.array(weights) @ stats.norm.cdf(x, means[:, None], np.c_[widths])

    assert stats.kstest(X[:, 0], cdf).pvalue > 0.01
    shifted = stats.kstest(X[:, 0] + 0.1, cdf).pvalue
    assert shifted < 1e-6


@every_family
def test_sampling_is_repeatable_and_its_order_random(case: FamilyCase) -> None:
    one, labels = case.mixture.sample(100, np.random.default_rng(5))
    other, _ = case.mixture.sample(100, np.random.default_rng(5))
    assert_array_equal(one, other)
    assert (np.diff(labels) < 0).any()
    with pytest.raises(ArgumentError, match="at least 1"):
        case.mixture.sample(0, np.random.default_rng(0))


@every_covariance
@pytest.mark.parametrize("columns", [[0], [2, 0], [1, 3], [3, 2, 1, 0]])
def test_marginal_is_the_gaussian_of_those_columns(
    covariance_type: str, columns: list[int]
) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=4)
    marginal = mixture.marginal(columns)
    X, _ = mixture.sample(40, np.random.default_rng(0))
    wanted = Mixture.gaussian(
        mixture.weights,
        mixture.parameters.means[:, columns],
        full_covariances(mixture)[:, columns][:, :, columns],
        "full",
    )
    assert marginal.family.config()["covariance_type"] == covariance_type
    assert_allclose(marginal.log_density(X[:, columns]), wanted.log_density(X[:, columns]))


def test_marginal_is_the_integral_over_the_other_column() -> None:
    mixture = random_gaussian("full", k=3, d=2)
    for x in (-1.0, 0.5, 3.0):
        mass, _ = integrate.quad(
            lambda y, x=x: np.exp(mixture.log_density([[x, y]])[0]), -15, 15, limit=200
        )
        assert_allclose(np.exp(mixture.marginal(0).log_density([[x]])[0]), mass, rtol=1e-7)


@every_covariance
@pytest.mark.parametrize("columns", [[1], [2, 0], [3, 1, 0]])
def test_condition_is_joint_over_marginal(covariance_type: str, columns: list[int]) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=4)
    rest = [c for c in range(4) if c not in columns]
    X, _ = mixture.sample(30, np.random.default_rng(0))
    for values in X[:4, columns]:
        rows = X.copy()
        rows[:, columns] = values
        wanted = mixture.log_density(rows) - mixture.marginal(columns).log_density(values[None])
        given = mixture.condition(columns, values)
        assert_allclose(given.log_density(X[:, rest]), wanted, rtol=1e-9, atol=1e-9)
        assert_allclose(given.weights.sum(), 1.0)


@every_covariance
def test_condition_does_not_mind_the_units_of_the_columns(covariance_type: str) -> None:
    if covariance_type == "spherical":
        return
    mixture = random_gaussian(covariance_type, k=2, d=3)
    family: Any = mixture.family
    scale = np.array([1e-9, 1.0, 1e9])
    kind, parameters = family.map_columns(mixture.parameters, scale, 0.0)
    given = Mixture(kind, mixture.log_weights, parameters).condition([0, 2], [2e-9, -1e9])
    wanted = mixture.condition([0, 2], [2.0, -1.0])
    assert_allclose(given.weights, wanted.weights, rtol=1e-9)
    assert_allclose(given.parameters.means, wanted.parameters.means, rtol=1e-9)
    assert_allclose(given.parameters.covariances, wanted.parameters.covariances, rtol=1e-9)


def test_conditioning_far_away_leaves_a_mixture() -> None:
    given = random_gaussian("full", k=3, d=2).condition(0, 1e9)
    assert_allclose(given.weights.sum(), 1.0)
    assert np.isfinite(given.parameters.means).all()


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ([0, 0], ArgumentError, "each once"),
        ([], ArgumentError, "must be given|not column numbers"),
        ([2], UnknownNameError, "Known: 0, 1"),
        ([-1], UnknownNameError, "column number -1"),
        ("height", ArgumentError, "not column numbers"),
        ([0.5], ArgumentError, "not column numbers"),
    ],
)
def test_refuses_columns_that_are_not_there(columns: Any, error: Any, words: str) -> None:
    mixture = random_gaussian("full")
    with pytest.raises(error, match=words):
        mixture.marginal(columns)
    with pytest.raises(error, match=words):
        mixture.condition(columns, [0.0] * len(columns))


@pytest.mark.parametrize(
    ("columns", "values", "words"),
    [
        (0, [1.0, 2.0], "1 columns are given"),
        (0, np.nan, "finite values"),
        ([0, 1], [1.0, 2.0], "at least one must be left"),
    ],
)
def test_refuses_conditions_that_make_no_sense(columns: Any, values: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        random_gaussian("full").condition(columns, values)


EYE = np.eye(2)
BAD_GAUSSIANS: dict[str, tuple[Any, Any, Any, Any, str]] = {
    "weights not 1": ([0.5, 0.4], [[0, 0], [1, 1]], [EYE, EYE], None, "sum to 1"),
    "weights negative": ([1.5, -0.5], [[0, 0], [1, 1]], [EYE, EYE], None, "at least 0"),
    "weights NaN": ([np.nan, 1], [[0, 0], [1, 1]], [EYE, EYE], None, "sum to 1"),
    "weights too many": ([0.5, 0.5], [[0, 0]], [EYE], None, r"weights \(k,\)"),
    "means flat": ([1.0], [0, 0], [EYE], None, r"means must be \(k, d\)"),
    "means infinite": ([1.0], [[np.inf, 0]], [EYE], None, "finite"),
    "covariance NaN": ([1.0], [[0, 0]], [np.full((2, 2), np.nan)], None, "finite"),
    "covariance odd": ([1.0], [[0, 0]], np.ones((5, 5)), None, "no covariance type"),
    "covariance either": ([0.5, 0.5], [[0, 0], [1, 1]], EYE, None, "tied or diag"),
    "covariance other": ([1.0], [[0, 0]], [EYE], "diag", "no covariance type"),
    "covariance unknown": ([1.0], [[0, 0]], [EYE], "ful", "did you mean 'full'"),
    "not definite": (
        [0.5, 0.5],
        [[0, 0], [1, 1]],
        [EYE, [[1, 2], [2, 1]]],
        None,
        "Component 1: .*positive definite",
    ),
    "zero variance": ([1.0], [[0, 0]], [[0.0, 1.0]], "diag", "Component 0"),
    "not symmetric": ([1.0], [[0, 0]], [[[1.0, 0.9], [0.0, 1.0]]], None, "symmetric"),
}


@pytest.mark.parametrize("name", BAD_GAUSSIANS)
def test_refuses_what_is_no_gaussian_mixture(name: str) -> None:
    weights, means, covariances, covariance_type, words = BAD_GAUSSIANS[name]
    with pytest.raises(ArgumentError, match=words):
        Mixture.gaussian(weights, means, covariances, covariance_type)


def test_matrices_that_rounding_left_askew_are_made_symmetric() -> None:
    covariance = 1e-12 * np.array([[1.0, 0.5], [0.5 * (1 + 1e-9), 1.0]])
    mixture = Mixture.gaussian([1.0], [[0.0, 0.0]], [covariance])
    found = mixture.parameters.covariances
    assert_array_equal(found, found.swapaxes(1, 2))
    covariance[1, 0] = 0.4e-12
    with pytest.raises(ArgumentError, match="symmetric"):
        Mixture.gaussian([1.0], [[0.0, 0.0]], [covariance])


@every_covariance
def test_shapes_name_the_covariance_type(covariance_type: str) -> None:
    covariances = random_covariances(covariance_type, 3, 2, np.random.default_rng(0))
    mixture = Mixture.gaussian(np.full(3, 1 / 3), np.zeros((3, 2)), covariances)
    assert mixture.family.config() == {"covariance_type": covariance_type}


@every_family
def test_refuses_rows_of_another_width(case: FamilyCase) -> None:
    d = case.mixture.n_features
    with pytest.raises(DataError, match=rf"needs \(n, {d}\)"):
        case.mixture.log_density(np.zeros((4, d + 1)))
    with pytest.raises(DataError, match="shape"):
        case.mixture.log_density(np.zeros(2))
