"""The centred way of a Gaussian pass: exact, and fast where there are many columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.covariance import Covariance
from emplus.families.gaussian_statistics import GaussianStatistics
from emplus.numerics.workspace import scratch

__all__ = ["LOG_TWO_PI", "CentredKernel"]

LOG_TWO_PI = float(np.log(2.0 * np.pi))


class CentredKernel:
    """log p(x, j) from each component's own deviations x - mu_j: exact, and fast for d >> k."""

    log_common = 0.0
    n_sums = 2

    def __init__(
        self,
        covariance: Covariance,
        means: Array,
        factors: Array,
        log_weights: Array,
        dtype: np.dtype[Any],
        reach: Array,
    ):
        d = means.shape[1]
        self._covariance, self._means = covariance, means
        self._origins, self._factors = means.astype(dtype), factors.astype(dtype)
        # float32 rows far from zero are coarser than their mean: what rounding the mean leaves
        # out is taken off in a second step, where it is no longer small against anything.
        remainders = (means - self._origins).astype(dtype)
        self._remainders = remainders if remainders.any() else None
        # A deviation's rounding grows with the factor, and is met once more by the deviation's own
        # length, whose mean square is d. The scatter's rounding turns the next maximum by an angle
        # that costs its square.
        spread = float((covariance.precision_diagonal(factors, d) @ reach**2).max())
        eps = float(np.finfo(dtype).eps)
        self.loss = eps * (d * spread) ** 0.5 + min(1.0, 0.25 * eps * spread) ** 2
        half_log_det = covariance.half_log_det(factors, d)
        self._constants = log_weights + half_log_det - 0.5 * d * LOG_TWO_PI

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._means.shape
        # The factors are read anew for every block, which pays off for long ones only.
        return int(d // 2 + 2 * k)

    def encode(self, X: Array) -> Array:
        """The rows as they are, one after the other in memory."""
        return np.ascontiguousarray(X, dtype=self._origins.dtype)

    def _arrays(self, rows: Array) -> tuple[Array, Array]:
        return (
            scratch("deviations", rows.shape, rows.dtype),
            scratch("white", rows.shape, rows.dtype),
        )

    def _deviate(self, rows: Array, j: int, out: Array) -> None:
        np.subtract(rows, self._origins[j], out=out)
        if self._remainders is not None:
            out -= self._remainders[j]

    def log_joint(self, rows: Array) -> Array:
        """Joint log densities (b, k), without what is common to all components."""
        joint = scratch("joint", (len(self._means), len(rows)), rows.dtype)
        deviations, white = self._arrays(rows)
        for j in range(len(self._means)):
            self._deviate(rows, j, deviations)
            self._covariance.whiten(deviations, self._factors, j, white)
            np.einsum("ij,ij->i", white, white, out=joint[j])
        joint *= -0.5
        joint += self._constants[:, None].astype(joint.dtype)
        return joint.T

    def common(self, rows: Array) -> Array | float:
        """What ``log_joint`` left out of each row."""
        return 0.0

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        """Weighted sums over the block."""
        k, d = self._means.shape
        first = np.empty((k, d + 1))
        first[:, 0] = resp.sum(axis=0, dtype=np.float64)
        shared = self._covariance.shared
        second = np.zeros(self._covariance.shape(k, d))
        deviations, white = self._arrays(rows)
        for j in range(k):
            self._deviate(rows, j, deviations)
            first[j, 1:] = np.dot(resp[:, j], deviations)
            outer = self._covariance.weighted_outer(deviations, resp[:, j], white)
            if shared:
                second += outer
            else:
                second[j] = outer
        return first, second

    def statistics(self, sums: tuple[Array, ...]) -> GaussianStatistics:
        """The sums of all blocks, read as Gaussian statistics."""
        first, second = sums
        return GaussianStatistics(self._covariance, first[:, 0], first[:, 1:], second, self._means)

    def take(self, components: slice | NDArray[np.integer]) -> CentredKernel:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_means", "_origins", "_constants"):
            setattr(taken, name, getattr(self, name)[components])
        if not self._covariance.shared:
            taken._factors = self._factors[components]
        if self._remainders is not None:
            taken._remainders = self._remainders[components]
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        first = np.concatenate([part[0] for part in parts])
        seconds = [part[1] for part in parts]
        if self._covariance.shared:
            return first, np.sum(seconds, axis=0)
        return first, np.concatenate(seconds)
