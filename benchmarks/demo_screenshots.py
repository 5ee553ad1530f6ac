"""Take the pictures of the page that stand in docs/demo.md.

    python benchmarks/demo_screenshots.py

Needs Chromium and the extras `demo` and `dev`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from tests.demo.browser import Visitor, chromium, demo_server  # noqa: E402 (the path comes first)


def take(visitor: Visitor, name: str) -> None:
    """The whole page as it is."""
    visitor.page.wait_for_timeout(400)
    visitor.page.screenshot(path=FOLDER / f"demo-{name}.png")


def mixture(visitor: Visitor) -> None:
    visitor.tab("Mixture")
    visitor.until(lambda: len(visitor.column("mixture-points", "x")) == 800, "points were drawn")
    take(visitor, "mixture")


def fit(visitor: Visitor) -> None:
    while visitor.text("status-b", ".phase") != "trying":
        visitor.step()
    take(visitor, "fit")


def bernoulli(visitor: Visitor) -> None:
    visitor.tab("Bernoulli")
    visitor.choose("speed-bernoulli", "200")
    visitor.button("Run").click()
    visitor.until(lambda: visitor.text("status-c", ".phase") == "done", "it ended", 60.0)
    take(visitor, "bernoulli")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with demo_server() as address, chromium() as browser:
        for show in (mixture, fit, bernoulli):
            visitor: Any = Visitor(browser, address, (1280, 760))
            show(visitor)
        phone = Visitor(browser, address, (390, 844))
        phone.button("Run").click()
        phone.until(lambda: phone.text("status-b", ".phase") == "done", "it ended", 60.0)
        phone.page.locator(".bk-Figure").locator("visible=true").first.scroll_into_view_if_needed()
        take(phone, "phone")


if __name__ == "__main__":
    main()
