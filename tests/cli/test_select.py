from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import emplus
from emplus.cli.progress import CountBar
from emplus.estimators.base import MixtureEstimator

Run = Callable[..., Result]


def report_of(run: Run, *args: str) -> dict[str, Any]:
    result = run("select", *args, "--quiet", "--json", "-")
    assert result.exit_code == 0
    assert result.stderr == ""
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_table_and_the_winner(run: Run) -> None:
    result = run("select", "faithful", "-k", "1:4", "--family", "full,tied")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "data set 'faithful': 272 rows, 2 columns" in result.stdout
    assert "Best by bic: tied, 3 components (bic 2314.31)." in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    cells = [row for row in rows if row[:1] in (["full"], ["tied"])]
    assert [(row[0], row[1]) for row in cells] == [
        (name, str(k)) for name in ("full", "tied") for k in range(1, 5)
    ]
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("given", "ks"),
    [("2", [2]), ("1:3", [1, 2, 3]), ("1:6:2", [1, 3, 5]), (" 1, 3 ", [1, 3]), ("4:4", [4])],
)
def test_numbers_of_components(given: str, ks: list[int], run: Run) -> None:
    report = report_of(run, "faithful", "-k", given)
    assert [cell["n_components"] for cell in report["cells"]] == ks


def test_the_json_report_is_what_python_gives(run: Run) -> None:
    args = ("faithful", "-k", "1:3", "--criterion", "cv", "--cv", "3", "--seed", "4")
    report = report_of(run, *args, "--jobs", "1")
    X = emplus.datasets.load("faithful").X
    found = emplus.select(X, range(1, 4), criterion="cv", cv=3, random_state=4)
    assert report["criterion"] == "cv"
    assert report["folds"] == 3
    assert report["best"]["n_components"] == found.best.n_components
    for cell, same in zip(report["cells"], found.cells, strict=True):
        # The rows lie otherwise in memory there, so their sums are rounded otherwise.
        assert cell["cv"] == pytest.approx(same.cv, rel=1e-6)
        assert cell["bic"] == pytest.approx(same.bic, rel=1e-6)
    assert report["bootstrap_test"] is None
    assert report["interrupted"] is False


def test_what_is_written(run: Run) -> None:
    args = ("faithful", "-k", "1:3", "--output", "m.safetensors", "--plot", "p.png")
    result = run("select", *args, "--csv", "t.csv", "--json", "r.json")
    assert result.exit_code == 0
    for line in ("model           m.safetensors", "picture         p.png", "table           t.csv"):
        assert line in result.stdout
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads(Path("r.json").read_text())
    table = pd.read_csv("t.csv")
    np.testing.assert_allclose(table["bic"], [cell["bic"] for cell in report["cells"]])
    model = emplus.load("m.safetensors")
    assert model.n_components == report["best"]["n_components"] == 2
    assert run("predict", "m.safetensors", "faithful").exit_code == 0


def test_a_table_on_standard_output_is_alone_there(run: Run) -> None:
    result = run("select", "faithful", "-k", "1,2", "--csv", "-")
    assert len(pd.read_csv(io.StringIO(result.stdout))) == 2
    assert "Best by bic" in result.stderr


def test_options_of_the_estimators(run: Run) -> None:
    args = ("iris", "-k", "1:2", "--family", "diag", "--family", "factor-analyzer")
    more = ("--factors", "2", "--reg-covar", "0.5", "--tol", "1e-4", "--max-iter", "500")
    report = report_of(run, *args, *more, "--n-init", "2", "--search", "em", "--init", "kmeans")
    assert {cell["family"] for cell in report["cells"]} == {"diag", "factor-analyzer"}
    arguments = report["arguments"]
    assert arguments["reg_covar"] == 0.5
    assert (arguments["tol"], arguments["max_iter"]) == (1e-4, 500)
    assert (arguments["n_init"], arguments["search"]) == (2, "em")
    assert arguments["init_params"] == "kmeans"
    assert arguments.get("n_factors", 2) == 2


def test_weights_and_columns(run: Run) -> None:
    X = emplus.datasets.load("faithful").X
    weight = np.arange(len(X)) % 2
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(w=weight)
    frame.to_csv("t.csv", index=False)
    args = ("t.csv", "-k", "1:2", "--columns", "b", "--weights-column", "w")
    report = report_of(run, *args)
    one = emplus.GaussianMixture(1).fit(X[weight == 1][:, [1]])
    assert report["cells"][0]["bic"] == pytest.approx(one.bic(X[weight == 1][:, [1]]), rel=1e-6)


def test_the_bootstrap_tests_the_winner(run: Run) -> None:
    args = ("iris", "-k", "1:2", "--bootstrap", "3", "--seed", "1")
    result = run("select", *args, "--json", "r.json")
    assert result.exit_code == 0
    assert "2 components against 3: twice the gain in log-likelihood is" in result.stdout
    test = json.loads(Path("r.json").read_text())["bootstrap_test"]
    assert len(test["bootstrap"]) == 3
    reached = sum(value >= test["statistic"] for value in test["bootstrap"])
    assert test["p_value"] == (1 + reached) / 4


def test_a_test_that_cannot_be_made_keeps_nothing_from_being_written(run: Run) -> None:
    Path("t.csv").write_text("a\n1\n2\n2.5\n")
    args = ("t.csv", "-k", "3", "--bootstrap", "3", "--csv", "c.csv")
    result = run("select", *args)
    assert result.exit_code == 2
    assert "goes up to 4, but there are 3 rows" in result.stderr
    assert len(pd.read_csv("c.csv")) == 1


def test_control_c_reports_what_is_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    original = MixtureEstimator.fit
    least = [3]

    def stopped(self: Any, *args: Any, **more: Any) -> Any:
        if self.n_components >= least[0]:
            raise KeyboardInterrupt
        return original(self, *args, **more)

    monkeypatch.setattr(MixtureEstimator, "fit", stopped)
    args = ("faithful", "-k", "1:4", "--output", "m.safetensors", "--bootstrap", "5")
    result = run("select", *args, "--json", "r.json")
    assert result.exit_code == 130
    assert "Interrupted: 2 of the 4 cells not reached." in result.stdout
    report = json.loads(Path("r.json").read_text())
    assert report["interrupted"] is True
    assert [cell["outcome"] for cell in report["cells"]] == ["converged"] * 2 + ["not run"] * 2
    assert report["bootstrap_test"] is None
    assert emplus.load("m.safetensors").n_components == 2
    least[0] = 1
    result = run("select", *args)
    assert result.exit_code == 130
    assert result.stderr.strip() == "emplus: error: interrupted."
    # While the test is made, the table is there already.
    least[0] = 3
    result = run("select", "faithful", "-k", "1:2", "--bootstrap", "5", "--csv", "t.csv")
    assert result.exit_code == 130
    assert "Best by bic: full, 2 components" in result.stdout
    assert len(pd.read_csv("t.csv")) == 2


BAD: list[tuple[list[str], str]] = [
    (["-k", "5:1"], "runs backwards; the smallest number comes first: 1:5."),
    (["-k", ""], "is neither a range like 1:10"),
    (["-k", "1-5"], "is neither a range like 1:10"),
    (["-k", "1:5:0"], "has a step of 0"),
    (["-k", "0:5"], "is too small"),
    (["-k", "3,2"], "does not rise"),
    (["-k", "1:300"], "goes up to 300, but there are 272 rows"),
    (["--criterion", "bci"], "did you mean 'bic'"),
    (["--family", "ful"], "did you mean 'full'"),
    (["--family", "full,,tied"], "is not a list of names"),
    (["--family", "full,full"], "'full' more than once"),
    (["--factors", "2"], "--factors goes with none of the families full"),
    (["--search", "me"], "did you mean 'em'"),
    (["--cv", "1"], "at least 2"),
    (["--bootstrap", "0"], "0 is not in the range"),
    (["--jobs", "0"], "n_jobs=0"),
    (["--seed", "-1"], "-1 is not in the range"),
    (["--reg-covar", "some"], "'some' is neither a number nor 'auto'"),
    (["--plot", "c.gif"], "must end in one of .png, .svg, .pdf"),
    (["--plot", "c.png", "--json", "c.png"], "name the same file"),
    (["--json", "-", "--csv", "-"], "cannot both go to standard output"),
]


@pytest.mark.parametrize(("args", "part"), BAD)
def test_bad_arguments(args: list[str], part: str, run: Run) -> None:
    given = args if "-k" in args else ["-k", "1:2", *args]
    result = run("select", "faithful", *given)
    assert result.exit_code == 2
    assert part in result.stderr
    assert result.stderr.startswith("emplus: error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not list(Path().iterdir())


def test_the_bar_counts_the_fits(capsys: pytest.CaptureFixture[str]) -> None:
    with CountBar("fit") as watch:
        watch(1, 4)
        watch(3, 4)
        assert (watch._bar.n, watch._bar.total) == (3, 4)
    assert "fit" in capsys.readouterr().err
