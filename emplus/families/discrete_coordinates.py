"""Probabilities of categories in coordinates without constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.discrete import CountStatistics, Probabilities, PseudoCounts, clipped_log

__all__ = ["LevelCoordinates"]


@final
@dataclass(frozen=True, eq=False)
class LevelCoordinates:
    """The logarithms of a column's probabilities, up to a constant for each column (log-softmax).

    ``offsets`` (d,) say where each column's levels begin, ``groups`` (t,) which column a level
    belongs to.

    Notes
    -----
    The gradient is (N_jl + m f_l) - (n_jl + m) theta_jl; O(k t).
    """

    shape: tuple[int, ...]
    offsets: NDArray[np.intp]
    groups: NDArray[np.intp]
    prior: PseudoCounts

    def free(self, parameters: Probabilities, near: Array | None = None) -> Array:
        """Logarithms (k t,); with ``near``, each column's have the same mean as there."""
        logs = clipped_log(parameters.probabilities)
        if near is not None:
            gaps = near.reshape(self.shape) - logs
            means = np.add.reduceat(gaps, self.offsets, axis=1) / np.bincount(self.groups)
            logs = logs + means[:, self.groups]
        return logs.ravel()

    def bind(self, vector: Array) -> Probabilities:
        """Probabilities (k, t) that sum to 1 in each column."""
        logs = vector.reshape(self.shape)
        logs = logs - np.maximum.reduceat(logs, self.offsets, axis=1)[:, self.groups]
        theta = np.exp(logs)
        return Probabilities(theta / np.add.reduceat(theta, self.offsets, axis=1)[:, self.groups])

    def gradient(
        self, vector: Array, parameters: Probabilities, statistics: CountStatistics
    ) -> Array:
        """What was counted less what was expected."""
        strength, theta = self.prior.strength, parameters.probabilities
        counts = statistics.counts + strength * self.prior.frequencies
        gradient: Array = counts - (statistics.observed + strength) * theta
        return gradient.ravel()
