"""Rows that are equal, found without sorting them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.sparse import is_sparse

__all__ = ["distinct_rows", "grouped", "hashes_of", "words_of"]


def distinct_rows(X: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """The first of each kind of equal rows, and for each row which of these it equals; O(n d).

    Parameters
    ----------
    X : (n, d) ndarray of bool or whole numbers, or CSR array of bool

    Returns
    -------
    tuple or None
        None in the unlikely case that two rows which differ have the same hash.

    Examples
    --------
    >>> first, which = distinct_rows(np.array([[True, False], [False, False], [True, False]]))
    >>> first.tolist(), which.tolist()
    ([0, 1], [0, 1, 0])
    """
    if is_sparse(X):
        first, which = grouped(_sums_of_numbers(X))
        return (first, which) if (X[first][which] != X).nnz == 0 else None
    words = words_of(X)
    first, which = grouped(hashes_of(words))
    return (first, which) if np.array_equal(words, words[first][which]) else None


def hashes_of(words: NDArray[np.uint64], seed: int = 0) -> NDArray[np.uint64]:
    """A number for each row (n,), which most likely differs where rows differ."""
    draw = np.random.default_rng([seed, words.shape[1]] if seed else words.shape[1])
    factors: Any = draw.integers(1, 2**62, size=words.shape[1]).astype(np.uint64)
    hashes = np.zeros(len(words), dtype=np.uint64)
    for number in range(words.shape[1]):
        hashes ^= hashes >> np.uint64(29)
        hashes += words[:, number]
        # An odd factor loses nothing.
        hashes *= factors[number] | np.uint64(1)
    return hashes


def grouped(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first of each, in the order of the rows, and for each row which of these it is."""
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return first[order], place[which]


def _sums_of_numbers(X: Any) -> NDArray[np.uint64]:
    """For each row of ones the sum of numbers that its columns were given at random."""
    numbers = np.random.default_rng(X.shape[1]).integers(0, 2**63, size=X.shape[1])
    sums = np.zeros(len(X.indices) + 1, dtype=np.uint64)
    np.cumsum(numbers.astype(np.uint64)[X.indices], out=sums[1:])
    hashes: NDArray[np.uint64] = sums[X.indptr[1:]] - sums[X.indptr[:-1]]
    return hashes


def words_of(X: NDArray[Any]) -> NDArray[np.uint64]:
    """What each row holds as whole numbers of eight bytes (n, w)."""
    rows = np.packbits(X, axis=1) if X.dtype == np.bool_ else np.ascontiguousarray(X)
    content = rows.view(np.uint8).reshape(len(rows), -1)
    width = -(-content.shape[1] // 8) * 8
    padded = np.zeros((len(rows), width), dtype=np.uint8)
    padded[:, : content.shape[1]] = content
    return padded.view(np.uint64)
