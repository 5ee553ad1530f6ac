"""Four ways down E = -log L from the same starts: gradient descent, L-BFGS, EM, accelerated EM.

    python reproductions/gradient_vs_em.py [--quick] [--output DIR]

The lecture derives the gradient of E, finds that steps along it must keep the proportions on the
simplex, and turns to EM, which "learns in a small number of iterations". Here E is followed on
three problems, one of them with components that overlap so much that EM is slow. Gradient descent
is given what it needs: coordinates without constraints, and a line search.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pictures import COLOURS
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from sklearn.exceptions import ConvergenceWarning

from emplus import GaussianMixture, Mixture
from emplus.datasets import make_mixture
from emplus.plotting.style import INK, PALE

Floats = NDArray[np.floating[Any]]

# Optimizer, acceleration, most iterations (a line search takes some 1.3 passes each), and dress.
RULES: dict[str, tuple[str, str | None, int, str, str]] = {
    "gradient descent": ("gradient", None, 1200, INK, ":"),
    "L-BFGS": ("lbfgs", None, 1600, "#009E73", "--"),
    "EM": ("em", None, 1600, COLOURS["em"], "-"),
    "accelerated EM": ("em", "auto", 1600, "#56B4E9", "-"),
}
# Nats a row above the best end: what counts as arrived, and what as all the way.
NEAR, ALL_THE_WAY, FLOOR = 1e-4, 1e-6, 1e-8
# Seconds at which the time axis begins.
SHORTEST = 1e-3
# Passes that are called few, and points kept of a curve.
FEW, POINTS = 50, 70
# Times EM's passes from which gradient descent counts as slower.
SLOWER = 1.5
# The problem whose components overlap; how far proportions are nudged, whatever their sum.
SLOW, NUDGE = "two that overlap", 0.1


def problems(run: Run) -> dict[str, tuple[Floats, int]]:
    """Rows and the number of components, by words."""
    rows = run.pick(1000, 200)
    two = make_mixture("overlapping", rows, k=2, separation=1.2, seed=3)
    many = make_mixture("unequal", rows, k=8, seed=1)
    return {
        "Old Faithful": (run.data("faithful").X, 2),
        SLOW: (two.X, 2),
        "eight of unequal size": (many.X, 8),
    }


class Watch:
    """An observer: passes, seconds of processor time, E a row, and how the weights stand."""

    def __init__(self, n_rows: int) -> None:
        self.rows: list[tuple[float, float, float]] = []
        self.sum_error, self.smallest = 0.0, 1.0
        self._n_rows, self._begun = n_rows, 0.0

    def __call__(self, state: Any) -> None:
        if not self.rows:  # from the start on, which is the same for all
            self._begun = time.process_time()
        seconds = time.process_time() - self._begun
        self.rows.append((state.passes, seconds, -state.objective / self._n_rows))
        weights = state.mixture.weights
        self.sum_error = max(self.sum_error, abs(float(weights.sum()) - 1.0))
        self.smallest = min(self.smallest, float(weights.min()))


def descent(X: Floats, k: int, rule: str, seed: int, shorter: int) -> Watch:
    """One rule from one start, which depends on the seed alone; tol so that it goes to the end."""
    optimizer, accelerate, most, _, _ = RULES[rule]
    watch = Watch(len(X))
    with warnings.catch_warnings():
        # That the iterations run out is part of what is shown.
        warnings.simplefilter("ignore", ConvergenceWarning)
        GaussianMixture(
            k,
            search="em",
            init_params="k-means++",
            optimizer=optimizer,
            accelerate=accelerate,
            tol=1e-11,
            max_iter=most // shorter,
            random_state=seed,
            n_jobs=1,
            observers=[watch],
        ).fit(X)
    return watch


def thinned(rows: Floats) -> Floats:
    """Some rows of a curve, evenly spread over the logarithm of its passes, ends included."""
    wanted = np.geomspace(1.0, rows[-1, 0], POINTS)
    chosen = np.unique(np.r_[0, np.searchsorted(rows[:, 0], wanted).clip(max=len(rows) - 1)])
    return np.asarray(rows[chosen])


def within(rows: Floats, near: float) -> int | None:
    """Passes until a curve was so near to the best end; None where it never was."""
    [below] = np.nonzero(rows[:, 2] <= near)
    return int(rows[below[0], 0]) if len(below) else None


def nudged(X: Floats, k: int) -> dict[str, float]:
    """What a step along the plain gradient of E in the proportions does to their sum and to E."""
    mixture: Mixture = GaussianMixture(k, search="em", random_state=0).fit(X).mixture_
    # dE/dP(j) = -sum_i P(j|x_i) / P(j), here a row.
    gradient = -mixture.responsibilities(X).mean(axis=0) / mixture.weights
    moved = mixture.weights - NUDGE * gradient
    density = np.exp(mixture.log_joint(X) - mixture.log_weights) @ moved
    fall = float((np.log(density) - mixture.log_density(X)).mean())
    return {"sum": moved.sum(), "fall": fall}


def measure(run: Run) -> Measured:
    starts, shorter = run.pick(5, 1), run.pick(1, 30)
    numbers: Numbers = {"starts": starts, "problems": {}, "sum_error": 0.0, "smallest": 1.0}
    for name, (X, k) in problems(run).items():
        found: dict[str, list[dict[str, Any]]] = {rule: [] for rule in RULES}
        for seed in run.each(range(starts), name):
            watches = {rule: descent(X, k, rule, seed, shorter) for rule in RULES}
            best = min(watch.rows[-1][2] for watch in watches.values())
            for rule, watch in watches.items():
                rows = np.array(watch.rows) - np.array([0.0, 0.0, best])
                found[rule].append(
                    {
                        "near": within(rows, NEAR),
                        "all_the_way": within(rows, ALL_THE_WAY),
                        "passes": rows[-1, 0],
                        "gap": rows[-1, 2],
                        "curve": thinned(rows),
                    }
                )
                numbers["sum_error"] = max(numbers["sum_error"], watch.sum_error)
                numbers["smallest"] = min(numbers["smallest"], watch.smallest)
        numbers["problems"][name] = {"n": len(X), "k": k, "curves": found}
    numbers["steps"] = [RULES[rule][2] // shorter for rule in ("gradient descent", "EM")]
    numbers["nudge"] = nudged(run.data("faithful").X, 2)
    return Measured(numbers)


def spent(numbers: Numbers, problem: str, rule: str, kind: str) -> float:
    """Median passes over the starts; a run that never came there counts with all its passes."""
    runs = numbers["problems"][problem]["curves"][rule]
    return float(np.median([one["passes"] if one[kind] is None else one[kind] for one in runs]))


def claims(numbers: Numbers) -> list[Claim]:
    names = list(numbers["problems"])

    def ratio(name: str) -> float:
        gradient, em = (spent(numbers, name, rule, "near") for rule in ("gradient descent", "EM"))
        return gradient / em

    plain, faster = (spent(numbers, SLOW, rule, "all_the_way") for rule in ("EM", "accelerated EM"))
    return [
        few(
            numbers,
            "few_iterations",
            'EM "learns in a small number of iterations", where components are apart.',
            [name for name in names if name != SLOW],
        ),
        few(numbers, "few_iterations_overlapping", "the same where components overlap.", [SLOW]),
        Claim(
            "gradient",
            "gradient descent takes more passes than EM.",
            "-",
            "times EM's: " + ", ".join(f"{ratio(name):.3g} ({name})" for name in names),
            f"a ratio of medians of at least {SLOWER:g} on each problem (runs that never come "
            "there count with all their passes)",
            all(ratio(name) >= SLOWER for name in names),
        ),
        Claim(
            "accelerated",
            "where EM is slow, accelerated EM takes fewer passes.",
            "-",
            f"{faster:.0f} in place of {plain:.0f} to within {ALL_THE_WAY:g} nats a row",
            "at most half of them",
            faster <= 0.5 * plain,
        ),
        same_end(numbers),
        constrained(numbers),
    ]


def few(numbers: Numbers, key: str, says: str, names: list[str]) -> Claim:
    """Whether EM arrives in few passes on some of the problems."""
    passes = {name: spent(numbers, name, "EM", "near") for name in names}
    return Claim(
        key,
        says,
        "-",
        ", ".join(f"{count:.0f} passes ({name})" for name, count in passes.items()),
        f"medians of at most {FEW} passes to within {NEAR:g} nats a row of the best end",
        max(passes.values()) <= FEW,
    )


def same_end(numbers: Numbers) -> Claim:
    """Whether all rules end as low as each other, and which do not."""
    apart = {
        f"{rule}, {name}": count
        for name, problem in numbers["problems"].items()
        for rule, runs in problem["curves"].items()
        if (count := sum(one["gap"] > NEAR for one in runs))
    }
    listed = "; ".join(f"{words}: {count}" for words, count in apart.items())
    return Claim(
        "same_end",
        "from the same start all four end at the same E.",
        "-",
        f"above the best in so many of {numbers['starts']} starts: {listed}" if apart else "all do",
        f"within {NEAR:g} nats a row",
        not apart,
    )


def constrained(numbers: Numbers) -> Claim:
    """What constraints on the proportions are for, and that every step here keeps them."""
    nudge, error = numbers["nudge"], numbers["sum_error"]
    return Claim(
        "constrained",
        "proportions cannot just be nudged: they must sum to 1 and lie between 0 and 1.",
        "-",
        f"a step of {NUDGE:g} along the gradient makes their sum {nudge['sum']:.2f} and E lower "
        f"by {nudge['fall']:.2f}, a gain of nothing; in free coordinates it is off by {error:.0e}",
        "the nudged sum is off by more than 0.01, that of every state here by less than 1e-12",
        abs(nudge["sum"] - 1.0) > 0.01 and error < 1e-12 and numbers["smallest"] >= 0.0,
    )


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    axes = figure.subplots(2, 3, sharey=True)
    for column, (name, problem) in enumerate(numbers["problems"].items()):
        for row, words in enumerate(("passes over the rows", "processor time (seconds)")):
            ax = axes[row, column]
            for rule, runs in problem["curves"].items():
                draw_runs(ax, rule, runs, row)
            ax.axhline(NEAR, color=PALE, linewidth=0.8, zorder=0)
            ax.set(xscale="log", yscale="log", xlabel=words, ylim=(0.6 * FLOOR, 10.0))
        axes[0, column].set_title(f"{name}\nn = {problem['n']:,}, k = {problem['k']}")
    for ax in axes[:, 0]:
        ax.set_ylabel("E above the best (nats a row)")
    axes[0, 0].legend(loc="upper right", borderaxespad=0.0)


def draw_runs(ax: Any, rule: str, runs: list[dict[str, Any]], row: int) -> None:
    """One line a start, the one of median passes bold; EM on top of its accelerated form."""
    _, _, _, colour, style = RULES[rule]
    width = 4.0 if rule == "accelerated EM" else 1.7
    order = np.argsort([one["passes"] if one["near"] is None else one["near"] for one in runs])
    for place, one in enumerate(runs):
        bold = place == order[len(runs) // 2]
        curve = np.asarray(one["curve"])
        ax.plot(
            np.maximum(curve[:, row], SHORTEST if row else 1.0),
            np.maximum(curve[:, 2], FLOOR),
            color=colour,
            linestyle=style,
            linewidth=width if bold else 0.7,
            alpha=1.0 if bold else 0.4,
            zorder=4.0 - 0.5 * width if bold else 1.0,
            label=rule if bold else None,
        )


def notes(numbers: Numbers) -> list[str]:
    gradient, others = numbers["steps"]
    return [
        f"Best end: the lowest E of the four from the same start; {numbers['starts']} starts a "
        "problem by k-means++ (seeds 0, 1, ...), one thread. Thick: the start of median passes; "
        f"grey line: {NEAR:g}. Values below {FLOOR:g} are drawn there. Full covariances; E "
        f"includes the weak prior. At most {gradient:,} steps of gradient descent, {others:,} of "
        "the others."
    ]


REPRODUCTION = Reproduction(
    name="gradient_vs_em",
    title="Gradient descent on E, and EM, from the same starts",
    source='Lecture "Mixture models and the EM algorithm", slides 7-14 and 18',
    size=(8.6, 7.4),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
