"""``--stream`` on tables of zeros and ones, of text, and of several kinds of columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from emplus.cli import main
from emplus.io import load
from tests.stored_tables import BITS, MIXED, SURVEY, with_holes


@pytest.fixture(autouse=True)
def small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("emplus.data.stored._AT_ONCE", 4096)
    monkeypatch.setattr("emplus.data.opening._ROWS_AT_ONCE", 250)
    np.save("bits.npy", BITS)
    pd.DataFrame(BITS.astype(int), columns=list("abcdef")).to_csv("bits.csv", index=False)
    with_holes(SURVEY).to_csv("survey.csv", index=False, na_rep="?")
    with_holes(MIXED).to_csv("mixed.tsv", index=False, sep="\t")
    MIXED.assign(w=np.arange(len(MIXED)) % 4 / 3, z=np.where(MIXED.index < 9, 1, -1)).to_csv(
        "weighed.csv", index=False
    )
    # Numbers in the first blocks and text behind them, with spaces; no header; row names.
    codes = np.where(np.arange(900) < 700, "7 ", "seven")
    pd.DataFrame({"code": codes, "x": MIXED["age"][:900]}).to_csv("late.csv", index=False)
    MIXED[["age", "count"]].to_csv("bare.csv", index=False, header=False)
    MIXED.to_csv("rows.csv")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def report(*arguments: str) -> dict[str, Any]:
    done = run("fit", *arguments, "-k", "2", "--quiet", "--json", "r.json", "--output", "m.model")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(Path("r.json").read_text("utf-8"))
    return told


CASES = {
    "bits": ["bits.npy"],
    "bits as text": ["bits.csv", "--columns", "c,a,b", "--search", "em"],
    "threshold": [
        "mixed.tsv",
        "--family",
        "bernoulli",
        "--columns",
        "age,count",
        "--binarize",
        "1",
        "--search",
        "em",
    ],
    "survey": ["survey.csv"],
    "one kind": ["survey.csv", "--family", "mixed", "--search", "em"],
    "mixed": ["mixed.tsv"],
    "kinds": ["mixed.tsv", "--categorical", "one", "--continuous", "count", "--search", "em"],
    "beside": ["weighed.csv", "--weights-column", "w", "--labels-column", "z", "--search", "em"],
    "late text": ["late.csv", "--search", "em"],
    "no header": ["bare.csv", "--search", "em"],
    "row names": ["rows.csv", "--columns", "age,music"],
    "numbers": ["bits.npy", "--family", "categorical", "--search", "em"],
}


@pytest.mark.parametrize("arguments", CASES.values(), ids=CASES)
def test_a_fit_is_what_it_is_of_a_table_in_memory(arguments: list[str]) -> None:
    whole = report(*arguments, "--no-stream")
    model = load("m.model")
    streamed = report(*arguments, "--stream")
    assert streamed["data"] == whole["data"]
    expected = pytest.approx(whole["fit"]["log_likelihood"], rel=1e-12)
    assert streamed["fit"]["log_likelihood"] == expected
    other = load("m.model")
    assert type(other) is type(model)
    assert getattr(other, "coding_", None) == getattr(model, "coding_", None)


@pytest.mark.parametrize("more", [[], ["--proba"]])
@pytest.mark.parametrize("data", ["bits.npy", "survey.csv", "mixed.tsv", "late.csv"])
def test_predictions_are_written_block_by_block(data: str, more: list[str]) -> None:
    report(data, "--search", "em")
    for name, how in (("whole.csv", "--no-stream"), ("streamed.csv", "--stream")):
        done = run("predict", "m.model", data, *more, how, "--output", name)
        assert done.exit_code == 0, done.output
    whole, streamed = (pd.read_csv(name) for name in ("whole.csv", "streamed.csv"))
    pd.testing.assert_frame_equal(streamed, whole, rtol=1e-9, atol=1e-12)


def test_unknown_categories_are_told_of_once() -> None:
    report("survey.csv", "--search", "em")
    survey = SURVEY.copy()
    survey.loc[[3, 700, 1200], "b"] = "new"
    survey.to_csv("other.csv", index=False)
    said = []
    for how in ("--no-stream", "--stream"):
        done = run("predict", "m.model", "other.csv", how, "--output", "p.csv")
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert said[0] == said[1]
    assert "'new' in column 'b' (row 3)" in said[0]
    assert "3 entries" in said[0]
