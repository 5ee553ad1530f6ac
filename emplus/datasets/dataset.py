"""A data set: rows, what they are called and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

__all__ = ["Dataset", "as_rows"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A named table of numbers.

    Parameters
    ----------
    name : str
        The name it was asked for by.
    X : (n, d) ndarray
        Rows; the training part where a split is published. float32 where the file holds
        float32, else float64. An entry that is missing is NaN.
    y : (n,) ndarray or None
        Labels, where there are any. A fit never needs them.
    feature_names : tuple of str
        d names.
    description : str
        What a row is, in a sentence.
    source : str
        Whom to cite.
    X_test, y_test : ndarray or None
        The test part, where a split is published.
    X_valid : ndarray or None
        The validation part, where a split in three is published.
    categories : mapping of str to tuple of str
        For each column of words, the word that the codes 0, 1, ... stand for.
    """

    name: str
    X: NDArray[Any]
    y: NDArray[Any] | None
    feature_names: tuple[str, ...]
    description: str
    source: str
    X_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None
    X_valid: NDArray[Any] | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, d = as_rows(self.name, "X", self.X).shape
        _check_length(self.name, "y", self.y, n)
        if len(self.feature_names) != d:
            raise DataError(
                f"Data set {self.name!r} has {d} columns and {len(self.feature_names)} names."
            )
        for label, part in (("X_test", self.X_test), ("X_valid", self.X_valid)):
            if part is not None and as_rows(self.name, label, part).shape[1] != d:
                raise DataError(
                    f"Data set {self.name!r}: {label} has {part.shape[1]} columns and X has {d}."
                )
        if self.y_test is not None:
            rows = -1 if self.X_test is None else len(self.X_test)
            _check_length(self.name, "y_test", self.y_test, rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of ``X``."""
        n, d = self.X.shape
        return n, d

    def __repr__(self) -> str:
        parts = [
            f"{key} {getattr(self, key).shape}"
            for key in ("X", "y", "X_valid", "X_test")
            if getattr(self, key) is not None
        ]
        return f"<Dataset {self.name!r}: {', '.join(parts)}>"


def as_rows(name: str, label: str, array: NDArray[Any]) -> NDArray[Any]:
    """Check a table of numbers; float32 stays, every other number becomes float64.

    Integers are not handed out as they are stored: the square of a pixel in uint8 wraps round.
    """
    if array.dtype.kind not in "biuf" or array.ndim != 2 or 0 in array.shape:
        raise DataError(
            f"Data set {name!r}: {label} must be a table of numbers (n, d), not "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.dtype == np.float32:
        return array
    return array.astype(np.float64, copy=False)


def _check_length(name: str, label: str, values: NDArray[Any] | None, n: int) -> None:
    if values is not None and values.shape != (n,):
        raise DataError(
            f"Data set {name!r}: {label} has shape {values.shape}, but there are {max(n, 0)} rows."
        )
