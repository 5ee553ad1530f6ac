"""Data sets from files: find NAME.npz or NAME.csv in a folder, and read it."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.data.arrays import check_member, check_names
from emplus.datasets.dataset import as_rows
from emplus.errors import DataError

__all__ = ["SUFFIXES", "Parts", "find_files", "read_csv", "read_npz"]

SUFFIXES = (".npz", ".csv")
# A folder of data sets is shallow; EMPLUS_DATA may be a home folder by mistake.
_MAX_DEPTH = 3

# What numpy and zipfile raise on files that are cut short, altered or not what they seem.
_READ_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class Parts:
    """The arrays of a file, under the names that ``Dataset`` has for them."""

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None
    X_valid: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_files(folder: Path) -> dict[str, Path]:
    """The data files in a folder and its sub-folders, by name.

    Of files with the same name the one nearest the top is taken, and ``.npz`` before ``.csv``.
    Hidden folders are not entered. Empty when the folder is not there.
    """
    found: dict[str, Path] = {}
    for path in sorted(_walk(folder), key=lambda p: (len(p.parts), SUFFIXES.index(p.suffix), p)):
        found.setdefault(path.stem, path)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for directory, below, files in os.walk(folder):
        here = Path(directory)
        depth = len(here.relative_to(folder).parts)
        below[:] = [b for b in below if not b.startswith(".")] if depth < _MAX_DEPTH else []
        for name in files:
            if not name.startswith(".") and name.endswith(SUFFIXES):
                yield here / name


def read_npz(name: str, path: Path) -> Parts:
    """Read arrays named ``X`` and ``y``, ``X_train`` ... ``y_test``, or ``train valid test``.

    Raises
    ------
    DataError
        If the file is damaged, holds Python objects (which are never unpickled), has none of
        those arrays, or would unpack to far more than there is.
    """
    try:
        # Opened here, because numpy leaves its own file open when the archive is damaged.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is not a .npz archive")
            with archive:
                whole: Any = archive.zip
                check_names(whole, path.name)
                arrays = {}
                for key in archive.files:
                    check_member(whole, key, path.name)
                    arrays[key] = archive[key]
    except _READ_ERRORS as error:
        raise _damaged(name, path, error) from None
    for rows, labels, test, test_labels, valid in (
        ("X", "y", "X_test", "y_test", "X_valid"),
        ("X_train", "y_train", "X_test", "y_test", "X_valid"),
        ("train", "", "test", "", "valid"),
    ):
        if rows in arrays:
            tables = [
                as_rows(name, key, arrays[key]) if key in arrays else None for key in (test, valid)
            ]
            given = arrays.get("feature_names")
            return Parts(
                as_rows(name, rows, arrays[rows]),
                arrays.get(labels),
                X_test=tables[0],
                y_test=arrays.get(test_labels),
                X_valid=tables[1],
                feature_names=None if given is None else tuple(map(str, given.ravel())),
            )
    raise DataError(
        f"Data set {name!r}: {path} holds {', '.join(arrays) or 'no arrays'}; it must hold X "
        "(and y), or X_train and X_test (and y_train and y_test)."
    )


def read_csv(name: str, path: Path, target: str | None = None) -> Parts:
    """Read a table with a header (or none, when its first line is all numbers).

    The labels are the column ``target``, or one that is called ``y``. A column of words is
    coded 0, 1, ... in the order of the sorted words; an empty field is NaN.

    Raises
    ------
    DataError
        If the file is not a table.
    """
    # pandas takes longer to import than everything else that a small data set needs.
    import pandas as pd

    try:
        header: int | None = None if _is_headerless(path) else 0
        frame = pd.read_csv(path, header=header, encoding="utf-8-sig")
    except _READ_ERRORS as error:
        raise _damaged(name, path, error) from None
    if header is None:
        frame.columns = pd.Index([f"x{j}" for j in range(frame.shape[1])])
    frame.columns = frame.columns.astype(str)
    labels = target if target is not None else "y"
    y = None
    if labels in frame.columns:
        column = frame.pop(labels)
        words = not pd.api.types.is_numeric_dtype(column)
        y = column.to_numpy(dtype=str) if words else column.to_numpy()
    X = np.empty(frame.shape)
    categories: dict[str, tuple[str, ...]] = {}
    for j, (label, column) in enumerate(frame.items()):
        if pd.api.types.is_numeric_dtype(column):
            X[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        codes, words_found = pd.factorize(column, sort=True)
        X[:, j] = np.where(codes < 0, np.nan, codes)
        categories[str(label)] = tuple(map(str, words_found))
    rows = as_rows(name, "X", X)
    return Parts(rows, y, feature_names=tuple(frame.columns), categories=categories)


def _is_headerless(path: Path) -> bool:
    with path.open(encoding="utf-8-sig") as file:
        fields = file.readline().strip().split(",")
    try:
        return bool([float(text) for text in fields])
    except ValueError:
        return False


def _damaged(name: str, path: Path, error: BaseException) -> DataError:
    lines = str(error).strip().splitlines()
    reason = lines[0].rstrip(". ") if lines else type(error).__name__
    return DataError(f"Data set {name!r}: {path} cannot be read ({reason}).")
