"""``--cluster``: a scheduler and workers started from the shell, and worker processes here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from numpy.testing import assert_allclose

from emplus import GaussianMixture, load
from emplus.cli import main
from emplus.data.cluster_files import files_of
from emplus.datasets import make_mixture
from emplus.errors import DataError

pytest.importorskip("distributed", reason="distributed is not installed")

import dask.array
import dask.distributed

# Few of Dask's functions have types.
da: Any = dask.array
Client: Any = dask.distributed.Client

ROOT = Path(__file__).resolve().parents[2]
N = 30_000
# More than a megabyte: two partitions, one for each worker.
X = make_mixture("overlapping", N, d=5, k=3, seed=0).X
SLOW = ["-k", "3", "--search", "em", "--accelerate", "none", "--tol", "0", "--max-iter", "1000000"]


class Shell:
    """A scheduler and workers, processes of their own that nobody starts again."""

    def __init__(self, folder: Path, n_workers: int):
        self._folder, self._told = folder, folder / "scheduler.json"
        self._all = [self._start("scheduler", "--host", "127.0.0.1", "--port", "0")]
        self.workers = [self._start("worker", "--nthreads", "1", "--no-nanny", "--host",
                                    "127.0.0.1") for _ in range(n_workers)]  # fmt: skip
        self._all += self.workers
        while not self._told.exists() or not self._told.read_text("utf-8").endswith("}"):
            time.sleep(0.05)
        self.address: str = json.loads(self._told.read_text("utf-8"))["address"]

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        command += ["--no-dashboard", "--scheduler-file", str(self._told)]
        if what == "worker":
            command += ["--local-directory", str(self._folder)]
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen(command, env=environment(), stdout=log, stderr=log)

    def close(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    found = Shell(tmp_path_factory.mktemp("shell"), 2)
    yield found
    found.close()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the same rows in several kinds of files."""
    folder = tmp_path_factory.mktemp("rows")
    np.save(folder / "rows.npy", X)
    table = pd.DataFrame(X, columns=list("abcde"))
    table["w"] = np.arange(N) % 4 + 0.5
    table["z"] = np.where(np.arange(N) < 9, np.arange(N) % 3, -1)
    table.to_csv(folder / "table.csv", index=False)
    for number, own in enumerate(np.array_split(np.arange(N), 3)):
        table[list("abcde")].iloc[own].to_parquet(folder / f"part{number}.parquet")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def fitted(*arguments: str) -> tuple[dict[str, Any], Any]:
    done = run("fit", *arguments, "--quiet", "--json", "report.json", "--output", "m.safetensors")
    assert done.exit_code == 0, done.output
    # Whatever Dask has to say, it does not say it here.
    assert [line for line in done.output.splitlines() if "iterations ran out" not in line] == []
    return json.loads(Path("report.json").read_text("utf-8")), load("m.safetensors")


CASES = {
    "npy": ("rows.npy", ["-k", "3", "--search", "em"]),
    "csv": ("table.csv", ["-k", "3", "--columns", "c,a,e", "--weights-column", "w", "--search",
                          "em"]),
    "labels": ("table.csv", ["-k", "3", "--columns", "a,b", "--labels-column", "z", "--search",
                             "em"]),
    "factors": ("rows.npy", ["-k", "2", "--family", "factor-analyzer", "--search", "em"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), CASES.values(), ids=CASES)
def test_a_fit_over_workers_of_the_shell_is_that_of_memory(
    shell: Shell, rows: Path, name: str, arguments: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [str(rows / name), *arguments, "--tol", "1e-8", "--max-iter", "10"]
    told, model = fitted(*given, "--cluster", shell.address)
    cluster = told["data"].pop("cluster")
    assert (cluster["workers"], cluster["threads"]) == (2, 2)
    assert cluster["partitions"] >= 2
    whole, other = fitted(*given)
    assert told["data"] == whole["data"]
    assert told["fit"]["n_iter"] == whole["fit"]["n_iter"]
    each, others = (one["fit"]["log_likelihood_per_row"] for one in (told, whole))
    assert abs(each - others) <= 1e-10
    some: Any = X[:500, : model.n_features_in_]
    named = getattr(model, "feature_names_in_", None)
    some = some if named is None else pd.DataFrame(some, columns=named)
    assert_allclose(model.score_samples(some), other.score_samples(some), atol=1e-8)


def test_the_report_and_a_picture_of_files_by_a_pattern(
    shell: Shell, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("emplus.cli.stream._DRAWN", 200)
    done = run("fit", str(rows / "part*.parquet"), "-k", "2", "--search", "em", "--plot", "p.png",
               "--cluster", shell.address)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "30,000 rows, 5 columns" in done.output
    assert f"3 partitions on 2 workers with 2 threads, {shell.address}" in done.output
    assert "shows 200 of 30000 rows" in done.output.replace(",", "")
    assert Path("p.png").stat().st_size > 10_000


def started(command: list[str]) -> subprocess.Popen[str]:
    """A process with a group of its own."""
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process has said; one that does not end is killed with its group."""
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"no end: {process.communicate()}")


def done_tasks(client: Any) -> int:
    return int(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter))


def test_workers_that_are_killed(
    shell: Shell, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mortal = Shell(tmp_path, 3)
    try:
        with Client(mortal.address) as client:
            client.wait_for_workers(3)
            _one_in_mid_fit(mortal, client)
            _all_in_mid_fit(mortal, client, rows)
    finally:
        mortal.close()
    _another_cluster_goes_on(shell, rows)


def _one_in_mid_fit(mortal: Shell, client: Any) -> None:
    ends, given = [], da.from_array(X, chunks=(10_000, 5))
    for struck in (False, True):

        def strike(state: Any, struck: bool = struck) -> None:
            if struck and state.iteration == 3:
                mortal.workers[0].kill()

        model = GaussianMixture(3, search="em", max_iter=12, tol=1e-13, random_state=0)
        with pytest.warns(UserWarning, match="iterations ran out"):
            ends.append(model.set_params(observers=[strike]).fit(given).result_.trace)
    assert len(client.nthreads()) == 2
    assert ends[0] == ends[1]


def _all_in_mid_fit(mortal: Shell, client: Any, rows: Path) -> None:
    command = [sys.executable, "-m", "emplus", *_kept(rows), "--checkpoint-every", "0"]
    command += ["--cluster", mortal.address, "--patience", "1"]
    before = done_tasks(client)
    process = started(command)
    while done_tasks(client) < before + 400 and process.poll() is None:
        time.sleep(0.1)
    for worker in mortal.workers:
        worker.kill()
    out, told = ended(process)
    assert process.returncode == 2, told
    assert (out, told.count("\n")) == ("", 1)
    assert "it has had no worker for 1 seconds" in told
    assert Path("run.safetensors").exists()


def _kept(rows: Path) -> list[str]:
    fit = ["fit", str(rows / "rows.npy"), "-k", "4", "--search", "em", "--accelerate", "none"]
    return [*fit, "--tol", "0", "--max-iter", "60", "--checkpoint", "run.safetensors"]


def _another_cluster_goes_on(shell: Shell, rows: Path) -> None:
    """From the last checkpoint, to the bits of a fit that lost nobody."""
    there = ["--cluster", shell.address, "--quiet"]
    undisturbed = [*_kept(rows)[:-1], "other.safetensors"]
    models = []
    for given in ([*_kept(rows), "--resume"], undisturbed):
        done = run(*given, *there, "--output", "m.safetensors")
        assert done.exit_code == 0, done.output
        models.append(load("m.safetensors"))
    assert models[0].result_.trace == models[1].result_.trace
    assert len(models[0].result_.trace) == 61
    assert np.array_equal(models[0].covariances_, models[1].covariances_)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_processes_here_are_gone_after_an_interrupt(rows: Path, pause: float) -> None:
    command = [sys.executable, "-m", "emplus", "fit", str(rows / "rows.npy"), *SLOW]
    process = started([*command, "--cluster", "local:2"])
    while len(found := workers_of(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(pause)  # they may have only just been started
    # As a terminal does, the whole group is interrupted, workers too.
    os.killpg(process.pid, signal.SIGINT)
    _, told = ended(process)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) <= 1
    time.sleep(0.5)
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)


def workers_of(pid: int) -> list[int]:
    """Processes that any of its threads has started to do the work."""
    tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    own = [int(child) for task in tasks for child in task.read_text().split()]
    return [one for one in own if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


REFUSED = {
    "no workers": (["--cluster", "local:0"], "'local:0' is no number of workers"),
    "no number": (["--cluster", "local:x"], "'local:x' is no number of workers"),
    "no address": (["--cluster", "here"], "'here' is no address of a cluster"),
    "no port": (["--cluster", "tcp://127.0.0.1"], "no address of a cluster"),
    "nobody": (["--cluster", "tcp://127.0.0.1:1"], "No cluster answers at 'tcp://127.0.0.1:1'"),
    "stream": (["--cluster", "local:1", "--stream"], "leave --stream out"),
    "standardize": (["--cluster", "local:1", "--standardize"], "--standardize needs the rows"),
    "patience": (["--patience", "3"], "--patience is for --cluster"),
    "column": (["--cluster", "local:1", "--columns", "x0,q"], "'q'"),
    "both": (["--cluster", "local:1", "--columns", "x0", "--weights-column", "x0"], "at once"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_a_sentence(rows: Path, arguments: list[str], words: str) -> None:
    begun = time.monotonic()
    done = run("fit", str(rows / "rows.npy"), *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1
    assert time.monotonic() - begun < 10.0


def test_without_dask_there_is_a_sentence(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    done = run("fit", str(rows / "rows.npy"), "--cluster", "local:2")
    assert done.exit_code == 2
    assert "pip install 'emplus[cluster]'" in done.output


@pytest.mark.parametrize(("size", "words"), [(None, "does not see"), (7, "sees another file at")])
def test_a_worker_without_the_file_is_told(rows: Path, size: int | None, words: str) -> None:
    client = SimpleNamespace(run=lambda function, paths: {"tcp://there:1": [size]})
    reached: Any = SimpleNamespace(client=client)
    with pytest.raises(DataError, match=f"worker tcp://there:1 {words}"):
        files_of(str(rows / "rows.npy")).read(reached, ["x0"])
