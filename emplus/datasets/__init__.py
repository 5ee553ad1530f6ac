"""Data sets by name, and generators whose truth is known.

``load("faithful")`` gives a :class:`Dataset`; ``names()`` lists what can be asked for and
``describe()`` says where each one would come from. ``make_mixture("overlapping", 500)`` draws
rows from a Gaussian mixture and hands over the mixture itself; ``make_mixed_table(500)`` draws
a table of numbers, truth values and categories with holes; ``make_spiral(2000)`` draws rows along
a curve.

Old Faithful is bundled as ``faithful.csv``: 272 eruptions of the geyser in Yellowstone National
Park, the duration of each and the waiting time to the next, both in minutes, as in R's
``datasets::faithful`` (Härdle 1991, *Smoothing Techniques with Implementation in S*; Azzalini
and Bowman 1990, *Applied Statistics* 39, 357-365, analyse a fuller version).
"""

from emplus.datasets.catalog import Listing
from emplus.datasets.curves import Curve, make_spiral, spiral
from emplus.datasets.dataset import Dataset
from emplus.datasets.generators import KINDS, Generated, make_mixture
from emplus.datasets.loaders import describe, load, names
from emplus.datasets.placement import pairwise_separation
from emplus.datasets.tables import GeneratedTable, make_mixed_table

__all__ = [
    "KINDS",
    "Curve",
    "Dataset",
    "Generated",
    "GeneratedTable",
    "Listing",
    "describe",
    "load",
    "make_mixed_table",
    "make_mixture",
    "make_spiral",
    "names",
    "pairwise_separation",
    "spiral",
]
