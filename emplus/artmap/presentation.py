"""One row presented to the categories: vote, match tracking, learning."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from emplus.artmap.categories import Categories

__all__ = ["Answer", "present"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

# Categories with a smaller share of a row are not told of it: it would be lost in the rounding
# of what they hold.
_SMALLEST_SHARE = 1e-12

# Below this an exponential is not a normal number any more, and takes ten to fifty times as long.
_LOWEST = -700.0

_ALL_OF_IT = np.ones(1)


class Answer(Enum):
    """How the categories answered a row that came with its class."""

    RIGHT = "the first vote was right"
    CORRECTED = "a later vote was right, after match tracking"
    NEW = "no category was left to vote, and a new one was made"


def present(
    categories: Categories,
    row: Array,
    terms: Array | None,
    label: int,
    log_vigilance: float,
    winner_take_all: bool,
) -> Answer:
    """Let the categories vote on a row and learn that it is of the class ``label``.

    Parameters
    ----------
    row : (d,) ndarray
        In units of the initial standard deviation.
    terms : (2d + 2,) ndarray or None
        `Categories.terms` of the row; None where the expanded form would lose digits.
    label : int
        Its class.
    log_vigilance : float
        Only categories of a larger log match take part; -inf lets all of them.
    winner_take_all : bool
        The form of 1996: the category of the largest activation answers, and learns, alone.
    """
    if not categories.size:
        categories.add(row, label)
        return Answer.NEW
    log_activation = categories.log_activation(row, terms)
    if log_vigilance > -np.inf:
        inactive = log_activation - categories.heights <= log_vigilance
        log_activation[inactive] = -np.inf
    answer = _alone if winner_take_all else _together
    return answer(categories, log_activation, row, label)


def _alone(categories: Categories, log_activation: Array, row: Array, label: int) -> Answer:
    log_match = None
    while True:
        winner = int(log_activation.argmax())
        if log_activation[winner] == -np.inf:
            categories.add(row, label)
            return Answer.NEW
        if categories.classes[winner] == label:
            categories.learn(np.array([winner]), _ALL_OF_IT, row)
            return Answer.RIGHT if log_match is None else Answer.CORRECTED
        if log_match is None:
            log_match = log_activation - categories.heights
        log_activation[log_match <= log_match[winner]] = -np.inf


def _together(categories: Categories, log_activation: Array, row: Array, label: int) -> Answer:
    log_match = None
    while True:
        largest = log_activation[log_activation.argmax()]
        if largest == -np.inf:
            categories.add(row, label)
            return Answer.NEW
        activation = log_activation - largest
        np.maximum(activation, _LOWEST, out=activation)
        np.exp(activation, out=activation)
        sums = np.bincount(categories.classes, activation, categories.n_classes)
        winner = int(sums.argmax())
        members = categories.members(winner)
        shares = activation[members]
        shares /= sums[winner]
        # What is inactive was raised to the lowest exponent too, and is left out here.
        sharing = (shares > _SMALLEST_SHARE).nonzero()[0]
        shares, sharing = shares[sharing], members[sharing]
        if winner == label:
            categories.learn(sharing, shares, row)
            return Answer.RIGHT if log_match is None else Answer.CORRECTED
        if log_match is None:
            log_match = log_activation - categories.heights
        # Vigilance rises to the winning ensemble's match, the geometric mean by shares; the
        # ensemble itself is reset, also where one of its categories matches better than that.
        log_activation[log_match <= shares @ log_match[sharing]] = -np.inf
        log_activation[members] = -np.inf
