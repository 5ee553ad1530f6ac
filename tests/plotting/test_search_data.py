"""What is drawn of searches: their traces, and several side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emplus import GaussianMixture
from emplus.engine.outcome import Outcome
from emplus.plotting import searches, trace
from emplus.search.record import Candidate, Candidates
from tests.plotting.examples import a_comparison, a_fit, a_run, a_trial, blobs

# Trace ---------------------------------------------------------------------------------------


def test_trace_has_the_climb_the_gaps_and_the_ends_of_the_other_starts() -> None:
    runs = (
        a_run(0, Outcome.ITERATIONS_EXHAUSTED, -7.0, 9),
        a_run(1, Outcome.CONVERGED, -4.0, 4),
        a_run(2, Outcome.SINGULAR, 99.0, 2),
    )
    data = trace(a_fit((-np.inf, -9.0, -5.0, -4.0), runs))
    np.testing.assert_array_equal(data.passes, [2, 3, 4])
    np.testing.assert_array_equal(data.objectives, [-9, -5, -4])
    np.testing.assert_array_equal(data.gaps, [5, 1, 0])
    np.testing.assert_array_equal(data.run_passes, [9])
    np.testing.assert_array_equal(data.run_objectives, [-7])
    assert (data.n_runs, data.n_failed) == (3, 1)


def test_trace_of_an_estimator_ends_at_its_objective() -> None:
    _, X = blobs(2, 2, n=200, seed=12)
    model = GaussianMixture(2, n_init=4, search="em", random_state=0).fit(X)
    data = trace(model.result_)
    assert data.objectives[-1] == pytest.approx(model.result_.objective)
    assert len(data.run_passes) == 3
    assert np.all(np.diff(data.objectives) >= -1e-9 * abs(data.objectives[-1]))


def a_candidate(kind: str, start: int, gain: float, accepted: bool) -> Candidate:
    outcome = Outcome.CONVERGED
    return Candidate(1, kind, ((0, 1, 2),), np.nan, gain, accepted, 2.0, start, outcome)


def test_trace_marks_the_moves_where_they_begin() -> None:
    candidates = Candidates(
        [
            a_candidate("reset", 2, -1.0, False),
            a_candidate("split_merge", 2, 3.0, True),
            a_candidate("recut", 4, -np.inf, False),
            a_candidate("recut", 4, -0.5, False),
            a_candidate("split_merge", 4, 2.0, True),
            a_candidate("settle", 5, 0.5, True),
            a_candidate("swap", 6, -0.5, False),
        ]
    )
    # Two passes of the start, then climbs of two passes, one and one.
    values = (-9.0, -8.0, -8.5, -5.0, -3.0, -2.5)
    fit = a_fit(values, (a_run(0, Outcome.CONVERGED, -8.0, 2),))
    data = trace(replace(fit, candidates=candidates, passes=20))
    [marks] = data.accepted
    assert marks.kind == "split_merge"
    np.testing.assert_array_equal(marks.passes, [3, 5])
    np.testing.assert_array_equal(marks.objectives, [-8.5, -3.0])
    np.testing.assert_array_equal(marks.gains, [3, 2])
    np.testing.assert_array_equal(data.rejected.passes, [2, 4, 4, 6])
    np.testing.assert_array_equal(data.rejected.objectives, [-8, -5, -5, -2.5])
    assert data.spent == 20


@pytest.mark.parametrize("search", ["reset", "random_swap", "split_merge"])
def test_the_marks_of_a_search_are_on_its_trace(search: str) -> None:
    _, X = blobs(12, 2, n=600, seed=3)
    fit = GaussianMixture(12, search=search, random_state=0).fit(X).result_
    data = trace(fit)
    frame = fit.to_frame()
    starts = frame[~frame["move"].isin(["", "settle"])]
    assert len(starts)
    drawn = sorted(place for marks in data.accepted for place in marks.passes)
    assert drawn == starts["pass"].tolist()
    for marks in data.accepted:
        own = starts[starts["move"] == marks.kind]
        np.testing.assert_array_equal(marks.objectives, own["objective"])
    assert np.all(np.isin(data.rejected.passes, data.passes))


def test_short_runs_are_starts_that_are_not_drawn() -> None:
    runs = (
        replace(a_run(0, Outcome.ITERATIONS_EXHAUSTED, -7.0, 2), short=True),
        replace(a_run(1, Outcome.ITERATIONS_EXHAUSTED, -6.0, 2), short=True),
        a_run(1, Outcome.CONVERGED, -4.0, 9),
    )
    data = trace(a_fit((-6.0, -4.0), runs))
    assert (data.n_runs, data.n_failed, data.n_short) == (2, 0, 1)
    assert len(data.run_passes) == 0


# Searches ------------------------------------------------------------------------------------


def test_searches_are_drawn_below_the_best_known() -> None:
    data = searches(a_comparison())
    em, swap = data.runs
    np.testing.assert_allclose(em.gaps, [0.4, 0.1, 0.0])
    np.testing.assert_allclose(em.seconds, [1, 2, 3])
    np.testing.assert_allclose(em.passes, [10, 20, 30])
    assert (em.n_runs, em.n_at_best, em.n_failed) == (3, 1, 0)
    np.testing.assert_allclose(swap.gaps, [0.2])
    assert (swap.n_runs, swap.n_at_best, swap.n_failed) == (2, 0, 1)
    assert (data.best, data.near) == (-4.0, 1e-3)
    assert data.note.startswith("Plain EM from 3 starts hit 3 distinct optima")


def test_points_of_equal_height_stand_apart() -> None:
    trials = tuple(a_trial("em", -40.0, seed) for seed in range(20))
    data = searches(replace(a_comparison(), trials=trials))
    places = np.sort(data.runs[0].places)
    assert places[0] >= -1.0
    assert places[-1] <= 1.0
    assert np.diff(places).min() > 0.03
