"""What is drawn of a selection, and the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from emplus.errors import ArgumentError
from emplus.plotting import EXTENSIONS, curves, draw_criterion, plot_selection
from emplus.selection import CRITERIA, Cell
from tests.plotting.examples import png_size


def a_cell(family: str, k: int, value: float, error: float = np.nan) -> Cell:
    """A cell whose criteria all have one value; one without a fit where that is NaN."""
    if np.isnan(value):
        return Cell(family, k, "failed")
    return Cell(
        family, k, "converged", "fresh", -value, -value, k,
        aic=value, bic=value, icl=value, cv=-value, cv_error=error,
    )  # fmt: skip


CELLS = [
    *(a_cell("full", k, value) for k, value in ((1, 900.0), (2, 120.0), (3, 130.0))),
    *(a_cell("diag", k, value) for k, value in ((1, 950.0), (2, np.nan), (3, 118.0))),
]


def test_curves_have_the_values_and_the_winner() -> None:
    data = curves(CELLS, "bic")
    assert [curve.family for curve in data.curves] == ["full", "diag"]
    np.testing.assert_array_equal(data.curves[0].components, [1, 2, 3])
    np.testing.assert_array_equal(data.curves[1].components, [1, 3])
    np.testing.assert_array_equal(data.curves[1].values, [950.0, 118.0])
    assert data.best == (1, 3, 118.0)
    assert data.n_missing == 1
    assert not data.higher
    # The caller's winner may be another than the best of what is drawn.
    assert curves(CELLS, "icl", CELLS[1]).best == (0, 2, 120.0)


def test_held_out_log_likelihood_is_to_be_high_and_has_errors() -> None:
    cells = [a_cell("full", k, value, 0.5) for k, value in ((1, 3.0), (2, 2.0), (3, 2.5))]
    data = curves(cells, "cv")
    assert data.higher
    assert data.best == (0, 2, -2.0)
    np.testing.assert_array_equal(data.curves[0].errors, [0.5, 0.5, 0.5])


def test_close_values_are_drawn_once_more() -> None:
    data = curves(CELLS, "bic")
    assert data.enlarged is not None
    low, high = data.enlarged
    assert low < 118.0 < 120.0 < high < 900.0
    even = [a_cell("full", k, 100.0 - 10.0 * k) for k in range(1, 8)]
    assert curves(even, "bic").enlarged is None
    # Nor are few values, equal ones, or such as are uncertain.
    assert curves(CELLS[:3], "bic").enlarged is None
    assert curves([a_cell("full", k, 5.0) for k in range(1, 8)], "bic").enlarged is None
    uncertain = [a_cell(c.family, c.n_components, c.bic, 9.0) for c in CELLS]
    assert curves(uncertain, "cv").enlarged is None


def test_every_line_is_on_the_axes_and_the_winner_is_ringed() -> None:
    ax = Figure().subplots()
    draw_criterion(curves(CELLS, "bic"), ax)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["full", "diag"]
    drawn = [np.asarray(line.get_xydata()).tolist() for line in ax.get_lines()]
    assert [[1.0, 950.0], [3.0, 118.0]] in drawn
    assert drawn[-1] == [[3.0, 118.0]]
    assert [text.get_text() for text in ax.texts] == ["k = 3"]
    assert "BIC" in ax.get_ylabel()
    low, high = ax.get_ylim()
    assert low < 118.0 < 950.0 < high


def test_the_larger_part_has_its_limits() -> None:
    data = curves(CELLS, "bic")
    ax = Figure().subplots()
    draw_criterion(data, ax, enlarged=True, named=False)
    assert data.enlarged is not None
    assert ax.get_ylim()[1] == pytest.approx(data.enlarged[1])
    assert ax.get_legend() is None


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_pictures_are_the_same_twice(extension: str, tmp_path: Path) -> None:
    one, two = (plot_selection(CELLS, tmp_path / f"{name}{extension}") for name in "ab")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_hostile_cells_are_drawn(criterion: str, tmp_path: Path) -> None:
    labels = ["$x_1$", "wide\n" * 30, "\x1b[31m", *(f"f{j}" for j in range(14))]
    many = [a_cell(label, k, 1e9 / k, 1.0) for label in labels for k in (1, 200)]
    place = plot_selection(many, tmp_path / "m.png", criterion=criterion, title="t" * 300)
    assert png_size(place)[0] > 500
    single = plot_selection([a_cell("one", 4, -3.0)], tmp_path / "s.png", criterion=criterion)
    nothing = plot_selection([a_cell("one", 4, np.nan)], tmp_path / "n.png", criterion=criterion)
    assert single.read_bytes() != nothing.read_bytes()


def test_the_words_below(tmp_path: Path) -> None:
    words = plot_selection(CELLS, tmp_path / "p.svg").read_text()
    assert "Ringed: the best, diag with k = 3 (118)." in words
    assert "Not drawn: 1 without a value." in " ".join(words.split())


def test_other_extensions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="use one of the extensions"):
        plot_selection(CELLS, tmp_path / "p.gif")
