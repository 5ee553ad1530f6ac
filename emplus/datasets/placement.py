r"""Where the means of a generated mixture go, so that their separation is known.

The separation of two components is the Mahalanobis distance of their means under the average
of their covariances,

.. math:: \Delta_{ij}^2 = (\mu_i - \mu_j)^\top
          \Big[\tfrac{1}{2}(\Sigma_i + \Sigma_j)\Big]^{-1} (\mu_i - \mu_j),

eight times the first term of the Bhattacharyya distance. For two spherical components of the
same size it is the distance of the means in standard deviations: at 2 the density just has two
modes, at 6 hardly a row is in doubt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pairwise_separation", "place_apart", "place_on_grid", "place_touching"]

Floats = NDArray[np.float64]

# Candidates that are drawn at once for the place of one mean.
_BATCH = 32
# How the cube grows when none of a batch fits: slowly, so that the means end up close together.
_GROWTH = 1.05


def pairwise_separation(means: ArrayLike, covariances: ArrayLike) -> Floats:
    """Separation of every pair of components, O(k^2 d^3).

    Parameters
    ----------
    means : (k, d) array_like
    covariances : (k, d, d) array_like

    Returns
    -------
    (k, k) ndarray
        Symmetric, zero on the diagonal.

    Examples
    --------
    >>> pairwise_separation([[0.0], [6.0]], [[[1.0]], [[7.0]]]).tolist()
    [[0.0, 3.0], [3.0, 0.0]]
    """
    mu = np.asarray(means, dtype=np.float64)
    sigma = np.asarray(covariances, dtype=np.float64)
    result = np.zeros((len(mu), len(mu)))
    for j in range(1, len(mu)):
        whiteners = _whiteners(sigma, j)
        result[j, :j] = _separation(mu[j][None], mu[:j], whiteners)[0]
    result += result.T
    return result


def place_apart(covariances: Floats, separation: float, rng: np.random.Generator) -> Floats:
    """Place means (k, d) at random, every pair at least ``separation`` apart, O(k^2 d^3).

    They go one by one to a uniform place in a cube that grows when it is full, so the typical
    neighbour is not much farther than ``separation``.
    """
    k, d = covariances.shape[:2]
    means = np.zeros((k, d))
    side = separation * np.sqrt(np.linalg.eigvalsh(covariances)[:, -1].max() / d)
    for j in range(1, k):
        whiteners = _whiteners(covariances, j)
        while True:
            places = (rng.random((_BATCH, d)) - 0.5) * side
            nearest = _separation(places, means[:j], whiteners).min(axis=1)
            free = np.flatnonzero(nearest >= separation)
            if len(free):
                means[j] = places[free[0]]
                break
            side *= _GROWTH
    means -= means.mean(axis=0)
    return means


def place_touching(covariances: Floats, separation: float, rng: np.random.Generator) -> Floats:
    """Place means (k, d) so that each has its nearest neighbour within ``separation``.

    Each goes exactly ``separation`` from an earlier one, in a random direction, and no pair is
    nearer than half of ``separation``. For covariances with eigenvalues in [1/4, 1], O(k^2 d^3).
    """
    k, d = covariances.shape[:2]
    means = np.zeros((k, d))
    for j in range(1, k):
        whiteners = _whiteners(covariances, j)
        directions = rng.standard_normal((_BATCH, d))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        parents = rng.integers(j, size=_BATCH)
        # The last candidate goes outwards from the outermost mean: that place is always free.
        parents[-1] = np.argmax(means[:j] @ directions[-1])
        spread = np.linalg.norm(np.einsum("bde,be->bd", whiteners[parents], directions), axis=1)
        places = means[parents] + directions * (separation / spread)[:, None]
        nearest = _separation(places, means[:j], whiteners).min(axis=1)
        free = np.flatnonzero(nearest >= separation / 2)
        means[j] = places[free[0]]
    means -= means.mean(axis=0)
    return means


def place_on_grid(k: int, d: int, separation: float) -> Floats:
    """The first k points of the smallest cubic grid of k points or more, ``separation`` apart."""
    side = 1
    while side**d < k:
        side += 1
    means = np.zeros((k, d))
    left = np.arange(k)
    for column in range(d):
        means[:, column] = left % side
        left //= side
    means -= means.mean(axis=0)
    means *= separation
    return means


def _whiteners(covariances: Floats, j: int) -> Floats:
    """W (j, d, d) with W_i' W_i the inverse of the average covariance of i and j, for i < j."""
    factors = np.linalg.cholesky((covariances[:j] + covariances[j]) / 2)
    whiteners: Floats = np.linalg.inv(factors)
    return whiteners


def _separation(places: Floats, means: Floats, whiteners: Floats) -> Floats:
    """Separation (b, j) of b places for component j from the j components before it."""
    offsets = places[None, :, :] - means[:, None, :]
    whitened = offsets @ whiteners.transpose(0, 2, 1)
    result: Floats = np.linalg.norm(whitened, axis=2).T
    return result
