"""Which columns a person said are of which kind."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from emplus.errors import ArgumentError, UnknownNameError

__all__ = ["Chosen", "given_kinds", "label_of"]

Chosen = Iterable[str | int] | str | int | None


def label_of(place: int, name: str | None) -> str:
    """How a sentence names a column."""
    return f"column {place}" if name is None else f"column {name!r}"


def given_kinds(names: tuple[str, ...] | None, d: int, chosen: dict[str, Chosen]) -> dict[int, str]:
    """The kind of each column that a person gave one, by the column's place.

    Parameters
    ----------
    names : tuple of str or None
        The table's own.
    d : int
        The number of its columns.
    chosen : dict
        For each kind, names or places of columns.

    Raises
    ------
    UnknownNameError
        If there is no column of that name.
    ArgumentError
        If there is none at that place, or one is of two kinds.
    """
    given: dict[int, str] = {}
    for kind, columns in chosen.items():
        if columns is None:
            continue
        for column in [columns] if isinstance(columns, str | int) else columns:
            place = _place(column, kind, names, d)
            if given.setdefault(place, kind) != kind:
                label = label_of(place, None if names is None else names[place])
                raise ArgumentError(
                    f"{label[:1].upper()}{label[1:]} is listed as {given[place]} and as {kind}; "
                    "choose one."
                )
    return given


def _place(column: Any, kind: str, names: tuple[str, ...] | None, d: int) -> int:
    if isinstance(column, str):
        if names is None:
            raise ArgumentError(
                f"{kind} names column {column!r}, but the table has no names; give places, 0 to "
                f"{d - 1}."
            )
        if column not in names:
            raise UnknownNameError("column", column, names)
        return names.index(column)
    try:
        place = operator.index(column)
    except TypeError:
        raise ArgumentError(f"{kind} holds {column!r}, no column's name or place.") from None
    if isinstance(column, bool | np.bool_) or not 0 <= place < d:
        raise ArgumentError(f"{kind} holds {column!r}; places of columns are 0 to {d - 1}.")
    return place
