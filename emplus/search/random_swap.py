"""Random swaps: a component is taken away and put at a random row."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.partial import Cell, Group, PartialEM
from emplus.engine.problem import Problem
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture
from emplus.search.assignment import Assignment, Sample
from emplus.search.base import Budget, Draw, Search
from emplus.search.fit import Fit
from emplus.search.relocation import Relocation
from emplus.search.restarts import Restarts
from emplus.search.walk import Move, Trial, Walk

__all__ = ["RandomSwap"]

# Neighbours of either place that adapt while a swap is being judged.
_ADAPTING = 4

# Steps of partial EM a swap is given, after how many each it is judged, and how many more steps as
# good as the last one it is granted.
_STEPS, _BETWEEN, _GRANTED = 15, 3, 10

# Nats a swap must promise at least.
_LEAST = 0.1


@final
@dataclass(frozen=True)
class RandomSwap:
    """Random swap EM (Zhao, Hautamäki, Kärkkäinen & Fränti 2012).

    A random component is removed and put at a random row, as wide as the rows around it; local EM
    lets it and its neighbours at both places adapt; the swap is kept if the objective ends higher
    and undone if not. Nothing is learned from a failure, so it needs many tries, but it has no
    idea of what a trap looks like either, and with swaps enough it finds its way out of any.

    Local EM is partial EM on the rows that those components hold. What it gains is a lower bound of
    what the swap gains, so a swap is climbed by EM on all rows only where partial EM comes out
    above, or is rising fast enough to.

    Parameters
    ----------
    first : Search
        Where it starts from: plain EM from one start by default, any other search.
    budget : Budget
        5 k moves where it sets no limit at all; each swap is a move.

    Notes
    -----
    Cost: a swap that fails costs some 3 to 15 iterations over at most 10 components' rows, and one
    pass over the rows follows each that succeeds. The expected number of swaps until a
    misplaced component is repaired is about k for each component that may be taken away.

    Examples
    --------
    >>> RandomSwap(budget=Budget(moves=200)).budget.moves
    200
    """

    first: Search = field(default_factory=Restarts)
    budget: Budget = field(default_factory=Budget)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from where the first search ends; see `Search`."""
        fit = self.first(engine, problem, draw, rng)
        k = fit.mixture.n_components
        walk = Walk(engine, problem, fit, self.budget.or_moves(5 * k))
        return walk.explored(lambda: _explore(walk, rng))


def _explore(walk: Walk, rng: np.random.Generator) -> None:
    k = walk.mixture.n_components
    if k == 1 or not walk.goes_on():
        return
    sample = Sample(walk.problem, k, rng)
    relocation = Relocation(walk.problem, sample, k)
    swapper: _Swapper | None = None
    while walk.goes_on():
        if swapper is None or swapper.mixture is not walk.mixture:
            swapper = _Swapper(walk, sample, relocation)
        walk.round += 1
        swapper.swap(rng)


class _Swapper:
    """Swaps of the components of one mixture."""

    def __init__(self, walk: Walk, sample: Sample, relocation: Relocation):
        self._walk, self._sample, self._relocation = walk, sample, relocation
        self.mixture = walk.mixture
        self._assignment = Assignment(walk.problem, sample, self.mixture)
        walk.spend(self._assignment.passes)
        self._least = max(_LEAST, 2.0 * walk.total_weight * walk.engine.stopping.tol)

    def swap(self, rng: np.random.Generator) -> bool:
        """Try one swap; whether it was accepted."""
        walk, assignment = self._walk, self._assignment
        removed = int(rng.integers(self.mixture.n_components))
        row = self._relocation.draw(rng, assignment.rows_of(removed))
        near = int(self.mixture.log_joint(self._sample.X[row : row + 1])[0].argmax())
        move = Move("swap", ((removed, near),), self.mixture)
        try:
            moved = self._relocation.moved(self.mixture, removed, row)
        except SingularComponentError:
            walk.reject(move, -math.inf)
            return False
        region = {removed, near}
        for component in (removed, near):
            region.update(assignment.neighbours(component, _ADAPTING))
        return self._judge(move, moved, sorted(region))

    def _judge(self, move: Move, moved: Mixture, region: list[int]) -> bool:
        """Let the region adapt, and climb where that promises a gain."""
        walk = self._walk
        cell, _ = self._assignment.cell(region)
        if not len(cell.mass):
            walk.reject(move, -math.inf)
            return False
        return walk.judge(move, lambda: self._attempt(moved, region, cell))

    def _attempt(self, moved: Mixture, region: list[int], cell: Cell) -> Trial:
        # Work is counted by the object, so each swap has its own.
        partial = PartialEM(self._walk.problem, self.mixture)
        before = partial.objective(cell, region)
        group = partial.group(cell, region, moved.take(region).responsibilities(cell.fetch()))
        gain, hope = _climbed(partial, group, before, self._least)
        hopeful = hope > self._least
        return Trial(gain, partial.passes, _put(self.mixture, region, group) if hopeful else None)


def _climbed(partial: PartialEM, group: Group, before: float, least: float) -> tuple[float, float]:
    """What a group has gained, and may yet gain, when it has settled or lost all hope."""
    gain = hope = -math.inf
    for _ in range(_STEPS // _BETWEEN):
        partial.climb([group], _BETWEEN - 1)
        last = group.objective
        partial.climb([group], 1)
        gain = group.objective - before
        hope = gain + _GRANTED * (group.objective - last) if math.isfinite(gain) else -math.inf
        if not hope > least:
            break
    return gain, hope


def _put(mixture: Mixture, region: list[int], group: Group) -> Mixture:
    log_weights = mixture.log_weights.copy()
    log_weights[region] = np.logaddexp.reduce(log_weights[region]) + group.log_weights
    log_weights -= np.logaddexp.reduce(log_weights)
    parameters = mixture.parameters.put(region, group.parameters)
    return Mixture(mixture.family, log_weights, parameters)
