"""A network with one hidden layer of five sigmoid units, fitted by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import expit

from emplus.numerics.threads import single_threaded

__all__ = ["UNITS", "Network", "fitted"]

Floats = NDArray[np.floating[Any]]

UNITS = 5
# Weight decay, so that units do not grow without bound against each other.
DECAY = 1e-5


@dataclass(frozen=True)
class Network:
    """One hidden layer of sigmoids: f(x) = c + sum_h v_h sigmoid(w_h . x + b_h)."""

    inward: Floats  # (h, d)
    shifts: Floats  # (h,)
    outward: Floats  # (h,)
    constant: float

    @classmethod
    def of(cls, vector: Floats, d: int) -> Self:
        inward, shifts, outward, [constant] = np.split(vector, np.cumsum([UNITS * d, UNITS, UNITS]))
        return cls(inward.reshape(UNITS, d), shifts, outward, float(constant))

    def hidden(self, X: Floats) -> Floats:
        """Activations of the units (n, h)."""
        active: Floats = expit(X @ self.inward.T + self.shifts)
        return active

    def output(self, X: Floats) -> Floats:
        total: Floats = self.hidden(X) @ self.outward + self.constant
        return total

    def limits(self) -> tuple[float, float]:
        """What the output of one column tends to, far down and far up."""
        rising = self.inward[:, 0] > 0.0
        down, up = (float(self.outward[active].sum()) for active in (~rising, rising))
        return down + self.constant, up + self.constant


def fitted(
    X: Floats, target: Floats, *, classes: bool, starts: int, seed: int, max_iter: int
) -> Network:
    """The best of several starts: least squares, or the cross-entropy of two classes."""
    rng = np.random.default_rng(seed)
    minimize: Any = optimize.minimize
    runs = []
    for _ in range(starts):
        first = rng.normal(scale=2.0, size=UNITS * (X.shape[1] + 2) + 1)
        with single_threaded():  # products this small are slower on several
            runs.append(
                minimize(
                    loss,
                    first,
                    (X, target, classes),
                    method="L-BFGS-B",
                    jac=True,
                    options={"maxiter": max_iter, "maxfun": 2 * max_iter},
                )
            )
    return Network.of(min(runs, key=lambda run: float(run.fun)).x, X.shape[1])


def loss(vector: Floats, X: Floats, target: Floats, classes: bool) -> tuple[float, Floats]:
    """Mean loss of a row with weight decay, and its gradient by backpropagation."""
    network = Network.of(vector, X.shape[1])
    active = network.hidden(X)
    output = active @ network.outward + network.constant
    if classes:
        value = np.mean(np.logaddexp(0.0, output) - target * output)
        gap = (expit(output) - target) / len(X)
    else:
        value = 0.5 * np.mean((output - target) ** 2)
        gap = (output - target) / len(X)
    back = gap[:, None] * network.outward * active * (1.0 - active)
    slope = np.r_[(back.T @ X).ravel(), back.sum(axis=0), active.T @ gap, gap.sum()]
    return float(value + 0.5 * DECAY * vector @ vector), slope + DECAY * vector
