"""Links of Markdown pages to files outside of docs/, which a forge follows and a site cannot."""

from __future__ import annotations

import re
from typing import Any

import gallery
from sphinx.application import Sphinx

__all__ = ["PAGES", "setup"]

# What has a page of its own on the site, as each figure has in the gallery; of other files the
# words are left.
PAGES = {
    "../CHANGELOG.md": "changelog.md",
    "../reproductions/README.md": "gallery/index.rst",
    "../README.md": "index.md",
}

_LINK = re.compile(
    r"(?<!!)\[(?P<words>[^\]\[]+)\]\((?P<target>\.\./[^)\s#]+)(?P<anchor>#[^)\s]*)?\)"
)
_FIGURE = re.compile(r"\.\./figures/(\w+)\.png")


def _turned(app: Sphinx, docname: str, source: list[str]) -> None:
    up = "../" * docname.count("/")

    def replacement(found: re.Match[str]) -> str:
        target = found["target"].removeprefix(up)
        figure = _FIGURE.fullmatch(target)
        if figure and figure[1] in gallery.names():
            return f"[{found['words']}]({up}gallery/{figure[1]}.rst)"
        if target in PAGES:
            return f"[{found['words']}]({up}{PAGES[target]}{found['anchor'] or ''})"
        return found["words"]

    source[0] = _LINK.sub(replacement, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _turned)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
