"""The server of the page: on this machine's loopback address and nowhere else."""

from __future__ import annotations

import errno
import logging
import socket
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.server.server import Server

from emplus.demo.choices import Reader, Sheet
from emplus.demo.page import fill
from emplus.errors import ArgumentError

__all__ = ["make_server", "serve"]

_ADDRESS = "127.0.0.1"
# Uploads come through the websocket.
_MOST_BYTES = 256 << 20


def make_server(reader: Reader, sheet: Sheet | None = None, port: int = 0) -> Any:
    """A server of the page that has a port and is not running yet.

    Parameters
    ----------
    reader : Reader
    sheet : Sheet, optional
        A table that each visitor begins with.
    port : int
        0 takes any that is free.

    Raises
    ------
    ArgumentError
        If something else listens there.
    """
    application = Application(FunctionHandler(partial(fill, reader=reader, sheet=sheet)))
    port = _free_port(port)
    return Server(
        {"/": application},
        address=_ADDRESS,
        port=port,
        # Only pages of this very server may talk to it: no other site that is open in the browser.
        allow_websocket_origin=[f"{host}:{port}" for host in (_ADDRESS, "localhost")],
        websocket_max_message_size=_MOST_BYTES,
    )


def _free_port(port: int) -> int:
    """The port itself, or any one for 0, if nothing else has it."""
    with socket.socket() as probe:
        # As the server does: a port whose last connections are only just closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError as error:
            why = "not allowed" if error.errno == errno.EACCES else "taken"
            raise ArgumentError(
                f"Port {port} is {why}; give another one with --port, or 0 for any that is free."
            ) from None
        return int(probe.getsockname()[1])


def serve(server: Any, begun: Callable[[str], None]) -> None:
    """Run until somebody ends it with Ctrl-C.

    Parameters
    ----------
    server : Server
    begun : callable
        Told the address of the page, once it can be opened.
    """
    logging.getLogger("bokeh").setLevel(logging.ERROR)  # a closed tab is nothing to warn of
    server.start()
    begun(f"http://{_ADDRESS}:{server.port}/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the page shows how fits end
        try:
            server.io_loop.start()
        except KeyboardInterrupt:
            pass
        finally:
            server.stop()
