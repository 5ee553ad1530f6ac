"""``emplus demo``: the page on which searches are watched at work."""

from __future__ import annotations

import webbrowser
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from emplus.cli import completing
from emplus.cli.outputs import echo
from emplus.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from emplus.cli.cells import Columns
    from emplus.demo.choices import Sheet

__all__ = ["demo"]

_PORT = 5006


@click.command()
@click.argument("data", required=False, shell_complete=completing.data)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Where the page listens; 0 takes any free port.  [default: {_PORT}, or any free one]",
)
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
def demo(data: str | None, port: int | None, no_browser: bool) -> None:
    """Open a page on which mixtures are moved by hand and searches are watched at work.

    With DATA (as in 'emplus fit') the page begins with two of its columns. The page can be opened
    on this machine only. Control-C ends it.
    """
    if find_spec("bokeh") is None:
        raise ArgumentError("The page needs Bokeh: pip install 'emplus[demo]'.")
    reader = _Reader()
    sheet = None if data is None else reader.open(data)
    if sheet is not None:
        sheet.rows()  # what cannot be shown is said here, not on the page
    from emplus.demo.server import make_server, serve

    try:
        server = make_server(reader, sheet, _PORT if port is None else port)
    except ArgumentError:
        if port is not None:
            raise
        server = make_server(reader, sheet, 0)

    def begun(address: str) -> None:
        echo(f"The page is at {address} (Control-C ends it).")
        if not no_browser:
            webbrowser.open(address)

    serve(server, begun)


class _Reader:
    """What the command line reads, for the page."""

    def parse(self, name: str, data: bytes) -> Sheet:
        """Delimited text that was sent through the browser."""
        from emplus.cli.parsers import parse_text

        if not data:
            raise DataError(f"{name!r} is empty.")
        tabs = name.lower().endswith((".tsv", ".tab"))
        return _numbers(parse_text(repr(name), data, "\t" if tabs else None))

    def open(self, place: str) -> Sheet:
        """A file, or a data set by its name."""
        from emplus.cli.table import parse_table

        if place == "-":
            raise ArgumentError("The page reads files and data sets, not standard input.")
        return _numbers(parse_table(place))


def _numbers(parsed: Columns) -> Sheet:
    """The columns of numbers."""
    from emplus.cli.table import take_table
    from emplus.demo.choices import Sheet

    table = take_table(parsed, None, {})
    data: Any = table.data
    names = table.names
    if hasattr(data, "select_dtypes"):
        data = data.select_dtypes("number")
        names = tuple(map(str, data.columns))
        data = data.to_numpy(dtype=float)
    return Sheet(names, data)
