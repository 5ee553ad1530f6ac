"""Rows that are not in this process's memory, checked as those that are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from emplus.data.base import Source
from emplus.data.cluster import dask_source
from emplus.data.open_tables import in_given_order
from emplus.data.opening import open_rows
from emplus.data.spill import spilled
from emplus.data.stored import StoredRows
from emplus.errors import DataError
from emplus.estimators.validation import (
    check_columns,
    check_entries,
    check_labels,
    check_range,
    check_sample_weight,
    check_spread,
)

__all__ = ["check_columns_of", "clustered_rows", "opened_rows", "some_rows"]


def opened_rows(
    estimator: Any,
    X: Any,
    allow_missing: bool,
    *,
    reset: bool,
    check: Callable[[Any, NDArray[np.intp]], None] | None = None,
) -> StoredRows:
    """Rows that stay in their file, looked through block by block; see `open_rows`.

    ``check`` is shown each block, and the numbers of its rows.

    Raises
    ------
    DataError
        If they are no rows of numbers, or hold infinity, or NaN where nothing may be missing.
    ValueError
        If the columns are not those of the fit.
    """
    rows, names = open_rows(X)
    check_columns_of(estimator, rows.shape[1], names, reset)
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float64)
    known = getattr(estimator, "feature_names_in_", None)
    first = 0
    for block in rows.blocks():
        last = first + len(block)
        numbers = np.arange(first, last) if rows.order is None else rows.order[first:last]
        check_entries(block, known, allow_missing, numbers=numbers)
        if check is not None:
            check(block, numbers)
        first = last
    return rows


def some_rows(rows: Any, kept: NDArray[np.bool_]) -> Any:
    """Some of the rows of an array, or of a file, in the order of the data; (n,) of them."""
    if not isinstance(rows, StoredRows):
        return rows[kept]

    def parts() -> Iterator[Any]:
        first = 0
        for block in in_given_order(rows):
            yield block[kept[first : first + len(block)]]
            first += len(block)

    return spilled(parts(), "The file")


def clustered_rows(
    estimator: Any,
    X: Any,
    sample_weight: Any,
    labels: Any,
    allow_missing: bool,
    *,
    reset: bool = True,
) -> Source:
    """Rows that stay on the workers of a Dask cluster; see `dask_source`.

    Raises
    ------
    ArgumentError
        If there is no cluster, or weights or labels cannot be used.
    DataError
        If the rows cannot be fitted, or the cluster fails.
    ValueError
        If the columns are not those of the fit.
    """
    columns = getattr(X, "columns", None)
    check_columns_of(estimator, X.shape[1], columns, reset)
    names = getattr(estimator, "feature_names_in_", None)
    beside = sample_weight is not None or labels is not None
    n = len(X) if beside else 0
    k = estimator.n_components
    weight = check_sample_weight(sample_weight, n) if beside else None
    known = check_labels(labels, n, k) if beside else None
    reader = estimator._reader(X, reset=reset)
    source = dask_source(X, weight, estimator.n_jobs, known, reader=reader)
    if reset and source.n_rows < k:
        raise DataError(
            f"n_samples = {source.n_rows} rows cannot hold n_components = {k}; give more rows or "
            "ask for fewer components."
        )
    moments = source.moments(full=False)
    if reset:
        check_columns(moments, names)
    check_range(moments, names, allow_missing)
    check_spread(moments, source.dtype.itemsize, names)
    return source


def check_columns_of(estimator: Any, d: int, names: Any, reset: bool) -> None:
    """Keep, or compare with those of the fit, the number and the names of columns."""
    head = np.empty((0, d))
    named = head if names is None else pd.DataFrame(head, columns=list(names))
    validate_data(estimator, named, reset=reset, skip_check_array=True)
