"""When a run ends."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stopping"]


@dataclass(frozen=True)
class Stopping:
    """When a run ends.

    Parameters
    ----------
    tol : float
        The run has converged when the objective changes by no more than this, in nats a row
        (per unit of weight).
    max_iter : int
        Most iterations.
    share : float
        The run also ends at an iteration that gains no more than this part of all that the run has
        gained: how short runs are broken off (Biernacki, Celeux & Govaert 2003).
    """

    tol: float = 1e-6
    max_iter: int = 1000
    share: float = 0.0
