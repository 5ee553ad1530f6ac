"""``emplus fit --checkpoint``: signals, killing, going on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from emplus.datasets import make_mixture
from emplus.io import load
from tests.cli.conftest import Run

# So slow a fit that there is time to stop it.
SLOW = ["-k", "6", "--search", "em", "--tol", "0", "--accelerate", "none", "--max-iter", "400"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    place = tmp_path / "rows.npy"
    np.save(place, make_mixture("overlapping", 3000, d=4, k=6, separation=2.0, seed=0).X)
    return place


def stopped(place: Path, how: signal.Signals, *options: str) -> tuple[int, str]:
    """Exit code and what was said of a fit that is stopped once it has been saved."""
    command = [sys.executable, "-m", "emplus", "fit", "rows.npy", *SLOW, *options]
    with subprocess.Popen(
        command, cwd=place.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        wait_for_climb(place.parent / "run", child)
        child.send_signal(how)
        said = child.stdout.read()
    return child.returncode, said


def wait_for_climb(place: Path, child: subprocess.Popen[str]) -> None:
    """Until a fit has written down some iterations."""
    sizes: set[int] = set()
    until = time.monotonic() + 60.0
    while len(sizes) < 4:
        assert child.poll() is None, child.stdout.read() if child.stdout else ""
        assert time.monotonic() < until
        if place.exists():
            sizes.add(place.stat().st_size)
        time.sleep(0.02)


CHECKPOINT = ("--checkpoint", "run", "--checkpoint-every", "0.05")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends_with_its_code(
    how: signal.Signals, code: int, rows: Path, run: Run
) -> None:
    ended, said = stopped(rows, how, *CHECKPOINT, "--output", "m")
    assert ended == code, said
    assert "Traceback" not in said
    assert "interrupted" in said
    assert "--resume goes on from run" in said
    assert load(rows.parent / "m").result_.outcome.value == "interrupted"
    refused = run("fit", "rows.npy", *SLOW, *CHECKPOINT)
    assert refused.exit_code == 2
    assert "add --resume" in refused.stderr


def test_killed_it_goes_on(rows: Path, run: Run) -> None:
    assert stopped(rows, signal.SIGKILL, *CHECKPOINT) == (-signal.SIGKILL, "")
    saved = (rows.parent / "run").read_bytes()
    other = run("fit", "rows.npy", *SLOW, *CHECKPOINT, "--resume", "--n-init", "2")
    assert other.exit_code == 2
    assert "n_init" in other.stderr
    assert (rows.parent / "run").read_bytes() == saved
    # What is left of a lock is no obstacle.
    assert run("fit", "rows.npy", *SLOW, *CHECKPOINT, "--resume", "--output", "a").exit_code == 0
    assert run("fit", "rows.npy", *SLOW, "--output", "b").exit_code == 0
    taken_up, undisturbed = load("a"), load("b")
    assert taken_up.n_iter_ == 400
    assert np.array_equal(taken_up.means_, undisturbed.means_)
    assert np.array_equal(taken_up.covariances_, undisturbed.covariances_)
    assert taken_up.result_.trace == undisturbed.result_.trace


def test_a_resumed_fit_writes_the_same_model(run: Run, tmp_path: Path) -> None:
    fit = ("fit", "faithful", "-k", "3", "--seed", "2")
    assert run(*fit, "--output", "a").exit_code == 0
    # Broken off by its observer at the first look, saved, and taken up.
    assert run(*fit, "--checkpoint", "run", "--resume", "--output", "b").exit_code == 0
    again = run(*fit, "--checkpoint", "run", "--resume", "--output", "c")
    assert again.exit_code == 0
    models = [load(tmp_path / name) for name in "abc"]
    for one in models[1:]:
        assert np.array_equal(one.means_, models[0].means_)
        assert np.array_equal(one.covariances_, models[0].covariances_)
        assert one.result_.trace == models[0].result_.trace
    assert models[1].result_.seconds == models[2].result_.seconds


WRONG: list[tuple[Sequence[str], str]] = [
    (("--resume",), "name it with --checkpoint"),
    (("--checkpoint", "nowhere/run"), "nowhere"),
    (("--checkpoint", "t.csv"), "--checkpoint 't.csv' is there already"),
    (("--checkpoint", "t.csv", "--resume"), "would replace the file that is read"),
    (("--checkpoint", "m", "--output", "m"), "name the same file"),
    (("--checkpoint", "notes", "--resume"), "not a model file"),
    (("--checkpoint", "run", "--checkpoint-every", "-1"), "--checkpoint-every"),
]


@pytest.mark.parametrize(("options", "part"), WRONG)
def test_what_cannot_be_is_a_sentence(options: Sequence[str], part: str, run: Run) -> None:
    Path("t.csv").write_text("a,b\n1,2\n2,3\n4,1\n5,5\n")
    Path("notes").write_text("notes")
    result = run("fit", "t.csv", "-k", "2", *options)
    assert result.exit_code == 2
    assert part in result.stderr
    assert Path("notes").read_text() == "notes"
    assert not os.path.exists("run")


def test_standardized_columns_go_on(run: Run) -> None:
    fit = ("fit", "faithful", "-k", "2", "--standardize", "--checkpoint", "run", "--resume")
    first, second = run(*fit, "--output", "a"), run(*fit, "--output", "b")
    assert first.exit_code == second.exit_code == 0
    assert np.array_equal(load("a").means_, load("b").means_)
