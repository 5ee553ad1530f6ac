"""The loop: the only one over iterations in the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from emplus.engine.ascent import Ascent
from emplus.engine.journal import Journal
from emplus.engine.observers import Observer
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.rules import EM, StepRule
from emplus.engine.stopping import Stopping
from emplus.families.base import EMPTY, SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded

__all__ = ["Climb", "Engine", "Stopping"]


@dataclass(frozen=True)
class Climb:
    """One run of the loop: where it ended, how, and the objective after each iteration.

    ``objectives`` and ``log_likelihoods`` are totals, the start's first; ``passes`` counts all
    passes over the rows, also those to states that were not taken; ``component`` names the
    component that failed, where one did.
    """

    state: State
    outcome: Outcome
    objectives: tuple[float, ...]
    log_likelihoods: tuple[float, ...]
    passes: int
    component: int | None = None

    @property
    def n_iter(self) -> int:
        """Iterations taken from the start to the state reached."""
        return self.state.iteration

    def kept(self) -> Climb:
        """What a journal keeps of it: all but the statistics, which nobody asks for afterwards."""
        nothing: Any = None
        return replace(self, state=replace(self.state, statistics=nothing))


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
    journal : Journal
        Where every climb is written down, if it is to be taken up again.
    """

    rule: StepRule = field(default_factory=EM)
    stopping: Stopping = field(default_factory=Stopping)
    observers: tuple[Observer, ...] = ()
    journal: Journal = field(default_factory=Journal, compare=False, repr=False)

    def climb(self, problem: Problem, start: Mixture) -> Climb:
        """Run the step rule from a start until it settles.

        Returns
        -------
        Climb
            The last state whose objective did not fall. A component that cannot be maximized
            ends the run as an outcome, not as an exception; so does a KeyboardInterrupt.

        Notes
        -----
        Cost: one pass over the rows for the start, and what the rule takes: with EM one an
        iteration.
        """
        with single_threaded():
            return self.journal.step("climb", lambda: self._climb(problem, start))

    def drawn(
        self, draw: Callable[[np.random.Generator], Mixture], rng: np.random.Generator
    ) -> Mixture:
        """A start, written down like a climb."""
        return self.journal.step("start", lambda: draw(rng), rng)

    def _climb(self, problem: Problem, start: Mixture) -> Climb:
        ascent = Ascent(problem, self.stopping, self.observers, start, self.journal)
        outcome, component = None, None
        try:
            if ascent.begin():
                self.rule.climb(ascent)
        except SingularComponentError as error:
            component = error.component
            weight = ascent.state.statistics.weight
            empty = weight[component] <= EMPTY * weight.sum()
            outcome = Outcome.COMPONENT_EMPTY if empty else Outcome.SINGULAR
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
        return Climb(
            ascent.state,
            ascent.outcome if outcome is None else outcome,
            tuple(ascent.objectives),
            tuple(ascent.log_likelihoods),
            ascent.passes,
            component,
        )
