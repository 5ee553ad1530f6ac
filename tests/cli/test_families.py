"""Tables of truth values, categories and several kinds of columns on the command line."""

from __future__ import annotations

import json
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

from emplus import BernoulliMixture, CategoricalMixture, GaussianMixture, MixedMixture
from emplus.data.likely import likely_family
from emplus.io import load
from emplus.selection.candidates import default_families

Run = Callable[..., Result]


def people(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two kinds of people, with holes."""
    rng = np.random.default_rng(seed)
    old = rng.random(n) < 0.4
    frame = pd.DataFrame(
        {
            "age": np.where(old, 65, 25) + rng.integers(-8, 9, n),
            "income": np.where(old, 3.0, 1.0) + 0.3 * rng.standard_normal(n),
            "retired": np.where(rng.random(n) < 0.9, old, ~old),
            "music": np.where(rng.random(n) < 0.85, np.where(old, "jazz", "pop"), "none"),
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.05)


def votes(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    side = np.arange(n) % 2 == 0
    agree = rng.random((n, 6)) < np.where(side[:, None], 0.9, 0.2)
    return pd.DataFrame(agree.astype(int), columns=[f"v{j}" for j in range(6)])


ANSWERS = votes().replace({0: "no", 1: "yes"})
TABLES: list[tuple[str, pd.DataFrame, str, Any]] = [
    ("mixed (2 continuous, 1 binary, 1 categorical columns)", people(), "mixed", MixedMixture),
    ("bernoulli (6 binary columns)", votes(), "bernoulli", BernoulliMixture),
    ("bernoulli (6 binary columns)", votes().astype(bool), "bernoulli", BernoulliMixture),
    ("bernoulli (6 binary columns)", votes().mask(votes() < -1), "bernoulli", BernoulliMixture),
    ("categorical (6 categorical columns)", ANSWERS, "categorical", CategoricalMixture),
    ("gaussian (6 continuous columns)", votes() + 1, "gaussian", GaussianMixture),
    ("gaussian (6 continuous columns)", votes().assign(v0=0.5), "gaussian", GaussianMixture),
]


@pytest.mark.parametrize(("words", "frame", "family", "estimator"), TABLES)
def test_the_family_suits_the_table(
    words: str, frame: pd.DataFrame, family: str, estimator: Any, run: Run
) -> None:
    frame.to_csv("t.csv", index=False)
    result = run("fit", "t.csv", "-k", "2", "--output", "m", "--search", "em")
    assert result.exit_code == 0, result.stderr
    assert f"family          {words}" in result.stdout
    assert type(load("m")) is estimator
    named = run("fit", "t.csv", "-k", "2", "--family", family, "--output", "n", "--search", "em")
    assert f"family          {words}" in named.stdout
    assert load("n").result_.objective == load("m").result_.objective
    assert likely_family(frame) == family
    assert default_families(frame) == ("full" if family == "gaussian" else family,)
    for command in (
        ("compare", "t.csv", "-k", "2", "--seeds", "1", "--searches", "em"),
        ("select", "t.csv", "-k", "1:2", "--search", "em"),
    ):
        found = run(*command)
        assert found.exit_code == 0, found.stderr
        assert words[words.index("(") + 1 : -1] in found.stdout


LIKELY: list[tuple[Any, str]] = [
    (np.array([[0, 1], [1, 1]]), "bernoulli"),
    (np.array([[True, False]]), "bernoulli"),
    (np.array([[0.0, np.nan], [1.0, 1.0]]), "bernoulli"),
    (np.array([[0.0, 2.0]]), "gaussian"),
    (pd.DataFrame({"a": [True, None], "b": [0, 1]}), "bernoulli"),
    (pd.DataFrame({"a": [True, None], "b": [0, 2]}), "mixed"),
    (pd.DataFrame({"a": ["x", None]}), "categorical"),
    (pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": ["u", "v"]}), "categorical"),
    (pd.DataFrame({"a": pd.Categorical([0, 1])}), "categorical"),
    (pd.DataFrame({"a": ["x", "y"], "b": [0, 1]}), "mixed"),
    (np.vstack([np.zeros((9000, 2)), [[0, 7]]]), "gaussian"),
]


@pytest.mark.parametrize(("table", "family"), LIKELY)
def test_what_columns_speak_for(table: Any, family: str) -> None:
    assert likely_family(table) == family


def test_a_mixed_model_at_work(run: Run) -> None:
    people().to_csv("t.csv", index=False)
    fitted = run(*("fit", "t.csv", "-k", "2", "--output", "m", "--json", "r.json"))
    assert fitted.exit_code == 0, fitted.stderr
    model = load("m")
    table = pd.read_csv("t.csv")
    lines = fitted.stdout.splitlines()
    old = int(np.argmax(model.means_[:, 0]))
    [telling] = [line for line in lines if line.startswith(f"{old:>9}  ") and "=" in line]
    probability = model.probabilities_["music"][old, list(model.categories_["music"]).index("jazz")]
    assert f"music=jazz {probability:.2f}" in telling
    assert f"retired=True {model.probabilities_['retired'][old, 1]:.2f}" in telling
    assert f"missing         {int(table.isna().to_numpy().sum())} of 480 entries" in fitted.stdout
    held = json.loads(Path("r.json").read_text())["model"]
    assert held["categories"]["music"] == ["jazz", "none", "pop"]
    assert np.allclose(held["probabilities"]["music"], model.probabilities_["music"])
    assert held["continuous"] == ["age", "income"]
    assert np.allclose(held["means"], model.means_)
    assert np.allclose(held["covariances"], model.covariances_)
    labels = pd.read_csv(StringIO(run("predict", "m", "t.csv").stdout))["label"]
    assert labels.tolist() == model.predict(table).tolist()
    mean = run("score", "m", "t.csv").stdout.splitlines()[1].split()[-1]
    assert float(mean) == pytest.approx(model.score(table), rel=1e-9)
    for part in ("MixedMixture", "mixed (full covariance)", "music=jazz", "age"):
        assert part in run("info", "m").stdout
    assert "Nothing is wrong" in run("info", "m", "t.csv").stdout


def test_samples_have_the_types_of_the_table(run: Run) -> None:
    people().to_csv("t.csv", index=False)
    run("fit", "t.csv", "-k", "2", "--output", "m", "--quiet")
    text = run("sample", "m", "-n", "50", "--seed", "0", "--labels").stdout
    drawn = pd.read_csv(StringIO(text), keep_default_na=False)
    assert list(drawn) == ["age", "income", "retired", "music", "label"]
    assert set(drawn["retired"]) == {True, False}
    assert set(drawn["music"]) <= {"jazz", "pop", "none"}
    assert drawn["age"].between(0, 120).all()
    votes().to_csv("v.csv", index=False)
    for family in ("bernoulli", "categorical"):
        run("fit", "v.csv", "-k", "2", "--family", family, "--output", "b", "--quiet")
        cells = run("sample", "b", "-n", "20", "--seed", "0").stdout.split("\n", 1)[1]
        assert set(cells) == set("01,\n")


def test_numbers_that_were_text_at_the_fit_are_text_again(run: Run) -> None:
    Path("t.csv").write_text("a,b\n1,x\n2,x\nn,y\n1,x\nn,y\n2,y\n")
    assert run("fit", "t.csv", "-k", "2", "--output", "m", "--quiet").exit_code == 0
    # All of the first column looks like numbers here, and of the second nothing is known.
    Path("u.csv").write_text("a,b\n1,x\n2,\n")
    result = run("score", "m", "u.csv", "--rows")
    assert result.stderr == ""
    expected = load("m").score_samples(pd.DataFrame({"a": ["1", "2"], "b": ["x", None]}))
    assert [float(row) for row in result.stdout.split()[1:]] == pytest.approx(expected.tolist())
    Path("w.csv").write_text("a,b\n7,x\n")
    assert "'7' in column 'a'" in run("score", "m", "w.csv").stderr


def test_columns_are_of_the_kind_that_is_asked_for(run: Run) -> None:
    frame = people().assign(zip=np.arange(120) % 3)
    frame.to_csv("t.csv", index=False)
    args = ("--categorical", "zip,music", "--binary", "retired", "--continuous", "age")
    result = run("fit", "t.csv", "-k", "2", *args, "--covariance", "diag", "--prior", "1")
    assert "family          mixed (2 continuous, 1 binary, 2 categorical columns)" in result.stdout
    assert "covariance      diag" in result.stdout
    frame[["zip", "age"]].dropna().to_csv("bare.csv", index=False, header=False)
    placed = run("fit", "bare.csv", "--categorical", "x0", "--factors", "1", "--json", "r.json")
    assert placed.exit_code == 0, placed.stderr
    report = json.loads(Path("r.json").read_text())
    assert report["model"]["categories"] == {"x0": [0.0, 1.0, 2.0]}
    assert report["arguments"]["n_factors"] == 1
    chosen = run("select", "t.csv", "-k", "1", *args, "--factors", "1", "--json", "s.json")
    assert chosen.exit_code == 0, chosen.stderr
    held = json.loads(Path("s.json").read_text())
    assert held["arguments"]["categorical"] == ["zip", "music"]
    assert held["model"]["continuous"] == ["age", "income"]


def test_text_that_is_nearly_all_numbers_is_taken_where_it_is_asked_for(run: Run) -> None:
    for content, refused in (
        ("a\n" + "1\n2\n" * 30 + "x\n", "take the column as it is with --categorical 'a'"),
        ("a\n" + "2001-02-03\n3.4.2001 12:00\n" * 3, "Turn them into numbers"),
    ):
        Path("t.csv").write_text(content)
        assert refused in run("fit", "t.csv").stderr
        assert "1 categorical column" in run("fit", "t.csv", "--categorical", "a").stdout


@pytest.mark.parametrize("unknown", ["", "-1"])
def test_known_components_stay_where_they_are(unknown: str, run: Run) -> None:
    frame = people()
    known = np.where(frame["age"] > 45, 1, 0).astype(str)
    known[::3] = unknown
    frame.assign(group=known).to_csv("t.csv", index=False)
    result = run("fit", "t.csv", "-k", "2", "--labels-column", "group", "--output", "m")
    assert result.exit_code == 0, result.stderr
    assert "known           the component of 80 of 120 rows" in result.stdout
    model = load("m")
    assert model.feature_names_in_.tolist() == list(frame)
    assert model.means_[1, 0] > model.means_[0, 0] + 20
    given = np.array([-1 if cell in ("", "-1") else int(cell) for cell in known])
    own = MixedMixture(2, random_state=0).fit(pd.read_csv("t.csv")[list(frame)], labels=given)
    assert model.result_.objective == pytest.approx(own.result_.objective, rel=1e-9)


def test_binarize(run: Run) -> None:
    rng = np.random.default_rng(0)
    np.save("t.npy", rng.random((60, 4)))
    args = ("fit", "t.npy", "-k", "2", "--family", "bernoulli", "--binarize", "0.7")
    assert run(*args, "--output", "m").exit_code == 0
    overall = load("m").weights_ @ load("m").probabilities_
    assert np.allclose(overall, (np.load("t.npy") > 0.7).mean(axis=0), atol=0.05)


def test_python_runs_the_package() -> None:
    command = [sys.executable, "-m", "emplus", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("emplus ")
