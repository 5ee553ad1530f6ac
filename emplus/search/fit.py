"""What a search returns: the best mixture, how it was reached, and everything that was tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emplus.engine.loop import Climb
from emplus.engine.outcome import Outcome
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture

__all__ = ["Fit", "Run"]


@dataclass(frozen=True)
class Run:
    """One start and where it ended. Totals are in nats; ``seconds`` is wall-clock time.

    A start that gave no mixture to climb from has no passes, and -inf for both totals.
    """

    start: int
    outcome: Outcome
    log_likelihood: float
    objective: float
    n_iter: int
    passes: int
    seconds: float
    component: int | None = None

    @classmethod
    def of(cls, start: int, climb: Climb, seconds: float) -> Run:
        """The record of one climb."""
        return cls(
            start,
            climb.outcome,
            climb.state.log_likelihood,
            climb.state.objective,
            climb.n_iter,
            climb.passes,
            seconds,
            climb.component,
        )

    @classmethod
    def never_begun(cls, start: int, error: SingularComponentError, seconds: float) -> Run:
        """The record of a start whose own first mixture was singular."""
        nothing = -math.inf
        return cls(start, Outcome.SINGULAR, nothing, nothing, 0, 0, seconds, error.component)


@dataclass(frozen=True)
class Fit:
    """The best mixture that a search found.

    Parameters
    ----------
    mixture : Mixture
    log_likelihood, log_prior : float
        Totals in nats, of this mixture.
    outcome : Outcome
        How the run that found it ended.
    n_iter : int
        Its iterations.
    passes : int
        Passes over the rows of the whole search.
    trace, log_likelihoods : tuple of float
        Objective and log-likelihood at each pass of that run, the start's first.
    runs : tuple of Run
        Every start and where it ended.
    seconds : float
        Wall-clock time of the whole search.
    n_rows : int
    total_weight : float
        Sum of the row weights.
    """

    mixture: Mixture
    log_likelihood: float
    log_prior: float
    outcome: Outcome
    n_iter: int
    passes: int
    trace: tuple[float, ...]
    log_likelihoods: tuple[float, ...]
    runs: tuple[Run, ...]
    seconds: float
    n_rows: int
    total_weight: float

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior."""
        return self.log_likelihood + self.log_prior
