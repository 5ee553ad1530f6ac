"""Patches: what would become of a few components if one of them were taken away or added.

A patch is found by partial EM on the rows of those components, so its gain is a lower bound of
what it would do for the log-likelihood of the whole mixture. Gains of patches that have no
component in common add: one that takes a component away and one that adds a component make a move
that keeps their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emplus.data.base import Array
from emplus.mixture import Mixture

__all__ = ["FREE", "Patch", "patched"]

# Stands for the component that a patch adds: it takes the number of one that another takes away.
FREE = -1


@dataclass(frozen=True, eq=False)
class Patch:
    """New parameters for some components.

    Parameters
    ----------
    core : tuple of int
        (i, j): j goes, its rows taken over by i and the others; (k,): k is split;
        (i, j, k): both; (i, k) with nothing freed: the two cut anew.
    region : tuple of int
        Components whose rows are shared out anew.
    numbers : tuple of int
        Component that each of the new ones is put in place of; `FREE` for an added one.
    gain : float
        Nats on the rows of the region, a lower bound for the whole.
    limit : float
        Where the gain was heading when its climb was broken off.
    log_weights : (m,) ndarray
        Of the new components, within the region.
    parameters : object
        Theirs. Copies: a patch outlives the many others that it was worked out with.
    """

    core: tuple[int, ...]
    region: tuple[int, ...]
    numbers: tuple[int, ...]
    gain: float
    limit: float
    log_weights: Array
    parameters: Any

    def meets(self, other: Patch) -> bool:
        """Whether the two have a component in common."""
        return not set(self.region).isdisjoint(other.region)


def patched(mixture: Mixture, patches: Sequence[tuple[Patch, int]]) -> Mixture:
    """The mixture with patches put in, each with the number that its added component takes.

    That number may be `FREE` where a patch adds none.
    """
    log_weights = mixture.log_weights.copy()
    parameters: Any = mixture.parameters
    for patch, free in patches:
        mass = np.logaddexp.reduce(mixture.log_weights[list(patch.region)])
        numbers = [free if number == FREE else number for number in patch.numbers]
        parameters = parameters.put(numbers, patch.parameters)
        log_weights[numbers] = mass + patch.log_weights
    log_weights -= np.logaddexp.reduce(log_weights)
    return Mixture(mixture.family, log_weights, parameters)


def merged(resp: Array, region: Sequence[int], kept: int, removed: int) -> Array:
    """Responsibilities (b, m - 1) after one component has taken over another's rows."""
    into, out = region.index(kept), region.index(removed)
    shared = resp.copy()
    shared[:, into] += shared[:, out]
    return np.delete(shared, out, axis=1)


def split(resp: Array, region: Sequence[int], component: int, side: Array) -> Array:
    """Responsibilities (b, m + 1) after a part ``side`` (b,) of a component has become another."""
    place = region.index(component)
    moved = resp[:, place] * side
    shared = np.column_stack([resp, moved])
    shared[:, place] -= moved
    return shared
