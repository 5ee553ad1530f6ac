"""``emplus info MODEL DATA``: what is wrong with a saved model's components."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from numpy.testing import assert_allclose

import emplus
from emplus import Mixture
from emplus.io import load, save

Run = Callable[..., Result]


def faithful() -> pd.DataFrame:
    data = emplus.datasets.load("faithful")
    return pd.DataFrame(data.X, columns=list(data.feature_names))


def test_the_report_follows_what_info_says_without_data(model: str, run: Run) -> None:
    alone, both = run("info", model).stdout, run("info", model, "faithful").stdout
    assert both.startswith(alone.rstrip("\n"))
    assert "entropy index" in both
    assert "entropy index" not in alone
    assert both.endswith("Nothing is wrong with any component.\n")
    found = emplus.diagnose(load(model), faithful())
    assert str(found) in both


def test_json_holds_every_figure(model: str, run: Run) -> None:
    content = json.loads(run("info", model, "faithful", "--json").stdout)
    estimator, data = load(model), faithful()
    told = content["diagnosis"]
    for name in ("bic", "aic", "icl"):
        assert_allclose(told[name], getattr(estimator, name)(data))
    assert_allclose([row["weight"] for row in told["components"]], estimator.weights_)
    assert [row["findings"] for row in told["components"]] == ["", ""]
    assert told["pairs"] == []
    assert "diagnosis" not in json.loads(run("info", model, "--json").stdout)


def test_what_is_wrong_is_told_by_the_names_of_the_columns(model: str, run: Run) -> None:
    estimator = load(model)
    spoilt = np.array([[[1e-9, 0.0], [0.0, 30.0]], [[0.1, 0.0], [0.0, 30.0]]])
    estimator.mixture_ = Mixture.gaussian([0.5, 0.5], [[2.0, 55.0], [4.0, 80.0]], spoilt, "full")
    save(estimator, "spoilt.safetensors")
    text = run("info", "spoilt.safetensors", "faithful").stdout
    assert "Collapsed: 0, on column 'eruptions'" in text
    assert "components      1 of 2 to look at" in text


def test_weights_and_columns_are_those_of_the_data(model: str, run: Run) -> None:
    frame = faithful()[["waiting", "eruptions"]]
    frame = frame.assign(other=1.0, count=np.arange(len(frame)) % 3)
    frame.to_csv("t.csv", index=False)
    chosen = ("--columns", "eruptions,waiting", "--weights-column", "count")
    written = run("info", model, "t.csv", *chosen, "--output", "i.txt")
    assert (written.exit_code, written.output) == (0, "")
    frame.loc[frame.index.repeat(frame["count"])].to_csv("r.csv", index=False)
    repeated = json.loads(
        run("info", model, "r.csv", "--columns", "eruptions,waiting", "--json").stdout
    )["diagnosis"]
    weighted = json.loads(run("info", model, "t.csv", *chosen, "--json").stdout)["diagnosis"]
    assert_allclose(weighted["bic"], repeated["bic"])
    assert_allclose(
        pd.DataFrame(weighted["components"])["rows"], pd.DataFrame(repeated["components"])["rows"]
    )
    total = int(frame["count"].sum())
    assert f"{(frame['count'] > 0).sum()}, of total weight {total}\n" in Path("i.txt").read_text()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--columns", "a"], "--columns is a column of DATA"),
        (["--weights-column", "a"], "--weights-column is a column of DATA"),
        (["nowhere.csv"], "no file"),
        (["t.csv"], "waiting"),
        (["faithful", "--output", "m.safetensors"], "would replace"),
        (["t.csv", "--output", "t.csv"], "would replace"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    args: list[str], sentence: str, model: str, run: Run
) -> None:
    Path("t.csv").write_text("eruptions\n1\n2\n")
    before = Path(model).read_bytes()
    result = run("info", model, *args)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""
    assert Path(model).read_bytes() == before
