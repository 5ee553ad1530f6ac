"""Starts from centres: k-means++, k-means, random rows."""

from __future__ import annotations

import warnings
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from emplus.data.base import Array
from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded
from emplus.starts.base import chosen_rows, hard_responsibilities, standardized

__all__ = [
    "KMeans",
    "KMeansPlusPlus",
    "RandomRows",
    "cell_sums",
    "from_centres",
    "lloyd",
    "move_to_means",
    "nearest",
    "plus_plus",
]

# Numbers in the distances of one block of rows to all centres.
_DISTANCES_AT_ONCE = 1 << 18


@final
class KMeansPlusPlus:
    """Centres far apart from each other (Arthur & Vassilvitskii 2007), one step of assignment.

    Each further centre is a row drawn with probability proportional to weight times squared
    distance to the nearest centre so far; of 2 + log k draws the best is kept. Cost O(n k d).
    """

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Draw centres and give every row to the nearest."""
        X, weight = chosen_rows(problem, n_components, rng)
        points = standardized(problem, X)
        centres = plus_plus(points, weight, n_components, rng)
        return from_centres(problem, X, weight, points, centres)


@final
class KMeans:
    """k-means (Lloyd's iterations) from k-means++ centres."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Draw centres and give every row to the nearest."""
        from sklearn.cluster import KMeans as Lloyd
        from sklearn.exceptions import ConvergenceWarning

        X, weight = chosen_rows(problem, n_components, rng)
        points = standardized(problem, X)
        centres = plus_plus(points, weight, n_components, rng)
        # More threads would change the order of sums, and with it the bits.
        with single_threaded(), warnings.catch_warnings():
            # Fewer distinct rows than components is fine for a start.
            warnings.simplefilter("ignore", ConvergenceWarning)
            lloyd = Lloyd(n_components, init=centres, n_init=1).fit(points, sample_weight=weight)
        return from_centres(problem, X, weight, points, lloyd.cluster_centers_)


@final
class RandomRows:
    """Rows drawn at random as centres; each component takes the rows nearest to its own.

    Two centres in one cluster and none in the next are common, so EM from here often ends on a
    poor hilltop. Cost O(n k d).
    """

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        """Draw centres and give every row to the nearest."""
        X, weight = chosen_rows(problem, n_components, rng)
        present = weight > 0
        drawn = rng.choice(
            np.flatnonzero(present),
            size=n_components,
            replace=int(present.sum()) < n_components,
            p=weight[present] / weight.sum(),
        )
        points = standardized(problem, X)
        return from_centres(problem, X, weight, points, points[drawn])


def from_centres(
    problem: Problem, X: Array, weight: Array, points: Array, centres: Array
) -> Mixture:
    """Give every row to its nearest centre and estimate each component from its rows."""
    labels = nearest(points, centres)
    return problem.estimate(X, hard_responsibilities(labels, weight, len(centres)))


def nearest(points: Array, centres: Array) -> NDArray[np.intp]:
    """The nearest centre of each point (n,); O(n k d)."""
    labels = np.empty(len(points), dtype=np.intp)
    half_norms = 0.5 * np.einsum("ka,ka->k", centres, centres)
    rows = max(1, _DISTANCES_AT_ONCE // len(centres))
    with single_threaded():
        for start in range(0, len(points), rows):
            scores = points[start : start + rows] @ centres.T - half_norms
            labels[start : start + rows] = scores.argmax(axis=1)
    return labels


def plus_plus(
    points: Array, weight: Array, k: int, rng: np.random.Generator, given: Array | None = None
) -> Array:
    """Centres (k, d) drawn among the points as in `KMeansPlusPlus`, after those given."""
    trials = 2 + int(np.log(k))
    centres = np.empty((k, points.shape[1]))
    begun = 0 if given is None else len(given)
    if given is None or not begun:
        first = rng.choice(len(points), p=weight / weight.sum())
        centres[0], begun = points[first], 1
    else:
        centres[:begun] = given
    distances = _squared_distances(points, centres[:begun]).min(axis=0)
    for index in range(begun, k):
        cumulative = np.cumsum(distances * weight)
        if cumulative[-1] > 0:
            drawn = np.searchsorted(cumulative, rng.random(trials) * cumulative[-1])
            drawn = np.minimum(drawn, len(points) - 1)
        else:
            # Every row sits on a centre already: fewer distinct rows than components.
            drawn = rng.choice(len(points), size=1, p=weight / weight.sum())
        candidates = np.minimum(distances, _squared_distances(points, points[drawn]))
        best = int(np.argmin(candidates @ weight))
        centres[index], distances = points[drawn[best]], candidates[best]
    return centres


def lloyd(points: Array, weight: Array, centres: Array, iterations: int) -> NDArray[np.intp]:
    """Labels (n,) of the points after some iterations of k-means; O(n k d) each.

    A centre that loses all its points stays where it is.
    """
    centres = centres.copy()
    for _ in range(iterations):
        labels = nearest(points, centres)
        move_to_means(centres, points, weight, labels)
    return nearest(points, centres)


def move_to_means(
    centres: Array, points: Array, weight: Array, labels: NDArray[np.integer]
) -> None:
    """Put every centre at the mean of its points, in place; one without any stays where it is."""
    mass = np.bincount(labels, weight, minlength=len(centres))
    held = mass > 0
    centres[held] = cell_sums(points, weight, labels, len(centres))[held] / mass[held, None]


def cell_sums(points: Array, weight: Array, labels: NDArray[np.integer], k: int) -> Array:
    """Weighted sums (k, d) of the points with each label 0 .. k - 1; O(n d)."""
    n = len(points)
    # Column i holds the weight of point i in the row of its label.
    shares = csc_array((weight, labels, np.arange(n + 1)), shape=(k, n))
    sums: Array = shares @ points
    return sums


def _squared_distances(points: Array, centres: Array) -> Array:
    """Squared distances (centres, n); exactly 0 where a point is a centre."""
    norms = np.einsum("ia,ia->i", points, points)
    own = np.einsum("ka,ka->k", centres, centres)[:, None]
    with single_threaded():
        distances: Array = norms - 2.0 * (centres @ points.T) + own
    # What the expansion leaves of a zero is some units of the norms' last place.
    distances[distances <= 1e-13 * (norms + own)] = 0.0
    return distances
