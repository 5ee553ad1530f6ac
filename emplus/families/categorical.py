"""Categorical components, as of latent class analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from emplus.errors import ArgumentError
from emplus.families.base import NOWHERE, Array, Coordinates, Kernel, side_by_side
from emplus.families.discrete import (
    CountStatistics,
    Probabilities,
    PseudoCounts,
    clipped_log,
    first_guess,
    implied,
    leave_one_out,
    maximized,
    unpacked,
)
from emplus.families.discrete_coordinates import LevelCoordinates
from emplus.families.features import indicator_coordinates
from emplus.numerics.moments import Moments
from emplus.numerics.workspace import scratch

__all__ = ["Categorical"]

# Levels a column, on average, from which on looking them up is faster than multiplying by zeros.
_MANY_LEVELS = 16


@final
@dataclass(frozen=True)
class Categorical:
    r"""Columns of categories, independent of each other given the component (latent classes).

    .. math:: p(x \mid j) = \prod_a \theta_{j a x_a}, \qquad \sum_l \theta_{jal} = 1

    Equation :eq:`categorical` of the theory page; its M step is :eq:`m-step-counts`.

    Parameters
    ----------
    levels : tuple of int
        Number of categories of each column; rows hold codes 0 .. levels - 1, and NaN or a negative
        number where an entry is missing, which is then left out of the product.

    Raises
    ------
    ArgumentError
        If a column has no categories.

    Notes
    -----
    A pass costs O(n k t) with t the sum of the levels, in matrix products, or O(n k d) where
    columns have many levels. Goodman (1974) gives the EM of latent class analysis.

    Examples
    --------
    >>> Categorical((2, 3)).n_free_parameters(n_components=2, n_features=2)
    6
    """

    levels: tuple[int, ...]

    name: ClassVar[str] = "categorical"
    needs_full_scatter: ClassVar[bool] = False
    parts: ClassVar[tuple[()]] = ()
    pools: ClassVar[bool] = True

    def __post_init__(self) -> None:
        levels = tuple(int(number) for number in self.levels)
        if not levels or min(levels) < 1:
            raise ArgumentError(f"Every column needs at least one category; levels are {levels}.")
        object.__setattr__(self, "levels", levels)

    @cached_property
    def offsets(self) -> NDArray[np.intp]:
        """Where each column's levels begin (d,)."""
        return np.concatenate([[0], np.cumsum(self.levels)[:-1]]).astype(np.intp)

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """The column that each level belongs to (t,)."""
        return np.repeat(np.arange(len(self.levels)), self.levels)

    def config(self) -> dict[str, Any]:
        """The numbers of categories."""
        return {"levels": list(self.levels)}

    def kernel(
        self,
        parameters: Probabilities,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """Matrix products with indicators of the levels, dense or sparse."""
        return _CategoricalKernel(self, parameters.probabilities, log_weights, np.dtype(dtype))

    def maximize(self, statistics: CountStatistics, prior: PseudoCounts) -> Probabilities:
        """theta_j = (N_j + m f) / (n_j + m), column by column."""
        return maximized(statistics, prior)

    def leave_one_out(self, statistics: CountStatistics, prior: PseudoCounts) -> float:
        """How well the rows are foretold by each other under the prior."""
        return leave_one_out(statistics, prior)

    def counted(self, weight: Array, counts: Array) -> CountStatistics:
        """Statistics from the weights of the levels (k, t)."""
        observed = np.add.reduceat(counts, self.offsets, axis=1)[:, self.groups]
        return CountStatistics(weight, counts, observed)

    def implied(
        self, parameters: Probabilities, weight: Array, prior: PseudoCounts
    ) -> CountStatistics:
        """N_j = (n_j + m) theta_j - m f."""
        found = implied(parameters, weight, prior)
        # Under another prior than theirs some counts would be below 0; a column's still sum to n_j.
        totals = np.add.reduceat(found.counts, self.offsets, axis=1)[:, self.groups]
        shares = found.observed / np.where(totals > 0, totals, 1.0)
        return replace(found, counts=found.counts * shares)

    def estimate(self, X: Array, resp: Array, prior: PseudoCounts) -> Probabilities:
        """Weighted frequencies of each component's rows; O(n k d)."""
        resp = resp.astype(np.float64, copy=False)
        counts = np.asarray((self.indicators(X).T @ resp).T)
        return first_guess(self.counted(resp.sum(axis=0), counts), prior)

    def indicators(self, X: Array, dtype: Any = np.float64) -> csr_array:
        """Which levels the rows hold, (n, t) of zeros and ones."""
        known = X >= 0
        indices = (np.where(known, X, 0).astype(np.intp) + self.offsets)[known]
        pointers = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        ones = np.ones(len(indices), dtype=dtype)
        return csr_array((ones, indices, pointers), shape=(len(X), len(self.groups)))

    def hold(self, parameters: Probabilities) -> Categorical:
        """Itself: nothing is shared."""
        return self

    def default_prior(
        self, moments: Moments, strength: float, spread: Array | None = None
    ) -> PseudoCounts:
        """``strength`` pseudo-rows with the frequencies of the levels."""
        counts = np.zeros(len(self.groups)) if moments.counts is None else moments.counts
        total = np.add.reduceat(counts, self.offsets)[self.groups]
        even = 1.0 / np.asarray(self.levels, dtype=np.float64)[self.groups]
        return PseudoCounts(float(strength), (counts + even) / (total + 1.0))

    def log_prior(self, parameters: Probabilities, prior: PseudoCounts) -> Array:
        """M sum f log theta for each component (k,)."""
        log_prior: Array = clipped_log(parameters.probabilities) @ prior.frequencies
        return prior.strength * log_prior

    def coordinates(
        self, parameters: Probabilities, moments: Moments, prior: PseudoCounts
    ) -> Coordinates:
        """Logarithms of the probabilities."""
        return LevelCoordinates(parameters.probabilities.shape, self.offsets, self.groups, prior)

    def average(self, parameters: Probabilities, weights: Array) -> Probabilities:
        """The weighted average of the probabilities, as one component."""
        return Probabilities((weights / weights.sum()) @ parameters.probabilities[None])

    def perturb(
        self, parameters: Probabilities, scale: float, rng: np.random.Generator
    ) -> Probabilities:
        """Probabilities drawn towards equal ones, times exp of a normal step of ``scale``."""
        even = 1.0 / np.asarray(self.levels, dtype=np.float64)[self.groups]
        theta = 0.5 * even + 0.5 * parameters.probabilities
        theta = theta * np.exp(scale * rng.standard_normal(theta.shape))
        theta /= np.add.reduceat(theta, self.offsets, axis=1)[:, self.groups]
        return Probabilities(theta)

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """One probability for each level but one of a column."""
        return n_components * (sum(self.levels) - len(self.levels))

    def sample(
        self, parameters: Probabilities, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """One row of codes for each label (n, d)."""
        rows = np.empty((len(labels), len(self.levels)))
        for column, (start, number) in enumerate(zip(self.offsets, self.levels, strict=True)):
            upper = np.cumsum(parameters.probabilities[:, start : start + number], axis=1)
            drawn = rng.random(len(labels)) * upper[labels, -1]
            rows[:, column] = (drawn[:, None] >= upper[labels, :-1]).sum(axis=1)
        return rows

    def features(self, X: Array, moments: Moments) -> Array:
        """A coordinate for each level, every column scaled to the same variance in all."""
        counts = np.ones(len(self.groups)) if moments.counts is None else moments.counts
        return indicator_coordinates(X, self.levels, counts)

    def n_features(self, parameters: Probabilities) -> int:
        """Number of columns."""
        return len(self.levels)

    def means(self, parameters: Probabilities) -> Array:
        """Categories have no mean: NaN (k, d)."""
        return np.full((len(parameters.probabilities), len(self.levels)), np.nan)

    def probabilities(self, parameters: Probabilities) -> tuple[Array, ...]:
        """Probabilities (k, L) of the levels of each column."""
        return tuple(np.split(parameters.probabilities, self.offsets[1:], axis=1))

    def variances(self, parameters: Probabilities) -> Array:
        """How much each column varies under each component: sum_l theta (1 - theta) (k, d)."""
        theta = parameters.probabilities
        variances: Array = np.add.reduceat(theta * (1.0 - theta), self.offsets, axis=1)
        return variances

    def continuous(self, parameters: Probabilities) -> NDArray[np.bool_]:
        """Which columns have a density (d,): none."""
        return np.zeros(len(self.levels), dtype=bool)

    def marginal(
        self, parameters: Probabilities, columns: NDArray[np.integer]
    ) -> tuple[Categorical, Probabilities]:
        """Some of the columns."""
        levels = tuple(self.levels[int(column)] for column in columns)
        begin = self.offsets[columns]
        places = [np.arange(at, at + number) for at, number in zip(begin, levels, strict=True)]
        family = Categorical(levels)
        return family, Probabilities(parameters.probabilities[:, np.concatenate(places)])

    def condition(
        self, parameters: Probabilities, columns: NDArray[np.integer], values: Array
    ) -> tuple[Categorical, Probabilities, Array]:
        """The other columns, which do not hear of the given ones within a component."""
        rest = np.setdiff1d(np.arange(len(self.levels)), columns)
        family, given = self.marginal(parameters, columns)
        numbers = np.asarray(family.levels)
        if not ((values >= 0) & (values < numbers) & (values == np.floor(values))).all():
            raise ArgumentError("A value given is not the code of a category of its column.")
        places = family.offsets + values.astype(np.intp)
        log_density = clipped_log(given.probabilities[:, places]).sum(axis=1)
        return *self.marginal(parameters, rest), log_density

    def impute(self, parameters: Probabilities, X: Array, resp: Array) -> Array:
        """Missing entries filled by the likeliest category; O(n k t)."""
        expected = resp @ parameters.probabilities
        filled = X.copy()
        for column, (start, number) in enumerate(zip(self.offsets, self.levels, strict=True)):
            missing = ~(X[:, column] >= 0)
            filled[missing, column] = expected[missing, start : start + number].argmax(axis=1)
        return filled

    def sample_missing(
        self,
        parameters: Probabilities,
        X: Array,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """Missing entries drawn from the component of each row."""
        return np.where(X >= 0, X, self.sample(parameters, labels, rng))

    def map_columns(
        self, parameters: Probabilities, scale: Array, shift: Array
    ) -> tuple[Categorical, Probabilities]:
        """Itself where nothing changes; categories have no units."""
        if not ((scale == 1.0).all() and (shift == 0.0).all()):
            raise ValueError("columns of categories cannot be rescaled")
        return self, parameters

    def pack(self, parameters: Probabilities) -> dict[str, Array]:
        """The probabilities of the levels, column after column."""
        return {"probabilities": parameters.probabilities}

    def unpack(self, arrays: Mapping[str, Array]) -> Probabilities:
        """Parameters from ``probabilities`` (k, t); ValueError says what does not fit."""
        # The sum before anything as long as the levels say is made.
        found = unpacked(arrays, sum(self.levels))
        totals = np.add.reduceat(found.probabilities, self.offsets, axis=1)
        if not np.allclose(totals, 1.0, rtol=0.0, atol=1e-6):
            raise ValueError("the 'probabilities' of a column do not sum to 1")
        return found


class _CategoricalKernel:
    """Blocks as indicators of levels, dense and transposed (t, b), or sparse (b, t)."""

    log_common = 0.0
    n_sums = 2

    def __init__(
        self,
        family: Categorical,
        probabilities: Array,
        log_weights: Array,
        dtype: np.dtype[Any],
    ):
        self._family = family
        self._logs = clipped_log(probabilities).astype(dtype)
        self._constants = np.maximum(log_weights, NOWHERE).astype(dtype)
        self._sparse = len(family.groups) > _MANY_LEVELS * len(family.levels)
        largest = np.maximum.reduceat(np.abs(self._logs), family.offsets, axis=1)
        size = float(largest.sum(axis=1).max(initial=0.0))
        self.loss = float(np.finfo(dtype).eps) * size

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, levels = self._logs.shape
        return int((2 * len(self._family.levels) if self._sparse else levels) + 2 * k)

    def encode(self, X: Array) -> Any:
        """Which levels the rows hold."""
        if self._sparse:
            return self._family.indicators(X, self._logs.dtype)
        b, d = X.shape
        levels = self._logs.shape[1]
        places = scratch("places", (b, d), np.intp)
        known = X >= 0
        with np.errstate(invalid="ignore"):
            np.copyto(places, X, casting="unsafe")
        places += self._family.offsets
        # What is missing goes to a level beyond the last, which nothing looks at.
        np.copyto(places, levels, where=~known)
        rows = scratch("rows", (levels + 1, b), self._logs.dtype)
        rows.fill(0.0)
        rows[places, np.arange(b)[:, None]] = 1.0
        return rows[:levels]

    def log_joint(self, rows: Any) -> Array:
        """Joint log densities (b, k)."""
        b = rows.shape[0] if self._sparse else rows.shape[1]
        joint = scratch("joint", (len(self._logs), b), self._logs.dtype)
        if self._sparse:
            joint[...] = (rows @ self._logs.T).T
        else:
            np.dot(self._logs, rows, out=joint)
        joint += self._constants[:, None]
        return joint.T

    def common(self, rows: Any) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def sums(self, rows: Any, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and weights of the levels (k, t)."""
        counts = rows.T @ resp if self._sparse else np.dot(rows, resp)
        weight = resp.sum(axis=0, dtype=np.float64)
        return weight, np.asarray(counts).T.astype(np.float64, order="C")

    def statistics(self, sums: tuple[Array, ...]) -> CountStatistics:
        """The sums of all blocks, read as statistics."""
        return self._family.counted(*sums)

    def take(self, components: slice | NDArray[np.integer]) -> _CategoricalKernel:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_logs", "_constants"):
            setattr(taken, name, getattr(self, name)[components])
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)
