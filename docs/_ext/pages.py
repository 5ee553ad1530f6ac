"""Pages that are made at every build: the reference, the command line, the gallery's scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import command_line
import gallery
import reference
from sphinx.application import Sphinx
from writing import remove_others, write_page

__all__ = ["setup"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def _skipped(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what scikit-learn puts on every estimator; its own pages have that."""
    module = getattr(value, "__module__", None) or ""
    if module.startswith("sklearn") or name in ("set_fit_request", "set_score_request"):
        return True
    return True if name.endswith("_request") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for any, and register with it."""
    folder = HERE.parent / "reference"
    written = {"index.rst": reference.index(), "command-line.rst": command_line.page()}
    stubs = {f"{name}.rst" for _, names in reference.documented() for name in names}
    remove_others(folder, ".rst", stubs | written.keys())
    for name, text in written.items():
        write_page(folder / name, text)
    gallery.write_gallery(ROOT / "build" / "gallery")
    app.connect("autodoc-skip-member", _skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
