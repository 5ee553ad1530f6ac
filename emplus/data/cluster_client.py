"""Clusters to work on: one that runs elsewhere, or worker processes on this machine."""

from __future__ import annotations

import logging
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

from emplus._version import __version__
from emplus.data.cluster_tasks import Cluster
from emplus.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from dask.distributed import Client

__all__ = ["CONNECT_SECONDS", "Reached", "cluster_client"]

# Seconds in which a scheduler must answer.
CONNECT_SECONDS = 10.0
_NOISY = ("distributed", "tornado", "asyncio", "bokeh")


@final
class Reached:
    """A cluster that is there, and what it was made of when it was reached.

    Parameters
    ----------
    client : dask.distributed.Client
    address : str
        As it was asked for.
    patience : float
        Seconds to wait for a worker where there is none.
    """

    def __init__(self, client: Client, address: str, patience: float):
        self.client, self.address, self.patience = client, address, patience
        self.cluster = Cluster(client, patience)
        threads: dict[str, int] = dict(client.nthreads())  # type: ignore[no-untyped-call]  # Dask's
        self.n_workers, self.n_threads = len(threads), sum(threads.values())

    def check_workers(self) -> None:
        """Check that the workers have this version of emplus.

        Raises
        ------
        DataError
            If one does not.
        """
        need = f"The workers of the cluster at {self.address!r} need emplus {__version__}"
        client: Any = self.client
        try:
            found = client.run(_version)
        except (ImportError, AttributeError) as error:
            raise DataError(f"{need}, which is not installed there: {error}.") from None
        others = sorted(set(found.values()) - {__version__})
        if others:
            raise DataError(f"{need}, as here; they have {', '.join(others)}.")


def _version() -> str:
    return __version__


@contextmanager
def cluster_client(where: str, patience: float = 60.0) -> Iterator[Reached]:
    """A cluster that is reached, or started, and left, or stopped, at the end.

    Parameters
    ----------
    where : str
        The address of a scheduler, ``tcp://host:port``, or ``local:4`` for so many worker
        processes on this machine, one thread each, that listen on the loopback interface only.
    patience : float
        Seconds to wait for a worker where there is none, before giving up.

    Yields
    ------
    Reached

    Raises
    ------
    ArgumentError
        If it is no such address.
    DataError
        If dask is not installed, nobody answers there, or it has no workers.
    """
    count = _local_workers(where)
    if count is None:
        _check_address(where)
    try:
        import dask.distributed  # for its loggers, too
    except ImportError:
        raise DataError(
            "A cluster needs dask and distributed, which are not installed: pip install "
            "'emplus[cluster]'."
        ) from None
    _silence()
    with _started(count) if count is not None else _connected(where) as client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise DataError(
                f"The cluster at {where!r} has no worker; start one with: dask worker {where}."
            ) from None
        reached = Reached(client, where, patience)
        reached.check_workers()
        with dask.config.set({"emplus.patience": patience}):
            yield reached


def _local_workers(where: str) -> int | None:
    """How many workers are to be started; None where an address is given."""
    kind, _, count = where.partition(":")
    if kind != "local":
        return None
    if not re.fullmatch(r"[0-9]{1,4}", count) or not int(count):
        raise ArgumentError(f"{where!r} is no number of workers, at least 1, as in 'local:4'.")
    return int(count)


def _check_address(where: str) -> None:
    """Refuse what is no address, and one where nobody listens."""
    wrong = f"{where!r} is no address of a cluster; give tcp://host:port, or local:4."
    try:
        parts = urlsplit(where)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ArgumentError(wrong) from None
    if parts.scheme not in ("tcp", "tls") or not host or not port or parts.path not in ("", "/"):
        raise ArgumentError(wrong)
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreached(where, error.strerror or str(error) or "no answer") from None


def _unreached(where: str, reason: str) -> DataError:
    return DataError(
        f"No cluster answers at {where!r}: {reason}. Start a scheduler there with: dask scheduler."
    )


def _silence() -> None:
    """What befalls a cluster is told in one sentence; Dask would log pages."""
    for name in [*_NOISY, *logging.root.manager.loggerDict]:
        if name.split(".")[0] in _NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def _connected(where: str) -> Iterator[Any]:
    with _ending(_client_within(where, CONNECT_SECONDS)) as client:
        yield client


def _client_within(where: str, seconds: float) -> Any:
    """A client of the scheduler there, if it answers in time.

    Beside this thread, because Dask may wait without end where something else answers.
    """
    from dask.distributed import Client

    found = _beside(lambda: Client(where, timeout=seconds))  # type: ignore[no-untyped-call]  # Dask's
    try:
        return found.result(timeout=seconds + 1.0)
    except Exception as error:
        reason = "what listens there is no Dask scheduler, or one of another version"
        raise _unreached(where, reason) from error


def _beside(make: Callable[[], Any]) -> Future[Any]:
    """What is being made in a thread of its own, so that Ctrl-C cannot leave it half made."""
    found: Future[Any] = Future()

    def work() -> None:
        try:
            found.set_result(make())
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=work, name="emplus-cluster", daemon=True).start()
    return found


@contextmanager
def _started(count: int) -> Iterator[Any]:
    from dask.distributed import Client, LocalCluster
    from distributed.gc import disable_gc_diagnosis

    options: dict[str, Any] = {
        "n_workers": count,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": logging.CRITICAL + 1,
    }

    def start() -> Any:
        # A terminal sends Ctrl-C to all processes of a command; it is for this one alone, and
        # what a thread blocks is blocked in the processes that come from it, from their beginning.
        if hasattr(signal, "pthread_sigmask"):
            resource_tracker.ensure_running()  # which unblocks it when it is started
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        local = LocalCluster(**options)  # type: ignore[no-untyped-call]  # Dask's
        # Its scheduler watches garbage collections from inside them, where Ctrl-C would be lost.
        disable_gc_diagnosis(force=True)  # type: ignore[no-untyped-call]  # Dask's
        return local

    found = _beside(start)
    try:
        local = found.result()
    except (OSError, RuntimeError, TimeoutError) as error:
        raise DataError(f"{count} worker processes cannot be started here: {error}.") from error
    except KeyboardInterrupt:
        # Half of a cluster cannot be closed.
        with suppress(Exception):
            found.result(timeout=CONNECT_SECONDS).close(timeout=CONNECT_SECONDS)
        raise
    with _ending(local), _ending(Client(local)) as client:  # type: ignore[no-untyped-call]  # Dask's
        yield client


@contextmanager
def _ending(opened: Any) -> Iterator[Any]:
    """Closed at the end, whatever state it is in then."""
    try:
        yield opened
    finally:
        with suppress(Exception):
            opened.close(timeout=CONNECT_SECONDS)
