"""The one place where names turn into starts."""

from __future__ import annotations

from emplus.errors import UnknownNameError
from emplus.starts.base import Start
from emplus.starts.centres import KMeans, KMeansPlusPlus, RandomRows
from emplus.starts.given import RandomResponsibilities
from emplus.starts.perturbed import Perturbed

__all__ = ["STARTS", "make_start"]

STARTS: dict[str, type[Start]] = {
    "k-means++": KMeansPlusPlus,
    "kmeans": KMeans,
    "random": RandomResponsibilities,
    "random_from_data": RandomRows,
    "perturbed": Perturbed,
}


def make_start(name: str) -> Start:
    """The start of that name.

    Raises
    ------
    UnknownNameError
        With the nearest known name.

    Examples
    --------
    >>> type(make_start("kmeans")).__name__
    'KMeans'
    """
    if name not in STARTS:
        raise UnknownNameError("start (init_params)", name, STARTS)
    return STARTS[name]()
