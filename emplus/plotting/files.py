"""Pictures of fits as files: what to draw, the words around it, and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.plotting.data import Density1D, Pairs, density_1d, pairs, scatter
from emplus.plotting.geometry import coverage, has_ellipses
from emplus.plotting.places import picture_place
from emplus.plotting.profile_files import plot_profiles
from emplus.plotting.profiles import mixture_of
from emplus.plotting.search_files import trace_words
from emplus.plotting.tracing import Trace, trace
from emplus.plotting.words import describe

__all__ = ["plot_fit"]

_STRIP = 1.9  # inches for the trace of a search


def plot_fit(
    estimator: Any,
    X: Any,
    path: str | PathLike[str],
    *,
    feature_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
) -> Path:
    """Draw a fitted mixture over its data and write the picture.

    One column gives a density over a histogram; two give points coloured by their
    responsibilities under covariance ellipses; more give every pair of at most six columns,
    those in which the components are farthest apart. Where a search has accepted moves on its way
    to the fit, its trace stands below. Where columns are no continuous numbers, or components have
    no covariances, `plot_profiles` draws it. The same input gives the same bits.

    Parameters
    ----------
    estimator : fitted estimator or Mixture
        Anything with a ``mixture_``, or the mixture itself.
    X : array_like (n, d)
        Rows that are not finite are left out, and the caption says how many; with entries missing
        (NaN), rows are left out where they are to be seen. None where `plot_profiles` draws.
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
    place, kind = picture_place(path)
    mixture = mixture_of(estimator)
    if not has_ellipses(mixture):
        return plot_profiles(estimator, path, feature_names=feature_names, title=title)
    names = _names(estimator, X, mixture.n_features, feature_names)
    from emplus.plotting import draw_page

    history = _history(estimator)
    with draw_page.house_style():
        if mixture.n_features <= 2:
            default = describe(mixture)
            figure, body = _sheet(7.2, 4.3 if mixture.n_features == 1 else 5.2, history)
            draw_one = _draw_density if mixture.n_features == 1 else _draw_scatter
            caption = draw_one(body, mixture, X, sample_weight, names)
        else:
            data = pairs(mixture, X, sample_weight=sample_weight)
            default = describe(mixture) + _which_columns(data)
            side = 1.35 * len(data.columns) + 1.2
            figure, body = _sheet(side, side, history)
            caption = _draw_pairs(body, data, names)
        if history is not None:
            caption.append(trace_words(history))
        if sample_weight is not None:
            caption.append("Rows count by their weights.")
        draw_page.write_wrapped(figure, default if title is None else title, caption)
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


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
        words += f" ({n_given - n_rows:,} of weight 0, missing or not finite left out)"
    return words


_ELLIPSES = (
    "colours blend by responsibility. Ellipses: 1 and 2 standard deviations "
    f"({100 * coverage(1.0):.0f}\N{NO-BREAK SPACE}% and "
    f"{100 * coverage(2.0):.0f}\N{NO-BREAK SPACE}%)."
)


def _history(estimator: Any) -> Trace | None:
    """The path to a fit, where a search has accepted moves on it."""
    result = getattr(estimator, "result_", None)
    history = None if result is None else trace(result)
    return history if history is not None and history.accepted else None


def _sheet(width: float, height: float, history: Trace | None) -> tuple[Any, Any]:
    """A figure, and the part of it that is so large; a history is drawn below that."""
    from emplus.plotting import draw_page, draw_search

    if history is None:
        figure: Any = draw_page.new_figure(width, height)
        return figure, figure
    figure = draw_page.new_figure(width, height + _STRIP)
    body, strip = figure.subfigures(2, 1, height_ratios=[height, _STRIP])
    draw_search.draw_trace(history, strip.subplots())
    return figure, body


def _draw_density(
    body: Any, mixture: Mixture, X: Any, sample_weight: Any, names: Sequence[str]
) -> list[str]:
    from emplus.plotting import draw

    data = density_1d(mixture, X, sample_weight=sample_weight)
    draw.draw_density(data, _beside_weights(body, data.weights), name=names[0])
    return [_rows_words(data.n_rows, data.n_rows, data.n_given) + ".", *_clipped([data])]


def _draw_scatter(
    body: Any, mixture: Mixture, X: Any, sample_weight: Any, names: Sequence[str]
) -> list[str]:
    from emplus.plotting import draw

    data = scatter(mixture, X, sample_weight=sample_weight)
    draw.draw_scatter(data, _beside_weights(body, data.ellipses.weights), names=names)
    return [f"{_rows_words(len(data.points), data.n_rows, data.n_given)}; {_ELLIPSES}"]


def _draw_pairs(body: Any, data: Pairs, names: Sequence[str]) -> list[str]:
    from emplus.plotting import draw, draw_page

    draw.draw_pairs(data, body, names=[draw_page.plain(names[c], 20) for c in data.columns])
    words = f"{_rows_words(data.n_shown, data.n_rows, data.n_given)}; {_ELLIPSES}"
    holes = []
    if data.n_holes:
        many = f"{data.n_holes:,} rows have" if data.n_holes > 1 else "1 row has"
        holes = [f"{many} missing values, and no point where one of them is needed."]
    return [words, *holes, *_clipped(data.densities)]


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
