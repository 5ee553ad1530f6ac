"""Tables that stay in their file, as the rows that families of tables work on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from emplus.data.cells import content, numbers
from emplus.data.choices import label_of
from emplus.data.coded_tables import coded_rows
from emplus.data.open_tables import open_table, stored_array
from emplus.data.sketch import learned
from emplus.data.spill import spilled_codes
from emplus.data.stored import StoredRows
from emplus.errors import DataError
from emplus.estimators.far_rows import check_columns_of

__all__ = ["numeric", "opened_codes", "opened_truths"]


def opened_codes(
    estimator: Any, X: Any, *, reset: bool, kept: NDArray[np.bool_] | None = None
) -> StoredRows:
    """A table coded block by block, as `CodedEstimator` codes one in memory.

    With ``reset`` the coding is learned from the table, of the rows ``kept`` (n,) where not all
    are; that is a pass more.

    Raises
    ------
    DataError
        If the table cannot be coded, or entries are missing where none may be.
    ValueError
        If the columns are not those of the fit.
    """
    table = open_table(X)
    check_columns_of(estimator, table.n_columns, table.names, reset)
    if reset:
        chosen = estimator._chosen(table.n_columns)
        estimator.coding_ = estimator._whole_coding or learned(table, chosen, kept)
    check_is_fitted(estimator, "coding_")
    return coded_rows(estimator.coding_, table, estimator._check_codes, kept)


def opened_truths(
    estimator: Any, X: Any, *, reset: bool, kept: NDArray[np.bool_] | None = None
) -> StoredRows:
    """Rows of zeros and ones, compared with the threshold block by block; a byte an entry.

    Truth values in an ``.npy`` file are read where they are.

    Raises
    ------
    DataError
        If they are no numbers, or entries are missing where none may be.
    ValueError
        If the columns are not those of the fit.
    """
    array = stored_array(X)
    if array is not None and array.dtype == np.bool_ and kept is None:
        check_columns_of(estimator, array.shape[1], None, reset)
        return array
    table = open_table(X)
    check_columns_of(estimator, table.n_columns, table.names, reset)

    def blocks() -> Iterator[Any]:
        for first, frame, dtype in table.frames():
            rows = numeric(table.what, first, frame, dtype)
            if kept is not None:
                rows = rows[kept[first : first + len(frame)]]
            yield estimator._truths(rows, first)

    return spilled_codes(blocks(), np.int8, np.bool_, table.what)


def numeric(what: str, first: int, frame: Any, dtype: np.dtype[Any] | None) -> Any:
    """A block as numbers: of the type of an array of numbers, otherwise float64."""
    if dtype is not None and dtype.kind in "biuf":
        return frame.to_numpy()
    rows = np.empty(frame.shape)
    for j, (name, series) in enumerate(frame.items()):
        label = label_of(j, name if isinstance(name, str) else None)
        if content(series, label) in ("text", "category"):
            raise DataError(f"{what} holds text in {label}; rows are zeros and ones.")
        rows[:, j] = numbers(series, label, first)
    return rows
