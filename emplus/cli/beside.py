"""Columns that stand beside the data: how much a row counts, and which component it is of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.cli.cells import Columns, as_numbers, numbers
from emplus.errors import DataError

__all__ = ["UNKNOWN", "labels_of", "weights_of"]

UNKNOWN = -1


def weights_of(parsed: Columns, name: str) -> NDArray[np.float64]:
    """Row weights (n,).

    Raises
    ------
    DataError
        If one is missing or negative, or all are 0.
    """
    weights = numbers(parsed, name, "Weights column")
    bad = np.flatnonzero(weights < 0)
    if len(bad):
        raise DataError(
            f"Weights column {name!r} of {parsed.source} is negative ({weights[bad[0]]:g}) in "
            f"{parsed.where(int(bad[0]))}; weights must be 0 or more."
        )
    if not weights.any():
        raise DataError(f"Weights column {name!r} of {parsed.source} is 0 in every row.")
    return weights


def labels_of(parsed: Columns, name: str, n_components: int) -> NDArray[np.intp]:
    """The component (n,) that each row is known to come from, -1 where the cell is empty or -1.

    Raises
    ------
    DataError
        At the first row that holds anything else than a component.
    """
    place = parsed.names.index(name)
    if isinstance(parsed.cells, np.ndarray):
        found = np.asarray(parsed.cells[:, place], dtype=np.float64)
    else:
        advice = f"components are 0 to {n_components - 1}"
        column = parsed.cells.iloc[:, place]
        found = as_numbers(column, name, parsed.source, parsed.where, advice)
    found = np.where(np.isnan(found), UNKNOWN, found)
    odd = (found != np.floor(found)) | (found < UNKNOWN) | (found >= n_components)
    if odd.any():
        row = int(odd.argmax())
        raise DataError(
            f"Labels column {name!r} of {parsed.source} holds {found[row]:g} in "
            f"{parsed.where(row)}; components are 0 to {n_components - 1}, and an empty cell or -1 "
            "is not known."
        )
    return found.astype(np.intp)
