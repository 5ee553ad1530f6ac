"""Places where commands write: checked before the work, written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from emplus.errors import ArgumentError

__all__ = [
    "IMAGE_SHAPE",
    "PICTURES",
    "STDOUT",
    "check_outputs",
    "check_picture",
    "echo",
    "write_text",
]

STDOUT = "-"
PICTURES = (".png", ".svg", ".pdf")  # what emplus.plotting draws, known before it is imported


def check_outputs(outputs: dict[str, str | None], data: str | None = None) -> None:
    """Refuse places that cannot be written, before any work is done.

    Parameters
    ----------
    outputs : dict
        Option name to path; None and ``-`` are left alone.
    data : str, optional
        What is read; no output may replace it.

    Raises
    ------
    ArgumentError
        With the option's name and the reason.
    """
    taken: dict[str, str] = {}
    for option, place in outputs.items():
        if place is None or place == STDOUT:
            continue
        _check_place(option, place)
        real = os.path.realpath(place)
        if data is not None and os.path.isfile(data) and os.path.realpath(data) == real:
            raise ArgumentError(f"{option} {place!r} would replace the file that is read.")
        if real in taken and _is_replaceable(real):
            raise ArgumentError(f"{option} and {taken[real]} name the same file, {place!r}.")
        taken[real] = option


def _check_place(option: str, place: str) -> None:
    if not place:
        raise ArgumentError(f"{option} needs the name of a file.")
    path = Path(os.path.realpath(place))
    if path.is_dir():
        raise ArgumentError(f"{option} {place!r} is a folder; name a file in it.")
    folder = path.parent
    if not folder.is_dir():
        raise ArgumentError(f"{option} {place!r}: there is no folder {str(folder)!r}; make it.")
    if path.exists() and not os.access(path, os.W_OK):
        raise ArgumentError(f"{option} {place!r} may not be written.")
    if _is_replaceable(str(path)) and not os.access(folder, os.W_OK | os.X_OK):
        raise ArgumentError(f"{option} {place!r}: the folder {str(folder)!r} may not be written.")


def _is_replaceable(place: str) -> bool:
    return os.path.isfile(place) or not os.path.exists(place)


def check_picture(option: str, place: str | None) -> None:
    """Refuse a picture's suffix that cannot be drawn, before any work is done.

    Raises
    ------
    ArgumentError
        With the suffixes that can.
    """
    if place is not None and Path(place).suffix.lower() not in PICTURES:
        raise ArgumentError(f"{option} {place!r} must end in one of {', '.join(PICTURES)}.")


def _image_shape(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is not HEIGHTxWIDTH, as in 8x8.", ctx, param)
    return int(found[1]), int(found[2])


IMAGE_SHAPE = click.option(
    "--image-shape",
    metavar="HEIGHTxWIDTH",
    callback=_image_shape,
    help="The rows are images of this shape: draw the components' means and factors as such.",
)


def write_text(place: str | None, write: Callable[[TextIO], object]) -> None:
    """Let ``write`` fill a file, or standard output where ``place`` is None or ``-``.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there before is untouched.
    """
    if place is None or place == STDOUT:
        write(sys.stdout)
        sys.stdout.flush()
        return
    from emplus.io import replacing

    try:
        with replacing(place) as temporary, open(temporary, "w", newline="") as file:
            write(file)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        # The temporary file's name means nothing to the person who gave another.
        raise OSError(error.errno, error.strerror or str(error), place) from error


def echo(text: str, err: bool = False) -> None:
    """Print text, with plain letters where the terminal has no others."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.replace("±", "+/-").encode(encoding, "replace").decode(encoding)
    click.echo(text, err=err)
