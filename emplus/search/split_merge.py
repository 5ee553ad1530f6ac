"""Split-and-merge EM."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, UnknownNameError
from emplus.search.base import Budget, Draw, Search
from emplus.search.fit import Fit
from emplus.search.local_moves import COARSE, LocalSplitMerge
from emplus.search.restarts import Restarts
from emplus.search.walk import Walk, loosened

__all__ = ["SplitMerge"]

_VARIANTS = ("local", "ueda")


@final
@dataclass(frozen=True)
class SplitMerge:
    """Split-and-merge EM: leave a local optimum by moving a component to where it is needed.

    Parameters
    ----------
    variant : {'local', 'ueda'}
        ``local`` prices merges, splits and new cuts by partial EM on the rows they concern, makes
        many moves at once, and then looks for the best single ones; ``ueda`` is the algorithm of
        Ueda, Nakano, Ghahramani & Hinton (2000).
    first : Search
        Where it starts from: plain EM from one start by default, any other search.
    budget : Budget
    """

    variant: str = "local"
    first: Search = field(default_factory=Restarts)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.variant not in _VARIANTS:
            raise UnknownNameError("variant of split-and-merge", self.variant, _VARIANTS)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from where the first search ends; see `Search`."""
        fit = self.first(loosened(engine, COARSE), problem, draw, rng)
        walk = Walk(engine, problem, fit, self.budget)
        LocalSplitMerge(walk, rng).run()
        return walk.result()
