"""The one place where names turn into searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from emplus.errors import ArgumentError, UnknownNameError
from emplus.search.annealing import Annealing
from emplus.search.base import Budget, Search
from emplus.search.random_swap import RandomSwap
from emplus.search.reset import Reset
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge

__all__ = ["SEARCHES", "make_search"]

# Starts of "restarts" at least, and how many of them are climbed to the end.
_STARTS, _CARRIED = 10, 3

# Each is made from the number of starts, and the search whose result it starts from if it has one.
SEARCHES: dict[str, Callable[[int, Search | None], Search]] = {
    "em": lambda n, first: Restarts(n),
    "restarts": lambda n, first: Restarts(max(_STARTS, n), carried=_CARRIED),
    "reset": lambda n, first: Reset(first=first or Restarts(n)),
    "random_swap": lambda n, first: RandomSwap(first=first or Restarts(n)),
    "annealing": lambda n, first: Annealing(first=first, n_init=n),
    "ueda": lambda n, first: SplitMerge("ueda", first=first or Restarts(n)),
    "split_merge": lambda n, first: SplitMerge(first=first or Restarts(n)),
}


def make_search(
    name: str, n_init: int = 1, budget: Budget | None = None, *, further: bool = True
) -> Search:
    """The search of that name, from ``n_init`` starts (at least ten for ``restarts``).

    Names joined by ``+`` are searches that each start from the result of the one before.

    Parameters
    ----------
    name : str
    n_init : int
    budget : Budget, optional
        What each of the searches may spend after what it starts from. ``em`` and ``restarts`` have
        no budget.
    further : bool
        Whether a search may try other starts besides; not where the one start is an earlier fit.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    ArgumentError
        If a search that only draws starts is to start from another's result, or if there is a
        budget and nothing to spend it.

    Examples
    --------
    >>> make_search("em", n_init=3)
    Restarts(n_init=3, carried=None)
    >>> make_search("restarts+split_merge").first
    Restarts(n_init=10, carried=3)
    """
    search: Search | None = None
    budgeted = False
    for part in name.split("+"):
        if part not in SEARCHES:
            raise UnknownNameError("search", part, SEARCHES)
        following: Any = SEARCHES[part](n_init, search)
        if search is not None and isinstance(following, Restarts):
            raise ArgumentError(
                f"In {name!r}, {part!r} draws its own starts: it can come first only."
            )
        if budget is not None and "budget" in {field.name for field in fields(following)}:
            following, budgeted = replace(following, budget=budget), True
        if isinstance(following, SplitMerge):
            following = replace(following, further=further)
        search = following
    if budget is not None and not budgeted:
        raise ArgumentError(
            f"The search {name!r} has no budget; bound its iterations and starts instead."
        )
    assert search is not None
    return search
