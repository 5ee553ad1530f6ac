"""What was measured of a fitted mixture, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.diagnostics.report import report

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIRECTION", "EMPTY_ROWS", "Diagnosis", "Pair"]

Array = NDArray[np.floating]

# A component with less than the first share of the data's variance in a column or a direction, and
# less than the second of a typical component's, has collapsed on a point or a plane. Without the
# second, an outlier or clusters far apart would make all of them look narrow; below the third,
# so little is left beside the rounding of the data that no comparison is asked for.
_COLLAPSED, _BESIDE_TYPICAL, _POINT = 1e-6, 1e-3, 1e-12

# Fewer expected rows than this are none; the fit itself warns of such components.
EMPTY_ROWS = 1e-3

# Numbers that each free parameter of a component should have to be found from, and rows that a
# component should have in any case.
_NUMBERS, _ROWS = 2.0, 5.0

# Stands for a column where a component is narrowest across several of them.
DIRECTION = -1

# What a program is told of the whole.
_FIGURES = (
    "n_rows", "total_weight", "n_free_parameters", "own_parameters", "needed_rows",
    "log_likelihood", "mean_log_likelihood", "aic", "bic", "icl",
    "entropy", "mean_entropy", "entropy_index", "impossible",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two components that share rows.

    Parameters
    ----------
    first, second : int
        Their numbers, the smaller one first.
    shared : float
        Rows that both hold, sum_i w_i r_i1 r_i2, as a share of the rows of the lighter one.
    divergence : float
        Jeffreys divergence of the two in nats, KL(1, 2) + KL(2, 1), each taken over the rows.
    cost : float
        Log-likelihood that one component in place of both costs at most; below 0 where it gains,
        infinite where no such component could be found.
    alike : bool
        Whether the rows of the two are too few to tell them apart.
    mergeable : bool
        Whether one component in place of both would lower BIC.
    """

    first: int
    second: int
    shared: float
    divergence: float
    cost: float
    alike: bool
    mergeable: bool

    @property
    def duplicate(self) -> bool:
        """Whether one component would do for both."""
        return self.alike or self.mergeable


@dataclass(frozen=True)
class Diagnosis:
    r"""A fitted mixture on rows: every figure, and the components that something is wrong with.

    ``str()`` of it is a report of one page. Rows are counted by their weights throughout.

    Parameters
    ----------
    n_rows : int
        Rows with a weight above 0.
    total_weight : float
    n_features : int
    n_free_parameters : int
        Of the whole mixture.
    own_parameters : int
        Free parameters of one component that no other shares, its weight not counted.
    weights : (k,) ndarray
        Mixing weights.
    rows : (k,) ndarray
        Expected rows of each component, sum_i w_i r_ij.
    assigned : (k,) ndarray
        Rows whose most responsible component it is.
    certainty : (k,) ndarray
        Mean responsibility of a component for the rows assigned to it; NaN where there are none.
    nearest : (k,) ndarray of int
        The component that holds most of the same rows; -1 where there is no other.
    nearest_share : (k,) ndarray
        The share of its rows that this one holds too.
    narrowest : (k,) ndarray
        Its smallest variance as a share of the data's, over columns and, where the family tells
        its covariances, directions; NaN where no column is continuous.
    narrowest_column : (k,) ndarray of int
        The column of that; -1 for a direction across columns.
    pairs : tuple of Pair
        Pairs that share rows, as `diagnose` tells, the cheapest to merge first.
    log_likelihood : float
        Nats over all rows.
    entropy : float
        Classification entropy -sum_i w_i sum_j r_ij log r_ij, in nats.
    surprise : float
        -sum_i w_i log max_j r_ij, which makes ICL of BIC.
    impossible : float
        Rows to which no component gives any density.
    column_names : tuple of str, optional
    """

    n_rows: int
    total_weight: float
    n_features: int
    n_free_parameters: int
    own_parameters: int
    weights: Array
    rows: Array
    assigned: Array
    certainty: Array
    nearest: NDArray[np.intp]
    nearest_share: Array
    narrowest: Array
    narrowest_column: NDArray[np.intp]
    pairs: tuple[Pair, ...]
    log_likelihood: float
    entropy: float
    surprise: float
    impossible: float
    column_names: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return report(self)

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return len(self.weights)

    @property
    def needed_rows(self) -> float:
        """Rows below which a component is light: two numbers a free parameter, at least 5 rows."""
        return max(_ROWS, _NUMBERS * self.own_parameters / self.n_features)

    @property
    def light(self) -> NDArray[np.intp]:
        """Components with fewer expected rows than their own parameters need."""
        return np.flatnonzero(self.rows < self.needed_rows)

    @property
    def empty(self) -> NDArray[np.intp]:
        """Light components that hold no rows at all."""
        return np.flatnonzero(self.rows < EMPTY_ROWS)

    @property
    def duplicates(self) -> tuple[Pair, ...]:
        """Pairs for which one component would do."""
        return tuple(pair for pair in self.pairs if pair.duplicate)

    @property
    def degenerate(self) -> NDArray[np.intp]:
        """Components that have collapsed on a point or a plane."""
        # A weighted median, the larger one where there are two.
        order = np.argsort(-self.narrowest, kind="stable")
        middle = np.searchsorted(np.cumsum(self.weights[order]), 0.5 - 1e-9)
        typical = self.narrowest[order[min(int(middle), len(order) - 1)]]
        # A comparison with NaN is false: what cannot be measured is not held against anyone.
        narrow = (self.narrowest < _COLLAPSED) & (self.narrowest < _BESIDE_TYPICAL * typical)
        return np.flatnonzero(narrow | (self.narrowest < _POINT))

    @property
    def flagged(self) -> NDArray[np.intp]:
        """Components that something is wrong with."""
        paired = [c for pair in self.duplicates for c in (pair.first, pair.second)]
        together = [*self.light, *self.degenerate, *paired]
        return np.unique(np.asarray(together, dtype=np.intp))

    @property
    def merge_limit(self) -> float:
        """Log-likelihood that BIC lets one component less cost: (p + 1) / 2 log n."""
        return 0.5 * (self.own_parameters + 1) * max(float(np.log(self.total_weight)), 0.0)

    @property
    def mean_log_likelihood(self) -> float:
        """Nats a row."""
        return self.log_likelihood / self.total_weight

    @property
    def mean_entropy(self) -> float:
        """Classification entropy a row, in nats."""
        return self.entropy / self.total_weight

    @property
    def entropy_index(self) -> float:
        """E_k = 1 - H / (n log k): 1 where every row is certain, 0 where none tells anything."""
        if self.n_components == 1:
            return 1.0
        return 1.0 - self.mean_entropy / float(np.log(self.n_components))

    @property
    def aic(self) -> float:
        """Akaike's criterion, lower is better."""
        return -2.0 * self.log_likelihood + 2.0 * self.n_free_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, lower is better."""
        penalty = self.n_free_parameters * float(np.log(self.total_weight))
        return -2.0 * self.log_likelihood + penalty

    @property
    def icl(self) -> float:
        """Integrated completed likelihood as mclust counts it, lower is better."""
        return self.bic + 2.0 * self.surprise

    def findings(self, component: int) -> list[str]:
        """What is wrong with a component, in a word or two each; empty where nothing is."""
        found = []
        if component in self.empty:
            found.append("empty")
        elif component in self.light:
            found.append("light")
        if component in self.degenerate:
            found.append("collapsed")
        for pair in self.duplicates:
            if component in (pair.first, pair.second):
                other = pair.first + pair.second - component
                found.append(f"{'like' if pair.alike else 'merge with'} {other}")
        return found

    def to_frame(self) -> pd.DataFrame:
        """One row a component, the columns named like the attributes, and ``findings``."""
        import pandas as pd

        columns = {
            "weight": self.weights,
            "rows": self.rows,
            "assigned": self.assigned,
            "certainty": self.certainty,
            "nearest": self.nearest,
            "nearest_share": self.nearest_share,
            "narrowest": self.narrowest,
            "narrowest_column": self.narrowest_column,
            "findings": [", ".join(self.findings(j)) for j in range(self.n_components)],
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(self.n_components, name="component"))

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for programs."""
        frame = self.to_frame().reset_index()
        return {
            **{name: getattr(self, name) for name in _FIGURES},
            "components": frame.to_dict(orient="records"),
            "pairs": [{**vars(pair), "duplicate": pair.duplicate} for pair in self.pairs],
        }
