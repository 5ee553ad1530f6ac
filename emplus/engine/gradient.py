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
    as an M step (Fisher's identity, equation :eq:`fisher`). The run ends where neither the step
    nor, by the gradient, a step of EM would gain more than the tolerance: a gradient step may be
    small anywhere.
    """

    length: float = 1.0

    def climb(self, ascent: Ascent) -> None:
        """Line searches along gradients; one step of EM where none of them leads up."""
        here, length, going = _Place(ascent), self.length, True
        if isinstance(known := ascent.memory, _Climbed):
            here.move(known.vector, ascent.state)
            length = known.length
        while going:
            found, telling = self._line(here, length), True
            if found is None:
                here.plain()
            else:
                vector, state, taken, whole = found
                here.move(vector, state)
                length, telling = 2.0 * taken if whole else taken, here.settled()
            ascent.memory = _Climbed(here.vector, length)
            going = ascent.reach(here.state, telling=telling)

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


@dataclass(frozen=True)
class _Climbed:
    """Where gradient ascent stands, and the length of the step that is tried next."""

    vector: Array
    length: float


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
        options: dict[str, Any] = {
            "maxcor": self.memory,
            "maxiter": np.iinfo(np.int32).max,
            "maxfun": np.iinfo(np.int32).max,
            "ftol": 0.0,
            "gtol": 0.0,
        }
        downhill = _Downhill(ascent)
        try:
            minimize(
                downhill,
                downhill.start,
                jac=True,
                method="L-BFGS-B",
                callback=downhill.reached,
                options=options,
            )
        except _EnoughError:
            return
        EM().climb(ascent)


@dataclass(frozen=True)
class _Asked:
    """What SciPy has asked for and been told since it began, with the points it went on from.

    Nothing else of it can be kept; told the same again, it comes to the same place.
    """

    start: Array
    vector: Array
    told: tuple[tuple[float, Array], ...]
    reached: int
    worst: float


class _Downhill:
    """Minus the objective a row and its gradient, as SciPy asks for them."""

    def __init__(self, ascent: Ascent):
        self._ascent, self._place = ascent, _Place(ascent)
        known = ascent.memory if isinstance(ascent.memory, _Asked) else None
        if known is not None:
            self._place.move(known.vector, ascent.state)
        self.start = self._place.vector if known is None else known.start
        self._told = [] if known is None else list(known.told)
        # What was asked for and reached before a run was broken off is asked for again.
        self._again = [] if known is None else list(reversed(known.told))
        self._reached, self._passed = (0, 0) if known is None else (known.reached, 0)
        worst = -ascent.state.objective / self._place.weight
        self._worst = worst if known is None else known.worst
        self._seen = {self._place.vector.tobytes(): ascent.state}

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """The value at a vector (p,) and the gradient (p,)."""
        if self._again:
            return self._again.pop()
        self._told.append(self._evaluated(vector))
        return self._told[-1]

    def _evaluated(self, vector: Array) -> tuple[float, Array]:
        here = self._place
        if (state := self._seen.get(vector.tobytes())) is None:
            state = here.evaluated(vector)
        if state is None:
            # A wall: the line search comes back from it.
            return self._worst + 10.0 * (1.0 + abs(self._worst)), np.zeros_like(vector)
        self._seen[vector.tobytes()] = state
        self._worst = max(self._worst, -state.objective / here.weight)
        gradient = here.coordinates.gradient(vector, state)
        return -state.objective / here.weight, -gradient / here.weight

    def reached(self, vector: Array) -> None:
        """Go on from a vector that was asked for."""
        self._passed += 1
        if self._passed <= self._reached:
            return
        self._reached = self._passed
        state = self._seen[vector.tobytes()]
        self._seen = {vector.tobytes(): state}
        here = self._place
        here.move(vector.copy(), state)
        self._ascent.memory = _Asked(
            self.start, here.vector, tuple(self._told), self._reached, self._worst
        )
        if not self._ascent.reach(state, telling=here.settled()):
            raise _EnoughError


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
