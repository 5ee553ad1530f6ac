"""The rows that the fit tab offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.datasets import describe, load, make_mixture, make_spiral
from emplus.errors import DataError

__all__ = ["MOST_ROWS", "OWN", "Reader", "Rows", "Sheet", "offered"]

Floats = NDArray[np.float64]

# More points than these no page moves twenty times a second.
MOST_ROWS = 6_000
OWN = "Your own points"
_BENCHMARKS = ("r15", "s2", "a2", "d31", "birch1")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of two columns.

    Attributes
    ----------
    X : (n, 2) ndarray
    names : tuple of str
    k : int
        A number of components to begin with.
    note : str
        What a person should know about them; may be empty.
    ends : tuple, optional
        Ends of both axes, where they are not those of the rows.
    """

    X: Floats
    names: tuple[str, str] = ("x", "y")
    k: int = 3
    note: str = ""
    ends: tuple[tuple[float, float], tuple[float, float]] | None = None

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ends of the axes, with some room."""
        if self.ends is not None:
            return self.ends
        low, high = self.X.min(axis=0), self.X.max(axis=0)
        least = np.maximum(1e-6 * np.abs(high), 1e-9)
        room = np.maximum(0.08 * (high - low), least)
        ends = np.stack([low - room, high + room], axis=1).tolist()
        return (ends[0][0], ends[0][1]), (ends[1][0], ends[1][1])

    def with_points(self, X: Floats) -> Rows:
        """Other rows in the same picture."""
        return replace(self, X=X, ends=self.limits, note="")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of numbers that a person has brought.

    Attributes
    ----------
    names : tuple of str
    X : (n, d) ndarray
        NaN where a cell is empty.
    """

    names: tuple[str, ...]
    X: Floats

    def rows(self, columns: tuple[int, int] = (0, 1)) -> Rows:
        """Two of the columns.

        Raises
        ------
        DataError
            If there are no two columns, fewer than two whole rows, or values too large to be drawn.
        """
        return _two_columns(self.X, self.names, columns)


class Reader(Protocol):
    """Reads what a person brings; what is wrong with it is an `EmplusError`."""

    def parse(self, name: str, data: bytes) -> Sheet:
        """A file that was sent through the browser."""

    def open(self, place: str) -> Sheet:
        """A path, or the name of a data set."""


def offered() -> dict[str, Callable[[], Rows]]:
    """Names of data sets, and what makes each: the lecture's kinds, and those that are here."""
    made: dict[str, Callable[[], Rows]] = {
        "Six clusters": lambda: _drawn("separated", 6, seed=1),
        "Overlapping clusters": lambda: _drawn("overlapping", 5, seed=3),
        "Clusters of many sizes": lambda: _drawn("unequal", 6, seed=2),
        "Thin clusters": lambda: _drawn("anisotropic", 6, seed=4),
        "A grid of nine": lambda: _drawn("grid", 9, seed=0),
        "A spiral": _spiral,
        "Old Faithful": lambda: _known("faithful", 2),
    }
    here = {listing.name for listing in describe() if listing.here}
    numbers = {"r15": 15, "s2": 15, "a2": 35, "d31": 31, "birch1": 100}
    for name in _BENCHMARKS:
        if name in here:
            made[f"Benchmark {name}"] = lambda name=name: _known(name, numbers[name])  # type: ignore[misc]  # bound now
    made[OWN] = lambda: Rows(np.empty((0, 2)), ends=((-6.0, 6.0), (-5.0, 5.0)))
    return made


def _two_columns(
    X: ArrayLike, names: Sequence[str], columns: tuple[int, int] = (0, 1), k: int = 3
) -> Rows:
    table = np.asarray(X, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        found = table.shape[1] if table.ndim == 2 else 1
        raise DataError(
            f"The page shows two columns of numbers; this table has {found}. "
            "Add a column, or fit it with 'emplus fit'."
        )
    first, second = columns
    chosen = table[:, [first, second]]
    whole = chosen[np.isfinite(chosen).all(axis=1)]
    if len(whole) < 2:
        raise DataError(
            f"Only {len(whole)} of {len(chosen)} rows have both values; two are needed."
        )
    if not np.abs(whole).max() < 1e100:
        raise DataError("Values of 1e100 and more cannot be drawn; divide the columns first.")
    said = []
    if len(whole) < len(chosen):
        said.append(f"{len(chosen) - len(whole)} rows with an empty cell are left out.")
    if len(whole) > MOST_ROWS:
        said.append(f"{MOST_ROWS} of {len(whole)} rows are shown and fitted.")
        whole = whole[np.linspace(0, len(whole) - 1, MOST_ROWS).astype(int)]
    return Rows(whole, (str(names[first]), str(names[second])), k, " ".join(said))


def _drawn(kind: str, k: int, seed: int) -> Rows:
    return Rows(make_mixture(kind, 1000, k=k, seed=seed).X, k=k)


def _spiral() -> Rows:
    return Rows(make_spiral(1000, seed=0).X[:, :2], k=12)


def _known(name: str, k: int) -> Rows:
    dataset: Any = load(name)
    return _two_columns(dataset.X, dataset.feature_names, k=k)
