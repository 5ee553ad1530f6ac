"""What families fitted from sums of rows share: the sums, pseudo-rows, and probabilities.

Categories are summed up one by one (counts), zeros and ones and other numbers as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import EMPTY, Array, SingularComponentError

__all__ = [
    "CountStatistics",
    "Probabilities",
    "PseudoCounts",
    "clipped_log",
    "clipped_log_rest",
    "first_guess",
    "first_strength",
    "fitted_means",
    "implied",
    "leave_one_out",
    "maximized",
    "unpacked",
]

# Pseudo-rows of a first guess.
_FIRST_STRENGTH = 1.0

# Probabilities below this count as this in a logarithm, so that 0 log 0 is 0.
_TINY = 1e-15


@dataclass(frozen=True)
class Probabilities:
    """Probabilities (k, t) of k components: of a 1 in each column, or of each level."""

    probabilities: Array

    @property
    def means(self) -> Array:
        """The same (k, t): what each column of zeros and ones is expected to be."""
        return self.probabilities

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> Probabilities:
        """The parameters of some of the components, in the given order."""
        return Probabilities(self.probabilities[np.asarray(components, dtype=np.intp)])

    def put(
        self, components: Sequence[int] | NDArray[np.integer], others: Probabilities
    ) -> Probabilities:
        """These parameters with some of the components replaced."""
        probabilities = self.probabilities.copy()
        probabilities[np.asarray(components, dtype=np.intp)] = others.probabilities
        return Probabilities(probabilities)


@dataclass(frozen=True)
class PseudoCounts:
    """The prior of means and probabilities: ``strength`` pseudo-rows, which hold those of all rows.

    Parameters
    ----------
    strength : float
        Number m of pseudo-rows; 0 is no prior (maximum likelihood).
    frequencies : (t,) ndarray
        Frequency f of a 1 in each column, or of each level, in all rows, above 0 and below 1; of
        other numbers the mean.

    Notes
    -----
    Of probabilities a Beta or Dirichlet density with parameters 1 + m f: log p = m sum f log theta
    + constant, equation :eq:`prior-counts` of the theory page. It is proper for every m >= 0, its
    mode is f, and it makes the M step theta_j = (N_j + m f) / (n_j + m), so that no probability is
    ever 0 or 1. The frequencies themselves are those of the rows and one row more that is spread
    evenly.
    """

    strength: float
    frequencies: Array


@dataclass(frozen=True)
class CountStatistics:
    """Weight of each component, and weights of its ones or levels, or weighted sums of its rows.

    Parameters
    ----------
    weight : (k,) ndarray
        Sum of responsibilities (times row weights).
    counts : (k, t) ndarray
        The same over the rows that hold a 1, or a level; of other numbers times what they hold.
    observed : (k, t) ndarray
        The same over the rows that hold anything in that column.
    """

    weight: Array
    counts: Array
    observed: Array

    def __add__(self, other: CountStatistics) -> CountStatistics:
        return CountStatistics(
            self.weight + other.weight, self.counts + other.counts, self.observed + other.observed
        )

    def scaled(self, factor: float) -> CountStatistics:
        """Statistics as of ``factor`` times as many rows."""
        return CountStatistics(factor * self.weight, factor * self.counts, factor * self.observed)

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> CountStatistics:
        """The statistics of some of the components."""
        chosen = np.asarray(components, dtype=np.intp)
        return replace(
            self,
            weight=self.weight[chosen],
            counts=self.counts[chosen],
            observed=self.observed[chosen],
        )


def clipped_log(probabilities: Array) -> Array:
    """Natural logarithms, finite even of 0."""
    logarithms: Array = np.log(np.maximum(probabilities, _TINY))
    return logarithms


def clipped_log_rest(probabilities: Array) -> Array:
    """Natural logarithms of what is left to 1, finite even of 1."""
    logarithms: Array = np.log(1.0 - np.minimum(probabilities, 1.0 - _TINY))
    return logarithms


def maximized(statistics: CountStatistics, prior: PseudoCounts) -> Probabilities:
    """theta_j = (N_j + m f) / (n_j + m); O(k t).

    Raises
    ------
    SingularComponentError
        Without a prior, where a component has lost all its rows.
    """
    return Probabilities(fitted_means(statistics, prior))


def fitted_means(statistics: CountStatistics, prior: PseudoCounts) -> Array:
    """Means (k, t) of each component's rows and the pseudo-rows together; see `maximized`."""
    weight = statistics.weight
    if prior.strength == 0.0 and (lost := weight <= EMPTY * weight.sum()).any():
        raise SingularComponentError(int(lost.argmax()), "no row belongs to it any more")
    mass = statistics.observed + prior.strength
    # Without a prior, what a component's rows never hold stays as it is on the whole.
    seen = mass > 0
    held = np.where(seen, mass, 1.0)
    counts = statistics.counts + prior.strength * prior.frequencies
    return np.where(seen, counts / held, prior.frequencies)


def implied(parameters: Probabilities, weight: Array, prior: PseudoCounts) -> CountStatistics:
    """N_j = (n_j + m) theta_j - m f, of rows without missing entries; O(k t)."""
    theta, strength = parameters.probabilities, prior.strength
    observed: Array = np.repeat(weight[:, None], theta.shape[1], axis=1)
    counts = (observed + strength) * theta - strength * prior.frequencies
    return CountStatistics(weight, np.clip(counts, 0.0, observed), observed)


def first_guess(statistics: CountStatistics, prior: PseudoCounts) -> Probabilities:
    """The M step of a start, under a prior of a row at least."""
    return maximized(statistics, first_strength(prior))


def first_strength(prior: PseudoCounts) -> PseudoCounts:
    """The prior of a start: of a row at least.

    What a few rows happen not to hold would have a probability of next to nothing, and EM never
    comes back from there.
    """
    return replace(prior, strength=max(prior.strength, _FIRST_STRENGTH))


def leave_one_out(statistics: CountStatistics, prior: PseudoCounts) -> float:
    """What the rows of each component would score with themselves left out of its counts.

    sum_j sum_t N_jt log((N_jt - 1 + m f_t) / (n_jt - 1 + m)): by which m can be told, as no row
    then speaks for itself.
    """
    counts, observed = statistics.counts, statistics.observed
    ahead = np.maximum(counts - 1.0, 0.0) + prior.strength * prior.frequencies
    whole = np.maximum(observed - 1.0, 0.0) + prior.strength
    return float((counts * (clipped_log(ahead) - clipped_log(whole))).sum())


def unpacked(arrays: Mapping[str, Array], columns: int | None) -> Probabilities:
    """Parameters from the array ``probabilities``; ValueError says what does not fit."""
    if "probabilities" not in arrays:
        raise ValueError("the array 'probabilities' is missing")
    probabilities = np.asarray(arrays["probabilities"], dtype=np.float64)
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        shape = probabilities.shape
        raise ValueError(f"'probabilities' has shape {shape} instead of (components, features)")
    if columns is not None and probabilities.shape[1] != columns:
        raise ValueError(f"'probabilities' has {probabilities.shape[1]} columns, not {columns}")
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("the array 'probabilities' holds values that are no probabilities")
    return Probabilities(probabilities)
