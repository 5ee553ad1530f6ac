"""What ``emplus fit`` takes and tells about searches and the prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import emplus
from emplus.io import load
from emplus.search.base import Budget
from emplus.search.registry import make_search
from tests.plotting.examples import blobs, png_size

Run = Callable[..., Result]


@pytest.fixture
def clusters(run: Run) -> str:
    """Rows on which plain EM from seed 0 misses the best optimum, in the current folder."""
    _, X = blobs(12, 2, n=600, seed=3)
    np.save("t.npy", X)
    return "t.npy"


def report_of(run: Run, *args: str) -> dict[str, Any]:
    assert run("fit", *args, "--quiet", "--json", "r.json").exit_code == 0
    report: dict[str, Any] = json.loads(Path("r.json").read_text())
    return report


def test_the_report_tells_what_the_search_tried(clusters: str, run: Run) -> None:
    args = (clusters, "-k", "12", "--search", "random_swap")
    text = run("fit", *args, "--json", "r.json").stdout
    report = json.loads(Path("r.json").read_text())
    candidates = report["fit"]["candidates"]
    swaps = [c for c in candidates if c["kind"] == "swap"]
    accepted = [c for c in swaps if c["accepted"]]
    assert accepted
    counted = f"{len(swaps)} tried, {len(accepted)} accepted"
    assert f"candidates      {counted} (swap {len(accepted)} of {len(swaps)})" in text
    assert "search          random_swap\n" in text
    assert f"passes          {report['fit']['passes']:.4g} over the rows" in text
    model = emplus.GaussianMixture(12, search="random_swap", random_state=0)
    fit = model.fit(np.load(clusters)).result_
    assert [c["kind"] for c in candidates] == [c.kind for c in fit.candidates]
    assert [c["gain"] for c in accepted] == pytest.approx(
        [c.gain for c in fit.candidates.accepted if c.kind == "swap"]
    )


def test_plain_em_has_no_candidates(run: Run) -> None:
    text = run("fit", "faithful", "-k", "2", "--search", "em").stdout
    assert "search          em\n" in text
    assert "candidates" not in text


def test_short_runs_are_counted_as_starts_once(run: Run) -> None:
    text = run("fit", "iris", "-k", "3", "--search", "restarts").stdout
    [line] = [line for line in text.splitlines() if line.startswith("starts")]
    assert line.startswith("starts          10 (")
    assert "broken off early" in line


@pytest.mark.parametrize(
    ("option", "value", "name"), [("--max-moves", "3", "moves"), ("--max-passes", "40", "passes")]
)
def test_a_budget_is_kept_and_told(
    option: str, value: str, name: str, clusters: str, run: Run
) -> None:
    args = ("fit", clusters, "-k", "12", "--search", "random_swap", option, value)
    text = run(*args, "--json", "r.json", "--output", "m").stdout
    assert f"random_swap (at most {value} {name})" in text
    report = json.loads(Path("r.json").read_text())
    assert report["fit"]["budget"] == {name: float(value)}
    assert report["arguments"]["search"] == "random_swap"
    budget = Budget(**{name: float(value)})
    search = make_search("random_swap", 1, budget)
    model = emplus.GaussianMixture(12, search=search, random_state=0).fit(np.load(clusters))
    assert report["fit"]["objective"] == model.result_.objective
    assert len(report["fit"]["candidates"]) == len(model.result_.candidates)
    # The model file knows the search by its name.
    assert load("m").search == "random_swap"


def test_no_seconds_are_the_first_result(clusters: str, run: Run) -> None:
    limited = report_of(run, clusters, "-k", "12", "--search", "reset", "--max-seconds", "0")
    assert not [c for c in limited["fit"]["candidates"] if c["kind"] == "reset"]
    plain = report_of(run, clusters, "-k", "12", "--search", "em")
    assert limited["model"]["means"] == plain["model"]["means"]


def test_searches_are_joined(clusters: str, run: Run) -> None:
    report = report_of(run, clusters, "-k", "12", "--search", "em+reset+split_merge")
    plain = report_of(run, clusters, "-k", "12", "--search", "em")
    assert report["fit"]["objective"] > plain["fit"]["objective"]


def test_the_strength_of_the_prior_is_a_number_or_auto(run: Run) -> None:
    args = ("faithful", "-k", "2", "--search", "em")
    default = report_of(run, *args)
    assert report_of(run, *args, "--reg-covar", "auto")["fit"] == {
        **default["fit"],
        "seconds": pytest.approx(default["fit"]["seconds"], abs=60),
        "runs": [
            {**run, "seconds": pytest.approx(run["seconds"], abs=60)}
            for run in default["fit"]["runs"]
        ],
    }
    strong = report_of(run, *args, "--reg-covar", "50")
    assert strong["arguments"]["reg_covar"] == 50.0
    assert strong["fit"]["log_likelihood"] < default["fit"]["log_likelihood"]


def test_the_trace_is_drawn_with_the_fit_where_moves_led_to_it(clusters: str, run: Run) -> None:
    args = ("fit", clusters, "-k", "12", "--plot")
    assert run(*args, "em.png", "--search", "em").exit_code == 0
    text = run(*args, "swap.png", "--search", "random_swap", "--trace", "t.png").stdout
    assert "picture         swap.png" in text
    assert "trace           t.png" in text
    assert png_size(Path("t.png")) == (1152, 800)
    (width, height), (same, higher) = png_size(Path("em.png")), png_size(Path("swap.png"))
    assert width == same
    assert higher > height
