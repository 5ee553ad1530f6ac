"""Errors say what to do next: what was meant, or where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

STEPS = [
    (("fit", "nothere.csv"), "see whether the path is right, or name a data set"),
    (("fit", "cuonts.csv"), "did you mean 'counts.csv'?"),
    (("fit", "counts"), "did you mean 'counts.csv'?"),
    (("fit", "nowhere/counts.csv"), "nor a folder 'nowhere'; see whether the path is right"),
    (("fit", "sub/cuonts.csv"), "did you mean 'sub/counts.csv'?"),
    (("fit", "sub"), "is a folder, not a table; give a file in it"),
    (("fit", "bare.csv"), "put a line a row below it"),
    (("fit", "-"), "send a table into it"),
    (("fit", "faithfull"), "did you mean 'faithful'?"),
    (("fit", "m.safetensors"), "give the data's own file"),
    (("fit", "words.csv", "--family", "gaussian"), "choose the number columns with --columns"),
    (("fit", "counts.csv", "-k", "9"), "give more rows or ask for fewer components"),
    (("fit", "faithful", "--covariance", "ful"), "did you mean 'full'?"),
    (("fit", "faithful", "--init", "kmean"), "did you mean 'kmeans'?"),
    (("fit", "faithful", "--columns", "eruption"), "did you mean 'eruptions'?"),
    (("fit", "faithful", "--plot", "x.gif"), "must end in one of .png, .svg, .pdf"),
    (("fit", "faithful", "--output", "nowhere/m"), "nowhere'; make it"),
    (("fit", "faithful", "--binarize", "3"), "name another with --family"),
    (("fit", "faithful", "--colums", "a"), "--columns"),
    (("fitt", "faithful"), "--help'"),
    (("fit", "faithful", "--cluster", "local:2"), "workers read files, not data sets by name"),
    (("predict", "faithful", "m.safetensors"), "wrote, and comes first"),
    (("predict", "m.safetensors", "counts.csv"), "Give a table with the model's columns"),
    (("plot", "m.safetensors", "--output", "x.png"), "say which, after MODEL"),
]


@pytest.mark.parametrize(("arguments", "step"), STEPS, ids=lambda value: str(value)[:40])
def test_an_error_says_what_to_do_next(
    arguments: tuple[str, ...], step: str, model: str, run: Run
) -> None:
    Path("counts.csv").write_text("a,b\n1,2\n3,4\n5,7\n")
    Path("words.csv").write_text("name,b\nann,2\nbob,4\n")
    Path("bare.csv").write_text("a,b\n")
    Path("sub").mkdir()
    Path("sub/counts.csv").write_text("a,b\n1,2\n")
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert step in answer.stderr
    assert answer.stderr.startswith("emplus: error: ")
    assert answer.stderr.count("\n") == 1
