"""EM in blocks of rows, with an M step after each: for many rows, where one pass tells much."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, final

from emplus.engine.acceleration import Accelerated
from emplus.engine.ascent import Ascent
from emplus.engine.online import DecayingRate, LearningRate, Stream, mini_batch
from emplus.engine.problem import State
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError
from emplus.families.base import Statistics
from emplus.mixture import Mixture

__all__ = ["Incremental", "Stepwise"]

# Rows of a block of incremental EM at least.
_FEWEST_ROWS = 500


@final
@dataclass(frozen=True)
class Stepwise:
    """Sweeps of stepwise EM (Cappé & Moulines 2009), then another rule.

    A sweep takes the rows in mini-batches, as `Stream` does. Its mixture wanders, so what it gained
    is told by a pass over all rows; where it gained nothing, and after the last sweep, the rule
    goes on from the best.

    Parameters
    ----------
    sweeps : int
    rate : LearningRate
    rule : StepRule

    Notes
    -----
    A sweep takes two passes.
    """

    sweeps: int = 2
    rate: LearningRate = field(default_factory=DecayingRate)
    rule: StepRule = field(default_factory=Accelerated)

    def climb(self, ascent: Ascent) -> None:
        """Sweeps, and then the other rule."""
        if ascent.memory is None:
            # A stream knows no temperature.
            tempered = ascent.problem.inverse_temperature != 1.0
            ascent.memory = self._first(ascent, 0 if tempered else self.sweeps)
        if not isinstance(ascent.memory, _Sweeping) or self._swept(ascent, ascent.memory):
            self.rule.climb(ascent)

    def _first(self, ascent: Ascent, sweeps: int) -> _Sweeping:
        # Sums of all rows came with the start, told apart by whatever it was: they count as one
        # mini-batch.
        first = ascent.maximize()
        rows = float(mini_batch(first))
        return _Sweeping(sweeps, first, rows, ascent.problem.source.total_weight)

    def _swept(self, ascent: Ascent, sweeping: _Sweeping) -> bool:
        """Make the sweeps that are left; whether the run goes on."""
        problem = ascent.problem
        while sweeping.left:
            stream = Stream(sweeping.mixture, sweeping.seen, sweeping.size, self.rate)
            stream, _ = stream.learned(problem.source, problem.prior)
            ascent.passes += 1
            state = ascent.evaluate(stream.mixture)
            better = state.objective > ascent.state.objective
            left = sweeping.left - 1 if better else 0
            sweeping = _Sweeping(left, stream.mixture, stream.seen, stream.size)
            ascent.memory = sweeping
            if better and not ascent.reach(state, telling=False):
                return False
        return True


@dataclass(frozen=True)
class _Sweeping:
    """The sweeps that are left, and what those before them have taught; see `Stream`."""

    left: int
    mixture: Mixture
    seen: float
    size: float


@final
@dataclass(frozen=True)
class Incremental:
    """Incremental EM (Neal & Hinton 1998): the sums of one block at a time are taken anew.

    What the other blocks told stays as it was when they were last seen, so each M step follows
    some of the rows instead of all, and their free energy, :eq:`free-energy`, never falls; nor
    does the objective, which a second pass in each iteration takes under one mixture.

    Parameters
    ----------
    n_blocks : int
        Fixed blocks of rows; fewer where they would hold less than 500.

    Raises
    ------
    ArgumentError
        In a run, if the family's sums mean something else under other parameters (factors), so
        that those of several blocks do not add.

    Notes
    -----
    An iteration takes two passes, and as many M steps as there are blocks and one. Holds the
    statistics of each block.
    """

    n_blocks: int = 20

    def climb(self, ascent: Ascent) -> None:
        """Sweeps over the blocks."""
        problem = ascent.problem
        if not problem.family.pools:
            raise ArgumentError(
                "Incremental EM adds what blocks told under different parameters, and sums of "
                f"factors do not add so (family {problem.family.name!r}); use 'stepwise'."
            )
        count = max(1, min(self.n_blocks, problem.source.n_rows // _FEWEST_ROWS))
        blocks = [replace(problem, source=part) for part in problem.source.parts(count)]
        known = [block.evaluate(ascent.state.mixture).statistics for block in blocks]
        if ascent.memory is None:
            ascent.passes += 1
            ascent.memory = "blocks"
        going = True
        while going:
            mixture = problem.maximize(_whole(known))
            for index, block in enumerate(blocks):
                known[index] = block.evaluate(mixture).statistics
                mixture = problem.maximize(_whole(known))
            states = [block.evaluate(mixture) for block in blocks]
            known = [state.statistics for state in states]
            ascent.passes += 2
            going = ascent.reach(_joined(states, mixture, ascent))


def _whole(parts: list[Any]) -> Statistics:
    whole: Statistics = reduce(add, parts)
    return whole


def _joined(states: list[State], mixture: Mixture, ascent: Ascent) -> State:
    """The state of all rows from those of the blocks."""
    return State(
        mixture,
        sum(state.log_likelihood for state in states),
        states[0].log_prior,
        _whole([state.statistics for state in states]),
        ascent.state.iteration + 1,
        sum(state.rounding for state in states),
        ascent.passes,
    )
