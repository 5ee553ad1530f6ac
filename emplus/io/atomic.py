"""Files that are replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]

# What a file system answers when it cannot synchronize a folder at all; nothing is lost by that.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and move it there once it is written in full.

    The temporary file has the same suffix. When the block ends it is flushed to the disk, renamed
    over ``path``, and the folder is flushed; when the block or any of these steps fails, it is
    removed and what was at ``path`` stays as it was. Symbolic links are followed; a new file
    gets the permissions that opening it would give, a replaced one keeps its own.

    Where ``path`` is no regular file (a device, a pipe), it is yielded itself: there is nothing
    to keep, and renaming would replace the device.

    Parameters
    ----------
    path : str or path-like
        The file to write.

    Yields
    ------
    pathlib.Path
        Where to write.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written, the disk is full, or the like.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "note.txt"
    ...     with replacing(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text(), [item.name for item in Path(folder).iterdir()]
    ('whole', ['note.txt'])
    """
    target = Path(os.path.realpath(path))
    mode = _existing_mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        yield target
        return
    temporary = target.with_name(f".emplus-{secrets.token_hex(8)}{target.suffix}")
    # Creating it here, rather than where it is written, makes the umask apply and fails early.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _finish(temporary, target, mode)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _existing_mode(target: Path) -> int | None:
    """Mode of what is at ``target``, None where nothing is; OSError where it may not be written."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
    # Renaming would silently replace a file that its owner has made read-only.
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(target))
    return mode


def _finish(temporary: Path, target: Path, mode: int | None) -> None:
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, stat.S_IMODE(mode))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last; systems that cannot open a folder have no need of it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
