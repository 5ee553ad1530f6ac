"""The climb of the objective, as it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emplus.search.fit import Fit
from emplus.search.record import Candidate

__all__ = ["Marks", "Trace", "trace"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Marks:
    """Candidates of one kind, at their places on a trace.

    Attributes
    ----------
    kind : str
    passes, objectives : ndarray (m,)
        Pass at which each climb began, and the objective there.
    gains : ndarray (m,)
        Nats that each gained in the end.
    """

    kind: str
    passes: Floats
    objectives: Floats
    gains: Floats


@dataclass(frozen=True, eq=False)
class Trace:
    """The objective against the passes that led to a fit, and where every start ended.

    Attributes
    ----------
    passes : ndarray (p,)
        1, 2, ...: passes of the best start, and of the candidates accepted after it, at which the
        objective is finite.
    objectives : ndarray (p,)
        Log-likelihood plus log prior of the parameters that each pass evaluated, in nats.
    gaps : ndarray (p,)
        How far each is below the highest of them, in nats.
    run_passes, run_objectives : ndarray (r,)
        Where the other starts ended.
    n_runs, n_failed : int
        Starts made, and those whose component collapsed or lost its rows (they are not drawn).
    outcome : str
        How the run that found the fit ended, in a sentence.
    accepted : tuple of Marks
        The moves that were accepted, one entry a kind in the order of their first; where one
        begins, the objective may fall.
    rejected : Marks
        The moves that were tried and rejected, of all kinds; they stand at the pass after which
        they were tried.
    spent : float
        Passes of the whole search, of which those of what was rejected are not drawn.
    n_short : int
        Starts broken off early in favour of better ones; they are not drawn either.
    """

    passes: Floats
    objectives: Floats
    gaps: Floats
    run_passes: Floats
    run_objectives: Floats
    n_runs: int
    n_failed: int
    outcome: str
    accepted: tuple[Marks, ...] = ()
    rejected: Marks = field(default_factory=lambda: _marks("rejected", (), ()))
    spent: float = 0.0
    n_short: int = 0


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
    # A short run that is carried on is on the record twice, and one that is not has no end.
    starts = {run.start for run in result.runs}
    short = starts - {run.start for run in result.runs if not run.short}
    whole = [run for run in result.runs if not run.short]
    sound = [run for run in whole if run.outcome.usable and np.isfinite(run.objective)]
    # The best start's own end is the end of the line.
    best = max(sound, key=lambda run: run.objective, default=None)
    others = [run for run in sound if run is not best]
    return Trace(
        passes=np.flatnonzero(finite).astype(np.float64) + 1.0,
        objectives=objectives,
        gaps=objectives.max(initial=-np.inf) - objectives,
        run_passes=np.array([float(run.passes) for run in others]),
        run_objectives=np.array([run.objective for run in others]),
        n_runs=len(starts),
        n_failed=len(whole) - len(sound),
        n_short=len(short),
        outcome=result.outcome.sentence,
        accepted=_accepted(result),
        rejected=_marks("rejected", result.trace, [c for c in _moves(result) if not c.accepted]),
        spent=float(result.passes),
    )


def _moves(result: Fit) -> list[Candidate]:
    # A climb to the tolerance without any change is on the record, but it is no move.
    return [candidate for candidate in result.candidates if candidate.kind != "settle"]


def _accepted(result: Fit) -> tuple[Marks, ...]:
    by_kind: dict[str, list[Candidate]] = {}
    for candidate in _moves(result):
        if candidate.accepted:
            by_kind.setdefault(candidate.kind, []).append(candidate)
    return tuple(_marks(kind, result.trace, some) for kind, some in by_kind.items())


def _marks(kind: str, values: Sequence[float], candidates: Sequence[Candidate]) -> Marks:
    places = [c.start + 1 if c.accepted else c.start for c in candidates]
    heights = [values[place - 1] if 0 < place <= len(values) else np.nan for place in places]
    shown = np.isfinite(np.asarray(heights, dtype=np.float64))
    return Marks(
        kind,
        np.asarray(places, dtype=np.float64)[shown],
        np.asarray(heights, dtype=np.float64)[shown],
        np.asarray([candidate.gain for candidate in candidates], dtype=np.float64)[shown],
    )
