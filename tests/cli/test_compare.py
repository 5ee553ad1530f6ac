from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from tqdm import TqdmExperimentalWarning

import emplus
from emplus.cli.progress import RunBar
from emplus.search.registry import SEARCHES
from emplus.search.restarts import Restarts

Run = Callable[..., Result]


def report_of(run: Run, *args: str) -> dict[str, Any]:
    result = run("compare", *args, "--quiet", "--json", "-")
    assert result.exit_code == 0
    assert result.stderr == ""
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def rows_of(text: str) -> dict[str, list[str]]:
    table = text.split("\n\n")[1].splitlines()
    return {line.split()[0]: line.replace(" of ", "/").split()[1:] for line in table[1:]}


def test_searches_stand_side_by_side(run: Run) -> None:
    result = run("compare", "iris", "-k", "3", "--seeds", "4", "--searches", "em,split_merge")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "3 components on data set 'iris': 150 rows, 4 columns; 4 seeds" in result.stdout
    rows = rows_of(result.stdout)
    assert list(rows) == ["em", "split_merge"]
    X = emplus.datasets.load("iris").X
    ends = [
        emplus.GaussianMixture(3, search="em", random_state=seed).fit(X).lower_bound_
        for seed in range(4)
    ]
    assert rows["em"][:3] == [f"{f(ends):.6f}" for f in (np.median, np.min, np.max)]
    assert rows["split_merge"][3] == "4/4"
    assert "Plain EM from 4 starts hit" in result.stdout
    assert max(map(len, rows)) < 100
    # Columns are aligned: the right ends of the numbers are below one another.
    table = result.stdout.split("\n\n")[1].splitlines()
    assert len({len(line) for line in table}) == 1


def test_every_search_is_compared_unless_some_are_named(run: Run) -> None:
    report = report_of(run, "faithful", "-k", "2", "--seeds", "1")
    assert [summary["search"] for summary in report["searches"]] == list(SEARCHES)
    report = report_of(run, "faithful", "-k", "2", "--seeds", "1", "--searches", "em+reset, em")
    assert [summary["search"] for summary in report["searches"]] == ["em+reset", "em"]


def test_the_json_report_has_every_run(run: Run) -> None:
    args = ("iris", "-k", "3", "--seeds", "3", "--first-seed", "7", "--searches", "em,reset")
    report = report_of(run, *args)
    assert [(r["search"], r["seed"]) for r in report["runs"]] == [
        (name, seed) for seed in (7, 8, 9) for name in ("em", "reset")
    ]
    model = emplus.GaussianMixture(3, search="reset", random_state=8)
    fit = model.fit(emplus.datasets.load("iris").X).result_
    again = report["runs"][3]
    # The rows lie otherwise in memory there, so their sums are rounded otherwise.
    assert again["log_likelihood"] == pytest.approx(fit.log_likelihood, rel=1e-9)
    assert again["passes"] == fit.passes
    assert again["outcome"] == "converged"
    em = report["searches"][0]
    assert sum(em["hits"]) == em["runs"] == 3
    assert em["chance_of_new"] == em["hits"].count(1) / 3
    assert report["data"]["columns"][0] == "sepal length (cm)"
    assert report["arguments"]["n_components"] == 3


def test_the_options_of_the_model_are_those_of_fit(run: Run) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((80, 3)), columns=["a", "b", "w"]).assign(s="text")
    frame["w"] = rng.integers(1, 4, 80)
    frame.to_csv("t.csv", index=False)
    args = (
        *("t.csv", "-k", "2", "--covariance", "diag", "--columns", "b,a", "--weights-column", "w"),
        *("--init", "kmeans", "--tol", "1e-4", "--max-iter", "7", "--reg-covar", "2"),
        *("--threads", "1"),
    )
    report = report_of(run, *args, "--seeds", "1", "--searches", "em")
    assert run("fit", *args, "--search", "em", "--quiet", "--json", "r.json").exit_code == 0
    fit = json.loads(Path("r.json").read_text())
    assert report["runs"][0]["log_likelihood"] == fit["fit"]["log_likelihood"]
    assert report["data"]["total_weight"] == float(frame["w"].sum())
    shared = set(report["arguments"]) & set(fit["arguments"])
    assert {n: report["arguments"][n] for n in shared} == {n: fit["arguments"][n] for n in shared}


def test_standardized_totals_are_in_the_units_of_the_data(run: Run) -> None:
    X = emplus.datasets.load("faithful").X * [1e-3, 1e2]
    np.save("t.npy", X)
    args = ("t.npy", "-k", "2", "--standardize")
    report = report_of(run, *args, "--seeds", "1", "--searches", "em")
    assert run("fit", *args, "--search", "em", "--quiet", "--json", "r.json").exit_code == 0
    fit = json.loads(Path("r.json").read_text())["fit"]
    assert report["runs"][0]["log_likelihood"] == pytest.approx(fit["log_likelihood"], rel=1e-12)
    best = report["best_log_likelihood_per_row"]
    assert best == pytest.approx(fit["log_likelihood_per_row"], rel=1e-12)


def test_the_picture(run: Run) -> None:
    args = ("faithful", "-k", "2", "--seeds", "2", "--searches", "em,reset", "--plot", "c.png")
    result = run("compare", *args)
    assert "picture         c.png" in result.stdout
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_did_not_settle_are_said(run: Run) -> None:
    args = ("iris", "-k", "3", "--max-iter", "2", "--seeds", "3", "--searches", "em")
    result = run("compare", *args)
    assert "3 of the runs of 'em' ended otherwise than settled: iterations exhausted." in (
        result.stdout
    )


def test_odd_data_are_said_once(run: Run) -> None:
    Path("t.csv").write_text("a,b\n1,5\n2,5\n4,5\n9,5\n")
    result = run("compare", "t.csv", "--seeds", "2", "--searches", "em")
    assert result.exit_code == 0
    assert result.stderr.count("emplus: warning: ") == 1
    assert "'b'" in result.stderr


def test_failed_starts_are_counted(run: Run) -> None:
    # Two points and no prior: a component on one of them has no maximum.
    Path("t.csv").write_text("a\n0\n0\n0\n1\n2\n2.5\n3\n")
    args = ("t.csv", "-k", "2", "--reg-covar", "0", "--seeds", "8", "--searches", "em")
    report = report_of(run, *args)
    [summary] = report["searches"]
    assert 0 < summary["failed"] < 8
    assert summary["worst"] is None
    result = run("compare", *args)
    assert f"{summary['failed']} of the runs of 'em' ended otherwise than settled: failed." in (
        result.stdout
    )


def test_control_c_reports_the_complete_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Restarts.__call__
    calls: list[int] = []

    def stopped(self: Restarts, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, *args)

    monkeypatch.setattr(Restarts, "__call__", stopped)
    args = ("faithful", "-k", "2", "--searches", "em", "--json", "r.json")
    result = run("compare", *args)
    assert result.exit_code == 130
    assert "Interrupted: these are the runs that were complete." in result.stdout
    assert "; 3 seeds" in result.stdout
    report = json.loads(Path("r.json").read_text())
    assert report["interrupted"] is True
    assert len(report["runs"]) == 3
    calls[:] = [1, 1, 1]
    result = run("compare", *args)
    assert result.exit_code == 130
    assert result.stderr.strip() == "emplus: error: interrupted."


BAD: list[tuple[list[str], str]] = [
    (["--searches", "me"], "did you mean 'em'"),
    (["--searches", "em,,reset"], "is not a list of names"),
    (["--searches", "em,em"], "names 'em' more than once"),
    (["--searches", "reset+em"], "it can come first only"),
    (["--seeds", "0"], "0 is not in the range"),
    (["--first-seed", "-1"], "-1 is not in the range"),
    (["--first-seed", "4294967295", "--seeds", "2"], "there are no 2 seeds from there on"),
    (["-k", "500"], "cannot hold n_components = 500"),
    (["--plot", "c.gif"], "must end in one of .png, .svg, .pdf"),
    (["--plot", "c.png", "--json", "c.png"], "name the same file"),
    (["--reg-covar", "some"], "'some' is neither a number nor 'auto'"),
    (["--family", "gausian"], "did you mean 'gaussian'"),
    (["--n-init", "3"], "No such option"),
]


@pytest.mark.parametrize(("args", "part"), BAD)
def test_bad_arguments(args: list[str], part: str, run: Run) -> None:
    result = run("compare", "faithful", *args)
    assert result.exit_code == 2
    assert part in result.stderr
    assert result.stderr.startswith("emplus: error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not list(Path().iterdir())


def test_the_bar_counts_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmExperimentalWarning)
        with RunBar(2) as watch:
            assert watch._bar.n == 0
            watch("em", 0)
            assert watch._bar.n == 0
            watch("em", 1)
            assert watch._bar.n == 1
            assert "em, seed 1" in str(watch._bar)
    assert "run" in capsys.readouterr().err
