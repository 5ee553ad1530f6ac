"""The one place where names turn into searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from emplus.errors import ArgumentError
from emplus.plugins import Registry
from emplus.search.annealing import Annealing
from emplus.search.base import Budget, Search
from emplus.search.random_swap import RandomSwap
from emplus.search.reset import Reset
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge

__all__ = ["KNOWN_SEARCHES", "SEARCHES", "SearchFactory", "make_search", "register_search"]

# Starts of "restarts" at least, and how many of them are climbed to the end.
_STARTS, _CARRIED = 10, 3

SearchFactory = Callable[[int, Search | None], Search]
"""From the number of starts, and the search whose result to start from if there is one."""

SEARCHES: dict[str, SearchFactory] = {
    "em": lambda n, first: Restarts(n),
    "restarts": lambda n, first: Restarts(max(_STARTS, n), carried=_CARRIED),
    "reset": lambda n, first: Reset(first=first or Restarts(n)),
    "random_swap": lambda n, first: RandomSwap(first=first or Restarts(n)),
    "annealing": lambda n, first: Annealing(first=first, n_init=n),
    "ueda": lambda n, first: SplitMerge("ueda", first=first or Restarts(n)),
    "split_merge": lambda n, first: SplitMerge(first=first or Restarts(n)),
}

KNOWN_SEARCHES: Registry[SearchFactory] = Registry("search", "emplus.searches", SEARCHES)
"""Those of `SEARCHES`, and those from outside."""


def register_search(name: str, factory: SearchFactory) -> SearchFactory:
    """Make a search known by a name, so that every face of emplus takes it.

    Packages that are installed may name theirs in the entry-point group ``emplus.searches``
    instead; then nobody has to call this.

    Parameters
    ----------
    name : str
        For ``search=`` and ``--search``.
    factory : callable
        ``factory(n_init, first)`` gives the search that begins from ``n_init`` starts, or from
        the result of the search ``first`` where that is not None. A budget that a person sets goes
        into its field ``budget``, where it is a dataclass that has one.

    Returns
    -------
    callable
        The factory.

    Raises
    ------
    ArgumentError
        If the name is none, or is taken by another search.

    Examples
    --------
    >>> register_search("em", lambda n_init, first: Restarts(n_init))
    Traceback (most recent call last):
        ...
    emplus.errors.ArgumentError: The search name 'em' is taken (by emplus); use another.
    """
    KNOWN_SEARCHES.add(name, factory)
    return factory


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
        following: Any = KNOWN_SEARCHES.get(part)(n_init, search)
        if search is not None and isinstance(following, Restarts):
            raise ArgumentError(
                f"In {name!r}, {part!r} draws its own starts: it can come first only."
            )
        if budget is not None and _has_budget(following):
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


def _has_budget(search: Any) -> bool:
    return is_dataclass(search) and "budget" in {field.name for field in fields(search)}
