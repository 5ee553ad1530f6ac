"""What is drawn, against closed forms and counts made another way."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.stats import norm

from emplus import GaussianMixture, Mixture
from emplus.errors import ArgumentError, DataError
from emplus.plotting import (
    coverage,
    density_1d,
    ellipses,
    pairs,
    palette,
    responsibilities_colours,
    scatter,
)
from emplus.plotting.geometry import frame, separations
from emplus.plotting.histogram import resolution
from emplus.plotting.rows import drawable, thin
from emplus.plotting.style import PALETTE_SIZE, _seen, darken, oklab, srgb_to_linear

Floats = NDArray[np.float64]


def random_mixture(k: int, d: int, seed: int, scale: float = 1.0) -> Mixture:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d)) + 2.0 * np.eye(d)
    covariances = scale**2 * np.einsum("kij,klj->kil", roots, roots)
    means = scale * 6.0 * rng.normal(size=(k, d))
    return Mixture.gaussian(rng.dirichlet(np.ones(k)), means, covariances)


def rows_of(mixture: Mixture, n: int, seed: int = 0) -> Floats:
    X, _ = mixture.sample(n, np.random.default_rng(seed))
    return np.asarray(X, dtype=np.float64)


# Density -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1.0, 1e8])
@pytest.mark.parametrize("k", [1, 3, 40, 200])
def test_density_integrates_to_one_and_histogram_has_area_one(k: int, scale: float) -> None:
    mixture = random_mixture(k, 2, seed=k, scale=scale)
    data = density_1d(mixture, rows_of(mixture, 500), column=1)
    assert trapezoid(data.density, data.grid) == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(
        trapezoid(data.components, data.grid, axis=1), mixture.weights, atol=2e-3
    )
    assert np.diff(data.edges) @ data.heights == pytest.approx(1.0)
    assert np.all(np.diff(data.grid) > 0)
    assert np.all(np.diff(data.edges) > 0)


def test_density_is_the_marginal_of_the_mixture_and_the_sum_of_the_components() -> None:
    mixture = random_mixture(4, 3, seed=1)
    data = density_1d(mixture, rows_of(mixture, 200), column=2)
    marginal = mixture.marginal([2])
    np.testing.assert_allclose(data.density, np.exp(marginal.log_density(data.grid[:, None])))
    np.testing.assert_allclose(data.components.sum(axis=0), data.density)
    parameters: Any = mixture.parameters
    deviations = np.sqrt(parameters.covariances[:, 2, 2])
    by_hand = mixture.weights[:, None] * norm.pdf(
        data.grid, parameters.means[:, 2][:, None], deviations[:, None]
    )
    np.testing.assert_allclose(data.components, by_hand, rtol=1e-8, atol=1e-300)


def test_a_narrow_component_between_grid_points_is_not_missed() -> None:
    mixture = Mixture.gaussian([0.5, 0.5], [[0.0], [0.1234567]], [[[1.0]], [[1e-16]]])
    data = density_1d(mixture, [[-3.0], [3.0], [0.1234567]])
    assert trapezoid(data.density, data.grid) == pytest.approx(1.0, abs=1e-3)
    assert data.clipped
    assert data.top < data.density.max()


def test_histogram_counts_weights_like_repetition() -> None:
    mixture = random_mixture(2, 1, seed=3)
    X = rows_of(mixture, 300)
    weights = np.random.default_rng(4).integers(0, 4, size=300)
    weighted = density_1d(mixture, X, sample_weight=weights)
    present = np.repeat(X, weights, axis=0)
    counts, _ = np.histogram(present[:, 0], weighted.edges)
    np.testing.assert_allclose(
        weighted.heights, counts / counts.sum() / np.diff(weighted.edges), rtol=1e-12
    )
    assert weighted.n_rows == np.count_nonzero(weights)
    assert weighted.n_given == 300


def test_bars_of_rounded_data_hold_equally_many_of_its_steps() -> None:
    X = np.random.default_rng(5).normal(70.0, 12.0, size=(272, 1)).round()
    mixture = Mixture.gaussian([1.0], [[70.0]], [[[144.0]]])
    data = density_1d(mixture, X)
    width = np.diff(data.edges)
    np.testing.assert_allclose(width, np.round(width), atol=1e-9)
    np.testing.assert_allclose(np.mod(data.edges, 1.0), 0.5, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (np.repeat(np.arange(9) / 10.0, 9), 0.1),
        (np.repeat([0.0, 1.0], 5), 1.0),
        (np.random.default_rng(0).normal(size=99), 0.0),
        (np.ones(5), 0.0),
    ],
)
def test_resolution(values: Floats, step: float) -> None:
    assert resolution(values) == pytest.approx(step)


@pytest.mark.parametrize("X", [np.zeros((0, 1)), np.full((4, 1), np.nan)])
def test_no_row_to_draw_leaves_the_density(X: Floats) -> None:
    data = density_1d(Mixture.gaussian([1.0], [[2.0]], [[[4.0]]]), X)
    assert data.n_rows == 0
    assert not data.heights.any()
    assert data.limits[0] < 2.0 < data.limits[1]
    assert data.top == pytest.approx(norm.pdf(0.0) / 2.0, rel=1e-6)


# Ellipses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1e-6, 1e6), (1e-150, 1e-150)])
def test_ellipse_points_lie_at_their_mahalanobis_distance(scales: tuple[float, float]) -> None:
    mixture = random_mixture(5, 3, seed=6)
    parameters: Any = mixture.parameters
    scale = np.array([1.0, *scales])
    covariances = parameters.covariances * np.outer(scale, scale)
    mapped = Mixture.gaussian(mixture.weights, parameters.means * scale, covariances)
    drawn = ellipses(mapped, (2, 1), radii=(1.0, 2.0, 3.5))
    assert drawn.columns == (2, 1)
    np.testing.assert_array_equal(drawn.points[:, :, 0], drawn.points[:, :, -1])
    unit = np.array([scales[1], scales[0]])
    for j in range(5):
        precision = np.linalg.inv(covariances[j][np.ix_([2, 1], [2, 1])] / np.outer(unit, unit))
        for radius, points in zip(drawn.radii, drawn.points[j], strict=True):
            away = (points - drawn.means[j]) / unit
            distance = np.sqrt(np.einsum("pi,ij,pj->p", away, precision, away))
            np.testing.assert_allclose(distance, radius, rtol=1e-8)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_every_structure_has_ellipses(covariance_type: str) -> None:
    X = rows_of(random_mixture(3, 4, seed=7), 300)
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    family: Any = model.mixture_.family
    full = family.full_covariances(model.mixture_.parameters)
    drawn = ellipses(model.mixture_, (1, 3), radii=(1.0,))
    reach = np.abs(drawn.points[:, 0] - drawn.means[:, None]).max(axis=1)
    np.testing.assert_allclose(reach, np.sqrt(full[:, [1, 3], [1, 3]]), rtol=2e-3)


def test_coverage_is_the_share_of_samples_within() -> None:
    inside = np.linalg.norm(np.random.default_rng(8).normal(size=(200_000, 2)), axis=1)
    for radius in (1.0, 2.0):
        assert coverage(radius) == pytest.approx((inside <= radius).mean(), abs=5e-3)


# Rows ----------------------------------------------------------------------------------------


def test_thinning_is_fixed_even_and_never_more_than_asked_for() -> None:
    rows = np.arange(1_000_000)
    chosen = thin(rows, 1000)
    np.testing.assert_array_equal(chosen, thin(rows, 1000))
    assert len(chosen) == 1000 == len(np.unique(chosen))
    # No period: every residue of every small number is met about equally often.
    for period in (2, 3, 7, 10, 64):
        counts = np.bincount(chosen % period, minlength=period)
        assert counts.max() <= 2 * 1000 / period
    assert np.diff(chosen).max() < 5 * 1000
    np.testing.assert_array_equal(thin(rows[:5], 5), rows[:5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_finite_rows_of_positive_weight_are_drawable(dtype: Any) -> None:
    X = np.ones((6, 2), dtype=dtype)
    X[1, 0], X[2, 1], X[3, 0] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(drawable(X, np.array([1.0, 1, 1, 1, 0, 2])), [0, 5])


def test_scatter_holds_the_rows_and_their_blended_colours() -> None:
    mixture = random_mixture(3, 2, seed=9)
    X = rows_of(mixture, 50)
    X[7, 0] = np.nan
    weights = np.ones(50)
    weights[11] = 0.0
    data = scatter(mixture, X, sample_weight=weights)
    kept = np.setdiff1d(np.arange(50), [7, 11])
    np.testing.assert_array_equal(data.rows, kept)
    np.testing.assert_array_equal(data.points, X[kept])
    expected = responsibilities_colours(mixture.responsibilities(X[kept]))
    np.testing.assert_allclose(data.colours, expected)
    assert (data.n_rows, data.n_given) == (48, 50)
    (left, right), (bottom, top) = data.limits
    assert left < data.points[:, 0].min()
    assert data.points[:, 0].max() < right
    assert bottom < data.points[:, 1].min()
    assert data.points[:, 1].max() < top


def test_scatter_takes_the_two_columns_in_the_given_order() -> None:
    mixture = random_mixture(2, 4, seed=10)
    X = rows_of(mixture, 30)
    data = scatter(mixture, X, (3, 1))
    np.testing.assert_array_equal(data.points, X[:, [3, 1]])
    parameters: Any = mixture.parameters
    np.testing.assert_allclose(data.ellipses.means, parameters.means[:, [3, 1]])


@pytest.mark.parametrize(
    ("X", "sample_weight"),
    [
        (np.zeros((3, 5)), None),
        (np.zeros(4), None),
        ([["a", "b"]], None),
        (np.zeros((3, 2)), [1.0, 2.0]),
        (np.zeros((3, 2)), [1.0, -2.0, 1.0]),
        (np.zeros((3, 2)), [1.0, np.nan, 1.0]),
    ],
)
def test_rows_that_do_not_fit_the_mixture_are_refused(X: Any, sample_weight: Any) -> None:
    with pytest.raises(DataError):
        scatter(random_mixture(2, 2, seed=0), X, sample_weight=sample_weight)


# Pairs ---------------------------------------------------------------------------------------


def separated_in(columns: list[int], d: int) -> tuple[Mixture, Floats]:
    means = np.zeros((2, d))
    means[1, columns] = 10.0 - np.arange(len(columns))
    mixture = Mixture.gaussian([0.5, 0.5], means, np.ones((2, d)), "diag")
    return mixture, rows_of(mixture, 400)


def test_pairs_shows_the_columns_that_separate_the_components() -> None:
    mixture, X = separated_in([9, 2, 30], 40)
    data = pairs(mixture, X, max_columns=3)
    assert data.columns == (2, 9, 30)
    assert np.argmax(data.separations) == 9
    assert [len(row) for row in data.scatters] == [0, 1, 2]
    assert [density.column for density in data.densities] == [2, 9, 30]
    last = data.scatters[2][1]
    assert last.columns == (9, 30)
    np.testing.assert_array_equal(last.points, X[:, [9, 30]])
    # Panels of a column share its axis.
    assert last.limits == (data.densities[1].limits, data.densities[2].limits)


def test_pairs_draws_the_same_rows_in_every_panel() -> None:
    mixture, X = separated_in([0], 4)
    data = pairs(mixture, X, max_points=37)
    assert data.n_shown == 37
    assert data.n_rows == 400
    for row in data.scatters:
        for panel in row:
            np.testing.assert_array_equal(panel.rows, thin(np.arange(400), 37))


def test_separation_is_the_ratio_of_variances_and_marks_constant_columns() -> None:
    labels = np.repeat([0, 1], 50)
    rng = np.random.default_rng(11)
    rows = np.column_stack([labels * 4.0 + rng.normal(size=100), np.full(100, 0.1), labels * 1e-9])
    weights = rng.uniform(0.5, 2.0, size=100)
    ratios = separations(rows, weights, np.eye(2)[labels])
    means = [np.average(rows[labels == j, 0], weights=weights[labels == j]) for j in (0, 1)]
    within = np.average((rows[:, 0] - np.take(means, labels)) ** 2, weights=weights)
    total = np.average((rows[:, 0] - np.average(rows[:, 0], weights=weights)) ** 2, weights=weights)
    assert ratios[0] == pytest.approx((total - within) / within)
    assert ratios[1] == -1.0
    assert ratios[2] > 1e6


def test_pairs_of_one_column_is_refused() -> None:
    with pytest.raises(ArgumentError, match="two columns"):
        pairs(random_mixture(2, 1, seed=0), np.zeros((3, 1)))


def test_frame_is_never_empty_and_not_stretched_by_a_wide_component() -> None:
    one = np.ones(1)
    for value, deviation in [(0.0, 1e-200), (1e8, 1e-9), (-5.0, 1.0), (1e200, 1.0)]:
        low, high = frame(np.full(3, value), one, one * value, one * deviation)
        assert low < value < high
    low, high = frame(
        np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.zeros(2), np.array([0.2, 99.0])
    )
    assert -1.0 < low < 0.0 < 1.0 < high < 2.0


def test_data_far_from_the_origin_fill_their_frame() -> None:
    values = 1e8 + 1e-3 * np.random.default_rng(13).normal(size=99)
    low, high = frame(values, np.ones(1), np.full(1, 1e8), np.full(1, 1e-3))
    assert np.ptp(values) > 0.5 * (high - low)


# Colours -------------------------------------------------------------------------------------


def test_palette_is_a_prefix_of_itself_and_repeats_after_its_end() -> None:
    long = palette(PALETTE_SIZE + 3)
    np.testing.assert_array_equal(long[:7], palette(7))
    np.testing.assert_array_equal(long[PALETTE_SIZE:], palette(3))
    assert len(np.unique(long.round(4), axis=0)) == PALETTE_SIZE
    assert np.all((long >= 0.0) & (long <= 1.0))


@pytest.mark.parametrize(("k", "least"), [(10, 0.07), (20, 0.06), (50, 0.035), (200, 0.012)])
def test_colours_differ_for_every_kind_of_vision(k: int, least: float) -> None:
    seen = _seen(srgb_to_linear(palette(k)))
    distance = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1)
    distance[:, np.arange(k), np.arange(k)] = np.inf
    assert distance.min() > least


def test_certain_rows_have_their_components_colour_and_others_lie_between() -> None:
    np.testing.assert_allclose(responsibilities_colours(np.eye(9)), palette(9), atol=1e-12)
    half = responsibilities_colours([[0.5, 0.5]])[0]
    low, high = np.sort(palette(2), axis=0)
    assert np.all((half > low) & (half < high))


def test_darkened_colours_carry_white_words() -> None:
    dark = darken(palette(200), 0.5)
    assert oklab(srgb_to_linear(dark))[:, 0].max() <= 0.5 + 1e-9


def test_values_are_frozen() -> None:
    data = ellipses(random_mixture(1, 2, seed=0))
    for field in fields(data):
        with pytest.raises(AttributeError):
            setattr(data, field.name, None)
