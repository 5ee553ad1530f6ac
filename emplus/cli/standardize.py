r"""Fitting on standardized columns, and the model mapped back to the units of the data.

With z = (x - shift) / scale, a component in z is one of the same family in x (means become
shift + scale * mean, covariances S become D S D with D = diag(scale)), and every density is divided
by the product of the scales. So a log-likelihood of total weight W loses W * sum(log scale), where
a column with missing values counts by the weight that it has a value for, and nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.cli.table import Table
from emplus.mixture import Mixture

__all__ = ["Scaling"]


@dataclass(frozen=True)
class Scaling:
    """Shift and scale (d,) of each column, and the share (d,) of the weight that has a value in it.

    Examples
    --------
    >>> table = Table("an example", np.array([[0.0, 5.0], [4.0, 5.0]]), ("a", "b"), named=False)
    >>> Scaling.of(table).scale.tolist()
    [2.0, 1.0]
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, table: Table) -> Scaling:
        """Weighted means and standard deviations of the values that are there.

        A constant column keeps its scale.

        Raises
        ------
        DataError
            If a column holds text.
        """
        X, weights = table.X, table.weights
        missing = np.isnan(X)
        if missing.any():
            # Masked entries count neither in the sums nor in the weights.
            X = np.ma.masked_array(X, missing)
        average = partial(np.ma.average, axis=0, weights=weights)
        shift = np.ma.filled(average(X), 0.0).astype(np.float64)
        # Two passes: the mean is taken off first, so that a far origin costs no digits.
        scale = np.sqrt(np.ma.filled(average(np.square(X - shift)), 0.0))
        rounding = 4 * np.finfo(X.dtype).eps * np.ma.filled(np.abs(X).max(axis=0), 0.0)
        share = np.average(~missing, axis=0, weights=weights)
        return cls(shift, np.where(scale > rounding, scale, 1.0), share)

    def apply(self, table: Table) -> Table:
        """The table with standardized columns, in the type of its own numbers."""
        X = ((table.X - self.shift) / self.scale).astype(table.X.dtype)
        return replace(table, data=X)

    def loss(self, total_weight: float) -> float:
        """Nats by which a log-likelihood is lower in the units of the data."""
        return total_weight * float((self.share * np.log(self.scale)).sum())

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
