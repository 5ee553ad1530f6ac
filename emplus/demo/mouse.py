"""Things that are dragged in a figure, with the mouse or a finger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from bokeh.events import DoubleTap, Pan, PanEnd, PanStart, Tap
from numpy.typing import NDArray

__all__ = ["Grip"]

# How far beside a handle one may take hold of it, in shares of the figure's width.
_REACH = 0.05
# Milliseconds in which movements that have piled up are heard before the last one is followed.
_PAUSE = 8


@final
class Grip:
    """Lets things in a figure be dragged; what follows is worked out at most once at a time.

    Bokeh's own tools for this tell the server where a thing is when it has been let go. Here the
    server hears of every movement, so that everything else can follow it.

    Parameters
    ----------
    plot : figure
    places : callable
        Gives the places (m, 2) of what can be dragged.
    drag : callable
        Told the number of what is dragged, and where it is now.
    drop : callable, optional
        Called when it is let go.
    tap : callable, optional
        Told where somebody has clicked without dragging.
    """

    def __init__(
        self,
        plot: Any,
        places: Callable[[], NDArray[np.float64]],
        drag: Callable[[int, float, float], None],
        *,
        drop: Callable[[], None] | None = None,
        tap: Callable[[float, float], None] | None = None,
    ):
        self._plot, self._places, self._drag, self._drop = plot, places, drag, drop
        self._held: int | None = None
        self._offset = np.zeros(2)
        self._waiting: tuple[float, float] | None = None
        plot.on_event(PanStart, self._begin)
        plot.on_event(Pan, self._move)
        plot.on_event(PanEnd, self._end)
        if tap is not None:
            for click in (Tap, DoubleTap):  # the second of two quick ones is called double
                plot.on_event(click, lambda event: tap(event.x, event.y))

    @property
    def holds(self) -> bool:
        """Whether something is being dragged."""
        return self._held is not None

    def _begin(self, event: Any) -> None:
        places = self._places()
        if not len(places) or event.x is None or event.y is None:
            return
        width = self._plot.x_range.end - self._plot.x_range.start
        height = self._plot.y_range.end - self._plot.y_range.start
        here = np.array([event.x, event.y])
        distance = np.hypot(*((places - here) / (width, height)).T)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= _REACH:
            self._held, self._offset = nearest, places[nearest] - here

    def _move(self, event: Any) -> None:
        if self._held is None or event.x is None or event.y is None:
            return
        # Of several movements that wait, only the last one matters.
        first = self._waiting is None
        self._waiting = (event.x + self._offset[0], event.y + self._offset[1])
        document = self._plot.document
        if first and document is not None:
            document.add_timeout_callback(self._follow, _PAUSE)

    def _follow(self) -> None:
        if self._waiting is not None and self._held is not None:
            (x, y), self._waiting = self._waiting, None
            x = float(np.clip(x, self._plot.x_range.start, self._plot.x_range.end))
            y = float(np.clip(y, self._plot.y_range.start, self._plot.y_range.end))
            self._drag(self._held, x, y)
        self._waiting = None

    def _end(self, event: Any) -> None:
        self._follow()
        held, self._held = self._held, None
        if held is not None and self._drop is not None:
            self._drop()
