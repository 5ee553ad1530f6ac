"""Means of natural exponential families in coordinates without constraints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from emplus.families.base import Array, SingularComponentError
from emplus.families.discrete import CountStatistics, PseudoCounts
from emplus.families.links import Link

__all__ = ["MeanCoordinates"]


@final
@dataclass(frozen=True, eq=False)
class MeanCoordinates:
    """The coordinates u of a link.

    Notes
    -----
    The gradient is ((S_ja + m f_a) - (n_ja + m) mu_ja) (d mu / d u) / V(mu), because the natural
    parameter's derivative by the mean is one over the variance V; O(k d). For zeros and ones, and
    for counts, the last two factors cancel.
    """

    shape: tuple[int, ...]
    link: Link
    variance: Callable[[Array], Array]
    holder: Callable[[Array], Any]
    prior: PseudoCounts

    def free(self, parameters: Any, near: Array | None = None) -> Array:
        """Coordinates (k d,), finite even of means at the ends of their range."""
        return self.link.free(parameters.means).ravel()

    def bind(self, vector: Array) -> Any:
        """Means (k, d)."""
        means = self.link.bind(vector.reshape(self.shape))
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            raise SingularComponentError(int(finite.argmin()), "its means overflow")
        return self.holder(means)

    def gradient(self, vector: Array, parameters: Any, statistics: CountStatistics) -> Array:
        """What was summed up less what was expected, by the coordinates."""
        strength, means = self.prior.strength, parameters.means
        sums = statistics.counts + strength * self.prior.frequencies
        gap = sums - (statistics.observed + strength) * means
        slope, variance = self.link.slope(means), self.variance(means)
        # At the end of the range both are 0 or next to it, and their ratio is that of nearby means.
        ratio = np.divide(slope, variance, where=variance > 0, out=np.ones_like(gap))
        gradient: Array = gap * ratio
        return gradient.ravel()
