"""Online EM: parameters that follow a stream of blocks, each of which is seen once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, final

import numpy as np

from emplus.data.base import Source
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from emplus.mixture import Mixture

__all__ = ["DecayingRate", "Forgetting", "LearningRate", "Stream", "as_rate", "mini_batch"]


# Rows of a mini-batch: so many at least, and for each free parameter of a column.
_FEWEST_ROWS, _ROWS_A_NUMBER = 2000, 10


class LearningRate(Protocol):
    """How much of what is known some rows replace."""

    def share(self, before: float, size: float, part: float) -> float:
        """The share of a mini-batch, above 0 and at most 1.

        ``before`` is how much has been seen and ``size`` how much there is now, in usual
        mini-batches; ``part`` is how much the mini-batch is of the block that was given.
        """


@final
@dataclass(frozen=True)
class DecayingRate:
    """(t + offset)^-exponent, the step sizes of stepwise EM (Cappé & Moulines 2009, section 2.1).

    t counts mini-batches by their rows, so it does not matter in which blocks the rows come. Rows
    never weigh less than those before them, which matters while fewer than a mini-batch were seen.

    Parameters
    ----------
    exponent : float
        kappa, above 0.5 and at most 1: then the stream comes to rest at a stationary point of
        the expected log-likelihood, if its rows keep coming from one distribution. With 1 all
        rows weigh the same in the end; less forgets early ones, told apart by poor parameters.
    offset : float
        t_0, at least 0.

    Raises
    ------
    ArgumentError
        If they lie elsewhere.

    Examples
    --------
    >>> rate = DecayingRate(exponent=1.0, offset=1.0)
    >>> [round(rate.share(before, size=1.0, part=1.0), 3) for before in (1, 2, 3)]
    [0.5, 0.333, 0.25]
    """

    exponent: float = 0.6
    offset: float = 2.0

    def __post_init__(self) -> None:
        if not 0.5 < self.exponent <= 1.0:
            raise ArgumentError(
                f"A rate's exponent must be above 0.5 and at most 1; it is {self.exponent!r}."
            )
        if not 0.0 <= self.offset < float("inf"):
            raise ArgumentError(f"A rate's offset must be at least 0; it is {self.offset!r}.")

    def share(self, before: float, size: float, part: float) -> float:
        """1 - (1 - step)^size: more rows count as more steps; never less than their equal part."""
        step = float(max(before + self.offset, 1.0) ** -self.exponent)
        return float(max(1.0 - (1.0 - step) ** size, size / (before + size)))


@final
@dataclass(frozen=True)
class Forgetting:
    """The same share for every block, for streams that drift: what is old fades away.

    Parameters
    ----------
    rate : float
        Above 0 and below 1: how much of what is known a block replaces, however many rows it
        has. 1 - rate is the forgetting factor; after log(2) / rate blocks half is forgotten.

    Raises
    ------
    ArgumentError
        If it lies elsewhere.

    Examples
    --------
    >>> round(Forgetting(0.1).share(before=7.0, size=1.0, part=1.0), 3)
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ArgumentError(
                f"A constant learning rate must be above 0 and below 1; it is {self.rate!r}."
            )

    def share(self, before: float, size: float, part: float) -> float:
        """All parts of a block together replace the same."""
        return float(1.0 - (1.0 - self.rate) ** part)


def as_rate(rate: Any) -> LearningRate:
    """A learning rate from None (decaying), a number (constant) or a rate itself.

    Raises
    ------
    ArgumentError
        If it is none of these.
    """
    if rate is None:
        return DecayingRate()
    if isinstance(rate, int | float | np.number) and not isinstance(rate, bool):
        return Forgetting(float(rate))
    if hasattr(rate, "share"):
        given: LearningRate = rate
        return given
    raise ArgumentError(
        f"learning_rate={rate!r} is neither None, a number, nor a rate such as DecayingRate()."
    )


def mini_batch(mixture: Mixture) -> int:
    """Rows of a usual mini-batch: at least 2,000, and as many as can tell the parameters."""
    return max(_FEWEST_ROWS, _ROWS_A_NUMBER * mixture.n_free_parameters // mixture.n_features)


@final
@dataclass(frozen=True)
class Stream:
    """What a stream has taught so far: a mixture, and how much stands behind it.

    Stepwise EM (Cappé & Moulines 2009, equation 12; :eq:`stepwise`): the statistics of a block,
    expected under the present parameters, replace a share of those remembered, and the M step
    follows. What is remembered is the mixture itself: a family knows which statistics its
    parameters imply, so for exponential families this is their algorithm exactly, and for factor
    analyzers, whose statistics change their meaning with the parameters, nothing old has to be
    translated.

    Parameters
    ----------
    mixture : Mixture
    seen : float
        Weight of all rows so far.
    size : float
        Rows that the mixture stands for, by which the prior is outweighed: the effective number
        1 / sum_i w_i^2 of rows of weights w_i, which forgetting keeps from growing.
    rate : LearningRate
    """

    mixture: Mixture
    seen: float
    size: float
    rate: LearningRate = field(default_factory=DecayingRate)

    @classmethod
    def after(cls, mixture: Mixture, weight: float, rate: LearningRate) -> Stream:
        """The stream after a fit to rows of so much weight."""
        return cls(mixture, weight, weight, rate)

    def learned(self, source: Source, prior: Any) -> tuple[Stream, float]:
        """The stream after some more rows, and their log-likelihood, each before it was learned.

        They are taken in mini-batches of at least 2,000 rows, and of as many as can tell the
        parameters: more steps help more than larger ones.

        Raises
        ------
        SingularComponentError
            If a component collapses, which a proper prior rules out.

        Notes
        -----
        One pass over the rows.
        """
        whole, usual = source.total_weight, mini_batch(self.mixture)
        stream, total = self, 0.0
        for part in source.parts(source.n_rows // usual):
            if (weight := part.total_weight) > 0.0:
                share = self.rate.share(stream.seen / usual, weight / usual, weight / whole)
                stream, log_likelihood = stream._after(part, prior, share)
                total += log_likelihood
        return stream, total

    def _after(self, source: Source, prior: Any, share: float) -> tuple[Stream, float]:
        family, weight = self.mixture.family, source.total_weight
        problem = Problem(family, source, prior)
        state = problem.evaluate(self.mixture)
        size = 1.0 / ((1.0 - share) ** 2 / self.size + share**2 / weight)
        known = family.implied(self.mixture.parameters, self.size * self.mixture.weights, prior)
        known = known.scaled((1.0 - share) * size / self.size)
        mixture = problem.maximize(known + state.statistics.scaled(share * size / weight))
        following = replace(self, mixture=mixture, seen=self.seen + weight, size=size)
        return following, state.log_likelihood
