"""Rows along a curve: what components of one dimension each can follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.datasets.arguments import Seed, checked_count, checked_positive, generator

__all__ = ["Curve", "make_spiral", "spiral"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Rows near a curve.

    Parameters
    ----------
    X : (n, d) ndarray
    t : (n,) ndarray
        Where on the curve each row was, before the noise.
    """

    X: Floats
    t: Floats


def spiral(t: Floats) -> Floats:
    """Points (n, 3) of a shrinking spiral of two turns, t from 0 to 4 pi.

    Equation (26) of Ueda, Nakano, Ghahramani & Hinton (2000), without its noise.

    Examples
    --------
    >>> spiral(np.array([0.0])).tolist()
    [[13.0, -0.0, 0.0]]
    """
    radius = 13.0 - 0.5 * t
    return np.column_stack([radius * np.cos(t), -radius * np.sin(t), t])


def make_spiral(n_samples: int = 2_000, *, noise: float = 0.5, seed: Seed = None) -> Curve:
    """Draw rows from the noisy shrinking spiral of Ueda et al. (2000), equation (26).

    Their text gives neither the noise nor the number of rows.

    Parameters
    ----------
    n_samples : int
    noise : float
        Standard deviation of the noise in each of the three columns.
    seed : int, Generator or None

    Raises
    ------
    ArgumentError
        If n_samples is below 1 or the noise is not positive and finite.

    Examples
    --------
    >>> make_spiral(5, seed=0).X.shape
    (5, 3)
    """
    n = checked_count("n_samples", n_samples)
    deviation = checked_positive("noise", noise)
    rng = generator(seed)
    t = rng.uniform(0.0, 4.0 * np.pi, size=n)
    return Curve(spiral(t) + deviation * rng.standard_normal((n, 3)), t)
