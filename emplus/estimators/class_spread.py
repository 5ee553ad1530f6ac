"""Columns that do not vary within a class, though they do among all rows.

Such a column would have next to no variance in its class, and the first row of the class that
differs there would count as impossible. The phantom rows of the class's prior are therefore spread
there like the rows of a typical class, and are at least one row where their number is not given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.memory import ArraySource
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.families.base import Family
from emplus.numerics.moments import Moments

__all__ = ["Spread", "steadied"]

Array = NDArray[np.floating]

_LEAST_ROWS = 1.0


@dataclass(frozen=True)
class Spread:
    """How a class is spread beside the others.

    Parameters
    ----------
    constant : (d,) ndarray of bool
        Columns that vary among all rows but not in this class.
    variances : (d,) ndarray
        Of a typical class.
    weight : float
        Rows of the class.
    """

    constant: NDArray[np.bool_]
    variances: Array
    weight: float

    def take(self, columns: NDArray[np.intp]) -> Spread:
        """The same of some of the columns."""
        return Spread(self.constant[columns], self.variances[columns], self.weight)


def spreads(moments: list[Moments]) -> list[Spread]:
    """How each class is spread, from the moments of each."""
    whole = reduce(add, moments)
    scatter = sum(one.variance * one.present for one in moments)
    pooled = scatter / np.maximum(sum(one.present for one in moments), 1e-300)
    # Where no class varies, all that is known is how far they are from each other.
    variances = np.where(pooled > 0, pooled, whole.variance)
    return [Spread(one.constant & ~whole.constant, variances, float(one.weight)) for one in moments]


def steadied(fits: list[Any], sources: list[ArraySource]) -> list[Any]:
    """The fits, those of classes with such columns climbed on under priors that know of them."""
    moments = [source.moments(full=False) for source in sources]
    for one, source, spread in zip(fits, sources, spreads(moments), strict=True):
        if not spread.constant.any():
            continue
        least = _LEAST_ROWS if getattr(one, "reg_covar", "auto") == "auto" else 0.0
        prior = _widened(one.mixture_.family, one.prior_, spread, least)
        problem = Problem(one.mixture_.family, source, prior)
        climb = one._engine(source.total_weight).climb(problem, one.mixture_)
        if climb.outcome not in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED):
            continue
        one._adopt(
            replace(
                one.result_,
                mixture=climb.state.mixture,
                log_likelihood=climb.state.log_likelihood,
                log_prior=climb.state.log_prior,
                trace=climb.objectives,
                log_likelihoods=climb.log_likelihoods,
            )
        )
        one.prior_ = prior
    return fits


def _widened(family: Family, prior: Any, spread: Spread, least: float) -> Any:
    """The prior with phantom rows that are spread like a typical class where this one is not."""
    if family.parts:
        return tuple(
            _widened(part, own, spread.take(np.asarray(columns)), least)
            for (part, columns), own in zip(family.parts, prior, strict=True)
        )
    if not hasattr(prior, "variances") or not prior.strength or not spread.constant.any():
        return prior
    strength = max(prior.strength, least)
    if not hasattr(prior, "fixed"):
        wide = np.where(spread.constant, spread.variances, prior.variances)
        return replace(prior, strength=strength, variances=wide)
    # A factor analyzer's noise is held where a column does not vary: at what phantom rows leave.
    left = spread.variances * strength / (spread.weight + strength)
    wide = np.where(spread.constant, left, prior.variances)
    return replace(prior, variances=wide, noise=np.where(spread.constant, left, prior.noise))
