"""The README's table of figures is what the benchmarks' pages say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("readme_table", BENCHMARKS / "readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_what_the_script_writes() -> None:
    found = script()
    figures = found.Figures((BENCHMARKS / "README.md").read_text("utf-8"))
    readme = found.README.read_text("utf-8")
    assert found.written(readme, figures) == readme
    assert readme.count(found.table(figures)) == 1


def test_a_figure_that_changes_changes_the_readme() -> None:
    found = script()
    page = (BENCHMARKS / "README.md").read_text("utf-8")
    assert "| 20.6 |" in page
    other = found.Figures(page.replace("| 20.6 |", "| 20.7 |"))
    assert "20.7 times as long" in found.table(other)


def test_a_figure_that_is_not_there_is_named() -> None:
    found = script()
    page = (BENCHMARKS / "README.md").read_text("utf-8")
    with pytest.raises(LookupError, match="em_speed: '2e5, 10, 20', 'full'"):
        found.table(found.Figures(page.replace("2e5, 10, 20", "2e5, 10, 21")))
    with pytest.raises(ValueError, match="once each"):
        found.written("# no markers", found.Figures(page))
