"""Split-and-merge EM."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, FitError, UnknownNameError
from emplus.search.base import Budget, Draw, Search
from emplus.search.diverse import diverse, n_diverse
from emplus.search.fit import Fit
from emplus.search.local_moves import COARSE, LocalSplitMerge
from emplus.search.restarts import Restarts, check_starts, joined
from emplus.search.ueda import UedaSplitMerge, regularized
from emplus.search.walk import Walk, loosened

__all__ = ["SplitMerge"]

_VARIANTS = ("local", "ueda")

# Tolerance, nats a row, of starts that are compared with each other, and nats by which one must be
# better to count as another end.
_FINE, _BETTER = 1e-6, 0.05

# Starts where there are too few components for a triple.
_STARTS = 5


@final
@dataclass(frozen=True)
class SplitMerge:
    """Split-and-merge EM: leave a local optimum by moving a component to where it is needed.

    Parameters
    ----------
    variant : {'local', 'ueda'}
        ``local`` prices merges, splits and new cuts by partial EM on the rows they concern, makes
        many moves at once, and then looks for the best single ones; ``ueda`` is the algorithm of
        Ueda, Nakano, Ghahramani & Hinton (2000), see `UedaSplitMerge`.
    first : Search
        Where it starts from: plain EM from one start by default, any other search.
    budget : Budget
    max_candidates : int
        ``ueda`` ends when so many candidates in a row have failed: their C_max.
    regularization : float, optional
        ``ueda`` only: their lambda, which makes the M step Sigma_j = (S_j + lambda I) / (n_j + 1),
        equation (20), in squared units of the data, in place of the problem's own prior. The
        objective is then the one that belongs to it.
    further : bool
        Whether further starts are tried where the first search draws few and one is often not
        enough, see the notes. A start that carries on from an earlier fit needs none.

    Raises
    ------
    UnknownNameError
        If there is no such variant.
    ArgumentError
        If max_candidates is below 1, or the regularization is not positive and finite, does not go
        with the variant, or (when called) not with the family.

    Notes
    -----
    Prices are lower bounds by equation :eq:`price` of the theory page; a candidate is kept where
    the objective, :eq:`objective`, ends higher. With one component there is nothing to move and
    this is the first search alone. With two there is no triple: where the first search draws fewer
    than five starts, others are tried up to that number by short runs, the best of them carried on;
    ``local`` then still cuts the two anew. On small tables of counts, or with holes, up to eighteen
    starts of several kinds are tried.

    Examples
    --------
    >>> SplitMerge("ueda", regularization=0.1).max_candidates
    5
    """

    variant: str = "local"
    first: Search = field(default_factory=Restarts)
    budget: Budget = field(default_factory=Budget)
    max_candidates: int = 5
    regularization: float | None = None
    further: bool = True

    def __post_init__(self) -> None:
        if self.variant not in _VARIANTS:
            raise UnknownNameError("variant of split-and-merge", self.variant, _VARIANTS)
        check_starts("max_candidates", self.max_candidates)
        value: object = self.regularization
        if value is None:
            return
        if not isinstance(value, int | float) or not 0.0 < value < math.inf:
            raise ArgumentError(f"A regularization must be positive and finite; it is {value!r}.")
        if self.variant != "ueda":
            raise ArgumentError("A regularization goes with the variant 'ueda' only.")

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Search from where the first search ends; see `Search`."""
        if self.regularization is not None:
            problem = regularized(problem, self.regularization)
        local = self.variant == "local"
        coarse = loosened(engine, COARSE) if local else engine
        fit = self._first(coarse, problem, draw, rng)
        walk = Walk(engine, problem, fit, self.budget)
        k = fit.mixture.n_components

        def explore() -> None:
            if local and k > 1:
                LocalSplitMerge(walk, rng).run()
            elif local and not walk.interrupted:
                walk.settle()
            elif k > 2 and walk.goes_on():
                UedaSplitMerge(walk, rng, self.max_candidates).run()

        return walk.explored(explore)

    def _among(
        self,
        fit: Fit,
        engine: Engine,
        problem: Problem,
        draw: Draw,
        rng: np.random.Generator,
        more: int,
    ) -> Fit:
        """The first start's end, or a better one of further starts of several kinds."""
        fine = replace(engine, stopping=replace(engine.stopping, tol=_FINE))
        walk = Walk(fine, problem, fit, Budget())
        walk.settle()
        fit = walk.result()
        if walk.interrupted:
            return fit
        starts = diverse(problem, fit.mixture.n_components, draw)
        both = joined(fit, Restarts(more).among(fine, problem, starts, rng))
        if both.objective > fit.objective + _BETTER:
            return both
        # The same end, but for what is left of the climb: the components keep their numbers.
        outcome = Outcome.INTERRUPTED if both.outcome is Outcome.INTERRUPTED else fit.outcome
        return replace(
            fit, outcome=outcome, passes=both.passes, runs=both.runs, seconds=both.seconds
        )

    def _first(self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator) -> Fit:
        first = self.first
        fit = first(engine, problem, draw, rng)
        stopped = fit.outcome is Outcome.INTERRUPTED or not self.budget.allows(0.0, 0.0, 0)
        if stopped or not self.further or not isinstance(first, Restarts):
            return fit
        k = fit.mixture.n_components
        more = n_diverse(problem, k) - first.n_init
        further = _STARTS - first.n_init if k == 2 else 0
        try:
            if more > 0:
                return self._among(fit, engine, problem, draw, rng, more)
            if further > 0:
                return joined(fit, Restarts(further, carried=1)(engine, problem, draw, rng))
        except FitError:
            # One end is enough, whatever became of the others.
            return fit
        return fit
