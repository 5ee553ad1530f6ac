"""Several searches from the same seeds, one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from emplus.engine.loop import Engine
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, FitError
from emplus.search.base import Draw, Search
from emplus.search.comparison import NEAR, Comparison, Trial
from emplus.search.fit import Fit

__all__ = ["compare"]

# A climb that shrinks its gap by a factor r an iteration stops about tol * r / (1 - r) below its
# optimum, so this many tolerances hold those with r up to 0.97.
_SLOWEST = 30.0

# Relative rounding of an objective that is a sum over many rows.
_ROUNDING = 1e-10


def compare(
    searches: Mapping[str, Search],
    engine: Engine,
    problem: Problem,
    draw: Draw,
    seeds: Sequence[int],
    *,
    near: float = NEAR,
    watch: Callable[[str, int], None] | None = None,
) -> Comparison:
    """Run every search from every seed.

    Searches of the same seed begin with the same draws. All of them run from one seed before the
    next one, so that an interrupted comparison is a fair one of fewer seeds; a run that was itself
    interrupted is left out.

    Parameters
    ----------
    searches : mapping of str to Search
    engine : Engine
    problem : Problem
    draw : callable
        Draws a start.
    seeds : sequence of int
    near : float
        Nats a row below the best known that still count as there.
    watch : callable, optional
        Called with the search's name and the seed before each run.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        If there is nothing to compare, or ``near`` is negative.
    FitError
        If every run failed.
    KeyboardInterrupt
        If it comes before one run is complete.

    Examples
    --------
    >>> from emplus.data.memory import ArraySource
    >>> from emplus.families.registry import make_family
    >>> from emplus.search.registry import make_search
    >>> from emplus.starts.calibration import calibrated_prior
    >>> from emplus.starts.registry import make_start
    >>> source = ArraySource(np.random.default_rng(0).normal(size=(200, 2)))
    >>> family = make_family("gaussian", covariance_type="full")
    >>> problem = Problem(family, source, calibrated_prior(family, source, 2))
    >>> searches = {name: make_search(name) for name in ("em", "split_merge")}
    >>> start = make_start("k-means++")
    >>> found = compare(searches, Engine(), problem, lambda r: start(problem, 2, r), range(3))
    >>> found.to_frame()[["search", "runs"]].values.tolist()
    [['em', 3], ['split_merge', 3]]
    """
    if not searches or not len(seeds):
        raise ArgumentError("There is nothing to compare: give at least one search and one seed.")
    if not near >= 0.0:
        raise ArgumentError(f"near must be at least 0 nats a row; it is {near!r}.")
    # What all runs share is worked out before the first one is timed.
    weight = problem.moments.weight
    trials: list[Trial] = []
    best: Fit | None = None
    interrupted = False
    try:
        for seed, name in ((seed, name) for seed in seeds for name in searches):
            if watch is not None:
                watch(name, seed)
            trial, fit = _run(name, searches[name], engine, problem, draw, seed)
            trials.append(trial)
            if fit is not None and (best is None or fit.objective > best.objective):
                best = fit
    except KeyboardInterrupt:
        interrupted = True
    if best is None:
        raise KeyboardInterrupt if interrupted else FitError(trials[0].failure)
    size = max(abs(trial.objective) for trial in trials if trial.outcome is not None)
    same = _SLOWEST * engine.stopping.tol * weight + _ROUNDING * size
    return Comparison(tuple(searches), tuple(trials), best, same, near, interrupted)


def _run(
    name: str, search: Search, engine: Engine, problem: Problem, draw: Draw, seed: int
) -> tuple[Trial, Fit | None]:
    begun = time.perf_counter()
    try:
        fit = search(engine, problem, draw, np.random.default_rng(seed))
    except FitError as error:
        nothing, spent = -math.inf, time.perf_counter() - begun
        return Trial(name, seed, nothing, nothing, 0.0, spent, 0, 0, None, str(error)), None
    if fit.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    trial = Trial(
        search=name,
        seed=seed,
        log_likelihood=fit.log_likelihood,
        objective=fit.objective,
        passes=float(fit.passes),
        seconds=time.perf_counter() - begun,
        tried=len(fit.candidates),
        accepted=len(fit.candidates.accepted),
        outcome=fit.outcome,
    )
    return trial, fit
