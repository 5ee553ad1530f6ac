"""The scout: prices what could be done to a mixture, without passes over all the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from emplus.data.base import Array
from emplus.engine.partial import Cell, PartialEM
from emplus.engine.problem import Problem
from emplus.mixture import Mixture
from emplus.search.assignment import Assignment, Sample
from emplus.search.cuts import cuts
from emplus.search.patches import FREE, Patch, merged, patched, split
from emplus.search.race import HEATS, Runner, highest, raced, ranked
from emplus.starts.base import hard_responsibilities, standardized
from emplus.starts.centres import lloyd, plus_plus

__all__ = ["Scout"]

# Neighbours that a component may be merged with, and that adapt when it goes.
_PARTNERS = 3
_ADAPTING = {1: 4, 2: 3, 3: 3}

# Components started anew together, and the share of its weight that each must have in common with
# the others; iterations of k-means before that; how many groups are looked at, at least.
_RESEEDED = 10
_OVERLAPPING = 0.03
_LLOYD = 8
_FEW_TORN = 4

# Heats of what is started anew, and the nats by which it may seem to lose after each.
_RESEED_HEATS = (6, 6, 8)
_RESEED_SLACKS = (30.0, 8.0, 1.0)

# Nats by which something may seem to lose and still be worked out, and the part of its cost that a
# removal may yet win back after each heat: neighbours are slow to adapt.
_SLACK = 5.0
_WON_BACK = (0.4, 0.25, 0.15, 0.1)

# By so much must what a component is worth to its rows, in nats, or its weight change for it to be
# looked at again.
_CHANGED_NATS = 3.0
_CHANGED_WEIGHT = 0.05

# The part of a merge's cost that neighbours who do not overlap may take over, and how much more a
# split may bring once they have adapted.
_TAKEN_OVER = 0.3
_SPLIT_GROWS = 2.0

# Nats, and nats a row, that merging two components costs from which on they lie clearly apart.
_CLEAR = 60.0
_CLEAR_A_ROW = 0.4

# A new cut worth nearly the same as the old one is the old one, and so is one that puts no more
# than this share of the rows elsewhere.
_SAME = 0.5
_CUT_ELSEWHERE = 0.01

# The components that a patch is about, and those whose rows it shares out.
_Target = tuple[tuple[int, ...], tuple[int, ...]]
_Begin = Callable[[tuple[int, ...], tuple[int, ...]], list[Runner]]


class Scout:
    """Patches for a mixture, priced by partial EM on the rows they concern.

    Prices are kept until one of the components they concern changes.

    Parameters
    ----------
    problem : Problem
    sample : Sample
        Rows that prices are told from.
    """

    def __init__(self, problem: Problem, sample: Sample):
        self._problem, self._sample = problem, sample
        # Components that some rows are known to come from keep their numbers.
        labels = problem.source.labels
        self._pinned = frozenset[int]() if labels is None else frozenset(labels[labels >= 0])
        self._known: dict[tuple[str, tuple[int, ...]], tuple[object, Patch | None]] = {}
        self._versions: list[int] = []
        self._last: list[tuple[float, float]] = []

    def look(self, mixture: Mixture) -> None:
        """Turn to a mixture; one pass over the sample."""
        self.mixture = mixture
        self._assignment = Assignment(self._problem, self._sample, mixture)
        self._partial = PartialEM(self._problem, mixture)
        self._last_cell: tuple[tuple[int, ...], tuple[Cell, Array]] | None = None
        self._worths: dict[tuple[int, ...], float] = {}
        k = mixture.n_components
        if len(self._versions) != k:
            self._versions, self._last = [0] * k, [(np.nan, np.nan)] * k
        for j, weight in enumerate(self._assignment.weight):
            worth = self._worth((j,), self._cell((j,))[0]) / max(weight, 1e-300)
            old_weight, old_worth = self._last[j]
            same_weight = abs(weight - old_weight) <= _CHANGED_WEIGHT * weight
            if not (same_weight and weight * abs(worth - old_worth) <= _CHANGED_NATS):
                self._versions[j] += 1
                self._last[j] = weight, worth

    @property
    def passes(self) -> float:
        """Work since the last look, in passes over all rows."""
        return self._assignment.passes + self._partial.passes

    def versions(self, components: Iterable[int]) -> tuple[int, ...]:
        """Numbers that change when the components do."""
        return tuple(self._versions[component] for component in components)

    def merges(self) -> list[Patch]:
        """What merging each pair of neighbours would cost, the cheapest first."""

        def begin(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, _ = self._cell(core)
            return [self._runner(core, region, core[:1], cell, np.ones((len(cell.mass), 1)))]

        k = self.mixture.n_components
        neighbours = [self._assignment.neighbours(j, _PARTNERS) for j in range(k)]
        pairs = {(min(j, i), max(j, i)) for j in range(k) for i in neighbours[j]}
        targets = [self._kept_first(pair) for pair in sorted(pairs) if not self._pinned >= {*pair}]
        found, runners = self._begun("merge", [(pair, pair) for pair in targets], begin)
        return ranked(found + self._finished("merge", raced(self._partial, runners, heat=1)))

    def _kept_first(self, pair: Sequence[int]) -> tuple[int, ...]:
        """The two with the one that must stay, if any, ahead of the one that goes."""
        return tuple(sorted(pair, key=lambda j: j not in self._pinned))

    def overlap(self, patch: Patch) -> float:
        """The largest share of its weight that one of a patch's components shares with others."""
        return float(self._assignment.overlap[list(patch.core)].sum(axis=1).max())

    def shared(self, patch: Patch) -> float:
        """Weight that the patch's component has in common with others."""
        return self.overlap(patch) * float(self._assignment.weight[patch.core[0]])

    def hope(self, merge: Patch) -> float:
        """What a merge may cost at least once the neighbours have adapted.

        The more the two overlap with others, the more of the cost these can take over.
        """
        return merge.gain * (1.0 - min(0.95, _TAKEN_OVER + 4.0 * self.overlap(merge)))

    def splits(self, merges: Sequence[Patch], most: int) -> list[Patch]:
        """The best cut of each component found, its own rows only; the best first.

        Those that no merge could pay for are left where they are, and beyond the ``most`` best
        those that none pays for as it is.
        """

        def begin(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, resp = self._cell(core)
            return [
                self._runner(core, region, (*core, FREE), cell, split(resp, core, core[0], side))
                for side in cuts(standardized(self._problem, cell.fetch()), cell.mass)
            ]

        targets = [((j,), (j,)) for j in range(self.mixture.n_components)]
        found, runners = self._begun("split", targets, begin)
        runners = raced(self._partial, runners, heat=HEATS[0])
        limits = sorted([r.limit for r in runners] + [p.limit for p in found], reverse=True)
        among = limits[most] if len(limits) > most else -np.inf
        paid = -max((patch.gain for patch in merges), default=-np.inf)
        hoped = -max(map(self.hope, merges), default=-np.inf)
        least = max(min(among, paid), (hoped - _SLACK) / _SPLIT_GROWS)
        found += self._finished("split", runners, least)
        runners = raced(self._partial, runners, heat=HEATS[1])
        return ranked(found + self._finished("split", runners))

    def relaxed(
        self, merges: Sequence[Patch], splits: Sequence[Patch]
    ) -> tuple[list[Patch], list[Patch]]:
        """Merges and splits with the neighbours adapting, as removals and additions.

        One is worked out only while it might gain together with the best of the other kind.
        """
        weight = self._assignment.weight
        worth = max((patch.limit for patch in splits), default=-np.inf)
        least = -_SPLIT_GROWS * worth - _SLACK
        merges = [patch for patch in merges if self.hope(patch) > least]
        if not merges:
            return [], []
        known = {patch.core: patch for patch in splits}

        def remove(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, resp = self._cell(region)
            kept, removed = core
            rest = tuple(component for component in region if component != removed)
            return [self._runner(core, region, rest, cell, merged(resp, region, kept, removed))]

        def add(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, resp = self._cell(region)
            shared = split(resp, region, core[0], self._side(known[core], cell))
            return [self._runner(core, region, (*region, FREE), cell, shared)]

        by_weight = [sorted(patch.core, key=lambda j: (-weight[j], j)) for patch in merges]
        cores = [self._kept_first(core) for core in by_weight]
        removals, removing = self._begun("removal", self._with_regions(cores), remove)
        additions, adding = self._begun("addition", self._with_regions(known), add)
        for heat, won_back in zip(HEATS, _WON_BACK, strict=True):
            going = raced(self._partial, removing + adding, heat=heat)
            removing = [runner for runner in going if len(runner.core) == 2]
            adding = [runner for runner in going if len(runner.core) == 1]
            cost, worth = highest(removals, removing), highest(additions, adding)
            slack = _SLACK - won_back * min(cost, 0.0)
            removals += self._finished("removal", removing, -(worth + _SLACK) / (1.0 - won_back))
            additions += self._finished("addition", adding, -cost - slack)
        removals += self._finished("removal", removing)
        additions += self._finished("addition", adding)
        return ranked(removals), ranked(additions)

    def triples(self, pairs: Sequence[tuple[Patch, Patch]], least: float) -> list[Patch]:
        """A removal and an addition with components in common, put together and carried on."""
        known = {
            (*removal.core, *addition.core): (removal, addition) for removal, addition in pairs
        }

        def begin(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, _ = self._cell(region)
            both = patched(self.mixture, [(patch, core[1]) for patch in known[core]])
            shared = both.take(list(region)).responsibilities(cell.fetch())
            return [self._runner(core, region, region, cell, shared)]

        return self._raced_alone("triple", self._with_regions(known), begin, least)

    def recuts(self, merges: Sequence[Patch], least: float) -> list[Patch]:
        """Two components that are cheap to merge, their common rows cut anew.

        The best cut is worked out with the neighbours adapting if it ends elsewhere than before.
        """

        def begin(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, _ = self._cell(core)
            sides = cuts(standardized(self._problem, cell.fetch()), cell.mass)
            shared = [np.column_stack([side, 1.0 - side]) for side in sides]
            return [self._runner(core, region, core, cell, resp) for resp in shared]

        weight = self._assignment.weight
        free = [patch for patch in merges if self._pinned.isdisjoint(patch.core)]
        clear = [max(_CLEAR, _CLEAR_A_ROW * weight[list(patch.core)].sum()) for patch in free]
        cores = [patch.core for patch, cost in zip(free, clear, strict=True) if patch.gain > -cost]
        found, runners = self._begun("cut", [(core, core) for core in cores], begin)
        for heat in HEATS[:2]:
            runners = raced(self._partial, runners, heat=heat)
            found += self._finished("cut", runners, -_SLACK)
        found += self._finished("cut", runners)
        known = {patch.core: patch for patch in found if self._is_elsewhere(patch, least)}

        def widen(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, resp = self._cell(region)
            one, other = (region.index(j) for j in core)
            shared = resp.copy()
            both = resp[:, one] + resp[:, other]
            shared[:, other] = both * self._side(known[core], cell)
            shared[:, one] = both - shared[:, other]
            return [self._runner(core, region, region, cell, shared)]

        return self._raced_alone("recut", self._with_regions(known), widen, least)

    def _is_elsewhere(self, patch: Patch, least: float) -> bool:
        """Whether a cut is good enough to be worked out, and not the one that is there already."""
        if not patch.limit > -_SLACK or -_SAME < patch.limit < least:
            return False
        cell, resp = self._cell(patch.core)
        moved = np.abs(self._side(patch, cell) - resp[:, 1]) @ cell.mass / cell.mass.sum()
        return bool(min(moved, 1.0 - moved) > _CUT_ELSEWHERE)

    def reseeds(self, rng: np.random.Generator, least: float) -> list[Patch]:
        """A component and those that overlap with it, started anew on their common rows.

        What several components together have got wrong, one over many clusters and some over
        one, or each over parts of two, is more than one merge and one split can mend. k-means
        starts from where they are, which tears long components off each other, and from new
        centres.
        """

        def begin(core: tuple[int, ...], region: tuple[int, ...]) -> list[Runner]:
            cell, resp = self._cell(region)
            if len(cell.mass) < 2 * len(region):
                return []
            points = standardized(self._problem, cell.fetch())
            weighted = resp.T * cell.mass
            present = weighted @ points / np.maximum(weighted.sum(axis=1), 1e-300)[:, None]
            runners = []
            for centres in (present, plus_plus(points, cell.mass, len(region), rng)):
                labels = lloyd(points, cell.mass, centres, _LLOYD)
                shared = hard_responsibilities(labels, np.ones(len(labels)), len(region))
                runners.append(self._runner(core, region, region, cell, shared))
            return runners

        found, runners = self._begun("reseed", self._torn_regions(), begin)
        for heat, slack in zip(_RESEED_HEATS, _RESEED_SLACKS, strict=True):
            runners = raced(self._partial, runners, heat=heat)
            found += self._finished("reseed", runners, least - slack)
        return ranked(found + self._finished("reseed", runners))

    def _torn_regions(self) -> list[_Target]:
        """Groups grown about the components that have most weight in common with others.

        Each takes in what has most weight in common with it already, so that a group whose parts
        lie across each other's clusters comes together.
        """
        weight = self._assignment.weight
        common = self._assignment.overlap * weight[:, None]
        regions = []
        most = max(_FEW_TORN, len(weight) // 5)
        for seed in np.argsort(-common.sum(axis=1), kind="stable")[:most]:
            region, bond = [int(seed)], common[seed].copy()
            while len(region) < min(_RESEEDED, len(weight) - 1):
                bond[region] = 0.0
                nearest = int(bond.argmax())
                if bond[nearest] <= _OVERLAPPING * weight[nearest]:
                    break
                region.append(nearest)
                bond += common[nearest]
            if len(region) > 2 and self._pinned.isdisjoint(region):
                regions.append(tuple(sorted(region)))
        return [(region, region) for region in dict.fromkeys(regions)]

    def _raced_alone(
        self, kind: str, targets: Iterable[_Target], begin: _Begin, least: float
    ) -> list[Patch]:
        """Patches that must gain ``least`` by themselves."""
        found, runners = self._begun(kind, targets, begin)
        for number, heat in enumerate(HEATS[:3], start=1):
            runners = raced(self._partial, runners, heat=heat)
            found += self._finished(kind, runners, least - _SLACK / number**2)
        return ranked(found + self._finished(kind, runners))

    def _begun(
        self, kind: str, targets: Iterable[_Target], begin: _Begin
    ) -> tuple[list[Patch], list[Runner]]:
        """Patches for the targets that memory holds, runners for the others."""
        found: list[Patch] = []
        runners: list[Runner] = []
        for core, region in targets:
            now = region, self.versions(region)
            then, patch = self._known.get((kind, core), (None, None))
            if then != now:
                self._known[kind, core] = now, None
                if len(self._cell(region)[0].mass) > 1:
                    runners += begin(core, region)
            elif patch is not None:
                found.append(patch)
        return found, runners

    def _finished(self, kind: str, runners: list[Runner], least: float = np.inf) -> list[Patch]:
        """Take out the runners that cannot gain ``least``, as patches that memory keeps."""
        done = [runner for runner in runners if not runner.limit > least]
        runners[:] = [runner for runner in runners if runner.limit > least]
        patches = [runner.patch() for runner in done]
        for patch in patches:
            versions, _ = self._known[kind, patch.core]
            self._known[kind, patch.core] = versions, patch
        return patches

    def _runner(
        self,
        core: tuple[int, ...],
        region: tuple[int, ...],
        numbers: tuple[int, ...],
        cell: Cell,
        shared: Array,
    ) -> Runner:
        # A component that is added is expected like the one it is split from.
        expected = [core[-1] if number == FREE else number for number in numbers]
        group = self._partial.group(cell, expected, shared)
        return Runner(core, region, numbers, self._worth(region, cell), group)

    def _worth(self, region: tuple[int, ...], cell: Cell) -> float:
        """What the components are worth on their rows as they are."""
        if region not in self._worths:
            self._worths[region] = self._partial.objective(cell, region)
        return self._worths[region]

    def _cell(self, components: tuple[int, ...]) -> tuple[Cell, Array]:
        # Asked for twice in turn; all that are ever asked for would be many times the data.
        if self._last_cell is None or self._last_cell[0] != components:
            self._last_cell = components, self._assignment.cell(components)
        return self._last_cell[1]

    def _side(self, patch: Patch, cell: Cell) -> Array:
        """How much of each row the second half of a split takes, (b,)."""
        halves = Mixture(self._problem.family, patch.log_weights, patch.parameters)
        return halves.responsibilities(cell.fetch())[:, 1]

    def _with_regions(self, cores: Iterable[tuple[int, ...]]) -> list[_Target]:
        """The components of moves, each with its neighbours."""
        targets = []
        for core in cores:
            region = set(core)
            for component in core:
                region.update(self._assignment.neighbours(component, _ADAPTING[len(core)]))
            targets.append((core, tuple(sorted(region))))
        return targets
