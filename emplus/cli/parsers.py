"""File formats of tables, each parsed into `Columns`."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from emplus.cli.cells import MISSING, Columns
from emplus.data.arrays import load_archive, load_numpy
from emplus.errors import DataError, DataWarning

__all__ = ["TextHeading", "parse_path", "parse_text", "text_heading"]

_NPY, _ZIP, _PARQUET = b"\x93NUMPY", b"PK\x03\x04", b"PAR1"
_BOM, _HEAD = b"\xef\xbb\xbf", 1 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = {".npy": _NPY, ".npz": _ZIP, ".parquet": _PARQUET, ".pq": _PARQUET}
# Each column of text costs milliseconds, whatever it holds.
_MOST_COLUMNS = 100_000


def parse_path(place: str, start: bytes, suffix: str) -> Columns:
    """Parse a file by its first bytes, so that a wrong suffix does no harm.

    Raises
    ------
    DataError
        If it is no table, with what it looks like instead.
    """
    source = repr(place)
    if suffix == ".safetensors" or (start[8:9] == b"{" and start[4:8] == bytes(4)):
        raise DataError(f"{source} is a saved model, not data; give the data's own file.")
    if start.startswith(_NPY):
        return _from_array(source, load_numpy(place, source))
    if start.startswith(_ZIP):
        return _from_array(source, load_archive(place, source))
    if start.startswith(_PARQUET):
        return _load_parquet(place, source)
    if suffix in _BINARY and start:
        raise DataError(f"{source} is not a {suffix[1:].upper()} file, or it is damaged.")
    delimiter = "\t" if suffix in (".tsv", ".tab") else None
    return parse_text(source, Path(place).read_bytes(), delimiter)


def parse_text(source: str, data: bytes, delimiter: str | None = None) -> Columns:
    """Parse delimited text with a header, or without one where the first row is all numbers.

    Parameters
    ----------
    source : str
        The beginning of every sentence about it.
    data : bytes
        UTF-8 or, with a byte order mark, UTF-16.
    delimiter : str, optional
        Taken from the first row when not given: comma, tab or semicolon.

    Raises
    ------
    DataError
        If it is empty, no text, has too many columns, or a row has more cells than the header.
    """
    data = _as_utf8(source, data)
    delimiter, names, named, start = _heading(source, data, delimiter)
    width = len(names)
    frame = _read_csv(source, data, start, delimiter, width)

    def raw() -> Any:
        return _read_csv(source, data, start, delimiter, width, dtype=str, na_filter=False)

    def line(row: int) -> int:
        below = (at for at, after, _ in _records(data, delimiter) if after > start)
        return next(islice(below, row, None), 0)

    return _without_row_names(Columns(source, tuple(names), frame, named, line, raw))


def _heading(source: str, data: bytes, delimiter: str | None) -> tuple[str, list[str], bool, int]:
    """Delimiter, names, whether they are the file's own, and the byte at which rows begin."""
    if not data.strip():
        raise DataError(f"{source} is empty.")
    delimiter = delimiter or _guess_delimiter(data)
    try:
        records = _records(data, delimiter)
        _, end, header = next(record for record in records if any(map(str.strip, record[2])))
        _, _, first = next(records, (0, 0, []))
    except StopIteration:
        raise DataError(f"{source} is empty.") from None
    except csv.Error as error:
        raise DataError(f"{source} cannot be read as a table: {error}.") from None
    if len(header) > _MOST_COLUMNS:
        raise DataError(
            f"{source} has {len(header):,} columns, more than the {_MOST_COLUMNS:,} that are read "
            "from text; save so wide a table as .npy."
        )
    named = not _is_data(header)
    names = [cell.strip() for cell in header]
    names = _widened(source, names, first) if named else [f"x{j}" for j in range(len(header))]
    return delimiter, names, named, end if named else 0


class TextHeading(NamedTuple):
    """What the first lines of a file of delimited text say of it."""

    place: str
    source: str
    names: tuple[str, ...]
    nameless: frozenset[str]
    named: bool
    kept: tuple[int, ...]
    width: int
    delimiter: str
    start: int
    head: bytes

    def blocks(self, texts: Collection[int]) -> Iterator[Any]:
        """Data frames of some of the rows, with numbered columns; ``texts`` are read as text.

        Raises
        ------
        DataError
            If a row has more cells than the header.
        """
        import pandas as pd

        from emplus.data.opening import rows_at_once

        types = {self.kept[place]: str for place in texts}
        options = {**_options(self.delimiter, self.width), "chunksize": rows_at_once(self.width)}
        try:
            with open(self.place, "rb") as file:
                file.seek(self.start)
                with pd.read_csv(file, dtype=types or None, **options) as reader:
                    for block in reader:
                        yield block.iloc[:, list(self.kept)].set_axis(range(len(self.kept)), axis=1)
        except pd.errors.EmptyDataError:
            return
        except UnicodeDecodeError:
            raise DataError(f"{self.source} is no UTF-8 text; save it as UTF-8.") from None
        except (pd.errors.ParserError, ValueError) as error:
            _refuse_rows(self.source, self.head, self.start, str(error))


def text_heading(place: str, source: str) -> TextHeading:
    """Look at the first megabyte of a file that is to be read block by block.

    Raises
    ------
    DataError
        As `parse_text`.
    """
    with open(place, "rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_UTF16):
        raise DataError(f"{source} is UTF-16, which is not read block by block; save it as UTF-8.")
    # The last line may be cut in the middle of a letter.
    data = _as_utf8(source, head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1])
    mark = len(_BOM) if head.startswith(_BOM) else 0
    delimiter = "\t" if Path(place).suffix.lower() in (".tsv", ".tab") else None
    delimiter, names, named, start = _heading(source, data, delimiter)
    kept = [j for j, name in enumerate(names) if name or j]
    if not names[0] and kept:
        _warn_of_row_names(source)
    called = tuple(names[j] or f"column {j + 1}" for j in kept)
    nameless = frozenset(f"column {j + 1}" for j in kept if not names[j])
    width, start = len(names), start + mark
    return TextHeading(
        place, source, called, nameless, named, tuple(kept), width, delimiter, start, head[mark:]
    )


def _as_utf8(source: str, data: bytes) -> bytes:
    try:
        if data.startswith(_UTF16):
            data = data.decode("utf-16").encode()
        # A null byte is valid UTF-8 but no table has one; binary files and UTF-32 do.
        if b"\0" in data[:4096]:
            raise DataError(
                f"{source} is not a table; tables are CSV, TSV, Parquet, NPY or NPZ files."
            )
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{source} is no UTF-8 text (see line {line}); save it as UTF-8.") from None
    return data.removeprefix(_BOM)


def _guess_delimiter(data: bytes) -> str:
    first = data.lstrip().splitlines()[0].decode("utf-8", "replace")
    return max(",\t;", key=first.count)  # max keeps the first of equals, the comma


def _records(data: bytes, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """Line on which it ends, byte after it, and cells of each record but blank lines."""
    end = 0

    def lines() -> Iterator[str]:
        nonlocal end
        for text in io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""):
            end += len(text.encode())
            yield text

    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True)
    for cells in reader:
        # A row of delimiters alone is a row of missing values.
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield reader.line_num, end, cells


def _is_data(cells: list[str]) -> bool:
    """Whether a first row is one of numbers, some of which may be missing, and no header."""
    written = [cell for cell in cells if not cell.strip() or cell.strip() not in MISSING]
    return bool(written) and all(_is_number(cell) for cell in written)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _widened(source: str, names: list[str], first: list[str]) -> list[str]:
    """One name for each cell of the first row, which may end in delimiters with nothing behind."""
    surplus = first[len(names) :]
    if any(cell.strip() for cell in surplus):
        raise DataError(f"{source} has {len(names)} column names but {len(first)} cells in row 1.")
    return names + [""] * len(surplus)


def _read_csv(
    source: str, data: bytes, start: int, delimiter: str, width: int, **options: Any
) -> Any:
    import pandas as pd

    body = io.BytesIO(data)
    body.seek(start)
    try:
        return pd.read_csv(body, **_options(delimiter, width), **options)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(index=range(0), columns=range(width))
    except (pd.errors.ParserError, ValueError) as error:
        _refuse_rows(source, data, start, str(error))


def _options(delimiter: str, width: int) -> dict[str, Any]:
    """How pandas is to read delimited text, whole or block by block."""
    return {
        "sep": delimiter,
        "header": None,
        "names": list(range(width)),
        "index_col": False,
        "skipinitialspace": True,
        "low_memory": False,
        "encoding": "utf-8",
        "na_values": list(MISSING),
        "keep_default_na": False,
    }


def _refuse_rows(source: str, data: bytes, start: int, reason: str) -> NoReturn:
    import re

    # Lines are pandas' own, counted from where it began to read.
    skipped = len(data[:start].splitlines())
    match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason)
    if match:
        expected, line, found = (int(number) for number in match.groups())
        raise DataError(
            f"{source} has {found} cells instead of {expected} in line {line + skipped}."
        ) from None
    if "inside string" in reason:
        raise DataError(f"{source} has a quotation mark that is never closed.") from None
    raise DataError(f"{source} cannot be read as a table: {reason.strip().rstrip('.')}.") from None


def _without_row_names(parsed: Columns) -> Columns:
    """Leave out columns that nobody named: row names in front, nothing at the end."""
    assert not isinstance(parsed.cells, np.ndarray)
    nameless = [j for j, name in enumerate(parsed.names) if not name]
    dropped = [j for j in nameless if j == 0 or parsed.cells.iloc[:, j].isna().all()]
    if 0 in dropped and len(parsed.names) > 1:
        _warn_of_row_names(parsed.source)
    kept = [j for j in range(len(parsed.names)) if j not in dropped]
    names = tuple(parsed.names[j] or f"column {j + 1}" for j in kept)
    raw = parsed.raw
    return replace(
        parsed,
        names=names,
        cells=parsed.cells.iloc[:, kept],
        raw=None if raw is None else lambda: raw().iloc[:, kept],
    )


def _warn_of_row_names(source: str) -> None:
    warnings.warn(
        f"The first column of {source} has no name, so it is taken for row names and left out.",
        DataWarning,
        stacklevel=3,
    )


def _from_array(source: str, array: Any) -> Columns:
    X = np.asarray(array)
    if X.ndim == 1:
        X = X[:, None]
    if X.ndim != 2:
        raise DataError(f"{source} holds an array of {X.ndim} axes; rows and columns make 2.")
    return Columns(source, tuple(f"x{j}" for j in range(X.shape[1])), X, named=False)


def _load_parquet(place: str, source: str) -> Columns:
    if find_spec("pyarrow") is None:
        raise DataError(
            f"{source} is a Parquet file, and reading those needs pyarrow: "
            "pip install 'emplus[parquet]'."
        )
    import pandas as pd
    from pyarrow import ArrowException

    try:
        frame = pd.read_parquet(place, engine="pyarrow")
    except (ArrowException, ValueError, OSError, LookupError, TypeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{source} is a damaged Parquet file: {reason}.") from None
    return Columns(source, tuple(str(name) for name in frame.columns), frame, named=True)
