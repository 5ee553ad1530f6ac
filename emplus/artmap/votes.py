"""Votes on rows of unknown class: class activations, and several voters taken together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emplus.artmap.categories import Categories
from emplus.artmap.training import Manner

__all__ = ["class_log_votes", "pooled"]

Array = NDArray[np.floating]

# Numbers in the array of log activations of a block of rows.
_ENTRIES = 1 << 20

# A voter's least log share of a class: it may outvote others, but cannot rule a class out alone.
_LEAST = -700.0


def class_log_votes(categories: Categories, rows: Array, manner: Manner) -> Array:
    """Log shares of the classes (n, c) in the activation of each row; -inf where there is none.

    Where no category is active, all of them vote.
    """
    votes = np.full((len(rows), categories.n_classes), -np.inf)
    by_class = np.argsort(categories.classes, kind="stable")
    present, starts = np.unique(categories.classes[by_class], return_index=True)
    at_once = max(1, _ENTRIES // max(1, categories.size))
    for first in range(0, len(rows), at_once):
        part = slice(first, first + at_once)
        joint = categories.log_activations(rows[part])
        if manner.vigilance > 0.0:
            inactive = joint - categories.heights <= manner.log_vigilance
            inactive[inactive.all(axis=1)] = False
            joint[inactive] = -np.inf
        votes[part, present] = _of_classes(joint[:, by_class], starts, manner.winner_take_all)
    return _normalized(votes)


def _of_classes(joint: Array, starts: NDArray[np.intp], winner_take_all: bool) -> Array:
    largest = np.maximum.reduceat(joint, starts, axis=1)
    if winner_take_all:
        return largest
    # Each class by its own largest: what is far below another class's is not lost.
    origin = np.where(np.isneginf(largest), 0.0, largest)
    joint -= np.repeat(origin, np.diff(starts, append=joint.shape[1]), axis=1)
    np.exp(joint, out=joint)
    with np.errstate(divide="ignore"):
        sums: Array = np.log(np.add.reduceat(joint, starts, axis=1))
    return sums + origin


def _normalized(votes: Array) -> Array:
    votes -= votes.max(axis=1, keepdims=True)
    votes -= np.log(np.exp(votes).sum(axis=1, keepdims=True))
    return votes


def pooled(votes: Sequence[Array]) -> Array:
    """Log shares (n, c) that several voters agree on: the mean of theirs, normalized.

    Examples
    --------
    >>> sure, unsure = np.log([[0.9, 0.1]]), np.log([[0.4, 0.6]])
    >>> np.exp(pooled([sure, unsure])).round(2).tolist()
    [[0.71, 0.29]]
    """
    if len(votes) == 1:
        return votes[0]
    total = np.zeros_like(votes[0])
    unknown = np.ones(votes[0].shape, dtype=bool)
    for vote in votes:
        total += np.maximum(vote, _LEAST)
        unknown &= np.isneginf(vote)
    total /= len(votes)
    total[unknown] = -np.inf
    return _normalized(total)
