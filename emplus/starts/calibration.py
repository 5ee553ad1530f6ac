"""The prior of a fit, from the data: what a typical component looks like, and how typical it is."""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Source
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.families.base import Counting, Family
from emplus.numerics.threads import single_threaded
from emplus.starts.base import hard_responsibilities, spanning_rows, standardized
from emplus.starts.centres import cell_sums, move_to_means, nearest

__all__ = ["calibrated_prior"]

# Rows looked at: enough to know typical components, a small part of the cost of a fit.
_LEAST_ROWS = 4_000
_ROWS_A_COMPONENT = 100

# Times the rows that determine a component, for its own shape to mean anything.
_TIMES_SPANNED = 10

# Numbers worked on at a time, where it takes copies of them.
_NUMBERS_AT_ONCE = 1 << 19

_LLOYD_ITERATIONS = 10
_EM_ITERATIONS = 5

# Differences that rounding may make. A row this near to where its cell is cut, in standard
# deviations of the cell, counts as lying on the border, and numbers this near to each other, as a
# part of them, as equal. Otherwise the units of a column or the order of the rows would decide
# where values are round numbers.
_BORDER = 1e-6
_EQUAL = 1e-9

# Phantom rows: the most, the least, and the nats a row that they may cost.
_STRENGTHS = tuple(2.0**-power for power in range(-1, 14))
_ALLOWED = 3e-4

# Pseudo-rows of counts, where the rows can tell how well they foretell each other.
_PSEUDO_ROWS = tuple(2.0**power for power in range(-7, 5))


def calibrated_prior(
    family: Family,
    source: Source,
    n_components: int,
    strength: float | tuple[float | None, ...] | None = None,
) -> Any:
    """The family's prior of phantom rows that are spread like those of a typical component.

    The rows are cut into ``n_components`` cells, as Su & Dy (2007) start k-means: one cell is cut
    in two across one column, again and again, where it saves most of the sum of squares; some
    iterations of k-means follow. Nothing in it is random. A column's variance within a typical
    component is the weighted median over the cells, which a few cells over two clusters do not
    move.

    Parameters
    ----------
    family : Family
    source : Source
        Rows (n, d). A row of weight 2 counts as two rows, and where no more rows are given than are
        looked at, neither their order nor the units of the columns matter.
    n_components : int
    strength : float, optional
        Number of phantom rows. Where it is not given, it is two, or less, down to 0.0001, where
        components differ so much from each other in size or shape that the prior would
        cost them more than 3e-4 nats a row. It is found after some iterations of EM
        on the cells.

    Returns
    -------
    object
        What the family makes of ``Family.default_prior``; always proper, except for strength 0.

    Notes
    -----
    Cost: ten iterations of k-means and at most a dozen passes of EM, over no more than
    max(4,000, 100 k, 10 k c) rows spread evenly over the data, c being d + 1, or 2 / d times the
    parameters of a component where it has few.

    Examples
    --------
    >>> from emplus.data.memory import ArraySource
    >>> from emplus.families.gaussian import Gaussian
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[0.0], [20.0]], 500, axis=0) + rng.standard_normal((1000, 1))
    >>> prior = calibrated_prior(Gaussian(), ArraySource(X), n_components=2)
    >>> prior.strength, prior.variances.round(1).tolist()
    (2.0, [0.9])
    """
    if family.parts:
        each = strength if isinstance(strength, tuple) else (strength,) * len(family.parts)
        return tuple(
            calibrated_prior(part, source.columns(columns), n_components, own)
            for (part, columns), own in zip(family.parts, each, strict=True)
        )
    moments = source.moments(full=family.needs_full_scatter, levels=family.levels)
    counting = isinstance(family, Counting)
    if strength == 0.0 or (counting and strength is not None):
        return family.default_prior(moments, strength)
    needed = _TIMES_SPANNED * n_components * spanning_rows(family, source.n_features)
    most = max(_LEAST_ROWS, _ROWS_A_COMPONENT * n_components, needed)
    rows = _spread(source.n_rows, most)
    rows_each = max(1, round(source.n_rows / len(rows)))
    some, X, weight = _looked_at(source, rows)
    points = standardized(Problem(family, source, None), X)
    with single_threaded():
        labels = _cells(points, weight, n_components)
        if isinstance(family, Counting):
            priors = [family.default_prior(moments, number) for number in _PSEUDO_ROWS]
            resp = hard_responsibilities(labels, weight, n_components)
            return _foretelling(family, some, priors, X, resp, rows_each)
        typical = _typical_variances(points, weight, labels) * moments.variance
    if strength is not None:
        return family.default_prior(moments, strength, typical)
    # Rows of weight 2 count twice, but rows whose weights sum to 1 are not one row.
    present = float(moments.present.mean()) / max(source.total_weight, 1e-300)
    if max(source.n_rows, source.total_weight) * present < needed:
        # Too few to know the shape of any component: the typical one is all there is.
        most_phantoms = min(_STRENGTHS[0], source.total_weight / n_components)
        return family.default_prior(moments, most_phantoms, typical)
    priors = [family.default_prior(moments, strength, typical) for strength in _STRENGTHS]
    resp = hard_responsibilities(labels, weight, n_components)
    return _affordable(Problem(family, some, priors[-1]), priors, X, resp, rows_each)


def _looked_at(source: Source, rows: NDArray[np.intp]) -> tuple[Source, Array, Array]:
    """A source of those of the rows that have weight, the rows themselves, and their weights."""
    some = source if len(rows) == source.n_rows else source.subset(rows)
    X, weight = some.take(slice(None))
    if weight is None:
        return some, X, np.ones(X.shape[0])
    if not weight.all():
        present = np.flatnonzero(weight)
        some, weight = some.subset(present), weight[present]
        X, _ = some.take(slice(None))
    return some, X, weight.astype(np.float64)


def _spread(n_rows: int, most: int) -> NDArray[np.intp]:
    """About so many of the rows, in rising order; all where there are not twice as many."""
    if n_rows <= 2 * most:
        return np.arange(n_rows)
    # Multiples of the golden ratio fill the unit interval evenly and without a period: rows that
    # come in turns, as of several instruments, are all met.
    places = np.arange(most) * (0.5 * (np.sqrt(5.0) - 1.0)) % 1.0
    return np.unique((places * n_rows).astype(np.intp))


def _foretelling(
    family: Counting, some: Source, priors: list[Any], X: Any, resp: Array, rows_each: int
) -> Any:
    """The prior under which the rows of each component are best foretold by each other."""
    problem = Problem(family, some, priors[len(priors) // 2])
    start = problem.estimate(X, resp)
    state = Engine(stopping=Stopping(-np.inf, _EM_ITERATIONS)).climb(problem, start).state
    statistics: Any = _repeated(state.statistics, rows_each)
    return max(priors, key=lambda prior: family.leave_one_out(statistics, prior))


def _affordable(problem: Problem, priors: list[Any], X: Array, resp: Array, rows_each: int) -> Any:
    """The strongest of the priors that costs what is allowed; a row stands for ``rows_each``."""
    start = problem.estimate(X, resp)
    state = Engine(stopping=Stopping(-np.inf, _EM_ITERATIONS)).climb(problem, start).state
    statistics = _repeated(state.statistics, rows_each)

    def reached(prior: Any) -> float:
        believing = replace(problem, prior=prior)
        return believing.evaluate(believing.maximize(statistics)).log_likelihood

    least = reached(priors[-1]) - _ALLOWED * problem.source.total_weight
    if reached(priors[0]) >= least:
        return priors[0]
    # What is too dear and what is affordable: the weaker, the cheaper.
    dear, cheap = 0, len(priors) - 1
    while cheap - dear > 1:
        middle = (dear + cheap) // 2
        if reached(priors[middle]) >= least:
            cheap = middle
        else:
            dear = middle
    return priors[cheap]


def _repeated(statistics: Any, times: int) -> Any:
    """The statistics of as many copies of the rows, by doubling."""
    total = statistics
    for digit in f"{times:b}"[1:]:
        total = total + total
        if digit == "1":
            total = total + statistics
    return total


def _cells(points: Array, weight: Array, k: int) -> NDArray[np.intp]:
    """Labels (n,) of up to k cells, settled by Lloyd's iterations."""
    centres = _divided(points, weight, k)
    if len(centres) == 1:
        return np.zeros(len(points), dtype=np.intp)
    labels = nearest(points, centres)
    for _ in range(_LLOYD_ITERATIONS):
        move_to_means(centres, points, weight, labels)
        before, labels = labels, nearest(points, centres)
        if np.array_equal(before, labels):
            break
    return labels


def _divided(points: Array, weight: Array, k: int) -> Array:
    """Centres of up to k cells, each cut off from the one where that saves most squares."""
    order = count()
    # The next to be cut comes first; of those that differ by rounding, the one made first.
    cells: list[tuple[float, int, _Part]] = []

    def push(rows: NDArray[np.intp]) -> None:
        part = _Part.of(points, weight[rows], rows)
        heapq.heappush(cells, (-float(f"{part.saved:.8e}"), next(order), part))

    push(np.arange(len(points)))
    while len(cells) < k and cells[0][0] < 0.0:
        _, _, part = heapq.heappop(cells)
        for half in (part.rows[part.low], part.rows[~part.low]):
            push(half)
    return np.array([part.mean for _, _, part in cells])


class _Part(NamedTuple):
    """Rows of a cell, their mean, which of them to cut off, and the squares that it would save."""

    rows: NDArray[np.intp]
    mean: Array
    low: NDArray[np.bool_]
    saved: float

    @classmethod
    def of(cls, points: Array, weight: Array, rows: NDArray[np.intp]) -> _Part:
        """The cut across the column that would save most if it were cut at its mean.

        ``rows`` are those of the points, ``weight`` theirs.
        """
        mean, border, saved = np.empty((3, points.shape[1]))
        step = max(1, _NUMBERS_AT_ONCE // len(rows))
        for start in range(0, points.shape[1], step):
            own = slice(start, start + step)
            mean[own], border[own], saved[own] = _at_the_mean(points[rows, own], weight)
        column = int(np.argmax(saved >= (1.0 - _EQUAL) * saved.max()))
        deviations = points[rows, column] - mean[column]
        return cls(rows, mean, *_cut(deviations, weight, float(border[column])))


def _at_the_mean(points: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Means of columns, how near to them counts as on them, and what cuts there would save.

    The points are overwritten.
    """
    mass = weight.sum()
    first = points[0].copy()
    deviations = np.subtract(points, first, out=points)
    shift = weight @ deviations / mass
    deviations -= shift
    work = deviations * deviations
    border = _BORDER * np.sqrt(weight @ work / mass)
    np.greater(deviations, border, out=work)
    part = weight @ work
    deviations *= work
    return first + shift, border, _saved(weight @ deviations, part, mass)


def _saved(first: Array, part: Array, mass: float) -> Array:
    """Squares about the mean less those about the means of two parts.

    ``first`` is one part's sum about the common mean, ``part`` its mass.
    """
    rest = mass - part
    whole = (part <= 0.0) | (rest <= _EQUAL * mass)
    part, rest = np.where(whole, 1.0, part), np.where(whole, 1.0, rest)
    saved: Array = np.where(whole, 0.0, first**2 * (1.0 / part + 1.0 / rest))
    return saved


def _cut(values: Array, weight: Array, border: float) -> tuple[NDArray[np.bool_], float]:
    """The best cut of values (b,) about their mean in two: the lower side, and what it saves."""
    order = values.argsort(kind="stable")
    ascending, mass = values[order], np.cumsum(weight[order])
    saved = _saved(np.cumsum(weight[order] * ascending)[:-1], mass[:-1], mass[-1])
    # Values that differ in the last place only are not told apart.
    saved[np.diff(ascending) <= border] = 0.0
    if not saved.any():
        return np.ones(len(values), dtype=bool), 0.0
    place = int(np.argmax(saved >= (1.0 - _EQUAL) * saved.max()))
    return values <= 0.5 * (ascending[place] + ascending[place + 1]), float(saved[place])


def _typical_variances(points: Array, weight: Array, labels: NDArray[np.intp]) -> Array:
    """Weighted medians over the cells of the variance of each column (d,)."""
    _, labels = np.unique(labels, return_inverse=True)
    mass = np.bincount(labels, weight)
    means = cell_sums(points, weight, labels, len(mass)) / mass[:, None]
    variances = np.zeros_like(means)
    step = max(1, _NUMBERS_AT_ONCE // points.shape[1])
    for start in range(0, len(points), step):
        own = slice(start, start + step)
        deviations = points[own] - means[labels[own]]
        deviations *= deviations
        variances += cell_sums(deviations, weight[own], labels[own], len(mass))
    variances /= mass[:, None]
    order = variances.argsort(axis=0, kind="stable")
    cumulative = np.cumsum(mass[order], axis=0)
    middle = (cumulative < (0.5 - _EQUAL) * cumulative[-1]).sum(axis=0)
    medians: Array = np.take_along_axis(variances, np.take_along_axis(order, middle[None], 0), 0)[0]
    return medians
