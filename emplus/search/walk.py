"""A walk: the best mixture so far, what was tried from it, and what that cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import numpy as np

from emplus.engine.loop import Climb, Engine
from emplus.engine.observers import Observer
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded
from emplus.search.base import Budget
from emplus.search.fit import Fit
from emplus.search.record import Candidate, Candidates

__all__ = ["Move", "MoveObserver", "Trial", "Walk", "loosened"]


@dataclass(frozen=True)
class Move:
    """A mixture to climb from, and what it changes; see `Candidate` for the names.

    ``passes`` is what finding it has cost.
    """

    kind: str
    components: tuple[tuple[int, ...], ...]
    mixture: Mixture
    predicted: float = math.nan
    passes: float = 0.0


@runtime_checkable
class MoveObserver(Observer, Protocol):
    """An observer of a fit that is also told what the search tries.

    Like any observer it may raise KeyboardInterrupt, which ends the search with the best so far.
    """

    def propose(self, move: Move, /) -> None:
        """A search is about to climb from a move, or to give it up."""

    def decide(self, candidate: Candidate, /) -> None:
        """What became of it; also of a climb to the tolerance without any change."""


@dataclass(frozen=True)
class Trial:
    """What partial EM made of a move.

    Parameters
    ----------
    gain : float
        Nats, foreseen.
    passes : float
        What that cost.
    mixture : Mixture, optional
        Where to climb from; None where that would be in vain.
    """

    gain: float
    passes: float
    mixture: Mixture | None


@final
class Walk:
    """Accepts what raises the objective and nothing else, and writes everything down.

    A mixture is a value, so undoing a move is keeping the value one had.

    Parameters
    ----------
    engine : Engine
        Its tolerance is that of the result.
    problem : Problem
    fit : Fit
        Where the walk begins.
    budget : Budget
    """

    def __init__(self, engine: Engine, problem: Problem, fit: Fit, budget: Budget):
        self.engine, self.problem = engine, problem
        self._fit, self._budget = fit, budget
        self._candidates = list(fit.candidates)
        self._trace, self._log_likelihoods = list(fit.trace), list(fit.log_likelihoods)
        self._begun = engine.journal.clock()
        self._passes, self._moves = 0.0, 0
        self.mixture, self.objective, self.outcome = fit.mixture, fit.objective, fit.outcome
        self.round = 0
        self._watching = [o for o in engine.observers if isinstance(o, MoveObserver)]

    @property
    def total_weight(self) -> float:
        """Sum of the row weights."""
        return self.problem.source.total_weight

    @property
    def interrupted(self) -> bool:
        """Whether a person has asked to stop."""
        return self.outcome is Outcome.INTERRUPTED

    def goes_on(self) -> bool:
        """Whether the budget allows more and nobody has interrupted."""
        spent = self.engine.journal.clock() - self._begun
        return not self.interrupted and self._budget.allows(self._passes, spent, self._moves)

    def spend(self, passes: float) -> None:
        """Count work done outside the climbs."""
        self._passes += passes

    def consider(self, move: Move, *, least: float = 0.0, tol: float | None = None) -> bool:
        """Climb from a move; go on from there if it gains more than ``least`` nats.

        With ``tol`` the climb is a coarse one, to at least that tolerance in nats a row.
        """
        self._moves += 1
        self._propose(move)
        climb = self._climb(move.mixture, tol)
        gain = self._gain(climb)
        return self._record(move, climb, gain, accepted=gain > least)

    def reject(self, move: Move, gain: float) -> None:
        """Write down a candidate that was given up before EM on all rows; it counts as a move."""
        self._moves += 1
        self._propose(move)
        self._record(move, None, gain, accepted=False)

    def judge(
        self, move: Move, attempt: Callable[[], Trial], rng: np.random.Generator | None = None
    ) -> bool:
        """Let partial EM try a move first, and climb from what it makes of it.

        ``rng`` is what ``attempt`` draws from, if it does.
        """
        trial = self.engine.journal.step(move.kind, attempt, rng)
        self.spend(trial.passes)
        move = replace(move, predicted=trial.gain, passes=trial.passes)
        if trial.mixture is None:
            self.reject(move, trial.gain)
            return False
        return self.consider(replace(move, mixture=trial.mixture))

    def settle(self) -> bool:
        """Climb to the engine's tolerance without any change; whether anything was gained."""
        climb = self._climb(self.mixture, None)
        gain = self._gain(climb)
        settled = Move("settle", (), self.mixture)
        accepted = self._record(settled, climb, gain, accepted=gain > 0.0)
        if climb.outcome.usable:
            self.outcome = climb.outcome
        return accepted

    def _propose(self, move: Move) -> None:
        for observer in self._watching:
            observer.propose(move)

    def _climb(self, mixture: Mixture, tol: float | None) -> Climb:
        engine = self.engine if tol is None else loosened(self.engine, tol)
        climb = engine.climb(self.problem, mixture)
        self._passes += climb.passes
        return climb

    def _gain(self, climb: Climb) -> float:
        return climb.state.objective - self.objective if climb.outcome.usable else -math.inf

    def _record(self, move: Move, climb: Climb | None, gain: float, *, accepted: bool) -> bool:
        start = len(self._trace)
        outcome = Outcome.ITERATIONS_EXHAUSTED if climb is None else climb.outcome
        passes = move.passes + (0 if climb is None else climb.passes)
        self._candidates.append(
            Candidate(
                self.round,
                move.kind,
                move.components,
                move.predicted,
                gain,
                accepted,
                passes,
                start,
                outcome,
            )
        )
        if climb is not None and accepted:
            # What follows the best state of a climb is a step that fell.
            self._trace += climb.objectives[: climb.n_iter + 1]
            self._log_likelihoods += climb.log_likelihoods[: climb.n_iter + 1]
            self.mixture, self.objective = climb.state.mixture, climb.state.objective
            self.outcome = climb.outcome
            self._fit = replace(
                self._fit,
                mixture=climb.state.mixture,
                log_likelihood=climb.state.log_likelihood,
                log_prior=climb.state.log_prior,
                n_iter=self._fit.n_iter + climb.n_iter,
            )
        if climb is not None and climb.outcome is Outcome.INTERRUPTED:
            self.outcome = Outcome.INTERRUPTED
        for observer in self._watching:
            observer.decide(self._candidates[-1])
        return accepted

    def explored(self, explore: Callable[[], None]) -> Fit:
        """The result after exploring, or after as much of it as a person let happen."""
        try:
            # Once for all of it: to take hold of BLAS for each small step would cost more than it.
            with single_threaded():
                explore()
        except KeyboardInterrupt:
            self.outcome = Outcome.INTERRUPTED
        return self.result()

    def result(self) -> Fit:
        """The best fit with the whole record."""
        return replace(
            self._fit,
            outcome=self.outcome,
            passes=self._fit.passes + self._passes,
            trace=tuple(self._trace),
            log_likelihoods=tuple(self._log_likelihoods),
            seconds=self._fit.seconds + self.engine.journal.clock() - self._begun,
            candidates=Candidates(self._candidates),
        )


def loosened(engine: Engine, tol: float) -> Engine:
    """The engine with at least this tolerance, in nats a row."""
    if tol <= engine.stopping.tol:
        return engine
    return replace(engine, stopping=replace(engine.stopping, tol=tol))
