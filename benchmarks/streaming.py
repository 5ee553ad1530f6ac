"""Fits of a file beside fits of the same rows in memory: peak memory, seconds, results.

    python benchmarks/streaming.py [--gigabytes 4] [--columns 10] [--components 10] [--folder DIR]
                                   [--searches em,split_merge] [--iterations 5] [--quick]

Rows of a Gaussian mixture are written into an .npy file of that size. Each fit runs in a process of
its own, from its name (read block by block) or from the whole array (loaded first, where it fits
into half of the memory). Plain EM, the same start, so many iterations a climb; seconds an iteration
are of `fit` without its start. The file is in the page cache or not, as it comes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from emplus import GaussianMixture

_ROWS_AT_ONCE = 500_000


def write_rows(place: Path, gigabytes: float, d: int, k: int) -> int:
    """A file of rows; how many."""
    n = int(gigabytes * 1e9 / (8 * d))
    rows = np.lib.format.open_memmap(place, mode="w+", dtype="f8", shape=(n, d))
    rng = np.random.default_rng(0)
    means = 4.0 * rng.normal(size=(k, d))
    for start in range(0, n, _ROWS_AT_ONCE):
        own = rows[start : start + _ROWS_AT_ONCE]
        own[:] = means[rng.integers(k, size=len(own))] + rng.normal(size=own.shape)
    rows.flush()
    return n


class Clock:
    """An observer that tells seconds an iteration of the last climb."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, state: Any, /) -> None:
        """Note when a state was reached."""
        if state.iteration == 0:
            self.times = []
        self.times.append(time.perf_counter())


def peak() -> float:
    """Most memory of this process, in MB."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1024.0
    except OSError:
        pass
    # Elsewhere than on Linux, where this would be the most of the process that started it, too.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def fit(args: argparse.Namespace) -> None:
    """One fit, told as JSON."""
    X: Any = str(args.fit) if args.how == "file" else np.load(args.fit)
    clock = Clock()
    model = GaussianMixture(
        args.components,
        search=args.searches,
        max_iter=args.iterations,
        tol=0.0,
        accelerate=None,
        random_state=0,
        observers=[clock],
    )
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few iterations are few
        model.fit(X)
    told = {
        "peak": peak(),
        "seconds": time.perf_counter() - begun,
        "iteration": float(np.diff(clock.times).mean()),
        "log_likelihood": model.lower_bound_.hex(),
    }
    print(json.dumps(told))


def in_process(args: argparse.Namespace, place: Path, how: str, search: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--fit", str(place), "--how", how, "--searches", search]
    command += ["--components", str(args.components), "--iterations", str(args.iterations)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main() -> None:
    """Write the file, fit it in both ways, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--searches", default="em,split_merge")
    parser.add_argument("--folder", type=Path, help="where the file is written")
    parser.add_argument("--quick", action="store_true", help="a file of 0.1 GB")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit is not None:
        fit(args)
        return
    size = 0.1 if args.quick else args.gigabytes
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        place = Path(folder) / "rows.npy"
        n = write_rows(place, size, args.columns, args.components)
        print(f"{n:,} rows of {args.columns} columns, {size:g} GB; k = {args.components}, full")
        print(f"{'search':14}{'rows':8}{'peak MB':>10}{'s a fit':>10}{'s an iteration':>16}")
        for search in args.searches.split(","):
            ends = set()
            for how in ("file", "memory") if 2e9 * size < memory else ("file",):
                told = in_process(args, place, how, search)
                ends.add(told["log_likelihood"])
                print(
                    f"{search:14}{how:8}{told['peak']:10.0f}{told['seconds']:10.1f}"
                    f"{told['iteration']:16.2f}",
                    flush=True,
                )
            print(f"{'':14}{'the same bits' if len(ends) == 1 else f'different ends: {ends}'}")


if __name__ == "__main__":
    main()
