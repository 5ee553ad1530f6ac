"""The journal of a fit: what has been worked out so far, so that it need not be done again.

A search is ordinary code that calls for climbs, starts and prices one after the other. All else it
does is quick and follows from what they gave. So a fit that was broken off is taken up by running
the same search from its beginning, with what the journal holds in place of what takes long: it
comes to the same place, in the same state, without any search having to say what its state is.

Steps may hold steps. Once the outer one is done, the inner ones are forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from emplus.engine.outcome import Outcome
from emplus.errors import CheckpointError
from emplus.mixture import Mixture

__all__ = ["Entry", "Journal", "Place", "Standing", "Written"]

T = TypeVar("T")

# Numbers of a step among those beside it, from the outermost that it is part of inwards.
Place = tuple[int, ...]


class Entry(NamedTuple):
    """A step that was done: its name, what it gave, the seconds it took.

    ``generator`` is the state in which it left the random generator it drew from, if any.
    """

    name: str
    value: Any
    seconds: float
    generator: Any = None


@dataclass(frozen=True)
class Standing:
    """How far a climb has come.

    Parameters
    ----------
    mixture : Mixture
        The best so far.
    iteration, passes : int
    objectives, log_likelihoods : tuple of float
    memory : object
        What its step rule remembers besides.
    seconds : float
        Since it began.
    """

    mixture: Mixture
    iteration: int
    passes: int
    objectives: tuple[float, ...]
    log_likelihoods: tuple[float, ...]
    memory: Any
    seconds: float = 0.0


class Journal:
    """The journal of a fit that nobody means to take up again: nothing is written down."""

    def step(
        self, name: str, make: Callable[[], T], generator: np.random.Generator | None = None
    ) -> T:
        """What ``make`` gives, or gave when the fit was here before.

        Parameters
        ----------
        name : str
            What is done, one word.
        make : callable
            Everything it does that matters afterwards is in what it gives, and in
            ``generator``: it is not called where the journal knows the answer.
        generator : Generator, optional
            What it draws from.
        """
        return make()

    def standing(self) -> Standing | None:
        """How far the climb that is now being made had come, where it had begun."""
        return None

    def reached(self, stand: Callable[[], Standing]) -> None:
        """A climb has come further; ``stand`` tells how far, until it is called again."""

    def clock(self) -> float:
        """Seconds of work on this fit; only differences mean anything."""
        return time.perf_counter()


@dataclass
class Written(Journal):
    """A journal that is kept, and saved every now and then.

    Parameters
    ----------
    save : callable
        Called with the journal.
    every : float
        Seconds from one save to the next, at least.
    entries : dict of Place to Entry
        What is known already.
    unfinished : (Place, Standing), optional
        The climb in which the fit was broken off.
    """

    save: Callable[[Written], None]
    every: float
    entries: dict[Place, Entry] = field(default_factory=dict)
    unfinished: tuple[Place, Standing] | None = None

    def __post_init__(self) -> None:
        self._next: Place = (0,)
        self._skipped = 0.0
        self._climbing: tuple[Place, Callable[[], Standing]] | None = None
        self._closed = False
        self._unsaved = not self.entries
        self._saved_at = time.perf_counter()

    def step(
        self, name: str, make: Callable[[], T], generator: np.random.Generator | None = None
    ) -> Any:
        """What ``make`` gives, or gave; see `Journal`.

        Raises
        ------
        CheckpointError
            If something else was done here before.
        """
        place = self._next
        after = (*place[:-1], place[-1] + 1)
        entry = self.entries.get(place)
        if entry is not None:
            self._next = after
            return self._known(name, entry, generator)
        self._next = (*place, 0)
        began = self.clock()
        try:
            value = make()
        except KeyboardInterrupt:
            self.close()
            raise
        finally:
            self._next = after
        if not self._closed:
            if getattr(value, "outcome", None) is Outcome.INTERRUPTED:
                # As far as it came, not where it would have ended.
                self.close()
            else:
                state = None if generator is None else generator.bit_generator.state
                kept = value.kept() if hasattr(value, "kept") else value
                self._write(place, Entry(name, kept, self.clock() - began, state))
        return value

    def _known(self, name: str, entry: Entry, generator: np.random.Generator | None) -> Any:
        if entry.name != name:
            raise CheckpointError(
                f"The checkpoint does not follow this fit: it holds {entry.name!r} where "
                f"{name!r} is due. Begin with another file."
            )
        self._skipped += entry.seconds
        if generator is not None:
            generator.bit_generator.state = entry.generator
        return entry.value

    def _write(self, place: Place, entry: Entry) -> None:
        inner = [other for other in self.entries if other[: len(place)] == place]
        for other in inner:
            del self.entries[other]
        self.entries[place] = entry
        self.unfinished = self._climbing = None
        self._unsaved = True
        self._save_if_due()

    def standing(self) -> Standing | None:
        """How far the climb that is now being made had come when the fit was broken off."""
        if self.unfinished is None or self.unfinished[0] != self._next[:-1]:
            return None
        self._skipped += self.unfinished[1].seconds
        return self.unfinished[1]

    def reached(self, stand: Callable[[], Standing]) -> None:
        """A climb has come further."""
        if not self._closed:
            self._climbing = self._next[:-1], stand
            self._unsaved = True
            self._save_if_due()

    def clock(self) -> float:
        """Seconds of work on this fit, those before it was broken off included."""
        return time.perf_counter() + self._skipped

    def close(self) -> None:
        """Save what there is; nothing is written down from now on."""
        if not self._closed:
            self._closed = True
            self._save()

    def _save_if_due(self) -> None:
        if time.perf_counter() - self._saved_at >= self.every:
            self._save()

    def _save(self) -> None:
        if self._climbing is not None:
            place, stand = self._climbing
            self.unfinished, self._climbing = (place, stand()), None
        if self._unsaved:
            self.save(self)
            self._unsaved = False
        self._saved_at = time.perf_counter()
