"""What a search writes down of every candidate it tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emplus.engine.outcome import Outcome
from emplus.markup import box, number, table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Candidate", "Candidates"]


@dataclass(frozen=True)
class Candidate:
    """One change that a search tried.

    Parameters
    ----------
    round : int
        How often the search had looked for candidates before, from 1.
    kind : str
        ``split_merge``, ``recut``, ``reseed``, ``reset``, ``swap``, ``anneal``, or ``settle`` for a
        climb to the tolerance without any change.
    components : tuple of tuple of int
        One tuple for each move made together: (i, j, k) merges j into i and splits k, whose second
        half takes number j; a recut (i, j) cuts two components anew; a swap (j, i) takes j away and
        puts it at a row of i; (j,) resets one; a reseed lists all components that start anew
        together; empty where all components are concerned.
    predicted : float
        Gain foreseen before EM on all rows, nats; NaN where nothing foresees it.
    gain : float
        Objective after EM less the best before, nats; -inf if a component collapsed.
    accepted : bool
        Whether the search went on from here.
    passes : float
        EM passes spent on it; work on some rows or components counts by its share.
    start : int
        Place in the trace where it begins if it was accepted, where it was tried if not.
    outcome : Outcome
        How its climb ended.
    """

    round: int
    kind: str
    components: tuple[tuple[int, ...], ...]
    predicted: float
    gain: float
    accepted: bool
    passes: float
    start: int
    outcome: Outcome


class Candidates(tuple[Candidate, ...]):
    """The candidates of a search in the order they were tried."""

    __slots__ = ()

    def __new__(cls, candidates: Iterable[Candidate] = ()) -> Candidates:
        """Keep the candidates in the order given."""
        return super().__new__(cls, candidates)

    @property
    def accepted(self) -> Candidates:
        """Those that the search went on from."""
        return Candidates(candidate for candidate in self if candidate.accepted)

    def _repr_html_(self) -> str:
        """What a notebook shows: one row a candidate, those that were accepted marked."""
        tried = f"{len(self):,} candidate{'s' * (len(self) != 1)}"
        if not self:
            return box(tried)
        rows = [
            (
                str(one.round),
                one.kind,
                " ".join(f"({', '.join(map(str, move))})" for move in one.components) or "all",
                number(one.predicted, 5),
                number(one.gain, 5),
                "✓" if one.accepted else "",
                number(one.passes, 4),
            )
            for one in self
        ]
        heads = ("round", "move", "components", "predicted", "gain", "accepted", "passes")
        marked = {place for place, one in enumerate(self) if one.accepted}
        end = "Gains in nats: foreseen before EM on all rows, and after it."
        return box(f"{tried}, {len(marked):,} accepted", table(heads, rows, marked, end))

    def to_frame(self) -> pd.DataFrame:
        """One row a candidate, the columns named like the attributes of `Candidate`.

        Examples
        --------
        >>> Candidates().to_frame().columns[:3].tolist()
        ['round', 'kind', 'components']
        """
        import pandas as pd

        columns = {
            name: [getattr(candidate, name) for candidate in self]
            for name in Candidate.__dataclass_fields__
        }
        columns["outcome"] = [outcome.value for outcome in columns["outcome"]]
        return pd.DataFrame(columns)
