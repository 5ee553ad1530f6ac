"""Mixtures of factor analyzers: the spiral, digits told apart, and the wine of pgmm.

    python benchmarks/mfa_quality.py [--parts spiral,wine,digits,usps] [--seeds 20] [--quick]

`spiral`: split-and-merge beside plain EM, training and test (Ueda et al. 2000, table 3). `wine`:
log-likelihoods beside the -2434.8 of R's pgmm 1.2.8 (UUU, k = 3, q = 4). `digits` and `usps`: one
mixture a class as a classifier, beside Gaussian mixtures with about as many parameters; USPS is
read from `--data` or $EMPLUS_DATA.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from emplus import FactorAnalyzerMixture, GaussianMixture
from emplus.datasets import make_spiral
from emplus.errors import EmplusWarning

Array = NDArray[np.floating[Any]]

PARTS = ("spiral", "wine", "digits", "usps")

PGMM = -2434.8


def spiral_part(args: argparse.Namespace) -> None:
    """Nats a row over seeds, training and test."""
    train, test = make_spiral(2_000, seed=0).X, make_spiral(2_000, seed=1).X
    print(f"n = 2,000, k = 10, q = 1, {args.seeds} seeds; nats a row")
    print(
        f"{'search, start':32s}{'train: mean':>12s}{'std':>8s}{'worst':>9s}{'median':>9s}"
        f"{'best':>9s}"
        f"{'test: mean':>12s}{'std':>8s}{'worst':>9s}{'median':>9s}{'s':>7s}"
    )
    runs = (
        ("em", "random_from_data"),
        ("em", "random"),
        ("em", "k-means++"),
        ("ueda", "random_from_data"),
        ("split_merge", "random_from_data"),
        ("split_merge", "k-means++"),
    )
    for search, start in runs:
        scores, begun = [], time.perf_counter()
        for seed in range(args.seeds):
            model = FactorAnalyzerMixture(
                10, n_factors=1, search=search, init_params=start, random_state=seed
            ).fit(train)
            scores.append((model.score(train), model.score(test)))
        seconds = (time.perf_counter() - begun) / args.seeds
        fitted, held = np.array(scores).T
        print(
            f"{search + ', ' + start:32s}{fitted.mean():12.4f}{fitted.std():8.4f}"
            f"{fitted.min():9.4f}{np.median(fitted):9.4f}{fitted.max():9.4f}{held.mean():12.4f}"
            f"{held.std():8.4f}{held.min():9.4f}{np.median(held):9.4f}{seconds:7.2f}",
            flush=True,
        )


def wine_part(args: argparse.Namespace) -> None:
    """Log-likelihoods of fits to the standardized wine."""
    from sklearn.datasets import load_wine

    X = load_wine().data
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    for search in ("em", "split_merge"):
        begun = time.perf_counter()
        totals = [
            FactorAnalyzerMixture(3, n_factors=4, search=search, random_state=seed)
            .fit(X)
            .result_.log_likelihood
            for seed in range(10)
        ]
        better = sum(total >= PGMM for total in totals)
        print(
            f"{search}: {better} of 10 seeds at or above pgmm's {PGMM}; worst {min(totals):.1f}, "
            f"median {np.median(totals):.1f}, best {max(totals):.1f}; "
            f"{(time.perf_counter() - begun) / 10:.2f} s"
        )


@dataclass(frozen=True)
class Split:
    """Images and their classes, to fit on and to be judged by."""

    X: Array
    y: NDArray[np.integer[Any]]
    X_test: Array
    y_test: NDArray[np.integer[Any]]


def digits_split() -> Split:
    """scikit-learn's 8 x 8 digits, 1,000 to fit on, spread over their grey levels.

    Densities of grey levels that are whole numbers mean nothing: a pixel that is always 0 would
    have a density without bound.
    """
    from sklearn.datasets import load_digits

    digits, rng = load_digits(), np.random.default_rng(0)
    X = digits.data + rng.random(digits.data.shape)
    order = rng.permutation(len(X))
    fit, judge = order[:1000], order[1000:]
    return Split(X[fit], digits.target[fit], X[judge], digits.target[judge])


def usps_split(folder: str | None) -> Split | None:
    """The 16 x 16 digits of USPS, their grey levels spread by a sixteenth of the range."""
    path = Path(folder or "") / "usps.npz"
    if not folder or not path.is_file():
        print("usps.npz was not found; name its folder with --data")
        return None
    file, rng = np.load(path), np.random.default_rng(0)
    X, X_test = (file[name].astype(np.float64) for name in ("X_train", "X_test"))
    X += rng.random(X.shape) / 8.0
    X_test += rng.random(X_test.shape) / 8.0
    return Split(X, file["y_train"], X_test, file["y_test"])


def classify(split: Split, make: Any, seeds: int) -> tuple[float, float, int, float]:
    """Accuracy and nats a row of the true class on held-out rows, parameters a class, seconds."""
    accuracies, held, parameters = [], [], 0
    begun = time.perf_counter()
    for seed in range(seeds):
        joint = np.empty((len(split.X_test), 10))
        for label in range(10):
            rows = split.X[split.y == label]
            model = make(seed).fit(rows)
            joint[:, label] = model.score_samples(split.X_test) + np.log(len(rows) / len(split.X))
            parameters = model.mixture_.n_free_parameters
        accuracies.append(float((joint.argmax(axis=1) == split.y_test).mean()))
        held.append(float(joint[np.arange(len(joint)), split.y_test].mean()))
    seconds = (time.perf_counter() - begun) / seeds
    return float(np.mean(accuracies)), float(np.mean(held)), parameters, seconds


def models(d: int, quick: bool) -> Iterator[tuple[str, Any]]:
    """What is compared: a row a model, factor analyzers first."""

    def analyzers(k: int, q: int, noise: str) -> Any:
        return lambda seed: FactorAnalyzerMixture(
            k, n_factors=q, noise=noise, tol=1e-5, random_state=seed
        )

    def gaussians(k: int, covariance: str) -> Any:
        return lambda seed: GaussianMixture(
            k, covariance_type=covariance, tol=1e-5, random_state=seed
        )

    for noise in ("diag", "isotropic"):
        for q in (4, 8) if quick else (4, 8, 12, 16):
            for k in (1, 2) if quick else (1, 2, 4):
                yield f"factor analyzers, {noise}, q={q}, k={k}", analyzers(k, q, noise)
    for k in (4, 10) if quick else (1, 2, 4, 8, 16, 32):
        yield f"Gaussians, diag, k={k}", gaussians(k, "diag")
    for k in (1, 2, 3) if d < 100 else (1,):
        yield f"Gaussians, full, k={k}", gaussians(k, "full")
    yield "Gaussians, tied, k=4", gaussians(4, "tied")


def classifier_part(split: Split, args: argparse.Namespace) -> None:
    """The table over q and k."""
    print(
        f"{'one mixture a class':36s}{'accuracy':>9s}{'held out':>10s}{'parameters':>11s}{'s':>7s}"
    )
    for name, make in models(split.X.shape[1], args.quick):
        accuracy, held, parameters, seconds = classify(split, make, 1 if args.quick else 2)
        print(f"{name:36s}{accuracy:9.4f}{held:10.2f}{parameters:11d}{seconds:7.1f}", flush=True)


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seeds", type=int, default=20, help="of the spiral")
    parser.add_argument("--data", default=os.environ.get("EMPLUS_DATA"))
    parser.add_argument("--quick", action="store_true", help="fewer models: does it run at all?")
    args = parser.parse_args()
    chosen = args.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    # Single pixels that never vary in a class are warned of in every fit.
    warnings.simplefilter("ignore", EmplusWarning)
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in chosen:
        print(f"\n-- {name}")
        if name == "spiral":
            spiral_part(args)
        elif name == "wine":
            wine_part(args)
        else:
            split = digits_split() if name == "digits" else usps_split(args.data)
            if split is not None:
                classifier_part(split, args)


if __name__ == "__main__":
    main()
