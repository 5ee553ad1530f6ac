"""Which rows belong to which components: what is worth keeping of the responsibilities."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from emplus.data.base import Array, Block, Source
from emplus.engine.partial import Cell
from emplus.engine.problem import Problem, constrain
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize
from emplus.numerics.sparse import is_sparse

__all__ = ["Assignment", "Sample"]

# Responsibilities below this are left out: a row counts for about two components on average.
_LEAST = 0.01

# Rows a component on which the components' densities are compared.
_COMPARED = 20

# Share of a component's weight that another must hold too to count as overlapping it.
_OVERLAP = 1e-3


class Sample:
    """The rows that a search looks at closely: all of them, or some thousands a component.

    Parameters
    ----------
    problem : Problem
    n_components : int
    rng : Generator
        Draws the rows where there are too many.
    most : int
        Most rows, beyond a thousand a component.
    """

    def __init__(
        self, problem: Problem, n_components: int, rng: np.random.Generator, most: int = 100_000
    ):
        source = problem.source
        most = max(most, 1000 * n_components)
        self.source: Source = source
        if source.n_rows > most:
            chosen = np.sort(rng.choice(source.n_rows, size=most, replace=False))
            self.source = source.subset(chosen)
        elif not source.in_memory:
            # Cells fetch rows again and again, and write down what they find beside them.
            self.source = source.subset(np.arange(source.n_rows))
        # Gains are told on the scale of all rows.
        self.scale = source.total_weight / self.source.total_weight
        X, weight = self.source.take(slice(None))
        # Cells fetch rows again and again, and from columns laid end to end that is slow.
        self.X: Any = X if is_sparse(X) else np.ascontiguousarray(X)
        self.n_rows = self.source.n_rows
        weight = np.ones(self.n_rows) if weight is None else weight
        self.weight = self.scale * weight.astype(np.float64)


class Assignment:
    """The responsibilities of a mixture for the rows of a sample, without the smallest.

    Parameters
    ----------
    problem : Problem
    sample : Sample
    mixture : Mixture

    Notes
    -----
    Cost: one pass over the sample.
    """

    def __init__(self, problem: Problem, sample: Sample, mixture: Mixture):
        self.mixture = mixture
        self._sample = sample
        k = mixture.n_components
        kernel = problem.family.kernel(
            mixture.parameters, mixture.log_weights, problem.moments, problem.source.dtype
        )
        step = max(1, sample.n_rows // (_COMPARED * k))
        found: dict[int, tuple[Array, NDArray[np.intp], NDArray[np.intp]]] = {}

        def assign(block: Block) -> tuple[Array, ...]:
            joint = kernel.log_joint(kernel.encode(block.X))
            compared = slice(-block.start % step, None, step)
            log_joint = joint[compared].astype(np.float64)
            if block.labels is not None:
                constrain(joint, block.labels)
            log_normalize(joint)
            of_component = joint.T
            components, rows = np.nonzero(of_component > _LEAST)
            found[block.start] = of_component[components, rows], rows + block.start, components
            resp = joint[compared].astype(np.float64)
            return resp.T @ log_joint, resp.sum(axis=0)

        cross, counted = sample.source.reduce(assign, kernel.width)
        parts = [found[start] for start in sorted(found)]
        values, rows, components = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        shape = (sample.n_rows, k)
        self._resp = csc_array((values.astype(np.float64), (rows, components)), shape=shape)
        self._cross = cross / np.maximum(counted, 1e-300)[:, None]
        self.passes = sample.n_rows / problem.source.n_rows

    @cached_property
    def weight(self) -> Array:
        """Weight of each component (k,), on the scale of all rows."""
        weight = np.asarray(self._resp.T @ self._sample.weight)
        return weight

    def rows_of(self, component: int) -> NDArray[np.intp]:
        """Rows of the sample that the component takes part in."""
        start, end = self._resp.indptr[component : component + 2]
        rows = self._resp.indices[start:end].astype(np.intp, copy=False)
        return rows

    def cell(self, components: Sequence[int]) -> tuple[Cell, Array]:
        """The rows of some components and how these share them, (b, m), rows summing to 1."""
        own = [self.rows_of(component) for component in components]
        present = np.zeros(self._sample.n_rows, dtype=bool)
        for rows in own:
            present[rows] = True
        union = np.flatnonzero(present)
        place = np.empty(len(present), dtype=np.intp)
        place[union] = np.arange(len(union))
        resp = np.zeros((len(own), len(union)))
        for index, (component, rows) in enumerate(zip(components, own, strict=True)):
            start, end = self._resp.indptr[component : component + 2]
            resp[index, place[rows]] = self._resp.data[start:end]
        mass = resp.sum(axis=0)
        resp /= mass
        return Cell(self._sample.X, mass * self._sample.weight[union], union), resp.T

    @cached_property
    def overlap(self) -> Array:
        """Share of each component's weight that every other holds too (k, k); 0 with itself."""
        weighted = self._resp.multiply(self._sample.weight[:, None])
        overlap: Array = csc_array(self._resp.T @ weighted).toarray()
        np.fill_diagonal(overlap, 0.0)
        overlap /= np.maximum(self.weight, 1e-300)[:, None]
        return overlap

    def neighbours(self, component: int, most: int) -> list[int]:
        """The components that overlap with this one, then those most like it, at most ``most``.

        Likeness is the mean log density that the other gives to this one's rows, a cross-entropy
        that needs no distance between parameters.
        """
        overlap = self.overlap[component]
        first = np.argsort(-overlap, kind="stable")[:most]
        first = first[overlap[first] > _OVERLAP]
        cross = self._cross[component].copy()
        cross[component] = -np.inf
        cross[first] = -np.inf
        further = np.argsort(-cross, kind="stable")[: max(0, most - len(first))]
        return [int(c) for c in (*first, *further) if c != component]
