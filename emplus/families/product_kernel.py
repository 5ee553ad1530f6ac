"""A pass over rows whose columns are split among several families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array, Family, Kernel
from emplus.numerics.moments import Moments
from emplus.numerics.workspace import scratch_of

__all__ = ["ProductKernel", "ProductStatistics", "log_densities"]


@dataclass(frozen=True)
class ProductStatistics:
    """The statistics of each part, of the same k components."""

    parts: tuple[Any, ...]

    @property
    def weight(self) -> Array:
        """Sum of responsibilities times row weights of each component (k,)."""
        weight: Array = self.parts[0].weight
        return weight

    def __add__(self, other: ProductStatistics) -> ProductStatistics:
        pairs = zip(self.parts, other.parts, strict=True)
        return ProductStatistics(tuple(mine + others for mine, others in pairs))

    def scaled(self, factor: float) -> ProductStatistics:
        """Statistics as of ``factor`` times as many rows."""
        return ProductStatistics(tuple(part.scaled(factor) for part in self.parts))

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> ProductStatistics:
        """The statistics of some of the components."""
        return ProductStatistics(tuple(part.take(components) for part in self.parts))


class ProductKernel:
    """The kernels of the parts, each on its own columns and with its own scratch arrays."""

    def __init__(self, kernels: tuple[Kernel, ...], columns: tuple[NDArray[np.intp], ...]):
        self._kernels, self._columns = kernels, columns
        ends = list(accumulate((kernel.n_sums for kernel in kernels), initial=0))
        self._places = [slice(a, b) for a, b in pairwise(ends)]
        self.n_sums = ends[-1]
        self.loss = sum(kernel.loss for kernel in kernels)

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        return sum(kernel.width for kernel in self._kernels)

    @property
    def log_common(self) -> float:
        """The sum of ``common`` over all rows."""
        return sum(kernel.log_common for kernel in self._kernels)

    def encode(self, X: Array) -> list[Any]:
        """Each part's columns, as its kernel wants them."""
        rows = []
        for part, (kernel, columns) in enumerate(zip(self._kernels, self._columns, strict=True)):
            with scratch_of(str(part)):
                rows.append(kernel.encode(X[:, columns]))
        return rows

    def log_joint(self, rows: list[Any]) -> Array:
        """Joint log densities (b, k)."""
        joint: Any = None
        for part, (kernel, own) in enumerate(zip(self._kernels, rows, strict=True)):
            with scratch_of(str(part)):
                more = kernel.log_joint(own)
            if joint is None:
                joint = more
            else:
                joint += more
        whole: Array = joint
        return whole

    def common(self, rows: list[Any]) -> Array | float:
        """What ``log_joint`` left out of each row."""
        total: Array | float = 0.0
        for part, (kernel, own) in enumerate(zip(self._kernels, rows, strict=True)):
            with scratch_of(str(part)):
                total = total + kernel.common(own)
        return total

    def sums(self, rows: list[Any], resp: Array) -> tuple[Array, ...]:
        """The parts' sums, one after the other."""
        sums: list[Array] = []
        for part, (kernel, own) in enumerate(zip(self._kernels, rows, strict=True)):
            with scratch_of(str(part)):
                sums += kernel.sums(own, resp)
        return tuple(sums)

    def statistics(self, sums: tuple[Array, ...]) -> ProductStatistics:
        """The sums of all blocks, read as statistics."""
        pairs = zip(self._kernels, self._places, strict=True)
        return ProductStatistics(tuple(kernel.statistics(sums[own]) for kernel, own in pairs))

    def take(self, components: slice | NDArray[np.integer]) -> ProductKernel:
        """The same pass for some of the components."""
        return ProductKernel(tuple(one.take(components) for one in self._kernels), self._columns)

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        joined: list[Array] = []
        for kernel, own in zip(self._kernels, self._places, strict=True):
            joined += kernel.join([sums[own] for sums in parts])
        return tuple(joined)


def log_densities(family: Family, parameters: Any, row: Array) -> Array:
    """Log p(row | j) of one whole row (d,) under each component (k,)."""
    rows = row[None, :]
    k = len(family.variances(parameters))
    kernel = family.kernel(parameters, np.zeros(k), Moments.of(rows), rows.dtype, scoring=True)
    encoded = kernel.encode(rows)
    joint = kernel.log_joint(encoded) + np.reshape(kernel.common(encoded), (-1, 1))
    return np.array(joint[0])
