"""Which entries of rows are missing, and which rows miss the same ones."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Patterns", "packed_order", "pattern_order"]


class Patterns(NamedTuple):
    """The distinct patterns of what is there in some rows, and where each one's rows are.

    Parameters
    ----------
    observed : (p, d) ndarray of bool
        What each pattern has.
    order : (n,) ndarray of int or None
        The rows, those of one pattern after the other; None where they lie so already.
    runs : list of slice
        The places in that order of each pattern's rows.
    """

    observed: NDArray[np.bool_]
    order: NDArray[np.intp] | None
    runs: list[slice]

    @classmethod
    def of(cls, observed: NDArray[np.bool_]) -> Patterns:
        """Group rows (n, d) by what is there in them; O(n d), and a sort where they are mixed.

        Examples
        --------
        >>> found = Patterns.of(np.array([[True, False], [True, True], [True, False]]))
        >>> found.order.tolist(), found.runs
        ([0, 2, 1], [slice(0, 2, None), slice(2, 3, None)])
        """
        n = len(observed)
        begins = np.flatnonzero((observed[1:] != observed[:-1]).any(axis=1)) + 1
        firsts = np.concatenate([[0], begins])
        keys = _keys(observed[firsts])
        order = None
        if len(np.unique(keys)) < len(keys):
            keys = _keys(observed)
            _, first, which = np.unique(keys, return_index=True, return_inverse=True)
            # In the order in which the patterns first appear.
            place = np.empty(len(first), dtype=np.intp)
            place[np.argsort(first, kind="stable")] = np.arange(len(first))
            labels = place[which]
            order = np.argsort(labels, kind="stable")
            counts = np.bincount(labels)
            ends = np.cumsum(counts)
            firsts, bounds = np.sort(first), np.concatenate([[0], ends])
        else:
            bounds = np.concatenate([firsts, [n]])
        runs = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        return cls(observed[firsts], order, runs)


def pattern_order(missing: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The rows (n,) of ``missing`` (n, d) in an order in which equal ones follow each other."""
    return packed_order(np.packbits(missing, axis=1))


def packed_order(packed: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The same for rows that `numpy.packbits` has packed (n, d / 8)."""
    order: NDArray[np.intp] = np.argsort(_packed_keys(packed), kind="stable")
    return order


def _keys(rows: NDArray[np.bool_]) -> NDArray[np.integer]:
    """A number for each row (n,): equal for equal rows and for no others."""
    return _packed_keys(np.packbits(rows, axis=1))


def _packed_keys(packed: NDArray[np.uint8]) -> NDArray[np.integer]:
    if packed.shape[1] <= 8:
        wide = np.zeros((len(packed), 8), dtype=np.uint8)
        wide[:, : packed.shape[1]] = packed
        return wide.view(np.uint64)[:, 0]
    whole = np.ascontiguousarray(packed).view([("", np.uint8, (packed.shape[1],))])[:, 0]
    numbers: NDArray[np.integer] = np.unique(whole, return_inverse=True)[1]
    return numbers
