"""The pages on adding a family and a search: they show the examples, and what they say runs."""

from __future__ import annotations

import re

import pytest

from tests.extending.examples import EXAMPLES

PAGES = {"add-a-family": "poisson", "add-a-search": "basin_hopping"}


def blocks(page: str) -> list[str]:
    text = (EXAMPLES.parent / f"{page}.md").read_text("utf-8")
    found: list[str] = re.findall(r"```python\n(.*?)```", text, re.S)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_the_example(page: str) -> None:
    assert blocks(page)[0] == (EXAMPLES / f"{PAGES[page]}.py").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_of_it_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks(page)[1:]:
        exec(compile(block, page, "exec"), {"__name__": "page"})
        assert capsys.readouterr().out
