"""Mixtures and rows that the tests of pictures share."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emplus import Mixture
from emplus.engine.outcome import Outcome
from emplus.search.comparison import Comparison, Trial
from emplus.search.fit import Fit, Run

Floats = NDArray[np.float64]


def blobs(k: int, d: int, n: int = 300, seed: int = 0) -> tuple[Mixture, Floats]:
    rng = np.random.default_rng(seed)
    means = 5.0 * rng.normal(size=(k, d))
    mixture = Mixture.gaussian(rng.dirichlet(np.ones(k)), means, np.ones((k, d)), "diag")
    return mixture, np.asarray(mixture.sample(n, rng)[0], dtype=np.float64)


def png_size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def far_and_tight() -> tuple[Mixture, Floats]:
    X = 1e8 + 1e-3 * np.random.default_rng(3).normal(size=(60, 3))
    return Mixture.gaussian([1.0], X.mean(axis=0)[None], np.full((1, 3), 1e-6), "diag"), X


def a_run(start: int, outcome: Outcome, objective: float, passes: int) -> Run:
    return Run(start, outcome, objective, objective, passes - 1, passes, 0.0)


def a_fit(values: tuple[float, ...], runs: tuple[Run, ...]) -> Fit:
    return Fit(
        mixture=blobs(1, 1)[0],
        log_likelihood=values[-1],
        log_prior=0.0,
        outcome=Outcome.CONVERGED,
        n_iter=len(values) - 1,
        passes=len(values),
        trace=values,
        log_likelihoods=values,
        runs=runs,
        seconds=0.0,
        n_rows=10,
        total_weight=10.0,
    )


def a_trial(search: str, total: float, seed: int = 0, cost: float = 1.0) -> Trial:
    """A run of a search with a made-up end; one that failed where that is -inf."""
    outcome = Outcome.CONVERGED if np.isfinite(total) else None
    return Trial(search, seed, total, total, 10.0 * cost, cost, 0, 0, outcome)


def a_comparison() -> Comparison:
    """Three runs of plain EM, and one of another search beside one that failed."""
    trials = (
        a_trial("em", -44.0, 0, 1.0),
        a_trial("swap", -42.0, 0, 9.0),
        a_trial("em", -41.0, 1, 2.0),
        a_trial("swap", -np.inf, 1, 5.0),
        a_trial("em", -40.0, 2, 3.0),
    )
    return Comparison(("em", "swap"), trials, a_fit((-40.0,), ()), same=0.1)
