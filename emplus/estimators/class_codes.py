"""The classes of rows: read from labels, some of which may be unknown, and kept in model files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from emplus.errors import DataError

__all__ = ["by_class", "classes_from_json", "classes_to_json", "read_classes"]

# Types that a model file knows by name, and the values of each.
_KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (float,)}
_TEXT = "str"


def read_classes(
    y: Any, n: int, unlabeled: Any, kept: NDArray[np.bool_] | None = None
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The classes in sorted order, and the place of each row's class among them.

    Parameters
    ----------
    y : (n,) array_like
    n : int
        Number of rows.
    unlabeled : object
        What stands for a class that is not known, besides None and NaN; None for nothing.
    kept : (n,) ndarray of bool, optional
        The rows that count; the others are left out of what is returned.

    Returns
    -------
    classes : (C,) ndarray
    codes : (n,) ndarray of int
        -1 where the class is not known.

    Raises
    ------
    DataError
        If there is not one label a row, or none is known, or they are of several types.
    ValueError
        If the labels are no classes, such as numbers with fractions.

    Examples
    --------
    >>> classes, codes = read_classes(["b", None, "a"], 3, -1)
    >>> classes.tolist(), codes.tolist()
    (['a', 'b'], [1, -1, 0])
    """
    if y is None:
        raise DataError("A classifier requires y to be passed, but the target y is None.")
    if np.ma.isMaskedArray(y):
        hidden, y = np.ma.getmaskarray(y), np.array(y, dtype=object)
        y[hidden] = None
    labels = np.asarray(column_or_1d(y, warn=True))
    if len(labels) != n:
        raise DataError(f"y has {len(labels)} labels for {n} rows; give one a row.")
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise DataError(f"y contains infinity, first in row {int(np.isinf(labels).argmax())}.")
    labels = labels if kept is None else labels[kept]
    known = ~np.asarray(pd.isna(labels), dtype=bool)
    held = labels[known]
    if held.dtype == object and not any(isinstance(label, str) for label in held):
        held = np.array(held.tolist())
    marked = _marked(held, unlabeled)
    if not len(held) or marked.all():
        raise DataError("No row's class is known (every label in y is missing: -1, None or NaN).")
    known[known] = ~marked
    held = held[~marked]
    try:
        classes, places = np.unique(held, return_inverse=True)
    except TypeError:
        raise DataError("y holds labels of several types; use one, such as str.") from None
    check_classification_targets(held)
    codes = np.full(len(known), -1, dtype=np.intp)
    codes[known] = places
    return classes, codes


def _marked(labels: NDArray[Any], unlabeled: Any) -> NDArray[np.bool_]:
    """Which labels say that the class is not known."""
    nothing = np.zeros(len(labels), dtype=bool)
    if unlabeled is None or isinstance(unlabeled, str) != (labels.dtype.kind not in "iuf"):
        return nothing
    marked: NDArray[np.bool_] = np.asarray(labels == unlabeled, dtype=bool)
    others = labels[~marked]
    if unlabeled == -1 and len(others) and (others == others[0]).all():
        # -1 and 1 are how many people call two classes, and one class alone asks nothing.
        return nothing
    return marked


def by_class(what: str, given: Mapping[Any, Any], classes: NDArray[Any]) -> list[Any]:
    """The values of a dict in the order of the classes, None for those that it does not name.

    Raises
    ------
    DataError
        If it names what is no class.
    """
    known = {label: place for place, label in enumerate(classes.tolist())}
    values: list[Any] = [None] * len(classes)
    for label, value in given.items():
        plain = label.item() if isinstance(label, np.generic) else label
        if plain not in known:
            shown = ", ".join(map(repr, list(known)[:20]))
            raise DataError(f"{what} names the class {plain!r}, which y lacks; it has {shown}.")
        values[known[plain]] = value
    return values


def classes_to_json(classes: NDArray[Any]) -> dict[str, Any]:
    """What a model file holds of the classes.

    Raises
    ------
    ValueError
        If they are neither text nor numbers nor truth values.
    """
    values = classes.tolist()
    for kind, types in {_TEXT: (str,), **_KINDS}.items():
        if all(type(value) in types for value in values):
            return {"type": kind, "dtype": classes.dtype.str, "values": values}
    raise ValueError("a model file holds classes that are text, numbers or truth values only")


def classes_from_json(content: Any) -> NDArray[Any]:
    """The classes that `classes_to_json` described.

    Raises
    ------
    ValueError
        If the content is no such description.
    """
    content = content if isinstance(content, dict) else {}
    if lacking := sorted({"type", "dtype", "values"} - content.keys()):
        raise ValueError(f"its classes are not described: {', '.join(lacking)} missing")
    kind, values = str(content["type"]), content["values"]
    types = {_TEXT: (str,), **_KINDS}.get(kind)
    if types is None:
        raise ValueError(f"its classes are of a type {kind[:40]!r} that is not known")
    if not isinstance(values, list) or not values or not all(type(v) in types for v in values):
        raise ValueError("its classes are not what it says that they are")
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise ValueError("its classes are not finite")
    if any(first >= second for first, second in pairwise(values)):
        raise ValueError("its classes are not in order")
    if kind == _TEXT:
        return np.array(values, dtype=object if content["dtype"] == "|O" else None)
    try:
        dtype = np.dtype(str(content["dtype"]))
        # Text has a length of its own in its type, which a file may claim to be anything.
        classes = np.array(values, dtype=dtype) if dtype.kind in "biuf" else None
    except (TypeError, OverflowError):
        classes = None
    if classes is None or classes.tolist() != values:
        raise ValueError("its classes are not of the type that it says")
    return classes
