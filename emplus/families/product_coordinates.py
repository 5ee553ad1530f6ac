"""Parameters of products of families, and their coordinates without constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array, Coordinates
from emplus.families.product_kernel import ProductStatistics

__all__ = ["ProductCoordinates", "ProductParameters"]


@dataclass(frozen=True)
class ProductParameters:
    """The parameters of each part, of the same k components."""

    parts: tuple[Any, ...]

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> ProductParameters:
        """The parameters of some of the components, in the given order."""
        return ProductParameters(tuple(part.take(components) for part in self.parts))

    def put(
        self, components: Sequence[int] | NDArray[np.integer], others: ProductParameters
    ) -> ProductParameters:
        """These parameters with some of the components replaced; what all share stays."""
        pairs = zip(self.parts, others.parts, strict=True)
        return ProductParameters(tuple(mine.put(components, other) for mine, other in pairs))


@final
@dataclass(frozen=True, eq=False)
class ProductCoordinates:
    """The coordinates of the parts, one after the other; the components are independent of each."""

    parts: tuple[Coordinates, ...]
    like: ProductParameters

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        pairs = zip(self.parts, self.like.parts, strict=True)
        return np.cumsum([len(part.free(own)) for part, own in pairs])[:-1]

    def _split(self, vector: Array) -> list[Array]:
        return np.split(vector, self._ends)

    def free(self, parameters: ProductParameters, near: Array | None = None) -> Array:
        """The parts' vectors."""
        before = [None] * len(self.parts) if near is None else self._split(near)
        triples = zip(self.parts, parameters.parts, before, strict=True)
        return np.concatenate([part.free(own, old) for part, own, old in triples])

    def bind(self, vector: Array) -> ProductParameters:
        """The parts' parameters."""
        pairs = zip(self.parts, self._split(vector), strict=True)
        return ProductParameters(tuple(part.bind(own) for part, own in pairs))

    def gradient(
        self, vector: Array, parameters: ProductParameters, statistics: ProductStatistics
    ) -> Array:
        """The parts' gradients."""
        each = zip(self.parts, self._split(vector), parameters.parts, statistics.parts, strict=True)
        return np.concatenate([part.gradient(*own) for part, *own in each])
