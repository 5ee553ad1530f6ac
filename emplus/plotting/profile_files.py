"""Pictures of components column by column, as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from emplus.plotting.heat import heat_of_means, heat_of_probabilities
from emplus.plotting.places import picture_place
from emplus.plotting.profiles import Profile, mixture_of, profile
from emplus.plotting.words import describe

__all__ = ["plot_profiles"]

# More components, or columns of a kind, than lines and bars can show.
_MOST_COMPONENTS, _MOST_COLUMNS = 8, 40


class _Block(NamedTuple):
    """A part of the picture: inches that it wants, and what draws it."""

    width: float
    height: Callable[[float], float]  # on a page so wide
    draw: Callable[[Any, float], None]


def plot_profiles(
    estimator: Any,
    path: str | PathLike[str],
    *,
    feature_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Draw what each component expects of each column.

    Columns of numbers are means and standard deviations, in standard deviations of the whole;
    columns of two values the probability of the second, a line a component; others stacked bars of
    the probabilities of their values. Many columns or components are drawn as heat maps. The same
    input gives the same bits.

    Parameters
    ----------
    estimator : fitted estimator or Mixture
        Anything with a ``mixture_``, or the mixture itself.
    path : path-like
        The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
    feature_names : sequence of str, optional
        Names of all columns; by default the estimator's.
    title : str, optional

    Returns
    -------
    path : pathlib.Path
        Where the picture is.

    Raises
    ------
    ArgumentError
        If the extension is another one, the estimator is not fitted or the names are too few.
    OSError
        If the file cannot be written.
    """
    place, kind = picture_place(path)
    mixture = mixture_of(estimator)
    data = profile(estimator, feature_names)
    from emplus.plotting import draw_page

    with draw_page.house_style():
        blocks, caption = _blocks(data)
        width = min(max(block.width for block in blocks), 12.0)
        heights = [block.height(width) for block in blocks]
        figure = draw_page.new_figure(width, sum(heights) + 0.7)
        parts = figure.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False)
        for block, (part,) in zip(blocks, parts, strict=True):
            block.draw(part, width)
        words = describe(mixture) if title is None else title
        draw_page.write_wrapped(figure, words, caption)
        picture = draw_page.render(figure, kind)
    place.write_bytes(picture)
    return place


def _blocks(data: Profile) -> tuple[list[_Block], list[str]]:
    """The parts of the picture from the top, and the lines below it."""
    blocks: list[_Block] = []
    caption: list[str] = []
    crowded = len(data.weights) > _MOST_COMPONENTS
    if data.numbers.names:
        many = crowded or len(data.numbers.names) > _MOST_COLUMNS
        add = _heat_of_means if many else _means
        add(data, blocks, caption)
    if data.categories:
        many = crowded or len(data.categories) > _MOST_COLUMNS
        add = _heat_of_probabilities if many else _lines_and_bars
        add(data, blocks, caption)
    return blocks, caption


def _means(data: Profile, blocks: list[_Block], caption: list[str]) -> None:
    from emplus.plotting import draw_profiles

    def draw(part: Any, width: float) -> None:
        draw_profiles.draw_means(data.numbers, data.weights, part.subplots())

    names = data.numbers.names
    blocks.append(_Block(_width_of_lines(names), partial(_height_of_lines, names, 2.2), draw))
    caption.append("Numbers: 0 is the mean of all rows, 1 their standard deviation.")


def _lines_and_bars(data: Profile, blocks: list[_Block], caption: list[str]) -> None:
    from emplus.plotting import draw_profiles

    binary = [one for one in data.categories if one.binary]
    others = [one for one in data.categories if not one.binary]
    if binary:
        # The means above have the same key.
        first = not (data.numbers.names and len(data.numbers.names) <= _MOST_COLUMNS)

        def lines(part: Any, width: float) -> None:
            ax = part.subplots()
            draw_profiles.draw_probabilities(binary, data.weights, ax, legend=first)

        names = draw_profiles.names_of(binary)
        height = partial(_height_of_lines, names, 2.4)
        blocks.append(_Block(_width_of_lines(names), height, lines))
        caption.append("Lines: the probability of the value that is named, or of a 1.")
    if others:
        across = min(len(others), draw_profiles.BARS_ACROSS)

        def bars(part: Any, width: float) -> None:
            draw_profiles.draw_bars(others, data.weights, part, width)

        height = partial(draw_profiles.bars_height, others, len(data.weights))
        blocks.append(_Block(max(2.5 * across, 5.0), height, bars))
        caption.append("Bars: the probabilities of a column's values under each component.")


def _width_of_lines(names: Sequence[str]) -> float:
    return min(max(1.6 + 0.34 * len(names), 6.0), 12.0)


def _height_of_lines(names: Sequence[str], inside: float, width: float) -> float:
    words = 0.072 * max(map(len, names))
    level = words < 0.85 * width / len(names)
    return inside + 0.45 + (0.2 if level else 0.9 * words)


def _heat_of_means(data: Profile, blocks: list[_Block], caption: list[str]) -> None:
    _add_heat(heat_of_means(data), "s.d. from\nthe mean", len(data.weights), blocks, caption)


def _heat_of_probabilities(data: Profile, blocks: list[_Block], caption: list[str]) -> None:
    _add_heat(heat_of_probabilities(data), "probability", len(data.weights), blocks, caption)


def _add_heat(shades: Any, words: str, k: int, blocks: list[_Block], caption: list[str]) -> None:
    from emplus.plotting import draw_heat

    def draw(part: Any, width: float) -> None:
        draw_heat.draw_heat(shades, part.subplots(), words)

    own, height = draw_heat.size_of(shades)
    blocks.append(_Block(own, lambda width: height, draw))
    if len(shades.columns) < shades.n_columns:
        caption.append(
            f"{words.capitalize()}: {len(shades.columns)} of {shades.n_columns} values, those that "
            "set the components farthest apart.".replace("\n", " ")
        )
    if len(shades.components) < k:
        caption.append(f"Shown are the {len(shades.components)} heaviest of {k} components.")
