"""What a fitted estimator says of rows: components, densities, criteria."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.data.memory import ArraySource
from emplus.estimators.validation import check_sample_weight
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize

__all__ = ["Measures"]

Array = NDArray[np.floating]


class Measures(ABC):
    """Assigns and scores rows by the fitted ``mixture_``."""

    mixture_: Mixture

    @abstractmethod
    def _rows(self, X: Any) -> ArraySource:
        """The rows of a table, once the estimator is known to be fitted."""

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The most responsible component of each row (n,)."""
        labels: NDArray[np.intp] = np.argmax(self._log_joint(X), axis=1)
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Responsibilities of the components for each row (n, k); rows sum to 1."""
        joint = self._log_joint(X)
        log_normalize(joint)
        return joint

    def score_samples(self, X: Any) -> Array:
        """Log density of each row (n,), in nats."""
        return self._rows(X).map_rows(self.mixture_.log_density)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Weighted mean of the log densities of the rows, in nats a row."""
        log_density = self.score_samples(X)
        weight = check_sample_weight(sample_weight, len(log_density))
        return float(np.average(log_density, weights=weight))

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion on ``X``, lower is better."""
        total, _, _ = self._totals(X, sample_weight)
        return -2.0 * total + 2.0 * self.mixture_.n_free_parameters

    def bic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Schwarz's criterion on ``X``, lower is better; rows are counted by their weights."""
        total, weight, _ = self._totals(X, sample_weight)
        return -2.0 * total + self.mixture_.n_free_parameters * float(np.log(weight))

    def icl(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood on ``X`` (Biernacki, Celeux & Govaert 2000).

        BIC plus twice the surprise of giving each row to its most responsible component, as
        mclust counts it; lower is better. It prefers components that do not overlap.
        """
        _, _, surprise = self._totals(X, sample_weight)
        return self.bic(X, sample_weight) + 2.0 * surprise

    def _totals(self, X: Any, sample_weight: ArrayLike | None) -> tuple[float, float, float]:
        joint = self._log_joint(X)
        weight = check_sample_weight(sample_weight, len(joint))
        counts = np.ones(len(joint)) if weight is None else weight
        log_density = log_normalize(joint)
        surprise = -float(np.log(joint.max(axis=1)) @ counts)
        return float(log_density @ counts), float(counts.sum()), surprise

    def _log_joint(self, X: Any) -> Array:
        return self._rows(X).map_rows(self.mixture_.log_joint)
