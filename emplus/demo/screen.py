"""What is shown of any fit: its track, what it says, what it tried; and how fast it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from time import monotonic
from typing import Any, final

import numpy as np
from bokeh.models import BasicTicker, ColumnDataSource, Range1d

from emplus.demo.live import Decided, Proposed
from emplus.demo.look import ACCEPTED, JOINED, TRIED, UNDONE, plot
from emplus.demo.player import Player
from emplus.demo.wire import Part, Wire, box
from emplus.mixture import Mixture

__all__ = ["Screen"]

# A candidate, and what becomes of it, is shown this many times longer than a pass; seconds; events.
_HOLD, _LONGEST, _AT_ONCE = 8.0, 1.5, 60
_LISTED, _FAINT, _TRACK_EVERY = 5, "#b8c0c8", 4
_BADGES = {
    "climbing": ("EM", JOINED),
    "proposed": ("candidate", TRIED),
    "trying": ("trying", TRIED),
    "over": ("done", ACCEPTED),
    "failed": ("failed", UNDONE),
}


@final
class Screen:
    """Plays the events of a fit.

    Parameters
    ----------
    letter : str
        The names of its parts on the page end with it.
    draw : callable
        Gives what is shown of a mixture, or of none: parts for the targets.
    targets : dict
        Sources and boxes by name, beside the screen's own; see `Wire`.
    """

    def __init__(
        self,
        letter: str,
        draw: Callable[[Mixture | None], Mapping[str, Part]],
        targets: Mapping[str, Any],
    ):
        self.player, self._draw = Player(), draw
        self._due, self._frame = 0.0, 0
        self.status, self.moves = box(f"status-{letter}", 58), box(f"moves-{letter}", 96)
        self.trace = plot(
            f"trace-{letter}",
            140,
            x_range=Range1d(0, 10),
            y_range=Range1d(0, 1),
            x_axis_label="passes over the rows",
            y_axis_label="nats a row",
        )
        self.trace.yaxis.ticker = BasicTicker(desired_num_ticks=3)
        own: dict[str, Any] = {"status": self.status, "moves": self.moves}
        for name, colour, wide in (
            ("kept", JOINED, 2.0),
            ("trial", TRIED, 2.0),
            ("undone", _FAINT, 1.2),
        ):
            own[name] = ColumnDataSource({"x": [], "y": []}, name=f"{name}-{letter}")
            self.trace.line("x", "y", source=own[name], line_color=colour, line_width=wide)
        own["marks"] = ColumnDataSource({"x": [], "y": [], "color": [], "marker": []})
        self.trace.scatter(
            "x",
            "y",
            color="color",
            marker="marker",
            source=own["marks"],
            size=9,
            line_color="white",
        )
        self._wire = Wire(self.trace, {**own, **targets})

    def begin(self) -> None:
        """The player has been loaded, or emptied; show where it begins."""
        self._due, self._frame = 0.0, 0
        self.player.advance(timeout=2.0)  # the start
        self.show()

    def step(self) -> None:
        """Show what comes next."""
        if self.player.advance(timeout=2.0) is not None:
            self.show()

    def run(self, speed: float) -> None:
        """Show as much as is due at so many passes a second."""
        now = monotonic()
        self._due = max(self._due, now - 0.1)  # what was missed is not made up for
        seen = 0
        while self._due <= now and seen < _AT_ONCE:
            event = self.player.advance()
            if event is None:
                break
            held = isinstance(event, Proposed | Decided)
            self._due += min(_HOLD / speed, _LONGEST) if held else 1.0 / speed
            seen += 1
        if seen:
            self.show()

    def show(self) -> None:
        """Bring everything to where the player is."""
        parts = dict(self._draw(self.player.mixture))
        parts["status"], parts["moves"] = _said(self.player), _listed(self.player)
        # The track need not be as quick as the picture, except where something happens.
        if self._frame % _TRACK_EVERY == 0 or self.player.phase != "climbing":
            parts |= self._track()
        self._frame += 1
        self._wire.send(parts)

    def send(self, parts: Mapping[str, Part]) -> None:
        """Show something of the picture alone."""
        self._wire.send(parts)

    def _track(self) -> dict[str, Part]:
        player, marks = self.player, self.player.marks
        tracks = {"kept": player.kept, "trial": player.trial, "undone": player.undone}
        parts: dict[str, Part] = {
            name: {"x": np.array(track.passes), "y": np.array(track.values)}
            for name, track in tracks.items()
        }
        parts["marks"] = {
            "x": [mark.number for mark in marks],
            "y": [mark.value for mark in marks],
            "color": [ACCEPTED if mark.accepted else UNDONE for mark in marks],
            "marker": ["triangle" if mark.accepted else "x" for mark in marks],
        }
        # The first steps rise by so much that nothing could be told from the rest.
        values = np.array(player.kept.values[2:] + player.trial.values + player.undone.values)
        values = values[np.isfinite(values)]
        if len(values):
            _hold(self.trace.y_range, float(np.quantile(values, 0.02)), float(values.max()))
        ahead = self.trace.x_range
        if player.n_passes > ahead.end or player.n_passes < 0.3 * ahead.end:
            ahead.end = max(10.0, 1.4 * player.n_passes)
        return parts


def _hold(axis: Range1d, low: float, high: float) -> None:
    """Let an axis hold these values; other ends lay the figure out anew, so seldom."""
    span = max(high - low, 1e-6)
    inside = axis.start < low and high < axis.end
    if not inside or axis.end - axis.start > 2.0 * span:
        axis.update(start=low - 0.15 * span, end=high + 0.3 * span)


def _said(player: Player) -> str:
    if player.mixture is None:
        return f"<div class='says'>{escape(player.says or 'Nothing to fit yet.')}</div>"
    badge, colour = _BADGES.get(player.phase, _BADGES["climbing"])
    if player.verdict is not None:
        badge, colour = ("accepted", ACCEPTED) if player.verdict else ("undone", UNDONE)
    return (
        f"<div style='font-size:14px'><b class='value'>{player.value:.6f}</b> nats a row after "
        f"<b class='passes'>{player.n_passes}</b> passes</div>"
        f"<div style='min-height:34px'><span class='phase' style='background:{colour};"
        "color:white;border-radius:4px;padding:0 6px;font-size:12px'>"
        f"{badge}</span> <span class='says'>{escape(player.says)}</span></div>"
    )


def _listed(player: Player) -> str:
    marks = player.marks
    if not marks:
        return ""
    lines = [
        "<div style='white-space:nowrap;overflow:hidden;text-overflow:ellipsis'>"
        f"<b style='color:{ACCEPTED if mark.accepted else UNDONE}'>"
        f"{'✔' if mark.accepted else '✘'}</b> {escape(mark.words)}</div>"
        for mark in marks[: -_LISTED - 1 : -1]
    ]
    taken = sum(mark.accepted for mark in marks)
    head = f"<b class='tried'>{len(marks)}</b> tried, <b class='taken'>{taken}</b> accepted"
    return f"<div style='font-size:12px'><div>{head}</div>{''.join(lines)}</div>"
