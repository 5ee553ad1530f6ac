"""The climb of the objective, as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.search.fit import Fit

__all__ = ["Trace", "trace"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trace:
    """The objective against the passes over the data, and where every start ended.

    Attributes
    ----------
    passes : ndarray (p,)
        1, 2, ...: passes of the best start at which the objective is finite.
    objectives : ndarray (p,)
        Log-likelihood plus log prior of the parameters that each pass evaluated, in nats.
    gaps : ndarray (p,)
        How far each is below the highest of them, in nats.
    run_passes, run_objectives : ndarray (r,)
        Where the other starts ended.
    n_runs, n_failed : int
        Starts made, and those whose component collapsed or lost its rows (they are not drawn).
    outcome : str
        How the best start ended, in a sentence.
    """

    passes: Floats
    objectives: Floats
    gaps: Floats
    run_passes: Floats
    run_objectives: Floats
    n_runs: int
    n_failed: int
    outcome: str


def trace(result: Fit) -> Trace:
    """What `result` knows of the climb to it; O(passes + starts).

    Parameters
    ----------
    result : Fit
        ``result_`` of an estimator.

    Returns
    -------
    trace : Trace
    """
    values = np.asarray(result.trace, dtype=np.float64)
    finite = np.isfinite(values)
    objectives = values[finite]
    sound = [run for run in result.runs if run.outcome.usable and np.isfinite(run.objective)]
    # The best start's own end is the end of the line.
    best = max(sound, key=lambda run: run.objective, default=None)
    others = [run for run in sound if run is not best]
    return Trace(
        passes=np.flatnonzero(finite).astype(np.float64) + 1.0,
        objectives=objectives,
        gaps=objectives.max(initial=-np.inf) - objectives,
        run_passes=np.array([float(run.passes) for run in others]),
        run_objectives=np.array([run.objective for run in others]),
        n_runs=len(result.runs),
        n_failed=len(result.runs) - len(sound),
        outcome=result.outcome.sentence,
    )
