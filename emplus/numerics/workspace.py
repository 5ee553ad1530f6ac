"""Scratch arrays that each thread keeps and uses again.

A pass works on thousands of blocks with the same few intermediate arrays. Fresh memory for each
would be handed out and taken back by the operating system every time, which costs more than the
arithmetic on blocks of this size.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["scratch", "scratch_of"]


class _Kept(threading.local):
    """What one thread keeps: arrays by name, and what its names begin with at present."""

    def __init__(self) -> None:
        self.buffers: dict[str, NDArray[np.uint8]] = {}
        self.prefix = ""


_kept = _Kept()

# Larger arrays are worth their fresh memory and would be too much to keep.
_MOST_KEPT = 64 << 20


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialized C-contiguous array, valid until this thread asks for ``name`` again.

    Examples
    --------
    >>> first = scratch("doc", (2, 3), np.float64)
    >>> scratch("doc", (3, 2), np.float64).base is first.base
    True
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size > _MOST_KEPT:
        return np.empty(shape, dtype)
    buffers, name = _kept.buffers, _kept.prefix + name
    buffer = buffers.get(name)
    if buffer is None or buffer.size < size:
        buffer = np.empty(max(size, 1), dtype=np.uint8)
        buffers[name] = buffer
    array: NDArray[Any] = buffer[:size].view(dtype).reshape(shape)
    return array


@contextmanager
def scratch_of(owner: str) -> Iterator[None]:
    """Names asked for inside are the owner's: kernels that work side by side share no arrays.

    Examples
    --------
    >>> with scratch_of("one"):
    ...     mine = scratch("doc", (2, 3), np.float64)
    >>> mine.base is scratch("doc", (2, 3), np.float64).base
    False
    """
    outer = _kept.prefix
    _kept.prefix = f"{outer}{owner}/"
    try:
        yield
    finally:
        _kept.prefix = outer
