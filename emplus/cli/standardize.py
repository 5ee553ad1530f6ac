r"""Fitting on standardized columns, and the model mapped back to the units of the data.

With z = (x - shift) / scale, a component in z is one of the same family in x (means become
shift + scale * mean, covariances S become D S D with D = diag(scale)), and every density is divided
by the product of the scales. So a log-likelihood of total weight W loses W * sum(log scale), and
nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.cli.table import Table
from emplus.mixture import Mixture

__all__ = ["Scaling"]


@dataclass(frozen=True)
class Scaling:
    """Shift and scale (d,) of each column.

    Examples
    --------
    >>> table = Table("an example", np.array([[0.0, 5.0], [4.0, 5.0]]), ("a", "b"), named=False)
    >>> Scaling.of(table).scale.tolist()
    [2.0, 1.0]
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, table: Table) -> Scaling:
        """Weighted means and standard deviations; a constant column keeps its scale."""
        weights = table.weights
        shift = np.average(table.X, axis=0, weights=weights).astype(np.float64)
        # Two passes: the mean is taken off first, so that a far origin costs no digits.
        variance = np.average(np.square(table.X - shift), axis=0, weights=weights)
        scale = np.sqrt(variance)
        rounding = 4 * np.finfo(table.X.dtype).eps * np.abs(table.X).max(axis=0)
        return cls(shift, np.where(scale > rounding, scale, 1.0))

    def apply(self, table: Table) -> Table:
        """The table with standardized columns, in the type of its own numbers."""
        X = ((table.X - self.shift) / self.scale).astype(table.X.dtype)
        return replace(table, X=X)

    def loss(self, total_weight: float) -> float:
        """Nats by which a log-likelihood is lower in the units of the data."""
        return total_weight * float(np.log(self.scale).sum())

    def restore(self, estimator: Any, names: list[str] | None) -> Any:
        """A fitted estimator in the units of the data, from one fitted on `apply`'s.

        A spherical covariance, or isotropic noise, becomes diagonal: columns of unequal scale have
        unequal variances.
        """
        fit = estimator.result_
        mixture = self._mixture(fit.mixture)
        loss = self.loss(fit.total_weight)
        params = estimator.get_params(deep=False)
        params.update(mixture.family.config())
        mapped = type(estimator)(**params)
        summary = {
            "outcome": fit.outcome.value,
            "n_iter": fit.n_iter,
            "log_likelihood": fit.log_likelihood - loss,
            "log_prior": fit.log_prior,
            "objective": fit.objective - loss,
            "n_rows": fit.n_rows,
            "total_weight": fit.total_weight,
            "seconds": fit.seconds,
        }
        histories = (np.asarray(values) - loss for values in (fit.trace, fit.log_likelihoods))
        mapped._restore(mixture, summary, names, *histories)
        mapped.result_ = replace(
            mapped.result_,
            passes=fit.passes,
            candidates=fit.candidates,
            log_likelihoods=tuple(value - loss for value in fit.log_likelihoods),
            runs=tuple(
                replace(
                    run, log_likelihood=run.log_likelihood - loss, objective=run.objective - loss
                )
                for run in fit.runs
            ),
        )
        return mapped

    def _mixture(self, mixture: Mixture) -> Mixture:
        family, parameters = mixture.family.map_columns(mixture.parameters, self.scale, self.shift)
        return Mixture(family, mixture.log_weights, parameters)
