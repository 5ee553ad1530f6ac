"""Ways up the hill side by side: gradient, L-BFGS, EM, accelerated EM, EM in blocks of rows.

    python benchmarks/optimizers.py [--parts curves,slow,never-loses,online] [--quick]
                                    [--starts N] [--only iris,letter] [--data DIR]
                                    [--output curves.json]

E is minus the objective, in nats a row. `curves`: E against passes and seconds for every rule from
the same starts; the table tells passes and seconds until E is near that of the best end, `--output`
keeps the curves whole. `slow`: two overlapping Gaussians on which plain EM takes more than 1,000
iterations to a gain of 1e-9 nats a row: passes until E is within 1e-6 of EM's limit. `never-loses`:
estimators with accelerate="auto" beside None from the same starts, alone and in the default search,
everything else as a user gets it. `online`: three passes of `partial_fit` over a million shuffled
rows in blocks, beside EM on all of them from the mixture after the first block. Sets that are not
made here are read from `--data`, by default $EMPLUS_DATA; what is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optimizer_fits import never_loses_part, online_part
from optimizer_sets import Hill, data_folder, hills, two_gaussians

from emplus import Mixture
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.problem import Problem, State
from emplus.engine.registry import make_rule
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError
from emplus.starts.registry import make_start

Array = NDArray[np.floating[Any]]

SCHEMES = ("quasi-newton", "anderson", "squarem")

# Optimizer and acceleration of every rule.
RULES: dict[str, tuple[str, str | None]] = {
    "gradient": ("gradient", "none"),
    "lbfgs": ("lbfgs", "none"),
    "em+lbfgs": ("em+lbfgs", "none"),
    "em": ("em", None),
    **{f"em, {scheme}": ("em", scheme) for scheme in SCHEMES},
    "stepwise": ("stepwise", "none"),
    "incremental": ("incremental", "none"),
}

# Nats a row from the best end.
NEAR = (1e-2, 1e-4, 1e-6)

# The gain, in nats a row, by which plain EM's iterations are counted, and how many make it slow.
SLOW_GAIN, SLOW_ITERATIONS = 1e-9, 1000
# Standard deviations between two Gaussians, and whether they are of one shape.
OVERLAPS = ((0.5, False), (1.0, False), (1.5, False), (1.0, True), (2.0, True))


@dataclass
class Curve:
    """One climb as an observer saw it: passes and seconds so far, and E there."""

    problem: str
    rule: str
    start: int
    outcome: str = ""
    passes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    E: list[float] = field(default_factory=list)

    def watch(self, total_weight: float) -> Any:
        """An observer that writes down where a climb stands, from now on."""
        begun = time.perf_counter()

        def look(state: State) -> None:
            self.seconds.append(time.perf_counter() - begun)
            self.passes.append(state.passes)
            self.E.append(-state.objective / total_weight)

        return look

    def within(self, E: float) -> tuple[float, float]:
        """Passes and seconds until E was no higher; infinite where it never was."""
        [below] = np.nonzero(np.array(self.E) <= E)
        if not len(below):
            return np.inf, np.inf
        return self.passes[below[0]], self.seconds[below[0]]


def start_of(hill: Hill, seed: int) -> Mixture:
    """A first mixture; the same for the same seed."""
    return make_start("k-means++")(hill.problem, hill.k, np.random.default_rng(seed))


def drawn(hill: Hill, name: str, seed: int, until: Stopping) -> Curve | None:
    """The curve of one rule from one start; None where the family has no use for the rule."""
    curve = Curve(hill.name, name, seed)
    start, look = start_of(hill, seed), curve.watch(hill.problem.source.total_weight)
    try:
        climb = Engine(make_rule(*RULES[name]), until, (look,)).climb(hill.problem, start)
    except ArgumentError:
        return None
    curve.outcome = climb.outcome.value
    return curve


def curves_part(args: argparse.Namespace) -> None:
    """Every rule from the same starts."""
    starts = args.starts or (2 if args.quick else 5)
    print(
        f"\nE to within so many nats a row of the best end of any rule from the same start; "
        f"{starts} starts,\nmedians of those that came there; at end: starts within 1e-6 of it"
    )
    heads = [f"{word} {near:g}" for word in ("passes", "s") for near in NEAR]
    print(f"{'rule':18}{'at end':>8}" + "".join(f"{head:>14}" for head in heads) + f"{'worst':>10}")
    found: list[Curve] = []
    for hill in hills(args.folder, args.quick):
        print(f"{hill.name}, k = {hill.k}")
        made = [
            [drawn(hill, name, seed, stopping(hill, args.quick)) for name in RULES]
            for seed in range(starts)
        ]
        best = [min(curve.E[-1] for curve in some if curve) for some in made]
        for place, name in enumerate(RULES):
            own = [some[place] for some in made]
            print(f"  {name:16}{told([curve for curve in own if curve], best)}", flush=True)
        found += [curve for some in made for curve in some if curve]
    if args.output is not None:
        args.output.write_text(json.dumps([asdict(curve) for curve in found]))
        print(f"{len(found)} curves in {args.output}")


def stopping(hill: Hill, quick: bool) -> Stopping:
    """To the limit, or until enough has been worked on: gradient ascent may take for ever."""
    source = hill.problem.source
    affordable = 200_000_000 // (source.n_rows * source.n_features * hill.k)
    return Stopping(1e-12, 1000 if quick else int(np.clip(affordable, 1000, 20_000)))


def told(curves: list[Curve], best: list[float]) -> str:
    """One rule's line: how often, how fast, and how far above the best its worst end is."""
    if not curves:
        return f"{'not for this family':>20}"
    spent = np.array(
        [[curve.within(E + near) for near in NEAR] for curve, E in zip(curves, best, strict=True)]
    )
    reached = int(np.isfinite(spent[:, -1, 0]).sum())
    cells = []
    for kind, form in enumerate((".0f", ".4f")):
        for column in spent[:, :, kind].T:
            there = column[np.isfinite(column)]
            cells.append(format(np.median(there), form) if len(there) else "-")
    worst = max(curve.E[-1] - E for curve, E in zip(curves, best, strict=True))
    count = f"{reached}/{len(curves)}"
    return f"{count:>8}" + "".join(f"{cell:>14}" for cell in cells) + f"{worst:10.1e}"


@dataclass(frozen=True)
class Slow:
    """One start on which plain EM is slow.

    ``iterations``: plain EM's to a gain of 1e-9; ``plain`` and ``passes`` (by scheme): until E is
    within 1e-6 of its limit; ``more`` (by scheme): how far above that limit E ended.
    """

    iterations: int
    plain: int
    passes: dict[str, float]
    more: dict[str, float]


def slow_part(args: argparse.Namespace) -> None:
    """Passes of accelerated EM where plain EM is slow."""
    seeds = args.starts or (3 if args.quick else 20)
    print(
        f"\ntwo overlapping Gaussians, n = 2,000, full; {seeds} samples, those on which plain EM "
        "takes more than\n1,000 iterations to a gain of 1e-9 nats a row; passes until E is within "
        "1e-6 of plain EM's limit (tol 1e-13),\nof the starts that came there; ratio: plain EM's "
        "over them; E more: of the end over plain EM's limit"
    )
    print(
        f"{'apart, shapes':16}{'slow':>6}{'iterations':>12}{'EM passes':>11}  {'scheme':14}"
        f"{'there':>7}{'passes':>8}{'ratio: median':>15}{'worst':>7}{'E more: most':>14}"
    )
    for separation, alike in OVERLAPS:
        found = list(slow_runs(separation, alike, seeds))
        head = f"{separation:g}, {'alike' if alike else 'different'}"
        if not found:
            print(f"{head:16}{0:6}")
            continue
        head = f"{head:16}{len(found):6}{np.median([run.iterations for run in found]):12.0f}"
        head += f"{np.median([run.plain for run in found]):11.0f}"
        for scheme in SCHEMES:
            print(f"{head}  {scheme:14}{slow_told(scheme, found)}", flush=True)


def slow_told(scheme: str, found: list[Slow]) -> str:
    """How often a scheme came to plain EM's limit, in how many passes, and its worst end."""
    there = [run for run in found if np.isfinite(run.passes[scheme])]
    most, count = max(run.more[scheme] for run in found), f"{len(there)}/{len(found)}"
    if not there:
        return f"{count:>7}{'-':>8}{'-':>15}{'-':>7}{most:+14.1e}"
    ratios = np.array([run.plain / run.passes[scheme] for run in there])
    passes = np.median([run.passes[scheme] for run in there])
    return f"{count:>7}{passes:8.0f}{np.median(ratios):15.1f}{ratios.min():7.1f}{most:+14.1e}"


def slow_runs(separation: float, alike: bool, seeds: int) -> Iterator[Slow]:
    """Those of so many samples on which plain EM is slow."""
    for seed in range(seeds):
        X = two_gaussians(separation, alike, 2000, seed)
        hill = Hill.of("", X, 2, "gaussian", covariance_type="full")
        start = start_of(hill, seed)
        plain, E = climbed(hill.problem, make_rule("em", None), start)
        small = np.flatnonzero(E[:-1] - E[1:] <= SLOW_GAIN)
        iterations, limit = int(small[0]) + 1 if len(small) else plain.n_iter, E[-1]
        if iterations <= SLOW_ITERATIONS:
            continue
        passes, more = {}, {}
        for scheme in SCHEMES:
            curve = Curve("", scheme, seed)
            look = curve.watch(hill.problem.source.total_weight)
            climbed(hill.problem, make_rule("em", scheme), start, look)
            passes[scheme], _ = curve.within(limit + 1e-6)
            more[scheme] = curve.E[-1] - limit
        near = int(np.argmax(limit + 1e-6 >= E))
        yield Slow(iterations, near + 1, passes, more)


def climbed(problem: Problem, rule: StepRule, start: Mixture, *look: Any) -> tuple[Climb, Array]:
    """A climb to its limit, and E after each iteration."""
    climb = Engine(rule, Stopping(1e-13, 100_000), look).climb(problem, start)
    return climb, -np.array(climb.objectives) / problem.source.total_weight


PARTS = {
    "curves": curves_part,
    "slow": slow_part,
    "never-loses": never_loses_part,
    "online": online_part,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--starts", type=int, help="starts, or samples, of each comparison")
    parser.add_argument("--only", default="", help="data sets of never-loses")
    parser.add_argument("--data", type=Path, help="folder of the .npz files")
    parser.add_argument("--output", type=Path, help="write the curves here, as JSON")
    args = parser.parse_args()
    parts = args.parts.split(",")
    if set(parts) - set(PARTS) or (args.starts is not None and args.starts < 1):
        parser.error(f"parts are {', '.join(PARTS)}; starts must be at least 1")
    args.folder, args.only = data_folder(args.data), args.only.split(",") if args.only else []
    # That iterations ran out, or that columns are collinear, is not what is measured.
    warnings.simplefilter("ignore")
    for part in parts:
        PARTS[part](args)


if __name__ == "__main__":
    main()
