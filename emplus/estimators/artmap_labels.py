"""Class labels as places among the known classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import DataError

__all__ = ["places", "same"]


def places(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """The place of each label (n,) among the classes.

    Raises
    ------
    DataError
        If one is none of them; the message names the row.

    Examples
    --------
    >>> places(np.array(["b", "a", "b"]), np.array(["a", "b"])).tolist()
    [1, 0, 1]
    """
    known = {label: place for place, label in enumerate(classes.tolist())}
    given = labels.tolist()
    found = [known.get(label, -1) for label in given]
    if -1 in found:
        row = found.index(-1)
        raise DataError(
            f"y holds the class {given[row]!r} in row {row}, which is none of the {len(known)} "
            "that the first call told of; name all of them there, in its argument classes."
        )
    return np.asarray(found, dtype=np.intp)


def same(given: ArrayLike, classes: NDArray[Any]) -> bool:
    """Whether these are the known classes, in any order.

    Examples
    --------
    >>> same([2, 1, 1], np.array([1, 2]))
    True
    """
    one = np.unique(np.asarray(given))
    return one.shape == classes.shape and bool((one == classes).all())
