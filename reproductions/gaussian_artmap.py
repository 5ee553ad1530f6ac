"""Gaussian ARTMAP on the lecture's three tasks: with and without match tracking, and beside EM.

    python reproductions/gaussian_artmap.py [--quick] [--data DIR] [--output DIR]

Slides "Match tracking in ARTMAP" and "Performance of Gaussian ARTMAP" (Williamson 1996, 1997): it
"did well" on letters, a satellite's images and spoken vowels, and match tracking "helps Gaussian
ARTMAP outperform EM". Without match tracking a class never hears of another's errors: its
categories learn its own rows alone, and a new one is made where none matches better than a fixed
threshold, which is chosen so that there are as many categories as with match tracking. EM fits each
class a mixture with diagonal covariances, as many components in all, shared out equally.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from pictures import COLOURS
from reproduction import Arrays, Claim, Measured, Numbers, Reproduction, Run
from scipy.special import logsumexp
from sklearn.neighbors import KNeighborsClassifier

from emplus import GaussianARTMAP, GaussianMixture, MixtureClassifier
from emplus.errors import EmplusWarning
from emplus.plotting.style import INK, MUTED

SETS = {"letter": "letter images", "satellite": "satellite images", "vowel": "spoken vowels"}
# The estimator's defaults: after so many epochs all are compared.
EPOCHS, STD = 2, 0.6


@dataclass(frozen=True)
class Split:
    """Published training and test rows, columns in units of their spread within the classes."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any

    def accuracy(self, guessed: Any) -> float:
        """Share of the test rows."""
        return float((guessed == self.y_test).mean())


def published(run: Run, name: str) -> Split:
    """A data set; a few rows of it where it is quick."""
    data: Any = run.data(name)
    some = np.random.default_rng(0).permutation(len(data.X))[: run.pick(None, 200)]
    X, y = np.asarray(data.X, dtype=float)[some], data.y[some]
    means = {label: X[y == label].mean(axis=0) for label in np.unique(y)}
    unit = np.sqrt(np.mean([(row - means[label]) ** 2 for row, label in zip(X, y, strict=True)], 0))
    scale = np.where(unit > 0.0, unit, 1.0)
    centre, test = X.mean(axis=0), slice(run.pick(None, 200))
    X_test = (np.asarray(data.X_test, dtype=float)[test] - centre) / scale
    return Split((X - centre) / scale, y, X_test, data.y_test[test])


def with_tracking(split: Split, seed: int, epochs: int) -> list[tuple[float, int]]:
    """Accuracy and categories of one voter after each epoch."""
    model, rng = GaussianARTMAP(initial_std=STD, random_state=seed), np.random.default_rng(seed)
    found = []
    for _ in range(epochs):
        order = rng.permutation(len(split.X))
        model.partial_fit(split.X[order], split.y[order])
        found.append((split.accuracy(model.predict(split.X_test)), model.n_categories_))
    return found


def without_tracking(
    split: Split, log_vigilance: float, seed: int, epochs: int
) -> list[tuple[float, int]]:
    """The same of categories that learn the rows of their own class alone."""
    classes, rng = np.unique(split.y), np.random.default_rng(seed)
    models = [
        GaussianARTMAP(float(np.exp(log_vigilance)), initial_std=STD, scaling=None) for _ in classes
    ]
    found = []
    for _ in range(epochs):
        for label, model in zip(classes, models, strict=True):
            rows = rng.permutation(split.X[split.y == label])
            model.partial_fit(rows, np.full(len(rows), label), classes=classes)
        votes = np.column_stack([activation(model, split.X_test) for model in models])
        size = sum(model.n_categories_ for model in models)
        found.append((split.accuracy(classes[votes.argmax(axis=1)]), size))
    return found


def activation(model: GaussianARTMAP, rows: Any) -> Any:
    """Log of the summed activations of all its categories: log n - log sigmas - q / 2 each."""
    precisions = 1.0 / model.variances_
    heights = np.log(model.counts_) + 0.5 * np.log(precisions).sum(axis=1)
    scaled = model.means_ * precisions
    q = rows**2 @ precisions.T - 2.0 * rows @ scaled.T + (scaled * model.means_).sum(axis=1)
    return np.asarray(logsumexp(heights - 0.5 * q, axis=1))


def threshold(split: Split, size: float, steps: int) -> float:
    """Log vigilance with which, untracked, about so many categories are made: by bisection."""
    d: int = split.X.shape[1]
    low, high = -8.0 * d, -0.2 * d
    for _ in range(steps):
        middle = 0.5 * (low + high)
        made = without_tracking(split, middle, 0, EPOCHS)[-1][1]
        low, high = (middle, high) if made < size else (low, middle)
    return 0.5 * (low + high)


def by_em(split: Split, per_class: int, seed: int) -> float:
    """Accuracy of a mixture a class."""
    mixture = GaussianMixture(covariance_type="diag", search="em")
    model = MixtureClassifier(mixture, n_components=per_class, random_state=seed)
    with warnings.catch_warnings():
        # Of classes with fewer rows than components, and of components that died out.
        warnings.simplefilter("ignore", EmplusWarning)
        model.fit(split.X, split.y)
    return split.accuracy(model.predict(split.X_test))


def measure(run: Run) -> Measured:
    orders, epochs, voters = run.pick((3, 4, 5), (2, 2, 2))
    found = {}
    for name in run.each(SETS, "data sets"):
        split = published(run, name)
        classes = len(np.unique(split.y))
        tracked = [with_tracking(split, seed, epochs) for seed in range(orders)]
        size = float(np.mean([one[EPOCHS - 1][1] for one in tracked]))
        log_vigilance = threshold(split, size, run.pick(7, 3))
        alone = [without_tracking(split, log_vigilance, seed, epochs) for seed in range(orders)]
        pooled = [
            GaussianARTMAP(n_voters=voters, initial_std=STD, random_state=seed)
            .fit(split.X, split.y)
            .predict(split.X_test)
            for seed in range(orders)
        ]
        each = max(1, round(size / classes))
        nearest = KNeighborsClassifier(1).fit(split.X, split.y).predict(split.X_test)
        found[name] = {
            "rows": [len(split.X), len(split.X_test)],
            "log_vigilance": log_vigilance,
            "tracking": {"accuracy": parts(tracked, 0), "categories": parts(tracked, 1)},
            "untracked": {"accuracy": parts(alone, 0), "categories": parts(alone, 1)},
            "voters": [split.accuracy(guessed) for guessed in pooled],
            "em": [by_em(split, each, seed) for seed in range(orders)],
            "em_components": each * classes,
            "nearest": split.accuracy(nearest),
        }
    return Measured({"orders": orders, "n_voters": voters, "sets": found})


def parts(found: list[list[tuple[float, int]]], which: int) -> Any:
    """One of the two figures, (orders, epochs)."""
    return np.array([[one[which] for one in order] for order in found])


def means(numbers: Numbers) -> dict[str, dict[str, float]]:
    """Mean accuracy over the orders, by set and classifier, after the default number of epochs."""
    return {
        name: {
            "tracking": float(np.mean([own[EPOCHS - 1] for own in found["tracking"]["accuracy"]])),
            "untracked": float(
                np.mean([own[EPOCHS - 1] for own in found["untracked"]["accuracy"]])
            ),
            "voters": float(np.mean(found["voters"])),
            "em": float(np.mean(found["em"])),
            "nearest": found["nearest"],
        }
        for name, found in numbers["sets"].items()
    }


def beside(found: dict[str, dict[str, float]], ours: str, theirs: str, words: str) -> str:
    """Two classifiers on all sets, in words."""
    return "; ".join(
        f"{name} {one[ours]:.3f}, {words} {one[theirs]:.3f}" for name, one in found.items()
    )


def claims(numbers: Numbers) -> list[Claim]:
    found, voters = means(numbers), numbers["n_voters"]
    return [
        Claim(
            "well",
            "Did well on letter images, satellite images and speaker-independent vowels.",
            "-",
            f"{voters} voters: {beside(found, 'voters', 'nearest', 'neighbour')}",
            "no more than 0.01 below the nearest neighbour, on all three",
            all(one["voters"] >= one["nearest"] - 0.01 for one in found.values()),
        ),
        Claim(
            "tracking",
            "Match tracking helps.",
            "-",
            f"one voter: {beside(found, 'tracking', 'untracked', 'without')}",
            "above the same without it, as many categories, on all three",
            all(one["tracking"] > one["untracked"] for one in found.values()),
        ),
        Claim(
            "em",
            "Gaussian ARTMAP outperforms EM.",
            "-",
            f"one voter: {beside(found, 'tracking', 'em', 'EM')}",
            "one voter above EM with as many components, on all three",
            all(one["tracking"] > one["em"] for one in found.values()),
        ),
        Claim(
            "voters",
            "Gaussian ARTMAP with several voters outperforms EM.",
            "-",
            f"{voters} voters: {beside(found, 'voters', 'em', 'EM')}",
            "voters above EM with as many components as one of them, on all three",
            all(one["voters"] > one["em"] for one in found.values()),
        ),
    ]


def draw_accuracies(ax: Any, found: Any, n_voters: int) -> None:
    """Accuracy over the epochs, all orders thin; EM and the nearest neighbour as levels."""
    for which, colour in (("tracking", INK), ("untracked", COLOURS["reset"])):
        values = np.asarray(found[which]["accuracy"])
        epochs = np.arange(1, values.shape[1] + 1)
        ax.plot(epochs, values.T, color=colour, linewidth=0.6, alpha=0.6)
        words = "one voter" if which == "tracking" else "without match tracking"
        ax.plot(epochs, values.mean(axis=0), "-o", color=colour, markersize=4, label=words)
    ax.plot(
        np.full(len(found["voters"]), EPOCHS),
        found["voters"],
        "D",
        color=COLOURS["split_merge"],
        markersize=4.5,
        label=f"{n_voters} voters",
        linestyle="none",
        zorder=4,
    )
    em = np.asarray(found["em"])
    ax.axhspan(em.min(), em.max(), color=COLOURS["em"], alpha=0.15, linewidth=0)
    ax.axhline(em.mean(), color=COLOURS["em"], linestyle="--", label="EM, as many components")
    ax.axhline(
        found["nearest"], color=MUTED, linestyle=":", linewidth=1.1, label="nearest neighbour"
    )
    ax.set_xticks(epochs)


def draw(numbers: Numbers, arrays: Arrays, figure: Any) -> None:
    grid = figure.add_gridspec(3, 3, height_ratios=(0.18, 1.6, 1.0))
    axes = np.array([[figure.add_subplot(grid[i, j]) for j in range(3)] for i in (1, 2)])
    for (above, below), (name, found) in zip(axes.T, numbers["sets"].items(), strict=True):
        draw_accuracies(above, found, numbers["n_voters"])
        rows, tests = found["rows"]
        above.set_title(f"{SETS[name]}\n{rows:,} rows, {tests:,} test rows")
        for which, colour in (("tracking", INK), ("untracked", COLOURS["reset"])):
            sizes = np.asarray(found[which]["categories"])
            epochs = np.arange(1, sizes.shape[1] + 1)
            below.plot(epochs, sizes.T, color=colour, linewidth=0.6, alpha=0.6)
            below.plot(epochs, sizes.mean(axis=0), "-o", color=colour, markersize=4)
        below.axhline(found["em_components"], color=COLOURS["em"], linestyle="--")
        below.margins(y=0.15)
        below.set_ylim(0.0)
        below.set_xticks(epochs)
        below.set_xlabel("epochs")
    axes[0, 0].set_ylabel("accuracy on the test rows")
    axes[1, 0].set_ylabel("categories")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    key = figure.add_subplot(grid[0, :])
    key.set_axis_off()
    key.legend(handles, labels, loc="center left", ncols=3, borderaxespad=0.0)


def notes(numbers: Numbers) -> list[str]:
    return [
        f"{numbers['orders']} orders of the training rows, thin; thick: their mean. The claims are "
        f"judged after {EPOCHS} epochs, the default. EM: one mixture with diagonal covariances a "
        "class, band: its seeds. Without match tracking the threshold was set for as many "
        "categories after two epochs. Vowels: the test rows are of speakers never heard before."
    ]


REPRODUCTION = Reproduction(
    name="gaussian_artmap",
    title="Gaussian ARTMAP on three tasks, with and without match tracking",
    source='Lecture, slides "Match tracking in ARTMAP" and "Performance of Gaussian ARTMAP"',
    size=(8.0, 6.6),
    measure=measure,
    claims=claims,
    draw=draw,
    notes=notes,
)

if __name__ == "__main__":
    REPRODUCTION.main()
