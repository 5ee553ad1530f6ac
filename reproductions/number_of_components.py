"""How many components: too few, right, too many, and two ways in which a fit goes wrong.

    python reproductions/number_of_components.py [--quick] [--output DIR]

The tutorial's demo "Fitting GMM to data" lets one choose the number of components, calls it a
crucial hyperparameter, and warns of a "singleton situation": one component fits all the data and
the others are rendered meaningless. Here the number is chosen by BIC and ICL (both: low is good) on
rows of four clusters. The singleton situation comes by itself where components start nearly alike
and EM is ended by a coarse tolerance. Its opposite, a component that shrinks onto a few rows while
the likelihood grows without bound, comes from a start at an outlying row where no prior forbids
it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from degenerate_fits import FOLLOWED, TRUE, WIDTH, collapse, copies, singletons, unbounded
from numpy.typing import NDArray
from pictures import COLOURS, draw_ellipses, draw_rows, gaussians, quiet, stored
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run

from emplus import GaussianMixture, datasets
from emplus.plotting import palette
from emplus.plotting.style import INK, MUTED, darken

Floats = NDArray[np.floating[Any]]

FREE, FLOORED, PRIOR = COLOURS["em"], COLOURS["reset"], COLOURS["split_merge"]


def by_number(X: Floats, most: int) -> tuple[list[dict[str, Any]], GaussianMixture]:
    """A fit, its BIC and its ICL for each number of components, and the fit of the true number."""
    models = [GaussianMixture(k, random_state=0).fit(X) for k in range(1, most + 1)]
    found = [
        {
            "k": k,
            "bic": model.bic(X),
            "icl": model.icl(X),
            "value": model.lower_bound_,
            "mixture": stored(model.mixture_),
        }
        for k, model in enumerate(models, 1)
    ]
    return found, models[TRUE - 1]


def measure(run: Run) -> Measured:
    drawn = datasets.make_mixture("separated", 300, k=TRUE, seed=1)
    numbers, good = by_number(drawn.X, run.pick(8, 5))
    collapsed = collapse(drawn.X, good)
    return Measured(
        {
            "n": len(drawn.X),
            "by_number": numbers,
            "singletons": singletons(run, drawn.X, numbers[0]["value"], good.lower_bound_),
            "copies": copies(drawn.X),
            "collapse": collapsed,
            "unbounded": unbounded(drawn.X, good, collapsed),
        },
        {"X": drawn.X},
    )


def claims(numbers: Numbers) -> list[Claim]:
    fits = numbers["by_number"]
    chosen = {name: min(fits, key=lambda fit: fit[name])["k"] for name in ("bic", "icl")}
    others = min(fit["bic"] for fit in fits if fit["k"] != TRUE) - fits[TRUE - 1]["bic"]
    ends = numbers["singletons"]
    copied, collapsed = numbers["copies"], numbers["collapse"]
    free, kept = min(collapsed["free"]["widths"]), min(collapsed["prior"]["widths"][1:])
    beyond = np.asarray(numbers["unbounded"]["likelihoods"]) > fits[TRUE - 1]["value"]
    return [
        Claim(
            "number",
            "the number of components is a crucial hyperparameter for the GMM.",
            "-",
            f"BIC takes {chosen['bic']}, ICL {chosen['icl']}, of {TRUE}; any other costs "
            f"{others:.0f} or more of BIC",
            "both take the true number, 10 of BIC below all others",
            chosen["bic"] == chosen["icl"] == TRUE and others > 10.0,
        ),
        Claim(
            "singleton",
            "sometimes a single component fits all the data, and others are meaningless.",
            "-",
            f"{ends[0]['singleton']} of {ends[0]['runs']} random starts in scikit-learn, "
            f"{ends[1]['singleton']} in emplus with its tolerance, {ends[-1]['singleton']} as "
            "emplus is",
            "some, but not all, of the runs in scikit-learn",
            0 < ends[0]["singleton"] < ends[0]["runs"],
        ),
        Claim(
            "copies",
            "components at one place stay there, and are worth one.",
            "-",
            f"{abs(copied['gain']):.0e} nats a row from the fit of one component",
            "within 1e-4",
            abs(copied["gain"]) < 1e-4,
        ),
        Claim(
            "unbounded",
            "without a prior a component may shrink onto a few rows, the likelihood unbounded.",
            "-",
            f"a standard deviation of {free:.0e} within {len(collapsed['free']['widths']) - 1} "
            f"iterations, ended as {collapsed['free']['ended']}",
            "below 1e-6, and the likelihood of a narrow one beyond the best fit's",
            free < 1e-6 and collapsed["free"]["ended"] == "singular" and bool(beyond[-1]),
        ),
        Claim(
            "prior",
            "the default prior forbids that.",
            "-",
            f"from the same start none below {kept:.2f}, {collapsed['prior']['ended']}",
            "above 0.1 after the start",
            kept > 0.1,
        ),
    ]


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.0, 0.9, 1.05])
    curve, *panels = top.subplots(1, 4, width_ratios=[1.5, 1.0, 1.0, 1.0])
    _draw_numbers(numbers["by_number"], curve)
    for ax, k in zip(panels, (2, TRUE, len(numbers["by_number"])), strict=True):
        fit = numbers["by_number"][k - 1]
        words = "too few" if k < TRUE else "too many" if k > TRUE else "right"
        _draw_fit(ax, arrays["X"], fit["mixture"])
        ax.set_title(f"{k}: {words}")
    copied, bars = middle.subplots(1, 2, width_ratios=[1.0, 2.3])
    _draw_copies(copied, arrays["X"], numbers["copies"])
    _draw_ends(bars, numbers["singletons"])
    where, widths, bound = bottom.subplots(1, 3, width_ratios=[1.0, 1.15, 1.15])
    collapsed = numbers["collapse"]
    _draw_fit(where, arrays["X"], collapsed["free"]["mixture"])
    where.annotate(
        "here",
        collapsed["free"]["mixture"]["means"][0],
        xytext=(-50, -3),
        textcoords="offset points",
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    where.set_title("a component on two rows")
    _draw_widths(widths, collapsed)
    _draw_bound(bound, numbers["unbounded"], numbers["by_number"][TRUE - 1]["value"])


def _draw_fit(ax: Any, X: Any, mixture: dict[str, Any]) -> None:
    draw_rows(ax, X, gaussians(mixture), size=5.0)
    draw_ellipses(ax, gaussians(mixture), linewidth=1.3)
    quiet(ax)


def _draw_numbers(fits: list[dict[str, Any]], ax: Any) -> None:
    numbers = [fit["k"] for fit in fits]
    for name, colour, mark in (("icl", COLOURS["random_swap"], "s"), ("bic", INK, "o")):
        ax.plot(
            numbers,
            [fit[name] for fit in fits],
            f"{mark}-",
            color=colour,
            markersize=4,
            label=name.upper(),
        )
    ax.axvline(TRUE, color=MUTED, linewidth=0.7, linestyle="dotted", zorder=0)
    ax.set_xticks(numbers)
    ax.set_xlabel("number of components")
    ax.set_ylabel("criterion (low is good)")
    ax.legend()


def _draw_copies(ax: Any, X: Any, mixture: dict[str, Any]) -> None:
    ax.scatter(X[:, 0], X[:, 1], s=5.0, c=MUTED, alpha=0.5, linewidths=0)
    colours = darken(palette(TRUE), 0.55)
    for j in range(TRUE):
        # Dashes side by side: all of the ellipses lie on the same line.
        draw_ellipses(
            ax,
            gaussians(mixture),
            only=[j],
            colours=colours,
            linestyle=(4.0 * j, (4.0, 12.0)),
            linewidth=2.0,
        )
    quiet(ax)
    ax.set_title("four components, worth one")


def _draw_ends(ax: Any, ends: list[dict[str, Any]]) -> None:
    places = np.arange(len(ends))
    left = np.zeros(len(ends))
    parts = (
        ("one component, four times", [end["singleton"] for end in ends], COLOURS["em"]),
        ("other optima", [end["runs"] - end["singleton"] - end["best"] for end in ends], "#c8c8c8"),
        ("the best", [end["best"] for end in ends], COLOURS["split_merge"]),
    )
    for words, counts, colour in parts:
        ax.barh(places, counts, left=left, color=colour, label=words, height=0.62)
        for place, count, begin in zip(places, counts, left, strict=True):
            if count:
                ink = INK if colour == "#c8c8c8" else "white"
                ax.text(begin + count / 2, place, str(count), ha="center", va="center", color=ink)
        left = left + np.asarray(counts)
    ax.set_yticks(places, [end["setting"] for end in ends])
    ax.invert_yaxis()
    ax.set_xlim(0, ends[0]["runs"])
    ax.set_xlabel(f"runs, of {ends[0]['runs']} from random responsibilities")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderaxespad=0.1)


def _draw_widths(ax: Any, collapsed: dict[str, Any]) -> None:
    lines = (
        ("free", "emplus, no prior", FREE, "o-"),
        ("floored", "scikit-learn, 1e-12", FLOORED, "s--"),
        ("prior", "emplus, its prior", PRIOR, "^-"),
    )
    for name, words, colour, mark in lines:
        ax.plot(
            collapsed[name]["widths"][: FOLLOWED + 1],
            mark,
            color=colour,
            markersize=3.5,
            label=words,
        )
    ax.set_yscale("log")
    ax.set_xlabel("iteration")
    ax.set_title("smallest standard deviation")
    ax.legend(loc="lower left")


def _draw_bound(ax: Any, scan: dict[str, Any], best: float) -> None:
    ax.axhline(best, color=MUTED, linewidth=0.8)
    ax.plot(scan["widths"], scan["likelihoods"], color=FREE, label="log-likelihood")
    ax.plot(scan["widths"], scan["objectives"], color=PRIOR, label="with the prior")
    ax.text(1.0, best, "best fit of four ", color=MUTED, fontsize=8, va="bottom")
    ax.set_xscale("log")
    ax.set_xticks([1.0, 1e-10, 1e-20, 1e-30])
    ax.invert_xaxis()
    ax.set_ylim(-4.5, -3.5)
    ax.set_xlabel("standard deviation on one row")
    ax.set_title("nats a row")
    ax.legend(loc="lower right")


def notes(numbers: Numbers) -> list[str]:
    return [
        f"{numbers['n']} rows of four clusters (make_mixture, separated, seed 1); ellipses of two "
        "standard deviations. Top: fits of the default search, seed 0. Bottom: EM from the right "
        f"fit with one component, {WIDTH} wide, moved to the row that is least expected."
    ]


REPRODUCTION = Reproduction(
    name="number_of_components",
    title="The number of components, and components that mean nothing",
    source='Tutorial "Gaussian mixture models", demo "Fitting GMM to data"',
    size=(8.8, 9.4),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
