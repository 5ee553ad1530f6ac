"""EM at work on two sets of points: one that is easy, one on which most starts get stuck.

    python reproductions/em_demo.py [--quick] [--output DIR]

The lecture shows the program ``emdemo`` on its data sets 4 and 3, and says of EM that it learns in
a small number of iterations and can get stuck in local minima, but that heuristics can help to
unstick it. The sets are not given, so two of our own stand in for them: three round clusters, and
six of them in three pairs. The model is the lecture's: each covariance is diagonal with equal
elements. EM starts from rows at random; the climbs shown are those of the first seed that ends at
the best optimum known on the easy set, and of the first that does not on the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pictures import COLOURS, draw_ellipses, draw_rows, gaussians, quiet, stored
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from scipy.optimize import linear_sum_assignment

from emplus import GaussianMixture
from emplus.plotting import Recorder
from emplus.plotting.style import MUTED

Floats = NDArray[np.float64]

# Means and standard deviations of round clusters of equal shares, rows, and the seed they are
# drawn with.
SETS: tuple[tuple[str, Any, Any, int, int], ...] = (
    ("easy", ((-3, -2), (3, -1.5), (0, 3)), (1.0, 1.2, 0.8), 300, 4),
    (
        "in pairs",
        ((-5, -3), (-4, -0.5), (5, -3), (4, -0.5), (0, 4.5), (0, 7)),
        (0.9, 0.6) * 3,
        360,
        3,
    ),
)
# An end this much below the best, in nats a row, is another one; the same to be near one's end.
NEAR = 0.01
SMALL = 20
# Iterations of the curves that are drawn.
SEEN = 40
STUCK, UNSTUCK = COLOURS["em"], COLOURS["split_merge"]


def points(means: Any, deviations: Any, n: int, seed: int) -> Floats:
    """Rows of round clusters."""
    rng = np.random.default_rng(seed)
    y = rng.integers(len(means), size=n)
    spread = np.asarray(deviations)[y, None] * rng.standard_normal((n, 2))
    return np.asarray(means, dtype=float)[y] + spread


def fitted(X: Floats, k: int, search: str, seed: int, **options: Any) -> GaussianMixture:
    """The lecture's mixture, by plain steps of EM."""
    model = GaussianMixture(
        k,
        covariance_type="spherical",
        search=search,
        accelerate=None,
        init_params="random_from_data",
        random_state=seed,
        **options,
    )
    return model.fit(X)


def snapshots(X: Floats, k: int, seed: int, at: tuple[int, ...]) -> list[dict[str, Any]]:
    """A climb at some iterations and at its end."""
    recorder = Recorder()
    model = fitted(X, k, "em", seed, observers=[recorder])
    path = recorder.path(model.result_)
    chosen = [*(t for t in at if t < len(path) - 1), len(path) - 1]
    return [
        {
            **stored(path[t].mixture),
            "iteration": t,
            "value": path[t].log_likelihood / len(X),
            "last": t == len(path) - 1,
        }
        for t in chosen
    ]


def alike(mixture: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The components in the order, and so in the colours, of those of another nearby."""
    away = np.asarray(mixture["means"])[:, None, :] - np.asarray(other["means"])
    rows, columns = linear_sum_assignment((away**2).sum(axis=2))
    order = rows[np.argsort(columns)]
    return {name: np.asarray(values)[order] for name, values in mixture.items()}


def measure(run: Run) -> Measured:
    seeds = range(run.pick(50, 4))
    found, arrays = [], {}
    for name, means, deviations, n, drawn in SETS:
        X, k = points(means, deviations, n, drawn), len(means)
        curves = [
            np.asarray(fitted(X, k, "em", seed).lower_bounds_)
            for seed in run.each(seeds, f"EM, {name}")
        ]
        searched = [
            fitted(X, k, "split_merge", seed) for seed in run.each(seeds, f"split-merge, {name}")
        ]
        model = max(searched, key=lambda one: one.lower_bound_)
        best = max(model.lower_bound_, max(curve[-1] for curve in curves))
        stuck = [bool(curve[-1] < best - NEAR) for curve in curves]
        shown = stuck.index(name != "easy")
        climb = snapshots(X, k, shown, (0, 1, 2, 5))
        found.append(
            {
                "set": name,
                "k": k,
                "n": n,
                "seed": shown,
                "snapshots": climb,
                "best": {**alike(stored(model.mixture_), climb[-1]), "value": model.lower_bound_},
                "curves": [curve[: SEEN + 1] - best for curve in curves],
                "near": [int(np.argmax(curve >= curve[-1] - NEAR)) for curve in curves],
                "stuck": stuck,
                "searched_stuck": [bool(one.lower_bound_ < best - NEAR) for one in searched],
            }
        )
        arrays[name] = X
    return Measured({"sets": found}, arrays)


def claims(numbers: Numbers) -> list[Claim]:
    easy, pairs = numbers["sets"]
    medians = [float(np.median(one["near"])) for one in (easy, pairs)]
    most = max(max(one["near"]) for one in (easy, pairs))
    runs = len(pairs["stuck"])
    stuck, searched = sum(pairs["stuck"]), sum(pairs["searched_stuck"])
    return [
        Claim(
            "few",
            "EM learns in a small number of iterations.",
            "-",
            f"median {medians[0]:g} and {medians[1]:g}, at most {most}, to within {NEAR} nats a "
            "row of its end",
            f"both medians at most {SMALL}",
            max(medians) <= SMALL,
        ),
        Claim(
            "stuck",
            "EM can get stuck in local minima.",
            "-",
            f"{sum(easy['stuck'])} of {runs} starts on the easy set, {stuck} of {runs} on the "
            f"pairs end more than {NEAR} nats a row below the best known",
            "some of them",
            stuck > 0,
        ),
        Claim(
            "unstuck",
            "but you can add heuristics to help unstick the algorithm.",
            "-",
            f"split-and-merge from the same starts: {sum(easy['searched_stuck'])} and {searched} "
            f"of {runs}",
            "fewer than of plain EM on the pairs",
            searched < stuck,
        ),
    ]


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    above, below = figure.subfigures(2, 1, height_ratios=[3.3, 1.8])
    axes = above.subplots(2, 5)
    for row, one in zip(axes, numbers["sets"], strict=True):
        X = arrays[one["set"]]
        panels = list(one["snapshots"])
        if one["set"] != "easy":
            # Its end is seen better than its fifth iteration, and the best belongs beside it.
            panels = [*panels[:3], panels[-1], {**one["best"], "iteration": None}]
        for ax, panel in zip(row, panels, strict=True):
            mixture = gaussians(panel)
            draw_rows(ax, X, mixture, size=5.0)
            draw_ellipses(ax, mixture, linewidth=1.3)
            quiet(ax)
            ax.set_title(_words(panel), fontsize=8.5)
            ax.set_xlabel(f"{panel['value']:.3f}".replace("-", "\N{MINUS SIGN}"))
        row[0].set_ylabel(f"{one['set']}, {one['k']} components")
        low, high = X.min(axis=0) - 0.7, X.max(axis=0) + 0.7
        for ax in row:
            ax.set_xlim(low[0], high[0])
            ax.set_ylim(low[1], high[1])
    _draw_curves(numbers, below.subplots(1, 2))


def _words(panel: dict[str, Any]) -> str:
    if panel["iteration"] is None:
        return "best known"
    ending = ", its end" if panel["last"] else ""
    return f"iteration {panel['iteration']}{ending}" if panel["iteration"] else "start"


def _draw_curves(numbers: Numbers, axes: Any) -> None:
    for ax, one in zip(axes, numbers["sets"], strict=True):
        for curve, stuck in zip(one["curves"], one["stuck"], strict=True):
            colour = STUCK if stuck else UNSTUCK
            ax.plot(curve, color=colour, linewidth=0.8, alpha=0.55, zorder=3 if stuck else 2)
        stuck = sum(one["stuck"])
        ax.plot([], [], color=UNSTUCK, label=f"{len(one['stuck']) - stuck} reach the best")
        ax.plot([], [], color=STUCK, label=f"{stuck} get stuck")
        ax.set_xlim(0, SEEN)
        ax.set_ylim(-1.0, 0.05)
        ax.axhline(0.0, color=MUTED, linewidth=0.6, zorder=1)
        ax.set_title(f"{one['set']}: {len(one['stuck'])} starts")
        ax.set_xlabel("iteration")
        ax.legend(loc="lower right")
    axes[0].set_ylabel("log-likelihood a row,\nless the best known (nats)")


def notes(numbers: Numbers) -> list[str]:
    sizes = " and ".join(f"{one['n']} rows, seed {one['seed']}" for one in numbers["sets"])
    return [
        f"Under each panel the log-likelihood a row in nats. {sizes}; ellipses of two standard "
        "deviations. Best known: of all runs of both kinds. The lecture's own sets 4 and 3 are not "
        "given; these are made in their place."
    ]


REPRODUCTION = Reproduction(
    name="em_demo",
    title="EM learns quickly, and not always the best there is",
    source='Lecture "Mixture Models and the EM Algorithm", slides 15, 16 and 18, "EM Demo"',
    size=(8.6, 7.3),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
