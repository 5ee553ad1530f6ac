"""What `Name` in a docstring stands for: a link where it has a page, code where it has none.

Sphinx looks for a name in the module that is documented only. Here it is also looked for by its
last parts, as a reader would: `Fit.trace` is found wherever ``Fit`` is documented. Names of the
package that have no page of their own stay code; a name that nothing has is an error of the build.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

__all__ = ["known", "setup"]

PACKAGE = Path(__file__).resolve().parents[2] / "emplus"

# Names of other packages, which a build without a network cannot link to.
_ELSEWHERE = re.compile(r"(sklearn|numpy|matplotlib|scipy|pandas|dask|safetensors|tempfile)\b")


@cache
def known() -> frozenset[str]:
    """Every name that is defined in the package: modules, classes, functions, arguments, fields."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        dotted = ("emplus", *path.relative_to(PACKAGE).with_suffix("").parts)
        found |= set(dotted)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
    return frozenset(found)


def _by_last_parts(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"]).removesuffix("()")
    objects = env.domains["py"].objects  # type: ignore[attr-defined]  # of the Python domain
    ending = f".{target.removeprefix('emplus.')}"
    # The shortest is the one that people use: emplus.select, not emplus.selection.select.
    candidates = [name for name in objects if name.endswith(ending) and not objects[name].aliased]
    if candidates:
        name = min(candidates, key=lambda name: (name.count("."), len(name), name))
        entry = objects[name]
        place = node.get("refdoc", env.docname)
        return make_refnode(app.builder, place, entry.docname, entry.node_id, content, name)
    if _ELSEWHERE.match(target) or all(part in known() for part in target.split(".")):
        return content
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("missing-reference", _by_last_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
