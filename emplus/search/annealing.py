"""Deterministic annealing EM: climb a smoothed objective first, and let it grow sharp."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from emplus.data.base import Array, Block
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, constrain
from emplus.errors import ArgumentError
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize
from emplus.search.base import Budget, Draw, Search
from emplus.search.fit import Fit
from emplus.search.restarts import Runs, check_starts
from emplus.search.walk import Move, Walk, loosened
from emplus.starts.base import standardized

__all__ = ["SCHEDULE", "Annealing"]

# Ten steps from 0.1 to 1, each 1.29 times the one before.
SCHEDULE = tuple(round(float(beta), 4) for beta in np.geomspace(0.1, 1.0, 10))

# Tolerance, nats a row, while the objective is not yet the one that counts.
_TEMPERED = 1e-5

# How far components are pushed apart at each temperature, in their own standard deviations.
_PUSH = 0.05

# Variance, as a part of the mean square, below which a component is flat.
_FLAT = 1e-12

_GoesOn = Callable[[int], bool]
_Tilt = Callable[[Array], Array]


@final
@dataclass(frozen=True)
class Annealing:
    r"""Deterministic annealing EM (DAEM; Ueda & Nakano 1998).

    At each inverse temperature beta of a schedule, EM climbs with responsibilities

    .. math:: r_{ij} \propto (w_j \, p(x_i \mid \theta_j))^\beta

    (equation :eq:`tempered` of the theory page; what rises is :eq:`free-energy-tempered`), which
    are more alike the smaller beta is. At a small beta all components coincide, whatever the start;
    as beta rises they part, the coarse structure of the data first.

    EM cannot part components that coincide exactly. So at each temperature one step of EM is taken
    with responsibilities that are tilted a little, each component's along a random direction of
    its own in the family's features, by 0.05 standard deviations of the component. Components that
    no row is shared by do not notice; those that coincide are moved by that much.

    Parameters
    ----------
    schedule : sequence of float
        Inverse temperatures, each in (0, 1], the last one 1. By default ten from 0.1 on, each
        1.29 times the one before.
    first : Search, optional
        Without one, each of ``n_init`` starts is annealed and the best end kept. With one, its
        result is annealed, and what comes out is kept if it is better.
    budget : Budget
        Once it is used up, what is left of the schedule is skipped, but for its end. A start
        annealed is a move.
    n_init : int
        Number of starts, where there is no ``first``.

    Raises
    ------
    ArgumentError
        If the schedule is empty, leaves (0, 1], or does not end at 1, or n_init is below 1.

    Notes
    -----
    Cost: one climb, and two passes, for each temperature; `Fit.trace` holds the last climb of a
    start only, because the objectives of the others are not comparable.
    Where annealing ends below where it began, or a component collapses on the way, EM climbs from
    the start itself.

    Do not expect too much of it where components have covariances of their own. One that is as
    wide as the rows it shares with another passes on only beta times a step that parts them, so the
    two part when beta comes near 1, and not before; Ueda et al. (2000, table 1) too found it little
    better than plain EM.

    Examples
    --------
    >>> Annealing(schedule=[0.2, 0.5, 1.0]).schedule
    (0.2, 0.5, 1.0)
    """

    schedule: Sequence[float] = SCHEDULE
    first: Search | None = None
    budget: Budget = field(default_factory=Budget)
    n_init: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", _checked(self.schedule))
        check_starts("n_init", self.n_init)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Anneal from every start, or from where the first search ends; see `Search`."""
        if self.first is None:
            return self._from_starts(engine, problem, draw, rng)
        walk = Walk(engine, problem, self.first(engine, problem, draw, rng), self.budget)
        return walk.explored(lambda: self._explore(walk, rng))

    def _explore(self, walk: Walk, rng: np.random.Generator) -> None:
        if not walk.goes_on() or walk.mixture.n_components == 1:
            return
        walk.round += 1
        move = Move("anneal", (), walk.mixture)
        spent = 0

        def goes_on(passes: int) -> bool:
            nonlocal spent
            walk.spend(passes - spent)
            spent = passes
            return walk.goes_on()

        cooled = self._cooled(walk.engine, walk.problem, walk.mixture, rng, goes_on)
        goes_on(cooled.passes)
        if cooled.outcome is Outcome.INTERRUPTED:
            raise KeyboardInterrupt
        if not cooled.outcome.usable:
            walk.reject(replace(move, passes=cooled.passes), -math.inf)
            return
        walk.consider(replace(move, mixture=cooled.mixture, passes=cooled.passes))

    def _from_starts(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        clock = engine.journal.clock
        begun = clock()
        runs = Runs(engine, problem)
        for index, own_rng in enumerate(rng.spawn(self.n_init)):
            before = sum(run.passes for run in runs.runs)

            def goes_on(passes: int, before: int = before, moves: int = index) -> bool:
                seconds = clock() - begun
                return self.budget.allows(before + passes, seconds, moves)

            def climb(
                own_rng: np.random.Generator = own_rng, goes_on: _GoesOn = goes_on
            ) -> tuple[Climb, int]:
                start = engine.drawn(draw, own_rng)
                return self._climb(engine, problem, start, own_rng, goes_on)

            runs.climb(index, climb)
            if runs.interrupted:
                break
        return runs.fit()

    def _climb(
        self,
        engine: Engine,
        problem: Problem,
        start: Mixture,
        rng: np.random.Generator,
        goes_on: _GoesOn,
    ) -> tuple[Climb, int]:
        """Anneal from one start; the climb of the objective itself, and all passes."""
        if not goes_on(0) or start.n_components == 1:
            climb = engine.climb(problem, start)
            return climb, climb.passes
        cooled = self._cooled(engine, problem, start, rng, goes_on)
        still = Engine(stopping=Stopping(max_iter=0), journal=engine.journal)
        if cooled.outcome is Outcome.INTERRUPTED:
            stopped = still.climb(problem, cooled.mixture)
            return replace(stopped, outcome=cooled.outcome), cooled.passes + 1
        passes = cooled.passes
        if cooled.outcome.usable:
            climb = engine.climb(problem, cooled.mixture)
            passes += climb.passes + 1
            least = still.climb(problem, start).state.objective
            sound = climb.outcome.usable and climb.state.objective >= least
            if sound or climb.outcome is Outcome.INTERRUPTED:
                return climb, passes
        climb = engine.climb(problem, start)
        return climb, passes + climb.passes

    def _cooled(
        self,
        engine: Engine,
        problem: Problem,
        mixture: Mixture,
        rng: np.random.Generator,
        goes_on: _GoesOn,
    ) -> _Cooled:
        """Where the schedule leads, all but the climb at its end."""
        loose = loosened(engine, _TEMPERED)
        passes = 0

        def parted(problem: Problem, mixture: Mixture) -> Mixture:
            return engine.journal.step("parted", lambda: _parted(problem, mixture, rng), rng)

        try:
            for beta in self.schedule[:-1]:
                if passes and not goes_on(passes):
                    break
                tempered = replace(problem, inverse_temperature=beta)
                climb = loose.climb(tempered, parted(tempered, mixture))
                passes += 2 + climb.passes
                mixture = climb.state.mixture
                if not climb.outcome.usable or climb.outcome is Outcome.INTERRUPTED:
                    return _Cooled(mixture, passes, climb.outcome)
            if passes:
                mixture = parted(problem, mixture)
                passes += 2
        except KeyboardInterrupt:
            return _Cooled(mixture, passes, Outcome.INTERRUPTED)
        except SingularComponentError:
            return _Cooled(mixture, passes + 2, Outcome.SINGULAR)
        return _Cooled(mixture, passes)


@dataclass(frozen=True)
class _Cooled:
    """A mixture at the end of the schedule, and how it got there."""

    mixture: Mixture
    passes: int
    outcome: Outcome = Outcome.CONVERGED


def _checked(schedule: Sequence[float]) -> tuple[float, ...]:
    try:
        betas = tuple(float(beta) for beta in schedule)
    except (TypeError, ValueError):
        betas = ()
    if not betas or not all(0.0 < beta <= 1.0 for beta in betas) or betas[-1] != 1.0:
        raise ArgumentError(
            "A schedule is a sequence of inverse temperatures in (0, 1] that ends at 1; "
            f"it is {schedule!r}."
        )
    return betas


def _parted(problem: Problem, mixture: Mixture, rng: np.random.Generator) -> Mixture:
    """One step of EM with each component's responsibilities tilted along a random direction.

    Cost: two passes.
    """
    kernel = problem.family.kernel(
        mixture.parameters, mixture.log_weights, problem.moments, problem.source.dtype
    )

    def share(block: Block, tilt: _Tilt | None) -> tuple[Any, Array, Array]:
        rows, points = kernel.encode(block.X), standardized(problem, block.X)
        resp = kernel.log_joint(rows)
        if block.labels is not None:
            constrain(resp, block.labels)
        resp *= problem.inverse_temperature
        if tilt is not None:
            resp += tilt(points)
        log_normalize(resp)
        if block.weight is not None:
            resp *= block.weight.astype(resp.dtype)[:, None]
        return rows, resp, points

    def spread(block: Block) -> tuple[Array, ...]:
        _, resp, points = share(block, None)
        weight = resp.sum(axis=0, dtype=np.float64)
        return weight, resp.T @ points, resp.T @ points**2

    def tilted(block: Block) -> tuple[Array, ...]:
        rows, resp, _ = share(block, tilt)
        return kernel.sums(rows, resp)

    source = problem.source
    tilt = _tilt(source.reduce(spread, kernel.width), rng)
    return problem.maximize(kernel.statistics(source.reduce(tilted, kernel.width)))


def _tilt(sums: tuple[Array, ...], rng: np.random.Generator) -> _Tilt:
    """Log factors (b, k) for points (b, d): linear, 0 at each component's mean."""
    weight, total, squares = sums
    weight = np.maximum(weight, 1e-300)[:, None]
    means, squares = total / weight, squares / weight
    variances = squares - means**2
    # What is left of a zero variance is rounding of the squares.
    flat = variances <= _FLAT * squares
    steps = _PUSH * rng.standard_normal(means.shape)
    slopes = np.where(flat, 0.0, steps / np.sqrt(np.where(flat, 1.0, variances)))
    offsets = (slopes * means).sum(axis=1)

    def tilt(points: Array) -> Array:
        tilted: Array = points @ slopes.T - offsets
        return tilted

    return tilt
