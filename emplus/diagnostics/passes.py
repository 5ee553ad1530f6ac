"""The first pass: rows of each component, how sure they are, and who shares them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from emplus.data.base import Array, Block, Source
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize

__all__ = ["Sums", "first_pass", "weights_of"]


@dataclass(frozen=True)
class Sums:
    """Weighted sums over all rows, r_ij being the responsibilities.

    Parameters
    ----------
    rows : (k,) ndarray
        sum_i w_i r_ij.
    assigned, certain : (k,) ndarray
        Over the rows whose largest r_ij is that of j: sum_i w_i and sum_i w_i r_ij.
    shared : (k, k) ndarray
        sum_i w_i r_ij r_il.
    log_likelihood, entropy, surprise, impossible : float
        As in `Diagnosis`.
    """

    rows: Array
    assigned: Array
    certain: Array
    shared: Array
    log_likelihood: float
    entropy: float
    surprise: float
    impossible: float

    def nearest(self) -> tuple[NDArray[np.intp], Array]:
        """The component that shares most rows with each (k,), and the share of its rows."""
        k = len(self.rows)
        if k == 1:
            return np.full(1, -1), np.zeros(1)
        others = self.shared.copy()
        np.fill_diagonal(others, -1.0)
        nearest = others.argmax(axis=1)
        held = others[np.arange(k), nearest]
        return nearest, np.divide(held, self.rows, out=np.zeros(k), where=self.rows > 0)


def weights_of(block: Block) -> Array:
    """Row weights of a block (b,), ones where there are none."""
    if block.weight is None:
        return np.ones(block.X.shape[0])
    return block.weight.astype(np.float64)


def first_pass(mixture: Mixture, source: Source) -> Sums:
    """One pass over the rows; O(n k) besides the densities, O(n k^2) for what is shared."""
    k = mixture.n_components

    def measure(block: Block) -> tuple[Array, ...]:
        weight = weights_of(block)
        resp = mixture.log_joint(block.X)
        log_density = log_normalize(resp)
        label, largest = resp.argmax(axis=1), resp.max(axis=1)
        totals = [
            weight @ log_density,
            -(weight @ xlogy(resp, resp).sum(axis=1)),
            -(weight @ np.log(largest)),
            weight @ np.isneginf(log_density),
        ]
        weighted = resp * weight[:, None]
        return (
            weighted.sum(axis=0),
            _counts(label, weight, k),
            _counts(label, weight * largest, k),
            weighted.T @ resp,
            np.array(totals),
        )

    rows, assigned, certain, shared, totals = source.reduce(measure, 4 * k)
    return Sums(rows, assigned, certain, shared, *map(float, totals))


def _counts(label: NDArray[np.intp], weight: Array, k: int) -> Array:
    counts: Array = np.bincount(label, weight, k).astype(np.float64)
    return counts
