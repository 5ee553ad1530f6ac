"""Gaussian ARTMAP on published tasks, beside EM classifiers of as many components and artlib.

    python benchmarks/artmap.py [--parts published,digits] [--sets vowel,...] [--orders 5]

`published`: accuracy on the published test rows of letter, satellite and vowel over so many orders
of the training rows, with one voter and with `--voters`, all arguments at their defaults; beside
it scikit-learn's diagonal GaussianMixture, one a class, with as many components in all as a voter
has categories, shared among the classes in proportion to their rows and equally, and with as many
as all voters have. The sets are read from $EMPLUS_DATA or `--data`.

`digits`: scikit-learn's digits, split 70/30 with seed 0; beside it artlib's Gaussian ARTMAP, its
Python backend, on min-max scaled rows, where artlib is installed. The orders are drawn for emplus;
artlib takes the rows as the split left them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from emplus import GaussianARTMAP, datasets

Array = NDArray[np.floating]
Labels = NDArray[Any]
Split = tuple[Array, Labels, Array, Labels]

SETS = ("letter", "satellite", "vowel")

# artlib's initial standard deviations, of rows between 0 and 1.
THEIR_STDS = (0.1, 0.2, 0.3, 0.5)

# What artlib 0.1.12 reached where it was measured, for when it is not installed.
STORED = "artlib 0.1.12, stored: accuracy 0.920, 148 categories, 2.3 s"


class OneMixtureAClass:
    """The EM classifier: a diagonal mixture a class, and Bayes' rule."""

    def __init__(self, n_components: dict[Any, int], seed: int):
        self.models = {
            label: GaussianMixture(k, covariance_type="diag", random_state=seed)
            for label, k in n_components.items()
        }

    def fit(self, X: Array, y: Labels) -> None:
        """Fit each class's mixture to its rows."""
        self.scaler = StandardScaler().fit(X)
        self.log_priors = {label: np.log((y == label).mean()) for label in self.models}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for label, model in self.models.items():
                model.fit(self.scaler.transform(X[y == label]))

    def predict(self, X: Array) -> Labels:
        """The class of the largest posterior."""
        rows = self.scaler.transform(X)
        joint = [m.score_samples(rows) + self.log_priors[c] for c, m in self.models.items()]
        best: Labels = np.array(list(self.models))[np.argmax(joint, axis=0)]
        return best


def shared_out(total: int, y: Labels, equally: bool) -> dict[Any, int]:
    """Components of each class, so many in all: by its rows, or the same for all classes."""
    classes, counts = np.unique(y, return_counts=True)
    ideal = np.full(len(classes), total / len(classes)) if equally else total * counts / len(y)
    shares = np.maximum(np.floor(ideal).astype(int), 1)
    for place in np.argsort(shares - ideal)[: max(0, total - shares.sum())]:
        shares[place] += 1
    return dict(zip(classes, np.minimum(shares, counts).tolist(), strict=True))


def line(name: str, accuracies: list[float], k: float, seconds: float) -> None:
    """One row of the table."""
    found = np.array(accuracies)
    print(
        f"  {name:34s}{found.mean():9.4f}  {found.min():.4f} .. {found.max():.4f}"
        f"{k:11.1f}{seconds:9.2f}",
        flush=True,
    )


def head(title: str) -> None:
    print(f"{title}\n  {'':34s}{'accuracy':>9s}  {'range':16s}{'categories':>11s}{'s a fit':>9s}")


def measured(
    make: Callable[[int], Any],
    split: Split,
    orders: int,
    done: Callable[[Any], None] = lambda model: None,
) -> tuple[list[float], float]:
    """Accuracies over the orders, and seconds a fit; ``done`` is shown every model."""
    X, y, X_test, y_test = split
    accuracies, seconds = [], 0.0
    for seed in range(orders):
        model = make(seed)
        begun = time.perf_counter()
        model.fit(X, y)
        seconds += time.perf_counter() - begun
        accuracies.append(float((model.predict(X_test) == y_test).mean()))
        done(model)
    return accuracies, seconds / orders


def ours(name: str, given: dict[str, Any], split: Split, orders: int) -> float:
    """Measure ours; categories a voter, the mean over the orders."""
    sizes: list[float] = []

    def done(model: GaussianARTMAP) -> None:
        sizes.append(model.n_categories_ / model.n_voters)

    def make(seed: int) -> GaussianARTMAP:
        return GaussianARTMAP(random_state=seed, **given)

    accuracies, seconds = measured(make, split, orders, done)
    line(name, accuracies, float(np.mean(sizes)), seconds)
    return float(np.mean(sizes))


def published_part(args: argparse.Namespace) -> None:
    """Published splits, beside EM classifiers of as many components."""
    for name in args.sets.split(","):
        data = datasets.load(name, args.data)
        if data.y is None or data.X_test is None or data.y_test is None:
            raise SystemExit(f"{name} has no published test rows")
        split = np.asarray(data.X, dtype=float), data.y, data.X_test.astype(float), data.y_test
        head(f"{name}: {len(split[0])} rows, {len(split[2])} test rows, {args.orders} orders")
        ours("one voter", {}, split, args.orders)
        k = ours(f"{args.voters} voters", {"n_voters": args.voters}, split, args.orders)
        peers = [
            ("by rows", k, False),
            ("equally", k, True),
            ("as all voters", k * args.voters, True),
        ]
        for how, total, equally in peers:
            shares = shared_out(round(total), split[1], equally)
            make = partial(OneMixtureAClass, shares)
            accuracies, seconds = measured(make, split, args.orders)
            line(f"EM, diagonal, {how}", accuracies, sum(shares.values()), seconds)


def digits_part(args: argparse.Namespace) -> None:
    """scikit-learn's digits, beside artlib."""
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    split = train, y_train, test, y_test
    head(f"digits: {len(train)} rows, {len(test)} test rows, {args.orders} orders")
    ours("one voter", {}, split, args.orders)
    once = {"max_epochs": 1}
    ours("one voter, one epoch", once, split, args.orders)
    ours(
        "one epoch, winner takes all",
        {**once, "winner_take_all": True},
        split,
        args.orders,
    )
    try:
        # Not everyone has it, and it has no types.
        from artlib import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
            GaussianART,
            SimpleARTMAP,
        )
    except ImportError:
        print(f"  {STORED}")
        return
    scaler = MinMaxScaler().fit(train)
    rows, test_rows = scaler.transform(train), np.clip(scaler.transform(test), 0.0, 1.0)
    for std in THEIR_STDS:
        model = SimpleARTMAP(GaussianART(rho=0.0, sigma_init=np.full(rows.shape[1], std)))
        begun = time.perf_counter()
        model.fit(rows, y_train)
        seconds = time.perf_counter() - begun
        accuracy = float((model.predict(test_rows) == y_test).mean())
        line(f"artlib, Python, sigma_init {std}", [accuracy], model.module_a.n_clusters, seconds)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="published,digits")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--voters", type=int, default=5)
    parser.add_argument("--data", help="folder of the .npz files")
    args = parser.parse_args()
    parts = {"published": published_part, "digits": digits_part}
    for part in args.parts.split(","):
        parts[part](args)


if __name__ == "__main__":
    main()
