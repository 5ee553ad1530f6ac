"""Animations of fits as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from emplus.errors import ArgumentError
from emplus.plotting.animating import Step, frames
from emplus.plotting.words import describe

__all__ = ["plot_animation"]

_FASTEST = 50.0  # frames a second that viewers of GIFs show


def plot_animation(
    path: Sequence[Step],
    X: Any,
    place: str | PathLike[str],
    *,
    feature_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
    at_most: int = 60,
    fps: float = 8.0,
    watch: Callable[[int, int], None] | None = None,
) -> Path:
    """Show how a mixture of two columns came to be, and write it as a GIF.

    Points are coloured by their responsibilities under covariance ellipses that move; the
    log-likelihood grows below. The same input gives the same bits.

    Parameters
    ----------
    path : sequence of Step
        What `Recorder.path` gives.
    X : array_like (n, 2)
        Rows with a missing or infinite entry are not drawn, nor are more than 2000.
    place : path-like
        Where to write; it ends in ``.gif``.
    feature_names : two str, optional
        By default those of the data frame.
    sample_weight : array_like (n,), optional
        Rows of weight 0 are not drawn; the area of a point follows its weight.
    title : str, optional
    at_most : int, default=60
        Frames; where there are more steps, those that gain more are shown more closely.
    fps : float, default=8
        Frames a second, at most 50.
    watch : callable, optional
        Told before each frame how many of how many are drawn.

    Returns
    -------
    place : pathlib.Path
        Where the animation is.

    Raises
    ------
    ArgumentError
        If the extension is another one, a number is out of range, or the components are not
        Gaussian in two columns.
    DataError
        If `X` or `sample_weight` does not fit the mixture.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from emplus import GaussianMixture, datasets
    >>> from emplus.plotting import Recorder
    >>> data, recorder = datasets.load("faithful"), Recorder()
    >>> model = GaussianMixture(2, search="em", accelerate=None, observers=[recorder], max_iter=3)
    >>> import warnings
    >>> with warnings.catch_warnings(), TemporaryDirectory() as folder:
    ...     warnings.simplefilter("ignore")  # that three iterations are few
    ...     steps = recorder.path(model.fit(data.X).result_)
    ...     file = plot_animation(steps, data.X, f"{folder}/faithful.gif")
    ...     file.read_bytes()[:6]
    b'GIF89a'
    """
    target = Path(place)
    if target.suffix.lower() != ".gif":
        raise ArgumentError(f"An animation is a GIF; {str(target)!r} must end in .gif.")
    if not 2 <= at_most <= 1000:
        raise ArgumentError(f"An animation has 2 to 1000 frames, not {at_most}.")
    if not 0.1 <= fps <= _FASTEST:
        raise ArgumentError(f"An animation shows 0.1 to {_FASTEST:g} frames a second, not {fps}.")
    data = frames(path, X, sample_weight=sample_weight, at_most=at_most)
    names = _names(X, feature_names)
    from emplus.plotting import draw_animation, draw_page

    with draw_page.house_style():
        images = draw_animation.images_of(
            data,
            names=[draw_page.plain(name) for name in names],
            title=describe(path[-1].mixture) if title is None else title,
            caption=_caption(data.n_rows, data.n_given, len(data.scatters[0].points)),
            watch=watch,
        )
        movie = draw_animation.encode_gif(images, fps)
    target.write_bytes(movie)
    return target


def _names(X: Any, feature_names: Sequence[str] | None) -> Sequence[str]:
    named = getattr(X, "columns", None) if feature_names is None else feature_names
    if named is None:
        return ["column 0", "column 1"]
    if len(named) != 2:
        raise ArgumentError(f"feature_names has {len(named)} names; an animation has 2 columns.")
    return [str(name) for name in named]


def _caption(n_rows: int, n_given: int, n_shown: int) -> list[str]:
    words = f"{n_rows:,} row{'s' if n_rows != 1 else ''}"
    if n_shown < n_rows:
        words = f"{n_shown:,} of {words} drawn, evenly thinned"
    if n_given > n_rows:
        words += f" ({n_given - n_rows:,} of weight 0, missing or not finite left out)"
    return [f"{words}. Ellipses: 1 and 2 standard deviations."]
