"""Files that only one process at a time may write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

try:
    import fcntl
except ImportError:  # elsewhere than on POSIX, files are only written whole, not locked
    _lock: Any = None
else:
    _lock = fcntl

__all__ = ["LockedError", "locked"]


class LockedError(OSError):
    """Another process holds the lock; the message is its number."""


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold a file's lock, ``path`` with ``.lock`` after it, which is gone afterwards.

    The system takes the lock from a process that dies, however it does.

    Raises
    ------
    LockedError
        If another process, or this one, holds it.
    OSError
        If the folder cannot be written.
    """
    if _lock is None:
        yield
        return
    name = f"{os.path.realpath(path)}.lock"
    descriptor = _taken(name)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(name)
        os.close(descriptor)


def _taken(name: str) -> int:
    while True:
        descriptor = os.open(name, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            _lock.flock(descriptor, _lock.LOCK_EX | _lock.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LockedError(holder) from None
        if _is_there(name, descriptor):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            return descriptor
        # Its holder removed it after it was opened here.
        os.close(descriptor)


def _is_there(name: str, descriptor: int) -> bool:
    try:
        there = os.stat(name)
    except FileNotFoundError:
        return False
    own = os.fstat(descriptor)
    return (there.st_ino, there.st_dev) == (own.st_ino, own.st_dev)
