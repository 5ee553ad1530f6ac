"""What a selection checks of its arguments before any work is done."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from emplus.errors import ArgumentError, DataError
from emplus.estimators.validation import check_positive_int, check_sample_weight
from emplus.selection.tasks import Rows

__all__ = ["check_components", "check_enough_rows", "check_folds", "make_rows"]

_FOLDS = 5


def make_rows(X: Any, sample_weight: Any) -> Rows:
    """The rows and their weights, as tasks take them.

    Raises
    ------
    DataError
        If they are no table, or the weights do not belong to them.
    """
    if not hasattr(X, "iloc") and not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) != 2:
        raise DataError(f"X must be a table of rows and columns; its shape is {X.shape}.")
    return Rows(X, check_sample_weight(sample_weight, X.shape[0]))


def check_components(n_components: Any) -> tuple[int, ...]:
    """Numbers of components, rising.

    Raises
    ------
    ArgumentError
        If there are none, or they are no whole numbers of at least 1, or do not rise.

    Examples
    --------
    >>> check_components(range(1, 8, 3))
    (1, 4, 7)
    """
    single = isinstance(n_components, numbers.Number)
    if isinstance(n_components, str) or not (single or isinstance(n_components, Iterable)):
        raise ArgumentError(
            f"n_components={n_components!r} are no numbers; give some, as in range(1, 11)."
        )
    given = [n_components] if single else list(n_components)
    ks = tuple(check_positive_int("n_components", k) for k in given)
    if not ks:
        raise ArgumentError(
            f"n_components={n_components!r} is empty; give rising numbers, as in range(1, 11)."
        )
    if any(after <= before for before, after in pairwise(ks)):
        raise ArgumentError(
            f"n_components={n_components!r} does not rise; give each number once and the "
            "smallest first, as in range(1, 11)."
        )
    return ks


def check_folds(cv: Any, criterion: str, rows: Rows) -> int:
    """The number of folds; 0 where no rows are to be held out.

    Raises
    ------
    ArgumentError
        If it is below 2 or above the number of rows.
    """
    if cv is None:
        return _FOLDS if criterion == "cv" else 0
    folds = check_positive_int("cv", cv)
    if not 2 <= folds <= _counted(rows):
        raise ArgumentError(
            f"cv={folds} folds: there must be at least 2 and no more than the {_counted(rows)} "
            "rows."
        )
    return folds


def check_enough_rows(rows: Rows, most_components: int, n_folds: int) -> None:
    """Refuse more components than there are rows, those of a fold held out.

    Raises
    ------
    DataError
    """
    n = _counted(rows)
    counted = "rows" if rows.weight is None else "rows with a weight above 0"
    if n < most_components:
        raise DataError(
            f"n_components goes up to {most_components}, but there are {n} {counted}; "
            "ask for fewer components."
        )
    if n_folds and n - math.ceil(n / n_folds) < most_components:
        raise DataError(
            f"n_components goes up to {most_components}, but {n_folds} folds leave "
            f"{n - math.ceil(n / n_folds)} {counted} to fit; ask for fewer components or more "
            "folds."
        )


def _counted(rows: Rows) -> int:
    return rows.n if rows.weight is None else int((rows.weight > 0).sum())
