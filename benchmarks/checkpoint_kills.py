"""Fits with a checkpoint that are killed at random moments, and two that want one file.

    python benchmarks/checkpoint_kills.py [--kills 200] [--seed 0]

Each fit runs in a process of its own and is killed (SIGKILL) some time after it has begun, again
and again, each time going on from its checkpoint, until it comes to its end. Then its bits are
compared with those of a fit that nobody disturbed. `reliability.py` puts the figures in its page.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
# Seconds from one save to the next, and the longest a fit is left alone.
EVERY, LONGEST = 0.25, 1.0

FITS = {
    "full covariances, split_merge": "GaussianMixture(10, tol=1e-8, random_state=0)",
    "from a file, random_swap": "GaussianMixture(8, search='random_swap', random_state=1)",
    "diagonal, ueda, L-BFGS": "GaussianMixture(8, covariance_type='diag', search='ueda', "
    "optimizer='em+lbfgs', random_state=2)",
    "factor analyzers, annealing": "FactorAnalyzerMixture(6, search='annealing', random_state=3)",
    "zeros and ones, restarts": "BernoulliMixture(8, binarize=0.0, n_init=20, search='restarts', "
    "random_state=4)",
    "stepwise, reset": "GaussianMixture(8, optimizer='stepwise', search='reset', tol=1e-8, "
    "random_state=5)",
}

_CHILD = """
import hashlib, sys, warnings
import numpy as np
from emplus import *
warnings.simplefilter("ignore")
rows, place, every = sys.argv[2], sys.argv[3], float(sys.argv[4])
model = eval(sys.argv[1])
X = rows if "file" in sys.argv[5] else np.load(rows)
print("begun", flush=True)
model.fit(X, checkpoint=Checkpoint(place, every) if place else None)
fit = model.result_
digest = hashlib.sha256(repr((fit.trace, fit.passes, fit.n_iter, len(fit.candidates))).encode())
for name, array in sorted(fit.mixture.family.pack(fit.mixture.parameters).items()):
    digest.update(array.tobytes())
print(digest.hexdigest(), flush=True)
"""


def child(name: str, rows: Path, place: str, every: float = EVERY) -> subprocess.Popen[str]:
    """A process that fits and prints a digest of the bits; it has begun."""
    command = [sys.executable, "-c", _CHILD, FITS[name], str(rows), place, str(every), name]
    started = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n", started.stderr.read() if started.stderr else ""
    return started


def finished(started: subprocess.Popen[str]) -> str:
    """The digest that it prints at its end."""
    said, complaint = started.communicate(timeout=600)
    assert started.returncode == 0, complaint
    return said.strip()


def make_rows(folder: Path) -> Path:
    """Rows on which each of the fits takes some seconds."""
    rng = np.random.default_rng(0)
    means = rng.normal(scale=1.6, size=(12, 8))
    place = folder / "rows.npy"
    np.save(place, means[rng.integers(12, size=30_000)] + rng.standard_normal((30_000, 8)))
    return place


def killings(kills: int, seed: int = 0) -> list[str]:
    """A table: fits, kills, ends with other bits, damaged files, seconds lost."""
    chance, left = random.Random(seed), kills
    table = [
        *wrapped(
            f"{kills} kills (SIGKILL) of fits that save every {EVERY:g} seconds, at random moments "
            f"up to {LONGEST:g} s after the fit has begun, each fit going on until its end. "
            "Lost is the time from the last complete save, or from where the process had begun to "
            "fit, to the kill; it holds what was under way "
            f"besides the {EVERY:g} seconds, such as a step that cannot be saved in the middle."
        ),
        "",
        "| fit | ended | kills | other bits | damaged files | lost, median s | lost, most s |",
        "|---|---|---|---|---|---|---|",
    ]
    totals = np.zeros(4, dtype=int)
    every_loss: list[float] = []
    with tempfile.TemporaryDirectory() as name, tqdm(total=kills, disable=None) as bar:
        folder = Path(name)
        rows = make_rows(folder)
        share = -(-kills // len(FITS))
        for fit in FITS:
            quota = min(share, left)
            counts, losses = _killed(fit, rows, folder, quota, chance, bar)
            left -= quota
            totals += counts
            every_loss += losses
            table.append(_row(fit, counts, losses))
    return [*table, _row("all", totals, every_loss)]


def wrapped(text: str) -> list[str]:
    """Lines of a page."""
    return textwrap.wrap(text, 100)


def _row(name: str, counts: np.ndarray, losses: list[float]) -> str:
    ended, kills, other, damaged = counts
    lost = f"{np.median(losses):.2f} | {max(losses):.2f}" if losses else "- | -"
    return f"| {name} | {ended} | {kills} | {other} | {damaged} | {lost} |"


def _killed(
    fit: str, rows: Path, folder: Path, quota: int, chance: random.Random, bar: tqdm[Any]
) -> tuple[np.ndarray, list[float]]:
    undisturbed = finished(child(fit, rows, ""))
    place, losses = folder / "run.safetensors", []
    ended = kills = other = damaged = 0
    # The last fit is carried to its end however often it has been killed.
    while kills < quota or place.exists():
        running = child(fit, rows, str(place))
        begun = time.time()
        left_alone = chance.uniform(0.0, LONGEST) if kills < quota else 600.0
        try:
            running.wait(left_alone)
        except subprocess.TimeoutExpired:
            if running.poll() is None:
                running.send_signal(signal.SIGKILL)
                # Before it had begun, this process had done nothing that could be lost.
                saved = place.stat().st_mtime if place.exists() else 0.0
                lost = time.time() - max(begun, saved)
                running.communicate()
                losses.append(lost)
                kills += 1
                bar.update()
                damaged += place.exists() and not is_whole(place)
                continue
        ended += 1
        other += finished(running) != undisturbed
        place.unlink()
    return np.array([ended, kills, other, damaged]), losses


def is_whole(place: Path) -> bool:
    """Whether a checkpoint can be read."""
    from emplus.io.checkpoints import _read

    try:
        _read(str(place))
    except ValueError:
        return False
    return True


def rivals(rounds: int) -> list[str]:
    """Two processes that are given one checkpoint; and two that write it though they should not."""
    refused = worked = same = 0
    sentences: set[str] = set()
    fit = next(iter(FITS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = make_rows(folder)
        undisturbed = finished(child(fit, rows, ""))
        for number in tqdm(range(rounds), desc="rivals", disable=None):
            place = folder / f"run{number}.safetensors"
            pair = [child(fit, rows, str(place)) for _ in range(2)]
            ends = [one.communicate(timeout=600) for one in pair]
            for one, (said, complaint) in zip(pair, ends, strict=True):
                worked += one.returncode == 0
                same += said.strip() == undisturbed
                if one.returncode:
                    refused += "Another process" in complaint
                    sentences.add(complaint.strip().splitlines()[-1].split("(")[0])
        reads, torn = _unlocked(rows, folder)
    return [
        *wrapped(
            f"{rounds} times two fits at once with one checkpoint: {worked} of {2 * rounds} ran to "
            f"their end, {same} of them to the bits of an undisturbed fit, {refused} were refused "
            "with one sentence."
        ),
        "",
        *wrapped(
            "The same file written by two processes at once without its lock, as on systems that "
            f"have none, and read all the while: {reads:,} reads, {torn} of a file that was "
            "not whole."
        ),
    ]


_WRITER = """
import sys, time
import numpy as np
from emplus.engine.journal import Entry, Written
from emplus.io.checkpoints import _Keeper
keeper = _Keeper(sys.argv[1], {"format": 1, "emplus": "x"}, {})
until = time.monotonic() + float(sys.argv[2])
number = 0
while time.monotonic() < until:
    number += 1
    value = np.full(int(sys.argv[3]) * (1 + number % 5), float(number))
    keeper.write(Written(lambda journal: None, 0.0, {(0,): Entry("one", value, 0.0)}))
"""


def _unlocked(rows: Path, folder: Path, seconds: float = 5.0) -> tuple[int, int]:
    """Reads of a file that two processes write all the time, and how many found it torn."""
    place = folder / "shared.safetensors"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(place), str(seconds), str(size)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for size in (1_000, 70_000)
    ]
    reads = torn = 0
    for _ in _while_running(writers):
        if place.exists():
            reads += 1
            torn += not is_whole(place)
    assert all(writer.returncode == 0 for writer in writers)
    return reads, torn


def _while_running(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    while any(one.poll() is None for one in processes):
        yield


def main() -> None:
    """Run both and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(*killings(args.kills, args.seed), "", *rivals(5), sep="\n")


if __name__ == "__main__":
    main()
