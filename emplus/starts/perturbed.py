"""Starts from parameters at random."""

from __future__ import annotations

from typing import final

import numpy as np

from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.starts.base import chosen_rows

__all__ = ["Perturbed"]


@final
class Perturbed:
    """Copies of one component fitted to all rows, each made round and moved by a random step.

    Latent class analysis usually starts from probabilities at random, which this is where columns
    are categories. Gaussians begin round, so it is for columns of comparable units. Cost O(n).
    """

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Draw the parameters; the weights are equal."""
        X, weight = chosen_rows(problem, n_components, rng)
        one = problem.estimate(X, weight[:, None])
        copies = one.parameters.take(np.zeros(n_components, dtype=np.intp))
        moved = problem.family.perturb(copies, 1.0, rng)
        return Mixture(problem.family, np.full(n_components, -np.log(n_components)), moved)
