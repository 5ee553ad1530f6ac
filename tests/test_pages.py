"""The documentation's pages: examples run, links lead somewhere, equations have their numbers."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import emplus

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))

# Pages whose examples are run by the tests of what they are about.
ELSEWHERE = ("add-a-family", "add-a-search", "factor-analyzers", "prior", "searches")
# Names of the interactive session that are used from one block to the next.
CONTINUED = ("choosing", "diagnostics")

# A block of Python, and what it prints where the page shows it.
_BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.S)


def blocks(page: Path) -> list[tuple[str, str | None]]:
    found = [(code, shown or None) for code, shown in _BLOCK.findall(page.read_text("utf-8"))]
    if page.stem in CONTINUED:
        # The bootstrap test has tests of its own, and takes a minute.
        return [("".join(code for code, _ in found if "bootstrap_test" not in code), None)]
    return found


BLOCKS = [
    pytest.param(code, shown, id=f"{page.stem}-{number}")
    for page in PAGES
    if page.stem not in ELSEWHERE
    for number, (code, shown) in enumerate(blocks(page))
]


@pytest.mark.parametrize(("code", "shown"), BLOCKS)
def test_the_examples_run_without_a_warning_and_print_what_is_shown(
    code: str, shown: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "page", "exec"), {"__name__": "page"})
    if shown is not None:
        assert printed.getvalue() == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (DOCS / target).exists()] == []
    assert [line for line in text.splitlines() if len(line) > 110 and "|" not in line] == []


def anchors(page: Path) -> set[str]:
    """What a forge and the site make of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]*)\)", text):
        aimed = DOCS / target if target else page
        assert anchor in anchors(aimed), (page.name, target, anchor)


def test_every_page_stands_once_in_the_table_of_contents() -> None:
    contents = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text("utf-8"), re.S)
    lines = [line for part in contents for line in part.split("\n") if line and line[0] != ":"]
    listed = [re.sub(r"^.*<(.+)>$", r"\1", line) for line in lines]
    assert len(listed) == len(set(listed))
    made = {"gallery/index", "reference/index"}  # by a build
    assert set(listed) == {page.stem for page in PAGES} - {"index"} | made


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of docs/_ext that makes the API reference."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield importlib.import_module("reference")
    for name in ("reference", "writing"):
        sys.modules.pop(name, None)


def test_the_reference_has_every_public_name(extension: ModuleType) -> None:
    documented = [name for _, names in extension.documented() for name in names]
    assert len(documented) == len(set(documented))
    for name in emplus.__all__:
        value = getattr(emplus, name)
        if isinstance(value, ModuleType):
            inner = [n for n in value.__all__ if callable(getattr(value, n))]
            assert {f"emplus.{name}.{n}" for n in inner} <= set(documented)
        elif callable(value):
            assert f"emplus.{name}" in documented
    for module in ("selection", "diagnostics", "io", "errors"):
        values = importlib.import_module(f"emplus.{module}")
        last = {name.rpartition(".")[2] for name in documented}
        assert {n for n in values.__all__ if callable(getattr(values, n))} <= last


# The formulas that are cited, as docs/_ext/equations.py knows them.
_LABELLED = re.compile(r"^<!-- equation: ([a-z0-9-]+) -->\n\n\$\$(.*?)\$\$$", re.M | re.S)


def equations() -> dict[str, int]:
    """Labels of the theory page's equations, with the numbers that a reader sees."""
    found = _LABELLED.findall((DOCS / "theory.md").read_text("utf-8"))
    numbers = {}
    for label, formula in found:
        (tag,) = re.findall(r"\\tag\{(\d+)\}", formula)
        assert label not in numbers
        numbers[label] = int(tag)
    return numbers


def test_equations_are_numbered_in_their_order_and_all_have_labels() -> None:
    text = (DOCS / "theory.md").read_text("utf-8")
    numbers = list(equations().values())
    assert numbers == list(range(1, text.count("\\tag{") + 1))
    assert len(re.findall(r"^\$\$", text, re.M)) == len(numbers)


def test_every_equation_that_is_cited_exists_and_every_one_is_cited() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "emplus").rglob("*.py")]
    cited = {label for text in texts for label in re.findall(r":eq:`([^`]+)`", text)}
    assert cited == set(equations())


def test_every_reproduction_is_among_the_sources() -> None:
    text = (DOCS / "sources.md").read_text("utf-8")
    for picture in sorted((ROOT / "figures").glob("*.json")):
        assert f"](../figures/{picture.stem}.png)" in text, picture.stem
