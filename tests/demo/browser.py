"""A page of emplus in Chromium, for tests, benchmarks and screenshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Where a point of a figure's data is on the screen.
_PLACE = """([name, x, y]) => {
  const figure = Bokeh.documents[0].get_model_by_name(name);
  const view = Bokeh.index.find_one(figure);
  const box = view.el.getBoundingClientRect();
  return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)];
}"""


@contextmanager
def demo_server(*arguments: str) -> Iterator[str]:
    """The address of ``emplus demo``, started like a person would."""
    command = [sys.executable, "-m", "emplus", "demo", "--no-browser", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                process.kill()
                raise RuntimeError(process.communicate()[1])
            yield line.split("at ")[1].split()[0]
        finally:
            process.kill()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody who has opened the page."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int] = (1280, 800)):
        self.errors: list[str] = []
        self.page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.button("Run").wait_for()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def button(self, label: str) -> Any:
        """The button with these words on the tab that is open."""
        found = self.page.get_by_role("button", name=label, exact=True)
        return found.locator("visible=true").first

    def tab(self, title: str) -> None:
        """Open a tab."""
        self.page.locator(".bk-tab", has_text=title).click()

    def text(self, name: str, part: str) -> str:
        """What a part of a text on the page says."""
        script = """([name, part]) => {
          const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
          const found = view.shadow_el.querySelector(part);
          return found === null ? '' : found.textContent; }"""
        return str(self.page.evaluate(script, [name, part]))

    def get(self, name: str, field: str) -> Any:
        """A property of a part of the page, as the browser has it."""
        script = "([name, field]) => Bokeh.documents[0].get_model_by_name(name)[field]"
        return self.page.evaluate(script, [name, field])

    def column(self, name: str, column: str) -> list[Any]:
        """A column of a source of data, as the browser has it."""
        script = """([name, column]) => {
          const data = Bokeh.documents[0].get_model_by_name(name).data;
          const got = data instanceof Map ? data.get(column) : data[column];
          return Array.from(got, (value) => value.length ? Array.from(value) : value); }"""
        return list(self.page.evaluate(script, [name, column]))

    def choose(self, name: str, value: Any) -> None:
        """Set a control."""
        script = "([name, value]) => { Bokeh.documents[0].get_model_by_name(name).value = value }"
        self.page.evaluate(script, [name, value])

    def place(self, figure: str, x: float, y: float) -> tuple[float, float]:
        """Where on the screen a point of a figure's data is."""
        left, top = self.page.evaluate(_PLACE, [figure, x, y])
        return left, top

    def drag(
        self,
        figure: str,
        path: Sequence[tuple[float, float]],
        *,
        held: Callable[[], None] = lambda: None,
        steps: int = 12,
    ) -> None:
        """Drag along a path in a figure's data; ``held`` is called before the mouse is let go."""
        mouse = self.page.mouse
        mouse.move(*self.place(figure, *path[0]))
        mouse.down()
        for point in path[1:]:
            mouse.move(*self.place(figure, *point), steps=steps)
        held()
        mouse.up()

    def step(self) -> None:
        """Press Step, and wait until the page has taken it."""

        def said() -> list[str]:
            return [self.text(f"status-{letter}", ".told") for letter in "ab"]

        before = said()
        self.button("Step").click()
        self.until(lambda: said() != before, "a step was taken")
        self.page.wait_for_timeout(80)  # the two sides come one after the other

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"In {seconds:g} seconds it did not happen that {what}.")
            self.page.wait_for_timeout(25)
