"""What several searches found from the same seeds, and its summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emplus.engine.outcome import Outcome
from emplus.search.fit import Fit
from emplus.search.optima import Optima, count_optima

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NEAR", "Comparison", "Summary", "Trial"]

NEAR = 1e-3
"""Nats a row within which a run counts as at the best known."""


@dataclass(frozen=True)
class Trial:
    """One search from one seed.

    Parameters
    ----------
    search : str
    seed : int
    log_likelihood, objective : float
        Totals in nats of the mixture found, the second with the log prior; -inf after a failure.
    passes : float
        Passes over the rows, what was rejected included.
    seconds : float
        Wall-clock time of the whole search.
    tried, accepted : int
        Candidates.
    outcome : Outcome or None
        None if no start led to usable parameters; ``failure`` then says how they ended.
    failure : str
    """

    search: str
    seed: int
    log_likelihood: float
    objective: float
    passes: float
    seconds: float
    tried: int
    accepted: int
    outcome: Outcome | None
    failure: str = ""


@dataclass(frozen=True)
class Summary:
    """What one search did over the seeds; see `Comparison.to_frame` for the columns.

    ``median``, ``worst`` and ``best`` are final log-likelihoods, ``median_gap`` and ``worst_gap``
    how far they are below the best known, all in nats a row. Failed runs count as -inf.
    """

    search: str
    runs: int
    failed: int
    median: float
    worst: float
    best: float
    median_gap: float
    worst_gap: float
    at_best: float
    passes: float
    seconds: float
    optima: int
    once: int
    chance_of_new: float


@dataclass(frozen=True)
class Comparison:
    """What several searches found from the same seeds.

    Parameters
    ----------
    searches : tuple of str
    trials : tuple of Trial
        In the order they were made.
    best : Fit
        The fit with the highest objective of all.
    same : float
        Nats by which two objectives may differ and still belong to one optimum.
    near : float
        Nats a row within which a run is at the best known.
    interrupted : bool
        Whether a person ended it before all runs were made.
    """

    searches: tuple[str, ...]
    trials: tuple[Trial, ...]
    best: Fit
    same: float
    near: float = NEAR
    interrupted: bool = False

    @property
    def total_weight(self) -> float:
        """Sum of the row weights."""
        return self.best.total_weight

    @property
    def best_log_likelihood(self) -> float:
        """Highest log-likelihood of any run of any search, nats."""
        return max(trial.log_likelihood for trial in self.trials)

    def of(self, search: str) -> tuple[Trial, ...]:
        """The trials of one search."""
        return tuple(trial for trial in self.trials if trial.search == search)

    def optima(self, search: str) -> Optima:
        """The distinct optima that one search hit."""
        ended = [trial.objective for trial in self.of(search) if trial.outcome is not None]
        return count_optima(ended, self.same)

    def summaries(self) -> tuple[Summary, ...]:
        """One for each search that made a run, in the order they were asked for."""
        return tuple(self._summary(name) for name in self.searches if self.of(name))

    def _summary(self, search: str) -> Summary:
        trials, optima = self.of(search), self.optima(search)
        values = np.array([trial.log_likelihood for trial in trials]) / self.total_weight
        known = self.best_log_likelihood / self.total_weight
        median, worst = float(np.median(values)), float(values.min())
        return Summary(
            search=search,
            runs=len(trials),
            failed=sum(trial.outcome is None for trial in trials),
            median=median,
            worst=worst,
            best=float(values.max()),
            median_gap=known - median,
            worst_gap=known - worst,
            at_best=float(np.mean(values >= known - self.near)),
            passes=float(np.median([trial.passes for trial in trials])),
            seconds=float(np.median([trial.seconds for trial in trials])),
            optima=len(optima.hits),
            once=optima.n_once,
            chance_of_new=optima.chance_of_new,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a search.

        Columns: search; runs, failed: how many; median, worst, best: final log-likelihood, nats a
        row; median_gap, worst_gap: nats a row below the best known; at_best: share of the runs
        within ``near`` of the best known; passes, seconds: medians; optima, once: distinct optima
        hit, and those hit once; chance_of_new: see `Optima`.
        """
        import pandas as pd

        rows = self.summaries()
        return pd.DataFrame(
            {n: [getattr(r, n) for r in rows] for n in Summary.__dataclass_fields__}
        )

    def trials_frame(self) -> pd.DataFrame:
        """One row a run, the columns named like the attributes of `Trial`."""
        import pandas as pd

        names = Trial.__dataclass_fields__
        columns = {name: [getattr(trial, name) for trial in self.trials] for name in names}
        columns["outcome"] = ["failed" if o is None else o.value for o in columns["outcome"]]
        return pd.DataFrame(columns)
