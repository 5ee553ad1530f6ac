"""Parameters of Gaussian components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array

__all__ = ["GaussianParameters"]


@dataclass(frozen=True)
class GaussianParameters:
    """Means (k, d), covariances and precision factors in the shape of their structure."""

    means: Array
    covariances: Array
    factors: Array
    shared: bool = False

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> GaussianParameters:
        """The parameters of some of the components, in the given order."""
        chosen = np.asarray(components, dtype=np.intp)
        if self.shared:
            return replace(self, means=self.means[chosen])
        return replace(
            self,
            means=self.means[chosen],
            covariances=self.covariances[chosen],
            factors=self.factors[chosen],
        )

    def put(
        self, components: Sequence[int] | NDArray[np.integer], others: GaussianParameters
    ) -> GaussianParameters:
        """These parameters with some of the components replaced; a shared covariance stays."""
        chosen = np.asarray(components, dtype=np.intp)
        names = ("means",) if self.shared else ("means", "covariances", "factors")
        arrays = {}
        for name in names:
            arrays[name] = getattr(self, name).copy()
            arrays[name][chosen] = getattr(others, name)
        return replace(self, **arrays)
