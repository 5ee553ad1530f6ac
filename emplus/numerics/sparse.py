"""Sparse rows: arrays and matrices of scipy."""

from __future__ import annotations

from typing import Any

from scipy.sparse import issparse

__all__ = ["is_sparse"]


def is_sparse(X: Any) -> bool:
    """Whether the rows are held as the entries that are not 0."""
    return bool(issparse(X))
