"""The contract of a search, and how much it may spend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.search.fit import Fit

__all__ = ["Budget", "Draw", "Search"]

Draw = Callable[[np.random.Generator], Mixture]


class Search(Protocol):
    """A way from starts to the best fit. It sees families and data through contracts alone."""

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from the starts that ``draw`` gives.

        Raises
        ------
        FitError
            If no start led to usable parameters; it says how each one ended.
        """


@dataclass(frozen=True)
class Budget:
    """How much a search may spend after its start; it ends when any of them is used up.

    What is being tried when it ends is finished, so a little more may be spent.

    Parameters
    ----------
    passes : float
        EM passes over the rows; work on some rows or components counts by its share.
    seconds : float
        Wall-clock time. The result then depends on the machine.
    moves : int
        Candidates tried.

    Raises
    ------
    ArgumentError
        If one of them is negative or not a number.
    """

    passes: float = math.inf
    seconds: float = math.inf
    moves: float = math.inf

    def __post_init__(self) -> None:
        for name in ("passes", "seconds", "moves"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
                raise ArgumentError(f"A budget's {name} must be at least 0; it is {value!r}.")

    def or_moves(self, moves: int) -> Budget:
        """The budget itself, or so many moves where it sets no limit at all."""
        return Budget(moves=moves) if self == Budget() else self

    def allows(self, passes: float, seconds: float, moves: int) -> bool:
        """Whether more may be spent after so much."""
        return passes < self.passes and seconds < self.seconds and moves < self.moves
