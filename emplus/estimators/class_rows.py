"""What a classifier of mixtures is fitted to: a table, its rows as numbers, classes, weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from emplus.data.cluster import is_dask
from emplus.data.frames import as_frame, native
from emplus.data.memory import ArraySource
from emplus.data.opening import is_stored
from emplus.errors import DataError
from emplus.estimators.class_codes import read_classes
from emplus.estimators.validation import check_sample_weight, unmasked
from emplus.numerics.sparse import is_sparse

__all__ = ["ClassRows"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class ClassRows:
    """Rows with a weight above 0, and their classes.

    Parameters
    ----------
    table : DataFrame or (n, d) array
        The rows as they were given.
    rows : (n, d) array
        The same as the family works on them.
    weight : (n,) ndarray or None
    classes : (C,) ndarray
    codes : (n,) ndarray of int
        The place of each row's class among the classes, -1 where it is not known.
    """

    table: Any
    rows: Any
    weight: Array | None
    classes: NDArray[Any]
    codes: NDArray[np.intp]

    @classmethod
    def read(
        cls, reader: Any, X: Any, y: Any, sample_weight: ArrayLike | None, unlabeled: Any
    ) -> Self:
        """Rows and labels, checked; the reader keeps what is to be known of the whole table."""
        table = _indexable(X)
        rows = reader._read(table, reset=True)
        n = int(rows.shape[0])
        weight = check_sample_weight(sample_weight, n)
        kept = None if weight is None or weight.all() else weight > 0
        classes, codes = read_classes(y, n, unlabeled, kept)
        if kept is not None and weight is not None:
            table, weight = _some(table, kept), weight[kept]
            # What only rows without weight hold is not there.
            rows = reader._read(table, reset=True)
        return cls(table, rows, weight, classes, codes)

    @cached_property
    def known(self) -> list[NDArray[np.intp]]:
        """Numbers of the rows that are known to be of each class."""
        return [np.flatnonzero(self.codes == c) for c in range(len(self.classes))]

    @cached_property
    def unknown(self) -> NDArray[np.intp]:
        """Numbers of the rows of unknown class."""
        return np.flatnonzero(self.codes < 0)

    @cached_property
    def counts(self) -> Array:
        """Weights of the rows (n,), 1 where there are none."""
        return np.ones(len(self.codes)) if self.weight is None else self.weight

    @property
    def source(self) -> ArraySource:
        """The rows with their weights and classes."""
        return ArraySource(self.rows, self.weight, labels=self.codes)

    def distinct(self, rows: NDArray[np.intp], most: int) -> int:
        """How many of these rows differ, up to ``most``."""
        for looked_at in (rows[: 16 * most], rows):
            some = self.rows[looked_at]
            some = some.toarray() if is_sparse(some) else some
            # By their bytes, where 0 and -0 are the same: numpy.unique compares columns in turn.
            different = len({row.tobytes() for row in some + np.zeros(1, dtype=some.dtype)})
            if different >= most:
                break
        return min(different, most)

    def take(self, rows: NDArray[Any]) -> tuple[Any, Array | None]:
        """Some rows of the table, and their weights."""
        return _some(self.table, rows), None if self.weight is None else self.weight[rows]


def _indexable(X: Any) -> Any:
    """The rows as something that gives some of them for their numbers."""
    if is_dask(X) or (is_stored(X) and not isinstance(X, np.ndarray)):
        raise DataError(
            "Classifiers take rows in memory, not files, blocks or Dask collections; read them "
            "first."
        )
    if isinstance(X, pd.DataFrame):
        return native(X)
    if hasattr(X, "to_pandas") or hasattr(X, "__dataframe__"):
        return as_frame(X)[0]
    if isinstance(X, np.matrix):
        raise TypeError("np.matrix is not supported; give a plain array, np.asarray(X).")
    return csr_array(X) if is_sparse(X) else np.asarray(unmasked(X))


def _some(table: Any, rows: NDArray[Any]) -> Any:
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
