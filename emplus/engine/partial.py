"""Partial EM: some components share their own rows out anew, while all others stay as they are.

The responsibilities of the others being fixed, so is the mass s_i = sum over A of r_ij that the
components of a group A have of row i. Raising

    F_A = sum_i s_i log sum_{j in A} w_j p(x_i | j) + log prior,  w over A summing to 1

raises the log-likelihood of the whole mixture by at least as much (Jensen's inequality), and
groups without a component in common add (Ueda, Nakano, Ghahramani & Hinton 2000, equations 13 and
14). Many groups climb at once: their M steps are one, because an M step costs more to call than to
do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block
from emplus.engine.problem import Problem, block_sums
from emplus.families.base import Kernel, SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_or_minus_infinity

__all__ = ["Cell", "Group", "PartialEM"]

# Numbers held for a block of rows: together they stay in cache.
_NUMBERS_AT_ONCE = 1 << 17
_SHORTEST = 512

# Columns up to which cells hold copies of their rows.
_SHORT_ROWS = 8

# Numbers that a step must hold for a thread of its own to be worth it.
_NUMBERS_A_THREAD = 1 << 20


@dataclass(frozen=True, eq=False)
class Cell:
    """Some of the rows of ``data`` (n, d), and the mass (b,) of each that a group has to share.

    ``rows`` (b,) are their numbers, in rising order. Many cells lie over each other, so long rows
    are not copied, but fetched block by block.
    """

    data: Any
    mass: Array
    rows: NDArray[np.integer]

    def fetch(self, part: slice = slice(None)) -> Any:
        """The rows (b, d) or a part of them, not to be written to."""
        rows = self.data[self.rows[part]] if self._copied is None else self._copied[part]
        return rows

    @cached_property
    def _copied(self) -> Any:
        # Rows as short as the numbers kept of each take longer to fetch than to work on.
        return self.data[self.rows] if self.data.shape[1] <= _SHORT_ROWS else None

    def blocks(self, width: int) -> Iterator[Block]:
        """The rows in blocks that stay in cache where each takes ``width`` numbers."""
        length = max(_SHORTEST, _NUMBERS_AT_ONCE // max(width, 1))
        for start in range(0, len(self.rows), length):
            own = slice(start, start + length)
            yield Block(self.fetch(own), self.mass[own], start)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Parameters of the components of many groups, and their kernel."""

    parameters: Any
    log_weights: Array
    kernel: Kernel
    log_prior: Array


@dataclass(eq=False)
class Group:
    """Components that share a cell, on their way up; `PartialEM.group` makes one.

    ``objective`` is F_A, -inf before the first step and once a component has collapsed.
    """

    cell: Cell
    _sums: tuple[Array, ...] = field(repr=False)
    _batch: _Batch = field(repr=False)
    _place: NDArray[np.intp] = field(repr=False)
    objective: float = -np.inf
    lost: bool = False

    @property
    def log_weights(self) -> Array:
        """Log weights (m,) of the components within the group."""
        return self._batch.log_weights[self._place]

    @property
    def parameters(self) -> Any:
        """Parameters of the components, as of the group's last step."""
        return self._batch.parameters.take(self._place)


class PartialEM:
    """Groups of components of one mixture, fitted side by side.

    Each raises equation :eq:`partial-em` of the theory page, and what they gain together is a lower
    bound of what the mixture gains, equation :eq:`price`.

    Parameters
    ----------
    problem : Problem
        The family, the prior, and the moments that place the reference point.
    mixture : Mixture
        What the responsibilities come from.

    Attributes
    ----------
    work : int
        Rows times components worked on so far.
    """

    def __init__(self, problem: Problem, mixture: Mixture):
        self._problem, self._mixture = problem, mixture
        self._family = problem.family.hold(mixture.parameters)
        self._start = self._make(mixture.parameters, mixture.log_weights)
        self.work = 0

    @property
    def passes(self) -> float:
        """Work done so far, in passes over all rows with all components."""
        return self.work / (self._problem.source.n_rows * self._mixture.n_components)

    def objective(self, cell: Cell, components: Sequence[int] | NDArray[np.intp]) -> float:
        """F_A of some of the mixture's components as they are; O(b m)."""
        chosen = np.asarray(components, dtype=np.intp)
        own_prior = float(self._start.log_prior[chosen].sum())
        if not len(cell.mass):
            # Components without rows may have no weight either.
            return own_prior
        total, _ = _expect(cell, self._start.kernel.take(chosen))
        self.work += len(chosen) * len(cell.mass)
        share = np.logaddexp.reduce(self._mixture.log_weights[chosen])
        return total - float(cell.mass.sum() * share) + own_prior

    def group(self, cell: Cell, components: Sequence[int] | NDArray[np.intp], resp: Array) -> Group:
        """A group that starts from responsibilities (b, m), rows summing to 1.

        ``components`` (m,) are those of the mixture under which expectations are taken, where the
        family's statistics depend on parameters; one may stand for several.
        """
        place = np.asarray(components, dtype=np.intp)
        weighted = np.asfortranarray(resp * cell.mass[:, None], dtype=self._problem.source.dtype)
        kernel = self._start.kernel.take(place)
        sums = _added(
            kernel.sums(
                kernel.encode(block.X), weighted[block.start : block.start + block.X.shape[0]]
            )
            for block in cell.blocks(kernel.width)
        )
        self.work += weighted.size
        return Group(cell, sums, self._start, place)

    def climb(self, groups: Sequence[Group], n_iter: int) -> None:
        """Take ``n_iter`` M steps, each followed by an E step, with all groups.

        All groups must have taken the same steps before.
        """
        for _ in range(n_iter):
            self._step([group for group in groups if not group.lost])

    def _step(self, groups: list[Group]) -> None:
        maximized = self._maximize(groups)
        if maximized is None:
            return
        offsets, batch = maximized
        own_prior = np.add.reduceat(batch.log_prior, offsets[:-1])
        places = [slice(start, end) for start, end in pairwise(offsets)]
        answers = self._expect_each([group.cell for group in groups], batch.kernel, places)
        for index, (group, (total, sums)) in enumerate(zip(groups, answers, strict=True)):
            group._sums, group._batch = sums, batch
            group._place = np.arange(offsets[index], offsets[index + 1])
            group.objective = total + float(own_prior[index])

    def _expect_each(
        self, cells: list[Cell], kernel: Kernel, places: list[slice]
    ) -> Iterator[tuple[float, tuple[Array, ...]]]:
        """The E step of every group, side by side."""
        kernels = [kernel.take(place) for place in places]
        sizes = np.array([len(cell.mass) for cell in cells])
        self.work += sum(
            len(cell.mass) * (p.stop - p.start) for cell, p in zip(cells, places, strict=True)
        )
        runs = _runs(sizes * [kernel.width for kernel in kernels])

        def expect(run: int) -> list[tuple[float, tuple[Array, ...]]]:
            return [_expect(cells[index], kernels[index]) for index in runs[run]]

        return chain.from_iterable(self._problem.source.each(expect, len(runs)))

    def _maximize(self, groups: list[Group]) -> tuple[NDArray[np.intp], _Batch] | None:
        """The M step of all groups at once; one whose component collapses is taken out."""
        while groups:
            sizes = np.array([len(group._place) for group in groups])
            offsets = np.concatenate([[0], np.cumsum(sizes)])
            kernel = groups[0]._batch.kernel
            places = np.concatenate([group._place for group in groups])
            sums = kernel.join([group._sums for group in groups])
            statistics = kernel.take(places).statistics(sums)
            try:
                parameters = self._family.maximize(statistics, self._problem.prior)
            except SingularComponentError as error:
                lost = int(np.searchsorted(offsets, error.component, side="right")) - 1
                groups[lost].objective, groups[lost].lost = -np.inf, True
                del groups[lost]
                continue
            mass = np.repeat(np.add.reduceat(statistics.weight, offsets[:-1]), sizes)
            return offsets, self._make(parameters, log_or_minus_infinity(statistics.weight / mass))
        return None

    def _make(self, parameters: Any, log_weights: Array) -> _Batch:
        problem = self._problem
        kernel = self._family.kernel(parameters, log_weights, problem.moments, problem.source.dtype)
        log_prior = self._family.log_prior(parameters, problem.prior)
        return _Batch(parameters, log_weights, kernel, log_prior)


def _expect(cell: Cell, kernel: Kernel) -> tuple[float, tuple[Array, ...]]:
    total, *sums = _added(block_sums(kernel, block) for block in cell.blocks(kernel.width))
    return float(total[0]), tuple(sums)


def _runs(numbers: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Places in a list that follow each other, as many as are worth a thread of their own."""
    reached = np.cumsum(numbers) // _NUMBERS_A_THREAD
    ends = np.flatnonzero(np.diff(reached[:-1], prepend=0)) + 1
    return np.split(np.arange(len(numbers)), ends)


def _added(parts: Iterable[tuple[Array, ...]]) -> tuple[Array, ...]:
    first, *others = parts
    for other in others:
        for whole, more in zip(first, other, strict=True):
            whole += more
    return first
