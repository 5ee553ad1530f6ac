"""The family that a table's columns speak for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.cells import content, densified, numbers
from emplus.data.choices import label_of
from emplus.data.frames import as_frame, names_of
from emplus.numerics.sparse import is_sparse

__all__ = ["family_of", "likely_family", "only_zero_and_one"]

# Most tables that are not of zeros and ones show it in their first rows.
_ROWS_AT_ONCE = 1 << 12


def likely_family(X: Any) -> str:
    """The name of the family that suits a table, by what its columns hold.

    Nothing but 0 and 1 (or truth values) in every column is ``"bernoulli"``, other numbers alone
    are ``"gaussian"``, text and categories alone ``"categorical"``; columns of several of these
    kinds are ``"mixed"``. Numbers stay numbers where some of the columns hold 0 and 1 only.

    Parameters
    ----------
    X : DataFrame or (n, d) array_like, dense or sparse

    Raises
    ------
    DataError
        If a column holds dates or complex numbers, or it is no table.

    Examples
    --------
    >>> likely_family([[0.0, 1.0], [1.0, float("nan")]]), likely_family([[0.5, 1.0]])
    ('bernoulli', 'gaussian')
    >>> likely_family([["red", True], ["blue", False]]), likely_family([["red"], [None]])
    ('mixed', 'categorical')
    """
    if is_sparse(X):
        return "bernoulli" if only_zero_and_one(np.asarray(X.data)) else "gaussian"
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return "bernoulli" if only_zero_and_one(X) else "gaussian"
    frame, _ = as_frame(X)
    names = names_of(frame)
    held, binary = set(), True
    for place in range(frame.shape[1]):
        column = densified(frame.iloc[:, place])
        label = label_of(place, None if names is None else names[place])
        what = content(column, label)
        held.add("text" if what == "category" else what)
        if binary and what == "number":
            binary = only_zero_and_one(numbers(column, label))
    return family_of(held, binary)


def family_of(held: Collection[str], binary: bool) -> str:
    """The family for columns of ``"number"``, ``"bool"`` and ``"text"``.

    ``binary`` is whether all numbers are 0 or 1.
    """
    kinds = set(held)
    if kinds <= {"number", "bool"} and binary:
        return "bernoulli"
    if len(kinds) > 1 or "bool" in kinds:
        return "mixed"
    return "gaussian" if "number" in kinds else "categorical"


def only_zero_and_one(values: NDArray[Any]) -> bool:
    """Whether there is nothing but 0, 1 and missing values."""
    for start in range(0, len(values), _ROWS_AT_ONCE):
        part = values[start : start + _ROWS_AT_ONCE]
        if not ((part == 0) | (part == 1) | (part != part)).all():
            return False
    return True
