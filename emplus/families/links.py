"""Where the means of a natural exponential family may lie, in coordinates without constraints."""

from __future__ import annotations

from typing import ClassVar, Protocol, final

import numpy as np
from scipy.special import expit

from emplus.families.base import Array

__all__ = ["Link", "Log", "Logit"]

# Means this near to an end of their range count as this far from it in a logarithm.
_TINY = 1e-15


class Link(Protocol):
    """A range of means, and the coordinates u in which it has no ends."""

    lower: ClassVar[float]
    upper: ClassVar[float]

    def free(self, means: Array) -> Array:
        """The coordinates u, finite even of the ends of the range."""

    def bind(self, free: Array) -> Array:
        """The means of coordinates."""

    def slope(self, means: Array) -> Array:
        """The derivative of the means by their coordinates."""

    def inward(self, means: Array) -> Array:
        """The means drawn away from the ends of the range, where a step would change nothing."""


@final
class Log:
    """Means above 0: u = log(mean).

    Examples
    --------
    >>> Log().bind(Log().free(np.array([0.5, 2.0]))).round(12).tolist()
    [0.5, 2.0]
    """

    lower: ClassVar[float] = 0.0
    upper: ClassVar[float] = np.inf

    def free(self, means: Array) -> Array:
        """Logarithms, finite even of 0."""
        logarithms: Array = np.log(np.maximum(means, _TINY))
        return logarithms

    def bind(self, free: Array) -> Array:
        """Exponentials; infinite where they overflow."""
        with np.errstate(over="ignore"):
            means: Array = np.exp(free)
        return means

    def slope(self, means: Array) -> Array:
        """The means themselves."""
        return means

    def inward(self, means: Array) -> Array:
        """The means as they are: no step leads back to 0."""
        return means


@final
class Logit:
    """Means between 0 and 1: u = log(mean / (1 - mean)).

    Examples
    --------
    >>> Logit().free(np.array([0.5])).tolist()
    [0.0]
    """

    lower: ClassVar[float] = 0.0
    upper: ClassVar[float] = 1.0

    def free(self, means: Array) -> Array:
        """Logits, finite even of 0 and 1."""
        logits: Array = np.log(np.maximum(means, _TINY))
        logits -= np.log(1.0 - np.minimum(means, 1.0 - _TINY))
        return logits

    def bind(self, free: Array) -> Array:
        """Probabilities."""
        means: Array = expit(free)
        return means

    def slope(self, means: Array) -> Array:
        """The variance of a zero or one."""
        return means * (1.0 - means)

    def inward(self, means: Array) -> Array:
        """Half way to 1/2."""
        return 0.25 + 0.5 * means
