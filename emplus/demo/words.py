"""What a search tries, in words for a line under a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emplus.search.record import Candidate
    from emplus.search.walk import Move

__all__ = ["gains", "listed", "tried"]


def tried(move: Move | Candidate) -> str:
    """What a move changes.

    Examples
    --------
    >>> from emplus.search.walk import Move
    >>> tried(Move("split_merge", ((0, 2, 1),), None))
    'merge 2 into 0, split 1'
    >>> tried(Move("reset", ((3,),), None))
    'reset 3'
    """
    if not move.components:
        return {"settle": "climb on to the tolerance", "anneal": "lower the temperature"}.get(
            move.kind, move.kind
        )
    return "; ".join(_one(move.kind, parts) for parts in move.components)


def _one(kind: str, parts: tuple[int, ...]) -> str:
    if kind == "split_merge" and len(parts) == 3:
        return f"merge {parts[1]} into {parts[0]}, split {parts[2]}"
    if kind == "swap" and len(parts) == 2:
        return f"take {parts[0]} away, put it at a row of {parts[1]}"
    verb = {"recut": "cut anew", "reseed": "start anew", "anneal": "anneal"}.get(kind, kind)
    return f"{verb} {listed(parts)}"


def listed(parts: tuple[int, ...]) -> str:
    """Numbers in a row.

    Examples
    --------
    >>> listed((1, 2, 5))
    '1, 2 and 5'
    """
    words = [str(part) for part in parts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def gains(predicted: float, real: float | None = None) -> str:
    """The gain foreseen and, once it is known, the real one; nats.

    Examples
    --------
    >>> gains(12.34), gains(12.34, 11.0)
    ('predicted +12.3', 'predicted +12.3, real +11.0')
    >>> gains(math.nan, -3.0)
    'real -3.0'
    """
    said = [] if math.isnan(predicted) else [f"predicted {_signed(predicted)}"]
    if real is not None:
        said.append(f"real {_signed(real)}")
    return ", ".join(said)


def _signed(value: float) -> str:
    if math.isinf(value):
        return "none: a component collapsed" if value < 0 else "+∞"
    return f"{value:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")
