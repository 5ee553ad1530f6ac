"""Step rules: how the next mixture is found from the state of the present one."""

from __future__ import annotations

from typing import Protocol, final

from emplus.engine.problem import Problem, State
from emplus.mixture import Mixture

__all__ = ["EM", "StepRule"]


class StepRule(Protocol):
    """A way up the hill. The loop evaluates what it proposes and stops where it no longer rises."""

    def propose(self, problem: Problem, state: State) -> Mixture:
        """The next mixture to evaluate."""


@final
class EM:
    """Expectation-maximization (Dempster, Laird & Rubin 1977): maximize what the pass expected."""

    def propose(self, problem: Problem, state: State) -> Mixture:
        """The M step of the state's statistics."""
        return problem.maximize(state.statistics)
