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

from collections.abc import Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, eq=False)
class Cell:
    """Rows X (b, d) and the mass (b,) of each that a group of components has to share.

    ``rows`` (b,) are their numbers, in rising order.
    """

    X: Array
    mass: Array
    rows: NDArray[np.integer]


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

    Parameters
    ----------
    problem : Problem
        The family, the prior, and the moments that place the reference point.
    mixture : Mixture
        What the responsibilities come from.
    """

    def __init__(self, problem: Problem, mixture: Mixture):
        self._problem, self._mixture = problem, mixture
        self._family = problem.family.hold(mixture.parameters)
        self._start = self._make(mixture.parameters, mixture.log_weights)
        self._work = 0.0

    @property
    def passes(self) -> float:
        """Work done so far, in passes over all rows with all components."""
        return self._work / (self._problem.source.n_rows * self._mixture.n_components)

    def objective(self, cell: Cell, components: Sequence[int] | NDArray[np.intp]) -> float:
        """F_A of some of the mixture's components as they are; O(b m)."""
        chosen = np.asarray(components, dtype=np.intp)
        own_prior = float(self._start.log_prior[chosen].sum())
        if not len(cell.mass):
            # Components without rows may have no weight either.
            return own_prior
        total, _ = self._expect(cell, self._start.kernel.take(chosen))
        share = np.logaddexp.reduce(self._mixture.log_weights[chosen])
        return total - float(cell.mass.sum() * share) + own_prior

    def group(self, cell: Cell, components: Sequence[int] | NDArray[np.intp], resp: Array) -> Group:
        """A group that starts from responsibilities (b, m), rows summing to 1.

        ``components`` (m,) are those of the mixture under which expectations are taken, where the
        family's statistics depend on parameters; one may stand for several.
        """
        place = np.asarray(components, dtype=np.intp)
        weighted = np.asfortranarray(resp * cell.mass[:, None], dtype=cell.X.dtype)
        kernel = self._start.kernel.take(place)
        parts = [
            kernel.sums(kernel.encode(cell.X[rows]), weighted[rows])
            for rows in _blocks(len(cell.X), kernel.width)
        ]
        self._work += weighted.size
        return Group(cell, _added(parts), self._start, place)

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
        for index, group in enumerate(groups):
            place = slice(offsets[index], offsets[index + 1])
            total, group._sums = self._expect(group.cell, batch.kernel.take(place))
            group._batch, group._place = batch, np.arange(place.start, place.stop)
            group.objective = total + float(own_prior[index])

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
        if self._family is not problem.family:
            # Of what is shared, and therefore held: a constant.
            log_prior = np.zeros(len(log_weights))
        return _Batch(parameters, log_weights, kernel, log_prior)

    def _expect(self, cell: Cell, kernel: Kernel) -> tuple[float, tuple[Array, ...]]:
        blocks = [
            Block(cell.X[rows], cell.mass[rows], rows.start)
            for rows in _blocks(len(cell.X), kernel.width)
        ]
        total, *sums = _added([block_sums(kernel, block) for block in blocks])
        self._work += sums[0].shape[0] * len(cell.X)
        return float(total[0]), tuple(sums)


def _blocks(n: int, width: int) -> list[slice]:
    length = max(256, _NUMBERS_AT_ONCE // max(width, 1))
    return [slice(start, start + length) for start in range(0, n, length)]


def _added(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    first, *others = parts
    for other in others:
        for whole, more in zip(first, other, strict=True):
            whole += more
    return first
