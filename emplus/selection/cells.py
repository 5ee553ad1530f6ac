"""Cells: one family with one number of components, and what its best fit is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from emplus.errors import UnknownNameError

__all__ = ["CRITERIA", "NOT_RUN", "Cell", "best_of", "check_criterion"]

CRITERIA = ("aic", "bic", "icl", "cv")
"""What cells can be compared by: all but ``cv`` are the better the lower they are."""

NOT_RUN = "not run"
_FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One family with one number of components.

    Numbers that are not known are NaN.

    Parameters
    ----------
    family : str
        The candidate's label.
    n_components : int
    outcome : str
        How the run that found the best fit ended (a value of `emplus.engine.outcome.Outcome`),
        ``"failed"`` (``failure`` says how), or ``"not run"``.
    origin : str
        Where the best fit came from: ``"fresh"`` starts, the ``"split"`` of a fit with fewer
        components, or the ``"merge"`` of one with more.
    log_likelihood, objective : float
        Totals in nats, the second with the log prior, which differs from one k to the next.
    n_parameters : int
        Free parameters.
    aic, bic, icl : float
        As the estimator's methods give them; lower is better.
    cv, cv_error : float
        Mean log-likelihood of held-out rows, nats a unit of weight, and its standard error over
        the folds; higher is better.
    seconds : float
        Spent on all of the cell's fits, those for ``cv`` included.
    failure : str
        What went wrong, where something did.
    """

    family: str
    n_components: int
    outcome: str = NOT_RUN
    origin: str = ""
    log_likelihood: float = math.nan
    objective: float = math.nan
    n_parameters: int = 0
    aic: float = math.nan
    bic: float = math.nan
    icl: float = math.nan
    cv: float = math.nan
    cv_error: float = math.nan
    seconds: float = 0.0
    failure: str = ""

    @property
    def fitted(self) -> bool:
        """Whether there is a fit."""
        return self.outcome not in (NOT_RUN, _FAILED)

    def loss(self, criterion: str) -> float:
        """What the criterion says, turned so that lower is better; NaN where it is not known."""
        value: float = getattr(self, criterion)
        return -value if criterion == "cv" else value


def check_criterion(criterion: Any) -> str:
    """The criterion, if it is one.

    Raises
    ------
    UnknownNameError
        With the nearest name.
    """
    if criterion not in CRITERIA:
        raise UnknownNameError("criterion", criterion, CRITERIA)
    return str(criterion)


def best_of(cells: Any, criterion: str) -> Cell | None:
    """The best of the cells that have a fit; of equals the one with fewest parameters.

    Examples
    --------
    >>> cells = [Cell("full", k, "converged", bic=bic) for k, bic in ((1, 9.0), (2, 7.0), (3, 8.0))]
    >>> best_of(cells, "bic").n_components
    2
    """
    known = [cell for cell in cells if cell.fitted and np.isfinite(cell.loss(criterion))]
    return min(known, key=lambda cell: (cell.loss(criterion), cell.n_parameters), default=None)
