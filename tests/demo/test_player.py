"""What a panel shows, without a browser: events of every search, moves by hand, tables brought."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emplus import GaussianMixture, Mixture
from emplus.datasets import make_mixture
from emplus.demo.live import Decided, Ended, Failed, Live, Passed, Proposed
from emplus.demo.player import Lit, Player
from emplus.demo.words import gains, tried
from emplus.search.registry import SEARCHES
from emplus.search.walk import Move
from emplus.starts.given import GivenMixture

pytestmark = pytest.mark.filterwarnings("ignore::emplus.errors.EmplusWarning")

X = make_mixture("separated", 400, k=5, seed=1).X


def model(mixture: Mixture | None = None, search: str = "split_merge", seed: int = 1) -> Any:
    start = "random_from_data" if mixture is None else GivenMixture(mixture)
    return GaussianMixture(5, search=search, init_params=start, random_state=seed, accelerate=None)


def played(player: Player) -> list[Any]:
    events = []
    while not player.over:
        event = player.advance(timeout=10.0)
        assert event is not None
        events.append(event)
    return events


@pytest.mark.parametrize("search", SEARCHES)
def test_events_are_those_of_the_fit(search: str) -> None:
    player = Player()
    player.load(lambda mixture: model(mixture, search), X)
    events = played(player)
    fitted = model(None, search).fit(X)
    assert isinstance(events[0], Passed)
    assert isinstance(events[-1], Ended)
    assert player.mixture is events[-1].fit.mixture
    assert player.value == pytest.approx(fitted.result_.log_likelihood / 400, abs=1e-12)
    decided = [event.candidate for event in events if isinstance(event, Decided)]
    told = [(c.kind, c.components, c.gain, c.accepted) for c in decided]
    tried_by_fit = fitted.result_.candidates
    assert told == [(c.kind, c.components, c.gain, c.accepted) for c in tried_by_fit]
    # Everything but a climb to the tolerance is announced, and announced before it is decided.
    moves = [e.move for e in events if isinstance(e, Proposed)]
    assert [m.components for m in moves] == [c.components for c in decided if c.kind != "settle"]
    assert len(player.marks) == len(moves)
    assert [mark.accepted for mark in player.marks] == [
        c.accepted for c in decided if c.kind != "settle"
    ]
    passes = sum(isinstance(event, Passed) for event in events)
    finite = [p for track in (player.kept, player.undone) for p in track.passes if p == p]
    assert sorted(finite) == list(range(1, passes + 1))
    assert player.trial.passes == []


def test_a_candidate_is_lit_up_tried_and_undone_or_kept() -> None:
    player = Player()
    player.load(lambda mixture: model(mixture, "reset", 3), X)
    best: Mixture | None = None
    seen, climbed = set(), False
    while not player.over:
        event = player.advance(timeout=10.0)
        if isinstance(event, Proposed):
            best = player.mixture
            assert player.phase == "proposed"
            assert player.lit.cut
            assert player.says.startswith("reset ")
        elif isinstance(event, Decided) and event.candidate.kind != "settle":
            seen.add(event.candidate.accepted)
            assert climbed  # or there would be nothing to undo
            climbed = False
            assert player.verdict is event.candidate.accepted
            assert (player.mixture is best) is not event.candidate.accepted
            assert "real" in player.says
        elif isinstance(event, Passed) and player.phase == "trying":
            climbed = True
            assert player.lit.cut
            assert player.best is best
    assert seen == {False, True}
    assert player.lit == Lit()


def test_moved_by_hand_the_fit_goes_on_from_there() -> None:
    player = Player()
    player.load(lambda mixture: model(mixture, "em"), X)
    for _ in range(4):
        player.advance(timeout=10.0)
    assert player.mixture is not None
    parameters: Any = player.mixture.parameters
    moved = replace(
        player.mixture,
        parameters=replace(parameters, means=np.add(parameters.means, [9.0, 0.0])),
    )
    player.move(moved)
    assert player.mixture is moved
    assert player.value == pytest.approx(moved.log_density(X).mean())
    before = player.n_passes
    event = player.advance(timeout=10.0)
    assert isinstance(event, Passed)
    assert event.mixture is moved
    assert player.n_passes == before + 1
    played(player)
    assert player.value == pytest.approx(model(moved, "em").fit(X).result_.log_likelihood / 400)


def test_a_fit_that_nobody_looks_at_waits_and_one_that_is_left_ends() -> None:
    live = Live(model(None, "random_swap"), X)
    first = live.next(timeout=10.0)
    assert isinstance(first, Passed)
    assert first.first
    assert not live.join(0.3)  # it waits
    live.stop()
    assert live.join(10.0)
    assert live.over
    before = threading.active_count()
    for _ in range(20):
        left = Live(_Endless(), X)
        left.stop()
        assert left.join(10.0)
    assert threading.active_count() <= before


def test_what_cannot_be_fitted_is_a_sentence() -> None:
    events = list(Live(GaussianMixture(500), X))
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    player = Player()
    player.load(lambda mixture: GaussianMixture(500), X)
    played(player)
    assert player.phase == "failed"
    assert player.says == events[0].sentence
    assert "400 rows" in player.says


class _Endless:
    def set_params(self, **parameters: Any) -> None:
        (self.observer,) = parameters["observers"]

    def fit(self, X: Any) -> None:
        state = SimpleNamespace(mixture=None, log_likelihood=0.0, iteration=1)
        while True:  # until the observer breaks it off
            self.observer(state)


class _Broken:
    def set_params(self, **parameters: Any) -> None:
        self.observers = parameters["observers"]

    def fit(self, X: Any) -> None:
        raise ZeroDivisionError("by nought")


def test_a_fit_that_breaks_does_not_leave_the_page_waiting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = Live(_Broken(), X).next(timeout=10.0)
    assert isinstance(event, Failed)
    assert "by nought" in event.sentence
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("move", "words", "lit"),
    [
        (("split_merge", ((0, 2, 1),)), "merge 2 into 0, split 1", Lit((0, 2), (1,))),
        (
            ("split_merge", ((0, 2, 1), (3, 4, 5))),
            "merge 2 into 0, split 1; merge 4 into 3, split 5",
            Lit((0, 2, 3, 4), (1, 5)),
        ),
        (("recut", ((1, 4),)), "cut anew 1 and 4", Lit((), (1, 4))),
        (("reseed", ((1, 2, 3),)), "start anew 1, 2 and 3", Lit((), (1, 2, 3))),
        (("reset", ((2,),)), "reset 2", Lit((), (2,))),
        (("swap", ((2, 0),)), "take 2 away, put it at a row of 0", Lit((), (0, 2))),
        (("anneal", ()), "lower the temperature", Lit()),
    ],
)
def test_moves_in_words(move: tuple[str, Any], words: str, lit: Lit) -> None:
    nothing: Any = None
    assert tried(Move(*move, nothing)) == words
    assert Lit.by(*move) == lit


def test_gains_in_words() -> None:
    assert gains(1.25, -math.inf) == "predicted +1.2, real none: a component collapsed"
    assert gains(math.nan) == ""
    assert gains(0.01, -0.01) == "predicted 0.0, real 0.0"
