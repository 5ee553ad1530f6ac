"""Files that the workers of a cluster read themselves, each worker some of the rows."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.cluster_client import Reached
from emplus.data.cluster_pieces import KINDS, Piece, Read, cut, read_piece
from emplus.errors import DataError

__all__ = ["ClusterRows", "Files", "files_of"]

_Array = NDArray[Any]


class Files(NamedTuple):
    """Files of rows with the same columns.

    ``names`` are those of the columns, None where they have none; ``n_columns`` how many.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...] | None
    n_columns: int
    pieces: tuple[Piece, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns; x0, x1, ... where they have none."""
        return self.names or tuple(f"x{j}" for j in range(self.n_columns))

    def read(
        self, reached: Reached, chosen: Sequence[str], beside: Sequence[str] = ()
    ) -> tuple[ClusterRows, dict[str, _Array]]:
        """Have the workers read some columns; others are fetched from them.

        Parameters
        ----------
        reached : Reached
        chosen : sequence of str
            Columns of the data, in this order.
        beside : sequence of str
            Columns that are fetched (n,).

        Raises
        ------
        DataError
            If a worker does not have the files, they hold no numbers or no rows, or the cluster
            fails.
        """
        self._check_seen(reached)
        cluster, places = reached.cluster, {name: j for j, name in enumerate(self.column_names)}
        wanted = [places[name] for name in chosen], [places[name] for name in beside]
        tasks = [cluster.task(read_piece, piece, *wanted, self.names) for piece in self.pieces]
        done = cluster.lay_out(tasks)
        found = cluster.answers([cluster.task(_told, one) for one in done])
        rows = cluster.keep([cluster.task(_rows, one) for one in done])
        sizes = [shape[0] for shape, *_ in found]
        if not sum(sizes):
            raise DataError(f"{self.paths[0]!r} has no rows.")
        dtype = np.result_type(*(kind for _, kind, *_ in found))
        holes = [sum(counts) for counts in zip(*(one[3] for one in found), strict=True)]
        columns = np.concatenate([one[2] for one in found])
        names = None if self.names is None else tuple(chosen)
        kept = ClusterRows(reached, rows, sizes, len(chosen), dtype, names, (holes[0], holes[1]))
        return kept, {name: columns[:, j] for j, name in enumerate(beside)}

    def _check_seen(self, reached: Reached) -> None:
        here = [os.stat(path).st_size for path in self.paths]
        client: Any = reached.client
        for worker, there in client.run(_sizes, self.paths).items():
            for path, mine, others in zip(self.paths, here, there, strict=True):
                if mine != others:
                    what = "does not see" if others is None else "sees another file at"
                    raise DataError(
                        f"The worker {worker} {what} {path!r}; files must be at the same path for "
                        "all workers and here."
                    )


@final
class ClusterRows:
    """Rows on the workers of a cluster, and as much of an array as reports need.

    Parameters
    ----------
    reached : Reached
    parts : sequence of dask Delayed
        The partitions: arrays, or data frames where the columns have names.
    sizes : sequence of int
        Rows of each.
    n_features : int
    dtype : numpy dtype
    names : sequence of str or None
    holes : (int, int)
        Numbers of missing entries, and of rows that have some.
    """

    order = None

    def __init__(
        self,
        reached: Reached,
        parts: Sequence[Any],
        sizes: Sequence[int],
        n_features: int,
        dtype: np.dtype[Any],
        names: Sequence[str] | None,
        holes: tuple[int, int],
    ):
        self.reached, self.names, self.holes, self.dtype = reached, names, holes, dtype
        self._parts, self._sizes = list(parts), list(sizes)
        self.shape = (sum(sizes), n_features)

    @property
    def n_parts(self) -> int:
        """Number of partitions."""
        return len(self._parts)

    @cached_property
    def collection(self) -> Any:
        """The rows as a Dask data frame, or as a Dask array where the columns have no names."""
        if self.names is None:
            import dask.array

            arrays: Any = dask.array
            blocks = [
                arrays.from_delayed(part, (size, self.shape[1]), self.dtype)
                for part, size in zip(self._parts, self._sizes, strict=True)
            ]
            return arrays.concatenate(blocks)
        import pandas as pd

        try:
            import dask.dataframe
        except ImportError as error:
            raise DataError(
                f"Tables with names need Dask's data frames: {error}. pip install "
                "'dask[dataframe]', or save the numbers as .npy."
            ) from None
        frames: Any = dask.dataframe
        like = pd.DataFrame(np.empty((0, self.shape[1]), self.dtype), columns=list(self.names))
        return frames.from_delayed(self._parts, meta=like, verify_meta=False)

    def __getitem__(self, rows: NDArray[np.intp]) -> _Array:
        """Rows at rising places, fetched from the workers."""
        cluster, starts = self.reached.cluster, np.cumsum([0, *self._sizes])
        tasks = [
            cluster.task(_some, part, rows[begin:end] - start)
            for part, start, (begin, end) in zip(
                self._parts, starts[:-1], pairwise(np.searchsorted(rows, starts)), strict=True
            )
            if begin < end
        ]
        return np.concatenate(cluster.answers(tasks))


def files_of(place: str) -> Files:
    """The files that a name or a pattern stands for, cut into pieces.

    Parameters
    ----------
    place : str
        An ``.npy``, ``.csv``, ``.tsv`` or ``.parquet`` file of numbers, or a pattern like
        ``rows/*.parquet`` for files of one kind with the same columns, taken in the order of their
        names. Only their heads are read here.

    Raises
    ------
    DataError
        If there is no such file, it is of another kind, or files differ in their columns.
    """
    paths = [place] if os.path.exists(place) else sorted(glob.glob(place, recursive=True))
    if not paths:
        raise DataError(
            f"There is no file {place!r}; a cluster's workers read files, not data sets by name."
        )
    kinds = {Path(path).suffix.lower() for path in paths}
    for path in paths:
        if Path(path).suffix.lower() not in KINDS or not os.path.isfile(path):
            raise DataError(
                f"Workers read files .npy, .parquet, .csv; {path!r} is none. Fit it without "
                "--cluster."
            )
    if len(kinds) > 1:
        raise DataError(f"{place!r} stands for files of several kinds: {', '.join(sorted(kinds))}.")
    pieces: list[Piece] = []
    columns: list[tuple[tuple[str, ...] | None, int]] = []
    for path in map(os.path.abspath, paths):
        try:
            names, d, own = cut(path)
        except (OSError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path!r} cannot be read: {' '.join(str(error).split())}.") from None
        pieces += own
        columns.append((names, d))
        if columns[0] != (names, d):
            raise DataError(f"{paths[0]!r} and {path!r} differ in their columns.")
    return Files(tuple(map(os.path.abspath, paths)), *columns[0], tuple(pieces))


# What follows runs on the workers.


def _sizes(paths: Sequence[str]) -> list[int | None]:
    return [os.stat(path).st_size if os.path.isfile(path) else None for path in paths]


def _told(read: Read) -> tuple[Any, ...]:
    return read.rows.shape, np.asarray(read.rows).dtype, read.beside, read.holes


def _rows(read: Read) -> Any:
    return read.rows


def _some(part: Any, rows: NDArray[np.intp]) -> _Array:
    taken: _Array = np.asarray(part)[rows]
    return taken
