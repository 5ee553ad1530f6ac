"""A fit that is watched while it happens: in a thread of its own, one event at a time."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, final

from emplus.errors import EmplusError
from emplus.mixture import Mixture

if TYPE_CHECKING:
    from emplus.engine.problem import State
    from emplus.search.fit import Fit
    from emplus.search.record import Candidate
    from emplus.search.walk import Move

__all__ = ["Decided", "Ended", "Event", "Failed", "Live", "Passed", "Proposed"]

# How many events the engine may be ahead of the page, and how often a waiting engine looks whether
# anybody still wants it, in seconds.
_AHEAD, _LOOK = 32, 0.2


@dataclass(frozen=True)
class Passed:
    """One pass over the rows; ``first`` where a climb begins. The total is in nats."""

    mixture: Mixture
    log_likelihood: float
    first: bool


@dataclass(frozen=True)
class Proposed:
    """A search is about to climb from a move."""

    move: Move


@dataclass(frozen=True)
class Decided:
    """A search has taken a candidate, or given it up."""

    candidate: Candidate


@dataclass(frozen=True)
class Ended:
    """The fit is done."""

    fit: Fit


@dataclass(frozen=True)
class Failed:
    """The fit could not be made; ``sentence`` says why."""

    sentence: str


Event = Passed | Proposed | Decided | Ended | Failed


@final
class Live:
    """A fit in a thread that waits until somebody has looked at what it did.

    The estimator is the library's own and this is one of its observers, so that what is seen is
    what the library does. The engine is never more than a few passes ahead of who looks on: a fit
    that is not looked at stands still.

    Parameters
    ----------
    estimator : MixtureEstimator
        Not fitted yet; its ``observers`` are replaced.
    X : (n, d) array_like

    Examples
    --------
    >>> from emplus import GaussianMixture, datasets
    >>> live = Live(GaussianMixture(2, search="em", random_state=0), datasets.load("faithful").X)
    >>> events = list(live)
    >>> events[0].first, type(events[-1]).__name__
    (True, 'Ended')
    >>> events[-1].fit.log_likelihood == events[-2].log_likelihood
    True
    """

    def __init__(self, estimator: Any, X: Any):
        self._events: Queue[Event] = Queue(_AHEAD)
        self._stopped = threading.Event()
        self._over = False
        estimator.set_params(observers=[self])
        self._thread = threading.Thread(target=self._run, args=(estimator, X), daemon=True)
        self._thread.start()

    def next(self, timeout: float = 0.0) -> Event | None:
        """What came next; None where nothing has come yet, or the fit is over."""
        try:
            event = self._events.get(timeout=timeout) if timeout else self._events.get_nowait()
        except Empty:
            return None
        self._over = isinstance(event, Ended | Failed)
        return event

    @property
    def over(self) -> bool:
        """Whether the last event has been looked at."""
        return self._over

    def __iter__(self) -> Live:
        """All events that are still to come."""
        return self

    def __next__(self) -> Event:
        """Wait for the next event."""
        while not self._over:
            event = self.next(_LOOK)
            if event is not None:
                return event
        raise StopIteration

    def stop(self) -> None:
        """Let go of the fit; its thread ends by itself after the step it is at."""
        self._stopped.set()
        self._over = True

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread has ended; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def __call__(self, state: State, /) -> None:
        """Tell of a pass, and wait while nobody looks on."""
        self._tell(Passed(state.mixture, state.log_likelihood, state.iteration == 0))

    def propose(self, move: Move, /) -> None:
        """Tell of a move."""
        self._tell(Proposed(move))

    def decide(self, candidate: Candidate, /) -> None:
        """Tell what became of it."""
        self._tell(Decided(candidate))

    def _tell(self, event: Event) -> None:
        while not self._stopped.is_set():
            try:
                return self._events.put(event, timeout=_LOOK)
            except Full:
                continue
        raise KeyboardInterrupt

    def _run(self, estimator: Any, X: Any) -> None:
        try:
            self._tell(_finished(estimator, X))
        except KeyboardInterrupt:
            return  # nobody looks on any more


def _finished(estimator: Any, X: Any) -> Event:
    try:
        return Ended(estimator.fit(X).result_)
    except EmplusError as error:
        return Failed(str(error))
    except Exception as error:  # a page must not wait for ever for a fit that broke
        traceback.print_exc()
        return Failed(f"The fit broke: {type(error).__name__}: {error}")
