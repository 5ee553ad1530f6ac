"""The loop: the only one over iterations in the package."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

from emplus.engine.observers import Observer
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.rules import EM, StepRule
from emplus.families.base import EMPTY, SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded

__all__ = ["Climb", "Engine", "Stopping"]


@dataclass(frozen=True)
class Stopping:
    """When a run ends.

    Parameters
    ----------
    tol : float
        The run has converged when the objective changes by no more than this, in nats a row
        (per unit of weight).
    max_iter : int
        Most iterations.
    share : float
        The run also ends at an iteration that gains no more than this part of all that the run has
        gained: how short runs are broken off (Biernacki, Celeux & Govaert 2003).
    """

    tol: float = 1e-6
    max_iter: int = 1000
    share: float = 0.0


@dataclass(frozen=True)
class Climb:
    """One run of the loop: where it ended, how, and the objective of each pass.

    ``objectives`` and ``log_likelihoods`` are totals, the start's first; ``component`` names the
    component that failed, where one did.
    """

    state: State
    outcome: Outcome
    objectives: tuple[float, ...]
    log_likelihoods: tuple[float, ...]
    component: int | None = None

    @property
    def n_iter(self) -> int:
        """Iterations taken from the start to the state reached."""
        return self.state.iteration

    @property
    def passes(self) -> int:
        """Passes over the rows."""
        return len(self.objectives)


@final
@dataclass(frozen=True)
class Engine:
    """The loop, with everything about it that does not depend on the problem.

    Parameters
    ----------
    rule : StepRule
        How the next mixture is found; `EM` by default.
    stopping : Stopping
    observers : tuple of Observer
        Called with every state, the start's included.
    """

    rule: StepRule = field(default_factory=EM)
    stopping: Stopping = field(default_factory=Stopping)
    observers: tuple[Observer, ...] = ()

    def climb(self, problem: Problem, start: Mixture) -> Climb:
        """Run the step rule from a start until it settles.

        Returns
        -------
        Climb
            The last state whose objective did not fall. A component that cannot be maximized
            ends the run as an outcome, not as an exception; so does a KeyboardInterrupt.

        Notes
        -----
        Cost: one pass over the rows for the start and one an iteration.
        """
        with single_threaded():
            return self._climb(problem, start)

    def _climb(self, problem: Problem, start: Mixture) -> Climb:
        state = problem.evaluate(start)
        objectives, log_likelihoods = [state.objective], [state.log_likelihood]
        outcome, component = Outcome.ITERATIONS_EXHAUSTED, None
        try:
            self._show(state)
            while state.iteration < self.stopping.max_iter:
                proposal = self.rule.propose(problem, state)
                following = problem.evaluate(proposal, state.iteration + 1)
                objectives.append(following.objective)
                log_likelihoods.append(following.log_likelihood)
                gain = following.objective - state.objective
                if not gain >= -max(state.rounding, following.rounding):
                    outcome = Outcome.OBJECTIVE_FELL
                    break
                # A step that lost no more than rounding gains nothing: the one before it is kept.
                better = following if gain >= 0 else state
                state = replace(better, iteration=following.iteration)
                self._show(state)
                gained = following.objective - objectives[0]
                least = self.stopping.tol * problem.source.total_weight
                if gain <= max(least, self.stopping.share * gained):
                    outcome = Outcome.CONVERGED
                    break
        except SingularComponentError as error:
            component = error.component
            weight = state.statistics.weight
            empty = weight[component] <= EMPTY * weight.sum()
            outcome = Outcome.COMPONENT_EMPTY if empty else Outcome.SINGULAR
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
        return Climb(state, outcome, tuple(objectives), tuple(log_likelihoods), component)

    def _show(self, state: State) -> None:
        for observer in self.observers:
            observer(state)
