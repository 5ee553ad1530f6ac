"""Pictures of hostile input: every one is drawn, and without a warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emplus import GaussianMixture, Mixture
from emplus.plotting import plot_fit, plot_searches, plot_trace
from tests.plotting.examples import a_comparison, a_trial, blobs, far_and_tight, png_size

Floats = NDArray[np.float64]


def constant_column() -> tuple[Mixture, Floats]:
    X = np.random.default_rng(1).normal(size=(60, 2))
    X[:, 1] = 7.0
    return Mixture.gaussian([1.0], [[0.0, 7.0]], [[1.0, 1e-12]], "diag"), X


def equal_rows() -> tuple[Mixture, Floats]:
    return Mixture.gaussian([1.0], [[1e8, 0.0, 3.0]], [[1e-6, 1e-30, 1e-9]], "diag"), np.tile(
        [1e8, 0.0, 3.0], (50, 1)
    )


def tiny_variances() -> tuple[Mixture, Floats]:
    X = np.random.default_rng(2).normal(size=(60, 3))
    return Mixture.gaussian(np.full(60, 1 / 60), X, np.full(60, 1e-24), "spherical"), X


def huge_and_tiny_units() -> tuple[Mixture, Floats]:
    scale = np.array([1e-150, 1e150, 1.0])
    X = scale * np.random.default_rng(4).normal(size=(60, 3))
    return Mixture.gaussian([1.0], np.zeros((1, 3)), scale[None] ** 2, "diag"), X


def dead_component() -> tuple[Mixture, Floats]:
    mixture, X = blobs(2, 2)
    parameters: Any = mixture.parameters
    means = np.vstack([parameters.means, [[1e6, 1e6]]])
    return Mixture.gaussian([0.5, 0.5, 0.0], means, np.ones((3, 2)), "diag"), X


def holes() -> tuple[Mixture, Floats]:
    mixture, X = blobs(2, 3)
    X[::3, 0], X[1::7, 2], X[5, 1] = np.nan, np.inf, -np.inf
    return mixture, X


def nothing_finite() -> tuple[Mixture, Floats]:
    mixture, X = blobs(2, 3)
    return mixture, np.full_like(X, np.nan)


def beyond_every_axis() -> tuple[Mixture, Floats]:
    mixture, X = blobs(2, 2)
    X[0] = 1.7e308
    return mixture, X


HOSTILE: dict[str, Callable[[], tuple[Mixture, Any]]] = {
    "constant column": constant_column,
    "equal rows": equal_rows,
    "tiny variances": tiny_variances,
    "far and tight": far_and_tight,
    "huge and tiny units": huge_and_tiny_units,
    "dead component": dead_component,
    "holes": holes,
    "nothing finite": nothing_finite,
    "beyond every axis": beyond_every_axis,
    "no rows": lambda: (blobs(2, 3)[0], np.zeros((0, 3))),
    "one row": lambda: (blobs(1, 2)[0], np.zeros((1, 2))),
    "flat array": lambda: (blobs(2, 1)[0], np.linspace(-9.0, 9.0, 40)),
    "integers": lambda: (blobs(2, 2)[0], np.arange(40).reshape(20, 2)),
    "float32": lambda: (blobs(2, 3)[0], blobs(2, 3)[1].astype(np.float32)),
    "200 components, 1 column": lambda: blobs(200, 1),
    "200 components, 2 columns": lambda: blobs(200, 2),
    "205 components, 7 columns": lambda: blobs(205, 7),
    "784 columns": lambda: blobs(10, 784, n=500),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_input_is_drawn_without_a_warning(tmp_path: Path, case: str) -> None:
    mixture, X = HOSTILE[case]()
    place = plot_fit(mixture, X, tmp_path / "fit.png")
    assert png_size(place)[0] >= 800


@pytest.mark.parametrize("d", [1, 2, 3])
def test_weights_of_rows_may_be_zero(tmp_path: Path, d: int) -> None:
    mixture, X = blobs(2, d)
    for weights in (np.arange(300.0) % 2, np.zeros(300), np.geomspace(1e-200, 1e200, 300)):
        plot_fit(mixture, X, tmp_path / "fit.png", sample_weight=weights)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_million_rows_are_thinned(tmp_path: Path, d: int) -> None:
    mixture, X = blobs(3, d, n=1000)
    X = np.tile(X, (1000, 1)) + np.linspace(0.0, 0.1, 1_000_000)[:, None]
    plot_fit(mixture, X, tmp_path / "fit.svg")
    assert (tmp_path / "fit.svg").stat().st_size < 3_000_000


@pytest.mark.parametrize(
    "name", ["price ($)", "$x^{", "漢字 🦊", "a\nb\tc", "n" * 500, "", "%s {0} \\frac", "\x00\x07"]
)
def test_any_name_can_stand_on_an_axis(tmp_path: Path, name: str) -> None:
    for d in (1, 2, 3):
        mixture, X = blobs(2, d)
        plot_fit(mixture, X, tmp_path / "fit.png", feature_names=[name] * d, title=name)


@pytest.mark.parametrize("max_iter", [1, 2, 50])
def test_short_traces_are_drawn(tmp_path: Path, max_iter: int) -> None:
    _, X = blobs(2, 2)
    model = GaussianMixture(1, max_iter=max_iter, tol=0.5, random_state=0).fit(X)
    plot_trace(model.result_, tmp_path / "trace.png")


@pytest.mark.parametrize(
    "totals",
    [
        [("em", -40.0)],
        [("em", -40.0), ("em", -np.inf)],
        [("em", -np.inf), ("reset", 3.0)],
        [("em", -1e12), ("em", 1e12)],
        [("em", -40.0), ("em", -40.0 - 1e-9)],
        [("$x^{", -40.0), ("\u6f22 + _", -41.0), ("n" * 80, -42.0)],
        [(f"search {j}", -40.0 - j) for j in range(30)],
    ],
)
@pytest.mark.parametrize("near", [0.0, 1e-3, 10.0])
def test_any_comparison_is_drawn(
    tmp_path: Path, totals: list[tuple[str, float]], near: float
) -> None:
    trials = tuple(a_trial(name, total, cost=0.0) for name, total in totals)
    names = tuple(dict.fromkeys(name for name, _ in totals))
    made = replace(a_comparison(), searches=names, trials=trials, near=near, interrupted=True)
    plot_searches(made, tmp_path / "searches.png")
    assert png_size(tmp_path / "searches.png")[0] == 1344
