"""The climbs that led to the end of a search, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.engine.registry import make_rule
from emplus.families.registry import make_family
from emplus.plotting import Recorder, Step
from emplus.search.base import Draw, Search
from emplus.search.fit import Fit
from emplus.search.record import Candidate
from emplus.starts.calibration import calibrated_prior

__all__ = ["Climb", "accepted", "gaussian_problem", "ranks", "watched"]


@dataclass(frozen=True)
class Climb:
    """One climb that led to the end of a search.

    Parameters
    ----------
    candidate : Candidate or None
        What it begins with; None for the start's own.
    before : float
        EM passes spent until then, on whatever, work on some rows counted by its share.
    steps : tuple of Step
    """

    candidate: Candidate | None
    before: float
    steps: tuple[Step, ...]


def accepted(recorder: Recorder, fit: Fit) -> list[Climb]:
    """The start's climb and those of the accepted candidates."""
    spent: dict[int, float] = {}
    total = float(fit.runs[0].passes)
    for candidate in fit.candidates:
        total += candidate.passes
        spent[id(candidate)] = total
    found = []
    for candidate, steps in groupby(recorder.path(fit), lambda step: step.candidate):
        own = tuple(steps)
        before = 0.0 if candidate is None else spent[id(candidate)] - len(own)
        found.append(Climb(candidate, before, own))
    return found


def gaussian_problem(X: Any, k: int, covariance_type: str) -> Problem:
    """The problem that `GaussianMixture` makes of the rows, its prior from the data."""
    family, source = make_family("gaussian", covariance_type=covariance_type), ArraySource(X)
    return Problem(family, source, calibrated_prior(family, source, k))


def watched(
    search: Search, problem: Problem, draw: Draw, seed: int, tol: float = 1e-6
) -> tuple[Fit, Recorder]:
    """A search by plain EM steps, so that iterations can be counted, and all its climbs."""
    recorder = Recorder()
    engine = Engine(make_rule("em", None), Stopping(tol, 1000), (recorder,))
    return search(engine, problem, draw, np.random.default_rng(seed)), recorder


def ranks(fit: Fit) -> list[int]:
    """Which candidate of its round each accepted one was: 1 for the first tried."""
    found, round_, tried = [], 0, 0
    for candidate in fit.candidates:
        tried = tried + 1 if candidate.round == round_ else 1
        round_ = candidate.round
        if candidate.accepted:
            found.append(tried)
    return found
