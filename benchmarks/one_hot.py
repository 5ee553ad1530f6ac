"""Categories as one-hot columns of a Gaussian mixture, beside a mixture of categorical components.

    python benchmarks/one_hot.py [--seeds 10] [--json FILE]

Half of the rows are fitted. In the other half a fifth of the entries is deleted and predicted from
the rest: the share that is right, and the mean log probability of the true category in nats (for
the Gaussian mixture, the conditional means of the one-hot columns cut off below 0.001 and scaled to
sum to 1). Adjusted Rand indices are those of the components against known classes, on the held-out
half before anything is deleted. Tables: generated latent classes, and house_votes_84 and zoo, read
from $EMPLUS_DATA/latent_class or `--data` where they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from emplus import CategoricalMixture, GaussianMixture

Array = NDArray[np.floating[Any]]
Codes = NDArray[np.integer[Any]]

# Probability below which no prediction of the Gaussian mixture goes.
_LEAST = 1e-3


def generated(seed: int, n: int = 1000, d: int = 10) -> tuple[Codes, Codes]:
    """Codes (n, d) of 2 to 5 categories from four latent classes, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, n)
    columns = []
    for column in range(d):
        theta = rng.dirichlet(np.full(2 + column % 4, 0.6), size=4)
        drawn = rng.random(n)[:, None] > np.cumsum(theta[classes], axis=1)[:, :-1]
        columns.append(drawn.sum(axis=1))
    return np.column_stack(columns), classes


def tables(folder: Path, seed: int) -> Iterator[tuple[str, Codes, Codes]]:
    """Names, codes with -1 where an entry is missing, and classes."""
    yield "generated", *generated(seed)
    for name, target, left_out in (
        ("house_votes_84", "Class", ()),
        ("zoo", "type", ("animal_name", "animal")),
    ):
        path = folder / f"{name}.csv"
        if path.exists():
            frame = pd.read_csv(path, na_values=["?"])
            column = next(c for c in map(str, frame) if c.lower() == target.lower())
            others = frame.drop(columns=[column, *(c for c in frame if c in left_out)])
            codes = np.column_stack([pd.factorize(others[c], sort=True)[0] for c in others])
            yield name, codes, pd.factorize(frame[column])[0]


def one_hot(codes: Codes, levels: list[int]) -> Array:
    """One column a category (n, sum of levels); NaN in all of them where an entry is missing."""
    parts = []
    for column, number in enumerate(levels):
        part = (codes[:, [column]] == np.arange(number)).astype(float)
        part[codes[:, column] < 0] = np.nan
        parts.append(part)
    return np.concatenate(parts, axis=1)


def gaussian(train: Codes, levels: list[int], k: int, seed: int, covariance: str) -> Any:
    """Fit; give labels of rows, and probabilities of every category given what is there."""
    model = GaussianMixture(k, covariance_type=covariance, random_state=seed)
    model.fit(one_hot(train, levels))

    def predict(codes: Codes) -> list[Array]:
        filled = model.impute(one_hot(codes, levels))
        parts = np.split(np.maximum(filled, _LEAST), np.cumsum(levels)[:-1], axis=1)
        return [part / part.sum(axis=1, keepdims=True) for part in parts]

    return lambda codes: model.predict(one_hot(codes, levels)), predict


def categorical(train: Codes, levels: list[int], k: int, seed: int) -> Any:
    """The same of a mixture of categorical components."""
    model = CategoricalMixture(k, random_state=seed)

    def column(codes: Codes, number: int) -> Any:
        values: Any = [int(code) if code >= 0 else None for code in codes]
        return pd.Categorical(values, categories=range(number))

    def frame(codes: Codes) -> pd.DataFrame:
        columns = {f"x{c}": column(codes[:, c], levels[c]) for c in range(codes.shape[1])}
        return pd.DataFrame(columns)

    model.fit(frame(train))

    def predict(codes: Codes) -> list[Array]:
        resp = model.predict_proba(frame(codes))
        found = []
        for column, number in enumerate(levels):
            whole = np.full((len(codes), number), 1e-12)
            whole[:, model.categories_[column].astype(int)] = resp @ model.probabilities_[column]
            found.append(whole)
        return found

    return lambda codes: model.predict(frame(codes)), predict


WAYS: dict[str, Callable[..., Any]] = {
    "gaussian full": partial(gaussian, covariance="full"),
    "gaussian diag": partial(gaussian, covariance="diag"),
    "categorical": categorical,
}


def measured(
    codes: Codes, classes: Codes, seed: int, fit: Callable[..., Any]
) -> tuple[float, float, float]:
    """Share of deleted entries predicted right, their log probability, adjusted Rand index."""
    rng = np.random.default_rng(seed)
    levels = [int(column.max()) + 1 for column in codes.T]
    order = rng.permutation(len(codes))
    train, test = order[: len(codes) // 2], order[len(codes) // 2 :]
    label, predict = fit(codes[train], levels, len(np.unique(classes)), seed)
    deleted = (rng.random(codes[test].shape) < 0.2) & (codes[test] >= 0)
    holes = np.where(deleted, -1, codes[test])
    right, scores = [], []
    for column, probabilities in enumerate(predict(holes)):
        rows = np.flatnonzero(deleted[:, column])
        truth = codes[test][rows, column]
        right.append(probabilities[rows].argmax(axis=1) == truth)
        scores.append(np.log(probabilities[rows, truth]))
    index = adjusted_rand_score(classes[test], label(codes[test]))
    return float(np.concatenate(right).mean()), float(np.concatenate(scores).mean()), float(index)


def main() -> None:
    """Print the table, and write it as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", type=Path, help="folder of the .csv files")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = args.data or Path(os.environ.get("EMPLUS_DATA", ".")) / "latent_class"
    # Columns that never vary in a half are expected here.
    warnings.simplefilter("ignore")
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for seed in range(args.seeds):
        for name, codes, classes in tables(folder, seed):
            for way, fit in WAYS.items():
                result = measured(codes, classes, seed, fit)
                found.setdefault(name, {}).setdefault(way, []).append(result)
    print(f"means over {args.seeds} halves")
    print(f"{'table':16s}{'way':16s}{'entries right':>14s}{'nats an entry':>15s}{'adj. Rand':>11s}")
    summary: dict[str, dict[str, list[float]]] = {}
    for name, ways in found.items():
        for way, results in ways.items():
            right, score, index = np.mean(results, axis=0).tolist()
            summary.setdefault(name, {})[way] = [right, score, index]
            print(f"{name:16s}{way:16s}{right:14.3f}{score:15.3f}{index:11.3f}")
    if args.json:
        args.json.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
