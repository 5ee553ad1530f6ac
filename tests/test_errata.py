"""docs/errata.md by numbers: what is right agrees with an independent value, the printed not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy import integrate
from scipy.special import expit, ndtr, softmax

from emplus import Mixture
from emplus.numerics.moments import running_step
from tests.cases import Array

PAGE = Path(__file__).parents[1] / "docs" / "errata.md"

# What is right agrees to this, what is printed is off by more than that; both a row.
RIGHT, WRONG = 1e-6, 1e-2

P = np.array([0.5, 0.3, 0.2])
MU = np.array([[0.0, 0.0], [2.0, 1.0], [-1.0, 2.5]])
SIGMA = np.array([0.7, 1.3, 0.5])
K, D = MU.shape
X, _ = Mixture.gaussian([0.4, 0.4, 0.2], MU + 0.3, SIGMA**2 * 1.2, "spherical").sample(
    150, np.random.default_rng(0)
)
N = len(X)


def components(means: Array = MU, widths: Array = SIGMA) -> Array:
    """log p(x_i | j), without the proportions."""
    mixture = Mixture.gaussian(np.full(K, 1.0 / K), means, widths**2, "spherical")
    return mixture.log_joint(X) - mixture.log_weights


def error(proportions: Array = P, means: Array = MU, widths: Array = SIGMA) -> float:
    """E = -log L a row, for any proportions, also such as do not sum to 1."""
    return -float(np.log(np.exp(components(means, widths)) @ proportions).mean())


def slope(f: Callable[[Array], float], at: Array, h: float = 1e-5) -> Array:
    """The gradient by central differences."""
    found = np.empty(at.shape)
    for place in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[place] = h
        found[place] = (f(at + step) - f(at - step)) / (2.0 * h)
    return found


def posteriors(proportions: Array = P, means: Array = MU, widths: Array = SIGMA) -> Array:
    return shares(np.exp(components(means, widths)) * proportions)


def shares(joint: Array) -> Array:
    """Joint densities (n, k) divided by their sums over the components."""
    divided: Array = joint / joint.sum(axis=1, keepdims=True)
    return divided


def settled() -> Array:
    """The proportions at which EM rests, everything else as it is."""
    densities, proportions = np.exp(components()), P
    for _ in range(3000):
        proportions = shares(densities * proportions).mean(axis=0)
    return proportions


def gaps() -> Array:
    """x_i - mu_j (n, k, d)."""
    found: Array = X[:, None] - MU
    return found


def differs(printed: NDArray[Any], right: NDArray[Any]) -> bool:
    return bool(np.abs(printed - right).max() > WRONG)


def test_the_page_names_these_checks() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8"))
    own = {name for name in globals() if name.startswith("test_")} - {
        "test_the_page_names_these_checks"
    }
    assert sorted(named) == sorted(own)


def test_slide_3_is_no_density() -> None:
    mean, width = MU[:, 0], SIGMA

    def printed(x: float, widths: Array = width) -> float:
        return float(P @ np.exp(-((x - mean) ** 2) / widths**2))

    def right(x: float) -> float:
        each = np.exp(-((x - mean) ** 2) / (2.0 * width**2)) / np.sqrt(2.0 * np.pi * width**2)
        return float(P @ each)

    assert integrate.quad(right, -30, 30, limit=200)[0] == pytest.approx(1.0, abs=RIGHT)
    whole = integrate.quad(printed, -30, 30, limit=200)[0]
    assert whole == pytest.approx(math.sqrt(math.pi) * P @ width, rel=1e-6)
    assert abs(whole - 1.0) > WRONG
    # As printed, wider is always better.
    for j in range(K):
        wider = [np.where(np.arange(K) == j, factor * width, width) for factor in (1, 10, 100)]
        totals = [sum(np.log(printed(float(x), own)) for x in X[:, 0]) for own in wider]
        assert totals == sorted(totals)
    # And responsibilities are others.
    joint = P * np.exp(-(gaps() ** 2).sum(axis=2) / SIGMA**2)
    assert differs(shares(joint), posteriors())


def test_slides_8_and_9_gradient_by_means() -> None:
    found = slope(lambda means: error(means=means), MU)
    resp = posteriors()
    right = -np.einsum("ij,ijd->jd", resp, gaps() / SIGMA[:, None] ** 2) / N
    assert_allclose(found, right, atol=RIGHT)
    norms = np.sqrt((gaps() ** 2).sum(axis=2))
    slide_8 = -(resp * norms / SIGMA).sum(axis=0) / N
    slide_9 = (resp * norms / SIGMA**2).sum(axis=0) / N
    assert differs(slide_8[:, None], found)
    assert differs(slide_9[:, None], found)
    # Slide 8 with vectors and still with sigma; slide 9 with vectors and still with its sign.
    with_sigma = -np.einsum("ij,ijd->jd", resp, gaps() / SIGMA[:, None]) / N
    assert differs(with_sigma, found)
    assert_allclose(-right, -found, atol=RIGHT)
    assert differs(-right, found)


def test_slide_9_gradient_by_widths() -> None:
    found = slope(lambda widths: error(widths=widths), SIGMA)
    resp, squares = posteriors(), (gaps() ** 2).sum(axis=2)
    right = (resp * (D / SIGMA - squares / SIGMA**3)).sum(axis=0) / N
    assert_allclose(found, right, atol=RIGHT)
    printed = (resp * (1.0 / SIGMA - squares / SIGMA**3)).sum(axis=0) / N
    assert differs(printed, found)


def test_slide_10_only_proportions_are_constrained() -> None:
    across, up = np.meshgrid(*[np.linspace(-12.0, 14.0, 521)] * 2)
    grid, area = np.column_stack([across.ravel(), up.ravel()]), 0.05**2
    for means, widths in ((MU, SIGMA), (MU + 0.7, SIGMA), (MU, 1.3 * SIGMA)):
        mixture = Mixture.gaussian(P, means, widths**2, "spherical")
        assert np.exp(mixture.log_density(grid)).sum() * area == pytest.approx(1.0, abs=RIGHT)
    # They do change the responsibilities.
    assert differs(posteriors(means=MU + 0.7), posteriors())
    downhill = -slope(lambda proportions: error(proportions), P)
    assert_allclose(downhill, posteriors().sum(axis=0) / P / N, atol=RIGHT)
    assert (downhill > 0.0).all()
    nudged = P + 0.1 * downhill
    assert nudged.sum() > 1.0 + WRONG
    assert error(nudged) < error() - WRONG


def test_slide_11_holds_where_em_has_settled_only() -> None:
    assert differs(posteriors().mean(axis=0), P)
    proportions = settled()
    assert_allclose(posteriors(proportions).mean(axis=0), proportions, atol=RIGHT)


def test_slide_13_m_step() -> None:
    resp = posteriors()
    share = resp.mean(axis=0)

    def expected(means: Array, widths: Array) -> float:
        """Expected log-likelihood of the complete data, a row: what an M step maximizes."""
        return float((resp * components(means, widths)).sum() / N)

    means = resp.T @ X / (N * share)[:, None]
    squares = ((X[:, None] - means) ** 2).sum(axis=2)
    widths = np.sqrt((resp * squares).sum(axis=0) / (D * N * share))
    assert_allclose(slope(lambda mu: expected(mu, widths), means), 0.0, atol=RIGHT)
    assert_allclose(slope(lambda sigma: expected(means, sigma), widths), 0.0, atol=RIGHT)
    # As printed both are N times as large.
    assert_allclose(resp.T @ X / share[:, None], N * means)
    assert np.abs(slope(lambda mu: expected(mu, widths), N * means)).max() > WRONG
    assert np.abs(slope(lambda sigma: expected(means, sigma), N**0.5 * widths)).max() > WRONG
    # Without 1 / d the variance is too large as well.
    assert np.abs(slope(lambda sigma: expected(means, sigma), D**0.5 * widths)).max() > WRONG


def test_slide_14_em_may_rest_on_a_saddle() -> None:
    mean, width = X.mean(axis=0), np.sqrt(X.var(axis=0).mean())
    means, widths = np.tile(mean, (K, 1)), np.full(K, width)
    assert_allclose(slope(lambda mu: error(means=mu, widths=widths), means), 0.0, atol=RIGHT)
    assert_allclose(slope(lambda sigma: error(means=means, widths=sigma), widths), 0.0, atol=RIGHT)
    resp = posteriors(P, means, widths)
    assert_allclose(resp, np.tile(P, (N, 1)), atol=1e-12)
    # Apart along the widest direction E is lower; so it was no minimum.
    direction = np.linalg.eigh(np.cov(X.T))[1][:, -1]
    apart = means + 0.5 * np.outer([1.0, -1.0, -1.0], direction)
    assert error(means=apart, widths=0.95 * widths) < error(means=means, widths=widths) - 1e-3
    # And the sum of norms of slide 14 is not 0 at the weighted mean, where the sum of vectors is.
    assert_allclose(resp[:, 0] @ (X - mean), 0.0, atol=1e-9)
    assert resp[:, 0] @ np.linalg.norm(X - mean, axis=1) > 1.0


def test_slide_19_a_match_has_no_units() -> None:
    def density_and_match(unit: float) -> tuple[Array, Array]:
        variances, mean, rows = (SIGMA[0] * unit) ** 2, MU[:1] * unit, X * unit
        one = Mixture.gaussian([1.0], mean, [variances], "spherical")
        squares = ((rows - mean) ** 2).sum(axis=1) / variances
        return np.exp(one.log_density(rows)), np.exp(-0.5 * squares)

    density, match = density_and_match(1.0)
    smaller, same = density_and_match(10.0)
    assert_allclose(same, match, rtol=1e-9)
    assert_allclose(smaller, density / 10.0**D, rtol=1e-9)
    assert (match <= 1.0).all()
    assert smaller.max() < 0.01 < density.max()


def test_slide_23_running_variance() -> None:
    rows = X[:, 0]
    mean, slide, exact = 0.0, 0.0, 0.0
    for n, x in enumerate(rows):
        before, rate = mean, 1.0 / (n + 1)
        mean = (1.0 - rate) * mean + rate * x
        exact = (1.0 - rate) * exact + rate * (x - before) * (x - mean)
        slide = (1.0 - rate) * slide + rate * (x - mean) ** 2
    assert exact == pytest.approx(rows.var(), abs=1e-12)
    assert rows.var() - slide > WRONG
    # On average over samples, the part that is missing is H_n / n.
    n = 20
    samples = np.random.default_rng(1).standard_normal((n, 20_000))
    none: Array = np.zeros(20_000)
    means = running = none
    for m, row in enumerate(samples):
        means, running = running_step(means, running, row, 1.0 / (m + 1))
    missing = (samples**2).mean(axis=0) - running  # the mean square about 0 has no bias
    harmonic = (1.0 / np.arange(1, n + 1)).sum()
    assert abs(missing.mean() - harmonic / n) < 4.0 * missing.std() / len(missing) ** 0.5


def test_slide_25_merging_keeps_moments() -> None:
    rng = np.random.default_rng(2)
    weights, means = np.array([0.5, 0.3]), np.array([[-2.0, 0.0], [1.0, 1.0]])
    covariances = np.array([[[1.0, 0.3], [0.3, 0.5]], [[0.4, 0.0], [0.0, 1.2]]])
    share = weights / weights.sum()
    rows, _ = Mixture.gaussian(share, means, covariances).sample(200_000, rng)
    gap = means[0] - means[1]
    average = np.einsum("j,jab->ab", share, covariances)
    right = average + share[0] * share[1] * np.outer(gap, gap)
    # The same by definition, E x x' - E x E x'.
    second = np.einsum("j,jab->ab", share, covariances + np.einsum("ja,jb->jab", means, means))
    merged = share @ means
    assert_allclose(right, second - np.outer(merged, merged), atol=1e-12)
    assert_allclose(rows.mean(axis=0), merged, atol=0.02)
    assert_allclose(np.cov(rows.T), right, atol=0.03)
    assert np.linalg.det(average) < 0.5 * np.linalg.det(right)
    # Weights averaged in the same way would lose a share of the rows.
    assert weights.sum() - share @ weights > WRONG


def test_slide_25_likeness_of_responsibilities_has_no_units() -> None:
    units = np.array([1.0, 1000.0])
    covariances = np.array([np.eye(D) * width**2 for width in SIGMA])
    scaled = Mixture.gaussian(P, MU * units, covariances * np.outer(units, units))
    plain = Mixture.gaussian(P, MU, covariances)
    one, other = plain.responsibilities(X), scaled.responsibilities(X * units)
    assert_allclose(other.T @ other, one.T @ one, atol=RIGHT)
    near, far = (np.linalg.norm(m[:, None] - m[None], axis=2) for m in (MU, MU * units))
    pairs = [(0, 1), (0, 2), (1, 2)]
    orders = [[pairs[j] for j in np.argsort([gap[p] for p in pairs])] for gap in (near, far)]
    assert orders[0] != orders[1]


def test_slide_30_a_share_of_the_points() -> None:
    # A component that holds one row of 150, among three.
    rows = np.array([90.0, 59.0, 1.0])
    assert rows[2] < N / (2.0 * K)
    assert (rows / N)[2] < 1.0 / (2.0 * K)
    assert not (rows < 1.0 / (2.0 * K)).any()


def test_a_density_may_exceed_1() -> None:
    narrow = Mixture.gaussian([1.0], [[0.0]], [1e-4], "spherical")
    assert np.exp(narrow.log_density([[0.0]]))[0] == pytest.approx(39.894, abs=1e-3)
    mass, _ = integrate.quad(lambda x: np.exp(narrow.log_density([[x]])[0]), -0.1, 0.1, points=[0])
    assert mass == pytest.approx(1.0, abs=RIGHT)


def test_the_marginal_sums_over_z() -> None:
    densities = np.exp(components())
    states = np.eye(K)
    joint = np.array([np.prod(P**z) * np.prod(densities**z, axis=1) for z in states])
    right = np.exp(Mixture.gaussian(P, MU, SIGMA**2, "spherical").log_density(X))
    assert_allclose(joint.sum(axis=0), right, rtol=1e-9)
    for one in joint:
        assert differs(np.log(K * one), np.log(right))


def test_the_likelihood_has_no_maximum() -> None:
    means = MU.copy()
    means[2] = X[0]
    widths = [np.array([0.7, 1.3, width]) for width in (1e-1, 1e-3, 1e-6, 1e-12, 1e-24)]
    found = [error(means=means, widths=width) for width in widths]
    assert found == sorted(found, reverse=True)
    # Each factor of 1e-12 in the width is worth d log 1e12 nats, in all rows together.
    assert N * (found[-2] - found[-1]) == pytest.approx(D * math.log(1e12), rel=1e-6)


def test_tutorial_gradient_by_means() -> None:
    covariances = np.array([[[1.0, 0.6], [0.6, 0.8]], [[2.0, -0.5], [-0.5, 0.6]], np.eye(2) * 0.3])

    def log_likelihood(means: Array) -> float:
        return float(Mixture.gaussian(P, means, covariances).log_density(X).mean())

    resp = Mixture.gaussian(P, MU, covariances).responsibilities(X)
    weighted = np.einsum("ij,ijd->jd", resp, gaps()) / N
    right = np.linalg.solve(covariances, weighted[:, :, None])[:, :, 0]
    found = slope(log_likelihood, MU)
    assert_allclose(found, right, atol=RIGHT)
    with_covariance = np.einsum("jab,jb->ja", covariances, weighted)
    assert differs(-with_covariance, found)
    assert differs(with_covariance, found)
    # A step along what is printed goes down.
    assert log_likelihood(MU - 0.01 * with_covariance) < log_likelihood(MU)
    # Zero at the same mean.
    moved = resp.T @ X / resp.sum(axis=0)[:, None]
    rest = np.einsum("ij,ijd->jd", resp, X[:, None] - moved)
    assert_allclose(np.einsum("jab,jb->ja", covariances, rest), 0.0, atol=1e-9)


def test_a_covariance_may_be_singular() -> None:
    collinear = np.column_stack([X, X[:, 0] - 2.0 * X[:, 1]])
    resp = posteriors()[:, 0]
    weighted = np.cov(collinear.T, aweights=resp)
    values = np.linalg.eigvalsh(weighted)
    assert abs(values[0]) < 1e-12 * values[-1] < values[1]
    few = np.cov(collinear[:3].T)
    assert np.linalg.matrix_rank(few) < 3


def test_proportions_need_a_multiplier() -> None:
    found = slope(lambda own: N * -error(own), settled())
    # The derivative is N for each of them, the multiplier, and not 0.
    assert_allclose(found, N, rtol=1e-5)


def test_a_sigmoid_at_the_right_slope() -> None:
    x = np.linspace(-10.0, 10.0, 200_001)
    assert np.abs(expit(1.702 * x) - ndtr(x)).max() == pytest.approx(0.0095, abs=5e-5)
    assert np.abs(expit(x) - ndtr(x)).max() == pytest.approx(0.12, abs=5e-3)
    # The slope is a density, that of the logistic distribution; the sigmoid itself is none.
    assert integrate.quad(lambda t: expit(t) * expit(-t), -40, 40)[0] == pytest.approx(1.0)
    assert integrate.quad(expit, -1000, 1000, limit=200)[0] == pytest.approx(1000.0, rel=1e-6)


def test_an_activation_is_a_posterior() -> None:
    shared = np.array([[1.0, 0.4], [0.4, 0.7]])
    mixture = Mixture.gaussian(P, MU, shared, "tied")
    W = np.linalg.solve(shared, MU.T).T
    b = np.log(P) - 0.5 * np.einsum("jd,jd->j", W, MU)
    assert_allclose(mixture.responsibilities(X), softmax(X @ W.T + b, axis=1), atol=1e-12)
    pair = mixture.take([0, 1]).responsibilities(X)[:, 0]
    assert_allclose(pair, expit(X @ (W[0] - W[1]) + b[0] - b[1]), atol=1e-12)
    # The conditional density is something else.
    assert differs(np.exp(mixture.log_joint(X) - mixture.log_weights), mixture.responsibilities(X))


def test_inference_is_one_application_of_bayes_rule() -> None:
    mixture = Mixture.gaussian(P, MU, SIGMA**2, "spherical")
    assert_allclose(mixture.responsibilities(X), posteriors(), atol=1e-12)


def test_slide_21_loses_its_digits_far_from_the_origin() -> None:
    near = np.round(np.random.default_rng(3).standard_normal(1000) * 2.0**16) / 2.0**16
    far = near + 2.0**27  # exactly
    offline = (far**2).mean() - far.mean() ** 2
    assert (near**2).mean() - near.mean() ** 2 == pytest.approx(near.var(), rel=1e-12)
    assert abs(offline / near.var() - 1.0) > 0.1
    assert far.var() == pytest.approx(near.var(), rel=1e-6)
