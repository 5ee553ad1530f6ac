"""Split-and-merge with exact local gains: many moves a round, then the best single ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from emplus.search.assignment import Sample
from emplus.search.kept_scout import KeptScout
from emplus.search.patches import FREE, Patch, patched
from emplus.search.walk import Move, Walk

__all__ = ["COARSE", "LocalSplitMerge"]

# Coarse tolerance, nats a row: what is still to be moved need not be settled.
COARSE = 1e-4

# Nats that a move must gain at least.
_LEAST = 0.1

# Nats that settling may bring without anything looking different afterwards.
_SETTLED = 1.0

# Cheapest merges and best splits that are priced with their neighbours adapting.
_RELAXED = 8

# Share of its weight that a component has in common with others which makes it worth a look.
_TORN = 0.05

# Triples too close to be priced apart that are priced together, and the nats they may seem to lose.
_TRIPLES = 10
_UNFORESEEN = 10.0


# The patches of one move, and what they gain together.
_Priced = tuple[tuple[Patch, ...], float]


class LocalSplitMerge:
    """Rounds of split-and-merge moves from where a walk stands."""

    def __init__(self, walk: Walk, rng: np.random.Generator):
        self._walk, self._rng = walk, rng
        sample = Sample(walk.problem, walk.mixture.n_components, rng)
        self._scout = KeptScout(walk.problem, sample, walk.engine.journal)
        self._rejected: set[tuple[object, ...]] = set()

    def run(self) -> None:
        """Improve the walk until nothing is found, coarsely first and then to the tolerance."""
        walk = self._walk
        while walk.goes_on() and self._round(COARSE):
            pass
        if walk.interrupted:
            return
        coarse = walk.objective
        walk.settle()
        if walk.objective - coarse <= _SETTLED or walk.interrupted:
            return
        while walk.goes_on() and self._round(None):
            pass

    def _round(self, tol: float | None) -> bool:
        """Try the candidates of one round; whether one was accepted."""
        walk, scout = self._walk, self._scout
        walk.round += 1
        scout.look(walk.mixture)
        counted = 0.0
        stop = walk.engine.stopping.tol
        # What a step or two of EM may still bring is no reason to move.
        least = max(_LEAST, 3.0 * walk.total_weight * (stop if tol is None else max(tol, stop)))
        for move, components in self._moves(least):
            if not walk.goes_on():
                break
            tried = (move.components, scout.versions(components))
            if tried in self._rejected:
                continue
            cost, counted = scout.passes - counted, scout.passes
            walk.spend(cost)
            if walk.consider(replace(move, passes=cost), least=least, tol=tol):
                return True
            self._rejected.add(tried)
        walk.spend(scout.passes - counted)
        return False

    def _moves(self, least: float) -> Iterator[tuple[Move, set[int]]]:
        """Candidates, the surest first; each is worked out when it is asked for."""
        scout = self._scout
        merges = scout.merges()
        splits = scout.splits(merges, _RELAXED)
        yield from self._batches("split_merge", _pairs(merges, splits, least))
        removals, additions = scout.relaxed(*self._promising(merges, splits))
        yield from self._batches("split_merge", _pairs(removals, additions, least))
        yield from self._batches("recut", _alone(scout.recuts(merges[:_RELAXED], least), least))
        triples = scout.triples(_close(removals, additions), least)
        yield from self._batches("split_merge", _alone(triples, least))
        yield from self._batches("reseed", _alone(scout.reseeds(self._rng, least), least))

    def _promising(
        self, merges: Sequence[Patch], splits: Sequence[Patch]
    ) -> tuple[list[Patch], list[Patch]]:
        """The merges and splits of which most can be expected once their neighbours adapt.

        A component that overlaps with others may lie over several clusters and still seem whole,
        because the others have taken the middles of these.
        """
        scout = self._scout
        cheap = sorted(merges, key=lambda patch: -scout.hope(patch))[:_RELAXED]
        torn = [patch for patch in splits[_RELAXED:] if scout.overlap(patch) > _TORN]
        most = min(_RELAXED, 2 + len(splits) // 15)
        torn = sorted(torn, key=lambda patch: -scout.shared(patch))[:most]
        return cheap, [*splits[:_RELAXED], *torn]

    def _batches(self, kind: str, moves: list[_Priced]) -> Iterator[tuple[Move, set[int]]]:
        """All disjoint moves at once, then the better half of them, down to the best one."""
        chosen: list[_Priced] = []
        taken: set[int] = set()
        for patches, gain in sorted(moves, key=lambda move: -move[1]):
            touched = {component for patch in patches for component in patch.region}
            if taken.isdisjoint(touched):
                chosen.append((patches, gain))
                taken |= touched
        while chosen:
            yield self._together(kind, chosen)
            chosen = chosen[: len(chosen) // 2]

    def _together(self, kind: str, moves: Sequence[_Priced]) -> tuple[Move, set[int]]:
        placed: list[tuple[Patch, int]] = []
        for patches, _ in moves:
            freed = patches[0].core[1] if len(patches) == 2 else FREE
            placed += [(patch, freed) for patch in patches]
        touched = {component for patch, _ in placed for component in patch.region}
        components = tuple(
            tuple(component for patch in patches for component in patch.core)
            for patches, _ in moves
        )
        mixture = patched(self._scout.mixture, placed)
        predicted = sum(gain for _, gain in moves)
        return Move(kind, components, mixture, predicted), touched


def _close(removals: Sequence[Patch], additions: Sequence[Patch]) -> list[tuple[Patch, Patch]]:
    """Removals and additions that have components in common, the most promising first."""
    pairs = [
        (removal, addition)
        for removal, addition in product(removals, additions)
        if removal.meets(addition) and addition.core[0] not in removal.core
        # What two neighbours gain from each other cannot be foreseen.
        if removal.limit + addition.limit > -_UNFORESEEN
    ]
    pairs.sort(key=lambda pair: -(pair[0].limit + pair[1].limit))
    return pairs[:_TRIPLES]


def _pairs(removals: Sequence[Patch], additions: Sequence[Patch], least: float) -> list[_Priced]:
    """A removal with an addition elsewhere, where the two together gain; each used once."""
    pairs: list[_Priced] = []
    free = list(removals)
    taken: set[int] = set()
    for addition in additions:
        for removal in free:
            gain = removal.gain + addition.gain
            if gain <= least:
                break
            if removal.meets(addition) or not taken.isdisjoint((*removal.region, *addition.region)):
                continue
            pairs.append(((removal, addition), gain))
            taken.update(removal.region, addition.region)
            free.remove(removal)
            break
    return pairs


def _alone(patches: Sequence[Patch], least: float) -> list[_Priced]:
    """Patches that need no other."""
    return [((patch,), patch.gain) for patch in patches if patch.gain > least]
