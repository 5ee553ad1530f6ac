"""Arrays from NPY and NPZ files, no larger than the files that claim to hold them."""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from tokenize import TokenError
from typing import IO, Any, NoReturn

import numpy as np
from numpy.lib import format as npy

from emplus.errors import DataError

__all__ = ["check_member", "check_names", "load_archive", "load_numpy"]

# Bytes that any member of an archive may unpack to, and how many times its own where it is larger.
_UNPACKED, _TIGHTEST = 2**26, 100
_LONGEST_HEADER = 10_000  # bytes, as long as numpy reads

# What numpy and zipfile say of damage. RuntimeError is encryption or an unknown compression.
_DAMAGE = (
    ValueError,
    EOFError,
    SyntaxError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_numpy(place: str, source: str) -> Any:
    """The array of an NPY file.

    Raises
    ------
    DataError
        If it is damaged, or holds objects.
    """
    try:
        # Opened here, because numpy leaves a damaged file open.
        with open(place, "rb") as file:
            _check_claim(file, os.fstat(file.fileno()).st_size)
            file.seek(0)
            return np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        _refuse(source, "NPY", error)


def load_archive(place: str, source: str) -> Any:
    """The array X of an NPZ file.

    Raises
    ------
    DataError
        If there is none, or it is damaged, holds objects, or unpacks to far more than there is.
    """
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if "X" not in archive.files:
                held = ", ".join(archive.files[:8]) or "nothing"
                raise DataError(f"{source} has no array X; it holds {held}.")
            check_names(archive.zip, source)
            check_member(archive.zip, "X", source)
            return archive["X"]
    except DataError:
        raise
    except _DAMAGE as error:
        _refuse(source, "NPZ", error)


def _refuse(source: str, kind: str, error: Exception) -> NoReturn:
    if "allow_pickle" in str(error):
        raise DataError(f"{source} holds Python objects, not numbers.") from None
    reason = " ".join(str(error).split())[:200].rstrip(".")
    raise DataError(f"{source} is a damaged {kind} file: {reason}.") from None


def _check_claim(file: IO[bytes], size: int) -> None:
    """Refuse an array said to be longer than its file, before numpy makes room for it."""
    version, begin = npy.read_magic(file), file.tell()
    # numpy makes room for the whole of a header before it asks whether that is too long.
    if int.from_bytes(file.read(2 if version == (1, 0) else 4), "little") > _LONGEST_HEADER:
        raise ValueError("its header is too long")
    file.seek(begin)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    # Objects have no length of their own; numpy refuses them.
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > size - file.tell():
        raise ValueError("it is cut short, or claims more than it holds")


def check_names(archive: zipfile.ZipFile, source: str) -> None:
    """Refuse members that are paths out of the archive, although nothing is ever unpacked.

    Raises
    ------
    DataError
    """
    for name in archive.namelist():
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise DataError(f"{source} holds {name[:40]!r}, which is a path, not a name.")


def check_member(archive: zipfile.ZipFile, name: str, source: str) -> None:
    """Refuse an array that would unpack to far more than it is, or claims more than it holds.

    Raises
    ------
    DataError
        If it would unpack to too much.
    ValueError
        If it claims more than it holds, or is no array.
    """
    member = archive.getinfo(name if name in archive.namelist() else f"{name}.npy")
    if member.file_size > max(_UNPACKED, _TIGHTEST * member.compress_size):
        raise DataError(
            f"{source} would unpack from {member.compress_size:,} bytes to {member.file_size:,}; "
            "save the array as .npy if that is so."
        )
    with archive.open(member) as file:
        _check_claim(file, member.file_size)
