"""The way of a mixture to where a fit has ended, step by step, and the frames that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import ArgumentError
from emplus.mixture import Mixture
from emplus.plotting.data import scatter
from emplus.plotting.geometry import gaussian_moments
from emplus.plotting.rows import as_matrix, as_weights, drawable, thin
from emplus.plotting.values import Scatter
from emplus.plotting.words import family_name
from emplus.search.fit import Fit
from emplus.search.record import Candidate

if TYPE_CHECKING:
    from emplus.engine.problem import State

__all__ = ["Frames", "Recorder", "Step", "check_shown", "frames"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_MOST_POINTS = 2_000
# How much of what tells where frames lie is the mere number of steps; the rest is their gain.
_EVEN = 0.4


@dataclass(frozen=True)
class Step:
    """A mixture on the way, with its own totals in nats.

    ``candidate`` is the one whose climb the step is part of, None in the start's; ``move`` says in
    words what the search did last, empty before the first; ``begins`` tells the first step after.
    """

    mixture: Mixture
    log_likelihood: float
    objective: float
    move: str = ""
    begins: bool = False
    candidate: Candidate | None = None


class Recorder:
    """An observer that keeps every mixture of every climb, to be shown in motion.

    Examples
    --------
    >>> from emplus import GaussianMixture, datasets
    >>> X = datasets.load("faithful").X
    >>> recorder = Recorder()
    >>> model = GaussianMixture(2, search="em", observers=[recorder], random_state=0).fit(X)
    >>> len(recorder.path(model.result_)) == model.n_iter_ + 1
    True
    """

    def __init__(self) -> None:
        self.climbs: list[list[Step]] = []

    def __call__(self, state: State, /) -> None:
        """Keep the state."""
        if state.iteration == 0:
            self.climbs.append([])
        self.climbs[-1].append(Step(state.mixture, state.log_likelihood, state.objective))

    def path(self, result: Fit) -> list[Step]:
        """The steps that led to the fit: its start's climb and those of the accepted moves.

        Parameters
        ----------
        result : Fit
            ``result_`` of the estimator that was watched.
        """
        moves: list[Candidate | None] = [None, *result.candidates.accepted]
        begins = [0 if move is None else move.start for move in moves]
        found: list[Step] = []
        words = ""
        for move, begin, end in zip(moves, begins, [*begins[1:], len(result.trace)], strict=True):
            climb = self._followed(result.trace[begin:end])
            moved = move is not None and move.kind != "settle"
            if move is not None and moved:
                words = _move_words(move)
            found += [
                replace(step, move=words, begins=moved and t == 0, candidate=move)
                for t, step in enumerate(climb)
            ]
        last = Step(result.mixture, result.log_likelihood, result.objective)
        if not found:
            return [last]
        # What was interrupted may be one step ahead of what was shown.
        return found if found[-1].mixture is result.mixture else [*found, last]

    def _followed(self, objectives: Sequence[float]) -> list[Step]:
        """The climbs that together have these objectives; each begins where the last has ended."""
        steps: list[Step] = []
        while len(steps) < len(objectives):
            at = max(len(steps) - 1, 0)
            left = len(objectives) - at
            fitting = [c for c in self.climbs if c and c[0].objective == objectives[at]]
            longest = max(fitting, key=lambda climb: min(len(climb), left), default=[])
            if at + min(len(longest), left) <= len(steps):
                break
            steps = steps[:at] + longest[:left]
        return steps


@dataclass(frozen=True, eq=False)
class Frames:
    """What an animation shows, frame by frame.

    Attributes
    ----------
    scatters : tuple of Scatter
        One a frame, all with the same limits.
    steps : ndarray (m,)
        Which step of the way each frame shows; the first and the last are always among them.
    moves : tuple of str
        What the search did before the climb that a frame is part of; empty for the start's.
    values : ndarray (t,)
        Log-likelihood a row at every step, in nats.
    begins : ndarray
        Steps with which the climb of a move begins.
    n_rows, n_given : int
        Rows that could be drawn, and rows that were given.
    """

    scatters: tuple[Scatter, ...]
    steps: Indices
    moves: tuple[str, ...]
    values: Floats
    begins: Indices
    n_rows: int
    n_given: int


def frames(
    path: Sequence[Step],
    X: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    at_most: int = 60,
) -> Frames:
    """The frames of an animation of the way to a fit; O(at_most k) for each of 2000 rows at most.

    Parameters
    ----------
    path : sequence of Step
        What `Recorder.path` gives.
    X : array_like (n, 2)
    sample_weight : array_like (n,), optional
    at_most : int, default=60
        Frames; where there are more steps, those that gain more are shown more closely.

    Raises
    ------
    ArgumentError
        If the mixture is not of two continuous columns.
    DataError
        If the rows do not fit the mixture.
    """
    check_shown(path[-1].mixture)
    matrix = as_matrix(X, 2)
    weights = as_weights(sample_weight, len(matrix))
    rows = drawable(matrix, weights, (0, 1))
    shown = thin(rows, _MOST_POINTS)
    values = np.array([step.log_likelihood for step in path]) / weights.sum()
    new = [t for t, step in enumerate(path) if step.begins and t > 0]
    steps = _chosen(values, new, at_most)
    drawn = [scatter(path[t].mixture, matrix[shown], sample_weight=weights[shown]) for t in steps]
    return Frames(
        scatters=tuple(replace(one, limits=drawn[-1].limits) for one in drawn),
        steps=steps,
        moves=tuple(path[t].move for t in steps),
        values=values,
        begins=np.array(new, dtype=np.intp),
        n_rows=len(rows),
        n_given=len(matrix),
    )


def check_shown(mixture: Mixture) -> None:
    """Refuse a mixture that cannot be shown in motion.

    Raises
    ------
    ArgumentError
        If it is not of two continuous columns.
    """
    if mixture.n_features != 2:
        raise ArgumentError(
            f"An animation shows two columns; the mixture has {mixture.n_features}."
        )
    try:
        gaussian_moments(mixture, (0, 1))
    except ArgumentError:
        raise ArgumentError(
            "An animation shows components that are Gaussian in two columns; those of a "
            f"{family_name(mixture.family)} mixture are not."
        ) from None


def _chosen(values: Floats, new: Sequence[int], at_most: int) -> Indices:
    """Which of the steps are shown, at most so many: the first, the last, and those that gain."""
    count = len(values)
    if count <= at_most:
        return np.arange(count, dtype=np.intp)
    change = np.abs(np.diff(values))
    change[[t - 1 for t in new]] = 0.0  # a move may fall far, which is no progress
    total = float(change.sum())
    share = (1.0 - _EVEN) * change / total if total > 0.0 else np.zeros(count - 1)
    share = share + _EVEN / (count - 1)
    # Room for each step on a film of so many frames: none takes more than one. The scale at which
    # all of it is used is found by halving.
    low, high = 0.0, (count - 1) / _EVEN
    for _ in range(80):
        middle = 0.5 * (low + high)
        few = float(np.minimum(middle * share, 1.0).sum()) < at_most - 1
        low, high = (middle, high) if few else (low, middle)
    film = np.concatenate([[0.0], np.cumsum(np.minimum(low * share, 1.0))])
    picked = np.searchsorted(film, np.arange(at_most) - 1e-6).clip(0, count - 1)
    picked[-1] = count - 1
    return np.unique(picked).astype(np.intp)


def _move_words(move: Candidate) -> str:
    kind = {"split_merge": "split and merge"}.get(move.kind, move.kind)
    listed = [f"({', '.join(map(str, parts))})" for parts in move.components]
    if len(listed) > 2:
        listed = [*listed[:2], f"and {len(listed) - 2} more"]
    return " ".join([kind, *listed])
