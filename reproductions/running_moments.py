"""Running mean and variance, one row at a time, beside those of all rows.

    python reproductions/running_moments.py [--quick] [--output DIR]

The lecture gives recursions for mu and sigma^2 and says that the second is "slightly biased because
mu_n changes, but the effect is not significant". Here the bias is measured, set against what theory
says and against the spread that a variance of n rows has anyway. The last picture is why one would
not take the lecture's offline formula <x^2> - <x>^2: far from the origin nothing is left of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run

from emplus.numerics.moments import running_step
from emplus.plotting.style import INK, MUTED, PALE

Floats = NDArray[np.floating[Any]]

SEED = 0
NAMED = (10, 100, 1000, 10_000)
# Columns that are taken together, and the rows after which they are.
TOGETHER, AFTER = 256, 100
# Rows are whole multiples of this, so that adding a power of two to them rounds nothing.
GRAIN, FAR = 2.0**-16, 27
_COLUMNS = (
    *("slide_less", "slide_error", "batch_less", "batch_error"),
    *("deviation", "mean_gap", "exact_gap"),
)
DRESS: dict[str, tuple[str, str, str]] = {
    "slide": ("#D55E00", "o", "recursion of the slide"),
    "batch": ("#0072B2", "s", "batch, divided by n"),
    "exact": ("#009E73", "^", "exact recursion (Welford)"),
    "offline": ("#0072B2", "s", "offline, $\\langle x^2\\rangle - \\langle x\\rangle^2$"),
}


def harmonic(n: Any) -> Floats:
    """H_n = 1 + 1/2 + ... + 1/n, for an array of n."""
    numbers = np.asarray(n, dtype=int)
    sums: Floats = np.cumsum(1.0 / np.arange(1, numbers.max() + 1))[numbers - 1]
    return sums


def bias(run: Run) -> Numbers:
    """What the forms give on average over many samples, on a grid of n.

    The reference of a sample is its mean square about the true mean, which has no bias and follows
    the chance of the sample: the difference from it is known far better than either.
    """
    named, samples = run.pick(NAMED, NAMED[:3]), run.pick(20_000, 1000)
    last = named[-1]
    grid = np.unique(np.r_[named, np.geomspace(2, last, run.pick(30, 12)).astype(int)])
    rng = np.random.default_rng(SEED)
    total, squares = np.zeros((2, samples))
    none: Floats = np.zeros((3, samples))
    mean, slide, exact = none
    found: dict[str, list[float]] = {name: [] for name in _COLUMNS}
    for n in run.each(range(1, last + 1), "rows"):
        x = rng.standard_normal(samples)
        total += x
        squares += x * x
        _, slide = running_step(mean, slide, x, 1.0 / n)
        mean, exact = running_step(mean, exact, x, 1.0 / n, exact=True)
        if n not in grid:
            continue
        reference = squares / n
        batch = reference - (total / n) ** 2
        for name, values in (("slide", slide), ("batch", batch)):
            less = reference - values
            found[f"{name}_less"].append(float(less.mean()))
            found[f"{name}_error"].append(float(less.std() / samples**0.5))
        found["deviation"].append(float(batch.std()))
        found["mean_gap"].append(float(np.abs(mean - total / n).max()))
        found["exact_gap"].append(float(np.abs(exact - batch).max()))
    return {"n": grid, "named": named, "samples": samples, **found}


def far(run: Run) -> Numbers:
    """Relative change of each form when the same rows are moved away from the origin."""
    n = run.pick(1000, 200)
    rng = np.random.default_rng(SEED + 1)
    rows = np.round(rng.standard_normal((n, run.pick(200, 20))) / GRAIN) * GRAIN
    powers = list(range(0, 34, run.pick(1, 3)))
    near = variances(rows)
    moved = [variances(rows + 2.0**power) for power in powers]
    changes: Numbers = {
        name: [np.median(np.abs(one[name] / near[name] - 1.0)) for one in moved] for name in near
    }
    negative = float((moved[powers.index(FAR)]["offline"] < 0.0).mean())
    return {"n": n, "powers": powers, "changes": changes, "negative": negative}


def variances(rows: Floats) -> dict[str, Floats]:
    """The variance of each column in three ways; rows are never moved towards the origin."""
    none: Floats = np.zeros((3, rows.shape[1]))
    mean, slide, exact = none
    for n, row in enumerate(rows, start=1):
        _, slide = running_step(mean, slide, row, 1.0 / n)
        mean, exact = running_step(mean, exact, row, 1.0 / n, exact=True)
    offline = (rows * rows).mean(axis=0) - rows.mean(axis=0) ** 2
    return {"slide": slide, "exact": exact, "offline": offline}


def measure(run: Run) -> Measured:
    return Measured({"bias": bias(run), "far": far(run)})


def in_deviations(found: Numbers) -> Floats:
    """The slide's bias in standard deviations of a variance of n rows."""
    ratio: Floats = np.asarray(found["slide_less"]) / np.asarray(found["deviation"])
    return ratio


def claims(numbers: Numbers) -> list[Claim]:
    found = numbers["bias"]
    n = np.asarray(found["n"])
    theory = harmonic(n) / n
    scores = (np.asarray(found["slide_less"]) - theory) / np.asarray(found["slide_error"])
    gaps = max(found["mean_gap"]), max(found["exact_gap"])
    return [
        Claim(
            "mean",
            "the running mean is the mean of all rows.",
            "0",
            f"off by at most {gaps[0]:.0e}",
            "within 1e-12 standard deviations",
            gaps[0] < 1e-12,
        ),
        Claim(
            "biased",
            "the running variance is slightly biased because mu_n changes.",
            "-",
            f"too small by {100 * theory[list(n).index(AFTER)]:.1f} % after {AFTER} rows; measured "
            f"and H_n / n differ by at most {np.abs(scores).max():.1f} standard errors",
            "within 4 standard errors of H_n / n at every n",
            bool(np.abs(scores).max() < 4.0),
        ),
        *significance(found, n),
        Claim(
            "exact",
            "with (x - mu_n) (x - mu_n+1) in place of the square there is no such bias.",
            "-",
            f"off the batch value by at most {gaps[1]:.0e}",
            "within 1e-12 at every n",
            gaps[1] < 1e-12,
        ),
        far_claim(numbers["far"]),
    ]


def significance(found: Numbers, n: Any) -> list[Claim]:
    """The bias beside what chance does to a variance, and to the mean of many."""
    ratio = in_deviations(found)
    named = [float(ratio[list(n).index(m)]) for m in found["named"]]
    together = float(ratio[list(n).index(AFTER)]) * TOGETHER**0.5
    return [
        Claim(
            "not_significant",
            "the effect is not significant.",
            "-",
            ", ".join(f"{value:.2f}" for value in named)
            + " standard deviations of a variance of "
            + ", ".join(f"{m:,}" for m in found["named"])
            + " rows",
            "below one standard deviation of a variance of n rows for every n from 3 on",
            bool((ratio[n >= 3] < 1.0).all()),
        ),
        Claim(
            "not_significant_together",
            f"the same where {TOGETHER} columns are taken together.",
            "-",
            f"{together:.1f} standard errors of their mean variance after {AFTER} rows",
            "below two standard errors",
            together < 2.0,
        ),
    ]


def far_claim(found: Numbers) -> Claim:
    """What is left of each form far from the origin."""
    place = found["powers"].index(FAR)
    off = {name: values[place] for name, values in found["changes"].items()}
    return Claim(
        "offline",
        "sigma^2 = <x^2> - <x>^2 is right on paper, not in 53 bits far from the origin.",
        "-",
        f"with a mean of {2.0**FAR:.1e} standard deviations off by {100 * off['offline']:.3g} %, "
        f"negative in {100 * found['negative']:.0f} % of columns; the recursions by "
        f"{max(off['slide'], off['exact']):.0e}",
        "offline off by at least 50 % in the median, both recursions by less than 1e-6",
        off["offline"] >= 0.5 and max(off["slide"], off["exact"]) < 1e-6,
    )


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    left, middle, right = figure.subplots(1, 3)
    found = numbers["bias"]
    n = np.asarray(found["n"])
    draw_bias(left, found, n)
    draw_ratio(middle, found, n)
    draw_far(right, numbers["far"])


def draw_bias(ax: Any, found: Numbers, n: Any) -> None:
    """Measured bias and its theory."""
    for name, theory, place in (("slide", harmonic(n) / n, "$H_n/n$"), ("batch", 1.0 / n, "$1/n$")):
        colour, marker, words = DRESS[name]
        ax.plot(n, theory, color=colour, linewidth=1.0)
        ax.plot(
            n,
            found[f"{name}_less"],
            marker,
            color=colour,
            markersize=3.5,
            label=f"{words}; line: {place}",
        )
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylabel="bias: part of $\\sigma^2$ missing")
    ax.set_title("How much too small\nthe variance is on average")
    ax.set_ylim(top=8.0)
    ax.legend(loc="upper right", borderaxespad=0.0)


def draw_ratio(ax: Any, found: Numbers, n: Any) -> None:
    """The bias beside what chance does to a variance of n rows."""
    colour, marker, _ = DRESS["slide"]
    for many, style in ((1, "-"), (TOGETHER, "--")):
        own = "one column" if many == 1 else f"mean of {many} columns"
        ax.plot(
            n,
            harmonic(n) / np.sqrt(2.0 * (n - 1)) * many**0.5,
            style,
            color=colour,
            linewidth=1.0,
            label=own,
        )
    ax.plot(n, in_deviations(found), marker, color=colour, markersize=3.5)
    ax.axhline(1.0, color=MUTED, linewidth=0.8)
    ax.text(n[-1], 0.9, "one standard deviation", ha="right", va="top", color=MUTED, fontsize=7.5)
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylim=(0.03, 60.0))
    ax.set_ylabel("bias / standard deviation")
    ax.set_title("The slide's bias beside\nthe chance of the sample")
    ax.legend(loc="upper right", borderaxespad=0.0)


def draw_far(ax: Any, found: Numbers) -> None:
    """Relative error by distance from the origin."""
    distance = 2.0 ** np.asarray(found["powers"], dtype=float)
    for name in ("offline", "slide", "exact"):
        colour, marker, words = DRESS[name]
        change = np.maximum(np.asarray(found["changes"][name]), 1e-16)
        ax.plot(
            distance,
            change,
            color=colour,
            marker=marker,
            markersize=3.5,
            linewidth=1.0,
            label=words,
        )
    ax.axhline(1.0, color=PALE, linewidth=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", ylim=(3e-17, 1e10))
    ax.set(xlabel="mean (standard deviations)", ylabel="relative error of the variance")
    ax.set_title("The same rows,\nfarther from the origin")
    ax.legend(loc="upper left", borderaxespad=0.0, labelcolor=INK)


def notes(numbers: Numbers) -> list[str]:
    found, moved = numbers["bias"], numbers["far"]
    return [
        f"Independent normal rows, {found['samples']:,} samples (seed {SEED}). Lines are theory; "
        "standard errors are smaller than the markers. Right: medians over columns of "
        f"{moved['n']:,} rows (seed {SEED + 1}) against the same rows at the origin; values below "
        "1e-16 are drawn there."
    ]


REPRODUCTION = Reproduction(
    name="running_moments",
    title="Running mean and variance, one row at a time",
    source='Lecture "Mixture models and the EM algorithm", slides 21-23',
    size=(8.6, 5.2),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
