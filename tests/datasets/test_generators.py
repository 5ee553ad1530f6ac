"""Generators against their own truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emplus.datasets import KINDS, Generated, make_mixture, pairwise_separation
from emplus.errors import ArgumentError, UnknownNameError

SHAPES = [(1, 1), (1, 7), (2, 1), (2, 15), (3, 40), (16, 12)]
CASES = [
    (kind, d, k, seed)
    for kind in KINDS
    for d, k in SHAPES
    for seed in (0, 1)
    if not (kind == "anisotropic" and d == 1)
]


def nearest(truth: Generated) -> NDArray[np.float64]:
    """Separation of each component from its nearest neighbour, by the plain formula."""
    k = len(truth.means)
    result = np.full((k, k), np.inf)
    for i in range(k):
        for j in range(k):
            if i != j:
                offset = truth.means[i] - truth.means[j]
                average = (truth.covariances[i] + truth.covariances[j]) / 2
                result[i, j] = np.sqrt(offset @ np.linalg.solve(average, offset))
    smallest: NDArray[np.float64] = result.min(axis=1)
    return smallest


@pytest.mark.parametrize(("kind", "d", "k", "seed"), CASES)
def test_truth_is_what_the_kind_says(kind: str, d: int, k: int, seed: int) -> None:
    truth = make_mixture(kind, 50, d=d, k=k, separation=3.0, seed=seed)
    assert truth.X.shape == (50, d)
    assert truth.y.shape == (50,)
    assert truth.weights.sum() == pytest.approx(1)
    variances = np.linalg.eigvalsh(truth.covariances)
    assert (variances > 0).all()
    np.testing.assert_array_equal(truth.covariances, truth.covariances.transpose(0, 2, 1))
    if kind == "unequal" and k > 1:
        assert truth.weights.max() / truth.weights.min() == pytest.approx(20)
        assert variances.max() / variances.min() >= (8 * 0.7) ** 2
    else:
        assert truth.weights == pytest.approx(1 / k)
    if kind == "anisotropic":
        assert np.sqrt(variances[:, -1] / variances[:, 0]) == pytest.approx(10)
    if k == 1:
        return
    near = nearest(truth)
    if kind == "overlapping":
        assert (near <= 3 + 1e-9).all()
        assert (near >= 1.5 - 1e-9).all()
    elif kind == "grid":
        assert near == pytest.approx(3.0)
    else:
        assert (near >= 3 - 1e-9).all()
        # ... and not idly far: the means are packed, so the typical neighbour is near the bound.
        assert np.median(near) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_separation_scales_the_means(kind: str) -> None:
    near = nearest(make_mixture(kind, 1, d=2, k=6, separation=1e-3, seed=2))
    far = nearest(make_mixture(kind, 1, d=2, k=6, separation=1e3, seed=2))
    assert far == pytest.approx(1e6 * near, rel=1e-6)


def test_pairwise_separation_is_the_plain_formula() -> None:
    truth = make_mixture("anisotropic", 1, d=4, k=9, seed=5)
    pairs = pairwise_separation(truth.means, truth.covariances)
    np.testing.assert_array_equal(pairs, pairs.T)
    np.fill_diagonal(pairs, np.inf)
    assert pairs.min(axis=1) == pytest.approx(nearest(truth), rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_follow_the_truth(kind: str) -> None:
    """Shares, means and covariances within six standard errors of the truth."""
    n, d = 60_000, 3
    truth = make_mixture(kind, n, d=d, k=5, seed=11)
    for j in range(5):
        rows = truth.X[truth.y == j]
        share = truth.weights[j]
        assert abs(len(rows) / n - share) < 6 * np.sqrt(share * (1 - share) / n)
        sigma = truth.covariances[j]
        variances = np.diag(sigma)
        errors = np.abs(rows.mean(axis=0) - truth.means[j])
        assert (errors < 6 * np.sqrt(variances / len(rows))).all()
        # The variance of an entry of a sample covariance (Wishart): (s_ab^2 + s_aa s_bb) / n.
        spread = np.sqrt((sigma**2 + np.outer(variances, variances)) / len(rows))
        assert (np.abs(np.cov(rows.T) - sigma) < 6 * spread).all()


def test_grid_is_a_grid() -> None:
    means = make_mixture("grid", 1, d=2, k=100, separation=2.5, seed=0).means
    expected = {(2.5 * i, 2.5 * j) for i in range(10) for j in range(10)}
    assert {(float(a), float(b)) for a, b in means - means.min(axis=0)} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind: str) -> None:
    def bits(seed: Any) -> tuple[bytes, ...]:
        drawn = make_mixture(kind, 500, d=3, k=7, seed=seed)
        return tuple(
            a.tobytes() for a in (drawn.X, drawn.y, drawn.weights, drawn.means, drawn.covariances)
        )

    assert bits(3) == bits(3) == bits(np.random.default_rng(3)) == bits(np.int64(3))
    assert bits(3)[0] != bits(4)[0]
    assert bits(None)[0] != bits(None)[0]
    generator = np.random.default_rng(3)
    first, second = bits(generator), bits(generator)
    assert first[0] != second[0]


def test_components_that_no_row_came_from() -> None:
    drawn = make_mixture("separated", 2, d=2, k=20, seed=0)
    assert drawn.X.shape == (2, 2)
    assert drawn.means.shape == (20, 2)


def test_the_mixture_is_the_truth() -> None:
    drawn = make_mixture("separated", 4000, d=3, k=6, seed=1)
    mixture = drawn.mixture
    assert mixture.weights == pytest.approx(drawn.weights)
    assert mixture.n_components == 6
    # Bayes' rule errs on a row with probability below k * Phi(-separation / 2), here 0.8 %.
    assert (mixture.predict(drawn.X) == drawn.y).mean() > 0.99


def test_many_components_in_many_dimensions() -> None:
    drawn = make_mixture("anisotropic", 1000, d=32, k=60, seed=0)
    assert nearest(drawn).min() >= KINDS["anisotropic"] - 1e-9


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, not 0"),
        ({"n": -5}, "n must be"),
        ({"n": 2.5}, "n must be"),
        ({"n": True}, "n must be"),
        ({"n": "many"}, "n must be"),
        ({"d": 0}, "d must be"),
        ({"k": 0}, "k must be"),
        ({"k": None}, "k must be"),
        ({"separation": 0.0}, "separation must be a finite number above 0"),
        ({"separation": -1}, "separation must be"),
        ({"separation": float("nan")}, "separation must be"),
        ({"separation": float("inf")}, "separation must be"),
        ({"separation": "far"}, "separation must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": "lucky"}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"kind": "anisotropic", "d": 1}, "d >= 2"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ArgumentError, match=fragment):
        make_mixture(**{"kind": "separated", **arguments})


def test_unknown_kind() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'overlapping'"):
        make_mixture("overlaping")
