"""A criterion against the number of components, as it is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "Curves", "SelectionCell", "curves"]

Floats = NDArray[np.float64]

# A part of the values is shown larger where it takes up less than this share of the whole.
_SMALL_PART = 0.25

# What is shown larger: from the best on, so many times as far as the best quarter of the values.
_ENLARGED = 2.5


class SelectionCell(Protocol):
    """What a picture needs to know of a cell, beside an attribute named by the criterion."""

    @property
    def family(self) -> str:
        """The candidate's label."""

    @property
    def n_components(self) -> int:
        """Number of components k."""

    @property
    def fitted(self) -> bool:
        """Whether there is a fit."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The criterion of one family.

    Attributes
    ----------
    family : str
    components : ndarray (m,) of int
        Numbers of components that have a value, rising.
    values : ndarray (m,)
    errors : ndarray (m,)
        Standard errors, 0 where there are none.
    """

    family: str
    components: NDArray[np.intp]
    values: Floats
    errors: Floats


@dataclass(frozen=True, eq=False)
class Curves:
    """The criterion of every family.

    Attributes
    ----------
    criterion : str
    curves : tuple of Curve
        Families without any value included.
    best : tuple of int, int, float, or None
        The winner: index of its curve, number of components, value.
    higher : bool
        Whether higher is better.
    enlarged : tuple of float, float, or None
        Between these the best values are worth a picture of their own.
    n_missing : int
        Cells without a value.
    """

    criterion: str
    curves: tuple[Curve, ...]
    best: tuple[int, int, float] | None
    higher: bool
    enlarged: tuple[float, float] | None
    n_missing: int


def curves(
    cells: Iterable[SelectionCell], criterion: str, best: SelectionCell | None = None
) -> Curves:
    """The criterion of the cells, family by family.

    Parameters
    ----------
    cells : iterable of cells
        ``cells`` of an `emplus.Selection`.
    criterion : str
        An attribute of the cells; ``"cv"`` has its errors in ``cv_error``.
    best : cell, optional
        The winner; the best by this criterion, if not given.
    """
    known: dict[str, list[tuple[int, float, float]]] = {}
    fitted, missing, higher = [], 0, criterion == "cv"
    for cell in cells:
        points = known.setdefault(cell.family, [])
        value = float(getattr(cell, criterion))
        if not (cell.fitted and np.isfinite(value)):
            missing += 1
            continue
        error = float(getattr(cell, f"{criterion}_error", 0.0))
        points.append((cell.n_components, value, error if np.isfinite(error) else 0.0))
        fitted.append(cell)
    sign = -1.0 if higher else 1.0
    if best is None and fitted:
        best = min(fitted, key=lambda cell: sign * float(getattr(cell, criterion)))
    winner = None
    if best is not None:
        place = list(known).index(best.family)
        winner = place, best.n_components, float(getattr(best, criterion))
    made = tuple(_curve(family, points) for family, points in known.items())
    values = np.concatenate([*(curve.values for curve in made), np.empty(0)])
    certain = not any(curve.errors.any() for curve in made)
    enlarged = _enlarged(sign * values, sign) if certain else None
    return Curves(criterion, made, winner, higher, enlarged, missing)


def _curve(family: str, points: list[tuple[int, float, float]]) -> Curve:
    table = np.array(sorted(points), dtype=np.float64).reshape(-1, 3)
    return Curve(family, table[:, 0].astype(np.intp), table[:, 1], table[:, 2])


def _enlarged(losses: Floats, sign: float) -> tuple[float, float] | None:
    """The part worth a picture of its own, of values of which lower is better."""
    if len(losses) < 4:
        return None
    low, high = float(losses.min()), float(losses.max())
    reach = _ENLARGED * (float(np.quantile(losses, 0.25)) - low)
    if not 0.0 < reach < _SMALL_PART * (high - low):
        return None
    ends = sorted((sign * (low - 0.08 * reach), sign * (low + reach)))
    return ends[0], ends[1]
