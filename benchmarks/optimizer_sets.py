"""Problems and data sets on which ways up the hill are compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emplus import BernoulliMixture, CategoricalMixture, FactorAnalyzerMixture, GaussianMixture
from emplus.data.memory import ArraySource
from emplus.datasets import load, make_mixture
from emplus.engine.problem import Problem
from emplus.families.registry import make_family
from emplus.starts.calibration import calibrated_prior

Array = NDArray[np.floating[Any]]
Estimator = type[Any]

# Estimators and their arguments, by the word that stands for them.
ESTIMATORS: dict[str, tuple[Estimator, dict[str, Any]]] = {
    "full": (GaussianMixture, {"covariance_type": "full"}),
    "diag": (GaussianMixture, {"covariance_type": "diag"}),
    "tied": (GaussianMixture, {"covariance_type": "tied"}),
    "factors": (FactorAnalyzerMixture, {"n_factors": 4}),
    "bernoulli": (BernoulliMixture, {}),
    "categorical": (CategoricalMixture, {}),
}

# Labelled sets of numbers, the number of components, and what is fitted.
NUMBERS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("faithful", 2, ("full", "tied")),
    ("iris", 3, ("full", "diag", "tied")),
    ("wine", 3, ("full", "diag", "factors")),
    ("clusters/r15", 15, ("full", "diag", "tied")),
    ("clusters/s2", 15, ("full", "diag", "tied")),
    ("clusters/d31", 31, ("full", "diag")),
    ("vowel", 11, ("full", "diag", "tied", "factors")),
    ("satellite", 6, ("full", "diag", "tied", "factors")),
    ("letter", 26, ("full", "diag")),
)

# Sets of zeros and ones, and tables of answers.
BINARY = (("binary/nltcs", 10), ("binary/mushrooms", 10), ("semeion", 10), ("binary/plants", 10))
ANSWERS = (("carcinoma", 3), ("cheating", 2), ("gss82", 3), ("house_votes_84", 2))

# Names of the smallest sets that have one of each kind between them.
QUICK = ("faithful", "wine", "clusters/r15", "binary/mushrooms", "carcinoma", "overlapping")


@dataclass(frozen=True, eq=False)
class Case:
    """Rows, and the mixture that is fitted to them."""

    data: str
    family: str
    k: int
    X: Any

    def estimator(self, **arguments: Any) -> Any:
        """Not fitted."""
        kind, own = ESTIMATORS[self.family]
        return kind(self.k, **own, **arguments)

    @property
    def name(self) -> str:
        """Set, family and number of components."""
        return f"{self.data.rpartition('/')[2]} {self.family} {self.k}"


@dataclass(frozen=True, eq=False)
class Hill:
    """A problem with a name and a number of components."""

    name: str
    problem: Problem
    k: int

    @classmethod
    def of(cls, name: str, X: Any, k: int, family: str, **config: Any) -> Hill:
        """The problem that an estimator makes of the rows, its prior from the data."""
        made, source = make_family(family, **config), ArraySource(X)
        if family == "bernoulli":
            source = source.distinct()
        prior = calibrated_prior(made, source, k, None)
        return cls(name, Problem(made, source, prior), k)


def two_gaussians(separation: float, alike: bool, n: int, seed: int) -> Array:
    """Rows of two Gaussians so many standard deviations apart, of one shape or of two."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)[:, None]
    other = [1.0, 1.0] if alike else [1.5, 0.7]
    scales = np.where(labels == 0, [1.0, 1.0], other)
    rows: Array = rng.normal(size=(n, 2)) * scales + labels * np.array([separation, 0.0])
    return rows


def hills(folder: Path | None, quick: bool) -> Iterator[Hill]:
    """The problems whose curves are drawn; those of files only where these are there."""
    full = {"covariance_type": "full"}
    yield Hill.of(
        "two overlapping, full", two_gaussians(1.0, False, 2000, 0), 2, "gaussian", **full
    )
    yield Hill.of("faithful, full", load("faithful").X, 2, "gaussian", **full)
    wine = _standardized(load("wine").X)
    yield Hill.of("wine, factors", wine, 3, "factor-analyzer", n_factors=4)
    if quick:
        return
    s2 = stored(folder, "clusters/s2")
    if s2 is not None:
        yield Hill.of("s2, full", _standardized(s2), 15, "gaussian", **full)
    satellite = stored(folder, "satellite")
    if satellite is not None:
        yield Hill.of("satellite, full", _standardized(satellite), 6, "gaussian", **full)
    nltcs = stored(folder, "binary/nltcs")
    if nltcs is not None:
        yield Hill.of("nltcs, Bernoulli", nltcs.astype(bool), 10, "bernoulli")


def cases(folder: Path | None, quick: bool) -> Iterator[Case]:
    """What is fitted with and without acceleration."""
    for name, k, families in NUMBERS:
        if wanted(name, quick) and (X := _numbers(folder, name)) is not None:
            yield from (Case(name, family, k, X) for family in families)
    if wanted("overlapping", quick):
        drawn = make_mixture("overlapping", 3000, d=4, k=8, separation=2.0, seed=0)
        yield from (Case("overlapping", family, 8, drawn.X) for family in ("full", "diag", "tied"))
    for name, k in BINARY:
        if wanted(name, quick) and (X := stored(folder, name)) is not None:
            yield Case(name, "bernoulli", k, X)
    for name, k in ANSWERS:
        if wanted(name, quick) and (table := _answers(folder, name)) is not None:
            yield Case(name, "categorical", k, table)


def wanted(name: str, quick: bool) -> bool:
    """Whether a set is one of those that are run."""
    return not quick or name in QUICK


def stored(folder: Path | None, name: str) -> Any:
    """The rows to fit of a file in the folder; None where it is not there."""
    if folder is None or not (place := folder / f"{name}.npz").exists():
        return None
    with np.load(place) as arrays:
        [key] = [key for key in ("X", "X_train", "train") if key in arrays.files]
        return arrays[key]


def data_folder(given: Path | None) -> Path | None:
    """The folder that is given, or $EMPLUS_DATA."""
    place = os.environ.get("EMPLUS_DATA")
    return given or (None if place is None else Path(place))


def _numbers(folder: Path | None, name: str) -> Any:
    if name in ("faithful", "iris", "wine"):
        return load(name).X
    rows = stored(folder, name)
    return None if rows is None else rows.astype(np.float64)


def _answers(folder: Path | None, name: str) -> Any:
    if folder is None or not (place := folder / "latent_class" / f"{name}.csv").exists():
        return None
    frame = pd.read_csv(place)
    # The covariate and the class are no answers.
    kept = [column for column in map(str, frame) if column.upper() not in ("GPA", "CLASS")]
    return frame[kept].dropna()


def _standardized(X: Any) -> Array:
    rows: Array = np.asarray(X, dtype=np.float64)
    scaled: Array = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return scaled
