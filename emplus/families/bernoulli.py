"""Bernoulli components: columns of zeros and ones, independent given the component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, Coordinates, Kernel, side_by_side
from emplus.families.discrete import (
    CountStatistics,
    Probabilities,
    PseudoCounts,
    clipped_log,
    clipped_log_rest,
    first_guess,
    implied,
    leave_one_out,
    maximized,
    unpacked,
)
from emplus.families.discrete_coordinates import Logits
from emplus.families.features import standard_coordinates
from emplus.numerics.moments import Moments
from emplus.numerics.sparse import is_sparse
from emplus.numerics.workspace import scratch

__all__ = ["Bernoulli"]


@final
@dataclass(frozen=True)
class Bernoulli:
    r"""Columns of zeros and ones, independent of each other given the component.

    .. math:: p(x \mid j) = \prod_a \theta_{ja}^{x_a} (1 - \theta_{ja})^{1 - x_a}

    Notes
    -----
    Missing entries (NaN) are left out of the product. Rows may be boolean, of whole numbers or
    sparse (CSR); they are turned into floating point numbers block by block, sparse ones never.
    A pass costs O(n k d), and O(k z) with z ones in sparse rows.

    Examples
    --------
    >>> Bernoulli().n_free_parameters(n_components=3, n_features=10)
    30
    """

    name: ClassVar[str] = "bernoulli"
    needs_full_scatter: ClassVar[bool] = False
    levels: ClassVar[tuple[int, ...]] = ()
    parts: ClassVar[tuple[()]] = ()
    pools: ClassVar[bool] = True

    def config(self) -> dict[str, Any]:
        """There is nothing to choose."""
        return {}

    def kernel(
        self,
        parameters: Probabilities,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """Matrix products with logits, or with both logarithms where entries are missing."""
        made = _Incomplete if moments.missing else _Complete
        return made(parameters.probabilities, log_weights, np.dtype(dtype))

    def maximize(self, statistics: CountStatistics, prior: PseudoCounts) -> Probabilities:
        """theta_j = (N_j + m f) / (n_j + m)."""
        return maximized(statistics, prior)

    def leave_one_out(self, statistics: CountStatistics, prior: PseudoCounts) -> float:
        """How well the rows are foretold by each other under the prior."""
        ones, rest = statistics, statistics.observed - statistics.counts
        zeros = CountStatistics(statistics.weight, rest, statistics.observed)
        opposite = PseudoCounts(prior.strength, 1.0 - prior.frequencies)
        return leave_one_out(ones, prior) + leave_one_out(zeros, opposite)

    def implied(
        self, parameters: Probabilities, weight: Array, prior: PseudoCounts
    ) -> CountStatistics:
        """N_j = (n_j + m) theta_j - m f."""
        return implied(parameters, weight, prior)

    def estimate(self, X: Any, resp: Array, prior: PseudoCounts) -> Probabilities:
        """Weighted frequencies of each component's rows; O(n k d)."""
        return first_guess(_counted(X, resp), prior)

    def hold(self, parameters: Probabilities) -> Bernoulli:
        """Itself: nothing is shared."""
        return self

    def default_prior(
        self, moments: Moments, strength: float, spread: Array | None = None
    ) -> PseudoCounts:
        """``strength`` pseudo-rows with the columns' frequencies."""
        ones = moments.mean * moments.present
        return PseudoCounts(float(strength), (ones + 0.5) / (moments.present + 1.0))

    def log_prior(self, parameters: Probabilities, prior: PseudoCounts) -> Array:
        """M sum_a (f log theta + (1 - f) log(1 - theta)) for each component (k,)."""
        theta, f = parameters.probabilities, prior.frequencies
        log_prior: Array = clipped_log(theta) @ f + clipped_log_rest(theta) @ (1.0 - f)
        return prior.strength * log_prior

    def coordinates(
        self, parameters: Probabilities, moments: Moments, prior: PseudoCounts
    ) -> Coordinates:
        """Logits."""
        return Logits(parameters.probabilities.shape, prior)

    def average(self, parameters: Probabilities, weights: Array) -> Probabilities:
        """The weighted average of the probabilities, as one component."""
        return Probabilities((weights / weights.sum()) @ parameters.probabilities[None])

    def perturb(
        self, parameters: Probabilities, scale: float, rng: np.random.Generator
    ) -> Probabilities:
        """A normal step of ``scale`` in every logit, from probabilities drawn towards 1/2."""
        theta = 0.25 + 0.5 * parameters.probabilities
        logits = np.log(theta / (1.0 - theta))
        logits += scale * rng.standard_normal(theta.shape)
        return Probabilities(1.0 / (1.0 + np.exp(-logits)))

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """One probability a column and component."""
        return n_components * n_features

    def sample(
        self, parameters: Probabilities, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """One row of zeros and ones for each label (n, d)."""
        theta = parameters.probabilities
        ones: Array = (rng.random((len(labels), theta.shape[1])) < theta[labels]).astype(np.float64)
        return ones

    def features(self, X: Any, moments: Moments) -> Array:
        """The rows about their means in units of their standard deviations."""
        return standard_coordinates(X, moments)

    def n_features(self, parameters: Probabilities) -> int:
        """Number of columns."""
        return int(parameters.probabilities.shape[1])

    def variances(self, parameters: Probabilities) -> Array:
        """Variance of each column under each component (k, d)."""
        theta = parameters.probabilities
        return theta * (1.0 - theta)

    def continuous(self, parameters: Probabilities) -> NDArray[np.bool_]:
        """Which columns have a density (d,): none."""
        return np.zeros(parameters.probabilities.shape[1], dtype=bool)

    def marginal(
        self, parameters: Probabilities, columns: NDArray[np.integer]
    ) -> tuple[Bernoulli, Probabilities]:
        """Some of the columns."""
        return self, Probabilities(parameters.probabilities[:, columns])

    def condition(
        self, parameters: Probabilities, columns: NDArray[np.integer], values: Array
    ) -> tuple[Bernoulli, Probabilities, Array]:
        """The other columns, which do not hear of the given ones within a component."""
        theta = parameters.probabilities
        rest = np.setdiff1d(np.arange(theta.shape[1]), columns)
        given = theta[:, columns]
        log_density = clipped_log(given) @ values + clipped_log_rest(given) @ (1.0 - values)
        return *self.marginal(parameters, rest), log_density

    def impute(self, parameters: Probabilities, X: Array, resp: Array) -> Array:
        """Missing entries filled by the likelier value (ties: 1); O(n k d)."""
        expected = resp @ parameters.probabilities
        return np.where(np.isnan(X), (expected >= 0.5).astype(X.dtype), X)

    def sample_missing(
        self,
        parameters: Probabilities,
        X: Array,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """Missing entries drawn from the component of each row."""
        return np.where(np.isnan(X), self.sample(parameters, labels, rng), X)

    def map_columns(
        self, parameters: Probabilities, scale: Array, shift: Array
    ) -> tuple[Bernoulli, Probabilities]:
        """Itself where nothing changes; zeros and ones have no other units."""
        if not ((scale == 1.0).all() and (shift == 0.0).all()):
            raise ValueError("columns of zeros and ones cannot be rescaled")
        return self, parameters

    def pack(self, parameters: Probabilities) -> dict[str, Array]:
        """The probabilities of a 1."""
        return {"probabilities": parameters.probabilities}

    def unpack(self, arrays: Mapping[str, Array]) -> Probabilities:
        """Parameters from ``probabilities`` (k, d); ValueError says what does not fit."""
        return unpacked(arrays, None)


def _counted(X: Any, resp: Array) -> CountStatistics:
    resp = resp.astype(np.float64, copy=False)
    weight = resp.sum(axis=0)
    if is_sparse(X):
        counts = np.asarray((X.T.astype(np.float64) @ resp).T)
        return CountStatistics(weight, counts, np.broadcast_to(weight[:, None], counts.shape))
    rows = X.astype(np.float64, copy=False)
    missing = np.isnan(rows)
    if not missing.any():
        counts = resp.T @ rows
        return CountStatistics(weight, counts, np.broadcast_to(weight[:, None], counts.shape))
    return CountStatistics(weight, resp.T @ np.where(missing, 0.0, rows), resp.T @ ~missing)


class _BernoulliKernel:
    """What both kernels share."""

    log_common = 0.0

    def __init__(self, probabilities: Array, log_weights: Array, dtype: np.dtype[Any]):
        self._ones = clipped_log(probabilities).astype(dtype)
        self._zeros = clipped_log_rest(probabilities).astype(dtype)
        self._constants = np.maximum(log_weights, NOWHERE).astype(dtype)
        size = np.maximum(np.abs(self._ones), np.abs(self._zeros)).sum(axis=1).max(initial=0.0)
        self.loss = float(np.finfo(dtype).eps) * float(size)

    def common(self, rows: Any) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def take(self, components: slice | NDArray[np.integer]) -> Any:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_ones", "_zeros", "_constants"):
            setattr(taken, name, getattr(self, name)[components])
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


class _Complete(_BernoulliKernel):
    """Nothing is missing: log p(x | j) = sum log(1 - theta) + x'logit(theta)."""

    n_sums = 2

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._ones.shape
        return int(d + 2 * k)

    def encode(self, X: Any) -> Any:
        """The rows in floating point; sparse ones as they are."""
        if is_sparse(X):
            return X.astype(self._ones.dtype, copy=False)
        if X.dtype == self._ones.dtype:
            return X
        rows = scratch("rows", X.shape, self._ones.dtype)
        rows[...] = X
        return rows

    def log_joint(self, rows: Any) -> Array:
        """Joint log densities (b, k)."""
        logits = self._ones - self._zeros
        constants = self._constants + self._zeros.sum(axis=1)
        joint = scratch("joint", (len(logits), rows.shape[0]), logits.dtype)
        if is_sparse(rows):
            joint[...] = (rows @ logits.T).T
        else:
            np.dot(logits, rows.T, out=joint)
        joint += constants[:, None]
        return joint.T

    def sums(self, rows: Any, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and weights of the ones (k, d)."""
        weight = resp.sum(axis=0, dtype=np.float64)
        counts = rows.T @ resp if is_sparse(rows) else np.dot(rows.T, resp)
        return weight, np.asarray(counts).T.astype(np.float64, order="C")

    def statistics(self, sums: tuple[Array, ...]) -> CountStatistics:
        """The sums of all blocks, read as statistics."""
        weight, counts = sums
        return CountStatistics(weight, counts, np.broadcast_to(weight[:, None], counts.shape))


class _Incomplete(_BernoulliKernel):
    """Some entries are missing: ones and zeros are counted by themselves."""

    n_sums = 2

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._ones.shape
        return int(2 * d + 2 * k)

    def encode(self, X: Array) -> Array:
        """The ones of the rows, and beside them the zeros (b, 2 d)."""
        b, d = X.shape
        rows = scratch("rows", (b, 2 * d), self._ones.dtype)
        np.subtract(1.0, X, out=rows[:, d:])
        rows[:, :d] = X
        np.nan_to_num(rows, copy=False, nan=0.0)
        return rows

    def log_joint(self, rows: Array) -> Array:
        """Joint log densities (b, k) of what is there."""
        joint = scratch("joint", (len(self._ones), len(rows)), rows.dtype)
        np.dot(np.concatenate([self._ones, self._zeros], axis=1), rows.T, out=joint)
        joint += self._constants[:, None]
        return joint.T

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and weights of the ones and of the zeros (k, 2 d)."""
        counts = np.dot(rows.T, resp).T.astype(np.float64, order="C")
        return resp.sum(axis=0, dtype=np.float64), counts

    def statistics(self, sums: tuple[Array, ...]) -> CountStatistics:
        """The sums of all blocks, read as statistics."""
        weight, counts = sums
        ones, zeros = np.split(counts, 2, axis=1)
        return CountStatistics(weight, ones, ones + zeros)
