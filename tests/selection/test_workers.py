"""Processes that do tasks."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emplus import GaussianMixture
from emplus.errors import ArgumentError, FitError
from emplus.search.registry import make_search
from emplus.selection.tasks import Rows, seed_of
from emplus.selection.workers import make_workers
from tests.selection.helpers import Count, Fail, InterruptAt, Quit

ROWS = Rows(np.zeros((12, 2)))


def test_a_worker_answers_and_its_prints_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    with make_workers(ROWS, [GaussianMixture()], 2, 4, 1) as workers:
        assert workers.slots == 2
        futures = [workers.submit(Count()) for _ in range(4)]
        assert [future.result(60) for future in futures] == [(12, 1)] * 4
    written = capfd.readouterr()
    assert written.out == ""
    assert "this must not stand between the answers" in written.err


def test_an_error_in_a_worker_is_a_sentence_and_the_next_task_is_done() -> None:
    with make_workers(ROWS, [GaussianMixture()], 2, 2, 1) as workers:
        with pytest.raises(ArgumentError, match="ZeroDivisionError: nothing to divide by"):
            workers.submit(Fail()).result(60)
        assert workers.submit(Count()).result(60) == (12, 1)


def test_a_worker_that_ends_is_said_and_another_takes_its_place() -> None:
    with make_workers(ROWS, [GaussianMixture()], 2, 2, 1) as workers:
        for _ in range(2):
            with pytest.raises(FitError, match="ended before its task was done"):
                workers.submit(Quit()).result(60)
        assert workers.submit(Count()).result(60) == (12, 1)


def test_work_that_nobody_waits_for_ends_with_the_block() -> None:
    with make_workers(ROWS, [GaussianMixture()], 2, 8, 1) as workers:
        futures = [workers.submit(Count()) for _ in range(8)]
    assert all(future.done() for future in futures)


@pytest.mark.parametrize(
    ("prototype", "n_jobs", "slots"),
    [
        (GaussianMixture(), 2, 2),
        (GaussianMixture(), 1, 1),
        # A table as small as this is fitted before a process has started.
        (GaussianMixture(), None, 1),
        # Nobody would hear an observer in another process, and a function cannot be sent there.
        (GaussianMixture(observers=[InterruptAt(1)]), 2, 1),
        (GaussianMixture(search=lambda *given: make_search("em")(*given)), 2, 1),
        (GaussianMixture(search=partial(make_search("em"))), 2, 2),
    ],
)
def test_where_tasks_are_done(prototype: Any, n_jobs: int | None, slots: int) -> None:
    with make_workers(ROWS, [prototype], n_jobs, 5, 3) as workers:
        assert workers.slots == slots


def test_seeds_belong_to_their_place() -> None:
    seeds = {seed_of(0, label, k, j) for label in ("a", "b") for k in range(20) for j in range(3)}
    assert len(seeds) == 2 * 20 * 3
    assert seed_of(0, "a", 1) == seed_of(0, "a", 1) != seed_of(1, "a", 1)


@pytest.mark.parametrize("standard_input", [True, False])
def test_scripts_need_no_guard(standard_input: bool, tmp_path: Path) -> None:
    """A worker does not run the caller's script again, wherever that came from."""
    script = tmp_path / "script.py"
    script.write_text(
        "import emplus\n"
        "X = emplus.datasets.load('faithful').X\n"
        "em = emplus.GaussianMixture(search='em')\n"
        "print(emplus.select(X, [1, 2], {'em': em}, random_state=0, n_jobs=2).best.n_components)\n"
    )
    command = [sys.executable, "-" if standard_input else str(script)]
    told = script.read_bytes() if standard_input else None
    root = str(Path(__file__).resolve().parents[2])
    answer = subprocess.run(
        command, input=told, capture_output=True, timeout=120, check=True, cwd=root,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert answer.stdout.split() == [b"2"]
