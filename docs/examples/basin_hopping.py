"""Basin hopping: shake some components, climb, and stay where it is better."""

from dataclasses import dataclass, field
from typing import final

import numpy as np

from emplus import Mixture, register_search
from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.search.base import Budget, Draw, Search
from emplus.search.fit import Fit
from emplus.search.restarts import Restarts
from emplus.search.walk import Move, Walk


@final
@dataclass(frozen=True)
class BasinHopping:
    """A walk among local optima (Wales & Doye 1997) at temperature 0.

    A hop is a random step of two components, ``step`` of their standard deviations long. It begins
    where the search ``first`` ends, and tries 5 k hops where the budget sets no limit at all.
    """

    step: float = 3.0
    first: Search = field(default_factory=Restarts)
    budget: Budget = field(default_factory=Budget)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from where the first search ends."""
        fit = self.first(engine, problem, draw, rng)
        k = fit.mixture.n_components
        walk = Walk(engine, problem, fit, self.budget.or_moves(5 * k))

        def hop() -> None:
            while k > 1 and walk.goes_on():
                walk.round += 1
                best, chosen = walk.mixture, rng.permutation(k)[:2]
                shaken = problem.family.perturb(best.parameters.take(chosen), self.step, rng)
                parameters = best.parameters.put(chosen, shaken)
                mixture = Mixture(best.family, best.log_weights, parameters)
                walk.consider(Move("hop", (tuple(chosen.tolist()),), mixture))

        return walk.explored(hop)


def basin_hopping(n_init: int, first: Search | None) -> BasinHopping:
    """The search from so many starts, or from another search's result."""
    return BasinHopping(first=first or Restarts(n_init))


register_search("basin_hopping", basin_hopping)
