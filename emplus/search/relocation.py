"""Putting a component elsewhere: at a row, as wide as the rows around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.search.assignment import Sample
from emplus.starts.base import spanning_rows, standardized

__all__ = ["Relocation"]

# Part of an equal share of the weight that the rows around the new place hold together.
_PART = 0.5

# Numbers worked on at a time, where copies of the rows are taken.
_NUMBERS_AT_ONCE = 1 << 19


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
        self._least = spanning_rows(problem.family, problem.source.n_features)
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
        of that weight together, and as many as determine it at least; the others keep their
        proportions. What all components share stays.

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

    def _squared_distances(self, row: int) -> NDArray[np.floating]:
        n, d = self._points.shape
        distances = np.empty(n)
        step = max(1, _NUMBERS_AT_ONCE // d)
        for start in range(0, n, step):
            gaps = self._points[start : start + step] - self._points[row]
            distances[start : start + step] = np.einsum("ia,ia->i", gaps, gaps)
        return distances

    def _around(self, row: int) -> NDArray[np.intp]:
        distances = self._squared_distances(row)
        # A row without weight says nothing about a component's width.
        distances[self._sample.weight <= 0.0] = np.inf
        weight, n = self._sample.weight, len(distances)
        least = min(n, self._least)
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
            if np.isneginf(others).all():
                # The one that is moved had all the weight: no proportions to keep.
                others = np.zeros(k - 1)
            others = others - np.logaddexp.reduce(others) + np.log1p(-1.0 / k)
            log_weights[np.arange(k) != component] = others
        return log_weights
