"""The picture of a selection as a file."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from emplus.plotting.places import picture_place
from emplus.plotting.selecting import Curves, SelectionCell, curves

__all__ = ["plot_selection"]


def plot_selection(
    cells: Iterable[SelectionCell],
    path: str | PathLike[str],
    *,
    criterion: str = "bic",
    best: SelectionCell | None = None,
    title: str | None = None,
) -> Path:
    """Draw a criterion against the number of components, a line for each family.

    Where the best values are close together beside the others, they are drawn once more, larger.

    Parameters
    ----------
    cells : iterable of cells
        ``cells`` of an `emplus.Selection`, whose ``plot`` calls this.
    path : path-like
        The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
    criterion : {'aic', 'bic', 'icl', 'cv'}, default='bic'
    best : cell, optional
        The winner; the best by this criterion, if not given.
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
    data = curves(cells, criterion, best)
    from emplus.plotting import draw_page, draw_selection

    with draw_page.house_style():
        parts = 1 if data.enlarged is None else 2
        height = 4.0 + 0.2 * draw_selection.legend_rows(data)
        figure = draw_page.new_figure(4.6 + 3.4 * (parts - 1), height)
        axes = figure.subplots(1, parts, squeeze=False)[0]
        draw_selection.draw_criterion(data, axes[0])
        if parts == 2:
            draw_selection.draw_criterion(data, axes[1], enlarged=True, named=False)
            axes[1].set_ylabel("")
        default = "Choosing the number of components"
        draw_page.write_wrapped(figure, default if title is None else title, [_words(data)])
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def _words(data: Curves) -> str:
    from emplus.plotting.draw_page import plain

    words = []
    if data.best is not None:
        index, k, value = data.best
        family = plain(data.curves[index].family, 40)
        words.append(f"Ringed: the best, {family} with k = {k} ({value:.6g}).")
    if any(curve.errors.any() for curve in data.curves):
        words.append("Bars: one standard error over the folds.")
    if data.enlarged is not None:
        words.append("Right: the best values, larger.")
    if data.n_missing:
        words.append(f"Not drawn: {data.n_missing} without a value.")
    return " ".join(words)
