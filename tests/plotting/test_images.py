"""Components as images: the right numbers in the right places, and bad shapes refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emplus import Mixture
from emplus.errors import ArgumentError
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.plotting import (
    EXTENSIONS,
    check_image_shape,
    draw_image_grid,
    image_grid,
    plot_fit,
    plot_images,
)
from tests.plotting.examples import blobs, png_size

Floats = NDArray[np.float64]


def factors(k: int, q: int, d: int, scale: float = 1.0, loadings: str = "own") -> Mixture:
    """A mixture of factor analyzers made of random numbers."""
    rng = np.random.default_rng(0)
    family = FactorAnalyzer(q, loadings=loadings)
    arrays = {
        "means": scale * rng.normal(size=(k, d)),
        "loadings": scale * rng.normal(size=(k, d, q)),
        "noise_variance": np.full((k, d), scale**2),
    }
    if loadings == "common":
        arrays |= {
            "offset": scale * rng.normal(size=d),
            "basis": rng.normal(size=(d, q)),
            "factor_means": scale * rng.normal(size=(k, q)),
            "factor_roots": scale * rng.normal(size=(k, q, q)),
            "noise_variance": np.full(d, scale**2),
        }
    weights = rng.dirichlet(np.ones(k))
    return Mixture(family, np.log(weights), family.unpack(arrays))


# Values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loadings", ["own", "common"])
def test_means_and_loadings_are_laid_out_line_by_line(loadings: str) -> None:
    mixture = factors(3, 2, 12, loadings=loadings)
    data = image_grid(mixture, (3, 4))
    parameters: Any = mixture.parameters
    assert data.means.shape == (3, 3, 4)
    assert data.factors.shape == (3, 2, 3, 4)
    for place, j in enumerate(data.components):
        for row, column in np.ndindex(3, 4):
            pixel = 4 * row + column
            assert data.means[place, row, column] == parameters.means[j, pixel]
            np.testing.assert_array_equal(
                data.factors[place, :, row, column], parameters.loadings[j, pixel]
            )
    np.testing.assert_allclose(data.weights, mixture.weights[data.components])
    assert data.reach == np.abs(parameters.loadings).max()
    assert data.mean_limits == (parameters.means.min(), parameters.means.max())


@pytest.mark.parametrize(("q", "shown"), [(0, 60), (1, 60), (3, 40), (8, 17), (12, 17)])
def test_the_heaviest_of_many_components_are_shown(q: int, shown: int) -> None:
    mixture = factors(70, q, 12)
    data = image_grid(mixture, (3, 4))
    assert len(data.components) == shown
    rest = np.setdiff1d(np.arange(70), data.components)
    assert mixture.weights[rest].max() <= data.weights.min()
    assert (np.diff(data.weights) <= 0).all()
    assert data.factors.shape[1] == min(q, 8)
    assert (data.n_components, data.n_factors) == (70, q)


def test_gaussians_have_no_factors_and_limits_are_never_equal() -> None:
    mixture = Mixture.gaussian([1.0], np.zeros((1, 6)), np.ones((1, 6)), "diag")
    data = image_grid(mixture, (2, 3))
    assert data.factors.shape == (1, 0, 2, 3)
    assert data.mean_limits == (-1.0, 1.0)
    assert data.reach == 1.0


BAD_SHAPES: list[tuple[Any, str]] = [
    ((8, 9), "Images of 8 x 9 have 72 pixels, but the rows have 64 columns"),
    ((0, 64), "Images of 0 x 64 have 0 pixels, but the rows have 64 columns"),
    ((10**9, 10**9), "have 1000000000000000000 pixels, but the rows have 64"),
    ((-8, -8), r"image_shape=\(-8, -8\) is not a pair of whole numbers"),
    ((8.0, 8.0), "is not a pair of whole numbers"),
    ((True, 64), "is not a pair of whole numbers"),
    ((64,), "is not a pair of whole numbers"),
    ((4, 4, 4), "whose product is 64"),
    ("8x8", "image_shape='8x8' is not a pair"),
    (64, "image_shape=64 is not a pair"),
    (None, "image_shape=None is not a pair"),
]


@pytest.mark.parametrize(("shape", "words"), BAD_SHAPES)
def test_shapes_that_do_not_fit_are_refused(shape: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=words):
        check_image_shape(shape, 64)
    with pytest.raises(ArgumentError, match=words):
        plot_images(factors(2, 1, 64), tmp_path / "a.png", image_shape=shape)
    assert not list(tmp_path.iterdir())


def test_shapes_that_fit_are_whole_numbers() -> None:
    assert check_image_shape([np.int64(4), 16], 64) == (4, 16)
    assert check_image_shape(np.array([1, 1]), 1) == (1, 1)


# Pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "q"), [(1, 0), (1, 3), (7, 1), (5, 4), (60, 0)])
def test_every_image_is_drawn_once_and_none_covers_another(k: int, q: int) -> None:
    data = image_grid(factors(k, q, 12), (3, 4))
    figure = Figure(figsize=(9.0, 9.0))
    draw_image_grid(data, figure)
    drawn = figure.axes[0].get_images()
    wanted = [image for j in range(k) for image in (data.means[j], *data.factors[j])]
    assert len(drawn) == len(wanted)
    for shown, image in zip(drawn, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(shown.get_array()), image)
    boxes = np.array([[*sorted(i.get_extent()[:2]), *sorted(i.get_extent()[2:])] for i in drawn])
    for index, (left, right, top, bottom) in enumerate(boxes):
        others = np.delete(boxes, index, axis=0)
        apart = (others[:, 1] <= left) | (others[:, 0] >= right)
        apart |= (others[:, 3] <= top) | (others[:, 2] >= bottom)
        assert apart.all()
    # Every mean in one scale, every factor in another with 0 in its middle.
    for number, shown in enumerate(drawn):
        limits = (-data.reach, data.reach) if number % (1 + q) else data.mean_limits
        assert shown.get_clim() == limits
        assert shown.get_cmap().name == ("RdBu_r" if number % (1 + q) else "gray")
    assert len(figure.axes) == (3 if q else 2)
    numbers = [text.get_text() for text in figure.axes[0].texts]
    assert {str(j) for j in range(k)} <= set(numbers)
    assert numbers.count("mean") == numbers.count("factor 1") or not q


def test_lines_stand_below_each_other_in_order() -> None:
    data = image_grid(factors(4, 4, 16), (4, 4))
    figure = Figure(figsize=(9.0, 9.0))
    draw_image_grid(data, figure)
    means = figure.axes[0].get_images()[::5]
    places = [(image.get_extent()[0], image.get_extent()[3]) for image in means]
    assert places == sorted(places)
    low, high = figure.axes[0].get_ylim()
    assert low > high


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_mixture_gives_the_same_bits(tmp_path: Path, extension: str) -> None:
    mixture = factors(3, 2, 20)
    places = [tmp_path / f"{name}{extension}" for name in "ab"]
    plot_images(mixture, places[0], image_shape=(4, 5))
    with matplotlib.rc_context({"font.size": 20.0, "image.cmap": "jet", "figure.dpi": 50.0}):
        plot_images(mixture, places[1], image_shape=(4, 5))
    assert places[0].read_bytes() == places[1].read_bytes()


def words_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mixture: Mixture, shape: tuple[int, int]
) -> tuple[str, Figure]:
    """Everything that is written in the picture, and the picture."""
    from emplus.plotting import draw_page

    figures: list[Figure] = []
    new = draw_page.new_figure

    def remember(width: float, height: float) -> Figure:
        figures.append(new(width, height))
        return figures[-1]

    monkeypatch.setattr(draw_page, "new_figure", remember)
    plot_images(mixture, tmp_path / "a.png", image_shape=shape)
    texts = figures[-1].findobj(matplotlib.text.Text)
    words = " ".join(text.get_text() for text in texts)
    return words.replace("\n", " "), figures[-1]


def test_the_title_says_family_and_factors_and_the_caption_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words, _ = words_of(monkeypatch, tmp_path, factors(40, 9, 16), (4, 4))
    assert "Factor-analyzer mixture, 40 components, 9 factors, diag noise, own loadings" in words
    assert "Shown are the 17 heaviest of 40 components." in words
    assert "Shown are the first 8 of 9 factors." in words
    assert "factor, one standard deviation" in words
    mixture, _ = blobs(2, 16)
    words, _ = words_of(monkeypatch, tmp_path, mixture, (4, 4))
    assert "Gaussian mixture, 2 components, diag covariance" in words
    assert "factor" not in words


@pytest.mark.parametrize("shape", [(8, 8), (64, 1), (2, 32)])
@pytest.mark.parametrize(("k", "q"), [(1, 1), (10, 4), (70, 0), (30, 12)])
def test_words_do_not_cover_each_other_and_stay_on_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shape: tuple[int, int], k: int, q: int
) -> None:
    _, figure = words_of(monkeypatch, tmp_path, factors(k, q, 64), shape)
    grid, *bars = figure.axes
    texts = [*figure.texts, *grid.texts, *(bar.xaxis.label for bar in bars)]
    for bar in bars:
        low, high = bar.get_xlim()
        ticks = zip(bar.get_xticks(), bar.get_xticklabels(), strict=True)
        texts += [words for at, words in ticks if low <= at <= high]
    boxes = np.array([t.get_window_extent().extents for t in texts])
    width, height = figure.bbox.width, figure.bbox.height
    assert (boxes[:, :2] >= -1.0).all()
    assert (boxes[:, 2] <= width + 1.0).all()
    assert (boxes[:, 3] <= height + 1.0).all()
    for index, (left, bottom, right, top) in enumerate(boxes[:-1]):
        others = boxes[index + 1 :]
        apart = (others[:, 0] >= right) | (others[:, 2] <= left)
        apart |= (others[:, 1] >= top - 1.0) | (others[:, 3] <= bottom + 1.0)
        assert apart.all(), [texts[index].get_text(), texts[index + 1 + apart.argmin()].get_text()]


HOSTILE: dict[str, tuple[Mixture, tuple[int, int]]] = {
    "one pixel": (factors(2, 1, 1), (1, 1)),
    "as many factors as pixels": (factors(2, 4, 4), (2, 2)),
    "tiny": (factors(2, 2, 6, 1e-150), (2, 3)),
    "huge": (factors(2, 2, 6, 1e150), (2, 3)),
    "large images": (factors(3, 2, 10_000), (100, 100)),
    "dead components": (
        replace(factors(2, 2, 6), log_weights=np.array([0.0, -np.inf])),
        (2, 3),
    ),
    "equal pixels": (
        Mixture.gaussian([1.0], np.full((1, 6), 1e8), np.ones((1, 6)), "diag"),
        (2, 3),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mixtures_are_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    mixture, shape = HOSTILE[name]
    plot_images(mixture, tmp_path / "a.png", image_shape=shape)
    assert png_size(tmp_path / "a.png")[0] >= 800


@pytest.mark.parametrize("loadings", ["own", "common"])
@pytest.mark.parametrize(("d", "q"), [(1, 1), (2, 1), (4, 2), (64, 3)])
def test_factor_analyzers_are_drawn_over_their_rows(
    tmp_path: Path, d: int, q: int, loadings: str
) -> None:
    mixture = factors(3, q, d, loadings=loadings)
    X = mixture.sample(200, np.random.default_rng(0))[0]
    plot_fit(mixture, X, tmp_path / "fit.png")
    assert png_size(tmp_path / "fit.png")[0] >= 800


def test_what_has_no_mixture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="fit it"):
        plot_images(object(), tmp_path / "a.png", image_shape=(2, 2))
    with pytest.raises(ArgumentError, match=r"\.png, \.svg, \.pdf"):
        plot_images(factors(2, 1, 4), tmp_path / "a.gif", image_shape=(2, 2))
