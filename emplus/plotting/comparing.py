"""Every run of a comparison of searches, as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.search.comparison import Comparison

__all__ = ["Runs", "Searches", "searches"]

Floats = NDArray[np.float64]

_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of one search.

    Attributes
    ----------
    search : str
    gaps : ndarray (r,)
        Nats a row that each run ended below the best known, 0 for the best itself.
    seconds, passes : ndarray (r,)
        What each run cost.
    places : ndarray (r,)
        Where each point stands across its column, in [-1, 1], apart from its neighbours.
    n_failed : int
        Runs without a result, which are not among the points.
    n_at_best : int
        Runs within ``near`` of the best known.
    """

    search: str
    gaps: Floats
    seconds: Floats
    passes: Floats
    places: Floats
    n_failed: int
    n_at_best: int

    @property
    def n_runs(self) -> int:
        """Runs made, those that failed included."""
        return len(self.gaps) + self.n_failed


@dataclass(frozen=True, eq=False)
class Searches:
    """What a comparison found.

    Attributes
    ----------
    runs : tuple of Runs
        One a search.
    best : float
        Best log-likelihood known, nats a row.
    near : float
        Nats a row below it that still count as there.
    interrupted : bool
    note : str
        What the first search's runs say of optima not seen yet.
    """

    runs: tuple[Runs, ...]
    best: float
    near: float
    interrupted: bool
    note: str


def searches(comparison: Comparison) -> Searches:
    """Every run of every search, below the best known; O(runs log runs).

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    searches : Searches
    """
    weight = comparison.total_weight
    best = comparison.best_log_likelihood
    found = []
    for name in comparison.searches:
        trials = comparison.of(name)
        if not trials:
            continue
        ended = [trial for trial in trials if trial.outcome is not None]
        gaps = np.array([(best - trial.log_likelihood) / weight for trial in ended], dtype=float)
        found.append(
            Runs(
                search=name,
                gaps=gaps,
                seconds=np.array([trial.seconds for trial in ended], dtype=float),
                passes=np.array([trial.passes for trial in ended], dtype=float),
                places=_places(gaps),
                n_failed=len(trials) - len(ended),
                n_at_best=int((gaps <= comparison.near).sum()),
            )
        )
    first = found[0].search
    named = "Plain EM" if first == "em" else first
    return Searches(
        runs=tuple(found),
        best=best / weight,
        near=comparison.near,
        interrupted=comparison.interrupted,
        note=comparison.optima(first).sentence(named),
    )


def _places(gaps: Floats) -> Floats:
    """Places in the order of height, spread so that neighbours in height stand far apart."""
    places = np.empty(len(gaps))
    places[np.argsort(gaps, kind="stable")] = np.mod(0.5 + _GOLDEN * np.arange(len(gaps)), 1.0)
    return 2.0 * places - 1.0
