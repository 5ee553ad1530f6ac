"""Partitions of Dask collections as the rows that families of tables work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from emplus.data.choices import Chosen
from emplus.data.cluster import answers_of
from emplus.data.coding import Coding, warn_of_unseen
from emplus.data.columns import Unseen
from emplus.data.frames import as_frame
from emplus.data.sketch import TableSketch
from emplus.errors import DataError
from emplus.estimators.far_tables import numeric

__all__ = ["CodeReader", "TruthReader", "learned_on"]


@dataclass(frozen=True)
class _Sketched:
    """On a worker, what a partition holds."""

    chosen: Mapping[str, Chosen]

    def __call__(self, block: Any) -> TableSketch:
        sketch = TableSketch(self.chosen)
        if len(block):
            sketch.add(*as_frame(block))
        return sketch


def learned_on(X: Any, chosen: Mapping[str, Chosen]) -> Coding:
    """The coding of a table in a Dask collection, from what workers say of its partitions.

    Raises
    ------
    DataError
        As `Coding.infer`; rows are numbered from the beginning of their partition.
    """
    whole = TableSketch(chosen)
    for sketch in answers_of(X, _Sketched(chosen)):
        whole.join(sketch)
    if not whole.columns:
        raise DataError("The Dask collection has no rows.")
    return whole.coding()


@final
@dataclass(frozen=True)
class CodeReader:
    """Codes partitions of a table."""

    coding: Coding

    def __call__(self, block: Any) -> tuple[NDArray[Any], list[Unseen]]:
        """The codes of a partition, and its values that have none."""
        if not len(block):
            return np.empty((0, len(self.coding.columns))), []
        return self.coding.codes(as_frame(block)[0], compact=True)

    def hear(self, sizes: Sequence[int], told: Sequence[list[Unseen]]) -> None:
        """Warn of values without a code, where there are some."""
        firsts = accumulate(sizes, initial=0)
        warn_of_unseen(
            [
                replace(odd, row=first + odd.row)
                for first, unseen in zip(firsts, told, strict=False)
                for odd in unseen
            ]
        )


@final
@dataclass(frozen=True)
class TruthReader:
    """Compares partitions of numbers with a threshold."""

    truths: Callable[[Any], Any]

    def __call__(self, block: Any) -> tuple[NDArray[Any], None]:
        """Truth values, or 0, 1 and NaN where entries are missing."""
        if not len(block):
            return np.empty((0, block.shape[1])), None
        frame, dtype = as_frame(block)
        return self.truths(numeric("A partition", 0, frame, dtype)), None

    def hear(self, sizes: Sequence[int], told: Sequence[None]) -> None:
        """There is nothing to be told."""
