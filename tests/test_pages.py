"""The pages on columns, entries, tables, classifiers, optimizers, streams: examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (
    "discrete",
    "missing",
    "mixed",
    "classifiers",
    "artmap",
    "optimizers",
    "online",
    "scaling",
    "checkpoints",
)

BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.S)
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_run_without_a_warning(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "page", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (DOCS / target).exists()] == []
    assert [line for line in text.splitlines() if len(line) > 110 and "|" not in line] == []
