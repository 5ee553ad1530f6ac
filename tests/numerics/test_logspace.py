from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax

from emplus.numerics.logspace import log_normalize, log_or_minus_infinity


def test_agrees_with_scipy_however_large_or_small_the_terms_are() -> None:
    rng = np.random.default_rng(0)
    joint = rng.standard_normal((200, 5)) * 10.0 ** rng.integers(-3, 4, size=(200, 1))
    joint += rng.choice([-1e5, 0.0, 1e5], size=(200, 1))
    resp = joint.copy()
    assert_allclose(log_normalize(resp), logsumexp(joint, axis=1), rtol=1e-14)
    assert_allclose(resp, softmax(joint, axis=1), rtol=1e-11, atol=1e-300)
    assert_allclose(resp.sum(axis=1), 1.0, rtol=1e-14)


def test_a_row_that_no_component_can_produce_spreads_no_nan() -> None:
    joint = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    assert_array_equal(log_normalize(joint), [-np.inf, 0.0])
    assert_allclose(joint, [[0.5, 0.5], [1.0, 0.0]], atol=1e-30)


def test_one_component_takes_everything() -> None:
    joint = np.array([[-700.0], [3.0]])
    assert_array_equal(log_normalize(joint), [-700.0, 3.0])
    assert_array_equal(joint, [[1.0], [1.0]])


def test_float32_stays_float32() -> None:
    joint = np.zeros((3, 2), dtype=np.float32)
    assert log_normalize(joint).dtype == np.float32
    assert joint.dtype == np.float32


def test_log_of_zero_is_minus_infinity_without_a_warning() -> None:
    assert_array_equal(log_or_minus_infinity(np.array([0.0, 1.0])), [-np.inf, 0.0])


def test_a_sum_that_overflows_is_no_warning() -> None:
    """Each exponential is finite, their sum is not, and the rows that are probed are ordinary."""
    joint = np.zeros((100, 3))
    joint[1] = 709.5
    assert_allclose(log_normalize(joint)[1], 709.5 + np.log(3.0), rtol=1e-15)
    assert_allclose(joint, 1.0 / 3.0)
