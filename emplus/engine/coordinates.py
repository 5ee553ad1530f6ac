"""A mixture in coordinates without constraints: its weights, then its components."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.engine.problem import Problem, State
from emplus.families.base import SingularComponentError
from emplus.mixture import Mixture

__all__ = ["MixtureCoordinates"]

Array = NDArray[np.floating]

# Logarithm of a weight from which on a component counts as empty.
_NO_WEIGHT = -700.0
# Logits that may part at once.
_FARTHEST_LOGITS = 3.0
# Coordinates of this size, in units of the columns, leave squares far from overflow.
_FARTHEST = 1e30


@final
class MixtureCoordinates:
    """Log-softmax weights and the family's coordinates, one vector (p,).

    Parameters
    ----------
    problem : Problem
    mixture : Mixture
        The shapes of its parameters are those of all vectors.
    """

    def __init__(self, problem: Problem, mixture: Mixture):
        self._family, self._k = problem.family, mixture.n_components
        self._components = problem.family.coordinates(
            mixture.parameters, problem.moments, problem.prior
        )

    def free(self, mixture: Mixture, near: Array | None = None) -> Array:
        """The vector of a mixture, as near as it can be to the vector ``near``."""
        logits = np.maximum(mixture.log_weights, _NO_WEIGHT)
        if near is None:
            return np.concatenate([logits, self._components.free(mixture.parameters)])
        # A constant in all logits changes nothing.
        logits = logits + (near[: self._k] - logits).mean()
        components = self._components.free(mixture.parameters, near[self._k :])
        return np.concatenate([logits, components])

    def bind(self, vector: Array) -> Mixture:
        """The mixture of a vector.

        Raises
        ------
        SingularComponentError
            If numbers overflow there.
        """
        logits = vector[: self._k]
        if not np.abs(vector).max(initial=0.0) < _FARTHEST:
            raise SingularComponentError(0, "its coordinates are out of all bounds")
        log_weights = logits - np.logaddexp.reduce(logits)
        log_weights[log_weights <= _NO_WEIGHT] = -np.inf
        return Mixture(self._family, log_weights, self._components.bind(vector[self._k :]))

    def furthest(self, step: Array) -> float:
        """How much of a step (p,) may be taken, at most 1, for no component to lose its rows.

        One whose weight has come to nothing never comes back; so no weight is to fall to less than
        a twentieth, beside the others, at once.
        """
        logits = step[: self._k]
        spread = float(logits.max() - logits.min())
        return min(1.0, _FARTHEST_LOGITS / spread) if spread > 0.0 else 1.0

    def gradient(self, vector: Array, state: State) -> Array:
        """The gradient (p,) of the objective at ``vector``, whose mixture the state holds.

        That of the logits is sum_i r_ij - n w_j.
        """
        weight = state.statistics.weight
        by_logits = weight - weight.sum() * np.exp(state.mixture.log_weights)
        by_components = self._components.gradient(
            vector[self._k :], state.mixture.parameters, state.statistics
        )
        return np.concatenate([by_logits, by_components])
