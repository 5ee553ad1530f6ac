"""Starts that are told something: responsibilities at random, labels, parameters, a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array
from emplus.engine.problem import Problem
from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_or_minus_infinity
from emplus.starts.base import (
    Start,
    chosen_numbers,
    chosen_rows,
    hard_responsibilities,
    standardized,
)
from emplus.starts.centres import from_centres, nearest, plus_plus

__all__ = [
    "GivenLabels",
    "GivenMixture",
    "GivenParameters",
    "KnownLabels",
    "RandomResponsibilities",
]


@final
class RandomResponsibilities:
    """Responsibilities drawn uniformly, then scaled to sum to 1: components start nearly alike."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """A mixture of components that are nearly alike."""
        X, weight = chosen_rows(problem, n_components, rng)
        resp = rng.random((X.shape[0], n_components))
        resp *= (weight / resp.sum(axis=1))[:, None]
        return problem.estimate(X, resp)


@final
@dataclass(frozen=True)
class GivenLabels:
    """Each component starts from the rows with its label.

    Parameters
    ----------
    labels : (n,) ndarray of int
        Component 0 .. k - 1 of each row; -1 where it is not known (such rows are left out).
    """

    labels: NDArray[np.integer]

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """A mixture estimated from the labelled rows."""
        labels = np.asarray(self.labels)
        n = problem.source.n_rows
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            raise ArgumentError(f"Labels must be {n} whole numbers, one for each row.")
        if labels.min() < -1 or labels.max() >= n_components:
            raise ArgumentError(f"Labels must lie in -1 .. {n_components - 1} (-1 is not known).")
        if problem.source.order is not None:
            labels = labels[problem.source.order]
        known = np.flatnonzero(labels >= 0)
        X, weight = problem.source.take(known)
        weight = np.ones(len(known)) if weight is None else weight
        resp = hard_responsibilities(labels[known], weight, n_components)
        missing = np.flatnonzero(resp.sum(axis=0) == 0)
        if len(missing):
            raise ArgumentError(f"No row is labelled {missing[0]}; every component needs one.")
        return problem.estimate(X, resp)


@final
class KnownLabels:
    """For a source in which some rows' components are known: each starts from its known rows.

    The other components start from rows far from those, as in `KMeansPlusPlus`; every row whose
    component is not known goes to the nearest centre.
    """

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Centres of the known rows, and others far from them."""
        source = problem.source
        if source.labels is None:
            raise ArgumentError("No row's component is known; another start is needed.")
        chosen = chosen_numbers(problem, n_components, rng)
        X, weight = source.take(chosen)
        labels = source.labels[chosen]
        if not (labels >= 0).any():
            chosen = np.flatnonzero(source.labels >= 0)
            X, weight, labels = *source.take(chosen), source.labels[chosen]
        weight = np.ones(len(labels)) if weight is None else weight
        points = standardized(problem, X)
        known = np.unique(labels[labels >= 0])
        centres = np.empty((n_components, points.shape[1]))
        for j in known:
            own = labels == j
            centres[j] = weight[own] @ points[own] / max(float(weight[own].sum()), 1e-300)
        others = np.setdiff1d(np.arange(n_components), known)
        drawn = plus_plus(points, weight, n_components, rng, centres[known])
        centres[others] = drawn[len(known) :]
        nearby = nearest(points, centres)
        shared = np.where(labels >= 0, labels, nearby)
        return problem.estimate(X, hard_responsibilities(shared, weight, n_components))


@final
@dataclass(frozen=True)
class GivenMixture:
    """The mixture itself, as it is: to carry on from an earlier fit."""

    mixture: Mixture

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """The given mixture, once it is known to fit the problem."""
        if self.mixture.n_components != n_components:
            raise ArgumentError(
                f"The given mixture has {self.mixture.n_components} components, not {n_components}."
            )
        if self.mixture.n_features != problem.source.n_features:
            raise ArgumentError(
                f"The given mixture has {self.mixture.n_features} columns, "
                f"the data {problem.source.n_features}."
            )
        if self.mixture.family != problem.family:
            raise ArgumentError("The given mixture is of another family than the fit.")
        return self.mixture


@final
@dataclass(frozen=True)
class GivenParameters:
    """Weights, means and other parameters of a start, as far as they are given.

    Parameters
    ----------
    otherwise : Start
        Where the rest comes from.
    weights : (k,) ndarray, optional
    means : (k, d) ndarray, optional
        They are centres too: what is not given is estimated from the rows nearest to each. Where
        the family's means are not free (common loadings), they are centres only.
    others : mapping of str to ndarray
        Arrays of the family's ``pack``, by name, such as ``covariances``.
    """

    otherwise: Start
    weights: Array | None = None
    means: Array | None = None
    others: Mapping[str, Array] = field(default_factory=dict)

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """The given values, and the rest from the other start.

        Raises
        ------
        ArgumentError
            If the values together are no parameters of the family.
        """
        family, whole = problem.family, self._whole(problem)
        if whole is not None:
            return whole
        base = self._base(problem, n_components, rng)
        arrays = family.pack(base.parameters)
        if self.means is not None and "means" in arrays:
            arrays["means"] = self.means
        try:
            parameters = family.unpack({**arrays, **self.others})
        except ValueError as error:
            raise ArgumentError(f"The given values are no start: {error}.") from None
        log_weights = base.log_weights if self.weights is None else self._log_weights()
        return Mixture(family, log_weights, parameters)

    def _log_weights(self) -> Array:
        assert self.weights is not None
        return log_or_minus_infinity(self.weights / self.weights.sum())

    def _whole(self, problem: Problem) -> Mixture | None:
        """The mixture where nothing is left to be estimated: an estimate might fail in vain."""
        if self.weights is None or self.means is None or not self.others:
            return None
        try:
            parameters = problem.family.unpack({"means": self.means, **self.others})
        except ValueError:
            return None
        return Mixture(problem.family, self._log_weights(), parameters)

    def _base(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        if self.means is None:
            return self.otherwise(problem, n_components, rng)
        X, weight = chosen_rows(problem, n_components, rng)
        centres = standardized(problem, self.means)
        return from_centres(problem, X, weight, standardized(problem, X), centres)
