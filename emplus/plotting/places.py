"""Where pictures go."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from emplus.errors import ArgumentError

__all__ = ["EXTENSIONS", "picture_place"]

EXTENSIONS = (".png", ".svg", ".pdf")
"""Kinds of picture that can be written."""


def picture_place(path: str | PathLike[str]) -> tuple[Path, str]:
    """The path and the kind of picture that its extension names.

    Raises
    ------
    ArgumentError
        If it is none of `EXTENSIONS`.
    """
    place = Path(path)
    extension = place.suffix.lower()
    if extension not in EXTENSIONS:
        raise ArgumentError(
            f"A picture cannot be written as {str(place)!r}; use one of the extensions "
            f"{', '.join(EXTENSIONS)}."
        )
    return place, extension[1:]
