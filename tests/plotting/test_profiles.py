"""Profiles of components: what is drawn of binary and categorical columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from emplus import BernoulliMixture, CategoricalMixture, GaussianMixture, MixedMixture, Mixture
from emplus.errors import ArgumentError
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product
from emplus.families.registry import make_covariance
from emplus.plotting import (
    draw_means,
    draw_page,
    draw_probabilities,
    image_grid,
    pairs,
    plot_fit,
    plot_images,
    plot_profiles,
    profile,
    scatter,
)
from emplus.plotting.geometry import separations
from emplus.plotting.heat import heat_of_means, heat_of_probabilities
from emplus.plotting.words import describe, kinds_words
from tests.plotting.examples import blobs, png_size


def mixture_of(k: int, numbers: int, bits: int, levels: tuple[int, ...], seed: int = 0) -> Mixture:
    """A mixture of random parameters over columns of all kinds, the kinds in turn."""
    rng = np.random.default_rng(seed)
    families: list[Any] = []
    arrays: dict[str, Any] = {}
    sizes: list[int] = []
    if numbers:
        families.append(Gaussian(make_covariance("diag")))
        arrays[f"{len(sizes)}.means"] = 3 * rng.standard_normal((k, numbers))
        arrays[f"{len(sizes)}.covariances"] = rng.uniform(0.2, 2.0, (k, numbers))
        sizes.append(numbers)
    if bits:
        families.append(Bernoulli())
        arrays[f"{len(sizes)}.probabilities"] = rng.random((k, bits))
        sizes.append(bits)
    if levels:
        families.append(Categorical(levels))
        drawn = [rng.dirichlet(np.ones(number), k) for number in levels]
        arrays[f"{len(sizes)}.probabilities"] = np.concatenate(drawn, axis=1)
        sizes.append(len(levels))
    order = rng.permutation(sum(sizes))
    groups = np.split(order, np.cumsum(sizes)[:-1])
    family = Product(tuple(families), tuple(tuple(np.sort(group)) for group in groups))
    return Mixture(family, np.log(rng.dirichlet(np.ones(k))), family.unpack(arrays))


SIZES: list[tuple[int, int, int, tuple[int, ...]]] = [
    (1, 1, 1, (3,)),
    (3, 2, 4, (2, 3, 5)),
    (8, 0, 12, (3, 3, 3)),
    (2, 5, 0, (40,)),
    (12, 3, 3, (4,)),
    (3, 50, 45, ()),
    (4, 0, 0, tuple(range(2, 12))),
    (50, 0, 200, ()),
]


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "numbers", "bits", "levels"), SIZES)
def test_a_profile_is_what_each_component_expects(
    k: int, numbers: int, bits: int, levels: tuple[int, ...]
) -> None:
    mixture = mixture_of(k, numbers, bits, levels)
    found = profile(mixture)
    assert len(found.numbers.names) == numbers
    assert len(found.categories) == bits + len(levels)
    for one in found.categories:
        assert one.name == f"column {one.column}"
        # By the densities of the column alone, which know nothing of how parameters are kept.
        alone = mixture.marginal([one.column])
        codes = np.arange(float(len(one.levels)))[:, None]
        expected = np.exp(np.asarray(alone.log_joint(codes)) - alone.log_weights).T
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-9)
        np.testing.assert_allclose(one.probabilities.sum(axis=1), 1.0)
        np.testing.assert_allclose(one.overall(found.weights), mixture.weights @ expected)
    rows, _ = mixture.sample(4000, np.random.default_rng(0))
    if numbers:
        mean, spread = found.numbers.overall(found.weights)
        own = rows[:, found.numbers.columns]
        assert (np.abs(own.mean(axis=0) - mean) < 5 * spread / np.sqrt(4000)).all()
        np.testing.assert_allclose(own.std(axis=0), spread, rtol=0.15)


def test_levels_have_the_values_of_the_table() -> None:
    frame = pd.DataFrame({"a": [True, False] * 10, "b": ["x", "y", "z", "x"] * 5, "c": range(20)})
    model = MixedMixture(2, random_state=0, search="em").fit(frame)
    found = profile(model)
    assert [(one.name, one.levels) for one in found.categories] == [
        ("a", (False, True)),
        ("b", ("x", "y", "z")),
    ]
    assert found.numbers.names == ("c",)
    with pytest.raises(ArgumentError, match="There are 2 names for the mixture's 3 columns"):
        profile(model, ["a", "b"])


@pytest.mark.parametrize(("k", "numbers", "bits", "levels"), SIZES)
def test_heat_maps_hold_the_same_numbers(
    k: int, numbers: int, bits: int, levels: tuple[int, ...]
) -> None:
    found = profile(mixture_of(k, numbers, bits, levels))
    if found.categories:
        heat = heat_of_probabilities(found)
        assert heat.n_columns == bits + sum(1 if number == 2 else number for number in levels)
        assert heat.values.shape == (min(k, 40), min(heat.n_columns, 120))
        named = {one.name: one for one in found.categories}
        for place, (name, level) in enumerate(heat.columns):
            one = named[name]
            expected = one.probabilities[heat.components, one.levels.index(level)]
            np.testing.assert_array_equal(heat.values[:, place], expected)
    if numbers:
        heat = heat_of_means(found)
        mean, spread = found.numbers.overall(found.weights)
        away = (found.numbers.means - mean) / spread
        np.testing.assert_allclose(heat.values, away[heat.components])
        assert heat.limits[1] == -heat.limits[0]
        assert np.abs(heat.values).max() <= heat.limits[1]


WORDS: list[tuple[Mixture, str, str]] = [
    (
        mixture_of(2, 1, 0, (3,)),
        "Mixed mixture, 2 components, diag covariance",
        "1 continuous, 1 c",
    ),
    (
        mixture_of(1, 2, 1, ()),
        "Mixed mixture, 1 component, diag covariance",
        "2 continuous, 1 bina",
    ),
    (blobs(2, 1)[0], "Gaussian mixture, 2 components, diag covariance", "1 continuous column"),
]


@pytest.mark.parametrize(("mixture", "title", "kinds"), WORDS)
def test_words(mixture: Mixture, title: str, kinds: str) -> None:
    assert describe(mixture) == title
    assert kinds_words(mixture).startswith(kinds)


# Pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "numbers", "bits", "levels"), SIZES)
def test_every_size_is_drawn_and_twice_the_same(
    k: int, numbers: int, bits: int, levels: tuple[int, ...], tmp_path: Path
) -> None:
    mixture = mixture_of(k, numbers, bits, levels)
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    assert plot_profiles(mixture, first) == first
    plot_fit(mixture, None, second)
    assert first.read_bytes() == second.read_bytes()
    width, height = png_size(first)
    assert 700 < width <= 12 * 160
    assert height < 3000


def words_in(monkeypatch: pytest.MonkeyPatch, path: Path, mixture: Any, **options: Any) -> str:
    figures: list[Figure] = []
    render = draw_page.render

    def spy(figure: Figure, extension: str) -> bytes:
        figures.append(figure)
        return render(figure, extension)

    monkeypatch.setattr(draw_page, "render", spy)
    plot_profiles(mixture, path / "p.png", **options)
    texts: list[Any] = figures[-1].findobj(Text)
    return "\n".join(text.get_text() for text in texts)


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = words_in(monkeypatch, tmp_path, mixture_of(50, 0, 200, ()))
    assert "Probability: 120 of 200 values, those that set the components farthest apart." in words
    assert "Shown are the 40 heaviest of 50 components." in words
    assert "33 others" in words_in(monkeypatch, tmp_path, mixture_of(2, 0, 0, (40, 3)))


def test_one_key_for_columns_of_the_same_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = np.random.default_rng(0).choice(["never", "often", "always"], (60, 5))
    model = CategoricalMixture(2, random_state=0, search="em").fit(answers)
    assert words_in(monkeypatch, tmp_path, model).count("never") == 1
    model = CategoricalMixture(2, random_state=0, search="em").fit(
        np.where(np.arange(5) == 4, np.char.add(answers, "!"), answers)
    )
    words = words_in(monkeypatch, tmp_path, model)
    assert (words.count("never"), words.count("never!")) == (5, 1)


HOSTILE = ["_hidden", "$x^2$", "a\nb", "", "w" * 200, "\x1b[31m", "日本語"]


def test_names_and_values_are_taken_literally(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    values = np.array([*HOSTILE[:3], "plain"], dtype=object)
    columns = {name: rng.choice(values, 40) for name in HOSTILE}
    columns["two"] = rng.choice(["$a$", "$b$"], 40)
    model = CategoricalMixture(2, random_state=0, search="em").fit(pd.DataFrame(columns))
    words = words_in(monkeypatch, tmp_path, model)
    assert "$x^2$" in words
    assert "two = $b$" in words
    assert "_hidden" in words
    assert "w" * 30 not in words


def test_lines_and_means_stand_where_they_belong() -> None:
    found = profile(mixture_of(3, 4, 6, ()))
    ax = Figure().subplots()
    draw_probabilities(found.categories, found.weights, ax)
    for j, line in enumerate(ax.get_lines()):
        expected = [one.probabilities[j, 1] for one in found.categories]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    ax = Figure().subplots()
    draw_means(found.numbers, found.weights, ax)
    mean, spread = found.numbers.overall(found.weights)
    for j, container in enumerate(ax.containers):
        drawn = np.asarray(container[0].get_ydata())
        np.testing.assert_allclose(drawn, (found.numbers.means[j] - mean) / spread)


def test_images_of_zeros_and_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((80, 12)) < np.repeat([[0.9], [0.1]], [60, 20], axis=0)
    model = BernoulliMixture(2, random_state=0).fit(X)
    data = image_grid(model.mixture_, (3, 4))
    assert data.binary
    assert data.mean_limits == (0.0, 1.0)
    heaviest = int(np.argmax(model.weights_))
    assert data.components.tolist() == [heaviest, 1 - heaviest]
    np.testing.assert_array_equal(data.means[0].ravel(), model.probabilities_[heaviest])
    place = plot_images(model, tmp_path / "p.png", image_shape=(3, 4))
    assert png_size(place)[0] > 700


@pytest.mark.parametrize("sizes", [(1, 3, ()), (0, 2, (3, 3)), (0, 0, (3, 3, 3, 3))])
def test_images_of_anything_else_are_refused(sizes: tuple[int, int, Any]) -> None:
    with pytest.raises(ArgumentError, match="numbers, or of zeros and ones, and of nothing else"):
        image_grid(mixture_of(2, *sizes), (2, 2))


# Holes -------------------------------------------------------------------------------------------


def test_rows_with_holes_are_left_out_where_they_would_be_seen() -> None:
    mixture, X = blobs(2, 4)
    X[:5, 0] = np.nan
    X[5:12, 2] = np.nan
    X[12] = np.inf
    drawn = scatter(mixture, X, (0, 1))
    assert (drawn.n_rows, len(drawn.points), drawn.n_given) == (294, 294, 300)
    assert np.isfinite(drawn.points).all()
    found = pairs(mixture, X)
    assert (found.n_rows, found.n_holes, found.n_given) == (299, 12, 300)
    counts = [[len(panel.points) for panel in line] for line in found.scatters]
    assert counts == [[], [294], [287, 292], [294, 299, 292]]
    assert [density.n_rows for density in found.densities] == [294, 299, 292, 299]
    known = scatter(mixture, X[20:], (0, 1))
    # A row has the colours of its own responsibilities, whatever is missing in others.
    np.testing.assert_allclose(drawn.colours[-len(known.points) :], known.colours, atol=1e-9)


def test_separations_of_a_column_need_its_own_rows_only() -> None:
    mixture, X = blobs(3, 3)
    resp = np.asarray(mixture.responsibilities(X), dtype=np.float64)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    holes = X.copy()
    holes[::4, 1] = np.nan
    keep = np.arange(len(X)) % 4 != 0
    found = separations(holes, weights, resp)
    whole = separations(X, weights, resp)
    part = separations(X[keep], weights[keep], resp[keep])
    np.testing.assert_allclose(found[[0, 2]], whole[[0, 2]])
    assert found[1] == pytest.approx(part[1])


def test_a_fit_on_rows_with_holes_is_drawn(tmp_path: Path) -> None:
    _, X = blobs(2, 3)
    X[::7, 1] = np.nan
    model = GaussianMixture(2, random_state=0, search="em").fit(X)
    assert png_size(plot_fit(model, X, tmp_path / "p.png"))[0] > 300
