"""Sphinx's settings. ``make docs`` builds the site into ``build/docs``; warnings are errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]

from emplus import __version__  # noqa: E402  (found by the path above)

project = "emplus"
author = "the emplus developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    # In docs/_ext.
    "equations",
    "links",
    "names",
    "pages",
    "sidebar",
]
exclude_patterns = ["_*", "examples", "**/sg_execution_times*", "sg_execution_times*"]
templates_path = ["_templates"]
nitpicky = True
# `Name` in a docstring is a link to what has that name; see docs/_ext/names.py.
default_role = "py:obj"
# Options are written --like-this.
smartquotes = False
# Blocks that say nothing of their language are commands and tables.
highlight_language = "text"
toc_object_entries_show_parents = "hide"

# Markdown that reads as well on a forge: dollar math, links to files, HTML comments.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Signatures without types: the sections of the docstrings have them, with shapes.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# The scripts are not run: they take minutes. docs/_ext/gallery.py writes what the gallery shows
# from their docstrings, and from the pictures and claims that they left in figures/.
sphinx_gallery_conf = {
    "examples_dirs": [str(ROOT / "build" / "gallery")],
    "gallery_dirs": ["gallery"],
    "plot_gallery": False,
    "filename_pattern": "(?!)",
    "ignore_pattern": "(?!)",
    "within_subsection_order": "gallery.AsRegenerated",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": float("inf"),
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
    "thumbnail_size": (400, 280),
    "copyfile_regex": "",
    "notebook_extensions": set(),
}

html_theme = "pydata_sphinx_theme"
html_title = f"emplus {release}"
html_static_path = ["_static"]
html_css_files = ["emplus.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"**": ["all-pages"]}
html_theme_options = {
    "logo": {"text": f"emplus {release}"},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "back_to_top_button": True,
}
