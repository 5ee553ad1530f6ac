"""Text in columns, for people."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MOST_COMPONENTS",
    "clean",
    "columns",
    "component_table",
    "facts",
    "plain",
    "shortened",
]

MOST_COMPONENTS = 30
_LONGEST_NAME = 24
_GAP = "  "


def clean(text: str) -> str:
    """A name as it may be printed: nothing in a file shall steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(value: Any) -> Any:
    """Numbers and arrays as JSON has them; what is not finite becomes null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | None) else repr(value)


def facts(lines: Sequence[tuple[str, str]]) -> str:
    """Names and values below one another.

    Examples
    --------
    >>> print(facts([("rows", "272"), ("outcome", "converged")]))
    rows            272
    outcome         converged
    """
    return "\n".join(f"{name:<16}{value}" for name, value in lines)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in columns: the first to the left, the others to the right.

    Examples
    --------
    >>> print(columns([("search", "best"), ("em", "-4.2")]))
    search  best
    em      -4.2
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append(_GAP.join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def component_table(
    names: Sequence[str],
    weights: NDArray[np.floating],
    means: NDArray[np.floating],
    deviations: NDArray[np.floating],
) -> str:
    """One row a component: weight, and mean ± standard deviation by column.

    Parameters
    ----------
    names : sequence of str, length d
    weights : (k,) ndarray
    means, deviations : (k, d) ndarray

    Returns
    -------
    str
        As many columns as the terminal has room for, and the heaviest components; notes say
        what was left out.
    """
    k, d = means.shape
    shown = np.sort(np.argsort(-weights, kind="stable")[:MOST_COMPONENTS])
    columns = [
        ["component", *(str(j) for j in shown)],
        ["weight", *(f"{weights[j]:.4f}" for j in shown)],
    ]
    room = max(shutil.get_terminal_size((100, 24)).columns, 60)
    used = sum(max(map(len, column)) + len(_GAP) for column in columns)
    n_shown = 0
    for name, mu, sd in zip(names, means[shown].T, deviations[shown].T, strict=True):
        column = [shortened(name), *_cells(mu, sd)]
        used += max(map(len, column)) + len(_GAP)
        if used > room and n_shown:
            break
        columns.append(column)
        n_shown += 1
    widths = [max(map(len, column)) for column in columns]
    lines = [
        _GAP.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*columns, strict=True)
    ]
    return "\n".join([*lines, *_notes(k, len(shown), d, n_shown)])


def _notes(k: int, k_shown: int, d: int, d_shown: int) -> list[str]:
    notes = ["(mean ± standard deviation)"]
    if k_shown < k:
        notes.append(f"(the {k_shown} heaviest of {k} components)")
    if d_shown < d:
        notes.append(f"(the first {d_shown} of {d} columns)")
    if k_shown < k or d_shown < d:
        notes.append("(all of it: --json, or emplus info MODEL --json)")
    return notes


def shortened(name: str) -> str:
    """A column's name as tables have it."""
    name = clean(name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."


def _cells(means: NDArray[np.floating], deviations: NDArray[np.floating]) -> list[str]:
    """Means and deviations of a column, all with the same decimals."""
    positive = deviations[(deviations > 0) & np.isfinite(deviations)]
    largest = float(np.abs(means).max(initial=0.0))
    decimals = 3
    if len(positive):
        # Three digits of the smallest deviation, unless one collapsed component would
        # make all the others long.
        narrow, wide = _decimals(float(positive.min())), _decimals(float(positive.max()))
        decimals = max(0, min(narrow, wide + 2))
        largest = max(largest, float(positive.max()))
    spec = f"z.{decimals}f" if decimals <= 6 and largest < 1e7 else ".4g"
    left = [format(float(value), spec) for value in means]
    right = [format(float(value), spec) for value in deviations]
    width = max(map(len, right))
    return [f"{a} ± {b.rjust(width)}" for a, b in zip(left, right, strict=True)]


def _decimals(deviation: float) -> int:
    return 2 - math.floor(math.log10(deviation))
