"""Pictures of components whose rows are images, as files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from emplus.plotting.images import ImageGrid, image_grid
from emplus.plotting.places import picture_place
from emplus.plotting.profiles import mixture_of
from emplus.plotting.words import describe

__all__ = ["plot_images"]


def plot_images(
    estimator: Any,
    path: str | PathLike[str],
    *,
    image_shape: tuple[int, int],
    title: str | None = None,
) -> Path:
    """Draw the means of a mixture's components, and their factors, as images.

    Of pixels that are 0 or 1 it is the probability of a 1. The heaviest component stands first. One
    line a component: its number and weight, its mean, and, where the family has them, its
    factors with the longest first. The colours of a factor say what each pixel changes by when the
    factor rises by one standard deviation. The same input gives the same bits.

    Parameters
    ----------
    estimator : fitted estimator or Mixture
        Anything with a ``mixture_``, or the mixture itself.
    path : path-like
        The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
    image_shape : (int, int)
        Height and width of the images that the rows are, line by line from the top left.
    title : str, optional

    Returns
    -------
    path : pathlib.Path
        Where the picture is.

    Raises
    ------
    ArgumentError
        If the extension is another one, the estimator is not fitted, or the images have more or
        fewer pixels than the mixture has columns.
    OSError
        If the file cannot be written.
    """
    place, kind = picture_place(path)
    mixture = mixture_of(estimator)
    data = image_grid(mixture, image_shape)
    from emplus.plotting import draw_images, draw_page

    with draw_page.house_style():
        width, height = draw_images.size_of(data)
        figure = draw_page.new_figure(max(width + 0.3, 5.0), height + 1.4)
        draw_images.draw_image_grid(data, figure)
        draw_page.write_wrapped(figure, describe(mixture) if title is None else title, _words(data))
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def _words(data: ImageGrid) -> list[str]:
    what = "picture" if data.binary else "mean"
    words = f"Left of each {what}: the component's number and weight; the heaviest first."
    if data.n_factors:
        words += " Factors: the longest first; the sign of each is a convention."
    shown, factors = len(data.components), data.factors.shape[1]
    if shown < data.n_components:
        words += f" Shown are the {shown} heaviest of {data.n_components} components."
    if factors < data.n_factors:
        words += f" Shown are the first {factors} of {data.n_factors} factors."
    return [words]
