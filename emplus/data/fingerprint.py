"""A number for rows, by which a fit that is taken up again knows them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from emplus.data.base import Block, Source
from emplus.numerics.sparse import is_sparse

__all__ = ["fingerprint"]

# Numbers of a row that a block is cut for.
_WIDTH = 64


def fingerprint(source: Source) -> str:
    """Hexadecimal digits that change when any entry, weight, label or the order of rows does.

    Notes
    -----
    One pass over the rows: the digests (BLAKE2) of all blocks, added.
    """
    (sums,) = source.reduce(_digest, _WIDTH)
    facts = f"{source.n_rows} {source.n_features} {np.dtype(source.dtype).str} "
    return hashlib.blake2b(facts.encode() + sums.tobytes(), digest_size=16).hexdigest()


def _digest(block: Block) -> tuple[Any, ...]:
    # Where a block begins is part of it, so that rows in another order are other rows.
    digest = hashlib.blake2b(f"{block.start} {block.X.shape}".encode(), digest_size=32)
    X = block.X
    for array in (X.data, X.indices, X.indptr) if is_sparse(X) else (X,):
        digest.update(array.dtype.str.encode())
        digest.update(np.ascontiguousarray(array).data)
    for beside in (block.weight, block.labels):
        digest.update(b"-" if beside is None else np.ascontiguousarray(beside).data)
    # Unsigned numbers are added without regard to overflow.
    return (np.frombuffer(digest.digest(), dtype="<u8").copy(),)
