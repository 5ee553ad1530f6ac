"""Pictures as files: what to draw, the words around it, and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from textwrap import wrap
from typing import Any

from numpy.typing import ArrayLike

from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.plotting.data import Density1D, Pairs, Scatter, density_1d, pairs, scatter
from emplus.plotting.geometry import coverage
from emplus.plotting.tracing import Trace, trace
from emplus.search.fit import Fit

__all__ = ["EXTENSIONS", "plot_fit", "plot_trace"]

EXTENSIONS = (".png", ".svg", ".pdf")
"""Kinds of picture that can be written."""


def plot_fit(
    estimator: Any,
    X: ArrayLike,
    path: str | PathLike[str],
    *,
    feature_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> Path:
    """Draw a fitted mixture over its data and write the picture.

    One column gives a density over a histogram; two give points coloured by their
    responsibilities under covariance ellipses; more give every pair of at most six columns,
    those in which the components are farthest apart. The same input gives the same bits.

    Parameters
    ----------
    estimator : fitted estimator or Mixture
        Anything with a ``mixture_``, or the mixture itself.
    X : array_like (n, d)
        Rows that are not finite are left out, and the caption says how many.
    path : path-like
        The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
    feature_names : sequence of str, optional
        Names of all d columns; by default the estimator's or those of the data frame.
    sample_weight : array_like (n,), optional
        Rows of weight 0 are not drawn; the area of a point follows its weight.
    title : str, optional

    Returns
    -------
    path : pathlib.Path
        Where the picture is.

    Raises
    ------
    ArgumentError
        If the extension is another one, the estimator is not fitted or the names are too few.
    DataError
        If `X` or `sample_weight` does not fit the mixture.
    OSError
        If the file cannot be written.
    """
    place, kind = _place(path)
    mixture = _mixture(estimator)
    names = _names(estimator, X, mixture.n_features, feature_names)
    from emplus.plotting import draw_page

    with draw_page.house_style():
        if mixture.n_features == 1:
            figure, caption = _density_figure(
                density_1d(mixture, X, sample_weight=sample_weight), names
            )
            default = _describe(mixture)
        elif mixture.n_features == 2:
            figure, caption = _scatter_figure(
                scatter(mixture, X, sample_weight=sample_weight), names
            )
            default = _describe(mixture)
        else:
            data = pairs(mixture, X, sample_weight=sample_weight)
            figure, caption = _pairs_figure(data, names)
            default = _describe(mixture) + _which_columns(data)
        if sample_weight is not None:
            caption.append("Rows count by their weights.")
        _write_words(figure, default if title is None else title, caption)
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def plot_trace(
    result: Fit, path: str | PathLike[str], *, title: str = "Objective at each pass"
) -> Path:
    """Draw the objective of a fit against the passes over the data and write the picture.

    Parameters
    ----------
    result : Fit
        ``result_`` of an estimator.
    path : path-like
        The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
    title : str, optional

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    ArgumentError
        If the extension is another one.
    OSError
        If the file cannot be written.
    """
    place, kind = _place(path)
    data = trace(result)
    from emplus.plotting import draw, draw_page

    with draw_page.house_style():
        figure = draw_page.new_figure(7.2, 5.0)
        steep = int((data.gaps > 0.0).sum()) >= 3
        axes = figure.subplots(2 if steep else 1, 1, squeeze=False, sharex=True)[:, 0]
        draw.draw_trace(data, axes[0])
        if steep:
            draw.draw_gaps(data, axes[1])
            axes[0].set_xlabel("")
        _write_words(figure, title, [_trace_words(data)])
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def _place(path: str | PathLike[str]) -> tuple[Path, str]:
    place = Path(path)
    extension = place.suffix.lower()
    if extension not in EXTENSIONS:
        raise ArgumentError(
            f"A picture cannot be written as {str(place)!r}; use one of the extensions "
            f"{', '.join(EXTENSIONS)}."
        )
    return place, extension[1:]


def _mixture(estimator: Any) -> Mixture:
    mixture = estimator if isinstance(estimator, Mixture) else getattr(estimator, "mixture_", None)
    if not isinstance(mixture, Mixture):
        raise ArgumentError(
            f"{type(estimator).__name__} has no mixture to draw; fit it on data first."
        )
    return mixture


def _names(estimator: Any, X: Any, d: int, feature_names: Sequence[str] | None) -> list[str]:
    from emplus.plotting.draw_page import plain

    if feature_names is not None and len(feature_names) != d:
        raise ArgumentError(
            f"feature_names has {len(feature_names)} names; the mixture has {d} columns."
        )
    for source in (
        feature_names,
        getattr(estimator, "feature_names_in_", None),
        getattr(X, "columns", None),
    ):
        if source is not None and len(source) == d:
            return [plain(name) for name in source]
    return [f"column {j}" for j in range(d)]


def _describe(mixture: Mixture) -> str:
    k = mixture.n_components
    structure = mixture.family.config().get("covariance_type")
    words = f"{mixture.family.name.capitalize()} mixture, {k} component{'s' if k != 1 else ''}"
    return words + (f", {structure} covariance" if structure else "")


def _which_columns(data: Pairs) -> str:
    if len(data.columns) == data.n_features:
        return ""
    chosen = (
        "those that separate the components most"
        if len(data.weights) > 1
        else "the first that vary"
    )
    return f"\n{len(data.columns)} of {data.n_features} columns: {chosen}"


def _rows_words(n_shown: int, n_rows: int, n_given: int) -> str:
    words = f"{n_rows:,} rows" if n_rows != 1 else "1 row"
    if n_shown < n_rows:
        words = f"{n_shown:,} of {n_rows:,} rows drawn, evenly thinned"
    if n_given > n_rows:
        words += f" ({n_given - n_rows:,} of weight 0 or not finite left out)"
    return words


_ELLIPSES = (
    "colours blend by responsibility. Ellipses: 1 and 2 standard deviations "
    f"({100 * coverage(1.0):.0f}\N{NO-BREAK SPACE}% and "
    f"{100 * coverage(2.0):.0f}\N{NO-BREAK SPACE}%)."
)


def _density_figure(data: Density1D, names: Sequence[str]) -> tuple[Any, list[str]]:
    from emplus.plotting import draw, draw_page

    figure = draw_page.new_figure(7.2, 4.3)
    ax = _beside_weights(figure, data.weights)
    draw.draw_density(data, ax, name=names[0])
    words = _rows_words(data.n_rows, data.n_rows, data.n_given) + "."
    return figure, [words, *_clipped([data])]


def _scatter_figure(data: Scatter, names: Sequence[str]) -> tuple[Any, list[str]]:
    from emplus.plotting import draw, draw_page

    figure = draw_page.new_figure(7.2, 5.2)
    ax = _beside_weights(figure, data.ellipses.weights)
    draw.draw_scatter(data, ax, names=names)
    return figure, [f"{_rows_words(len(data.points), data.n_rows, data.n_given)}; {_ELLIPSES}"]


def _pairs_figure(data: Pairs, names: Sequence[str]) -> tuple[Any, list[str]]:
    from emplus.plotting import draw, draw_page

    side = 1.35 * len(data.columns) + 1.2
    figure = draw_page.new_figure(side, side)
    draw.draw_pairs(data, figure, names=[draw_page.plain(names[c], 20) for c in data.columns])
    words = f"{_rows_words(data.n_shown, data.n_rows, data.n_given)}; {_ELLIPSES}"
    return figure, [words, *_clipped(data.densities)]


def _beside_weights(figure: Any, weights: Any) -> Any:
    """Axes for the picture, with the weights drawn to its right when there are several."""
    from emplus.plotting import draw

    if len(weights) == 1:
        return figure.subplots()
    ax, side = figure.subplots(1, 2, width_ratios=[1.0, 0.2])
    draw.draw_weights(weights, side)
    return ax


def _clipped(densities: Sequence[Density1D]) -> list[str]:
    highest = [float(data.density.max()) for data in densities if data.clipped]
    if not highest:
        return []
    return [f"A spike of the density leaves the frame; it rises to {max(highest):.3g}."]


def _trace_words(data: Trace) -> str:
    starts = f"{data.n_runs} start{'s' if data.n_runs != 1 else ''}"
    if data.n_failed:
        starts += f", {data.n_failed} of them failed and are not drawn"
    return f"Objective: log-likelihood plus log prior. {starts}. Best start: {data.outcome}"


def _write_words(figure: Any, title: str, caption: Sequence[str]) -> None:
    from emplus.plotting import draw_page

    width = float(figure.get_size_inches()[0])
    title_lines = [line for part in title.split("\n") for line in wrap(part, int(10.2 * width))[:2]]
    lines = [line for part in caption for line in wrap(part, int(16.0 * width))]
    words = "\n".join(draw_page.plain(line, 200) for line in title_lines)
    draw_page.write_words(figure, words, lines)
