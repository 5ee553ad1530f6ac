"""Natural exponential families: columns of numbers that are independent given the component."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array, Coordinates, Kernel
from emplus.families.discrete import CountStatistics, PseudoCounts, first_strength, fitted_means
from emplus.families.exponential_coordinates import MeanCoordinates
from emplus.families.exponential_kernel import Complete, Incomplete, summed
from emplus.families.features import standard_coordinates
from emplus.families.links import Link
from emplus.numerics.moments import Moments

__all__ = ["Means", "NaturalExponential"]


@dataclass(frozen=True)
class Means:
    """Means (k, d) of k components, which say everything about them."""

    means: Array

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> Means:
        """The parameters of some of the components, in the given order."""
        return Means(self.means[np.asarray(components, dtype=np.intp)])

    def put(self, components: Sequence[int] | NDArray[np.integer], others: Means) -> Means:
        """These parameters with some of the components replaced."""
        means = self.means.copy()
        means[np.asarray(components, dtype=np.intp)] = others.means
        return Means(means)


class NaturalExponential(ABC):
    r"""Columns of a natural exponential family, independent of each other given the component.

    .. math:: p(x \mid j) = \prod_a h(x_a) \, e^{x_a \eta(\mu_{ja}) - A(\mu_{ja})}

    What is to be written for one are the functions of a single entry below; all else follows from
    them. The parameters of a component are its means :math:`\mu_{ja}`; eta is the natural
    parameter, A the log partition function. The M step is

    .. math:: \mu_{ja} = \frac{\sum_i r_{ij} x_{ia} + m f_a}{\sum_i r_{ij} + m}

    whatever the family, with m pseudo-rows that hold the mean f of all rows. That is the mode under
    the conjugate prior (Diaconis & Ylvisaker 1979), whose logarithm is m (f eta - A): a Beta
    density for zeros and ones, a Gamma density for rates of counts.

    Notes
    -----
    Missing entries (NaN) are left out of the product. A pass costs O(n k d), in matrix products.
    """

    name: ClassVar[str]
    """The name by which the family is asked for."""
    values: ClassVar[str]
    """What a column holds, in words: ``"whole numbers of at least 0"``."""
    real: ClassVar[bool]
    """Whether a column holds real numbers, or else whole ones."""
    link: ClassVar[Link]
    """Where the means lie."""
    array: ClassVar[str] = "means"
    """What model files call the means."""
    holder: ClassVar[type[Any]] = Means
    """What holds them."""

    needs_full_scatter: ClassVar[bool] = False
    levels: ClassVar[tuple[int, ...]] = ()
    parts: ClassVar[tuple[()]] = ()
    pools: ClassVar[bool] = True

    @abstractmethod
    def natural(self, means: Array) -> Array:
        """Natural parameters eta of means of any shape, finite even at the ends of their range."""

    @abstractmethod
    def log_partition(self, means: Array) -> Array:
        """A, as a function of the means, finite even at the ends of their range."""

    @abstractmethod
    def log_base(self, X: Array) -> Array | float:
        """Logarithms of h(x) of entries of any shape; 0.0 where h is 1."""

    @abstractmethod
    def variance(self, means: Array) -> Array:
        """The variance of an entry, as a function of its mean."""

    @abstractmethod
    def draw(self, means: Array, rng: np.random.Generator) -> Array:
        """One entry for each mean."""

    @abstractmethod
    def holds(self, X: Array) -> NDArray[np.bool_]:
        """Which entries, of those that are finite, a column may hold."""

    def config(self) -> dict[str, Any]:
        """The fields of the family, which must be fit for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # every family is a dataclass

    def kernel(
        self,
        parameters: Any,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """Matrix products with natural parameters, and with A where entries are missing."""
        made = Incomplete if moments.missing else Complete
        return made(self, parameters.means, log_weights, moments, np.dtype(dtype))

    def maximize(self, statistics: CountStatistics, prior: PseudoCounts) -> Any:
        """The M step: mu_j = (S_j + m f) / (n_j + m)."""
        return self.holder(fitted_means(statistics, prior))

    def implied(self, parameters: Any, weight: Array, prior: PseudoCounts) -> CountStatistics:
        """S_j = (n_j + m) mu_j - m f, within what rows can hold."""
        means, m = parameters.means, prior.strength
        observed: Array = np.repeat(weight[:, None], means.shape[1], axis=1)
        sums = (observed + m) * means - m * prior.frequencies
        present = observed > 0
        ends = [
            np.multiply(observed, end, where=present, out=np.zeros_like(observed))
            for end in (self.link.lower, self.link.upper)
        ]
        return CountStatistics(weight, np.clip(sums, *ends), observed)

    def estimate(self, X: Any, resp: Array, prior: PseudoCounts) -> Any:
        """Weighted means of each component's rows, under a prior of a row at least; O(n k d)."""
        return self.holder(fitted_means(summed(X, resp), first_strength(prior)))

    def hold(self, parameters: Any) -> Self:
        """Itself: nothing is shared."""
        return self

    def default_prior(
        self, moments: Moments, strength: float, spread: Array | None = None
    ) -> PseudoCounts:
        """``strength`` pseudo-rows with the columns' means.

        Means of whole numbers are those of the rows and one row more, of 1/2 everywhere, so that
        no column has a mean at the end of its range.
        """
        means, present = moments.mean, moments.present
        if not self.real:
            means = (means * present + 0.5) / (present + 1.0)
        return PseudoCounts(float(strength), means)

    def log_prior(self, parameters: Any, prior: PseudoCounts) -> Array:
        """M sum_a (f eta - A) for each component (k,)."""
        eta, spent = self.natural(parameters.means), self.log_partition(parameters.means)
        log_prior: Array = eta @ prior.frequencies - spent.sum(axis=1)
        return prior.strength * log_prior

    def coordinates(self, parameters: Any, moments: Moments, prior: PseudoCounts) -> Coordinates:
        """Those of the link."""
        shape = parameters.means.shape
        return MeanCoordinates(shape, self.link, self.variance, self.holder, prior)

    def average(self, parameters: Any, weights: Array) -> Any:
        """The weighted average of the means, as one component."""
        return self.holder((weights / weights.sum()) @ parameters.means[None])

    def perturb(self, parameters: Any, scale: float, rng: np.random.Generator) -> Any:
        """A normal step of ``scale`` standard deviations, but of no more in the link's units."""
        means = self.link.inward(parameters.means)
        size = np.sqrt(self.variance(means)) / np.maximum(self.link.slope(means), 1e-300)
        step = scale * np.minimum(size, 1.0) * rng.standard_normal(means.shape)
        return self.holder(self.link.bind(self.link.free(means) + step))

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """One mean a column and component."""
        return n_components * n_features

    def sample(
        self, parameters: Any, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """One row for each label (n, d)."""
        return np.asarray(self.draw(parameters.means[labels], rng), dtype=np.float64)

    def features(self, X: Any, moments: Moments) -> Array:
        """The rows about their means in units of their standard deviations."""
        return standard_coordinates(X, moments)

    def n_features(self, parameters: Any) -> int:
        """Number of columns."""
        return int(parameters.means.shape[1])

    def means(self, parameters: Any) -> Array:
        """What each column is expected to be under each component (k, d)."""
        means: Array = parameters.means
        return means

    def variances(self, parameters: Any) -> Array:
        """Variance of each column under each component (k, d)."""
        return self.variance(parameters.means)

    def probabilities(self, parameters: Any) -> tuple[Array | None, ...]:
        """None for each column: its values are numbers."""
        return (None,) * self.n_features(parameters)

    def continuous(self, parameters: Any) -> NDArray[np.bool_]:
        """Which columns have a density (d,): all of real numbers, none of whole ones."""
        return np.full(self.n_features(parameters), self.real)

    def marginal(self, parameters: Any, columns: NDArray[np.integer]) -> tuple[Self, Any]:
        """Some of the columns."""
        return self, self.holder(parameters.means[:, columns])

    def condition(
        self, parameters: Any, columns: NDArray[np.integer], values: Array
    ) -> tuple[Self, Any, Array]:
        """The other columns, which do not hear of the given ones within a component."""
        means = parameters.means
        rest = np.setdiff1d(np.arange(means.shape[1]), columns)
        given = means[:, columns]
        log_density = self.natural(given) @ values - self.log_partition(given).sum(axis=1)
        return *self.marginal(parameters, rest), log_density + np.sum(self.log_base(values))

    def impute(self, parameters: Any, X: Array, resp: Array) -> Array:
        """Missing entries filled by their means, rounded (a half upwards) for whole numbers."""
        expected = resp @ parameters.means
        if not self.real:
            expected = np.floor(expected + 0.5)
        return np.where(np.isnan(X), expected.astype(X.dtype), X)

    def sample_missing(
        self, parameters: Any, X: Array, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """Missing entries drawn from the component of each row."""
        return np.where(np.isnan(X), self.sample(parameters, labels, rng), X)

    def map_columns(self, parameters: Any, scale: Array, shift: Array) -> tuple[Self, Any]:
        """Itself where nothing changes; what columns hold has no other units."""
        if not ((scale == 1.0).all() and (shift == 0.0).all()):
            raise ValueError(f"columns of {self.values} cannot be rescaled")
        return self, parameters

    def pack(self, parameters: Any) -> dict[str, Array]:
        """The means, by the family's word for them."""
        return {self.array: parameters.means}

    def unpack(self, arrays: Mapping[str, Array]) -> Any:
        """Parameters from the means (k, d); ValueError says what does not fit."""
        if self.array not in arrays:
            raise ValueError(f"the array {self.array!r} is missing")
        means = np.asarray(arrays[self.array], dtype=np.float64)
        if means.ndim != 2 or 0 in means.shape:
            shape = means.shape
            raise ValueError(f"{self.array!r} has shape {shape} instead of (components, features)")
        low, high = self.link.lower, self.link.upper
        if not (np.isfinite(means) & (means >= low) & (means <= high)).all():
            raise ValueError(
                f"the array {self.array!r} holds values that are no {self.array} (not finite, or "
                f"not within {low:g} .. {high:g})"
            )
        return self.holder(means)
