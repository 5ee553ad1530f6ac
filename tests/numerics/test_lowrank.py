"""Leading directions against the full eigendecomposition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from emplus.numerics.lowrank import leading_directions

Array = NDArray[np.floating]

# (rows, columns): through the smaller Gram matrix of either kind, and iterated.
EXACT = [(40, 5), (5, 40), (2, 2), (256, 300), (600, 256), (30, 2000)]
ITERATED = [(400, 300), (300, 900), (2000, 270)]


def _falling(b: int, d: int, rank: int, seed: int) -> tuple[Array, Array, Array]:
    """Rows of known eigenvalues 1, 1/2, 1/4, ... and eigenvectors."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((b, rank)))[0]
    right = np.linalg.qr(rng.standard_normal((d, rank)))[0]
    values = 0.5 ** np.arange(rank)
    return (left * np.sqrt(values)) @ right.T, values, right


@pytest.mark.parametrize("shape", EXACT + ITERATED)
@pytest.mark.parametrize("count", [1, 4, 24])
def test_they_are_those_of_the_full_decomposition(shape: tuple[int, int], count: int) -> None:
    rank = min(*shape, 30)
    rows, known, right = _falling(*shape, rank, seed=1)
    values, vectors = leading_directions(rows, count)
    c = min(count, rank)
    assert (values.shape, vectors.shape) == ((c,), (shape[1], c))
    assert_allclose(values, known[:c], rtol=1e-6, atol=1e-14)
    assert_allclose(vectors.T @ vectors, np.eye(c), atol=1e-12)
    assert_allclose(np.abs(np.einsum("ac,ac->c", vectors, right[:, :c])), 1.0, rtol=1e-6)


@pytest.mark.parametrize("shape", EXACT + ITERATED)
def test_no_other_directions_of_noise_hold_much_more(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(2).standard_normal(shape)
    values, vectors = leading_directions(rows, 10)
    best = np.linalg.svd(rows, compute_uv=False)[: len(values)] ** 2
    held = np.einsum("bc,bc->c", rows @ vectors, rows @ vectors)
    # The values are what the vectors hold, or a little less while single vectors still turn.
    assert_allclose(held, values, rtol=1e-3)
    assert (values <= held * (1.0 + 1e-12)).all()
    assert best.sum() * 0.97 < values.sum() <= best.sum() * (1.0 + 1e-12)
    assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-12)


@pytest.mark.parametrize("shape", EXACT + ITERATED)
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_directions_without_variance_are_left_out(shape: tuple[int, int], rank: int) -> None:
    rows, known, right = _falling(*shape, rank, seed=3)
    values, vectors = leading_directions(rows, 5)
    assert_allclose(values, known, rtol=1e-9)
    assert_allclose(vectors @ vectors.T, right @ right.T, atol=1e-9)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (3, 3)])
def test_nothing_asked_for_or_nothing_there(shape: tuple[int, int]) -> None:
    count = 0 if shape == (3, 3) else 2
    values, vectors = leading_directions(np.ones(shape), count)
    assert (values.shape, vectors.shape) == ((0,), (shape[1], 0))


@pytest.mark.parametrize("shape", [(20, 6), (400, 300)])
def test_the_same_rows_give_the_same_bits(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(4).standard_normal(shape)
    first, again = leading_directions(rows, 3), leading_directions(rows.copy(), 3)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(first, again, strict=True))


def test_single_precision_rows_are_taken_as_they_are() -> None:
    rows, known, _ = _falling(50, 7, 7, seed=5)
    values, vectors = leading_directions(rows.astype(np.float32), 3)
    assert values.dtype == vectors.dtype == np.float64
    assert_allclose(values, known[:3], rtol=1e-5)


def test_a_looser_tolerance_stops_sooner() -> None:
    rows = np.random.default_rng(6).standard_normal((400, 300))
    loose, firm = (leading_directions(rows, 10, tol=tol)[0].sum() for tol in (0.5, 1e-6))
    single = leading_directions(rows, 10, max_steps=1)[0].sum()
    assert single < loose < firm


@given(
    b=st.integers(1, 12),
    d=st.integers(1, 12),
    count=st.integers(1, 14),
    log_scale=st.integers(-60, 60),
    seed=st.integers(0, 100),
)
def test_small_rows_of_any_scale(b: int, d: int, count: int, log_scale: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(-2, 3, (b, d)) * 10.0**log_scale
    values, vectors = leading_directions(rows, count)
    full = np.linalg.svd(rows, compute_uv=False) ** 2
    c = min(count, np.linalg.matrix_rank(rows))
    assert len(values) == c
    assert_allclose(values, full[:c], rtol=1e-8)
    left = np.linalg.norm(rows - rows @ vectors @ vectors.T) ** 2
    assert_allclose(left, full[c:].sum(), rtol=1e-6, atol=1e-20 * full.sum())
