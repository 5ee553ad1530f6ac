from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.families.factor_kernels import CentredFactors, ExpandedFactors
from emplus.families.factor_statistics import FactorStatistics
from tests.cases import Array, random_factors

N, K, D, Q = 60, 3, 4, 2

shifts = pytest.mark.parametrize("shift", [0.0, 1e6], ids=["near", "far"])
both_kernels = pytest.mark.parametrize("centred", [False, True], ids=["expanded", "centred"])


def parameters(shift: float = 0.0) -> Any:
    mixture = random_factors("diag", k=K, d=D, q=Q)
    family: Any = mixture.family
    return family.map_columns(mixture.parameters, np.ones(D), shift)[1]


def rows(shift: float = 0.0) -> Array:
    # On a grid, so that the shift is exact.
    X = random_factors("diag", k=K, d=D, q=Q).sample(N, np.random.default_rng(0))[0]
    return np.asarray(np.round(X * 2.0**20) / 2.0**20 + shift)


def responsibilities() -> Array:
    return np.random.default_rng(1).dirichlet(np.ones(K), size=N)


def statistics(
    X: Array, resp: Array, shift: float, centred: bool, expected: Any = None
) -> FactorStatistics:
    expected = parameters(shift) if expected is None else expected
    dtype, nothing = np.dtype(np.float64), np.zeros(K)
    if centred:
        kernel: Any = CentredFactors(expected, nothing, dtype, np.ones(D))
    else:
        kernel = ExpandedFactors(expected, nothing, np.full(D, shift), dtype, 0.0)
    found: FactorStatistics = kernel.statistics(kernel.sums(kernel.encode(X), resp))
    return found


def assert_same(one: FactorStatistics, other: FactorStatistics) -> None:
    assert_allclose(one.weight, other.weight, rtol=1e-13)
    assert_allclose(one.means(), other.means(), rtol=1e-13, atol=1e-13)
    assert_allclose(one.factor_sums(), other.factor_sums(), rtol=1e-6, atol=1e-6)
    for found, wanted in zip(one.scatter(), other.scatter(), strict=True):
        # Sums about a point 1e6 away are known to 1e-4 of 1e12.
        assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@shifts
@both_kernels
def test_they_are_the_plain_sums(shift: float, centred: bool) -> None:
    X, resp = rows(shift), responsibilities()
    found = statistics(X, resp, shift, centred)
    assert_allclose(found.weight, resp.sum(axis=0), rtol=1e-13)
    means = resp.T @ rows() / resp.sum(axis=0)[:, None]
    assert_allclose(found.means(), means + shift, rtol=1e-14)
    diagonal, cross = found.scatter()
    projections, _, _ = found.expected.posterior
    for j in range(K):
        deviations = rows() - means[j]
        scatter = (resp[:, j, None] * deviations).T @ deviations
        assert_allclose(diagonal[j], np.diagonal(scatter), rtol=1e-7)
        assert_allclose(cross[j], projections[j] @ scatter, rtol=1e-6, atol=1e-6)
        whitened = (rows() - parameters().means[j]) @ projections[j].T
        assert_allclose(found.factor_sums()[j], resp[:, j] @ whitened, rtol=1e-6, atol=1e-6)


@shifts
@both_kernels
def test_parts_add_to_the_whole_in_any_order(shift: float, centred: bool) -> None:
    X, resp = rows(shift), responsibilities()
    a, b, c = (
        statistics(X[part], resp[part], shift, centred)
        for part in (slice(0, 10), slice(10, 37), slice(37, N))
    )
    whole = statistics(X, resp, shift, centred)
    for merged in ((a + b) + c, a + (b + c), c + b + a):
        assert_same(merged, whole)


@shifts
def test_parts_of_different_kernels_add(shift: float) -> None:
    X, resp = rows(shift), responsibilities()
    one = statistics(X[:25], resp[:25], shift, centred=True)
    other = statistics(X[25:], resp[25:], shift, centred=False)
    whole = statistics(X, resp, shift, centred=True)
    assert not np.array_equal(one.reference, other.reference)
    assert_same(one + other, whole)
    assert_same(other + one, whole)


@shifts
@both_kernels
def test_moving_the_reference_changes_nothing(shift: float, centred: bool) -> None:
    whole = statistics(rows(shift), responsibilities(), shift, centred)
    reference = shift + np.random.default_rng(2).standard_normal((K, D))
    moved = whole.moved(reference)
    assert_array_equal(moved.reference, reference)
    for name in ("first", "second", "cross"):
        assert not np.allclose(getattr(moved, name), getattr(whole, name))
    assert_same(moved, whole)
    assert_same(moved.moved(whole.reference), whole)


def test_sums_under_other_parameters_do_not_add() -> None:
    X, resp = rows(), responsibilities()
    one = statistics(X, resp, 0.0, centred=True)
    assert_same(one + statistics(X[:0], resp[:0], 0.0, centred=True), one)
    for seed in range(1, 4):
        other = random_factors("diag", k=K, d=D, q=Q, seed=seed).parameters
        with pytest.raises(ValueError, match="same parameters"):
            one + statistics(X, resp, 0.0, centred=True, expected=other)


def test_a_component_without_rows_stays_at_its_reference() -> None:
    X, resp = rows(), responsibilities()
    resp[:, 1] = 0.0
    found = statistics(X, resp, 0.0, centred=True)
    assert_array_equal(found.means()[1], parameters().means[1])
    for part in found.scatter():
        assert (part[1] == 0).all()


@both_kernels
def test_equal_rows_have_no_negative_variance(centred: bool) -> None:
    X = np.full((N, D), 0.1)
    found = statistics(X, responsibilities(), 0.0, centred).moved(np.full((K, D), -9e4))
    diagonal, _ = found.scatter()
    assert (diagonal >= 0).all()


@both_kernels
def test_take_keeps_the_chosen_components(centred: bool) -> None:
    whole = statistics(rows(), responsibilities(), 0.0, centred)
    taken = whole.take([2, 0])
    assert_array_equal(taken.weight, whole.weight[[2, 0]])
    assert_array_equal(taken.means(), whole.means()[[2, 0]])
    assert_array_equal(taken.expected.means, whole.expected.means[[2, 0]])
    for found, wanted in zip(taken.scatter(), whole.scatter(), strict=True):
        assert_allclose(found, wanted[[2, 0]], rtol=1e-12, atol=1e-12)
    assert_allclose(taken.factor_sums(), whole.factor_sums()[[2, 0]], rtol=1e-12, atol=1e-12)
