"""What a search returns: the best mixture, how it was reached, and everything that was tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emplus.engine.loop import Climb
from emplus.engine.outcome import Outcome
from emplus.families.base import SingularComponentError
from emplus.markup import box, facts, table
from emplus.mixture import Mixture
from emplus.search.record import Candidates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fit", "Run"]


@dataclass(frozen=True)
class Run:
    """One start and where it ended. Totals are in nats; ``seconds`` is wall-clock time.

    A start that gave no mixture to climb from has no passes, and -inf for both totals. ``short``
    says that the run was broken off early; where it was carried on, that is a run of its own.
    """

    start: int
    outcome: Outcome
    log_likelihood: float
    objective: float
    n_iter: int
    passes: int
    seconds: float
    component: int | None = None
    short: bool = False

    @classmethod
    def of(
        cls, start: int, climb: Climb, seconds: float, *, passes: int, short: bool = False
    ) -> Run:
        """The record of one climb that took so many passes, those before it included."""
        return cls(
            start,
            climb.outcome,
            climb.state.log_likelihood,
            climb.state.objective,
            climb.n_iter,
            passes,
            seconds,
            climb.component,
            short,
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
        Iterations that led to it.
    passes : float
        Passes over the rows of the whole search, what was rejected included.
    trace, log_likelihoods : tuple of float
        Objective and log-likelihood at each pass that led to it: the start's climb, then the
        climbs of the accepted candidates. It falls only where a candidate begins.
    runs : tuple of Run
        Every start and where it ended.
    seconds : float
        Wall-clock time of the whole search.
    n_rows : int
    total_weight : float
        Sum of the row weights.
    candidates : Candidates
        Every change that the search tried, whether accepted or not.
    """

    mixture: Mixture
    log_likelihood: float
    log_prior: float
    outcome: Outcome
    n_iter: int
    passes: float
    trace: tuple[float, ...]
    log_likelihoods: tuple[float, ...]
    runs: tuple[Run, ...]
    seconds: float
    n_rows: int
    total_weight: float
    candidates: Candidates = field(default_factory=Candidates)

    @classmethod
    def restored(
        cls,
        mixture: Mixture,
        summary: Mapping[str, Any],
        trace: Iterable[float],
        log_likelihoods: Iterable[float],
    ) -> Fit:
        """A fit without its runs, from what a model file says of it."""
        trace = tuple(float(value) for value in trace)
        return cls(
            mixture=mixture,
            log_likelihood=float(summary["log_likelihood"]),
            log_prior=float(summary["log_prior"]),
            outcome=Outcome(summary["outcome"]),
            n_iter=int(summary["n_iter"]),
            passes=float(summary.get("passes", len(trace))),
            trace=trace,
            log_likelihoods=tuple(float(value) for value in log_likelihoods),
            runs=(),
            seconds=float(summary["seconds"]),
            n_rows=int(summary["n_rows"]),
            total_weight=float(summary["total_weight"]),
        )

    @property
    def objective(self) -> float:
        """Log-likelihood plus log prior."""
        return self.log_likelihood + self.log_prior

    @property
    def rise(self) -> float:
        """Nats gained by the accepted candidates together."""
        return math.fsum(candidate.gain for candidate in self.candidates.accepted)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.to_html("Fit")

    def to_html(self, title: str) -> str:
        """A summary in HTML: how it was reached, and the weights of the components."""
        weights = self.mixture.weights
        rows = [
            (str(j), f"{weight:.4f}", f"{weight * self.total_weight:.1f}")
            for j, weight in enumerate(weights.tolist())
        ]
        return box(title, facts(self._facts()), table(("component", "weight", "rows"), rows))

    def _facts(self) -> list[tuple[str, str]]:
        family, k = self.mixture.family, self.mixture.n_components
        chosen = ", ".join(
            f"{name} {value}"
            for name, value in family.config().items()
            if isinstance(value, str | int | float)
        )
        components = f"{k} component{'s' * (k != 1)}, {self.mixture.n_features} columns"
        a_row = self.log_likelihood / self.total_weight
        streamed = self.outcome is Outcome.STREAMED
        free = self.mixture.n_free_parameters
        bic = free * math.log(max(self.total_weight, 1e-300)) - 2.0 * self.log_likelihood
        accepted, tried = len(self.candidates.accepted), len(self.candidates)
        moves = [("moves", f"{tried:,} tried, {accepted:,} accepted")] if tried else []
        return [
            ("family", f"{family.name}{chosen and f' ({chosen})'}"),
            ("mixture", components),
            ("rows", f"{self.n_rows:,} of total weight {self.total_weight:.10g}"),
            ("log-likelihood", f"{a_row:.6f} a row"),
            # What a stream scored before it learned is not of this model.
            *([] if streamed else [("BIC", f"{bic:.2f} (lower is better)")]),
            ("outcome", self.outcome.sentence),
            *moves,
            ("cost", f"{self.passes:.4g} passes, {self.seconds:.3g} s"),
        ]

    def to_frame(self) -> pd.DataFrame:
        """The trace as a table: pass, objective, log_likelihood, candidate, move.

        ``candidate`` numbers the accepted candidate that a pass belongs to, -1 for the start's own
        climb; ``move`` names its kind on its first pass and is empty elsewhere. The table of
        candidates is ``candidates.to_frame()``.
        """
        import pandas as pd

        owner, move = [-1] * len(self.trace), [""] * len(self.trace)
        for number, candidate in enumerate(self.candidates):
            if candidate.accepted:
                owner[candidate.start :] = [number] * (len(self.trace) - candidate.start)
                move[candidate.start] = candidate.kind
        return pd.DataFrame(
            {
                "pass": range(1, len(self.trace) + 1),
                "objective": self.trace,
                "log_likelihood": self.log_likelihoods,
                "candidate": owner,
                "move": move,
            }
        )
