"""What is missing in a row regressed on what is there, for every pattern and component at once.

With D the diagonal of what is there (1) and what is not (0), everything is of one shape whatever
is missing: A = D (D Sigma D + I - D)^-1 D is the precision of what is there, G = Sigma A takes
deviations of what is there to expected deviations of the whole row, and C = Sigma - G Sigma is what
the rest still varies by (Little & Rubin 2019, section 11.2; Ghahramani & Jordan 1994).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array
from emplus.families.gaussian_centred import LOG_TWO_PI
from emplus.numerics.patterns import Patterns

__all__ = ["Regressions", "conditional_draws", "conditional_means", "pattern_chunks"]

# Numbers in the matrices of the patterns that are worked on together.
_NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Regressions:
    """Matrices (p, k, d, d) of p patterns and k components; k is 1 where they share one.

    What equation :eq:`missing-gaussian` of the theory page needs.

    Parameters
    ----------
    observed : (p, d) ndarray of bool
    whiteners : (p, k, d, d) ndarray
        W, with W'W the precision of what is there; rows and columns of the rest are 0.
    gains : (p, k, d, d) ndarray
        G: the identity for what is there.
    residuals : (p, k, d, d) ndarray
        C: 0 for what is there.
    constants : (p, k) ndarray
        Half the log determinant of A on what is there, less (1/2) log 2 pi for each entry.
    """

    observed: NDArray[np.bool_]
    whiteners: Array
    gains: Array
    residuals: Array
    constants: Array

    @classmethod
    def of(cls, covariances: Array, observed: NDArray[np.bool_]) -> Regressions:
        """Solve for all patterns; O(p k d^3)."""
        there = observed[:, None, :].astype(np.float64)
        rows_there, columns_there = there[..., :, None], there[..., None, :]
        padded = covariances * (rows_there * columns_there)
        np.einsum("pkaa->pka", padded)[...] += 1.0 - there
        roots = np.linalg.cholesky(padded)
        whiteners = np.linalg.inv(roots)
        whiteners *= rows_there
        half_log_det = -np.log(np.einsum("pkaa->pka", roots)).sum(axis=2)
        # Rows of what is there are the identity: exactly, whatever rounding makes of it.
        gains = np.matmul(covariances, whiteners.swapaxes(2, 3) @ whiteners, out=padded)
        gains *= 1.0 - rows_there
        np.einsum("pkaa->pka", gains)[...] += there
        residuals = np.matmul(gains, covariances, out=roots)
        np.subtract(covariances, residuals, out=residuals)
        residuals *= (1.0 - rows_there) * (1.0 - columns_there)
        constants = half_log_det - 0.5 * LOG_TWO_PI * observed.sum(axis=1)[:, None]
        return cls(observed, whiteners, gains, residuals, constants)


def pattern_chunks(n_patterns: int, k: int, d: int) -> Iterator[slice]:
    """Patterns that are worked on together, so that their matrices stay of moderate size."""
    step = max(1, _NUMBERS_AT_ONCE // (k * d * d))
    for start in range(0, n_patterns, step):
        yield slice(start, min(start + step, n_patterns))


def conditional_means(means: Array, covariances: Array, X: Array, resp: Array) -> Array:
    """Rows (n, d) with what is missing filled by its mean under responsibilities (n, k)."""
    filled = X.copy()
    for own, observed, regressions in _runs(means, covariances, X):
        deviations = np.where(observed, X[own] - means[:, None], 0.0)
        expected = deviations @ regressions.swapaxes(1, 2) + means[:, None]
        values = np.einsum("ik,kia->ia", resp[own], expected)
        filled[own] = np.where(observed, X[own], values)
    return filled


def conditional_draws(
    covariances: Array, X: Array, labels: NDArray[np.integer], drawn: Array, means: Array
) -> Array:
    """Rows (n, d) with what is missing drawn given what is there and each row's component.

    ``drawn`` (n, d) are whole rows of the components: what they miss the row by where it is
    there is regressed on, as in Matheron's rule for conditional draws.
    """
    filled = X.copy()
    for own, observed, regressions in _runs(means, covariances, X):
        gaps = np.where(observed, X[own] - drawn[own], 0.0)
        gains = np.broadcast_to(regressions, (len(means), *regressions.shape[1:]))[labels[own]]
        values = drawn[own] + np.einsum("iab,ib->ia", gains, gaps)
        filled[own] = np.where(observed, X[own], values)
    return filled


def _runs(
    means: Array, covariances: Array, X: Array
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_], Array]]:
    """The rows of each pattern, what they have, and the gains (k, d, d)."""
    patterns = Patterns.of(~np.isnan(X))
    order = np.arange(len(X)) if patterns.order is None else patterns.order
    for chunk in pattern_chunks(len(patterns.observed), *means.shape):
        solved = Regressions.of(covariances, patterns.observed[chunk])
        for p, run in enumerate(patterns.runs[chunk]):
            yield order[run], solved.observed[p], solved.gains[p]
