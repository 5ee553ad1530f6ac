"""Putting a component elsewhere: at a row, as wide as the rows around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.search.assignment import Sample
from emplus.starts.base import standardized

__all__ = ["Relocation"]

# Part of an equal share of the weight that the rows around the new place hold together.
_PART = 0.5


class Relocation:
    """Takes a component of a mixture to another row.

    Parameters
    ----------
    problem : Problem
    sample : Sample
        Rows to choose from.
    n_components : int
    """

    def __init__(self, problem: Problem, sample: Sample, n_components: int):
        self._problem, self._sample = problem, sample
        self._points = standardized(problem, sample.X)
        self._share = _PART * float(sample.weight.sum()) / n_components

    def draw(self, rng: np.random.Generator, avoided: NDArray[np.intp] | None = None) -> int:
        """A row of the sample with probability in proportion to its weight.

        ``avoided`` rows are left out, unless there are no others.
        """
        weight = self._sample.weight.copy()
        if avoided is not None:
            weight[avoided] = 0.0
        total = weight.sum()
        if not total > 0.0:
            weight, total = self._sample.weight, self._sample.weight.sum()
        return int(rng.choice(len(weight), p=weight / total))

    def moved(self, mixture: Mixture, component: int, row: int) -> Mixture:
        """The mixture with a component fitted to the rows around another row.

        It gets a weight of 1 / k and the rows nearest in standardized features, which hold half
        of that weight together; the others keep their proportions. What all components share
        stays.

        Raises
        ------
        SingularComponentError
            If those rows give no usable component, which a proper prior rules out.

        Notes
        -----
        Cost O(n d) for n rows of the sample.
        """
        rows = self._around(row)
        family = self._problem.family.hold(mixture.parameters)
        resp = self._sample.weight[rows][:, None]
        placed = family.estimate(self._sample.X[rows], resp, self._problem.prior)
        return Mixture(
            mixture.family,
            self._log_weights(mixture, component),
            mixture.parameters.put([component], placed),
        )

    def _around(self, row: int) -> NDArray[np.intp]:
        distances = ((self._points - self._points[row]) ** 2).sum(axis=1)
        # A row without weight says nothing about a component's width.
        distances[self._sample.weight <= 0.0] = np.inf
        weight, n = self._sample.weight, len(distances)
        # At least as many rows as span the columns.
        least = min(n, self._points.shape[1] + 1)
        looked = max(least, len(distances) // 1000)
        while True:
            looked = min(n, 2 * looked)
            near = np.argpartition(distances, looked - 1)[:looked]
            near = near[np.lexsort((near, distances[near]))]
            held = np.cumsum(weight[near])
            if looked == n or held[-1] >= self._share:
                return near[: max(least, int(np.searchsorted(held, self._share)) + 1)]

    @staticmethod
    def _log_weights(mixture: Mixture, component: int) -> NDArray[np.floating]:
        k = mixture.n_components
        others = np.delete(mixture.log_weights, component)
        log_weights = np.full(k, -np.log(k))
        if k > 1:
            others = others - np.logaddexp.reduce(others) + np.log1p(-1.0 / k)
            log_weights[np.arange(k) != component] = others
        return log_weights
