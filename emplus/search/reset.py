"""Resets: a component that has nearly died out begins again at a random row."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from emplus.families.base import SingularComponentError
from emplus.search.assignment import Sample
from emplus.search.base import Budget, Draw, Search
from emplus.search.fit import Fit
from emplus.search.relocation import Relocation
from emplus.search.restarts import Restarts
from emplus.search.walk import Move, Walk

__all__ = ["Reset"]


@final
@dataclass(frozen=True)
class Reset:
    """Reset components of little weight to random rows, and climb again.

    A component with less weight than ``threshold`` is put at a random row, its variance
    recomputed from the rows around it and its weight set to 1/k; then EM climbs from there. The
    reset stays if the objective ends higher and is undone if not. The lightest component goes
    first; a round in which none was accepted is followed by one with other rows.

    This assumes that the components have roughly equal weights. Where a sound component is lighter
    than the threshold, its resets are tried in vain (none is accepted that lowers the objective);
    and a component that two clusters share, or one of two that share a cluster, is heavy enough
    never to be looked at.

    Parameters
    ----------
    threshold : float, optional
        Least mixing weight that is left alone; 1 / (2 k) by default.
    first : Search
        Where it starts from: plain EM from one start by default, any other search.
    budget : Budget
        2 k moves where it sets no limit at all. It ends before where no component is light.

    Raises
    ------
    ArgumentError
        If the threshold does not lie in 0 .. 1.

    Notes
    -----
    Cost: one climb of EM a reset.

    Examples
    --------
    >>> Reset(threshold=0.05).threshold
    0.05
    """

    threshold: float | None = None
    first: Search = field(default_factory=Restarts)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        value: object = self.threshold
        if value is not None and not (isinstance(value, int | float) and 0.0 <= value <= 1.0):
            raise ArgumentError(f"A reset's threshold must lie in 0 .. 1; it is {value!r}.")

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from where the first search ends; see `Search`."""
        fit = self.first(engine, problem, draw, rng)
        k = fit.mixture.n_components
        walk = Walk(engine, problem, fit, self.budget.or_moves(2 * k))
        return walk.explored(lambda: self._explore(walk, rng))

    def _explore(self, walk: Walk, rng: np.random.Generator) -> None:
        relocation: Relocation | None = None
        while walk.goes_on() and len(light := self._light(walk)):
            if relocation is None:
                k = walk.mixture.n_components
                relocation = Relocation(walk.problem, Sample(walk.problem, k, rng), k)
            walk.round += 1
            for component in light:
                if not walk.goes_on() or _reset(walk, relocation, component, rng):
                    break

    def _light(self, walk: Walk) -> list[int]:
        """The components to be reset, the lightest first; none where there is one only."""
        weights = walk.mixture.weights
        k = len(weights)
        threshold = 1.0 / (2 * k) if self.threshold is None else self.threshold
        order = np.argsort(weights, kind="stable")
        return [int(j) for j in order if k > 1 and weights[j] < threshold]


def _reset(walk: Walk, relocation: Relocation, component: int, rng: np.random.Generator) -> bool:
    move = Move("reset", ((component,),), walk.mixture)
    try:
        mixture = relocation.moved(walk.mixture, component, relocation.draw(rng))
    except SingularComponentError:
        walk.reject(move, -math.inf)
        return False
    return walk.consider(Move(move.kind, move.components, mixture))
