"""Rows that need not fit in memory: files by name, memory maps, and whatever gives blocks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from emplus.data.spill import in_order, spilled
from emplus.data.stored import StoredRows
from emplus.data.tables import StoredTable
from emplus.errors import DataError

__all__ = [
    "Opened",
    "blocks_of",
    "file_of",
    "is_stored",
    "mapped",
    "npy_rows",
    "open_rows",
    "rows_at_once",
    "tables",
    "types_of",
]

_TEXT = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PARQUET = (".parquet", ".pq")
_ROWS_AT_ONCE, _NUMBERS_AT_ONCE = 65_536, 1 << 22


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
    if isinstance(X, str | os.PathLike | StoredRows | Opened | StoredTable):
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
    if isinstance(X, StoredTable):
        return _from_blocks(X.make, X.what)
    if isinstance(X, np.memmap):
        return Opened(in_order(mapped(X)), None)
    if callable(X):
        return _from_blocks(X, "The factory of blocks")
    path = file_of(X)
    if path.suffix.lower() == ".npy":
        return Opened(in_order(npy_rows(path)), None)
    return _from_blocks(lambda: tables(path), repr(str(path)))


def blocks_of(X: str | os.PathLike[str]) -> Iterator[tuple[tuple[str, ...] | None, Any]]:
    """The rows of a file as blocks of numbers in its own order, each with the columns' names.

    Nothing is written, and nothing kept; for what needs the rows once. Errors are those of
    `open_rows`.
    """
    path = file_of(X)
    if path.suffix.lower() == ".npy":
        for block in npy_rows(path).blocks():
            yield None, block if block.dtype.kind == "f" else block.astype(np.float64)
        return
    for table in tables(path):
        yield tuple(map(str, table.columns)), _numbers(table, repr(str(path)))


def file_of(X: str | os.PathLike[str]) -> Path:
    """The place of a file that can be read block by block."""
    path = Path(os.fspath(X))
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}; see whether the path is right.")
    if path.suffix.lower() not in (".npy", *_PARQUET, *_TEXT):
        raise DataError(
            f"{str(path)!r} is none of the files that are read block by block: .npy, .parquet, "
            ".csv."
        )
    return path


def tables(path: Path, types: dict[str, Any] | None = None) -> Iterator[Any]:
    """Data frames of some of the rows, one after the other; with ``types`` of a CSV's columns."""
    suffix = path.suffix.lower()
    return _parquet(path) if suffix in _PARQUET else _text(path, _TEXT[suffix], types)


def types_of(path: Path) -> dict[str, Any]:
    """Types of those columns of a CSV whose blocks may be read as others than the whole column.

    Cost: a pass over the file.
    """
    if path.suffix.lower() in _PARQUET:
        return {}
    held: dict[str, set[str]] = {}
    for block in tables(path):
        for name, column in block.items():
            held.setdefault(name, set()).add(_held(column))
    types = {name: _type(found) for name, found in held.items()}
    return {name: dtype for name, dtype in types.items() if dtype is not None}


def rows_at_once(width: int) -> int:
    """Rows of a block of a table with so many columns."""
    return max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // max(width, 1)))


def npy_rows(path: Path, *, text: bool = False) -> StoredRows:
    """The rows of an .npy file where they are; of text only where that is said."""
    with open(path, "rb") as file:
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise DataError(f"{str(path)!r} is no .npy file: {error}.") from None
        offset = file.tell()
    if len(shape) != 2 or dtype.kind not in ("biufU" if text else "biuf"):
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


def mapped(X: np.memmap[Any, Any]) -> StoredRows:
    """The rows of a memory map, to be read from its file."""
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
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise DataError(
            "Parquet files are read by pyarrow, which is not installed: pip install "
            "'emplus[parquet]'."
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            rows = rows_at_once(len(file.schema_arrow))
            for batch in file.iter_batches(batch_size=rows):
                yield batch.to_pandas()
    except ArrowException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{str(path)!r} is a damaged Parquet file: {reason}.") from None


def _held(column: Any) -> str:
    import pandas as pd

    kinds = pd.api.types
    if not column.notna().any():
        return "nothing"
    if kinds.is_bool_dtype(column.dtype) or kinds.infer_dtype(column, skipna=True) == "boolean":
        return "truth"
    if not kinds.is_numeric_dtype(column.dtype):
        return "text"
    return "float" if column.dtype.kind == "f" else "whole"


def _type(held: set[str]) -> Any:
    if "text" in held or {"truth", "float"} <= held or {"truth", "whole"} <= held:
        return str
    return np.float64 if "float" in held else None


def _next(reader: Any) -> Any:
    """The next rows of a text file; None where there are no more."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return next(reader, None)


def _text(path: Path, separator: str, types: dict[str, Any] | None = None) -> Iterator[Any]:
    import pandas as pd

    try:
        width = pd.read_csv(path, sep=separator, nrows=0).shape[1]
        options: Any = {"sep": separator, "chunksize": rows_at_once(width), "dtype": types}
        # Or the first cells of rows with more cells than names would be names of the rows.
        with pd.read_csv(path, index_col=False, **options) as reader:
            while (table := _next(reader)) is not None:
                yield table
    except pd.errors.ParserWarning:
        raise DataError(
            f"{str(path)!r} has rows of more cells than the {width} columns have names."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read as a table: {error}.") from None
