"""Digits of zeros and ones: a Bernoulli mixture's prototypes, and halves completed by mixtures.

    python reproductions/bernoulli_digits.py [--quick] [--data DIR] [--output DIR]

"Binary variables can be better represented with other mixtures, such as those involving Bernoulli
distributions instead of Gaussians", the tutorial says. Here both are fitted to the same black and
white pixels of USPS digits, with as many components and the same search. The lower halves of other
digits are hidden and filled in with what each mixture expects there, and clusters are compared with
the digits' labels. Densities are not compared: that of a Gaussian is no probability of bits, and
where a pixel is the same in all rows of a component nothing but the prior bounds it.

Beside the picture it leaves bernoulli_digits_prototypes.png, the prototypes alone.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from sklearn.metrics import adjusted_rand_score

from emplus import BernoulliMixture, GaussianMixture
from emplus.errors import DataWarning
from emplus.io import replacing
from emplus.plotting.draw_page import new_figure, render, write_words
from emplus.plotting.style import PALE, darken, palette

Floats = NDArray[np.floating[Any]]

NAME = "bernoulli_digits"
SIDE = 16
WORDS = {
    "bernoulli": "Bernoulli",
    "spherical": "Gaussian, spherical",
    "diag": "Gaussian, diagonal",
    "tied": "Gaussian, tied",
}
# What an expected pixel is held between, so that a single wrong one does not cost infinity.
LEAST = 0.01
MEASURES = {
    "squared": "squared error a hidden pixel",
    "cross_entropy": "cross-entropy (nats a pixel)",
    "wrong": "hidden pixels wrong (%)",
    "rand": "adjusted Rand index",
}


def fit(kind: str, X: Floats, components: int, seed: int) -> Any:
    """A mixture of that kind with the default search and prior."""
    model: Any = (
        BernoulliMixture(components, random_state=seed)
        if kind == "bernoulli"
        else GaussianMixture(components, covariance_type=kind, random_state=seed)
    )
    with warnings.catch_warnings():
        # Pixels in the corners are white in all digits, and tell nothing apart.
        warnings.simplefilter("ignore", DataWarning)
        return model.fit(X)


def completed(model: Any, X: Floats) -> Floats:
    """Digits whose lower half is what the mixture expects, given the upper one."""
    half = X.shape[1] // 2
    given = X.copy()
    given[:, half:] = np.nan
    if isinstance(model, BernoulliMixture):
        # `impute` would give the likelier bit of each; this is its probability.
        given[:, half:] = (model.predict_proba(given) @ model.probabilities_)[:, half:]
        return given
    filled: Floats = np.clip(model.impute(given), 0.0, 1.0)
    return filled


def judged(model: Any, X: Floats, y: Any) -> tuple[dict[str, float], Floats]:
    """How well digits are completed and told apart; and the digits, completed."""
    filled = completed(model, X)
    half = X.shape[1] // 2
    expected, bits = filled[:, half:], X[:, half:]
    held = np.clip(expected, LEAST, 1.0 - LEAST)
    found = {
        "squared": float(np.square(expected - bits).mean()),
        "cross_entropy": -float(np.log(np.where(bits > 0, held, 1.0 - held)).mean()),
        "wrong": 100.0 * float(((expected > 0.5) != bits).mean()),
        "rand": float(adjusted_rand_score(y, model.predict(X))),
        "log_density": float(np.median(model.score_samples(X))),
    }
    return found, filled


def prototypes(X: Floats, y: Any, components: int) -> tuple[Floats, dict[str, Any]]:
    """Probabilities (k, 256), ordered by the digit that most rows of the component are."""
    model = fit("bernoulli", X, components, 0)
    mass = np.eye(10)[np.asarray(y, dtype=int)].T @ model.predict_proba(X)
    digits = mass.argmax(axis=0)
    order = np.lexsort((-model.weights_, digits))
    told = {
        "digits": digits[order],
        "weights": model.weights_[order],
        "purity": mass.max(axis=0).sum() / len(X),
        "strength": model.prior_.strength,
    }
    return model.probabilities_[order], told


def measure(run: Run) -> Measured:
    usps = run.data("usps")
    X, X_test = ((np.asarray(rows) > 0).astype(float) for rows in (usps.X, usps.X_test))
    y, y_test = np.asarray(usps.y), np.asarray(usps.y_test)
    components, n, tested = run.pick((20, 1500, len(X_test)), (3, 500, 300))
    seeds, whole = run.pick((3, len(X)), (1, 300))
    images, told = prototypes(X[:whole], y[:whole], components)
    X_test, y_test = X_test[:tested], y_test[:tested]
    shown = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(10)]
    arrays = {"prototypes": images, "original": X_test[shown]}
    tasks = [(seed, kind) for seed in range(seeds) for kind in WORDS]
    fits: dict[str, list[dict[str, float]]] = {kind: [] for kind in WORDS}
    for seed, kind in run.each(tasks, "fits"):
        rows = np.random.default_rng(seed).permutation(len(X))[:n]
        found, filled = judged(fit(kind, X[rows], components, seed), X_test, y_test)
        fits[kind].append(found)
        if seed == 0:
            arrays[kind] = filled[shown]
    sizes = {"rows": n, "tested": tested, "seeds": seeds, "components": components, "all": whole}
    return Measured({"fits": fits, "prototypes": told, **sizes}, arrays)


def mean(numbers: Numbers, kind: str, what: str) -> float:
    """Mean over the seeds."""
    return float(np.mean([fit[what] for fit in numbers["fits"][kind]]))


def _claim(
    numbers: Numbers, key: str, says: str, whats: tuple[str, ...], others: tuple[str, ...]
) -> Claim:
    """The Bernoulli mixture against others: lower errors, a higher Rand index."""
    parts, better = [], True
    for what in whats:
        values = {kind: mean(numbers, kind, what) for kind in ("bernoulli", *others)}
        own = values.pop("bernoulli")
        better &= all((own > v) if what == "rand" else (own < v) for v in values.values())
        rivals = ", ".join(f"{value:.3f} {kind}" for kind, value in values.items())
        parts.append(f"{MEASURES[what].split(' (')[0]} {own:.3f} against {rivals}")
    return Claim(key, says, "-", "; ".join(parts), "better, means over seeds", bool(better))


def claims(numbers: Numbers) -> list[Claim]:
    hidden = ("squared", "cross_entropy")
    return [
        _claim(
            numbers,
            "completes",
            "Bernoulli components complete hidden halves better than uncorrelated Gaussians.",
            hidden,
            ("spherical", "diag"),
        ),
        _claim(
            numbers,
            "completes_tied",
            "they complete them better than correlated Gaussians, too.",
            hidden,
            ("tied",),
        ),
        _claim(
            numbers,
            "clusters",
            "clusters of the Bernoulli mixture agree better with the digits' labels.",
            ("rand",),
            ("spherical", "diag", "tied"),
        ),
    ]


def draw_grid(ax: Any, lines: list[Floats], gap: float) -> None:
    """Lines of images (m, 256) on one pair of axes, which is far quicker than axes for each."""
    for down, line in enumerate(lines):
        for across, image in enumerate(line):
            left, top = across * (SIDE + 2.0), down * (SIDE + gap)
            place = (left, left + SIDE, top + SIDE, top)
            ax.imshow(image.reshape(SIDE, SIDE), cmap="gray_r", vmin=0, vmax=1, extent=place)
            ax.add_patch(Rectangle((left, top), SIDE, SIDE, fill=False, edgecolor="#c8c8c8"))
    ax.set_xlim(-0.5, max(map(len, lines)) * (SIDE + 2.0) - 1.5)
    ax.set_ylim(len(lines) * (SIDE + gap) - gap + 0.5, -0.5)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_prototypes(numbers: Numbers, images: Floats, ax: Any) -> None:
    """Probabilities as images on two lines, over each the digit that most of it is."""
    half, gap = -(-len(images) // 2), 6.0
    draw_grid(ax, [images[:half], images[half:]], gap)
    for number, digit in enumerate(numbers["prototypes"]["digits"]):
        across, down = number % half * (SIDE + 2.0) + SIDE / 2, number // half * (SIDE + gap)
        ax.annotate(
            str(digit), (across, down), (0, 2), textcoords="offset points", ha="center", fontsize=8
        )
    ax.set_yticks([])


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    above, middle, below = figure.subfigures(3, 1, height_ratios=(1.75, 3.95, 1.75))
    draw_prototypes(numbers, arrays["prototypes"], above.subplots())
    rows = {"original": "original", **WORDS}
    ax = middle.subplots()
    draw_grid(ax, [arrays[kind] for kind in rows], 2.0)
    middles = [line * (SIDE + 2.0) + SIDE / 2 for line in range(len(rows))]
    for place in middles[1:]:
        ax.axhline(place, color="#D55E00", linewidth=0.8)
    ax.set_yticks(middles, [words.replace(", ", ",\n") for words in rows.values()])
    _draw_measures(numbers, below)


def _draw_measures(numbers: Numbers, figure: Any) -> None:
    chosen = ("cross_entropy", "wrong", "rand")
    axes = figure.subplots(1, len(chosen), sharey=True)
    colours = darken(palette(len(WORDS)), 0.55)
    for ax, what in zip(axes, chosen, strict=True):
        for place, kind in enumerate(WORDS):
            found = [fit[what] for fit in numbers["fits"][kind]]
            ax.plot(found, [place] * len(found), "o", color=colours[place], alpha=0.7)
        ax.set_yticks(range(len(WORDS)), WORDS.values())
        ax.set_ylim(len(WORDS) - 0.5, -0.5)
        ax.margins(x=0.12)
        ax.grid(axis="y", color=PALE, linewidth=0.6)
        ax.set_xlabel(MEASURES[what])


def also(numbers: Numbers, arrays: Arrays, folder: Path) -> list[Path]:
    """The prototypes alone, wide."""
    figure = new_figure(7.5, 2.1)
    draw_prototypes(numbers, arrays["prototypes"], figure.subplots())
    write_words(figure, f"{len(arrays['prototypes'])} prototypes of handwritten digits", [])
    place = folder / f"{NAME}_prototypes.png"
    with replacing(place) as written:
        Path(written).write_bytes(render(figure, "png"))
    return [place]


def notes(numbers: Numbers) -> list[str]:
    densities = ", ".join(f"{mean(numbers, kind, 'log_density'):.3g} {kind}" for kind in WORDS)
    return [
        f"Above: probabilities of black in {numbers['components']} components, fitted to "
        f"{numbers['all']} digits; over each the digit that most of it is.",
        "Middle: above the line what is given, below it what is expected there, for the first test "
        f"digit of each class. Mixtures of {numbers['components']} components fitted to "
        f"{numbers['rows']} digits; a dot below is one of {numbers['seeds']} seeds, on "
        f"{numbers['tested']} other digits.",
        f"Median log density of those, which is not comparable: {densities}.",
    ]


REPRODUCTION = Reproduction(
    name=NAME,
    title="Digits of zeros and ones: Bernoulli against Gaussian components",
    source='Tutorial "Gaussian mixture models", on binary variables; USPS digits',
    size=(7.6, 9.25),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
    also=also,
)

if __name__ == "__main__":
    REPRODUCTION.main()
