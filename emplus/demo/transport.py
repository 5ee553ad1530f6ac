"""Run, pause, step and restart, for any number of screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from bokeh.models import Button, Row, Select

from emplus.demo.look import stacked
from emplus.demo.screen import Screen

__all__ = ["Transport"]

SPEEDS = ("1", "2", "5", "10", "20", "50", "200")
_FRAME = 40  # milliseconds


@final
class Transport:
    """Buttons that let screens go on.

    Parameters
    ----------
    letter : str
        The names of the buttons end with it.
    document : Document
        Where the callback is put that comes again and again while something runs.
    screens : sequence of Screen
    restart : callable
        Begins anew.
    """

    def __init__(
        self,
        letter: str,
        document: Any,
        screens: Sequence[Screen],
        restart: Callable[[], None],
    ):
        self._document, self._screens = document, screens
        self._ticking: Any = None
        self.held: Callable[[], bool] = lambda: False
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        self._run = Button(label="Run", button_type="primary", name=f"run-{letter}", **wide)
        self._pause = Button(label="Pause", name=f"pause-{letter}", disabled=True, **wide)
        self._step = Button(label="Step", name=f"step-{letter}", **wide)
        self._again = Button(label="Restart", name=f"restart-{letter}", **wide)
        self._speed = Select(
            title="Passes a second",
            options=list(SPEEDS),
            value="10",
            name=f"speed-{letter}",
            **wide,
        )
        self._run.on_click(self.run)
        self._pause.on_click(self.pause)
        self._step.on_click(self.step)
        self._again.on_click(restart)
        rows = [(self._run, self._pause), (self._step, self._again)]
        self.root = stacked(*(Row(*row, spacing=6, **wide) for row in rows), self._speed)

    def run(self) -> None:
        """Go on until all have ended."""
        if self._ticking is None:
            self._ticking = self._document.add_periodic_callback(self._tick, _FRAME)
        self._run.disabled, self._pause.disabled = True, False

    def pause(self) -> None:
        """Stand still."""
        if self._ticking is not None:
            self._document.remove_periodic_callback(self._ticking)
            self._ticking = None
        self._run.disabled, self._pause.disabled = False, True

    def step(self) -> None:
        """One event on each screen."""
        self.pause()
        for screen in self._screens:
            screen.step()

    def close(self) -> None:
        """Let go of all fits."""
        self.pause()
        for screen in self._screens:
            screen.player.stop()

    def _tick(self) -> None:
        if self.held():
            return  # somebody is dragging something
        for screen in self._screens:
            screen.run(float(self._speed.value))
        if all(screen.player.over for screen in self._screens):
            self.pause()
