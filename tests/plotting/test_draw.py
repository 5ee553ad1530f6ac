"""Every picture is written, has the data in it, is the same twice, and survives hostile input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import NDArray

from emplus import GaussianMixture, Mixture
from emplus.errors import ArgumentError, DataError
from emplus.plotting import (
    EXTENSIONS,
    density_1d,
    draw_costs,
    draw_density,
    draw_gaps,
    draw_pairs,
    draw_scatter,
    draw_searches,
    draw_trace,
    draw_weights,
    pairs,
    plot_fit,
    plot_searches,
    plot_trace,
    scatter,
    searches,
    trace,
)
from tests.plotting.examples import a_comparison, blobs, far_and_tight, png_size

# The suite turns warnings into errors, so every test here also says that matplotlib gives none.

Floats = NDArray[np.float64]


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(6.0, 4.0)).subplots()


# Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "size"), [(1, (1152, 688)), (2, (1152, 832)), (3, (840, 840)), (9, (1488, 1488))]
)
def test_plot_fit_writes_a_picture_of_its_size(
    tmp_path: Path, d: int, size: tuple[int, int]
) -> None:
    mixture, X = blobs(3, d)
    assert plot_fit(mixture, X, tmp_path / "fit.png") == tmp_path / "fit.png"
    assert png_size(tmp_path / "fit.png") == size


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("d", [1, 3])
def test_the_same_input_gives_the_same_bits(tmp_path: Path, extension: str, d: int) -> None:
    mixture, X = blobs(4, d, n=500)
    first, second = tmp_path / f"a{extension}", tmp_path / f"b{extension}"
    plot_fit(mixture, X, first)
    # Neither the user's style nor the order of pictures may show.
    with matplotlib.rc_context({"font.size": 20.0, "lines.linewidth": 7.0, "figure.dpi": 50.0}):
        plot_fit(mixture, X, second)
    assert first.read_bytes() == second.read_bytes()
    content = first.read_bytes()
    assert b"Software" not in content
    assert b"CreationDate" not in content
    assert b"dc:date" not in content
    assert b"matplotlib.org" not in content.lower()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_plot_trace_writes_the_same_bits(tmp_path: Path, extension: str) -> None:
    _, X = blobs(3, 2)
    model = GaussianMixture(3, n_init=3, search="em", random_state=0).fit(X)
    first = plot_trace(model.result_, tmp_path / f"a{extension}")
    second = plot_trace(model.result_, tmp_path / f"b{extension}")
    assert first.read_bytes() == second.read_bytes()
    if extension == ".png":
        assert png_size(first) == (1152, 800)


def test_capital_extensions_and_text_paths_are_understood(tmp_path: Path) -> None:
    mixture, X = blobs(2, 1)
    plot_fit(mixture, X, str(tmp_path / "FIT.PNG"))
    assert png_size(tmp_path / "FIT.PNG")[0] == 1152


@pytest.mark.parametrize("name", ["fit.jpg", "fit", "fit.png.gz"])
def test_another_extension_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    mixture, X = blobs(2, 2)
    with pytest.raises(ArgumentError, match=r"\.png, \.svg, \.pdf"):
        plot_fit(mixture, X, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_the_operating_systems_error(tmp_path: Path) -> None:
    mixture, X = blobs(2, 2)
    with pytest.raises(FileNotFoundError):
        plot_fit(mixture, X, tmp_path / "none" / "fit.png")


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    mixture, X = blobs(2, 2)
    with pytest.raises(ArgumentError, match="fit it"):
        plot_fit(GaussianMixture(2), X, tmp_path / "fit.png")
    with pytest.raises(ArgumentError, match="feature_names has 1"):
        plot_fit(mixture, X, tmp_path / "fit.png", feature_names=["one"])
    with pytest.raises(DataError, match="columns"):
        plot_fit(mixture, X[:, :1], tmp_path / "fit.png")


def test_drawing_touches_neither_pyplot_nor_the_settings(tmp_path: Path) -> None:
    program = f"""
import sys
import numpy as np
from emplus import Mixture
from emplus.plotting import plot_fit
assert "matplotlib" not in sys.modules
import matplotlib
before = dict(matplotlib.rcParams.copy())
plot_fit(Mixture.gaussian([1.0], [[0.0]], [[[1.0]]]), np.zeros((3, 1)), {str(tmp_path / "a.png")!r})
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams.copy()) == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


# What is in the picture ----------------------------------------------------------------------


def test_scatter_has_the_points_the_colours_and_the_ellipses(ax: Axes) -> None:
    mixture, X = blobs(3, 2)
    data = scatter(mixture, X)
    draw_scatter(data, ax, names=["length", "width"])
    points = next(artist for artist in ax.collections if isinstance(artist, PathCollection))
    np.testing.assert_array_equal(np.asarray(points.get_offsets()), X)
    shades: Any = points.get_facecolor()
    np.testing.assert_allclose(shades[:, :3], data.colours)
    outlines = [path.vertices for artist in ax.collections for path in artist.get_paths()]
    for shape in data.ellipses.points.reshape(-1, 97, 2):
        assert any(np.shape(o) == shape.shape and np.allclose(o, shape) for o in outlines)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "width")
    assert (ax.get_xlim(), ax.get_ylim()) == data.limits
    numbers = {text.get_text(): text.xy for text in ax.texts if isinstance(text, Annotation)}
    assert set(numbers) == {"0", "1", "2"}
    np.testing.assert_allclose(numbers["1"], data.ellipses.means[1])


def test_density_has_the_bars_the_curves_and_the_sum(ax: Axes) -> None:
    mixture, X = blobs(2, 1)
    data = density_1d(mixture, X)
    draw_density(data, ax, name="waiting")
    [bars] = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    np.testing.assert_array_equal(bars.get_data().values, data.heights)
    np.testing.assert_array_equal(bars.get_data().edges, data.edges)
    lines = {str(line.get_label()): line for line in ax.lines}
    np.testing.assert_array_equal(lines["mixture"].get_xdata(), data.grid)
    np.testing.assert_array_equal(lines["mixture"].get_ydata(), data.density)
    [curves] = [artist for artist in ax.collections if artist.get_label() == "_components"]
    for component, curve in zip(data.components, curves.get_paths(), strict=True):
        x, y = np.asarray(curve.vertices).T
        np.testing.assert_array_equal(y, component[np.searchsorted(data.grid, x)])
        assert y.max() == component.max()
    assert ax.get_xlabel() == "waiting"
    legend: Any = ax.get_legend()
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["data", "mixture", "component times its weight"]


def test_weights_are_written_beside_their_bars(ax: Axes) -> None:
    draw_weights(np.array([0.7, 0.2996, 0.0004, 0.0]), ax)
    assert [text.get_text() for text in ax.texts] == ["0.700", "0.300", "<0.001", "0"]
    widths = [patch.get_width() for patch in ax.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(widths, [0.7, 0.2996, 0.0004, 0.0])


def test_pairs_has_a_panel_a_pair_and_names_at_the_rim() -> None:
    mixture, X = blobs(3, 4)
    figure = Figure(figsize=(6.0, 6.0))
    draw_pairs(pairs(mixture, X), figure, names=list("abcd"))
    panels = figure.axes
    assert len(panels) == 4 + 6 + 1
    assert [ax.get_xlabel() for ax in panels if ax.get_xlabel()] == list("abcd")
    assert [ax.get_ylabel() for ax in panels if ax.get_ylabel()] == list("bcd")


def test_what_the_ticks_of_a_panel_leave_out_stands_beside_its_name() -> None:
    mixture, X = far_and_tight()
    figure = Figure(figsize=(5.0, 5.0))
    draw_pairs(pairs(mixture, X), figure, names=list("abc"))
    for ax in figure.axes:
        if ax.get_xlabel():
            assert "+1e8" in ax.get_xlabel()
            assert not ax.xaxis.offsetText.get_visible()


def test_trace_has_the_climb_and_the_other_ends(ax: Axes) -> None:
    _, X = blobs(3, 2)
    model = GaussianMixture(3, n_init=4, search="em", random_state=0).fit(X)
    data = trace(model.result_)
    draw_trace(data, ax)
    lines = {str(line.get_label()): line for line in ax.lines}
    np.testing.assert_array_equal(lines["best start"].get_ydata(), data.objectives)
    np.testing.assert_array_equal(
        lines["end of another start (3)"].get_ydata(), data.run_objectives
    )
    gaps = Figure().subplots()
    draw_gaps(data, gaps)
    np.testing.assert_array_equal(gaps.lines[0].get_ydata(), data.gaps[data.gaps > 0])


def test_trace_marks_moves_by_kind_and_rejected_ones(ax: Axes) -> None:
    _, X = blobs(12, 2, n=600, seed=3)
    data = trace(GaussianMixture(12, search="random_swap", random_state=0).fit(X).result_)
    [swaps] = data.accepted
    draw_trace(data, ax)
    lines = {str(line.get_label()): line for line in ax.lines}
    np.testing.assert_array_equal(lines["path to the fit"].get_ydata(), data.objectives)
    marks = lines[f"swap ({len(swaps.passes)})"]
    np.testing.assert_array_equal(marks.get_xdata(), swaps.passes)
    np.testing.assert_array_equal(marks.get_ydata(), swaps.objectives)
    assert f"tried and rejected ({len(data.rejected.passes)})" in lines
    [crosses] = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    places: Any = crosses.get_offsets()
    np.testing.assert_array_equal(places[:, 0], np.unique(data.rejected.passes))
    gaps = Figure().subplots()
    draw_gaps(data, gaps)
    [below] = [line for line in gaps.lines if str(line.get_label()).startswith("swap")]
    np.testing.assert_array_equal(below.get_ydata(), data.objectives.max() - swaps.objectives)


def test_searches_have_lanes_with_points_medians_and_hollow_misses(ax: Axes) -> None:
    data = searches(a_comparison())
    draw_searches(data, ax)
    clouds = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    for lane, (runs, cloud) in enumerate(zip(data.runs, clouds, strict=True)):
        across, up = np.asarray(cloud.get_offsets()).T
        np.testing.assert_array_equal(across, runs.gaps)
        assert np.all(np.abs(up - lane) < 0.5)
        faces: Any = cloud.get_facecolor()
        hollow = np.all(faces == 1.0, axis=1)
        np.testing.assert_array_equal(np.broadcast_to(hollow, len(runs.gaps)), runs.gaps > 1e-3)
    medians = [a for a in ax.collections if not isinstance(a, PathCollection)]
    shown = [a.get_segments()[0][0, 0] for a in medians]  # type: ignore[attr-defined]
    np.testing.assert_allclose(shown, [0.1, 0.2])
    words = [text.get_text() for text in ax.get_yticklabels()]
    assert words == ["em\n1 of 3 at best", "swap\n0 of 2 at best"]
    left, right = ax.get_xlim()
    assert left > 0.4
    assert right < 0.0


@pytest.mark.parametrize("cost", ["seconds", "passes"])
def test_costs_are_drawn_in_the_same_lanes(ax: Axes, cost: str) -> None:
    data = searches(a_comparison())
    draw_costs(data, ax, cost)
    clouds = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    for runs, cloud in zip(data.runs, clouds, strict=True):
        np.testing.assert_array_equal(np.asarray(cloud.get_offsets())[:, 0], getattr(runs, cost))
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == {"seconds": "seconds", "passes": "EM passes"}[cost]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_plot_searches_writes_the_same_bits(tmp_path: Path, extension: str) -> None:
    first = plot_searches(a_comparison(), tmp_path / f"a{extension}")
    second = plot_searches(a_comparison(), tmp_path / f"b{extension}")
    assert first.read_bytes() == second.read_bytes()
    if extension == ".png":
        assert png_size(first) == (1344, 464)


def test_plot_fit_has_the_trace_below_where_moves_led_to_the_fit(tmp_path: Path) -> None:
    _, X = blobs(12, 2, n=600, seed=3)
    for search, height in (("em", 832), ("random_swap", 1136)):
        model = GaussianMixture(12, search=search, random_state=0).fit(X)
        plot_fit(model, X, tmp_path / "fit.png")
        assert png_size(tmp_path / "fit.png") == (1152, height)
    # The mixture alone knows nothing of how it was found.
    plot_fit(model.mixture_, X, tmp_path / "fit.png")
    assert png_size(tmp_path / "fit.png") == (1152, 832)


def test_numbers_do_not_cover_each_other() -> None:
    mixture = Mixture.gaussian([0.5, 0.3, 0.2], [[0.0, 0.0], [1e-3, 0.0], [9.0, 9.0]], np.ones(3))
    ax = Figure().subplots()
    draw_scatter(scatter(mixture, [[0.0, 0.0], [9.0, 9.0]]), ax)
    assert [text.get_text() for text in ax.texts] == ["0", "2"]
    dots: Any = ax.collections[-1]
    np.testing.assert_array_equal(dots.get_offsets(), [[1e-3, 0.0]])


def words_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, estimator: Any, X: Any, **options: Any
) -> str:
    """Everything that is written in the picture of ``plot_fit``."""
    from emplus.plotting import draw_page

    figures: list[Figure] = []
    new: Callable[..., Figure] = draw_page.new_figure

    def remember(*size: float) -> Figure:
        figures.append(new(*size))
        return figures[-1]

    monkeypatch.setattr(draw_page, "new_figure", remember)
    plot_fit(estimator, X, tmp_path / "fit.png", **options)
    [figure] = figures
    texts = figure.findobj(matplotlib.text.Text)
    return (
        "\n".join(text.get_text() for text in texts)
        .replace("\n", " ")
        .replace("\N{NO-BREAK SPACE}", " ")
    )


def test_title_and_caption_say_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mixture, X = blobs(3, 9, n=4000)
    X[:3, 4] = np.inf
    X[3:8] = np.nan
    words = words_of(monkeypatch, tmp_path, mixture, X)
    assert "Gaussian mixture, 3 components, diag covariance" in words
    assert "6 of 9 columns: those that separate the components most" in words
    assert "3,000 of 3,997 rows drawn" in words
    assert "3 of weight 0, missing or not finite left out" in words
    assert "5 rows have missing values, and no point where one of them is needed." in words
    assert "1 and 2 standard deviations (39 % and 86 %)" in words


def test_names_come_from_the_argument_the_estimator_or_the_frame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mixture, X = blobs(2, 2)
    frame = pd.DataFrame(X, columns=["height", "mass"])
    assert "height" in words_of(monkeypatch, tmp_path, mixture, frame)
    model = GaussianMixture(2, random_state=0).fit(frame)
    assert "mass" in words_of(monkeypatch, tmp_path, model, X)
    words = words_of(monkeypatch, tmp_path, model, X, feature_names=["p", "q"], title="Mine")
    assert "mass" not in words
    assert "Mine" in words


# Hostile input -------------------------------------------------------------------------------
