"""Data sets with known labels on which searches for the best optimum are compared."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.datasets import make_mixture

Array = NDArray[np.floating[Any]]

# kind, rows a component, d, k, separation: from clusters nobody can miss to heavy overlap.
GENERATED = {
    "separated-15": ("separated", 200, 2, 15, 5.0),
    "separated-50": ("separated", 150, 2, 50, 4.5),
    "overlapping-15": ("overlapping", 330, 2, 15, 3.0),
    "overlapping-50": ("overlapping", 150, 2, 50, 3.5),
    "unequal-8": ("unequal", 400, 2, 8, 5.0),
    "unequal-20": ("unequal", 300, 2, 20, 4.5),
    "anisotropic-20": ("anisotropic", 200, 2, 20, 4.0),
    "grid-100": ("grid", 200, 2, 100, 4.5),
    "separated-200": ("separated", 200, 2, 200, 4.5),
}

DIMENSIONS = {
    f"d{d}-k{k}": ("anisotropic" if d > 2 else "separated", rows, d, k, 4.5)
    for d, rows in ((2, 200), (8, 200), (32, 400))
    for k in (20, 50)
}

EASY = {
    "easy-3": ("separated", 300, 2, 3, 6.0),
    "easy-5": ("separated", 400, 4, 5, 6.0),
    "easy-8": ("separated", 500, 8, 8, 6.0),
    "easy-10": ("overlapping", 500, 2, 10, 5.0),
}

# From so many rows on the peer is given one start only.
LARGE = 50_000


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Standardized rows X (n, d) and their labels 0 .. k - 1 (n,)."""

    name: str
    X: Array
    y: NDArray[np.intp]

    @property
    def k(self) -> int:
        """Number of labels."""
        return int(self.y.max()) + 1


def generated(name: str, recipe: tuple[str, int, int, int, float]) -> LabelledSet:
    """Rows of a mixture with known truth; the same for the same name."""
    kind, rows, d, k, separation = recipe
    seed = zlib.crc32(name.encode())
    drawn = make_mixture(kind, rows * k, d=d, k=k, separation=separation, seed=seed)
    return _standardized(name, drawn.X, drawn.y)


def stored(directory: Path) -> Iterator[LabelledSet]:
    """Every .npz file with X and y in a directory, the small ones first."""
    folder = directory / "clusters" if (directory / "clusters").is_dir() else directory
    sets = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            if {"X", "y"} <= set(arrays.files):
                sets.append(_standardized(path.stem, arrays["X"], arrays["y"]))
    yield from sorted(sets, key=lambda data: len(data.X))


def halves(data: LabelledSet, seed: int) -> tuple[LabelledSet, LabelledSet]:
    """A random half of the rows, and the other."""
    order = np.random.default_rng(seed).permutation(len(data.X))
    parts = np.array_split(order, 2)
    one, other = (LabelledSet(data.name, data.X[part], data.y[part]) for part in parts)
    return one, other


def _standardized(name: str, X: Array, y: NDArray[Any]) -> LabelledSet:
    rows = np.asarray(X, dtype=np.float64)
    scale = rows.std(axis=0)
    scale[scale == 0] = 1.0
    labels = np.unique(y, return_inverse=True)[1].astype(np.intp)
    return LabelledSet(name, (rows - rows.mean(axis=0)) / scale, labels)
