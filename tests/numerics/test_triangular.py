from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.numerics.triangular import (
    SingularMatrixError,
    half_log_det,
    precision_factors,
    triangular_product,
)


def covariances(k: int, d: int) -> np.ndarray:
    roots = np.random.default_rng(d).standard_normal((k, d, d + 2))
    return np.asarray(roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(d))


# 32 and below, LAPACK's batched inverse; above, a triangular inverse each.
@pytest.mark.parametrize("d", [1, 2, 5, 32, 33, 70])
def test_factors_give_the_inverse(d: int) -> None:
    sigma = covariances(3, d)
    factors = precision_factors(sigma)
    assert_array_equal(factors, np.triu(factors))
    assert_allclose(factors @ factors.swapaxes(1, 2), np.linalg.inv(sigma), rtol=1e-7, atol=1e-9)
    assert_allclose(half_log_det(factors), -0.5 * np.linalg.slogdet(sigma)[1], rtol=1e-10)


@pytest.mark.parametrize("d", [3, 8, 40])
def test_factors_follow_the_units_of_the_columns(d: int) -> None:
    # Nearly singular correlations in columns of very different units.
    rng = np.random.default_rng(d)
    roots = rng.standard_normal((20, d, d)) * 10.0 ** np.linspace(0, -4, d)
    sigma = roots @ roots.swapaxes(1, 2)
    units = 2.0 ** rng.permutation(np.linspace(-60, 60, d).round())
    factors = precision_factors(sigma)
    scaled = precision_factors(sigma * np.multiply.outer(units, units))
    size = np.abs(factors).max(axis=2, keepdims=True)
    assert_allclose(scaled * units[:, None] / size, factors / size, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize("bad", [0, 2])
def test_names_the_matrix_that_is_singular(d: int, bad: int) -> None:
    sigma = covariances(4, d)
    sigma[bad] = 1.0
    sigma[bad, 0, 0] = -1.0
    with pytest.raises(SingularMatrixError, match=f"covariance {bad} is not positive") as caught:
        precision_factors(sigma)
    assert caught.value.index == bad


def test_a_matrix_of_nan_is_singular() -> None:
    sigma = covariances(2, 2)
    sigma[1] = np.nan
    with pytest.raises(SingularMatrixError) as caught:
        precision_factors(sigma)
    assert caught.value.index == 1


# One, two and four panels.
@pytest.mark.parametrize("d", [1, 7, 48, 97, 130])
def test_triangular_product_is_the_product(d: int) -> None:
    rng = np.random.default_rng(d)
    rows, factor = rng.standard_normal((20, d)), np.triu(rng.standard_normal((d, d)))
    out = np.full((20, d), np.nan)
    assert triangular_product(rows, factor, out) is out
    assert_allclose(out, rows @ factor, rtol=1e-12, atol=1e-12)
