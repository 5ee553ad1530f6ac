from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.families.registry import make_covariance
from tests.cases import Array, every_covariance

N, K, D = 60, 3, 2

shifts = pytest.mark.parametrize("shift", [0.0, 1e8], ids=["near", "far"])


def rows(shift: float = 0.0) -> Array:
    # On a grid, so that the shift is exact.
    X = np.random.default_rng(0).standard_normal((N, D))
    return np.asarray(np.round(X * 2.0**20) / 2.0**20 + shift)


def responsibilities() -> Array:
    return np.random.default_rng(1).dirichlet(np.ones(K), size=N)


def statistics(covariance_type: str, X: Array, resp: Array) -> GaussianStatistics:
    return GaussianStatistics.of(make_covariance(covariance_type), X, resp)


def plain_scatter(covariance_type: str, X: Array, resp: Array) -> Array:
    scatter = np.zeros((K, D, D))
    for j in range(K):
        deviations = X - np.average(X, axis=0, weights=resp[:, j])
        scatter[j] = (resp[:, j, None] * deviations).T @ deviations
    if covariance_type == "full":
        return scatter
    if covariance_type == "tied":
        return np.asarray(scatter.sum(axis=0))
    diagonal = np.einsum("kaa->ka", scatter)
    return diagonal if covariance_type == "diag" else np.asarray(diagonal.sum(axis=1))


def assert_same(one: GaussianStatistics, other: GaussianStatistics) -> None:
    assert_allclose(one.weight, other.weight, rtol=1e-13)
    assert_allclose(one.means(), other.means(), rtol=1e-13, atol=1e-13)
    # Means near 1e8 are known to 1e-8.
    assert_allclose(one.scatter(), other.scatter(), rtol=1e-6, atol=1e-6)


@every_covariance
@shifts
def test_means_and_scatter_are_the_plain_ones(covariance_type: str, shift: float) -> None:
    X, resp = rows(shift), responsibilities()
    found = statistics(covariance_type, X, resp)
    assert_allclose(found.means(), resp.T @ rows() / resp.sum(axis=0)[:, None] + shift, rtol=1e-14)
    wanted = plain_scatter(covariance_type, rows(), resp)
    assert_allclose(found.scatter(), wanted, rtol=1e-7, atol=1e-7)


@every_covariance
@shifts
def test_parts_add_to_the_whole_in_any_order(covariance_type: str, shift: float) -> None:
    X, resp = rows(shift), responsibilities()
    a, b, c = (
        statistics(covariance_type, X[part], resp[part])
        for part in (slice(0, 10), slice(10, 37), slice(37, N))
    )
    whole = statistics(covariance_type, X, resp)
    for merged in ((a + b) + c, a + (b + c), c + b + a):
        assert_same(merged, whole)


@every_covariance
@shifts
def test_moving_the_reference_changes_nothing(covariance_type: str, shift: float) -> None:
    whole = statistics(covariance_type, rows(shift), responsibilities())
    reference = shift + np.random.default_rng(2).standard_normal((K, D))
    moved = whole.moved(reference)
    assert_array_equal(moved.reference, reference)
    assert not np.allclose(moved.second, whole.second)
    assert_same(moved, whole)
    assert_same(moved.moved(whole.reference), whole)


@every_covariance
def test_a_component_without_rows_stays_in_the_middle(covariance_type: str) -> None:
    X, resp = rows(5.0), responsibilities()
    resp[:, 1] = 0.0
    found = statistics(covariance_type, X, resp)
    weight = resp.sum(axis=1)
    assert_allclose(found.means()[1], np.average(X, axis=0, weights=weight))
    assert np.isfinite(found.scatter()).all()


@every_covariance
def test_equal_rows_have_no_negative_variance(covariance_type: str) -> None:
    X = np.full((N, D), 0.1) + 1e5
    moved = statistics(covariance_type, X, responsibilities()).moved(np.full((K, D), 9e4))
    scatter = moved.scatter()
    variances = (
        np.einsum("...aa->...a", scatter) if covariance_type in ("full", "tied") else scatter
    )
    assert (variances >= 0).all()


@every_covariance
def test_take_keeps_the_chosen_components(covariance_type: str) -> None:
    whole = statistics(covariance_type, rows(), responsibilities())
    taken = whole.take([2, 0])
    assert_array_equal(taken.means(), whole.means()[[2, 0]])
    assert_array_equal(taken.weight, whole.weight[[2, 0]])
