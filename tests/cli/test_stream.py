"""``--stream``: files read block by block give what they give when read as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from emplus.cli import main, stream
from emplus.datasets import make_mixture

X = make_mixture("separated", 900, d=3, k=3, seed=0).X


def frame() -> pd.DataFrame:
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    table.loc[::7, "b"] = np.nan
    table["w"] = np.arange(900.0) % 4 + 0.5
    table["z"] = np.where(np.arange(900) < 9, np.arange(900) % 3, -1)
    return table


@pytest.fixture(autouse=True)
def small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("emplus.data.stored._AT_ONCE", 4096)
    monkeypatch.setattr("emplus.data.opening._ROWS_AT_ONCE", 250)
    np.save("rows.npy", X)
    frame().to_csv("table.csv", index=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def report(*arguments: str) -> dict[str, Any]:
    done = run("fit", *arguments, "-k", "3", "--quiet", "--json", "report.json")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(Path("report.json").read_text("utf-8"))
    return told


CASES = {
    "npy": ["rows.npy"],
    "csv": ["table.csv", "--columns", "c,a,b"],
    "weights": ["table.csv", "--columns", "a,b", "--weights-column", "w"],
    "labels": ["table.csv", "--labels-column", "z", "--weights-column", "w", "--search", "em"],
    "factors": ["rows.npy", "--factors", "1", "--family", "factor-analyzer"],
}


@pytest.mark.parametrize("arguments", CASES.values(), ids=CASES)
def test_a_fit_is_what_it_is_of_a_table_in_memory(arguments: list[str]) -> None:
    streamed, whole = report(*arguments, "--stream"), report(*arguments, "--no-stream")
    assert streamed["data"] == whole["data"]
    # Tables in memory lie column by column, which rounds otherwise.
    expected = pytest.approx(whole["fit"]["log_likelihood"], rel=1e-13)
    assert streamed["fit"]["log_likelihood"] == expected


def test_the_report_tells_the_same() -> None:
    arguments = ["fit", "table.csv", "-k", "2", "--columns", "a,b", "--search", "em"]
    whole, streamed = run(*arguments), run(*arguments, "--stream")
    assert "missing" in whole.output

    def timeless(done: Result) -> list[str]:
        return [line for line in done.output.splitlines() if not line.startswith("seconds")]

    assert timeless(streamed) == timeless(whole)


@pytest.mark.parametrize("more", [[], ["--proba"]])
@pytest.mark.parametrize("data", ["rows.npy", "table.csv"])
def test_predictions_are_written_block_by_block(data: str, more: list[str]) -> None:
    columns = [] if data.endswith("npy") else ["--columns", "b,a"]
    done = run("fit", data, "-k", "3", *columns, "--output", "m.safetensors", "--quiet")
    assert done.exit_code == 0, done.output
    for name, how in (("whole.csv", "--no-stream"), ("streamed.csv", "--stream")):
        arguments = ["m.safetensors", data, *columns, *more, how, "--output", name]
        done = run("predict", *arguments)
        assert done.exit_code == 0, done.output
    if more:
        whole, streamed = (pd.read_csv(name) for name in ("whole.csv", "streamed.csv"))
        pd.testing.assert_frame_equal(streamed, whole, rtol=1e-9, atol=1e-12)
    else:
        assert Path("streamed.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_a_picture_shows_rows_from_all_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_DRAWN", 100)
    done = run("fit", "table.csv", "-k", "2", "--columns", "a,b", "--stream", "--plot", "p.png",
               "--weights-column", "w", "--search", "em")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "shows 100 of 900 rows" in done.output
    assert Path("p.png").stat().st_size > 10_000


def test_large_files_are_streamed_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stream.streams("rows.npy", None)
    monkeypatch.setattr(stream, "_free_memory", lambda: 3.0 * X.nbytes)
    assert stream.streams("rows.npy", None)
    assert not stream.streams("rows.npy", False)
    assert not stream.streams("faithful", None)
    assert stream._free_memory() == 3.0 * X.nbytes


def test_the_free_memory_is_told_in_bytes() -> None:
    assert 2**20 < stream._free_memory() < 2**50


REFUSED = {
    "a name": (["fit", "faithful", "--stream"], "'faithful' is none"),
    "an option": (["fit", "rows.npy", "--stream", "--prior", "1"], "--prior"),
    "standardize": (["fit", "rows.npy", "--stream", "--standardize"], "--standardize"),
    "a column": (["fit", "table.csv", "--stream", "--columns", "a,q"], "'q'"),
    "weights": (["fit", "table.csv", "--stream", "--weights-column", "q"], "'q'"),
    "labels": (["fit", "table.csv", "--stream", "--labels-column", "a"], "components are 0 to 0"),
    "text": (["fit", "text.csv", "--stream", "--family", "gaussian"], "text in column 'b'"),
    "nearly numbers": (["fit", "typo.csv", "--stream"], "holds text in row 300: 'o'"),
    "dates": (["fit", "dates.csv", "--stream"], "holds dates: '2020-01-02' in row 1"),
    "identifiers": (["fit", "ids.csv", "--stream"], "more than 1,000 categories"),
    "cells": (["fit", "cells.csv", "--stream"], "3 cells instead of 2"),
    "cut": (["fit", "cut.npy", "--stream"], "ends before its last row"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_streamed_is_a_sentence(arguments: list[str], words: str) -> None:
    Path("text.csv").write_text("a,b\n1,x\n", encoding="utf-8")
    rows = [f"{i},{i % 7}" for i in range(400)]
    Path("typo.csv").write_text("\n".join(["a,b", *rows[:299], "1,o", *rows]), encoding="utf-8")
    Path("dates.csv").write_text("a,b\n2020-01-02,x\n2020-01-03,x\n", encoding="utf-8")
    names = "\n".join(f"i{i},x" for i in range(1200))
    Path("ids.csv").write_text(f"a,b\n{names}\n", encoding="utf-8")
    Path("cells.csv").write_text("a,b\n1,2\n1,2,3\n", encoding="utf-8")
    Path("cut.npy").write_bytes(Path("rows.npy").read_bytes()[:-8])
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert "Traceback" not in done.output
