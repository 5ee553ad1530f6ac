"""How many optima there may be: counting those that were hit, and those that were not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Optima", "count_optima"]


@dataclass(frozen=True)
class Optima:
    """How often each distinct optimum was hit, the highest first.

    Examples
    --------
    >>> Optima((3, 1, 1)).chance_of_new
    0.4
    """

    hits: tuple[int, ...]

    @property
    def n_runs(self) -> int:
        """Runs that ended at an optimum."""
        return sum(self.hits)

    @property
    def n_once(self) -> int:
        """Optima that were hit once."""
        return sum(count == 1 for count in self.hits)

    @property
    def chance_of_new(self) -> float:
        """Chance that the next run ends at an optimum not seen yet; NaN without runs.

        The share of the runs whose optimum no other run hit, which is the estimate that I. J. Good,
        "The population frequencies of species and the estimation of population parameters",
        Biometrika 40 (1953), equation (9), gives with A. M. Turing's argument.
        """
        return self.n_once / self.n_runs if self.n_runs else math.nan

    def sentence(self, name: str) -> str:
        """What this says of the search of that name.

        Examples
        --------
        >>> for part in Optima((3, 1, 1)).sentence("plain EM").split(": "):
        ...     print(part)
        plain EM from 5 starts hit 3 distinct optima, 2 of them once
        a further start would find a new one with probability about 0.40.
        """
        runs, found = self.n_runs, len(self.hits)
        if not runs:
            return f"{name} reached no optimum."
        starts = "1 start" if runs == 1 else f"{runs} starts"
        optima = "1 optimum" if found == 1 else f"{found} distinct optima"
        once = f"{self.n_once if self.n_once else 'none'} of them once"
        if found == 1:
            once = "once" if runs == 1 else "every time"
        chance = "about 0" if not self.n_once else f"about {self.chance_of_new:.2f}"
        return (
            f"{name} from {starts} hit {optima}, {once}: a further start would find a new one "
            f"with probability {chance}."
        )


def count_optima(objectives: Iterable[float], same: float) -> Optima:
    """Group final objectives into distinct optima.

    Climbs stop below their optimum, never above it; so an optimum holds the highest objective that
    is not in another, and all those at most ``same`` nats below it.

    Parameters
    ----------
    objectives : iterable of float, length r
        Nats.
    same : float

    Notes
    -----
    Optima whose objectives agree by chance or by symmetry count as one, which makes
    ``chance_of_new`` too small. Cost: O(r log r).

    Examples
    --------
    >>> count_optima([-5.0, -1.0, -1.001, -9.0, -5.0], same=0.01).hits
    (2, 2, 1)
    """
    hits: list[int] = []
    top = math.inf
    for value in sorted(objectives, reverse=True):
        if not hits or top - value > same:
            hits.append(0)
            top = value
        hits[-1] += 1
    return Optima(tuple(hits))
