"""Rows drawn from Gaussian mixtures whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emplus.datasets.arguments import Seed, checked_count, checked_positive, generator
from emplus.datasets.placement import place_apart, place_on_grid, place_touching
from emplus.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from emplus.mixture import Mixture

__all__ = ["KINDS", "Generated", "make_mixture"]

Floats = NDArray[np.float64]
Truth = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, eq=False)
class Generated:
    """Rows and the mixture that they were drawn from.

    Parameters
    ----------
    X : (n, d) ndarray
        Rows, in random order.
    y : (n,) ndarray of int
        The component that each row was drawn from.
    weights : (k,) ndarray
        Mixing weights; the share of each component among the rows varies about them.
    means : (k, d) ndarray
    covariances : (k, d, d) ndarray
    """

    X: Floats
    y: NDArray[np.intp]
    weights: Floats
    means: Floats
    covariances: Floats

    @property
    def mixture(self) -> Mixture:
        """The mixture itself, which scores, assigns and samples."""
        from emplus.mixture import Mixture

        return Mixture.gaussian(self.weights, self.means, self.covariances)


def make_mixture(
    kind: str,
    n: int = 1000,
    *,
    d: int = 2,
    k: int = 3,
    separation: float | None = None,
    seed: Seed = None,
) -> Generated:
    """Draw rows from a Gaussian mixture of a given kind.

    ``separation`` is in standard deviations: the Mahalanobis distance between two means under
    the average of their covariances (see ``emplus.datasets.pairwise_separation``).

    ================ ===================== =============================== ===================
    kind             weights               covariances                     separation
    ================ ===================== =============================== ===================
    ``separated``    equal                 slightly elongated              least of all pairs
    ``overlapping``  equal                 slightly elongated              most to the nearest
    ``unequal``      1 to 1/20             standard deviations 1 to 1/8    least of all pairs
    ``anisotropic``  equal                 standard deviations 1 to 1/10   least of all pairs
                                           within a component, any
                                           direction
    ``grid``         equal                 unit                            to the nearest
    ================ ===================== =============================== ===================

    So no two components of a ``separated`` mixture are nearer than ``separation``; in an
    ``overlapping`` one each has another within ``separation``, though none nearer than half of
    it; and the means of ``grid`` are neighbours on a cubic grid.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    n : int
        Number of rows, each drawn from component j with probability ``weights[j]``.
    d, k : int
        Numbers of features and of components.
    separation : float, optional
        More than 0; by default ``KINDS[kind]``.
    seed : int, Generator, SeedSequence or None
        The same seed gives the same bits; a generator is used and advanced; None is different
        every time.

    Returns
    -------
    Generated

    Raises
    ------
    ArgumentError
        If an argument cannot be used; ``UnknownNameError`` for an unknown kind.

    Examples
    --------
    >>> blobs = make_mixture("separated", 500, d=2, k=4, seed=0)
    >>> blobs.X.shape, blobs.weights.tolist()
    ((500, 2), [0.25, 0.25, 0.25, 0.25])
    >>> round(float((blobs.mixture.predict(blobs.X) == blobs.y).mean()), 2)
    1.0
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of mixture", kind, KINDS)
    rows, features, components = checked_count("n", n), checked_count("d", d), checked_count("k", k)
    if kind == "anisotropic" and features < 2:
        raise ArgumentError("An anisotropic mixture needs d >= 2: one column has no direction.")
    delta = KINDS[kind] if separation is None else checked_positive("separation", separation)
    rng = generator(seed)
    weights, means, covariances = _TRUTHS[kind](features, components, delta, rng)
    y = rng.choice(components, size=rows, p=weights)
    return Generated(_draw(y, means, covariances, rng), y, weights, means, covariances)


def _separated(d: int, k: int, delta: float, rng: np.random.Generator) -> Truth:
    covariances = _rotated(rng.uniform(0.6, 1.0, (k, d)), rng)
    return _equal(k), place_apart(covariances, delta, rng), covariances


def _overlapping(d: int, k: int, delta: float, rng: np.random.Generator) -> Truth:
    covariances = _rotated(rng.uniform(0.6, 1.0, (k, d)), rng)
    return _equal(k), place_touching(covariances, delta, rng), covariances


def _unequal(d: int, k: int, delta: float, rng: np.random.Generator) -> Truth:
    weights = rng.permutation(np.geomspace(1.0, 1 / 20, k))
    sizes = rng.permutation(np.geomspace(1.0, 1 / 8, k))
    covariances = _rotated(sizes[:, None] * rng.uniform(0.7, 1.0, (k, d)), rng)
    return weights / weights.sum(), place_apart(covariances, delta, rng), covariances


def _anisotropic(d: int, k: int, delta: float, rng: np.random.Generator) -> Truth:
    covariances = _rotated(np.tile(np.geomspace(1.0, 0.1, d), (k, 1)), rng)
    return _equal(k), place_apart(covariances, delta, rng), covariances


def _grid(d: int, k: int, delta: float, rng: np.random.Generator) -> Truth:
    return _equal(k), place_on_grid(k, d, delta), np.tile(np.eye(d), (k, 1, 1))


_TRUTHS: dict[str, Callable[[int, int, float, np.random.Generator], Truth]] = {
    "separated": _separated,
    "overlapping": _overlapping,
    "unequal": _unequal,
    "anisotropic": _anisotropic,
    "grid": _grid,
}

KINDS: Mapping[str, float] = MappingProxyType(
    {"separated": 6.0, "overlapping": 2.0, "unequal": 5.0, "anisotropic": 4.0, "grid": 4.0}
)
"""The kinds of mixture, and the separation that each has by default."""


def _equal(k: int) -> Floats:
    return np.full(k, 1.0 / k)


def _rotated(deviations: Floats, rng: np.random.Generator) -> Floats:
    """Covariances (k, d, d) with the given standard deviations along random axes."""
    k, d = deviations.shape
    axes = np.linalg.qr(rng.standard_normal((k, d, d)))[0]
    half = axes * deviations[:, None, :]
    covariances: Floats = half @ half.transpose(0, 2, 1)
    return (covariances + covariances.transpose(0, 2, 1)) / 2


def _draw(
    y: NDArray[np.intp], means: Floats, covariances: Floats, rng: np.random.Generator
) -> Floats:
    """One row a label: O(n d^2), with no more than one component's rows held twice."""
    X = rng.standard_normal((len(y), means.shape[1]))
    order = np.argsort(y, kind="stable")
    ends = np.cumsum(np.bincount(y, minlength=len(means)))
    for j, factor in enumerate(np.linalg.cholesky(covariances)):
        rows = order[(ends[j - 1] if j else 0) : ends[j]]
        X[rows] = X[rows] @ factor.T + means[j]
    return X
