"""Tables that tests write into files and read block by block."""

from __future__ import annotations

import numpy as np
import pandas as pd

_RNG = np.random.default_rng(0)
_N = 1500
_OF = _RNG.integers(0, 3, _N)

# Zeros and ones, of three kinds of rows.
BITS = _RNG.random((_N, 6)) < np.array([0.9, 0.5, 0.1])[_OF][:, None]

SURVEY = pd.DataFrame(
    {
        name: np.array(["agree", "no", "unsure"])[
            np.where(_RNG.random(_N) < 0.7, _OF, _RNG.integers(0, 3, _N))
        ]
        for name in "abcd"
    }
)

MIXED = pd.DataFrame(
    {
        "age": _RNG.normal(size=_N) + 3 * _OF,
        "count": _RNG.integers(0, 90, _N),
        "true": BITS[:, 0],
        "one": BITS[:, 1].astype(int),
        "music": SURVEY["a"],
        "code": np.where(_OF == 1, "7", "k"),
    }
)


def with_holes(table: pd.DataFrame) -> pd.DataFrame:
    """The table without one entry in ten."""
    return table.mask(np.random.default_rng(1).random(table.shape) < 0.1)
