from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import emplus
from emplus.cli.compare import compare as compare_command
from emplus.cli.families import FACES, FAMILIES
from emplus.cli.fit import fit as fit_command
from emplus.cli.options import SEARCHES
from emplus.cli.outputs import PICTURES
from emplus.cli.select import select as select_command
from emplus.estimators import ESTIMATORS, estimator_class
from emplus.families.registry import FAMILIES as KNOWN_FAMILIES
from emplus.io import load
from emplus.plotting import EXTENSIONS, plot_fit
from emplus.search.registry import SEARCHES as KNOWN

ROOT = Path(emplus.__file__).parents[1]
Run = Callable[..., Result]


def shell(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *args]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120, **options
    )


# -- the surface ---------------------------------------------------------------------------------


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys\n"
        "from emplus.cli import main\n"
        "for args in (['--help'], ['fit', '--help'], ['compare', '--help'], ['--version']):\n"
        "    main(args, standalone_mode=False)\n"
        "slow = {'numpy', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'tqdm', 'safetensors'}\n"
        "sys.exit(str(sorted(slow & set(sys.modules))) if slow & set(sys.modules) else 0)\n"
    )
    done = shell("-c", code)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    commands = ("fit", "select", "compare", "predict", "score", "impute", "sample", "info", "plot")
    for name in (*commands, "datasets"):
        assert f"\n  {name}" in result.stdout
        assert run(name, "--help").exit_code == 0


def test_no_command_shows_the_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"emplus {emplus.__version__}\n"


def test_the_defaults_in_the_help_are_the_estimators() -> None:
    names = {
        "covariance": "covariance_type",
        "search": "search",
        "n_init": "n_init",
        "init": "init_params",
        "tol": "tol",
        "max_iter": "max_iter",
        "reg_covar": "reg_covar",
    }
    of_factors = {"factors": "n_factors", "noise": "noise", "loadings": "loadings"}
    names |= of_factors | {"prior": "prior", "binarize": "binarize"}
    arguments = {
        **inspect.signature(emplus.BernoulliMixture).parameters,
        **inspect.signature(emplus.FactorAnalyzerMixture).parameters,
        **inspect.signature(emplus.GaussianMixture).parameters,
    }
    helps = {option.name: getattr(option, "help", None) for option in fit_command.params}
    for option, name in names.items():
        assert f"[default: {arguments[name].default}]" in str(helps[option])


def test_the_help_names_every_family_and_every_option_belongs_to_one() -> None:
    assert FAMILIES.split(", ") == list(FACES)
    # A product is what the command line calls mixed.
    assert {"mixed" if name == "product" else name for name in KNOWN_FAMILIES} == set(FACES)
    mixtures = {name for name in ESTIMATORS if hasattr(estimator_class(name), "_restore")}
    # For families from outside.
    mixtures.discard("FamilyMixture")
    assert {face.estimator for face in FACES.values()} == mixtures
    for command in (fit_command, compare_command, select_command):
        helps = {option.name: str(getattr(option, "help", "")) for option in command.params}
        assert all(family in helps["family"] for family in FACES)
        for estimator, options in FACES.values():
            assert {option for option, argument in options.items() if argument} <= helps.keys()
            arguments = inspect.signature(estimator_class(estimator)).parameters
            assert set(filter(None, options.values())) <= set(arguments)


def test_the_help_names_every_search() -> None:
    assert SEARCHES.split(", ") == list(KNOWN)
    for command, option in ((fit_command, "search"), (compare_command, "searches")):
        [found] = [o for o in command.params if o.name == option]
        assert SEARCHES in str(getattr(found, "help", ""))


# -- fit -----------------------------------------------------------------------------------------


def test_the_newcomers_command(run: Run) -> None:
    result = run(
        *("fit", "faithful", "--components", "2", "--search", "em", "--seed", "0"),
        *("--plot", "faithful.png", "--output", "faithful.safetensors"),
    )
    assert result.exit_code == 0
    assert result.stderr == ""
    text = result.stdout
    assert "Gaussian mixture of 2 components on data set 'faithful': 272 rows, 2 columns" in text
    assert "eruptions" in text
    assert "4.290 ± 0.411" in text or "4.290 ± 0.412" in text
    for fact in ("log-likelihood  -1130.2", "BIC             2322.", "iterations", "outcome"):
        assert fact in text
    assert "seconds" in text
    assert "model           faithful.safetensors" in text
    assert "picture         faithful.png" in text
    assert Path("faithful.png").read_bytes().startswith(b"\x89PNG")
    assert load("faithful.safetensors").feature_names_in_.tolist() == ["eruptions", "waiting"]


def test_the_json_report_agrees_with_the_model(run: Run) -> None:
    result = run("fit", "faithful", "-k", "3", "--n-init", "2", "--seed", "1", "--json", "r.json")
    assert "report          r.json" in result.stdout
    report = json.loads(Path("r.json").read_text())
    X = emplus.datasets.load("faithful").X
    model = emplus.GaussianMixture(3, n_init=2, random_state=1).fit(X)
    assert np.allclose(report["model"]["means"], model.means_, rtol=1e-9)
    assert np.allclose(report["model"]["covariances"], model.covariances_, rtol=1e-9)
    assert report["fit"]["bic"] == pytest.approx(model.bic(X), rel=1e-9)
    assert report["fit"]["aic"] == pytest.approx(model.aic(X), rel=1e-9)
    assert report["fit"]["n_iter"] == model.n_iter_
    assert len(report["fit"]["runs"]) == 2
    assert report["arguments"]["n_init"] == 2
    assert report["data"] == {
        "source": "data set 'faithful'",
        "rows": 272,
        "columns": ["eruptions", "waiting"],
        "total_weight": 272.0,
        "standardized": False,
    }


def test_json_on_standard_output_is_alone_there(run: Run) -> None:
    result = run("fit", "faithful", "--json", "-")
    assert json.loads(result.stdout)["fit"]["outcome"] == "converged"
    assert "Gaussian mixture of 1 component" in result.stderr


def test_quiet_is_quiet(run: Run) -> None:
    assert run("fit", "faithful", "--quiet").output == ""


def test_standard_input(run: Run) -> None:
    result = run("fit", "-", stdin=b"a,b\n1,2\n3,5\n4,4\n7,1\n")
    assert result.exit_code == 0
    assert "on standard input: 4 rows, 2 columns" in result.stdout


def test_columns_and_weights(run: Run) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "w"]).assign(s="text")
    frame["w"] = rng.integers(0, 3, 60)
    frame.to_csv("t.csv", index=False)
    args = ("--columns", "b,a", "--weights-column", "w", "--seed", "0", "--output", "m")
    result = run("fit", "t.csv", *args)
    assert f"total weight    {frame['w'].sum()}" in result.stdout
    twice = frame.loc[frame.index.repeat(frame["w"]), ["b", "a"]]
    expected = emplus.GaussianMixture(random_state=0).fit(twice)
    assert np.allclose(load("m").means_, expected.means_)
    assert load("m").feature_names_in_.tolist() == ["b", "a"]


def test_threads_do_not_change_the_result(run: Run) -> None:
    for threads in ("1", "2"):
        run("fit", "iris", "-k", "3", "--seed", "0", "--threads", threads, "--output", threads)
    assert np.array_equal(load("1").means_, load("2").means_)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_standardize_gives_a_model_in_the_units_of_the_data(covariance: str, run: Run) -> None:
    X = emplus.datasets.load("faithful").X * [1e-4, 1e3] + [0.0, 1e6]
    pd.DataFrame(X, columns=["u", "v"]).to_csv("t.csv", index=False)
    result = run(
        *("fit", "t.csv", "-k", "2", "--covariance", covariance, "--seed", "0"),
        *("--standardize", "--output", "m", "--json", "r.json"),
    )
    assert result.exit_code == 0
    assert ("spherical became diag" in result.stdout) is (covariance == "spherical")
    model, Z = load("m"), (X - X.mean(0)) / X.std(0)
    inner = emplus.GaussianMixture(2, covariance_type=covariance, random_state=0).fit(Z)
    frame = pd.DataFrame(X, columns=["u", "v"])
    assert np.allclose(model.predict_proba(frame), inner.predict_proba(Z), atol=1e-6)
    assert model.result_.log_likelihood == pytest.approx(model.score_samples(frame).sum(), rel=1e-9)
    assert model.result_.objective == pytest.approx(model.result_.trace[-1], rel=1e-9)
    report = json.loads(Path("r.json").read_text())
    assert report["fit"]["bic"] == pytest.approx(model.bic(frame), rel=1e-9)
    assert report["data"]["standardized"] is True


def test_many_components_and_columns_are_trimmed_with_a_note(run: Run) -> None:
    rng = np.random.default_rng(0)
    np.save("t.npy", rng.standard_normal((400, 40)))
    result = run("fit", "t.npy", "-k", "50", "--covariance", "diag", "--max-iter", "2")
    assert result.exit_code == 0
    assert "the 30 heaviest of 50 components" in result.stdout
    assert "of 40 columns" in result.stdout
    assert max(map(len, result.stdout.split("\n\n")[1].splitlines())) <= 100


def test_a_name_cannot_steer_the_terminal(run: Run) -> None:
    Path("t.csv").write_text('"\x1b[31mred","b"\n1,2\n3,5\n4,4\n')
    result = run("fit", "t.csv")
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred" in result.stdout


class _StopAt:
    """An observer during whose third call somebody presses control-C."""

    def __call__(self, state: Any, /) -> None:
        if state.iteration == 3:
            signal.raise_signal(signal.SIGINT)


def test_control_c_saves_the_best_so_far(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    original = emplus.GaussianMixture.fit

    def stopped(self: Any, X: Any, sample_weight: Any = None) -> Any:
        self.set_params(observers=(_StopAt(),))
        return original(self, X, sample_weight=sample_weight)

    monkeypatch.setattr(emplus.GaussianMixture, "fit", stopped)
    result = run("fit", "faithful", "-k", "3", "--tol", "0", "--seed", "0", "--output", "m")
    assert result.exit_code == 130
    assert "interrupted" in result.stdout
    assert result.stderr == ""
    assert load("m").result_.outcome.value == "interrupted"
    result = run("fit", "faithful", "-k", "3", "--tol", "0", "--seed", "0", "--quiet")
    assert result.exit_code == 130
    assert "emplus: warning: " in result.stderr


def test_control_c_before_the_fit_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("emplus.cli.table.read_table", interrupted)
    result = run("fit", "faithful")
    assert result.exit_code == 130
    assert result.stderr.strip() == "emplus: error: interrupted."


ODD: list[tuple[str, str]] = [
    ("a,b\n1,2\n1,2\n1,2\n1,2\n", "All rows are equal"),
    ("a,b\n1,5\n2,5\n4,5\n9,5\n", "'b'"),
    ("a,b\n1,2\n2,4\n3,6\n7,14\n", "collinear"),
]


@pytest.mark.parametrize(("content", "part"), ODD)
def test_odd_data_are_fitted_and_said_once(content: str, part: str, run: Run) -> None:
    Path("t.csv").write_text(content)
    result = run("fit", "t.csv", "-k", "2", "--seed", "0", "--output", "m")
    assert result.exit_code == 0
    said = [line for line in result.stderr.splitlines() if part.lower() in line.lower()]
    assert len(said) == 1
    assert said[0].startswith("emplus: warning: ")
    model = load("m")
    for array in (model.weights_, model.means_, model.covariances_):
        assert np.isfinite(array).all()


# -- predict, score, sample, info, plot, datasets ------------------------------------------------


def test_predict(model: str, run: Run) -> None:
    dataset = emplus.datasets.load("faithful")
    frame = pd.DataFrame(dataset.X, columns=list(dataset.feature_names))
    labels = pd.read_csv(StringIO(run("predict", model, "faithful").stdout))
    assert labels["label"].tolist() == load(model).predict(frame).tolist()
    assert run("predict", model, "faithful", "--proba", "--output", "p.csv").output == ""
    proba = pd.read_csv("p.csv")
    assert list(proba) == ["component_0", "component_1"]
    assert np.array_equal(proba.to_numpy(), load(model).predict_proba(frame))


def test_predict_finds_columns_by_name(model: str, run: Run) -> None:
    dataset = emplus.datasets.load("faithful")
    frame = pd.DataFrame(dataset.X, columns=list(dataset.feature_names))
    frame[["waiting", "eruptions"]].to_csv("turned.csv", index=False)
    frame.assign(day="Monday").to_csv("more.csv", index=False)
    frame.to_csv("bare.csv", index=False, header=False)
    expected = run("predict", model, "faithful").stdout
    assert run("predict", model, "turned.csv").stdout == expected
    assert run("predict", model, "bare.csv").stdout == expected
    assert run("predict", model, "more.csv", "--columns", "eruptions,waiting").stdout == expected
    np.save("bare.npy", dataset.X)
    assert run("predict", model, "bare.npy").stdout == expected


def test_score(model: str, run: Run) -> None:
    text = run("score", model, "faithful").stdout
    assert "mean log-likelihood a row  -4.155" in text
    assert "total log-likelihood       -1130.2" in text
    # The maximum of the likelihood is -1130.264; the prior takes no more than 3e-4 nats a row.
    rows = run("score", model, "faithful", "--rows").stdout.split()
    assert rows[0] == "log_density"
    assert np.mean([float(value) for value in rows[1:]]) == pytest.approx(-4.155382, abs=3e-4)


def test_score_with_weights(model: str, run: Run) -> None:
    Path("t.csv").write_text("eruptions,waiting,w\n2,54,3\n4,80,1\n")
    text = run("score", model, "t.csv", "--weights-column", "w").stdout
    by_row = run("score", model, "t.csv", "--rows", "--columns", "eruptions,waiting").stdout
    first, second = (float(value) for value in by_row.split()[1:])
    total = 3 * first + second
    assert f"{total:.6f}"[:8] in text
    assert "total weight" in text


def test_sample(model: str, run: Run) -> None:
    result = run("sample", model, "-n", "5", "--seed", "3", "--labels")
    rows = pd.read_csv(StringIO(result.stdout))
    assert list(rows) == ["eruptions", "waiting", "label"]
    X, labels = load(model).sample(5, random_state=3)
    assert np.array_equal(rows[["eruptions", "waiting"]].to_numpy(), X)
    assert rows["label"].tolist() == labels.tolist()
    assert run("sample", model, "-n", "5", "--seed", "3", "--labels").stdout == result.stdout
    assert run("sample", model, "-n", "5").stdout != run("sample", model, "-n", "5").stdout


def test_info(model: str, run: Run) -> None:
    text = run("info", model).stdout
    structure = "gaussian (full covariance)"
    for part in ("GaussianMixture", structure, "eruptions", "-1130.2", "272 rows"):
        assert part in text
    content = json.loads(run("info", model, "--json").stdout)
    assert content["header"]["fit"]["n_rows"] == 272
    assert np.array_equal(content["model"]["means"], load(model).means_)
    assert run("info", model, "--output", "i.txt").output == ""
    assert Path("i.txt").read_text() == text


def test_plot(model: str, run: Run) -> None:
    result = run("plot", model, "faithful", "--output", "p.svg", "--trace", "t.pdf")
    assert result.exit_code == 0
    assert "<svg" in Path("p.svg").read_text()
    assert Path("t.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("suffix", PICTURES)
def test_every_picture_that_is_accepted_can_be_drawn(
    suffix: str, model: str, tmp_path: Path
) -> None:
    assert PICTURES == EXTENSIONS
    X = emplus.datasets.load("faithful").X
    plot_fit(load(model), X, tmp_path / f"p{suffix}")
    assert (tmp_path / f"p{suffix}").stat().st_size > 1000


def test_datasets(run: Run) -> None:
    lines = run("datasets").stdout.splitlines()
    assert lines[0].split() == ["name", "rows", "columns", "here", "description"]
    assert next(line for line in lines if line.startswith("faithful")).split()[1:4] == [
        "272",
        "2",
        "yes",
    ]
