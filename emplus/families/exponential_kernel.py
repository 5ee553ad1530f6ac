"""A pass over rows of a natural exponential family: two matrix products a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, side_by_side
from emplus.families.discrete import CountStatistics
from emplus.numerics.moments import Moments
from emplus.numerics.sparse import is_sparse
from emplus.numerics.workspace import scratch

__all__ = ["Complete", "Entries", "Incomplete", "summed"]

# Whole numbers up to which h(x) is looked up rather than worked out.
_LISTED = 1 << 12


class Entries(Protocol):
    """What a kernel has to know of a family: functions of single entries and their means."""

    real: ClassVar[bool]

    def natural(self, means: Array) -> Array:
        """Natural parameters."""

    def log_partition(self, means: Array) -> Array:
        """What keeps the density's integral at 1."""

    def log_base(self, X: Array) -> Array | float:
        """Logarithms of h(x)."""


class _Rows(NamedTuple):
    """A block of rows, and the sum of log h(x) over each; None where h is 1."""

    X: Any
    base: Array | None


class _Kernel:
    """What both kernels share."""

    log_common = 0.0
    n_sums = 2

    def __init__(
        self,
        entries: Entries,
        means: Array,
        log_weights: Array,
        moments: Moments,
        dtype: np.dtype[Any],
    ):
        natural, spent = entries.natural(means), entries.log_partition(means)
        self._natural, self._spent = natural.astype(dtype), spent.astype(dtype)
        self._constants = np.maximum(log_weights, NOWHERE).astype(dtype)
        self._base_of = _base(entries, moments)
        reach = np.maximum(np.abs(moments.lower), np.abs(moments.upper))
        reach = np.where(np.isfinite(reach), reach, 0.0)
        size = (np.abs(natural) * reach + np.abs(spent)).sum(axis=1).max(initial=0.0)
        self.loss = float(np.finfo(dtype).eps) * float(size)

    def common(self, rows: _Rows) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def take(self, components: slice | NDArray[np.integer]) -> Any:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        for name in ("_natural", "_spent", "_constants"):
            setattr(taken, name, getattr(self, name)[components])
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)

    def _finished(self, joint: Array, constants: Array, base: Array | None) -> Array:
        joint += constants[:, None]
        if base is not None:
            joint += base
        return joint.T


class Complete(_Kernel):
    """Nothing is missing: log p(x | j) = x' eta_j - sum_a A(mu_ja) + sum_a log h(x_a)."""

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._natural.shape
        return int(d + 2 * k)

    def encode(self, X: Any) -> _Rows:
        """The rows in floating point; sparse ones as they are."""
        dtype = self._natural.dtype
        if is_sparse(X):
            return _Rows(X.astype(dtype, copy=False), self._base_of(X))
        rows = X
        if X.dtype != dtype:
            rows = scratch("rows", X.shape, dtype)
            rows[...] = X
        return _Rows(rows, self._base_of(rows))

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k)."""
        X = rows.X
        joint = scratch("joint", (len(self._natural), X.shape[0]), self._natural.dtype)
        if is_sparse(X):
            joint[...] = (X @ self._natural.T).T
        else:
            np.dot(self._natural, X.T, out=joint)
        return self._finished(joint, self._constants - self._spent.sum(axis=1), rows.base)

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and weighted sums of the rows (k, d)."""
        sums = rows.X.T @ resp if is_sparse(rows.X) else np.dot(rows.X.T, resp)
        weight = resp.sum(axis=0, dtype=np.float64)
        return weight, np.asarray(sums).T.astype(np.float64, order="C")

    def statistics(self, sums: tuple[Array, ...]) -> CountStatistics:
        """The sums of all blocks, read as statistics."""
        weight, totals = sums
        return CountStatistics(weight, totals, np.broadcast_to(weight[:, None], totals.shape))


class Incomplete(_Kernel):
    """Some entries are missing, and left out: beside the rows stands what is there of them."""

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, d = self._natural.shape
        return int(2 * d + 2 * k)

    def encode(self, X: Array) -> _Rows:
        """The rows with 0 for what is missing, and beside it 1 for what is there (b, 2 d)."""
        b, d = X.shape
        rows = scratch("rows", (b, 2 * d), self._natural.dtype)
        there = rows[:, d:]
        np.equal(X, X, out=there, casting="unsafe")
        rows[:, :d] = X
        base = self._base_of(rows[:, :d], there)
        np.copyto(rows[:, :d], 0.0, where=there == 0.0)
        return _Rows(rows, base)

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k) of what is there."""
        X = rows.X
        joint = scratch("joint", (len(self._natural), len(X)), X.dtype)
        np.dot(np.concatenate([self._natural, -self._spent], axis=1), X.T, out=joint)
        return self._finished(joint, self._constants, rows.base)

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weight (k,), and weighted sums of the rows and of what is there of them (k, 2 d)."""
        sums = np.dot(rows.X.T, resp).T.astype(np.float64, order="C")
        return resp.sum(axis=0, dtype=np.float64), sums

    def statistics(self, sums: tuple[Array, ...]) -> CountStatistics:
        """The sums of all blocks, read as statistics."""
        weight, totals = sums
        return CountStatistics(weight, *np.split(totals, 2, axis=1))


def summed(X: Any, resp: Array) -> CountStatistics:
    """Statistics of rows that may be sparse or hold NaN, for responsibilities (n, k)."""
    resp = resp.astype(np.float64, copy=False)
    weight = resp.sum(axis=0)
    if is_sparse(X):
        sums = np.asarray((X.T.astype(np.float64) @ resp).T)
        return CountStatistics(weight, sums, np.broadcast_to(weight[:, None], sums.shape))
    rows = X.astype(np.float64, copy=False)
    missing = np.isnan(rows)
    if not missing.any():
        sums = resp.T @ rows
        return CountStatistics(weight, sums, np.broadcast_to(weight[:, None], sums.shape))
    return CountStatistics(weight, resp.T @ np.where(missing, 0.0, rows), resp.T @ ~missing)


class _NoBase:
    """H is 1."""

    def __call__(self, X: Any, there: Array | None = None) -> None:
        return None


class _WorkedOut:
    """Log h(x), entry by entry."""

    def __init__(self, entries: Entries):
        self._entries = entries

    def __call__(self, X: Array, there: Array | None = None) -> Array:
        if there is not None:
            # Any value that the family knows will do where nothing is there.
            X = np.where(there > 0, X, 1.0)
        base = np.broadcast_to(self._entries.log_base(X.astype(np.float64, copy=False)), X.shape)
        whole: Array = (base if there is None else base * there).sum(axis=1)
        return whole


class _LookedUp:
    """Log h(x) of small whole numbers, from a list."""

    def __init__(self, entries: Entries, largest: int):
        listed = np.asarray(entries.log_base(np.arange(largest + 1.0)), dtype=np.float64)
        # What is missing goes beyond the last.
        self._listed = np.append(np.broadcast_to(listed, largest + 1), 0.0)

    def __call__(self, X: Array, there: Array | None = None) -> Array:
        places = scratch("places", X.shape, np.intp)
        with np.errstate(invalid="ignore"):
            np.copyto(places, X, casting="unsafe")
        if there is not None:
            np.copyto(places, len(self._listed) - 1, where=there == 0.0)
        whole: Array = self._listed[places].sum(axis=1)
        return whole


def _base(entries: Entries, moments: Moments) -> Any:
    """What sums log h(x) over the columns of each row of a block, the fastest way there is."""
    constant = entries.log_base(np.zeros(1))
    if np.ndim(constant) == 0 and constant == 0.0:
        return _NoBase()
    there = np.isfinite(moments.lower)
    low = moments.lower[there].min(initial=0.0)
    high = moments.upper[there].max(initial=0.0)
    if not entries.real and low >= 0.0 and high < _LISTED:
        return _LookedUp(entries, int(high))
    return _WorkedOut(entries)
