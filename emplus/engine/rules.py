"""Step rules: ways up the hill. This one is EM; the others are wrapped around it or beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from emplus.engine.ascent import Ascent
from emplus.engine.problem import Problem, State
from emplus.mixture import Mixture

__all__ = ["EM", "Proposals", "StepRule", "WarmStart"]


class StepRule(Protocol):
    """A way up the hill: it knows how to step, the `Ascent` when to end.

    A rule that remembers more than the state it stands at keeps that in ``ascent.memory``.
    """

    def climb(self, ascent: Ascent) -> None:
        """Go up from ``ascent.state`` until ``ascent.reach`` says that the run is to end."""


@final
@dataclass(frozen=True)
class EM:
    """Expectation-maximization (Dempster, Laird & Rubin 1977): maximize what the pass expected.

    It never lowers the objective, by equations :eq:`em-gap` and :eq:`monotone` of the theory page.
    """

    def climb(self, ascent: Ascent) -> None:
        """One pass an iteration."""
        while ascent.reach(ascent.evaluate(ascent.maximize())):
            pass


@final
@dataclass(frozen=True)
class Proposals:
    """Whatever mixtures a function of problem and state gives, one pass each."""

    propose: Callable[[Problem, State], Mixture]

    def climb(self, ascent: Ascent) -> None:
        """One pass an iteration."""
        while ascent.reach(ascent.evaluate(self.propose(ascent.problem, ascent.state))):
            pass


@final
@dataclass(frozen=True)
class WarmStart:
    """Some iterations of EM, which come near the top in few, and then another rule.

    Parameters
    ----------
    rule : StepRule
    n_iter : int
        Iterations of EM.
    """

    rule: StepRule
    n_iter: int = 10

    def climb(self, ascent: Ascent) -> None:
        """EM first."""
        # The iterations of a run that was broken off count.
        for _ in range(len(ascent.objectives) - 1, self.n_iter):
            if not ascent.reach(ascent.evaluate(ascent.maximize())):
                return
        self.rule.climb(ascent)
