"""Small tables in HTML, as notebooks show them: escaped, without scripts, on any background."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from html import escape

__all__ = ["box", "facts", "number", "table"]

# Nothing but what reads well on white and on black.
_LINE = "1px solid rgba(128, 128, 128, 0.45)"
_CELL = "padding: 0.15em 0.7em; text-align: right; border: none"
_NAME = "padding: 0.15em 0.7em; text-align: left; border: none; font-weight: normal; opacity: 0.75"
_MARKED = "background: rgba(46, 160, 67, 0.2)"

# Rows at either end of a long table.
_SHOWN = 12


def number(value: float, digits: int = 6) -> str:
    """A number of so many digits, or a dash where it is none.

    Examples
    --------
    >>> number(1234.5678), number(float("nan")), number(float("-inf"))
    ('1234.57', '–', '−inf')
    """
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}g}".replace("-", "−") if math.isinf(value) else f"{value:.{digits}g}"


def box(title: str, *parts: str) -> str:
    """Tables under a title."""
    head = f'<div style="font-weight: bold; padding: 0.3em 0.7em">{escape(title)}</div>'
    style = f"display: inline-block; border: {_LINE}; border-radius: 4px; padding: 0.3em"
    return f'<div class="emplus" style="{style}">{head}{"".join(parts)}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and what they are, line by line."""
    lines = "".join(
        f'<tr><th scope="row" style="{_NAME}">{escape(name)}</th>'
        f'<td style="{_CELL}; text-align: left">{escape(value)}</td></tr>'
        for name, value in pairs
    )
    return f'<table style="border-collapse: collapse">{lines}</table>'


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], marked: Collection[int] = (), end: str = ""
) -> str:
    """A table; rows in the middle of a long one are counted, not shown.

    Parameters
    ----------
    heads : sequence of str
    rows : sequence of sequence of str
    marked : collection of int
        Places of rows that stand out.
    end : str
        A line below.

    Examples
    --------
    >>> text = table(["n"], [[str(n)] for n in range(1000)])
    >>> text.count("<tr"), "976 more" in text
    (26, True)
    """
    head = "".join(
        f'<th scope="col" style="{_CELL}; border-bottom: {_LINE}">{escape(name)}</th>'
        for name in heads
    )
    lines = []
    for place, row in enumerate(rows):
        if _SHOWN <= place < len(rows) - _SHOWN and len(rows) > 2 * _SHOWN + 1:
            if place == _SHOWN:
                left = len(rows) - 2 * _SHOWN
                lines.append(
                    f'<tr><td colspan="{len(heads)}" style="{_CELL}; text-align: center; '
                    f'opacity: 0.75">… {left:,} more …</td></tr>'
                )
            continue
        style = f' style="{_MARKED}"' if place in marked else ""
        cells = "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in row)
        lines.append(f"<tr{style}>{cells}</tr>")
    below = f'<div style="padding: 0.15em 0.7em; opacity: 0.75">{escape(end)}</div>' if end else ""
    return (
        f'<table style="border-collapse: collapse"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>{below}"
    )
