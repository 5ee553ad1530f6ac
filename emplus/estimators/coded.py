"""What estimators of tables share: columns of several kinds as numbers, and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from emplus.data.choices import Chosen
from emplus.data.coding import Coding
from emplus.data.frames import as_frame
from emplus.data.opening import is_stored
from emplus.engine.problem import Problem
from emplus.errors import DataError, ModelFileError
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.far_readers import CodeReader, learned_on
from emplus.estimators.far_tables import opened_codes
from emplus.estimators.telling import warn_of_columns
from emplus.estimators.validation import column_name, unmasked
from emplus.mixture import Mixture
from emplus.numerics.sparse import is_sparse

__all__ = ["CodedEstimator"]

Array = NDArray[np.floating]


class CodedEstimator(MixtureEstimator):
    """Fits tables whose columns are numbers, truth values, text or categories."""

    # Set by fit.
    coding_: Coding
    # Set before a fit on a part of a table by who wants it coded like the whole table.
    _whole_coding: Coding | None = None

    @abstractmethod
    def _chosen(self, n_features: int) -> dict[str, Chosen]:
        """The kinds of columns that are given, by name or place."""

    def _infer(self, X: Any) -> Coding:
        """The coding of a table that is to be fitted."""
        return Coding.infer(X, **self._chosen(X.shape[1]))

    def _read(self, X: Any, *, reset: bool) -> Any:
        if is_stored(X):
            return opened_codes(self, X, reset=reset)
        table = self._table(X)
        if table.shape[0] < 1 or table.shape[1] < 1:
            what = "sample" if table.shape[0] < 1 else "feature"
            raise DataError(
                f"Found array with 0 {what}(s) (shape={table.shape}) while a minimum of 1 is "
                "required."
            )
        validate_data(self, table, reset=reset, skip_check_array=True)
        if reset:
            self.coding_ = self._whole_coding or self._infer(table)
        check_is_fitted(self, "coding_")
        rows = self.coding_.encode(table, compact=True)
        self._check_codes(rows)
        return rows

    def _reader(self, X: Any, *, reset: bool) -> Any:
        if reset:
            self.coding_ = self._whole_coding or learned_on(X, self._chosen(X.shape[1]))
        check_is_fitted(self, "coding_")
        return CodeReader(self.coding_)

    def _check_codes(self, rows: Any, first: int = 0) -> None:
        if not self.allow_missing and (missing := np.isnan(rows)).any():
            row, column = np.argwhere(missing)[0]
            raise DataError(
                f"Input X contains NaN (a missing value) in {column_name(column, self._names)}, "
                f"row {first + row}; fill it, or set allow_missing=True."
            )

    def _kept(self, X: Any, rows: Any, kept: NDArray[np.bool_]) -> Any:
        # Values that only rows without weight hold are no categories, nor do they tell a kind.
        if is_stored(X):
            return opened_codes(self, X, reset=True, kept=kept)
        table = self._table(X)
        some = table[kept] if isinstance(table, np.ndarray) else as_frame(table)[0][kept]
        self.coding_ = self._whole_coding or self._infer(some)
        return self.coding_.encode(some, compact=True)

    def _table(self, X: Any) -> Any:
        """A data frame as it is, anything else as an array of two dimensions."""
        if is_sparse(X):
            raise TypeError(
                "Sparse input is taken by BernoulliMixture only; give a dense array "
                "(X.toarray()) or a data frame."
            )
        if hasattr(X, "to_pandas") or hasattr(X, "__dataframe__"):
            return X
        if isinstance(X, np.matrix):
            raise TypeError("np.matrix is not supported; give a plain array, np.asarray(X).")
        array = np.asarray(unmasked(X))
        if array.dtype.kind == "c":
            raise ValueError("Complex data not supported: the array holds complex numbers.")
        if array.ndim != 2:
            raise ValueError(
                f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either "
                "using array.reshape(-1, 1) if it has one feature or array.reshape(1, -1) if it "
                "is one sample."
            )
        return array

    def _written(self, rows: Array, like: Any = None) -> Any:
        table = self.coding_.decode(np.asarray(rows, dtype=np.float64))
        index = getattr(like, "index", None)
        if hasattr(table, "set_axis") and index is not None and not callable(index):
            table = table.set_axis(index)
        return table

    def _warn_of_data(self, problem: Problem) -> None:
        # The coding has warned of columns of one category.
        continuous = np.array([kind == "continuous" for kind in self.coding_.kinds])
        if continuous.any():
            columns = np.flatnonzero(continuous)
            names = None if self._names is None else self._names[columns]
            warn_of_columns(problem.moments.columns(columns, problem.family.levels), names)

    def _level_probabilities(self, column: int) -> Array:
        """Probabilities (k, levels) of the categories of a column, or of 0 and 1."""
        family, parameters = self.mixture_.family.marginal(
            self.mixture_.parameters, np.array([column])
        )
        (packed,) = family.pack(parameters).values()
        return packed if family.levels else np.stack([1.0 - packed[:, 0], packed[:, 0]], axis=1)

    def _description(self) -> Any:
        return self.coding_.to_json()

    def _describe(self, description: Any, mixture: Mixture) -> None:
        self.coding_ = Coding.from_json(description)
        continuous = tuple(kind == "continuous" for kind in self.coding_.kinds)
        levels = mixture.family.levels or (0,) * mixture.n_features
        if (
            tuple(mixture.family.continuous(mixture.parameters)) != continuous
            or self.coding_.levels != levels
        ):
            raise ModelFileError("its columns are not those of its parameters")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _column_labels(self) -> Sequence[str]:
        """How each column is called: by its name, or by its number."""
        names = self.coding_.names
        return names or [f"x{column}" for column in range(len(self.coding_.columns))]
