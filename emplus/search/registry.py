"""The one place where names turn into searches."""

from __future__ import annotations

from collections.abc import Callable

from emplus.errors import ArgumentError, UnknownNameError
from emplus.search.base import Search
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge

__all__ = ["SEARCHES", "make_search"]

# Each is made from the search whose result it starts from; the first of all is `Restarts`.
SEARCHES: dict[str, Callable[[Search], Search]] = {
    "em": lambda first: first,
    "split_merge": lambda first: SplitMerge(first=first),
}


def make_search(name: str, n_init: int = 1) -> Search:
    """The search of that name, from ``n_init`` starts.

    Names joined by ``+`` are searches that each start from the result of the one before.

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    ArgumentError
        If a search that only draws starts is to start from another's result.

    Examples
    --------
    >>> make_search("em", n_init=3)
    Restarts(n_init=3)
    """
    search: Search = Restarts(n_init)
    for place, part in enumerate(name.split("+")):
        if part not in SEARCHES:
            raise UnknownNameError("search", part, SEARCHES)
        following = SEARCHES[part](search)
        if place and isinstance(following, Restarts):
            raise ArgumentError(f"In {name!r}, {part!r} draws its own starts: it can come first only.")
        search = following
    return search
