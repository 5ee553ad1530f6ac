"""What is shown of any fit: its track, what it says, what it tried; and how fast it is shown."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from time import monotonic
from typing import final

import numpy as np
from bokeh.models import BasicTicker, ColumnDataSource, Div, Range1d

from emplus.demo.live import Decided, Proposed
from emplus.demo.look import ACCEPTED, JOINED, TRIED, UNDONE, plot
from emplus.demo.player import Player, Track
from emplus.mixture import Mixture

__all__ = ["Screen"]

# A candidate, and what becomes of it, is shown this many times longer than a pass; seconds; events.
_HOLD, _LONGEST, _AT_ONCE = 8.0, 1.5, 60
_LISTED, _FAINT = 5, "#b8c0c8"
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
        Shows a mixture, or that there is none.
    """

    def __init__(self, letter: str, draw: Callable[[Mixture | None], None]):
        self.player, self._draw = Player(), draw
        self._due, self._sent = 0.0, [0, 0, 0]
        self.status = Div(name=f"status-{letter}", sizing_mode="stretch_width", height=58)
        self.moves = Div(name=f"moves-{letter}", sizing_mode="stretch_width", height=96)
        self.trace = plot(
            f"trace-{letter}",
            140,
            x_range=Range1d(0, 10),
            y_range=Range1d(0, 1),
            x_axis_label="passes over the rows",
            y_axis_label="nats a row",
        )
        self.trace.yaxis.ticker = BasicTicker(desired_num_ticks=3)
        self._tracks = []
        for colour, wide in ((JOINED, 2.0), (TRIED, 2.0), (_FAINT, 1.2)):
            source = ColumnDataSource({"x": [], "y": []})
            self.trace.line("x", "y", source=source, line_color=colour, line_width=wide)
            self._tracks.append(source)
        self._marks = ColumnDataSource({"x": [], "y": [], "color": [], "marker": []})
        self.trace.scatter(
            "x", "y", color="color", marker="marker", source=self._marks, size=9, line_color="white"
        )

    def begin(self) -> None:
        """The player has been loaded, or emptied; show where it begins."""
        for source in self._tracks:
            source.data = {"x": [], "y": []}
        self._sent, self._due = [0, 0, 0], 0.0
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
        self._draw(self.player.mixture)
        self._show_track()
        self.status.text = _said(self.player)
        self.moves.text = _listed(self.player)

    def _show_track(self) -> None:
        player = self.player
        tracks = (player.kept, player.trial, player.undone)
        for place, (source, track) in enumerate(zip(self._tracks, tracks, strict=True)):
            _send(source, track, self._sent[place])
            self._sent[place] = len(track.passes)
        marks = player.marks
        if len(marks) != len(self._marks.data["x"]):
            self._marks.data = {
                "x": [mark.number for mark in marks],
                "y": [mark.value for mark in marks],
                "color": [ACCEPTED if mark.accepted else UNDONE for mark in marks],
                "marker": ["triangle" if mark.accepted else "x" for mark in marks],
            }
        # The first steps rise by so much that nothing could be told from the rest.
        values = np.array(player.kept.values[2:] + player.trial.values + player.undone.values)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = float(np.quantile(values, 0.02)), float(values.max())
            room = max(0.15 * (high - low), 1e-6)
            self.trace.y_range.update(start=low - room, end=high + room)
        self.trace.x_range.end = max(10.0, 1.03 * player.n_passes)


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


def _send(source: ColumnDataSource, track: Track, sent: int) -> None:
    """Only what is new goes to the browser."""
    if len(track.passes) < sent:
        source.data = {"x": list(track.passes), "y": list(track.values)}
    elif len(track.passes) > sent:
        source.stream({"x": track.passes[sent:], "y": track.values[sent:]})
