"""Rows that need not fit in memory: files by name, memory maps, and whatever gives blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from emplus.data.spill import in_order, spilled
from emplus.data.stored import StoredRows
from emplus.errors import DataError

__all__ = ["Opened", "blocks_of", "is_stored", "open_rows"]

_TEXT = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PARQUET = (".parquet", ".pq")
_ROWS_AT_ONCE = 65_536


class Opened(NamedTuple):
    """Rows in a file, and the names of their columns where they have some."""

    rows: StoredRows
    names: tuple[str, ...] | None


def is_stored(X: Any) -> bool:
    """Whether rows are given by the name of their file, as a memory map, or as blocks.

    A memory map that is not one whole run of the file, or not what is in the file, is an array.
    """
    if isinstance(X, np.memmap):
        whole = X.ndim == 2 and X.flags.c_contiguous and 0 not in X.shape
        return bool(whole and X.filename is not None and X.mode != "c")
    if isinstance(X, str | os.PathLike | StoredRows | Opened):
        return True
    return callable(X) and not hasattr(X, "__array__")


def open_rows(X: Any) -> Opened:
    """The rows of a file, a memory map or a factory of blocks, to be read block by block.

    Parameters
    ----------
    X : path-like, numpy.memmap, or callable
        A file ``.npy`` (read where it is), ``.parquet`` or ``.csv`` (with a header; written once
        as numbers into a temporary file, see `spilled`); or something that gives, each time it is
        called, an iterator over blocks of rows (arrays or data frames).

    Returns
    -------
    Opened

    Raises
    ------
    DataError
        If there is no such file, it is of another kind, or what it holds are no numbers.
    OSError
        If it cannot be read, or the temporary file not be written.
    """
    if isinstance(X, Opened):
        return X
    if isinstance(X, StoredRows):
        return Opened(X, None)
    if isinstance(X, np.memmap):
        return Opened(in_order(_mapped(X)), None)
    if callable(X):
        return _from_blocks(X, "The factory of blocks")
    path = _file(X)
    if path.suffix.lower() == ".npy":
        return Opened(in_order(_npy(path)), None)
    return _from_blocks(lambda: _tables(path), repr(str(path)))


def blocks_of(X: str | os.PathLike[str]) -> Iterator[tuple[tuple[str, ...] | None, Any]]:
    """The rows of a file as blocks of numbers in its own order, each with the columns' names.

    Nothing is written, and nothing kept; for what needs the rows once. Errors are those of
    `open_rows`.
    """
    path = _file(X)
    if path.suffix.lower() == ".npy":
        for block in _npy(path).blocks():
            yield None, block if block.dtype.kind == "f" else block.astype(np.float64)
        return
    for table in _tables(path):
        yield tuple(map(str, table.columns)), _numbers(table, repr(str(path)))


def _file(X: str | os.PathLike[str]) -> Path:
    path = Path(os.fspath(X))
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}.")
    if path.suffix.lower() not in (".npy", *_PARQUET, *_TEXT):
        raise DataError(
            f"{str(path)!r} is none of the files that are read block by block: .npy, .parquet, "
            ".csv."
        )
    return path


def _tables(path: Path) -> Iterator[Any]:
    """Data frames of some of the rows, one after the other."""
    suffix = path.suffix.lower()
    return _parquet(path) if suffix in _PARQUET else _text(path, _TEXT[suffix])


def _npy(path: Path) -> StoredRows:
    with open(path, "rb") as file:
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise DataError(f"{str(path)!r} is no .npy file: {error}.") from None
        offset = file.tell()
    if len(shape) != 2 or (dtype.kind != "f" and dtype.kind not in "biu"):
        raise DataError(
            f"{str(path)!r} holds an array of shape {shape} and type {dtype}; rows are a matrix of "
            "numbers."
        )
    if 0 in shape:
        raise DataError(
            f"{str(path)!r} has no rows." if not shape[0] else f"{path} has no columns."
        )
    if fortran and 1 not in shape:
        raise DataError(
            f"{str(path)!r} is stored column by column, which cannot be read row by row; save "
            "numpy.ascontiguousarray of it."
        )
    rows = StoredRows(path, shape[0], shape[1], dtype, offset)
    # Half precision and long doubles are worked on as float64, as in memory.
    return rows if dtype.kind != "f" or dtype.itemsize in (4, 8) else rows.astype(np.float64)


def _mapped(X: np.memmap[Any, Any]) -> StoredRows:
    if not is_stored(X):
        raise DataError(
            "A memory map is read block by block where it is a whole matrix in C order; give "
            "numpy.asarray of another one."
        )
    whole: Any = X
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    ahead = X.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    n, d = X.shape
    return StoredRows(Path(str(X.filename)), n, d, X.dtype, int(whole.offset) + ahead)


def _from_blocks(make: Callable[[], Iterable[Any]], what: str) -> Opened:
    names: list[tuple[str, ...]] = []

    def numbers() -> Iterator[Any]:
        for block in make():
            columns = getattr(block, "columns", None)
            if columns is not None and not names:
                names.append(tuple(map(str, columns)))
            yield _numbers(block, what)

    rows = spilled(numbers(), what)
    return Opened(rows, names[0] if names else None)


def _numbers(block: Any, what: str) -> Any:
    """A block as numbers, NaN where an entry is missing."""
    if hasattr(block, "to_numpy") and hasattr(block, "dtypes"):
        text = [str(name) for name, kind in block.dtypes.items() if kind.kind not in "biuf"]
        if text and len(block):
            raise DataError(
                f"{what} holds text in column {text[0]!r}; only columns of numbers are read block "
                "by block."
            )
        block = block.to_numpy(dtype=_common(block), na_value=np.nan)
    rows = np.asarray(block)
    if rows.dtype.kind not in "biuf":
        raise DataError(f"{what} gives blocks of {rows.dtype}, which are no numbers.")
    return rows


def _common(block: Any) -> np.dtype[Any]:
    kinds = set(block.dtypes.astype(str))
    return np.dtype(np.float32 if kinds == {"float32"} else np.float64)


def _parquet(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            "Parquet files are read by pyarrow, which is not installed: pip install "
            "'emplus[parquet]'."
        ) from None
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield batch.to_pandas()


def _text(path: Path, separator: str) -> Iterator[Any]:
    import pandas as pd

    try:
        with pd.read_csv(path, sep=separator, chunksize=_ROWS_AT_ONCE) as reader:
            yield from reader
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read as a table: {error}.") from None
