"""The list of all pages beside each: by its parts, from the table of contents of the first page.

Sphinx's own ``toctree`` would resolve every page of the reference for every page, which takes
longer than everything else together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx

__all__ = ["setup"]

_Parts = list[tuple[str, list[tuple[str, str]]]]


@cache
def _parts(app: Sphinx) -> _Parts:
    """Captions, each with the names and titles of its pages."""
    index = app.env.get_doctree("index")
    return [
        (
            node["caption"],
            [(name, given or app.env.titles[name].astext()) for given, name in node["entries"]],
        )
        for node in index.findall(addnodes.toctree)
    ]


def _told(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], tree: Any
) -> None:
    context["parts"] = _parts(app)
    # A page of the gallery or of the reference belongs to the first page there.
    folder, _, last = pagename.rpartition("/")
    context["part_of"] = f"{folder}/index" if folder else last


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", _told)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
