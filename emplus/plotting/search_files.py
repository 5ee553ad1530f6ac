"""Pictures of searches as files: the climb of one, and several side by side."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from emplus.plotting.comparing import Searches, searches
from emplus.plotting.places import picture_place
from emplus.plotting.tracing import Trace, trace
from emplus.search.comparison import Comparison
from emplus.search.fit import Fit

__all__ = ["plot_searches", "plot_trace"]


def plot_trace(
    result: Fit, path: str | PathLike[str], *, title: str = "Objective at each pass"
) -> Path:
    """Draw the objective of a fit against the passes over the data and write the picture.

    The moves that a search accepted are marked where their climbs begin, those that it rejected
    where they were tried.

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
    place, kind = picture_place(path)
    data = trace(result)
    from emplus.plotting import draw_page, draw_search

    with draw_page.house_style():
        figure = draw_page.new_figure(7.2, 5.0)
        steep = int((data.gaps > 0.0).sum()) >= 3
        axes = figure.subplots(2 if steep else 1, 1, squeeze=False, sharex=True)[:, 0]
        draw_search.draw_trace(data, axes[0])
        if steep:
            draw_search.draw_gaps(data, axes[1])
            axes[0].set_xlabel("")
        draw_page.write_wrapped(figure, title, [trace_words(data)])
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def plot_searches(
    comparison: Comparison, path: str | PathLike[str], *, title: str | None = None
) -> Path:
    """Draw every run of a comparison of searches and write the picture.

    Each search has a lane: where its runs ended below the best known, the EM passes and the seconds
    they took, and the medians. Runs that missed the best known are hollow in all three.

    Parameters
    ----------
    comparison : Comparison
        What `emplus.search.compare.compare` gives.
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
    place, kind = picture_place(path)
    data = searches(comparison)
    from emplus.plotting import draw_page, draw_search

    with draw_page.house_style():
        figure = draw_page.new_figure(8.4, 1.9 + 0.5 * len(data.runs))
        axes = figure.subplots(1, 3, sharey=True, width_ratios=[1.5, 1.0, 1.0])
        draw_search.draw_searches(data, axes[0])
        draw_search.draw_costs(data, axes[1], "passes")
        draw_search.draw_costs(data, axes[2], "seconds")
        runs = max(part.n_runs for part in data.runs)
        default = f"Searches compared, {runs} run{'s' if runs != 1 else ''} each"
        draw_page.write_wrapped(figure, default if title is None else title, _words(data))
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def trace_words(data: Trace) -> str:
    """What stands under a trace."""
    starts = f"{data.n_runs} start{'s' if data.n_runs != 1 else ''}"
    if data.n_failed:
        starts += f", {data.n_failed} of them failed and are not drawn"
    if data.n_short:
        starts += f", {data.n_short} broken off early and not drawn"
    words = f"Objective: log-likelihood plus log prior. {starts}."
    accepted = sum(len(marks.passes) for marks in data.accepted)
    tried = accepted + len(data.rejected.passes)
    if not tried:
        return f"{words} Best start: {data.outcome}"
    aside = data.spent - (data.passes[-1] if len(data.passes) else 0.0)
    moves = f"{tried} move{'s' if tried != 1 else ''} tried, {accepted} accepted"
    return (
        f"{words} {moves}; the objective may fall where one begins. {aside:,.0f} passes of the "
        f"search lie outside this path. {data.outcome}"
    )


def _words(data: Searches) -> list[str]:
    words = (
        "A point is a run, hollow if it ended below the shaded part, a bar the median. Shaded: "
        f"within {data.near:g} nats a row of the best log-likelihood known, {data.best:.6f} a row."
    )
    failed = sum(runs.n_failed for runs in data.runs)
    if failed:
        words += f" {failed} run{'s' if failed != 1 else ''} failed and are not drawn."
    if data.interrupted:
        words += " The comparison was interrupted."
    from emplus.plotting.draw_page import plain

    return [words, plain(data.note, 200)]
