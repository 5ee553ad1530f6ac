"""The command line with ``--family factor-analyzer``, and pictures of rows that are images."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import emplus
from emplus.families.factor_analyzer import LOADINGS, NOISES
from emplus.io import load
from tests.plotting.examples import png_size

Run = Callable[..., Result]

FIT = ("fit", "iris", "-k", "3", "--family", "factor-analyzer", "--search", "em")

every_noise = pytest.mark.parametrize("noise", NOISES)
every_loadings = pytest.mark.parametrize("loadings", LOADINGS)


@pytest.fixture
def model(run: Run) -> str:
    """A model of iris with two factors in the current folder."""
    assert run(*FIT, "--factors", "2", "--output", "m", "--quiet").exit_code == 0
    return "m"


@pytest.fixture
def digits(run: Run) -> str:
    """A model of scikit-learn's digits in the current folder, cut short."""
    args = ("--family", "factor-analyzer", "--factors", "3", "--noise", "shared", "--max-iter", "3")
    fit = ("fit", "digits", "-k", "4", *args, "--search", "em", "--output", "d", "--quiet")
    assert run(*fit).exit_code == 0
    return "d"


def iris() -> pd.DataFrame:
    dataset = emplus.datasets.load("iris")
    return pd.DataFrame(dataset.X, columns=list(dataset.feature_names))


def test_the_report(run: Run) -> None:
    text = run(*FIT, "--factors", "2", "--noise", "shared").stdout
    assert "Factor-analyzer mixture of 3 components on data set 'iris': 150 rows, 4 col" in text
    assert "factors         2\nnoise           shared\nloadings        own\n" in text
    fitted = emplus.FactorAnalyzerMixture(
        3, n_factors=2, noise="shared", search="em", random_state=0
    ).fit(iris())
    deviation = np.sqrt(fitted.covariances_[0, 1, 1])
    assert f"{fitted.means_[0, 1]:.3f} ± {deviation:.3f}" in text
    assert f"BIC             {fitted.bic(iris()):.4f}" in text


@every_noise
@every_loadings
def test_the_json_report_has_every_array(noise: str, loadings: str, run: Run) -> None:
    args = ("--factors", "2", "--noise", noise, "--loadings", loadings)
    run(*FIT, *args, "--json", "r.json", "--output", "m", "--quiet")
    described = json.loads(Path("r.json").read_text())["model"]
    assert described["family"] == "factor-analyzer"
    assert described["config"] == {"n_factors": 2, "noise": noise, "loadings": loadings}
    fitted = load("m")
    mixture = fitted.mixture_
    for name, array in mixture.family.pack(mixture.parameters).items():
        assert np.array_equal(described[name], array)
    assert np.array_equal(described["means"], fitted.means_)
    deviations = np.sqrt(np.einsum("kaa->ka", fitted.covariances_))
    assert np.allclose(described["standard_deviations"], deviations)


def test_the_json_keys_of_a_gaussian_are_as_before(run: Run) -> None:
    run("fit", "iris", "--json", "r.json", "--quiet")
    described = json.loads(Path("r.json").read_text())["model"]
    assert list(described) == [
        "family", "config", "n_components", "columns", "weights", "means",
        "standard_deviations", "covariances",
    ]  # fmt: skip


@every_noise
@every_loadings
def test_standardize_gives_a_model_in_the_units_of_the_data(
    noise: str, loadings: str, run: Run
) -> None:
    frame = iris() * [1e-4, 1e3, 1.0, 1.0] + [0.0, 1e6, 0.0, 0.0]
    frame.to_csv("t.csv", index=False)
    args = ("--factors", "2", "--noise", noise, "--loadings", loadings, "--search", "em")
    result = run(
        *("fit", "t.csv", "-k", "3", "--family", "factor-analyzer", *args, "--seed", "0"),
        *("--standardize", "--output", "m"),
    )
    assert result.exit_code == 0
    assert ("where isotropic became diag" in result.stdout) is (noise == "isotropic")
    Z = (frame.to_numpy() - frame.mean().to_numpy()) / frame.std(ddof=0).to_numpy()
    inner = emplus.FactorAnalyzerMixture(
        3, n_factors=2, noise=noise, loadings=loadings, search="em", random_state=0
    ).fit(Z)
    found = load("m")
    assert np.allclose(found.predict_proba(frame), inner.predict_proba(Z), atol=1e-5)
    total = found.score_samples(frame).sum()
    assert found.result_.log_likelihood == pytest.approx(total, rel=1e-8)
    assert found.noise == ("diag" if noise == "isotropic" else noise)


def test_the_other_commands(model: str, run: Run) -> None:
    fitted, rows = load(model), iris()
    labels = pd.read_csv(StringIO(run("predict", model, "iris").stdout))["label"]
    assert labels.tolist() == fitted.predict(rows).tolist()
    said = dict(line.split("  ", 1) for line in run("score", model, "iris").stdout.splitlines())
    assert float(said["mean log-likelihood a row"]) == pytest.approx(fitted.score(rows), abs=1e-8)
    drawn = pd.read_csv(StringIO(run("sample", model, "-n", "4", "--seed", "1").stdout))
    assert np.array_equal(drawn.to_numpy(), fitted.sample(4, random_state=1)[0])
    text = run("info", model).stdout
    assert "FactorAnalyzerMixture" in text
    assert "factor-analyzer (2 factors, diag noise, own loadings)" in text
    content: dict[str, Any] = json.loads(run("info", model, "--json").stdout)["model"]
    assert np.array_equal(content["loadings"], fitted.loadings_)
    assert run("plot", model, "iris", "--output", "p.png").exit_code == 0
    assert png_size(Path("p.png"))[0] > 800


def test_compare(run: Run) -> None:
    args = ("--family", "factor-analyzer", "--factors", "1", "--seeds", "2", "--json", "c.json")
    result = run("compare", "iris", "-k", "3", "--searches", "em,split_merge", *args)
    assert result.exit_code == 0
    report = json.loads(Path("c.json").read_text())
    assert report["arguments"]["n_factors"] == 1
    fitted = emplus.FactorAnalyzerMixture(3, search="em", random_state=1).fit(iris())
    [run_of_1] = [r for r in report["runs"] if (r["search"], r["seed"]) == ("em", 1)]
    assert run_of_1["log_likelihood"] == pytest.approx(fitted.result_.log_likelihood, rel=1e-9)


def test_components_are_drawn_as_images(digits: str, run: Run) -> None:
    args = ("--image-shape", "8x8")
    assert run("plot", digits, "digits", "--output", "p.png", *args).exit_code == 0
    fit = ("fit", "digits", "-k", "2", "--covariance", "diag", "--max-iter", "2", "--search", "em")
    result = run(*fit, "--plot", "g.svg", *args)
    assert result.exit_code == 0
    assert "picture         g.svg" in result.stdout
    assert png_size(Path("p.png"))[0] >= 800
    for place in ("p.png", "g.svg"):
        before = Path(place).read_bytes()
        run("plot", digits, "digits", "--output", place)
        assert Path(place).read_bytes() != before
