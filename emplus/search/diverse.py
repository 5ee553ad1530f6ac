"""Starts of several kinds: what one misses another finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emplus.engine.problem import Problem
from emplus.families.base import counts_only
from emplus.search.base import Draw
from emplus.starts.base import Start
from emplus.starts.given import RandomResponsibilities
from emplus.starts.perturbed import Perturbed

__all__ = ["diverse", "n_diverse"]

# Starts where a pass costs next to nothing, and numbers in a pass of all of them together.
_MOST = 18
_NUMBERS = 1 << 22


def n_diverse(problem: Problem, n_components: int) -> int:
    """How many starts are worth their cost: some on small tables of counts or with holes.

    Answers to a few questions tell components apart so little that EM has many ends: with three
    latent classes in the four questions of ``gss82``, half of all starts miss the best (Linzer &
    Lewis 2011). So do few rows of which much is missing. On large tables there is more to tell
    components by, and a start costs more.
    """
    d = problem.source.n_features
    if n_components == 1 or problem.source.labels is not None:
        return 0
    if counts_only(problem.family):
        terms = sum(max(number, 1) for number in problem.family.levels or (1,) * d)
    elif problem.moments.missing:
        terms = d**3
    else:
        return 0
    return min(_MOST, _NUMBERS // (problem.source.n_rows * n_components * terms))


def diverse(problem: Problem, n_components: int, draw: Draw) -> Callable[[int], Draw]:
    """Starts of three kinds by turns, by their numbers.

    As asked for, from random responsibilities, from random parameters.
    """

    def numbered(number: int) -> Draw:
        if number % 3 == 0:
            return draw
        start: Start = RandomResponsibilities() if number % 3 == 1 else Perturbed()
        return partial(start, problem, n_components)

    return numbered
