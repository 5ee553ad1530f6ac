"""One run of the loop, as a step rule sees it: where it stands, what a step costs, when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.engine.journal import Journal, Standing
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.stopping import Stopping
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture

if TYPE_CHECKING:
    from emplus.engine.observers import Observer

__all__ = ["Ascent"]

Array = NDArray[np.floating]


@final
class Ascent:
    """A run on its way up.

    A step rule evaluates mixtures, as many as it likes, and hands those it goes on from to `reach`,
    which keeps the record and says when to end. A run that was broken off begins where it stood.

    Attributes
    ----------
    problem : Problem
    state : State
        The best so far.
    outcome : Outcome
    objectives, log_likelihoods : list of float
        Of the start, and of every state handed over.
    passes : int
        Passes over the rows so far, what was not handed over included.
    memory : object
        What the rule remembers besides, None at first. It is a value (plain numbers, arrays,
        frozen dataclasses of emplus) that belongs to the state reached last: a rule puts a new one
        there before it reaches the next, and begins with what it finds.
    """

    def __init__(
        self,
        problem: Problem,
        stopping: Stopping,
        observers: Sequence[Observer],
        start: Mixture,
        journal: Journal,
    ):
        self.problem, self._stopping, self._observers = problem, stopping, observers
        self._journal, self._began = journal, journal.clock()
        self.outcome = Outcome.ITERATIONS_EXHAUSTED
        self.memory: Any = None
        self.passes = 1
        self._resumed = (stood := journal.standing()) is not None
        if stood is None:
            self.state = replace(problem.evaluate(start), passes=1)
            self.objectives = [self.state.objective]
            self.log_likelihoods = [self.state.log_likelihood]
        else:
            self.passes, self.memory = stood.passes, stood.memory
            state = problem.evaluate(stood.mixture, stood.iteration)
            self.state = replace(state, passes=stood.passes)
            self.objectives = list(stood.objectives)
            self.log_likelihoods = list(stood.log_likelihoods)

    @property
    def least(self) -> float:
        """A gain of no more than this, in nats, ends the run."""
        return self._stopping.tol * self.problem.source.total_weight

    def begin(self) -> bool:
        """Show the start; whether any iteration is allowed."""
        if not self._resumed:
            self._show()
        return self._stopping.max_iter > 0

    def maximize(self) -> Mixture:
        """The M step from the present state."""
        return self.problem.maximize(self.state.statistics)

    def evaluate(self, mixture: Mixture) -> State:
        """One pass over the rows."""
        self.passes += 1
        state = self.problem.evaluate(mixture, self.state.iteration + 1)
        return replace(state, passes=self.passes)

    def tried(self, bind: Callable[[Array], Mixture], vector: Array) -> State | None:
        """The state of a vector, after a pass; None where numbers overflow on the way."""
        try:
            return self.evaluate(bind(vector))
        except (SingularComponentError, np.linalg.LinAlgError):
            return None

    def reach(self, state: State, *, telling: bool = True) -> bool:
        """Go on from a state that was evaluated; False where the run is to end.

        A small gain ends it only where it is ``telling``: a step cut short gains little anywhere.
        """
        self.objectives.append(state.objective)
        self.log_likelihoods.append(state.log_likelihood)
        gain = state.objective - self.state.objective
        if not gain >= -max(state.rounding, self.state.rounding):
            self.outcome = Outcome.OBJECTIVE_FELL
            return False
        # A step that lost no more than rounding gains nothing: the one before it is kept.
        better = state if gain >= 0 else self.state
        self.state = replace(better, iteration=state.iteration, passes=state.passes)
        self._show()
        gained = state.objective - self.objectives[0]
        if telling and gain <= max(self.least, self._stopping.share * gained):
            self.outcome = Outcome.CONVERGED
            return False
        if not self.state.iteration < self._stopping.max_iter:
            return False
        self._journal.reached(self._standing())
        return True

    def _standing(self) -> Callable[[], Standing]:
        """How far the run is, as it is now, for whoever asks later."""
        state, passes, memory, n = self.state, self.passes, self.memory, len(self.objectives)

        def stand() -> Standing:
            return Standing(
                state.mixture,
                state.iteration,
                passes,
                tuple(self.objectives[:n]),
                tuple(self.log_likelihoods[:n]),
                memory,
                self._journal.clock() - self._began,
            )

        return stand

    def _show(self) -> None:
        for observer in self._observers:
            observer(self.state)
