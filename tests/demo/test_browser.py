"""The page in a real browser: what a person does, and what must then be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emplus import GaussianMixture, datasets
from tests.demo.browser import CHROMIUM, Visitor, chromium, demo_server

pytest.importorskip("bokeh", reason="the page needs the extra 'demo'")
pytest.importorskip("playwright", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with demo_server() as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Visitor]:
    made = Visitor(browser, address)
    yield made
    assert made.errors == []
    made.page.close()


def _six() -> Any:
    return datasets.make_mixture("separated", 1000, k=6, seed=1).X


def _fitted(search: str) -> float:
    model = GaussianMixture(
        6, search=search, init_params="random_from_data", random_state=7, accelerate=None
    ).fit(_six())
    return model.result_.log_likelihood / 1000


def _code(visitor: Visitor) -> str:
    return visitor.text("mixture-code", ".told")


def _ended(visitor: Visitor, letter: str) -> bool:
    return visitor.text(f"status-{letter}", ".phase") == "done"


def _value(visitor: Visitor, letter: str) -> float:
    return float(visitor.text(f"status-{letter}", ".value"))


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_every_tab_fits_on_the_screen(browser: Any, address: str, size: tuple[int, int]) -> None:
    visitor = Visitor(browser, address, size)
    for title in ("Mixture", "Fit", "Bernoulli"):
        visitor.tab(title)
        visitor.page.wait_for_timeout(300)
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], title
        figures = visitor.page.locator(".bk-Figure").locator("visible=true")
        assert figures.count() >= 1
        for number in range(figures.count()):
            box = figures.nth(number).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]
            assert box["width"] > 100
            assert box["height"] > 100
    assert visitor.errors == []
    visitor.page.close()


def test_proportions_are_normalized_as_a_slider_moves(visitor: Visitor) -> None:
    visitor.tab("Mixture")
    before = [visitor.get(f"proportion-{j}", "value") for j in range(3)]
    handle = visitor.page.locator(".noUi-handle").locator("visible=true").first
    handle.focus()
    for _ in range(12):
        handle.press("ArrowRight")
    moved = before[0] + 0.12
    visitor.until(
        lambda: abs(visitor.get("proportion-1", "value") - 0.6 * (1 - moved)) < 0.011,
        "the other proportions gave way",
    )
    after = [visitor.get(f"proportion-{j}", "value") for j in range(3)]
    assert after[0] == pytest.approx(moved)
    assert sum(after) == pytest.approx(1.0, abs=0.011)


def test_density_and_points_follow_a_mean_while_it_is_dragged(visitor: Visitor) -> None:
    visitor.tab("Mixture")
    visitor.until(lambda: len(visitor.column("mixture-points", "x")) == 800, "points were drawn")
    before = np.array(visitor.column("mixture-points", "x"))
    code = _code(visitor)

    def followed() -> None:
        def there() -> bool:
            handles = visitor.column("mixture-handles", "x"), visitor.column("mixture-handles", "y")
            return bool(abs(handles[0][0] + 4.0) < 0.1 and abs(handles[1][0] - 2.0) < 0.1)

        visitor.until(there, "the mean was where the mouse was", 5.0)
        visitor.until(
            lambda: visitor.text("mixture-code", ".told") != code, "the code followed", 5.0
        )
        shift = np.array(visitor.column("mixture-points", "x")) - before
        moved = np.abs(shift) > 1e-9
        assert shift[moved] == pytest.approx(-2.0, abs=0.1)
        assert 0.35 < moved.mean() < 0.65  # the points of that component, and no others

    visitor.drag("mixture-plot", [(-2.0, -1.0), (-4.0, 2.0)], held=followed)


def test_an_axis_is_turned_and_stretched(visitor: Visitor) -> None:
    visitor.tab("Mixture")
    x, y = visitor.column("mixture-handles", "x"), visitor.column("mixture-handles", "y")
    visitor.drag("mixture-plot", [(x[1], y[1]), (-2.0, 2.0)])
    # The end of the first axis is three above the mean, so that its deviation is 1.5 upwards.
    visitor.until(
        lambda: (
            "[2.25]]" in visitor.text("mixture-code", ".told").replace("0.49, 0.0], [0.0, ", "[")
        ),
        "the covariance was diag(0.49, 2.25)",
    )


def test_em_ends_where_the_library_ends_and_split_and_merge_leaves(visitor: Visitor) -> None:
    expected = {"a": _fitted("em"), "b": _fitted("split_merge")}
    assert expected["b"] > expected["a"] + 0.1  # or there is nothing to be seen
    said: dict[str, str] = {}
    steps = 0
    while not (_ended(visitor, "a") and _ended(visitor, "b")):
        visitor.step()
        steps += 1
        assert steps < 100
        phase = visitor.text("status-b", ".phase")
        if phase in ("candidate", "trying", "accepted"):
            said.setdefault(phase, visitor.text("status-b", ".says"))
            assert visitor.column("rings-b", "wide").count(10) == 3
    assert set(said) == {"candidate", "trying", "accepted"}
    assert "merge" in said["candidate"]
    assert "split" in said["candidate"]
    assert "predicted +" in said["candidate"]
    assert "real +" in said["accepted"]
    for letter, value in expected.items():
        assert _value(visitor, letter) == pytest.approx(value, abs=6e-7)
    assert visitor.text("moves-b", ".taken") == "1"


def test_em_stays_where_a_mean_was_dragged_and_split_and_merge_leaves(visitor: Visitor) -> None:
    best = _fitted("split_merge")
    for _ in range(3):
        visitor.step()
    assert visitor.text("status-a", ".passes") == "4"
    places = list(zip(visitor.column("means-a", "x"), visitor.column("means-a", "y"), strict=True))
    visitor.drag("fit-a", [places[0], (3.3, 5.0)])
    visitor.until(lambda: visitor.text("status-b", ".says") == "moved by hand", "both were moved")
    assert visitor.column("means-a", "x") == pytest.approx(visitor.column("means-b", "x"))
    visitor.choose("speed-fit", "200")
    visitor.button("Run").click()
    visitor.until(lambda: _ended(visitor, "a") and _ended(visitor, "b"), "both ended", 60.0)
    assert _value(visitor, "a") < best - 0.05
    assert _value(visitor, "b") == pytest.approx(best, abs=1e-5)


def test_pause_step_and_restart(visitor: Visitor) -> None:
    start = _value(visitor, "a")
    visitor.choose("speed-fit", "2")
    visitor.button("Run").click()
    visitor.until(lambda: int(visitor.text("status-a", ".passes")) > 2, "it ran")
    visitor.button("Pause").click()
    visitor.until(lambda: not visitor.get("run-fit", "disabled"), "it was paused")
    stood = int(visitor.text("status-a", ".passes"))
    visitor.page.wait_for_timeout(600)
    assert int(visitor.text("status-a", ".passes")) == stood
    visitor.step()
    assert int(visitor.text("status-a", ".passes")) == stood + 1
    visitor.button("Restart").click()
    visitor.until(lambda: visitor.text("status-a", ".passes") == "1", "it began anew")
    assert _value(visitor, "a") == start
    visitor.choose("seed", 8)
    visitor.until(lambda: _value(visitor, "a") != start, "another seed gave another start")


def test_a_good_and_a_bad_table_are_uploaded(visitor: Visitor, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    lines = [",".join(f"{value:.3f}" for value in row) + ",word" for row in X]
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("\n".join(["height,width,depth,name", *lines]))
    bad.write_text("\n".join(["height,width", *(["1.5,2.5"] * 30), "3,oops"]))
    file = visitor.page.locator("input[type=file]")
    file.set_input_files(good)
    visitor.until(lambda: len(visitor.column("points-a", "x")) == 40, "the rows were shown")
    assert visitor.column("points-b", "y") == pytest.approx(X[:, 1], abs=1e-3)
    visitor.choose("up", "depth")
    visitor.until(
        lambda: np.allclose(visitor.column("points-a", "y"), X[:, 2], atol=1e-3), "the other column"
    )
    file.set_input_files(bad)
    visitor.until(lambda: "oops" in visitor.text("fit-message", "div"), "it said what was wrong")
    assert "bad.csv" in visitor.text("fit-message", "div")
    assert len(visitor.column("points-a", "x")) == 40  # what was there stays
    visitor.choose("path", str(tmp_path / "none.csv"))
    visitor.until(lambda: "no file" in visitor.text("fit-message", "div"), "there is no such file")
    visitor.choose("path", "faithful")
    visitor.until(lambda: len(visitor.column("points-a", "x")) == 272, "a data set by its name")


def test_points_are_placed_and_dragged(visitor: Visitor) -> None:
    visitor.choose("data", "Your own points")
    visitor.until(lambda: visitor.column("points-a", "x") == [], "the picture was empty")
    assert "place" in visitor.text("fit-message", "div")
    places = [(-3.0, -2.0), (-2.5, -2.2), (3.0, 2.0), (2.6, 2.3), (0.0, 0.5)]
    for number, place in enumerate(places, start=1):
        visitor.page.mouse.click(*visitor.place("fit-a", *place))
        visitor.until(lambda n=number: len(visitor.column("points-b", "x")) == n, "it was placed")  # type: ignore[misc]  # bound now
    assert visitor.column("points-a", "x") == pytest.approx([x for x, _ in places], abs=0.05)
    visitor.until(lambda: len(visitor.column("means-a", "x")) == 3, "three components began")
    visitor.drag("fit-b", [places[-1], (0.0, -3.0)])
    visitor.until(lambda: abs(visitor.column("points-a", "y")[-1] + 3.0) < 0.1, "it was moved")


def test_a_search_of_each_kind_runs_on_the_page(visitor: Visitor) -> None:
    names = [value for value, _ in visitor.get("search-a", "options")]
    visitor.choose("data", "A grid of nine")
    visitor.choose("speed-fit", "200")
    for first, second in zip(names[::2], [*names[1::2], "em"], strict=True):
        visitor.choose("search-a", first)
        visitor.choose("search-b", second)
        visitor.until(lambda: visitor.text("status-b", ".passes") == "1", "it began")
        visitor.button("Run").click()
        visitor.until(lambda: int(visitor.text("status-b", ".passes")) > 2, f"{second} ran")
        visitor.until(lambda: int(visitor.text("status-a", ".passes")) > 2, f"{first} ran")
        visitor.button("Restart").click()
        visitor.until(lambda: visitor.text("status-b", ".passes") == "1", "it began anew")


def test_prototypes_grow_clear_and_half_a_digit_is_completed(visitor: Visitor) -> None:
    visitor.tab("Bernoulli")

    def clear() -> float:
        image = np.array(visitor.column("prototypes-image", "image")[0], dtype=float)
        theta = image[np.isfinite(image)]
        return float(np.abs(theta - 0.5).mean())

    before, start = clear(), _value(visitor, "c")
    visitor.choose("speed-bernoulli", "200")
    visitor.button("Run").click()
    visitor.until(lambda: _value(visitor, "c") > start + 3.0, "it climbed")
    assert clear() > before + 0.02
    visitor.until(lambda: _ended(visitor, "c"), "it ended", 60.0)
    visitor.button("Clear").click()
    visitor.until(lambda: not any(map(sum, _pixels(visitor, "drawn")[4:])), "it was cleared")
    empty = _pixels(visitor, "completed")
    # The upper half of a zero: y runs upwards, the lower half is hidden.
    visitor.drag("drawn", [(2.5, 4.5), (2.5, 6.5), (3.5, 7.5), (4.5, 7.5), (5.5, 6.5), (5.5, 4.5)])
    visitor.until(lambda: _pixels(visitor, "drawn")[4:] != empty[4:], "ink was there")
    visitor.until(lambda: _pixels(visitor, "completed")[:4] != empty[:4], "the rest followed")
    whole = np.array(_pixels(visitor, "completed"))
    assert whole.min() >= 0.0
    assert whole.max() <= 1.0
    assert whole[4:].sum() >= 8  # what was drawn stays
    assert whole[0, 3:5].mean() > 0.5  # and a zero is closed at its bottom


def _pixels(visitor: Visitor, name: str) -> list[list[float]]:
    flat = np.nan_to_num(np.array(visitor.column(f"{name}-image", "image")[0], dtype=float))
    pixels: list[list[float]] = np.reshape(flat, (8, 8)).tolist()
    return pixels


def test_visitors_do_not_disturb_each_other(browser: Any, address: str) -> None:
    visitors = [Visitor(browser, address) for _ in range(3)]
    for seed, visitor in enumerate(visitors):
        visitor.choose("seed", seed)
        visitor.choose("speed-fit", "200")
        visitor.until(lambda v=visitor, s=seed: v.get("seed", "value") == s, "a seed")  # type: ignore[misc]  # bound now
        visitor.button("Run").click()
    for seed, visitor in enumerate(visitors):
        visitor.until(lambda v=visitor: _ended(v, "a"), "it ended", 60.0)  # type: ignore[misc]  # bound now
        model = GaussianMixture(
            6, search="em", init_params="random_from_data", random_state=seed, accelerate=None
        ).fit(_six())
        assert _value(visitor, "a") == pytest.approx(model.result_.log_likelihood / 1000, abs=6e-7)
        assert visitor.errors == []
        visitor.page.close()
