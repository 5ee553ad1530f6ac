"""The path from k components to k + 1 and back: starts made of a neighbouring fit.

The fit of k + 1 components is sought next to that of k: its best split, as the scout prices it, is
where the next climb starts from. So the log-likelihood does not fall on the way up where the prior
stays the same, and what was worked out for k is not thrown away. On the way down the cheapest merge
does the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from emplus.engine.loop import Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, FitError
from emplus.mixture import Mixture
from emplus.search.assignment import Sample
from emplus.search.patches import FREE, Patch, patched
from emplus.search.scout import Scout

__all__ = ["Grown", "Shrunk"]

# Splits that are carried on after the first heat of their race.
_CARRIED = 4

# Between two steps the whole mixture climbs a little, because what its components share is held
# while one is split. Who asked for the start climbs from the last step.
_BETWEEN = Engine(stopping=Stopping(max_iter=10))

# A scout works out the splits that a merge can pay for; on this path nobody has to pay.
_FREE_OF_CHARGE = Patch((0,), (0,), (), 0.0, 0.0, np.empty(0), None)


@final
@dataclass(frozen=True)
class Grown:
    """A start with more components: a mixture's best split, again until there are enough.

    Parameters
    ----------
    mixture : Mixture
        A fit of the same family with no more components than are asked for.
    """

    mixture: Mixture

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """The mixture with components split in two.

        Raises
        ------
        ArgumentError
            If the mixture has more components than that, or does not belong to the problem.
        FitError
            If no component has rows that can be told apart.

        Notes
        -----
        Cost of each split: one pass over the rows, and some iterations with each component on its
        own rows; ten iterations between one split and the next.
        """
        mixture = _checked(self.mixture, problem)
        if mixture.n_components > n_components:
            raise ArgumentError(
                f"A mixture of {mixture.n_components} components cannot grow to {n_components}."
            )
        sample = Sample(problem, n_components, rng)
        while mixture.n_components < n_components:
            mixture = _split(mixture, Scout(problem, sample))
            if mixture.n_components < n_components:
                mixture = _climbed(problem, mixture)
        return mixture


@final
@dataclass(frozen=True)
class Shrunk:
    """A start with fewer components: a mixture's cheapest merge, again until few enough are left.

    Parameters
    ----------
    mixture : Mixture
        A fit of the same family with no fewer components than are asked for.
    """

    mixture: Mixture

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """The mixture with components merged.

        Raises
        ------
        ArgumentError
            If the mixture has fewer components than that, or does not belong to the problem.
        FitError
            If no two components can be merged.
        """
        mixture = _checked(self.mixture, problem)
        if mixture.n_components < n_components:
            raise ArgumentError(
                f"A mixture of {mixture.n_components} components cannot shrink to {n_components}."
            )
        sample = Sample(problem, mixture.n_components, rng)
        while mixture.n_components > n_components:
            mixture = _merge(mixture, Scout(problem, sample))
            if mixture.n_components > n_components:
                mixture = _climbed(problem, mixture)
        return mixture


def _checked(mixture: Mixture, problem: Problem) -> Mixture:
    if mixture.family != problem.family or mixture.n_features != problem.source.n_features:
        raise ArgumentError("The given mixture is of another family, or has other columns.")
    return mixture


def _climbed(problem: Problem, mixture: Mixture) -> Mixture:
    climb = _BETWEEN.climb(problem, mixture)
    if climb.outcome is Outcome.INTERRUPTED:
        # There is no mixture yet of the size that was asked for.
        raise KeyboardInterrupt
    return climb.state.mixture


def _split(mixture: Mixture, scout: Scout) -> Mixture:
    scout.look(mixture)
    splits = [s for s in scout.splits([_FREE_OF_CHARGE], _CARRIED) if np.isfinite(s.gain)]
    if not splits:
        raise FitError(
            f"None of the {mixture.n_components} components can be split: "
            "there are too few distinct rows."
        )
    best, k = splits[0], mixture.n_components
    parameters: Any = mixture.parameters
    # Room for the added component, which the patch fills.
    room = parameters.take(np.append(np.arange(k), best.core[0]))
    log_weights = np.append(mixture.log_weights, -np.inf)
    return patched(Mixture(mixture.family, log_weights, room), [(best, k)])


def _merge(mixture: Mixture, scout: Scout) -> Mixture:
    scout.look(mixture)
    merges = [merge for merge in scout.merges() if np.isfinite(merge.gain)]
    if not merges:
        raise FitError(f"No two of the {mixture.n_components} components can be merged.")
    _, removed = merges[0].core
    left = [j for j in range(mixture.n_components) if j != removed]
    return patched(mixture, [(merges[0], FREE)]).take(left)
