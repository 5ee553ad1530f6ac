"""The one place where names turn into searches."""

from __future__ import annotations

from collections.abc import Callable

from emplus.errors import UnknownNameError
from emplus.search.base import Search
from emplus.search.restarts import Restarts

__all__ = ["SEARCHES", "make_search"]

# Each is made from the number of starts it is given.
SEARCHES: dict[str, Callable[[int], Search]] = {"em": Restarts}


def make_search(name: str, n_init: int = 1) -> Search:
    """The search of that name, from ``n_init`` starts.

    Raises
    ------
    UnknownNameError
        With the nearest known name.

    Examples
    --------
    >>> make_search("em", n_init=3)
    Restarts(n_init=3)
    """
    if name not in SEARCHES:
        raise UnknownNameError("search", name, SEARCHES)
    return SEARCHES[name](n_init)
