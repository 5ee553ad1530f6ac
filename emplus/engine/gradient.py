"""Gradient step rules: ways up the same hill without an M step, in coordinates without constraints.

E = -log L of the literature on neural networks is minus the objective here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.engine.ascent import Ascent
from emplus.engine.coordinates import MixtureCoordinates
from emplus.engine.line import KEPT, shortened
from emplus.engine.problem import State
from emplus.engine.rules import EM
from emplus.families.base import SingularComponentError

__all__ = ["LBFGS", "GradientAscent"]

Array = NDArray[np.floating]

# Steps tried along one gradient.
_TRIES = 30


@final
@dataclass(frozen=True)
class GradientAscent:
    """Steps along the gradient of the objective a row, each as long as the last one allows.

    A step that does not keep a part of what the gradient promises is cut down by a parabola
    (Armijo's rule with backtracking; Nocedal & Wright 2006, algorithm 3.1); after one that was
    taken whole, the next is tried twice as long.

    Parameters
    ----------
    length : float
        The first step, in units of the gradient of the objective a row.

    Notes
    -----
    An iteration costs a pass for every step tried, and O(p). The gradient comes from the same sums
    as an M step (Fisher's identity). The run ends where neither the step nor, by the gradient,
    a step of EM would gain more than the tolerance: a gradient step may be small anywhere.
    """

    length: float = 1.0

    def climb(self, ascent: Ascent) -> None:
        """Line searches along gradients; one step of EM where none of them leads up."""
        here, length, going = _Place(ascent), self.length, True
        while going:
            found = self._line(here, length)
            if found is None:
                here.plain()
                going = ascent.reach(here.state)
                continue
            vector, state, taken, whole = found
            here.move(vector, state)
            going = ascent.reach(state, telling=here.settled())
            length = 2.0 * taken if whole else taken

    def _line(self, here: _Place, length: float) -> tuple[Array, State, float, bool] | None:
        gradient = here.gradient / here.weight
        slope = float(here.gradient @ gradient)
        for tries in range(_TRIES):
            vector = here.vector + length * gradient
            state = here.evaluated(vector)
            gain = -np.inf if state is None else state.objective - here.state.objective
            if state is not None and gain >= KEPT * length * slope - here.state.rounding:
                return vector, state, length, tries == 0
            length *= shortened(length * slope, gain)
        return None


@final
@dataclass(frozen=True)
class LBFGS:
    """SciPy's limited-memory BFGS (Byrd, Lu, Nocedal & Zhu 1995) on the objective a row.

    Parameters
    ----------
    memory : int
        Pairs of steps and gradients that it keeps.

    Notes
    -----
    An iteration is a pass, or a few where its line search needs them. It ends as `GradientAscent`
    does; where SciPy gives up before, EM goes on.
    """

    memory: int = 10

    def climb(self, ascent: Ascent) -> None:
        """Until the run is to end."""
        from scipy import optimize

        minimize: Any = optimize.minimize
        here = _Place(ascent)
        seen: dict[bytes, State] = {here.vector.tobytes(): here.state}
        worst = -here.state.objective / here.weight

        def downhill(vector: Array) -> tuple[float, Array]:
            nonlocal worst
            if (state := seen.get(vector.tobytes())) is None:
                state = here.evaluated(vector)
            if state is None:
                # A wall: the line search comes back from it.
                return worst + 10.0 * (1.0 + abs(worst)), np.zeros_like(vector)
            seen[vector.tobytes()] = state
            worst = max(worst, -state.objective / here.weight)
            gradient = here.coordinates.gradient(vector, state)
            return -state.objective / here.weight, -gradient / here.weight

        def reached(vector: Array) -> None:
            state = seen[vector.tobytes()]
            seen.clear()
            seen[vector.tobytes()] = state
            here.move(vector.copy(), state)
            if not ascent.reach(state, telling=here.settled()):
                raise _EnoughError

        options: dict[str, Any] = {
            "maxcor": self.memory,
            "maxiter": np.iinfo(np.int32).max,
            "maxfun": np.iinfo(np.int32).max,
            "ftol": 0.0,
            "gtol": 0.0,
        }
        try:
            minimize(
                downhill,
                here.vector,
                jac=True,
                method="L-BFGS-B",
                callback=reached,
                options=options,
            )
        except _EnoughError:
            return
        EM().climb(ascent)


class _EnoughError(Exception):
    """The run is to end: the way out of SciPy's loop."""


class _Place:
    """Where a gradient method stands: vector, state, gradient."""

    def __init__(self, ascent: Ascent):
        self._ascent = ascent
        self.coordinates = MixtureCoordinates(ascent.problem, ascent.state.mixture)
        self.weight = ascent.problem.source.total_weight
        self.move(self.coordinates.free(ascent.state.mixture), ascent.state)

    def move(self, vector: Array, state: State) -> None:
        """Go on from there."""
        self.vector, self.state = vector, state
        self.gradient = self.coordinates.gradient(vector, state)

    def evaluated(self, vector: Array) -> State | None:
        """The state of a vector, after a pass; None where numbers overflow."""
        return self._ascent.tried(self.coordinates.bind, vector)

    def plain(self) -> None:
        """Take a step of EM."""
        mixture = self._ascent.maximize()
        self.move(self.coordinates.free(mixture, self.vector), self._ascent.evaluate(mixture))

    def settled(self) -> bool:
        """Whether EM would gain no more than the tolerance from here, as the gradient tells."""
        try:
            mixture = self._ascent.problem.maximize(self.state.statistics)
        except SingularComponentError:
            return False
        step = self.coordinates.free(mixture, self.vector) - self.vector
        return 0.5 * float(self.gradient @ step) <= self._ascent.least
