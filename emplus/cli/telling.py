"""Components in a report: means of numbers, and what tells components apart in other columns."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.cli.layout import MOST_COMPONENTS, clean, component_table, shortened
from emplus.plotting.profiles import Categories, Profile

__all__ = ["components_text"]

_LONGEST_VALUE = 16


def components_text(profile: Profile) -> str:
    """A line a component, as wide as the terminal has room for, and what the numbers are."""
    numbers, weights = profile.numbers, profile.weights
    parts = []
    if numbers.names:
        table = component_table(numbers.names, weights, numbers.means, numbers.deviations)
        parts.append(table)
    if profile.categories:
        parts.append(_telling_table(profile))
    return "\n\n".join(parts)


def _telling_table(profile: Profile) -> str:
    weights = profile.weights
    shown = np.sort(np.argsort(-weights, kind="stable")[:MOST_COMPONENTS])
    room = max(shutil.get_terminal_size((100, 24)).columns, 60)
    left = [f"{'component':>9}  {'weight':>6}  "]
    left += [f"{j:>9}  {weights[j]:.4f}  " for j in shown]
    right = ["most telling"]
    overall = [one.overall(weights) for one in profile.categories]
    for j in shown:
        right.append(_joined(_items(profile.categories, overall, int(j)), room - len(left[0])))
    lines = [(a + b).rstrip() for a, b in zip(left, right, strict=True)]
    return "\n".join([*lines, *_notes(len(weights), len(shown))])


def _notes(k: int, k_shown: int) -> list[str]:
    notes = ["(column=value: its probability in the component)"]
    if k > 1:
        notes = ["(column=value: its probability in the component, and in all of them)"]
    if k_shown < k:
        notes.append(f"(the {k_shown} heaviest of {k} components)")
    return [*notes, "(all of it: --json, or emplus info MODEL --json)"]


def _items(
    categories: Sequence[Categories], overall: Sequence[NDArray[np.float64]], j: int
) -> list[str]:
    """Columns and values, the most telling first."""
    found = []
    for one, common in zip(categories, overall, strict=True):
        away = one.probabilities[j] - common
        # What a component has more of says the same of two values, and says it plainly.
        value = int(np.argmax(away if one.binary else np.abs(away)))
        if len(one.probabilities) == 1:
            value = int(np.argmax(common))
        telling = float(np.abs(away[value]))
        text = (
            f"{shortened(one.name)}={_shown(one.levels[value])} {one.probabilities[j, value]:.2f}"
        )
        if len(one.probabilities) > 1:
            text += f" ({common[value]:.2f})"
        found.append((telling, text))
    # Sorting keeps the order of the table where columns tell as much.
    return [text for _, text in sorted(found, key=lambda item: -round(item[0], 12))]


def _joined(items: Sequence[str], room: int) -> str:
    line = items[0]
    for item in items[1:]:
        if len(line) + 2 + len(item) > room:
            break
        line += ", " + item
    return line


def _shown(value: Any) -> str:
    text = clean(f"{value:g}" if isinstance(value, float) else str(value))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
