r"""Formulas that read the same on a forge and on the site.

A forge knows ``$$ ... \tag{7} $$`` and no labels, Sphinx labels and no ``\tag``. So a formula
that is cited elsewhere stands below a comment with its label,

    <!-- equation: m-step-gaussian -->

    $$\Sigma_j = \dots \tag{7}$$

and becomes one that ``:eq:`` knows, with the number that Sphinx gives it; it is an error if that
is not the number of its ``\tag``. Other formulas keep their ``\tag``, as an environment of its own,
because MathJax takes none inside of the ``split`` that Sphinx puts around several lines.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["LABELLED", "labelled", "setup"]

logger = logging.getLogger(__name__)

LABELLED = re.compile(
    r"^<!-- equation: (?P<label>[a-z0-9-]+) -->\n\n"
    r"\$\$(?P<formula>.*?)\s*\\tag\{(?P<tag>\d+)\}\$\$$",
    re.M | re.S,
)


def labelled(text: str) -> list[tuple[str, int]]:
    """Labels of the formulas of a page that have one, and the numbers of their tags."""
    return [(found["label"], int(found["tag"])) for found in LABELLED.finditer(text)]


def _number(app: Sphinx, docname: str, source: list[str]) -> None:
    for place, (label, tag) in enumerate(labelled(source[0]), start=1):
        if tag != place:
            told = "equation %s has the tag %d, and is number %d of its page"
            logger.warning(told, label, tag, place, location=docname)
    # The comment's line stays, empty: line numbers in messages are those of the file.
    source[0] = LABELLED.sub(r"\n\n$$\g<formula>$$ (\g<label>)", source[0])


def _set_apart(app: Sphinx, doctree: nodes.document) -> None:
    for node in doctree.findall(nodes.math_block):
        text = node.astext()
        if r"\tag{" in text:
            node.children = [nodes.Text(f"\\begin{{equation}}\n{text}\n\\end{{equation}}")]
            node["no-wrap"] = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _number)
    app.connect("doctree-read", _set_apart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
