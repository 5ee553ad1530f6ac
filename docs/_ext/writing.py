"""What the generated pages have in common: written where they changed, with words that are safe."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

__all__ = ["as_rst", "remove_others", "underlined", "write_page"]

_SPECIAL = re.compile(r"([\\*`|_])")
_LIST = re.compile(r"^[-+](?= |$)")


def as_rst(words: str) -> str:
    """Words in which nothing is markup, nor the sign of a list at their beginning."""
    return _LIST.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", words))


def underlined(title: str, line: str = "=") -> str:
    """A heading."""
    return f"{title}\n{line * len(title)}\n"


def write_page(path: Path, text: str) -> None:
    """Write a page, unless it is as it was: Sphinx need not read it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def remove_others(folder: Path, suffix: str, names: Collection[str]) -> None:
    """Remove the pages of a suffix that are not among these: nothing leads to them any more."""
    for path in folder.glob(f"*{suffix}"):
        if path.name not in names:
            path.unlink()
