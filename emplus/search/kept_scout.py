"""A scout whose prices are written down, for a fit that may be broken off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emplus.engine.journal import Journal
from emplus.engine.problem import Problem
from emplus.search.assignment import Sample
from emplus.search.patches import Patch
from emplus.search.scout import Scout

__all__ = ["KeptScout"]


@dataclass(frozen=True)
class _Priced:
    """What was worked out, and what it left in the scout's memory."""

    patches: Any
    known: dict[Any, Any]
    worths: dict[Any, Any]
    work: int


class KeptScout(Scout):
    """A `Scout` that asks a journal before it works out prices.

    Parameters
    ----------
    problem : Problem
    sample : Sample
    journal : Journal
    """

    def __init__(self, problem: Problem, sample: Sample, journal: Journal):
        super().__init__(problem, sample)
        self._journal = journal

    def merges(self) -> list[Patch]:
        """See `Scout`."""
        merges: list[Patch] = self._kept("merges", super().merges)
        return merges

    def splits(self, merges: Sequence[Patch], most: int) -> list[Patch]:
        """See `Scout`."""
        make = super().splits
        splits: list[Patch] = self._kept("splits", lambda: make(merges, most))
        return splits

    def relaxed(
        self, merges: Sequence[Patch], splits: Sequence[Patch]
    ) -> tuple[list[Patch], list[Patch]]:
        """See `Scout`."""
        make = super().relaxed
        removals, additions = self._kept("relaxed", lambda: make(merges, splits))
        return removals, additions

    def triples(self, pairs: Sequence[tuple[Patch, Patch]], least: float) -> list[Patch]:
        """See `Scout`."""
        make = super().triples
        triples: list[Patch] = self._kept("triples", lambda: make(pairs, least))
        return triples

    def recuts(self, merges: Sequence[Patch], least: float) -> list[Patch]:
        """See `Scout`."""
        make = super().recuts
        recuts: list[Patch] = self._kept("recuts", lambda: make(merges, least))
        return recuts

    def reseeds(self, rng: np.random.Generator, least: float) -> list[Patch]:
        """See `Scout`."""
        make = super().reseeds
        reseeds: list[Patch] = self._kept("reseeds", lambda: make(rng, least), rng)
        return reseeds

    def _kept(
        self, name: str, make: Callable[[], Any], rng: np.random.Generator | None = None
    ) -> Any:
        def worked_out() -> _Priced:
            known, worths = dict(self._known), dict(self._worths)
            patches = make()
            return _Priced(
                patches,
                _new(self._known, known),
                _new(self._worths, worths),
                self._partial.work,
            )

        priced = self._journal.step(name, worked_out, rng)
        self._known.update(priced.known)
        self._worths.update(priced.worths)
        self._partial.work = priced.work
        return priced.patches


def _new(after: Mapping[Any, Any], before: Mapping[Any, Any]) -> dict[Any, Any]:
    """What has come in or been replaced."""
    return {key: value for key, value in after.items() if before.get(key) is not value}
