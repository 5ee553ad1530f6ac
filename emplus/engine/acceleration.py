"""Acceleration of EM: fewer passes where its steps have become small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from emplus.engine.ascent import Ascent
from emplus.engine.coordinates import MixtureCoordinates
from emplus.engine.line import KEPT, shortened
from emplus.engine.problem import State
from emplus.mixture import Mixture

__all__ = ["Accelerated", "Anderson", "Point", "QuasiNewton", "Scheme", "Squarem"]

Array = NDArray[np.floating]

# A gain tells how near the top is where it is at least this part of what was promised.
_TELLING = 0.1
# Passes that one proposal may take before EM's own step is taken instead.
_TRIES = 3
# How many of EM's steps squared extrapolation takes at once where they grow.
_WHERE_STEPS_GROW = 30.0
# Numbers that the points behind a step may hold together (128 MB).
_NUMBERS_KEPT = 1 << 24


@dataclass(frozen=True)
class Point:
    """A state on the way, in coordinates without constraints.

    Parameters
    ----------
    vector : (p,) ndarray
    step : (p,) ndarray
        Where EM would go from there, less ``vector``.
    gradient : (p,) ndarray
        Of the objective.
    plain : bool
        Whether EM's own step led there.
    """

    vector: Array
    step: Array
    gradient: Array
    plain: bool = True


class Scheme(Protocol):
    """How a step is extrapolated from the points before."""

    @property
    def memory(self) -> int:
        """Points that it looks back on, the present one included."""

    def step(self, points: Sequence[Point], length: float) -> Array | None:
        """The step (p,) to try from the last of some points; None for EM's own.

        ``length`` is 1 at first, and less where a step did not keep what it promised.
        """


@final
@dataclass(frozen=True)
class QuasiNewton:
    """Limited-memory BFGS in which EM's step takes the place of the gradient.

    EM's step is the gradient times the inverse of the complete data's information (equation
    :eq:`em-rate` of the theory page), a metric in which components and columns are all of one size;
    where the missing part of the information makes it slow, the pairs of earlier steps tell
    (Jamshidian & Jennrich 1997, QN2; the two-loop recursion is Nocedal's, 1980). The metric is
    never formed: its products with earlier gradients are the earlier steps themselves.

    Parameters
    ----------
    memory : int
        Points looked back on.
    """

    memory: int = 11

    def step(self, points: Sequence[Point], length: float) -> Array | None:
        """The two-loop recursion; O(memory p)."""
        here = points[-1]
        residual: Array = here.gradient
        direction: Array = here.step
        used: list[tuple[Array, Array, float, float]] = []
        for before, after in reversed(list(pairwise(points))):
            moved: Array = after.vector - before.vector
            turned: Array = before.gradient - after.gradient
            changed: Array = before.step - after.step
            curvature = float(moved @ turned)
            size = np.linalg.norm(moved) * np.linalg.norm(turned)
            if not (curvature > 1e-10 * size and turned @ changed > 0):
                continue
            share = float(moved @ residual) / curvature
            residual = residual - share * turned
            direction = direction - share * changed
            used.append((moved, turned, curvature, share))
        for moved, turned, curvature, share in reversed(used):
            direction = direction + (share - float(turned @ direction) / curvature) * moved
        return length * direction if used else None


@final
@dataclass(frozen=True)
class Anderson:
    """Anderson (1965) acceleration: the mixture of earlier EM steps that would have moved least.

    With the differences of points and of their EM steps as columns, it is what is left of the
    present step after a least-squares fit (Walker & Ni 2011). Lengths are measured in the complete
    data's information, of which products with EM steps are gradients; differences that tell next to
    nothing are left out (for EM: Henderson & Varadhan 2019, who have a ridge there).

    Parameters
    ----------
    memory : int
        Points looked back on.
    least : float
        Directions of less than this part of the largest squared length are left out.
    """

    memory: int = 11
    least: float = 1e-8

    def step(self, points: Sequence[Point], length: float) -> Array | None:
        """EM's step less its fit, and the points moved with it; O(memory^2 p)."""
        if len(points) < 2:
            return None
        here, pairs = points[-1], list(pairwise(points))
        moved = np.stack([after.vector - before.vector for before, after in pairs])
        changed = np.stack([after.step - before.step for before, after in pairs])
        turned = np.stack([after.gradient - before.gradient for before, after in pairs])
        products = changed @ turned.T
        squares, axes = np.linalg.eigh(0.5 * (products + products.T))
        telling = squares > self.least * max(float(squares[-1]), 0.0)
        if not telling.any():
            return None
        chosen = axes[:, telling]
        shares = (chosen / squares[telling]) @ (chosen.T @ (changed @ here.gradient))
        mixed: Array = length * (here.step - shares @ (moved + changed))
        return mixed


@final
@dataclass(frozen=True)
class Squarem:
    """Squared extrapolation (Varadhan & Roland 2008), scheme SqS1: every other iteration.

    Two EM steps r and r + v from a point x give x - 2 a r + a^2 v with a = <r, v> / <v, v>. The
    products are taken in the complete data's information, of which products with EM steps are
    gradients: in it EM's own map is symmetric, and on slow mixtures this takes half to a quarter
    of the passes that their preferred SqS3 (``a = -|r| / |v|``) takes in plain coordinates.
    """

    memory: int = 2

    def step(self, points: Sequence[Point], length: float) -> Array | None:
        """Their equation (9), from the middle of the two steps; a shorter one bends less."""
        if len(points) < 2 or not points[-1].plain:
            return None
        before, here = points[-2:]
        bend, turned = here.step - before.step, here.gradient - before.gradient
        size, along = float(bend @ turned), -float(before.step @ turned)
        # Where EM's steps grow, no bend says how far.
        far = along / size if size > 0 and along > 0 else _WHERE_STEPS_GROW
        # From a = -1 on, which is where two steps of EM lead.
        reach = 1.0 + length * max(far - 1.0, 0.0)
        target: Array = before.vector + 2.0 * reach * before.step + reach**2 * bend
        return target - here.vector


@final
@dataclass(frozen=True)
class Accelerated:
    """EM with longer steps where EM has become slow; each gains at least as much as it must.

    Plain EM goes first, until its gains are small but fall slowly. From then on the scheme proposes
    steps. One that promises less than EM's own, by the gradient, or that does not keep a part of
    what it promises (a shorter one along the same line is tried, found by a parabola), gives way to
    EM's own. So the objective never falls.

    Parameters
    ----------
    scheme : Scheme
    slow : float
        EM is slow where an iteration gains more than this part of what the one before it gained.
    small : float
        And no more than this, in nats a row: before, long steps may lead to another hill.

    Notes
    -----
    Beside its passes an iteration costs O(p) for each point that is remembered, and for covariance
    matrices O(k d^3). Where p is so large that no two points fit in 128 MB, it is plain EM.
    """

    scheme: Scheme = field(default_factory=QuasiNewton)
    slow: float = 0.8
    small: float = 3e-5

    def climb(self, ascent: Ascent) -> None:
        """Plain EM, then longer steps."""
        coordinates = MixtureCoordinates(ascent.problem, ascent.state.mixture)
        numbers = len(coordinates.free(ascent.state.mixture))
        memory = min(self.scheme.memory, _NUMBERS_KEPT // (3 * numbers))
        if not isinstance(ascent.memory, _Patience | _Stepping):
            ascent.memory = _Patience().after(ascent.state.objective, 0.0, 0.0)
        slow = self.slow if memory > 1 else np.inf
        small = self.small * ascent.problem.source.total_weight
        while isinstance(patience := ascent.memory, _Patience) and not patience.over:
            state = ascent.evaluate(ascent.maximize())
            ascent.memory = patience.after(state.objective, slow, small)
            if not ascent.reach(state):
                return
        _Steps(self.scheme, ascent, coordinates, memory).climb()


@dataclass(frozen=True)
class _Patience:
    """How fast EM's gains fall: the last two objectives, and how many gains in a row were slow."""

    before: float = -np.inf
    last: float = -np.inf
    times: int = 0

    def after(self, objective: float, slow: float, small: float) -> _Patience:
        """With one more objective."""
        gain = objective - self.last
        is_slow = small >= gain >= slow * (self.last - self.before)
        return _Patience(self.last, objective, self.times + 1 if is_slow else 0)

    @property
    def over(self) -> bool:
        """Whether two gains in a row have been slow."""
        return self.times >= 2


@dataclass(frozen=True)
class _Stepping:
    """What the second part of a run goes on from: points behind, where it stands, how it came."""

    points: tuple[Point, ...]
    vector: Array
    plain: bool
    stretch: float


class _Steps:
    """The second part of an accelerated run."""

    def __init__(
        self, scheme: Scheme, ascent: Ascent, coordinates: MixtureCoordinates, memory: int
    ):
        self._scheme, self._ascent, self._memory = scheme, ascent, memory
        self._coordinates = coordinates
        known = ascent.memory
        if not isinstance(known, _Stepping):
            known = _Stepping((), coordinates.free(ascent.state.mixture), True, 2.0)
        self._points, self._vector = list(known.points), known.vector
        self._plain, self._stretch = known.plain, known.stretch

    def climb(self) -> None:
        """Until the run is to end."""
        going = True
        while going:
            plain = self._ascent.maximize()
            state, telling = self._extrapolated(plain), True
            if state is None:
                self._plain, state = True, self._ascent.evaluate(plain)
                self._vector = self._coordinates.free(plain, self._vector)
            else:
                telling = self._full
            self._ascent.memory = _Stepping(
                tuple(self._points), self._vector, self._plain, self._stretch
            )
            going = self._ascent.reach(state, telling=telling)

    def _extrapolated(self, plain: Mixture) -> State | None:
        """The state that the scheme leads to; None where EM's own step is to be taken."""
        here = self._point(plain)
        self._points = [*self._points, here][-self._memory :]
        step = self._scheme.step(self._points, 1.0)
        if step is None:
            return None
        if not float(here.gradient @ step) >= float(here.gradient @ here.step) > 0:
            self._points = [here]
            return self._stretched(here)
        state = self._kept(self._coordinates.furthest(step))
        if state is None:
            self._points = []
        return state

    def _stretched(self, here: Point) -> State | None:
        """EM's own step, made longer for as long as that keeps half of what it promises."""
        length = self._stretch * self._coordinates.furthest(self._stretch * here.step)
        vector = self._vector + length * here.step
        state = self._ascent.tried(self._coordinates.bind, vector)
        gain = -np.inf if state is None else state.objective - self._ascent.state.objective
        if not gain >= 0.5 * length * float(here.gradient @ here.step):
            self._stretch = max(2.0, self._stretch / 4.0)
            return None
        self._vector, self._plain, self._full = vector, False, False
        self._stretch *= 2.0
        return state

    def _point(self, plain: Mixture) -> Point:
        step = self._coordinates.free(plain, self._vector) - self._vector
        gradient = self._coordinates.gradient(self._vector, self._ascent.state)
        return Point(self._vector, step, gradient, self._plain)

    def _kept(self, length: float) -> State | None:
        """The first state, by ever shorter steps, that keeps enough of what the step promises."""
        objective, rounding = self._ascent.state.objective, self._ascent.state.rounding
        whole = length == 1.0
        for _ in range(_TRIES):
            step = self._scheme.step(self._points, length)
            if step is None:
                break
            vector, promised = self._vector + step, float(self._points[-1].gradient @ step)
            state = self._ascent.tried(self._coordinates.bind, vector)
            gain = -np.inf if state is None else state.objective - objective
            if state is not None and gain >= KEPT * promised - rounding:
                self._vector, self._plain = vector, False
                self._full = whole and gain >= _TELLING * promised
                return state
            length *= shortened(promised, gain)
            whole = False
        return None
