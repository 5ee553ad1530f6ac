"""How often a search finds the best optimum, and what it costs, beside scikit-learn.

    python benchmarks/escape.py [--data DIR] [--seeds 100] [--parts sets,easy,held-out,dimensions]
                                [--only r15,s2] [--json FILE]

Full covariances on standardized columns. A run succeeds when its log-likelihood a row is within
1e-3 of, or above, that of EM started from the true labels (maximum likelihood). CI is the centroid
index (Fränti, Rezaei & Zhao 2014) against that reference: how many of its centres have no
counterpart. scikit-learn runs with tol 1e-4 and n_init 1 and 10, on ``--peer-seeds`` seeds, in
the same run; everything else is as a user gets it by default. DIR holds .npz files with X and y, by
default $EMPLUS_DATA; the generated sets need none.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from escape_sets import (
    DIMENSIONS,
    EASY,
    GENERATED,
    LARGE,
    Array,
    LabelledSet,
    generated,
    halves,
    stored,
)
from sklearn.mixture import GaussianMixture as Peer

from emplus import GaussianMixture
from emplus.starts.given import GivenLabels

PARTS = ("sets", "easy", "held-out", "dimensions")

# Nats a row by which a run may stay below the reference.
NEAR = 1e-3
NEAR_HELD_OUT = 1e-2

# Runs of a slow rival, and of anything on large sets.
FEW_SEEDS = 10


@dataclass(frozen=True)
class Run:
    """One fit: log-likelihood a row less the reference's, centroid index, seconds."""

    margin: float
    index: int
    seconds: float


@dataclass(frozen=True)
class Line:
    """One method on one set."""

    data: str
    n: int
    d: int
    k: int
    method: str
    runs: int
    success: float
    best: float
    worst: float
    index: float
    seconds: float


def reference(data: LabelledSet) -> GaussianMixture:
    """EM from the true labels, without a prior worth mentioning."""
    start = GivenLabels(data.y)
    return GaussianMixture(data.k, search="em", reg_covar=1e-7, init_params=start).fit(data.X)


def ours(search: str) -> Callable[[LabelledSet, int], Any]:
    """A function that fits this package's estimator with a search."""
    return lambda data, seed: GaussianMixture(data.k, search=search, random_state=seed).fit(data.X)


def theirs(n_init: int) -> Callable[[LabelledSet, int], Any]:
    """A function that fits scikit-learn's."""
    return lambda data, seed: Peer(data.k, n_init=n_init, tol=1e-4, random_state=seed).fit(data.X)


def measure(
    data: LabelledSet, fit: Callable[[LabelledSet, int], Any], seeds: Iterable[int], truth: Any
) -> list[Run]:
    """Fit with every seed."""
    runs = []
    target = truth.score(data.X)
    for seed in seeds:
        began = time.perf_counter()
        fitted = fit(data, seed)
        seconds = time.perf_counter() - began
        index = centroid_index(fitted.means_, truth.means_)
        runs.append(Run(fitted.score(data.X) - target, index, seconds))
    return runs


def centroid_index(one: Array, other: Array) -> int:
    """Centres without a counterpart, the larger count of both directions."""
    squared = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    unmatched = [
        int(distances.shape[1] - len(np.unique(distances.argmin(axis=1))))
        for distances in (squared, squared.T)
    ]
    return max(unmatched)


def compare(data: LabelledSet, methods: dict[str, tuple[Any, int]]) -> list[Line]:
    """All methods on one set, each with its number of seeds."""
    truth = reference(data)
    results = {
        name: measure(data, fit, range(count), truth) for name, (fit, count) in methods.items()
    }
    highest = max(run.margin for runs in results.values() for run in runs)
    n, d = data.X.shape
    lines = []
    for name, runs in results.items():
        margins = np.array([run.margin for run in runs])
        lines.append(
            Line(
                data=data.name,
                n=n,
                d=d,
                k=data.k,
                method=name,
                runs=len(runs),
                success=float(np.mean(margins >= -NEAR)),
                best=float(np.mean(margins >= highest - NEAR)),
                worst=float(margins.min()),
                index=float(np.mean([run.index for run in runs])),
                seconds=float(np.median([run.seconds for run in runs])),
            )
        )
        print_line(lines[-1])
    return lines


def print_line(line: Line) -> None:
    """One row of the table, as soon as it is known."""
    print(
        f"{line.data:15} {line.n:7} {line.d:3} {line.k:4}  {line.method:20} {line.runs:4}"
        f" {line.success:8.2f} {line.best:6.2f} {line.worst:+9.4f} {line.index:6.2f}"
        f" {line.seconds:9.3f}",
        flush=True,
    )


def print_header(title: str) -> None:
    """The title of a part and the names of its columns."""
    print(
        f"\n{title}\n{'data':15} {'n':>7} {'d':>3} {'k':>4}  {'method':20} runs  success   best"
        "     worst     CI   seconds"
    )


def methods_for(data: LabelledSet, seeds: int, peer_seeds: int) -> dict[str, tuple[Any, int]]:
    """What is run on a set, and how often."""
    if len(data.X) >= LARGE:
        count = min(seeds, FEW_SEEDS)
        return {
            "scikit-learn 1": (theirs(1), min(peer_seeds, 3)),
            "em": (ours("em"), min(count, 3)),
            "split_merge": (ours("split_merge"), count),
        }
    return {
        "scikit-learn 1": (theirs(1), peer_seeds),
        "scikit-learn 10": (theirs(10), peer_seeds),
        "em": (ours("em"), seeds),
        "ueda": (ours("ueda"), min(seeds, FEW_SEEDS)),
        "split_merge": (ours("split_merge"), seeds),
    }


def ease(sets: Iterable[LabelledSet], seeds: int) -> list[dict[str, Any]]:
    """Where one start suffices: the search's time over plain EM's, run in turns."""
    print(f"\nwhere one start suffices\n{'data':15} em finds  ratio of median seconds")
    answers = []
    for data in sets:
        truth = reference(data)
        em, search = ours("em"), ours("split_merge")
        plain, local = [], []
        for seed in range(seeds):
            plain += measure(data, em, [seed], truth)
            local += measure(data, search, [seed], truth)
        found = float(np.mean([run.margin >= -NEAR for run in plain]))
        good = [i for i, run in enumerate(plain) if run.margin >= -NEAR] or list(range(seeds))
        medians = [float(np.median([runs[i].seconds for i in good])) for runs in (plain, local)]
        answer = {"data": data.name, "em finds": found, "em": medians[0], "split_merge": medians[1]}
        answers.append(answer)
        print(f"{data.name:15} {found:8.2f} {medians[1] / medians[0]:8.2f}", flush=True)
    return answers


def hold_out(sets: Iterable[LabelledSet], seeds: int) -> list[dict[str, Any]]:
    """Fitted on one half of the rows, scored on the other, against EM from the true labels."""
    print(
        f"\nheld out: fitted on half, scored on the other half, nats a row above EM from labels\n"
        f"{'data':15} runs  within 0.01  above    median     worst"
    )
    answers = []
    for data in sets:
        gaps = []
        for seed in range(seeds):
            one, other = halves(data, seed)
            fitted = GaussianMixture(data.k, random_state=seed).fit(one.X)
            gaps.append(fitted.score(other.X) - reference(one).score(other.X))
        margins = np.array(gaps)
        within, above = float(np.mean(margins >= -NEAR_HELD_OUT)), float(np.mean(margins > 0))
        median, worst = float(np.median(margins)), float(margins.min())
        answers.append({"data": data.name, "within": within, "above": above, "worst": worst})
        print(
            f"{data.name:15} {seeds:4} {within:12.2f} {above:6.2f} {median:+9.4f} {worst:+9.4f}",
            flush=True,
        )
    return answers


def chosen(sets: Iterable[LabelledSet], only: Sequence[str]) -> list[LabelledSet]:
    """The sets that were asked for."""
    return [data for data in sets if not only or data.name in only]


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EMPLUS_DATA"))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--peer-seeds", type=int, default=10)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts, only = options.parts.split(","), options.only.split(",") if options.only else []
    unknown = set(parts) - set(PARTS)
    if unknown or options.seeds < 1 or options.peer_seeds < 1:
        parser.error(f"parts are {', '.join(PARTS)}; seeds must be at least 1")
    warnings.simplefilter("ignore")
    from_disk = [] if options.data is None else list(stored(Path(options.data)))
    if not from_disk:
        print("No labelled .npz files found: generated sets only. See --data.")
    sets = chosen([*from_disk, *(generated(*item) for item in GENERATED.items())], only)
    report: dict[str, Any] = {}
    for part, title, some in (
        ("sets", "sets", sets),
        ("dimensions", "in dimension", [generated(*item) for item in DIMENSIONS.items()]),
    ):
        if part in parts:
            print_header(title)
            lines: list[Line] = []
            for data in chosen(some, only):
                lines += compare(data, methods_for(data, options.seeds, options.peer_seeds))
            report[part] = [asdict(line) for line in lines]
    if "easy" in parts:
        easy = chosen([generated(*item) for item in EASY.items()], only)
        report["easy"] = ease(easy, min(options.seeds, 25))
    if "held-out" in parts:
        small = [data for data in sets if len(data.X) < LARGE]
        report["held-out"] = hold_out(small, options.seeds)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
