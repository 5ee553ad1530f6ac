"""The frame of the reproductions: files, claims, refusals, and the one command for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regenerate
import report
from click.testing import CliRunner
from reproduction import FIGURES, Claim, Measured, Reproduction, Run, default_folder

ROOT = Path(__file__).resolve().parents[2]


def claim(holds: bool = True, **changes: Any) -> Claim:
    told = {"key": "one", "says": "a | b.", "published": "1", "ours": "2", "tolerance": "none"}
    return Claim(**{**told, **changes}, holds=holds)


def made(**changes: Any) -> Reproduction:
    parts: dict[str, Any] = {
        "name": "example",
        "title": "An example",
        "source": "Nobody 1900",
        "size": (6.0, 3.0),
        "measure": lambda run: Measured({"x": np.array([1.0, 2.0])}),
        "claims": lambda numbers: [claim(numbers["x"] == [1.0, 2.0])],
        "draw": lambda numbers, arrays, figure: figure.subplots().plot(numbers["x"]),
    }
    return Reproduction(**{**parts, **changes})


def test_numbers_are_kept_to_six_digits_and_judged_as_they_are_kept(tmp_path: Path) -> None:
    seen: list[Any] = []
    numbers = {
        "pi": np.float32(np.pi),
        "none": np.inf,
        "flags": np.array([True, False]),
        "counts": np.arange(2),
        "nested": ({"a": [1 / 3]},),
    }

    def judge(kept: Any) -> list[Claim]:
        seen.append(kept)
        return [claim()]

    script = made(
        measure=lambda run: Measured(numbers, {"big": np.eye(2)}),
        claims=judge,
        draw=lambda kept, arrays, figure: figure.subplots().imshow(arrays["big"]),
    )
    script.write(Run(), tmp_path / "new" / "folder")
    told = json.loads((tmp_path / "new" / "folder" / "example.json").read_text("utf-8"))
    kept = {
        "pi": 3.14159,
        "none": None,
        "flags": [True, False],
        "counts": [0, 1],
        "nested": [{"a": [0.333333]}],
    }
    assert seen == [kept]
    assert told["numbers"] == kept
    assert told["claims"][0]["verdict"] == "holds"


def test_the_same_numbers_give_the_same_bits(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        made().write(Run(), tmp_path / folder)
    first, second = ((tmp_path / folder / "example.png").read_bytes() for folder in ("a", "b"))
    assert first == second


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    made().write(Run(), tmp_path)
    before = {place.name: place.read_bytes() for place in tmp_path.iterdir()}

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    for part in ("measure", "claims"):
        with pytest.raises(ZeroDivisionError):
            made(**{part: fail}).write(Run(), tmp_path)
    assert {place.name: place.read_bytes() for place in tmp_path.iterdir()} == before
    with pytest.raises(ZeroDivisionError):
        made(draw=fail).write(Run(), tmp_path)
    assert (tmp_path / "example.png").read_bytes() == before["example.png"]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_printed_and_written_says_that_a_claim_fails(tmp_path: Path) -> None:
    script = made()
    told = script.told([claim(holds=False)])
    assert "verdict    does not hold" in told
    assert "published  1" in told
    assert script._caption([claim(holds=False)], {}) == [
        "Nobody 1900.",
        "Does not hold: a | b. Published: 1. Here: 2.",
    ]
    script.write(Run(), tmp_path)
    told = json.loads((tmp_path / "example.json").read_text("utf-8"))
    assert "| a \\| b. | 1 | 2 | none | **holds** |" in report._section("example", told)


def test_the_table_says_what_is_missing(tmp_path: Path) -> None:
    page = report.readme(tmp_path)
    assert page.count("Not regenerated yet") == len(report.SCRIPTS)
    assert "0 of 0 claims hold" in page


def test_a_quick_run_replaces_no_picture() -> None:
    assert default_folder(False) == FIGURES
    assert default_folder(True) == FIGURES / "quick"


def test_bars_are_for_terminals_only(capsys: Any) -> None:
    assert list(Run().each(range(3), "work")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    assert Run().pick(2, 1) == 2
    assert Run(quick=True).pick(2, 1) == 1


def test_a_script_runs_alone_from_anywhere(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "reproductions" / "mixture_density.py"), "--quick"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--output", "out"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "verdict    holds" in done.stdout
    assert sorted(place.name for place in (tmp_path / "out").iterdir()) == [
        "mixture_density.json",
        "mixture_density.png",
    ]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(regenerate.main, list(arguments))


def test_one_command_regenerates_those_that_are_asked_for(tmp_path: Path) -> None:
    done = run("--quick", "--only", "mixture_density", "--output", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "1 of 1 pictures" in done.output
    assert (tmp_path / "mixture_density.png").is_file()


def test_what_can_be_mended_is_a_sentence(tmp_path: Path) -> None:
    done = run("--quick", "--only", "mixture_densty")
    assert done.exit_code == 2
    assert "mixture_density" in done.output
    assert "Traceback" not in done.output
    (tmp_path / "file").write_text("")
    done = run("--quick", "--only", "mixture_density", "--output", str(tmp_path / "file" / "x"))
    assert done.exit_code == 2
    assert done.output.startswith("error: ")


def test_a_script_without_its_data_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMPLUS_DATA", raising=False)
    wanted = "mixture_density,split_merge_performance"
    done = run("--quick", "--only", wanted, "--output", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "passed over: split_merge_performance" in done.output
    assert "frey_faces" in done.output
    alone = run("--quick", "--only", "split_merge_performance", "--data", str(tmp_path))
    assert alone.exit_code == 1


def test_an_interruption_keeps_what_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def interrupt(name: str) -> Reproduction:
        if done:
            raise KeyboardInterrupt
        done.append(name)
        return made()

    monkeypatch.setattr(regenerate, "reproduction", interrupt)
    answer = run("--quick", "--output", str(tmp_path))
    assert answer.exit_code == 130
    assert "interrupted" in answer.output
    assert (tmp_path / "example.png").is_file()
