"""What the workers of a Dask cluster hold and do.

The functions here run on the workers, where emplus must be installed too.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.base import Array, Block
from emplus.data.memory import ArraySource
from emplus.errors import DataError
from emplus.numerics.moments import Moments

# A function as bytes, and the arrays that it closes over.
_Carried = tuple[bytes, tuple[bytes, ...]]

__all__ = [
    "Part",
    "asked",
    "facts",
    "folded",
    "half",
    "itself",
    "numbers",
    "packed",
    "rows_as",
    "told",
]


@final
class Part:
    """A partition on its worker: a source in memory that can be moved to another worker."""

    def __init__(
        self, X: Any, weight: Array | None, labels: NDArray[np.integer] | None, n_jobs: int
    ):
        self.source, self._n_jobs = ArraySource(X, weight, n_jobs, labels), n_jobs

    def __sizeof__(self) -> int:
        # By this Dask knows that a task had better come to the rows than the rows to the task.
        return sum(array.nbytes for array in self._arrays() if array is not None)

    def _arrays(self) -> tuple[Any, Array | None, NDArray[np.integer] | None]:
        return *self.source.take(slice(None)), self.source.labels

    def __reduce__(self) -> tuple[Any, ...]:
        # As they were given; the source that is made of them keeps them in its own order again.
        X, weight, labels = (_given(array, self.source.order) for array in self._arrays())
        return Part, (X, weight, labels, self._n_jobs)

    def every(self, first: int, step: int) -> Part:
        """Every ``step``-th of the rows; views where nothing is missing."""
        own, labels = slice(first, None, step), self.source.labels
        X, weight = self.source.take(own)
        return Part(X, weight, None if labels is None else labels[own], self._n_jobs)

    def columns(self, chosen: NDArray[np.integer]) -> Part:
        """Some of the columns."""
        X, weight, labels = self._arrays()
        return Part(X[:, chosen], weight, labels, self._n_jobs)

    def distinct(self) -> Part:
        """Equal rows as one, with their weights added, where that saves much."""
        found = self.source.distinct()
        return self if found is self.source else Part(*found.take(slice(None)), None, self._n_jobs)

    def size(self) -> int:
        """Number of rows."""
        return self.source.n_rows

    def total_weight(self) -> float:
        """Sum of the row weights."""
        return self.source.total_weight

    def order(self) -> NDArray[np.intp] | None:
        """Number of each row in the partition as it was given; None where they are in order."""
        return self.source.order

    def labels(self) -> NDArray[np.integer] | None:
        """Known components of the rows."""
        return self.source.labels

    def moments(self, full: bool, levels: tuple[int, ...]) -> Moments:
        """Moments of the partition."""
        return self.source.moments(full=full, levels=levels)

    def take(self, rows: NDArray[np.integer] | slice) -> tuple[Any, Array | None]:
        """Copies of some of the rows, and their weights."""
        return self.source.take(rows)

    def reduce(self, carried: _Carried, width: int, start: int) -> tuple[Array, ...]:
        """The sum over the partition's blocks, whose rows begin with number ``start``."""
        function: Callable[[Block], tuple[Array, ...]] = _opened(carried)
        return self.source.reduce(
            lambda block: function(block._replace(start=start + block.start)), width
        )

    def map_rows(self, carried: _Carried) -> Array:
        """Answers for the rows in the order they were given."""
        return self.source.map_rows(_opened(carried))


def _given(array: Any, order: NDArray[np.intp] | None) -> Any:
    if array is None or order is None:
        return array
    given = np.empty_like(array)
    given[order] = array
    return given


def numbers(block: Any) -> Array:
    """A partition as an array of numbers, NaN where an entry is missing.

    Raises
    ------
    DataError
        If it holds anything else.
    """
    if hasattr(block, "to_numpy") and hasattr(block, "dtypes"):
        block = _of_frame(block)
    rows = np.asarray(block)
    if rows.dtype.kind not in "biuf":
        raise DataError(
            f"A partition holds {rows.dtype}, which is no type of numbers; encode them first, or "
            "leave them out."
        )
    if rows.dtype.kind == "f" and rows.dtype.itemsize not in (4, 8):
        rows = rows.astype(np.float64)
    return rows


def facts(rows: Array) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of a partition."""
    return rows.shape, rows.dtype


def told(read: tuple[Array, Any]) -> tuple[tuple[int, ...], np.dtype[Any], Any]:
    """The shape and type of rows that were read from a partition, and what is told of them."""
    rows, more = read
    return rows.shape, rows.dtype, more


def rows_as(read: tuple[Array, Any], dtype: np.dtype[Any] | None) -> Array:
    """The rows that were read from a partition, as one type for all."""
    return read[0].astype(dtype, copy=False)


def _of_frame(frame: Any) -> Any:
    kinds = list(frame.dtypes)
    for name, kind in zip(frame.columns, kinds, strict=True):
        if getattr(kind, "kind", "O") not in "biuf":
            raise DataError(
                f"Column {name!r} holds {kind}, which is no type of numbers; encode it first, or "
                "leave it out."
            )
    if all(isinstance(kind, np.dtype) for kind in kinds):
        common = np.result_type(*kinds)
        return frame.to_numpy(dtype=common if len(set(kinds)) == 1 else np.float64)
    # Columns that may hold pandas.NA.
    single = all(str(kind).lower() == "float32" for kind in kinds)
    return frame.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)


def packed(function: Callable[..., Any]) -> _Carried:
    """A function as bytes, with the arrays that it closes over beside them."""
    import cloudpickle

    arrays: list[pickle.PickleBuffer] = []
    content = cloudpickle.dumps(function, protocol=5, buffer_callback=arrays.append)
    return content, tuple(bytes(array.raw()) for array in arrays)


def _opened(carried: _Carried) -> Any:
    # Arrays made of bytes cannot be written to. A function that writes into what it closes over
    # would do so here in vain; so it fails instead.
    content, arrays = carried
    return pickle.loads(content, buffers=arrays)


def itself(carried: _Carried) -> _Carried:
    """What a worker was sent, for the others."""
    return carried


def asked(part: Part, name: str, *arguments: Any) -> Any:
    """What a partition answers."""
    return getattr(part, name)(*arguments)


def half(count: int) -> int:
    """The largest power of two below a number of at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def folded(*terms: Any) -> Any:
    """The sum of some terms, halves first: in the order in which a tree of pairs adds them."""
    if len(terms) == 1:
        return terms[0]
    middle = half(len(terms))
    one, other = folded(*terms[:middle]), folded(*terms[middle:])
    # What a task was given is not written to: it may be needed again when a worker is lost.
    if isinstance(one, tuple):
        return tuple(mine + more for mine, more in zip(one, other, strict=True))
    return one + other
