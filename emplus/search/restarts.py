"""Several starts, each climbed to the end or only as far as it takes to choose between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from emplus.engine.loop import Climb, Engine
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError, FitError
from emplus.families.base import SingularComponentError
from emplus.search.base import Draw
from emplus.search.fit import Fit, Run

__all__ = ["Restarts", "Runs", "joined"]

# A short run ends at an iteration that gains no more than this part of what the run has gained.
_SHORT = 0.01

# Short runs kept at hand beside those that are carried on, in case some of these collapse.
_SPARE = 10


@final
@dataclass(frozen=True)
class Restarts:
    """Plain EM from ``n_init`` starts; one that fails loses nothing else.

    Parameters
    ----------
    n_init : int
        Number of starts. Each draws from a generator of its own, so the first ones are the same
        whatever their number.
    carried : int, optional
        By default every start is climbed to the end. With a number, all starts are climbed by
        short runs, which end at an iteration that gains no more than 1 % of what the run has
        gained, and so many of the best are carried on to the engine's tolerance: "em-EM" of
        Biernacki, Celeux & Govaert (2003).

    Raises
    ------
    ArgumentError
        If either is not a whole number of at least 1.

    Notes
    -----
    A short run takes some five to ten passes, a whole one some tens to hundreds.

    Examples
    --------
    >>> Restarts(n_init=10, carried=3)
    Restarts(n_init=10, carried=3)
    """

    n_init: int = 1
    carried: int | None = None

    def __post_init__(self) -> None:
        check_starts("n_init", self.n_init)
        if self.carried is not None:
            check_starts("carried", self.carried)

    def __call__(
        self, engine: Engine, problem: Problem, draw: Draw, rng: np.random.Generator
    ) -> Fit:
        """Climb from every start and keep the end with the highest objective; see `Search`."""
        return self.among(engine, problem, lambda number: draw, rng)

    def among(
        self,
        engine: Engine,
        problem: Problem,
        draws: Callable[[int], Draw],
        rng: np.random.Generator,
    ) -> Fit:
        """The same with starts that are drawn each in its own way, by their numbers."""
        short = self.carried is not None
        runs = Runs(engine, problem, kept=1 if self.carried is None else self.carried + _SPARE)
        climber = _shortened(engine) if short else engine
        for index, own_rng in enumerate(rng.spawn(self.n_init)):

            def climb(
                own_rng: np.random.Generator = own_rng, index: int = index
            ) -> tuple[Climb, int]:
                climb = climber.climb(problem, engine.drawn(draws(index), own_rng))
                return climb, climb.passes

            runs.climb(index, climb, short=short)
            if runs.interrupted:
                break
        if self.carried is not None:
            _carry(engine, problem, runs, self.carried)
        return runs.fit()


class Runs:
    """Where the starts have come, the best of them, and the record of every run.

    Parameters
    ----------
    engine : Engine
        Its clock is that of the runs.
    problem : Problem
    kept : int
        How many of the best starts are kept at hand.
    """

    def __init__(self, engine: Engine, problem: Problem, kept: int = 1):
        self._problem, self._kept = problem, kept
        self._clock = engine.journal.clock
        self._begun = self._clock()
        self._reached: dict[int, Climb] = {}
        self.runs: list[Run] = []
        self.interrupted = False

    def climb(
        self, start: int, make: Callable[[], tuple[Climb, int]], *, short: bool = False
    ) -> None:
        """Let a start climb; ``make`` gives its climb and the passes that took.

        Raises
        ------
        KeyboardInterrupt
            If one comes before anything usable has been reached.
        """
        began = self._clock()
        try:
            climb, passes = make()
        except SingularComponentError as error:
            self.runs.append(Run.never_begun(start, error, self._clock() - began))
            return
        except KeyboardInterrupt:
            self.interrupted = True
            if not self._reached:
                raise
            return
        seconds = self._clock() - began
        self.runs.append(Run.of(start, climb, seconds, passes=passes, short=short))
        self.interrupted = climb.outcome is Outcome.INTERRUPTED
        # On its way to a singular component a run may stand arbitrarily high.
        self._reached.pop(start, None)
        if climb.outcome.usable:
            self._reached[start] = climb
            for dropped in [index for index, _ in self.ranked()[self._kept :]]:
                del self._reached[dropped]

    def ranked(self) -> list[tuple[int, Climb]]:
        """The starts and where they have come, the highest first."""
        return sorted(self._reached.items(), key=lambda item: -item[1].state.objective)

    def fit(self) -> Fit:
        """The best of all, with the record.

        Raises
        ------
        FitError
            If no start led to usable parameters; it says how each one ended.
        """
        if not self._reached:
            raise FitError(_why(self.runs))
        best = self.ranked()[0][1]
        return Fit(
            mixture=best.state.mixture,
            log_likelihood=best.state.log_likelihood,
            log_prior=best.state.log_prior,
            outcome=Outcome.INTERRUPTED if self.interrupted else best.outcome,
            n_iter=best.n_iter,
            passes=sum(run.passes for run in self.runs),
            # What follows the best state of a climb is a step that fell.
            trace=best.objectives[: best.n_iter + 1],
            log_likelihoods=best.log_likelihoods[: best.n_iter + 1],
            runs=tuple(self.runs),
            seconds=self._clock() - self._begun,
            n_rows=self._problem.source.n_rows,
            total_weight=self._problem.source.total_weight,
        )


def joined(one: Fit, other: Fit) -> Fit:
    """The better of two fits from different starts, with the runs of both."""
    best = one if one.objective >= other.objective else other
    interrupted = Outcome.INTERRUPTED in (one.outcome, other.outcome)
    after = 1 + max((run.start for run in one.runs), default=-1)
    return replace(
        best,
        outcome=Outcome.INTERRUPTED if interrupted else best.outcome,
        passes=one.passes + other.passes,
        runs=one.runs + tuple(replace(run, start=run.start + after) for run in other.runs),
        seconds=one.seconds + other.seconds,
    )


def check_starts(name: str, value: object) -> None:
    """Refuse what is not a number of starts."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ArgumentError(f"{name} must be a whole number of at least 1; it is {value!r}.")


def _shortened(engine: Engine) -> Engine:
    return replace(engine, stopping=replace(engine.stopping, share=_SHORT))


def _carry(engine: Engine, problem: Problem, runs: Runs, number: int) -> None:
    """Carry on the best short runs until ``number`` of them have come to a usable end."""
    usable = 0
    for start, short in runs.ranked():
        if runs.interrupted or usable == number:
            break

        def climb(short: Climb = short) -> tuple[Climb, int]:
            further = engine.climb(problem, short.state.mixture)
            return _continued(short, further), further.passes

        runs.climb(start, climb)
        usable += bool(runs.runs) and runs.runs[-1].outcome.usable


def _continued(short: Climb, further: Climb) -> Climb:
    """Two climbs as one; the second begins with the state that the first ended with."""
    n_iter = short.n_iter
    return replace(
        further,
        state=replace(further.state, iteration=n_iter + further.n_iter),
        objectives=short.objectives[: n_iter + 1] + further.objectives[1:],
        log_likelihoods=short.log_likelihoods[: n_iter + 1] + further.log_likelihoods[1:],
    )


def _why(runs: list[Run]) -> str:
    ended = [
        f"start {run.start}: component {run.component} at iteration {run.n_iter}, "
        f"{run.outcome.value.replace('_', ' ')}"
        for run in runs
        if not run.outcome.usable
    ]
    shown = "; ".join(ended[:5]) + (f"; and {len(ended) - 5} more" if len(ended) > 5 else "")
    return (
        f"No start led to a usable mixture ({shown}). Raise reg_covar, which keeps a component "
        "from collapsing, or ask for fewer components."
    )
