"""What a fit has to say of its data and of itself: warnings, each said once."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from emplus.data.base import Source
from emplus.engine.outcome import Outcome
from emplus.errors import DataWarning, FitWarning, say
from emplus.estimators.validation import column_name
from emplus.numerics.moments import Moments
from emplus.search.fit import Fit

__all__ = ["warn_of_columns", "warn_of_fit", "warn_of_rows"]


def warn_of_rows(source: Source) -> None:
    """Warn of rows in which nothing is there."""
    if source.order is None:
        return
    empty = np.flatnonzero(source.map_rows(lambda X: np.isnan(X).all(axis=1)))
    if len(empty):
        say(
            DataWarning,
            f"Every value is missing in {len(empty)} row{'s' if len(empty) > 1 else ''}, first in "
            f"row {empty[0]}; such rows tell nothing, and count in n.",
        )


def warn_of_columns(moments: Moments, names: Any | None) -> None:
    """Warn of columns that do not vary."""
    constant = np.flatnonzero(moments.constant)
    if len(constant) == len(moments.mean):
        say(DataWarning, "All rows are equal: every component describes the same point.")
    elif len(constant):
        listed = ", ".join(column_name(int(c), names) for c in constant[:5])
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        say(DataWarning, f"Constant in every row: {listed}{more}. It tells nothing apart.")


def warn_of_fit(fit: Fit) -> None:
    """Warn of starts that failed, of empty components, and of an end before convergence."""
    failed = [run for run in fit.runs if not run.outcome.usable]
    if failed:
        listed = "; ".join(
            f"start {run.start}, component {run.component}: {run.outcome.value}"
            for run in failed[:5]
        )
        say(FitWarning, f"{len(failed)} of {len(fit.runs)} starts failed ({listed}).")
    light = np.flatnonzero(fit.mixture.weights * fit.total_weight < 1e-3)
    if len(light):
        listed = ", ".join(map(str, light[:5]))
        say(
            FitWarning,
            f"Empty at the end: component {listed}. Ask for fewer components, or try other "
            "starts with n_init.",
        )
    if fit.outcome is not Outcome.CONVERGED:
        kind = FitWarning if fit.outcome is Outcome.INTERRUPTED else ConvergenceWarning
        say(kind, f"After {fit.n_iter} iterations: {fit.outcome.sentence}")
