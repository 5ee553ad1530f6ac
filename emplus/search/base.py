"""The contract of a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.search.fit import Fit

__all__ = ["Draw", "Search"]

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
