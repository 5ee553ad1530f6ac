"""The page of `emplus demo` in a real browser: frames a second, and its lag behind the mouse.

    python benchmarks/demo_frames.py [--seconds 8] [--quick]

Needs Chromium and the extras `demo` and `dev`. Two searches side by side on 1,000 points, at 50
passes a second: a frame is a change of the colours of all points that the browser has painted. A
mean of the mixture tab is dragged for some seconds: a frame is a change of the 800 points, the lag
is the time from the movement of the mouse to the painting that follows it. Server, engine and
browser share the machine, and the browser draws without a graphics card.

Prints its table and puts it between its markers in docs/demo.md, unless `--quick`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "demo.md"
sys.path.insert(0, str(ROOT))

from tests.demo.browser import Visitor, chromium, demo_server  # noqa: E402 (the path comes first)

# Notes when a source has changed and the screen has been painted after that.
_WATCH = """(name) => {
  const source = Bokeh.documents[0].get_model_by_name(name);
  window.frames_seen = [];
  const note = () => requestAnimationFrame(() => window.frames_seen.push(performance.now()));
  source.change.connect(note);
  source.properties.data.change.connect(note);
}"""


def rates(visitors: list[Visitor], seconds: float) -> list[float]:
    """Frames a second of a source that each visitor watches, all in the same seconds."""
    for visitor in visitors:
        visitor.page.evaluate("window.frames_seen = []")
    visitors[0].page.wait_for_timeout(1000.0 * seconds)
    found = []
    for visitor in visitors:  # changes within one frame count once
        times = sorted(set(visitor.page.evaluate("window.frames_seen")))
        found.append((len(times) - 1) / (0.001 * (times[-1] - times[0])) if times[1:] else 0.0)
    return found


def fit_rates(browser: Any, address: str, seconds: float, visitors: int) -> list[float]:
    """Frames a second of each visitor's left panel while both panels run."""
    pages = [Visitor(browser, address) for _ in range(visitors)]
    for visitor in pages:
        visitor.choose("data", "Overlapping clusters")  # EM takes hundreds of passes
        visitor.choose("search-b", "random_swap")
        visitor.choose("speed-fit", "50")
        visitor.until(partial(_begun, visitor), "it began")
        visitor.page.evaluate(_WATCH, "points-a")
        visitor.button("Run").click()
    found = rates(pages, seconds)
    for visitor in pages:
        visitor.page.close()
    return found


def _begun(visitor: Visitor) -> bool:
    return visitor.text("status-b", ".passes") == "1"


def mouse(browser: Any, address: str, seconds: float) -> tuple[float, list[float]]:
    """Frames a second while a mean is dragged, and lags in milliseconds."""
    visitor = Visitor(browser, address)
    visitor.tab("Mixture")
    visitor.until(lambda: len(visitor.column("mixture-points", "x")) == 800, "points were drawn")
    visitor.page.evaluate(_WATCH, "mixture-points")
    pointer, lags = visitor.page.mouse, []
    left, top = visitor.place("mixture-plot", -2.0, -1.0)
    pointer.move(left, top)
    pointer.down()
    pointer.move(left + 10, top + 10)
    visitor.page.wait_for_timeout(300)
    for number in range(int(seconds * 4)):  # one movement at a time: how long until it is followed
        visitor.page.evaluate("window.frames_seen = []")
        begun = visitor.page.evaluate("performance.now()")
        pointer.move(left + 10 + 6 * (number % 7), top + 10 + 4 * (number % 5))
        visitor.page.wait_for_timeout(200)
        seen = visitor.page.evaluate("window.frames_seen")
        if seen:
            lags.append(seen[0] - begun)
    visitor.page.evaluate("window.frames_seen = []")
    begun = visitor.page.evaluate("performance.now()")
    number = 0
    while visitor.page.evaluate("performance.now()") < begun + 1000.0 * seconds:
        number += 1  # as fast as a hand: a movement every 16 ms
        pointer.move(left + 60 + 40 * ((number % 50) / 50), top + 10 + (number % 30))
        visitor.page.wait_for_timeout(8)
    times = sorted(set(visitor.page.evaluate("window.frames_seen")))
    pointer.up()
    visitor.page.close()
    return (len(times) - 1) / (0.001 * (times[-1] - times[0])), lags


def table(seconds: float) -> list[str]:
    """What was measured, as lines of a page."""
    lines = ["| what | frames a second | lag, median ms | lag, most ms |", "|---|---|---|---|"]
    with demo_server() as address, chromium() as browser:
        for visitors in (1, 2, 4):
            slowest = min(fit_rates(browser, address, seconds, visitors))
            who = "1 visitor" if visitors == 1 else f"{visitors} visitors, the slowest"
            lines.append(f"| two searches on 1,000 points, {who} | {slowest:.1f} | | |")
            print(lines[-1], flush=True)
        frames, lags = mouse(browser, address, seconds)
        lines.append(
            f"| a mean dragged, contours and 800 points | {frames:.1f} | "
            f"{statistics.median(lags):.0f} | {max(lags):.0f} |"
        )
    return lines


def write(lines: list[str]) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- frames: written by benchmarks/demo_frames.py -->", "<!-- end of frames -->"
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true", help="two seconds each, nothing written")
    given = parser.parse_args()
    lines = table(2.0 if given.quick else given.seconds)
    print("\n".join(lines))
    if not given.quick:
        write(lines)


if __name__ == "__main__":
    main()
