"""Fitted models for tests of what is done with them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import emplus

__all__ = ["drawn", "fitted", "line", "make_rows"]

Rows = NDArray[np.floating]


def make_rows(n: int = 200, d: int = 3) -> Rows:
    rng = np.random.default_rng(7)
    centres = 8.0 * rng.standard_normal((3, d))
    return np.asarray(centres[rng.integers(3, size=n)] + rng.standard_normal((n, d)))


def fitted(covariance: str = "full", dtype: str = "float64", **params: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return emplus.GaussianMixture(
            3, covariance_type=covariance, random_state=0, max_iter=20, **params
        ).fit(make_rows().astype(dtype))


def line(
    means: ArrayLike, variances: ArrayLike, weights: ArrayLike | None = None
) -> emplus.Mixture:
    """A mixture in one column."""
    mu, v = np.asarray(means, dtype=float), np.asarray(variances, dtype=float)
    w = np.full(len(mu), 1.0 / len(mu)) if weights is None else weights
    return emplus.Mixture.gaussian(w, mu[:, None], v[:, None], "diag")


def drawn(mixture: emplus.Mixture, n: int, seed: int = 0) -> Rows:
    return mixture.sample(n, np.random.default_rng(seed))[0]
