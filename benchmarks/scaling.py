"""Fits on a cluster beside fits in memory: seconds an iteration, efficiency, bytes that travel.

    python benchmarks/scaling.py [--parts traffic,strong,weak,speed] [--workers 1,2,4]
                                 [--rows 400000] [--columns 16] [--components 16]
                                 [--iterations 8] [--repeats 5] [--quick] [--output JSON]

Workers are processes of one thread each on this machine, connected over the loopback interface.
`traffic`: bytes that travel in an iteration, by family, beside the formula of docs/scaling.md, at
two numbers of rows. `strong`: the same rows on more and more workers; `weak`: as many for each.
Both beside the same fit in memory with as many threads, in the same run, full covariances. `speed`:
rows a second of one thread at d = k = 100, and what 1e9 rows come to. Plain EM from one start. A
first fit warms up, and figures are medians over the iterations of several repetitions. Bytes are
counted by the system on the loopback interface, whatever else goes on there, so let nothing.

Each part prints its table and puts it between its markers in the page, unless `--quick`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cloudpickle
import dask.array
import numpy as np
from dask.distributed import Client, LocalCluster

from emplus import BernoulliMixture, FactorAnalyzerMixture, GaussianMixture
from emplus.data.cluster_tasks import Cluster
from emplus.data.memory import ArraySource
from emplus.engine.problem import Problem

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "scaling.md"
# Partitions: the same for any number of workers, so that the arithmetic is the same.
PARTITIONS = 8
FAMILIES = ("full", "tied", "diag", "factors-5", "bernoulli")


class Clock:
    """An observer that notes when each state was reached, and the bytes that had travelled."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.bytes: list[int] = []

    def __call__(self, state: Any, /) -> None:
        """Note a state."""
        self.times.append(time.perf_counter())
        self.bytes.append(loopback_bytes())


def loopback_bytes() -> int:
    """Bytes that the loopback interface has carried; Linux, 0 elsewhere."""
    try:
        return int(Path("/sys/class/net/lo/statistics/rx_bytes").read_text())
    except OSError:
        return 0


def rows(n: int, d: int, k: int) -> Any:
    """Rows of k Gaussians (n, d)."""
    rng = np.random.default_rng(0)
    means = 2.0 * rng.standard_normal((k, d))
    return means[rng.integers(k, size=n)] + rng.standard_normal((n, d))


@contextmanager
def cluster(n_workers: int) -> Iterator[Any]:
    """A client of so many worker processes of one thread."""
    # Of Dask's functions, few have types.
    made: Any = LocalCluster
    client_of: Any = Client
    with (
        made(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as local,
        client_of(local) as client,
    ):
        yield client


def estimator(family: str, k: int, iterations: int, **more: Any) -> Any:
    """An estimator that does so many iterations of plain EM."""
    given: dict[str, Any] = {"search": "em", "max_iter": iterations, "tol": 0.0}
    given |= {"accelerate": None, "random_state": 0, "init_params": "random_from_data", **more}
    if family == "bernoulli":
        return BernoulliMixture(k, **given)
    if family.startswith("factors"):
        return FactorAnalyzerMixture(k, n_factors=int(family.split("-")[1]), **given)
    return GaussianMixture(k, covariance_type=family, **given)


def measured(X: Any, family: str, k: int, iterations: int, **more: Any) -> tuple[float, float]:
    """Median seconds and bytes of an iteration; the first is left out."""
    clock = Clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few iterations are few
        estimator(family, k, iterations, observers=[clock], **more).fit(X)
    steps = np.diff(clock.times), np.diff(clock.bytes)
    seconds, sent = (float(np.median(step[1:] if len(step) > 1 else step)) for step in steps)
    return seconds, sent


def persisted(client: Any, X: Any, partitions: int) -> Any:
    """Rows on the workers, laid out as those that an estimator reads from files."""
    made: Any = dask.array
    client.run(len, [])  # every worker is there
    whole = made.from_array(X, chunks=(-(-len(X) // partitions), X.shape[1]))
    # The rows travel to the workers once, which Dask would warn of.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": sys.maxsize}):
        kept = Cluster(client).lay_out(list(whole.to_delayed().ravel()))
    shapes = [(size, X.shape[1]) for size in whole.chunks[0]]
    return made.concatenate(
        [made.from_delayed(*one, X.dtype) for one in zip(kept, shapes, strict=True)]
    )


def scaling_part(args: argparse.Namespace, kind: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Strong or weak scaling: a table and its figures."""
    d, k = args.columns, args.components
    found: list[dict[str, Any]] = []
    for count in args.worker_counts:
        n = args.rows * (count if kind == "weak" else 1)
        X = rows(n, d, k)
        local, far = [], []
        with cluster(count) as client:
            given = persisted(client, X, PARTITIONS * (count if kind == "weak" else 1))
            measured(given, "full", k, 3)
            measured(X, "full", k, 3, n_jobs=count)
            # In turn, so that what else the machine does befalls both.
            for _ in range(args.repeats):
                local.append(measured(X, "full", k, args.iterations, n_jobs=count)[0])
                far.append(measured(given, "full", k, args.iterations))
        seconds = float(np.median([one for one, _ in far]))
        memory = float(np.median(local))
        found.append(
            {
                "workers": count,
                "rows": n,
                "seconds": seconds,
                "memory": memory,
                "bytes": float(np.median([one for _, one in far])),
            }
        )
        print(f"{kind}: {found[-1]}", flush=True)
    first = found[0]
    lines = [
        f"n = {first['rows']:,}{' a worker' if kind == 'weak' else ''}, d = {d}, k = {k}, full; "
        f"medians of {args.repeats} x {args.iterations} iterations on {os.cpu_count()} cores.",
        "",
        "| workers | rows | s an iteration | efficiency | in memory, as many threads, s | "
        "ratio | kB an iteration |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        share = 1 if kind == "weak" else one["workers"] / first["workers"]
        efficiency = first["seconds"] / (one["seconds"] * share)
        lines.append(
            f"| {one['workers']} | {one['rows']:,} | {one['seconds']:.3f} | {efficiency:.2f} | "
            f"{one['memory']:.3f} | {one['seconds'] / one['memory']:.2f} | "
            f"{one['bytes'] / 1e3:.0f} |"
        )
    return lines, found


def formulas(family: str, d: int, k: int) -> tuple[float, float]:
    """Bytes of a pass's function and of its sums; docs/scaling.md says what of."""
    if family.startswith("factors"):
        q = int(family.split("-")[1])
        return 8.0 * k * (3 * d * q + 5 * d + 2 * q * q), 8.0 * k * (1 + d * (q + 2))
    terms = 1 + d + (d * d if d >= 96 else d * (d + 1) // 2)
    down, up = {
        "full": (k * (d * d + 2 * (d if d >= 96 else terms)), k * terms),
        "tied": (2 * d * (d + k), k * (1 + d)),
        "diag": (5 * k * d, k * (1 + 2 * d)),
        "bernoulli": (2 * k * d, k * (1 + d)),
    }[family]
    return 8.0 * down, 8.0 * up


@dataclass
class Weighed:
    """A source that notes how large the function of a pass and its sums are."""

    source: ArraySource
    down: int = 0
    up: int = 0

    def reduce(self, function: Any, width: int) -> Any:
        """The sums."""
        sums = self.source.reduce(function, width)
        arrays: list[Any] = []
        content = cloudpickle.dumps(function, protocol=5, buffer_callback=arrays.append)
        self.down = len(content) + sum(len(array.raw()) for array in arrays)
        self.up = sum(array.nbytes for array in sums)
        return sums

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def weighed(X: Any, family: str, k: int) -> tuple[int, int]:
    """Bytes of a pass's function and of its sums as they are; they do not depend on n."""
    model = estimator(family, k, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    source: Any = Weighed(ArraySource(X))
    Problem(model.mixture_.family, source, model.prior_).evaluate(model.mixture_)
    return source.down, source.up


def expected(down: float, up: float) -> float:
    """Bytes that the loopback interface carries in an iteration, on two workers.

    The function goes through the scheduler to one worker, and from it to the other. Each adds its
    own sums, and one adds the other's. The total goes through the scheduler, too.
    """
    return 3 * down + 3 * up


def traffic_part(args: argparse.Namespace) -> tuple[list[str], list[dict[str, Any]]]:
    """Bytes of an iteration by family on two workers, at two numbers of rows."""
    found: list[dict[str, Any]] = []
    sizes = (10_000, 40_000) if args.quick else (20_000, 200_000)
    with cluster(2) as client:
        for (d, k), family in product(((40, 40), (100, 20)), FAMILIES):
            each = []
            for n in sizes:
                X = rows(n, d, k)
                X = X > 0.0 if family == "bernoulli" else X
                given = persisted(client, X, PARTITIONS)
                each.append(measured(given, family, k, args.iterations)[1])
            function, sums = weighed(X[:3000], family, k)
            down, up = formulas(family, d, k)
            told = {"family": family, "d": d, "k": k, "formula": (down, up), "traffic": each}
            known = {"weighed": (function, sums), "expected": expected(function, sums)}
            found.append({**told, **known})
            print(f"traffic: {found[-1]}", flush=True)
    lines = [
        f"Two workers, {PARTITIONS} partitions; kB of float64, measured and by the formula.",
        "",
        "| family | d, k | function | formula | sums | formula | expected an iteration | "
        + " | ".join(f"measured, n = {n:,}" for n in sizes)
        + " |",
        "|---|---|---|---|---|---|---|" + "---|" * len(sizes),
    ]
    for one in found:
        pairs = zip(one["weighed"], one["formula"], strict=True)
        cells = [*(cell for pair in pairs for cell in pair), one["expected"], *one["traffic"]]
        listed = " | ".join(f"{cell / 1e3:,.0f}" for cell in cells)
        lines.append(f"| {one['family']} | {one['d']}, {one['k']} | {listed} |")
    return lines, found


def speed_part(args: argparse.Namespace) -> tuple[list[str], list[dict[str, Any]]]:
    """Rows a second of one thread by family, and what a pass over 1e9 rows comes to."""
    d, k = 100, 100
    found: list[dict[str, Any]] = []
    for family in FAMILIES:
        n = (40_000 if family == "full" else 50_000) // (4 if args.quick else 1)
        X = rows(n, d, k)
        X = X > 0.0 if family == "bernoulli" else X
        repeats = [measured(X, family, k, 4, n_jobs=1)[0] for _ in range(args.repeats)]
        speed = n / float(np.median(repeats))
        down, up = formulas(family, d, k)
        found.append({"family": family, "speed": speed, "down": down, "up": up})
        print(f"speed: {found[-1]}", flush=True)
    lines = [
        f"d = {d}, k = {k}; rows a second of one thread are measured, in memory, on fewer rows;",
        "the rest is worked out from them and from the formulas, for n = 1e9.",
        "",
        "| family | rows a second and core | core-hours a pass | seconds a pass on 1,000 cores | "
        "function to a worker | sums of a partition |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        seconds = 1e9 / one["speed"]
        lines.append(
            f"| {one['family']} | {one['speed']:,.0f} | {seconds / 3600:.3g} | "
            f"{seconds / 1000:.3g} | {one['down'] / 1e6:.2f} MB | {one['up'] / 1e6:.2f} MB |"
        )
    return lines, found


def write(page: Path, part: str, lines: list[str]) -> None:
    """Put the lines between the part's markers, which must be there."""
    begin, end = f"<!-- {part}: written by benchmarks/scaling.py -->", f"<!-- end of {part} -->"
    text = page.read_text("utf-8")
    if begin not in text:
        raise SystemExit(f"{page} has no line {begin}")
    block = "\n".join([begin, "", *lines, "", end])
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    page.write_text(re.sub(pattern, lambda _: block, text, flags=re.S), "utf-8")


PARTS: dict[str, Callable[[argparse.Namespace], tuple[list[str], list[dict[str, Any]]]]] = {
    "traffic": traffic_part,
    "strong": partial(scaling_part, kind="strong"),
    "weak": partial(scaling_part, kind="weak"),
    "speed": speed_part,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small, and no page is written")
    parser.add_argument("--output", type=Path, help="where the figures are written as JSON")
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    if args.quick:
        args.rows, args.repeats, args.iterations = args.rows // 10, 2, 5
    args.worker_counts = [int(count) for count in args.workers.split(",")]
    figures: dict[str, Any] = {"cores": os.cpu_count(), "rows": args.rows}
    for part in args.parts.split(","):
        lines, figures[part] = PARTS[part](args)
        print(f"{part}:", *lines, sep="\n", end="\n\n", flush=True)
        if not args.quick:
            write(args.page, part, lines)
    if args.output is not None:
        args.output.write_text(json.dumps(figures, indent=1), "utf-8")


if __name__ == "__main__":
    main()
