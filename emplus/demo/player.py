"""What one panel shows of a fit: event by event, without any drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from emplus.demo.live import Decided, Ended, Event, Failed, Live, Passed, Proposed
from emplus.demo.words import gains, tried
from emplus.mixture import Mixture
from emplus.search.record import Candidate

__all__ = ["Lit", "Mark", "Player", "Track"]

Phase = Literal["empty", "climbing", "proposed", "trying", "over", "failed"]


@dataclass(frozen=True)
class Lit:
    """What a candidate concerns: ``joined`` become one, ``cut`` become two or start anew."""

    joined: tuple[int, ...] = ()
    cut: tuple[int, ...] = ()

    @classmethod
    def by(cls, kind: str, components: tuple[tuple[int, ...], ...]) -> Lit:
        """What a candidate of that kind concerns."""
        if kind != "split_merge":
            return cls(cut=tuple(sorted({j for parts in components for j in parts})))
        triples = [parts for parts in components if len(parts) == 3]
        joined = tuple(sorted({j for parts in triples for j in parts[:2]}))
        return cls(joined, tuple(sorted({parts[2] for parts in triples})))


@dataclass
class Track:
    """Log-likelihood a row against passes; NaN where a climb ends."""

    passes: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, number: float, value: float) -> None:
        """One pass more."""
        self.passes.append(number)
        self.values.append(value)

    def gap(self) -> None:
        """What follows is not joined to what was before."""
        if self.passes:
            self.add(np.nan, np.nan)

    def take(self, other: Track) -> None:
        """Append what another one holds, not joined, and empty that one."""
        self.gap()
        self.passes += other.passes
        self.values += other.values
        other.passes, other.values = [], []


@dataclass(frozen=True)
class Mark:
    """Where on the track a candidate was decided, and how."""

    number: int
    value: float
    words: str
    accepted: bool


@final
class Player:
    """Goes through the events of a `Live` fit and holds what there is to see.

    Attributes
    ----------
    mixture : Mixture or None
        What is shown: the present one, while a candidate is tried that of its climb.
    best : Mixture or None
        What the search stands on; shown again when a candidate is undone.
    value : float
        Log-likelihood a row of the mixture that is shown.
    phase : str
        ``empty``, ``climbing``, ``proposed``, ``trying``, ``over`` or ``failed``.
    n_passes : int
        Passes over the rows so far, those of candidates that were undone included.
    kept, trial, undone : Track
    marks : list of Mark
    lit : Lit
    verdict : bool or None
        Whether a candidate was accepted, while that is the last thing that has happened.
    says : str
        The last thing worth saying, in words.
    """

    def __init__(self) -> None:
        self._live: Live | None = None
        self._make: Callable[[Mixture | None], Any] | None = None
        self._X: Any = None
        self._clear(None)

    def _clear(self, mixture: Mixture | None) -> None:
        self.mixture = self.best = mixture
        self.kept, self.trial, self.undone = Track(), Track(), Track()
        self.marks: list[Mark] = []
        self.lit, self.says = Lit(), ""
        self.verdict: bool | None = None
        self.value, self.n_passes, self._starts = np.nan, 0, 0
        self.phase: Phase = "empty"
        self._moved = self._tempered = False

    def load(self, make: Callable[[Mixture | None], Any], X: NDArray[np.float64]) -> None:
        """Begin anew: an estimator from ``make``, told where to start from if not by itself."""
        self.stop()
        self._make, self._X = make, X
        self._clear(None)
        self._live = Live(make(None), X)

    def clear(self) -> None:
        """Show nothing."""
        self.stop()
        self._make = None
        self._clear(None)

    def move(self, mixture: Mixture) -> None:
        """Show a mixture that somebody has changed; the fit goes on from there."""
        self.stop()
        number = self.n_passes
        kept, undone, marks = self.kept, self.undone, self.marks
        undone.take(self.trial)
        self._clear(mixture)
        self.kept, self.undone, self.marks, self.n_passes = kept, undone, marks, number
        self.value = self.score(mixture)
        self.phase, self._moved = "climbing", True
        self.says = "moved by hand"

    def stop(self) -> None:
        """Let go of the fit."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def score(self, mixture: Mixture) -> float:
        """Log-likelihood a row."""
        return float(mixture.log_density(self._X).mean())

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return self.phase in ("over", "failed")

    def advance(self, timeout: float = 0.0) -> Event | None:
        """Take the next event in; None where none has come yet or none is to come."""
        if self._moved and self._make is not None:
            self._live, self._moved = Live(self._make(self.mixture), self._X), False
        if self._live is None or self._live.over:
            return None
        event = self._live.next(timeout)
        if event is not None:
            self._take(event)
        return event

    def _take(self, event: Event) -> None:
        self.verdict = None
        match event:
            case Passed():
                self._pass(event)
            case Proposed(move):
                self.phase, self.lit = "proposed", Lit.by(move.kind, move.components)
                self.says = _joined(tried(move), gains(move.predicted))
            case Decided(candidate):
                self._decide(event)
                self.says = _said(candidate)
            case Ended(fit):
                self.mixture = self.best = fit.mixture
                self.value = self.score(fit.mixture)
                self.phase, self.lit = "over", Lit()
                self.says = fit.outcome.sentence
            case Failed(sentence):
                self.phase, self.lit, self.says = "failed", Lit(), sentence

    def _pass(self, event: Passed) -> None:
        told = event.log_likelihood / len(self._X)
        if event.first:  # a climb at another temperature raises another function all the way
            self._tempered = abs(self.score(event.mixture) - told) > 1e-9 * abs(told)
        self.mixture = event.mixture
        self.value = self.score(event.mixture) if self._tempered else told
        self.n_passes += 1
        # A climb to the tolerance goes on from where the search stands: the very same value.
        if event.first and self.phase != "proposed" and event.mixture is not self.best:
            self._starts += 1
            self.kept.gap()
        if event.first:
            self.phase = "trying" if self.phase == "proposed" else "climbing"
        track = self.trial if self.phase == "trying" else self.kept
        track.add(self.n_passes, self.value)
        if self.phase == "climbing":
            self.best, self.lit = event.mixture, Lit()
            self.says = f"start {self._starts}" if self._starts > 1 and not self.marks else ""

    def _decide(self, event: Decided) -> None:
        candidate = event.candidate
        self.verdict = None if candidate.kind == "settle" else candidate.accepted
        if self.phase in ("proposed", "trying"):
            end = self.trial.values[-1] if self.trial.values else self.value
            self.marks.append(Mark(self.n_passes, end, _said(candidate), candidate.accepted))
        if candidate.accepted:
            self.kept.take(self.trial)
            self.best = self.mixture
        else:
            self.undone.take(self.trial)
            self.mixture = self.best
            self.value = self.score(self.best) if self.best is not None else np.nan
        self.phase = "climbing"


def _said(candidate: Candidate) -> str:
    return _joined(tried(candidate), gains(candidate.predicted, candidate.gain))


def _joined(*words: str) -> str:
    return " · ".join(word for word in words if word)
