"""A picture's next frame, sent to the browser as one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, Div

__all__ = ["Wire", "box"]

# What is written into a source here is known to the server already, so it is not sent back.
_TAKE = """
const parts = carrier.data instanceof Map ? carrier.data : Object.entries(carrier.data);
for (const [name, [part]] of parts) {
  const target = targets[name] ?? targets.get(name);
  if (typeof part == 'string') {
    const view = Bokeh.index.find_one(target);
    if (view != null) view.shadow_el.querySelector('.told').innerHTML = part;
    continue;
  }
  const data = part instanceof Map ? Object.fromEntries(part) : {...part};
  for (const axis of ['x', 'y']) {
    const lines = data[axis];
    if (lines == null || lines.dimension != 2) continue;
    const [count, length] = lines.shape;
    const start = lines.byteOffset, size = lines.BYTES_PER_ELEMENT * length;
    const line = (_, i) => new Float64Array(lines.buffer, start + i * size, length);
    data[axis] = Array.from({length: count}, line);
  }
  target.setv({data}, {sync: false});
}
"""

Part = str | Mapping[str, Any]


@final
class Wire:
    """Sends new contents of several sources and boxes in one message.

    A change of a source is a message of its own, and each of them costs the server a walk through
    all models of the page; a change of the text of a `Div` lays the whole page out anew. Neither
    can be done twenty times a second.

    Parameters
    ----------
    owner : Model
        A part of the page; it carries the wire.
    targets : dict
        Sources and boxes by name.
    """

    def __init__(self, owner: Any, targets: Mapping[str, Any]):
        self._owner, self._targets = owner, dict(targets)
        self._said: dict[str, str] = {}
        self._carrier = ColumnDataSource(data={})
        take = CustomJS(args={"carrier": self._carrier, "targets": self._targets}, code=_TAKE)
        self._carrier.js_on_change("data", take)
        owner.tags = [*owner.tags, self._carrier]

    def send(self, parts: Mapping[str, Part]) -> None:
        """Show these parts.

        Parameters
        ----------
        parts : dict
            By the target's name: HTML for a box, or the columns of a source. Lines are rows of an
            array under ``x`` and ``y``.
        """
        fresh = {
            name: part
            for name, part in parts.items()
            if not isinstance(part, str) or self._said.get(name) != part
        }
        self._said |= {name: part for name, part in fresh.items() if isinstance(part, str)}
        if self._owner.document is None:  # the page has not been sent yet, and takes them with it
            for name, part in fresh.items():
                _fill(self._targets[name], part)
        elif fresh:
            self._carrier.data = {name: [part] for name, part in fresh.items()}


def box(name: str, height: int) -> Any:
    """A box of a fixed height in pixels that a `Wire` can write into."""
    made: Any = Div(name=name, sizing_mode="stretch_width", height=height)
    _fill(made, "")
    return made


def _fill(target: Any, part: Part) -> None:
    if isinstance(part, str):
        target.text = f"<div class='told'>{part}</div>"
    else:
        target.data = {name: _column(column) for name, column in part.items()}


def _column(column: Any) -> Any:
    lines = isinstance(column, np.ndarray) and column.ndim == 2 and column.dtype == np.float64
    return list(column) if lines else column
