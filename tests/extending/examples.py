"""Counts that the tests of the example family share, and an installed package that brings it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import docs.examples.basin_hopping  # noqa: F401  # registers the search
from docs.examples.poisson import Poisson
from emplus import FamilyMixture

__all__ = ["EXAMPLES", "RATES", "counts", "install", "poisson"]

Array = NDArray[np.floating]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RATES = np.array([[1.0, 5.0, 20.0], [8.0, 2.0, 3.0], [3.0, 30.0, 0.5]])


def counts(n: int = 600, seed: int = 0) -> tuple[Array, NDArray[np.intp]]:
    """Rows of three components with these rates, and the component of each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % len(RATES))
    return rng.poisson(RATES[labels]).astype(np.float64), labels


def poisson(n_components: int = 3, **arguments: object) -> FamilyMixture:
    """The estimator of the example family."""
    given = {"family": Poisson(), "random_state": 0, **arguments}
    return FamilyMixture(n_components, **given)  # type: ignore[arg-type]  # any of its arguments


def install(folder: Path) -> Path:
    """What an installed package of the two examples leaves on disk; the folder for a path."""
    for name in ("poisson", "basin_hopping"):
        text = (EXAMPLES / f"{name}.py").read_text("utf-8")
        for own, its in (('"poisson"', '"toy-poisson"'), ('"basin_hopping"', '"toy_hopping"')):
            text = text.replace(own, its)
        (folder / f"toy_{name}.py").write_text(text, "utf-8")
    told = folder / "toycounts-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: toycounts\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(
        "[emplus.families]\n"
        "toy-poisson = toy_poisson:Poisson\n"
        "broken = toy_nowhere:Nothing\n"
        "[emplus.searches]\n"
        "toy_hopping = toy_basin_hopping:basin_hopping\n"
    )
    return folder
