"""How far to go along a line: what a step must keep of its promise, and what to try next."""

from __future__ import annotations

import numpy as np

__all__ = ["KEPT", "shortened"]

# Part of the gain that a step promises, by the gradient, which it must keep (Armijo).
KEPT = 1e-4


def shortened(promised: float, gain: float) -> float:
    """The part of a step, from a tenth to a half, to try after it gained too little.

    Where the parabola through value, slope and gain is highest (Nocedal & Wright 2006, equation
    3.58); a tenth where there was no gain to speak of, as beyond an overflow.

    Examples
    --------
    >>> round(shortened(promised=1.0, gain=-1.0), 3), shortened(promised=1.0, gain=-np.inf)
    (0.25, 0.1)
    """
    bend = 2.0 * (promised - gain)
    return min(max(promised / bend, 0.1), 0.5) if np.isfinite(bend) and bend > 0 else 0.1
