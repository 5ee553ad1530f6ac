"""Races of groups of components: all climb together, and the hopeless are dropped on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emplus.engine.partial import Group, PartialEM
from emplus.search.patches import Patch

__all__ = ["HEATS", "Runner", "highest", "limit_of", "raced", "ranked"]

# Steps of partial EM in the heats of a race; after each the hopeless are dropped.
HEATS = (3, 4, 6, 12)


@dataclass(eq=False)
class Runner:
    """A group on its way: what its components were worth as they were, and where it is heading."""

    core: tuple[int, ...]
    region: tuple[int, ...]
    numbers: tuple[int, ...]
    base: float
    group: Group
    limit: float = -np.inf

    @property
    def gain(self) -> float:
        """Nats that its components are worth more than before."""
        return self.group.objective - self.base

    def patch(self) -> Patch:
        """What it has reached."""
        return Patch(
            self.core,
            self.region,
            self.numbers,
            self.gain,
            self.limit,
            self.group.log_weights,
            self.group.parameters,
        )


def raced(partial: PartialEM, runners: list[Runner], *, heat: int) -> list[Runner]:
    """The runners after ``heat`` more steps: of each core the one that is heading highest."""
    gains = []
    for steps in (heat - 2, 1, 1)[-heat:]:
        partial.climb([runner.group for runner in runners], steps)
        gains.append([runner.gain for runner in runners])
    best: dict[tuple[int, ...], Runner] = {}
    for index, runner in enumerate(runners):
        runner.limit = limit_of([values[index] for values in gains])
        known = best.get(runner.core)
        if np.isfinite(runner.gain) and (known is None or runner.limit > known.limit):
            best[runner.core] = runner
    return list(best.values())


def limit_of(gains: Sequence[float]) -> float:
    """Where a climb is heading, if its steps go on shrinking as they do."""
    if len(gains) < 3:
        return gains[-1]
    before, step = gains[-2] - gains[-3], gains[-1] - gains[-2]
    if not (np.isfinite(before) and before > 0.0 and step > 0.0):
        return gains[-1]
    ratio = min(step / before, 0.9)
    return gains[-1] + step * ratio / (1.0 - ratio)


def highest(patches: list[Patch], runners: list[Runner]) -> float:
    """Where the best of them is heading; 0 where there are none."""
    return max([p.limit for p in patches] + [r.limit for r in runners], default=0.0)


def ranked(patches: list[Patch]) -> list[Patch]:
    """The patches, those with the highest gain first."""
    return sorted(patches, key=lambda patch: -patch.gain)
