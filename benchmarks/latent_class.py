"""Latent class analysis beside R's poLCA 1.6: its maxima, and its benchmark of local maxima.

    python benchmarks/latent_class.py [--parts maxima,local] [--seeds 100] [--starts 500]

`maxima`: how often the default search, from so many seeds and with a negligible prior, ends within
1e-3 nats of the maxima that poLCA found in 20 starts. `local`: table 1 of poLCA's manual (Linzer &
Lewis 2011), the ends of plain EM from 500 random starts with three classes on `gss82`, and the ends
of the default search. The tables are read from $EMPLUS_DATA/latent_class or `--data`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emplus import CategoricalMixture, Mixture
from emplus.engine.problem import Problem
from emplus.families.discrete import Probabilities

Array = NDArray[np.floating]

# poLCA's maxima, 20 starts each.
MAXIMA = (
    ("carcinoma", 2, -317.2568),
    ("carcinoma", 3, -293.7050),
    ("carcinoma", 4, -289.2858),
    ("cheating", 2, -440.0271),
    ("gss82", 2, -2783.268),
    ("gss82", 3, -2754.545),
    ("gss82", 4, -2746.621),
)

# Table 1 of the manual: where 500 starts ended.
LOCAL = ((-2754.545, 258), (-2755.617, 14), (-2755.739, 57), (-2762.005, 70), (-2762.231, 101))

# As good as none.
PRIOR = 1e-6


class RandomProbabilities:
    """Where poLCA starts: probabilities drawn uniformly and scaled to sum to 1, equal weights."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Draw them."""
        levels = problem.family.levels
        columns = []
        for number in levels:
            drawn = rng.random((n_components, number))
            columns.append(drawn / drawn.sum(axis=1, keepdims=True))
        weights = np.full(n_components, -np.log(n_components))
        return Mixture(problem.family, weights, Probabilities(np.concatenate(columns, axis=1)))


def table(folder: Path, name: str) -> pd.DataFrame:
    """The answers; in `cheating` without the covariate."""
    frame = pd.read_csv(folder / f"{name}.csv")
    return frame.drop(columns=[column for column in map(str, frame) if column.upper() == "GPA"])


def maxima_part(args: argparse.Namespace) -> None:
    """The share of seeds that end at poLCA's maximum."""
    print(
        f"default search, prior {PRIOR:g}, {args.seeds} seeds; within 1e-3 nats of poLCA's maximum"
    )
    print(
        f"{'set':12s}{'k':>3s}{'poLCA':>12s}{'reached':>9s}{'worst':>12s}{'best':>12s}"
        f"{'BIC':>11s}{'s a fit':>9s}"
    )
    for name, k, maximum in MAXIMA:
        frame, begun, ends = table(args.folder, name), time.perf_counter(), []
        for seed in range(args.seeds):
            model = CategoricalMixture(k, prior=PRIOR, random_state=seed).fit(frame)
            ends.append(model.result_.log_likelihood)
        seconds, found = (time.perf_counter() - begun) / args.seeds, np.array(ends)
        reached = int((found > maximum - 1e-3).sum())
        bic = -2.0 * found.max() + model.mixture_.n_free_parameters * np.log(len(frame))
        print(
            f"{name:12s}{k:3d}{maximum:12.4f}{reached:9d}{found.min():12.4f}{found.max():12.4f}"
            f"{bic:11.4f}{seconds:9.3f}",
            flush=True,
        )


def local_part(args: argparse.Namespace) -> None:
    """Ends of plain EM and of the default search on gss82, three classes."""
    frame = table(args.folder, "gss82")
    ends: dict[str, list[float]] = {"plain EM": [], "default search": []}
    for seed in range(args.starts):
        for name, search in (("plain EM", "em"), ("default search", "split_merge")):
            model = CategoricalMixture(
                3,
                prior=PRIOR,
                search=search,
                init_params=RandomProbabilities(),
                random_state=seed,
            ).fit(frame)
            ends[name].append(model.result_.log_likelihood)
    print(f"gss82, three classes: ends of {args.starts} starts from random probabilities")
    print(f"{'maximum':>12s}{'poLCA, of 500':>15s}{'plain EM':>10s}{'default search':>16s}")
    counted = {name: np.zeros(len(LOCAL) + 1, dtype=int) for name in ends}
    for name, values in ends.items():
        for value in values:
            near = [place for place, (at, _) in enumerate(LOCAL) if abs(value - at) < 5e-3]
            counted[name][near[0] if near else -1] += 1
    rows = [(f"{at:.3f}", str(theirs)) for at, theirs in LOCAL] + [("elsewhere", "0")]
    for place, (at, theirs) in enumerate(rows):
        plain, default = (counted[name][place] for name in ends)
        print(f"{at:>12s}{theirs:>15s}{plain:10d}{default:16d}")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="maxima,local")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--starts", type=int, default=500)
    parser.add_argument("--data", type=Path, help="folder of the .csv files")
    args = parser.parse_args()
    args.folder = args.data or Path(os.environ.get("EMPLUS_DATA", ".")) / "latent_class"
    if not (args.folder / "gss82.csv").exists():
        parser.error(f"there is no gss82.csv in {args.folder}; see --data")
    parts = {"maxima": maxima_part, "local": local_part}
    for part in args.parts.split(","):
        parts[part](args)


if __name__ == "__main__":
    main()
