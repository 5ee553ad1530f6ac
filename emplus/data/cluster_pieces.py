"""Pieces of files of numbers: how a file is cut into them, and how a worker reads one."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emplus.errors import DataError

__all__ = ["KINDS", "Piece", "Read", "cut", "read_piece"]

_TEXT = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PARQUET = (".parquet", ".pq")
KINDS = (".npy", *_TEXT, *_PARQUET)
"""How the names of files end that can be cut."""

# Bytes of a file that become one partition: at most so many, and a file that is smaller still
# becomes some partitions, unless they would be tiny. It depends on the file alone, not on the
# workers, and so do the bits of a fit.
_MOST, _LEAST, _PIECES = 64 << 20, 1 << 20, 16

_Array = NDArray[Any]


class Piece(NamedTuple):
    """Some of the rows of a file.

    ``begin`` and ``end`` are numbers of rows of an ``.npy`` file, of row groups of a Parquet file,
    and of bytes of a text file, where a row belongs to the piece that its first byte is in.
    ``head`` is the text file's line of names.
    """

    path: str
    begin: int
    end: int
    head: bytes = b""


class Read(NamedTuple):
    """What a worker has read: rows, other columns of them, and how much is missing."""

    rows: Any
    beside: _Array
    holes: tuple[int, int]


def cut(path: str) -> tuple[tuple[str, ...] | None, int, Iterator[Piece]]:
    """The names of a file's columns, None where it has none, how many there are, and its pieces.

    Raises
    ------
    DataError, OSError, ValueError
        If it cannot be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        return _cut_npy(path)
    return _cut_parquet(path) if suffix in _PARQUET else _cut_text(path, _TEXT[suffix])


def _piece_bytes(total: int) -> int:
    return min(_MOST, max(_LEAST, -(-total // _PIECES)))


def _cut_npy(path: str) -> tuple[None, int, Iterator[Piece]]:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.ndim != 2 or rows.dtype.kind not in "biuf":
        raise DataError(
            f"{path!r} holds an array of shape {rows.shape} and type {rows.dtype}; rows are a "
            "matrix of numbers."
        )
    n, d = rows.shape
    if not d:
        raise DataError(f"{path!r} has no columns.")
    step = max(1, _piece_bytes(rows.nbytes) // max(1, d * rows.itemsize))
    return None, d, (Piece(path, start, min(n, start + step)) for start in range(0, n, step))


def _cut_text(path: str, separator: str) -> tuple[tuple[str, ...], int, Iterator[Piece]]:
    import pandas as pd

    with open(path, "rb") as file:
        head = file.readline()
        while head and not head.strip():
            head = file.readline()
        start, size = file.tell(), os.fstat(file.fileno()).st_size
    if head.count(b'"') % 2:
        raise DataError(f"{path!r} has a line break within a name; rename that column.")
    names = tuple(map(str, pd.read_csv(io.BytesIO(head), sep=separator).columns))
    step = _piece_bytes(size)
    pieces = (
        Piece(path, first, min(size, first + step), head) for first in range(start, size, step)
    )
    return names, len(names), pieces


def _cut_parquet(path: str) -> tuple[tuple[str, ...], int, Iterator[Piece]]:
    with _parquet(path) as file:
        names = tuple(file.schema_arrow.names)
        sizes = [file.metadata.row_group(g).total_byte_size for g in range(file.num_row_groups)]
    room = _piece_bytes(sum(sizes))

    def pieces() -> Iterator[Piece]:
        first, held = 0, 0
        for group, size in enumerate(sizes):
            if held and held + size > room:
                yield Piece(path, first, group)
                first, held = group, 0
            held += size
        if first < len(sizes):
            yield Piece(path, first, len(sizes))

    return names, len(names), pieces()


def _parquet(path: str) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            "Parquet files are read by pyarrow, which is not installed: pip install "
            "'emplus[parquet]'."
        ) from None
    return parquet.ParquetFile(path)


def read_piece(
    piece: Piece, chosen: list[int], beside: list[int], names: tuple[str, ...] | None
) -> Read:
    """The rows of a piece.

    Raises
    ------
    DataError
        If they cannot be read there, or are no numbers.
    """
    try:
        rows, others = _columns(piece, chosen, beside)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{piece.path!r} cannot be read by a worker: {reason}.") from None
    missing = np.isnan(rows) if rows.dtype.kind == "f" else np.zeros((0, 1), dtype=bool)
    holes = int(missing.sum()), int(missing.any(axis=1).sum())
    if names is not None:
        import pandas as pd

        named = [names[j] for j in chosen]
        return Read(pd.DataFrame(rows, columns=named, copy=False), others, holes)
    return Read(rows, others, holes)


def _columns(piece: Piece, chosen: list[int], beside: list[int]) -> tuple[_Array, _Array]:
    suffix = Path(piece.path).suffix.lower()
    if suffix == ".npy":
        rows = np.load(piece.path, mmap_mode="r", allow_pickle=False)[piece.begin : piece.end]
        kept = rows.dtype if rows.dtype.kind != "f" or rows.itemsize in (4, 8) else np.dtype("f8")
        everything = chosen == list(range(rows.shape[1]))
        own = rows if everything else rows[:, chosen]
        return np.array(own, kept.newbyteorder("="), order="C"), np.array(rows[:, beside])
    wanted = sorted({*chosen, *beside})
    if suffix in _PARQUET:
        with _parquet(piece.path) as file:
            groups = range(piece.begin, piece.end)
            names = [file.schema_arrow.names[j] for j in wanted]
            frame = file.read_row_groups(groups, columns=names).to_pandas()[names]
    else:
        frame = _text(piece, wanted)
    return (
        _numbers(frame, [wanted.index(j) for j in chosen], piece.path),
        _numbers(frame, [wanted.index(j) for j in beside], piece.path),
    )


def _text(piece: Piece, wanted: list[int]) -> Any:
    import pandas as pd

    with open(piece.path, "rb") as file:
        # A row that begins before the piece, and one that ends after it.
        file.seek(piece.begin - 1)
        file.readline()
        begun = file.tell()
        lines = file.read(max(0, piece.end - begun))
        if lines and not lines.endswith(b"\n"):
            lines += file.readline()
    if lines.count(b'"') % 2:
        raise DataError(
            f"{piece.path!r} has line breaks within quotes, so that it cannot be cut into pieces; "
            "write it as Parquet."
        )
    separator = _TEXT[Path(piece.path).suffix.lower()]
    table = pd.read_csv(io.BytesIO(piece.head + lines), sep=separator)
    # Missing cells at the end of a row would be read as missing values, and with more cells than
    # there are names the first ones as names of the rows.
    cells = lines.count(separator.encode()) + len(table)
    whole = cells == table.size or b'"' in lines
    if not whole or not isinstance(table.index, pd.RangeIndex):
        raise DataError(
            f"{piece.path!r} has rows that have more or fewer cells than the {table.shape[1]} "
            "columns have names."
        )
    return table.iloc[:, wanted]


def _numbers(frame: Any, columns: list[int], path: str) -> _Array:
    own = frame.iloc[:, columns]
    for name, kind in zip(own.columns, own.dtypes, strict=True):
        if getattr(kind, "kind", "O") not in "biuf" and len(own):
            raise DataError(
                f"{path!r} holds text in column {str(name)!r}; only columns of numbers are read by "
                "workers."
            )
    narrow = len(columns) > 0 and all(str(kind).lower() == "float32" for kind in own.dtypes)
    kept = np.dtype(np.float32 if narrow else np.float64)
    return np.ascontiguousarray(own.to_numpy(dtype=kept, na_value=np.nan))
