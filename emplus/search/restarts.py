"""Several starts, each climbed to the end; the best is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from emplus.engine.loop import Climb, Engine
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import FitError
from emplus.families.base import SingularComponentError
from emplus.search.base import Draw
from emplus.search.fit import Fit, Run

__all__ = ["Restarts"]


@final
@dataclass(frozen=True)
class Restarts:
    """Plain EM from ``n_init`` starts; one that fails loses nothing else.

    Parameters
    ----------
    n_init : int
        Number of starts. Each draws from a generator of its own, so the first ones are the same
        whatever their number.
    """

    n_init: int = 1

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Climb from every start and keep the end with the highest objective."""
        begun = time.perf_counter()
        best: Climb | None = None
        runs: list[Run] = []
        for index, own_rng in enumerate(rng.spawn(self.n_init)):
            started = time.perf_counter()
            try:
                climb = engine.climb(problem, draw(own_rng))
            except SingularComponentError as error:
                runs.append(Run.never_begun(index, error, time.perf_counter() - started))
                continue
            except KeyboardInterrupt:
                if best is None or not best.outcome.usable:
                    raise
                best = _interrupted(best)
                break
            runs.append(Run.of(index, climb, time.perf_counter() - started))
            if best is None or _rank(climb) > _rank(best):
                best = climb
            if climb.outcome is Outcome.INTERRUPTED:
                best = _interrupted(best)
                break
        if best is None or not best.outcome.usable:
            raise FitError(_why(runs))
        return _fit(problem, best, runs, time.perf_counter() - begun)


def _rank(climb: Climb) -> tuple[bool, float]:
    # A run that broke off at a singular component may stand arbitrarily high on its way there.
    return climb.outcome.usable, climb.state.objective


def _why(runs: list[Run]) -> str:
    ended = [
        f"start {run.start}: component {run.component} at iteration {run.n_iter}, "
        f"{run.outcome.value.replace('_', ' ')}"
        for run in runs
    ]
    shown = "; ".join(ended[:5]) + (f"; and {len(ended) - 5} more" if len(ended) > 5 else "")
    return (
        f"No start led to a usable mixture ({shown}). Raise reg_covar, which keeps a component "
        "from collapsing, or ask for fewer components."
    )


def _interrupted(climb: Climb) -> Climb:
    return replace(climb, outcome=Outcome.INTERRUPTED)


def _fit(problem: Problem, best: Climb, runs: list[Run], seconds: float) -> Fit:
    return Fit(
        mixture=best.state.mixture,
        log_likelihood=best.state.log_likelihood,
        log_prior=best.state.log_prior,
        outcome=best.outcome,
        n_iter=best.n_iter,
        passes=sum(run.passes for run in runs),
        trace=best.objectives,
        log_likelihoods=best.log_likelihoods,
        runs=tuple(runs),
        seconds=seconds,
        n_rows=problem.source.n_rows,
        total_weight=problem.source.total_weight,
    )
