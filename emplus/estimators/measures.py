"""What a fitted estimator says of rows: components, densities, criteria, what is missing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from emplus.data.base import Source
from emplus.estimators.validation import check_positive_int, check_sample_weight, make_rng
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_normalize

__all__ = ["Measures"]

Array = NDArray[np.floating]


class Measures(ABC):
    """Assigns, scores, draws and completes rows by the fitted ``mixture_``."""

    mixture_: Mixture

    @abstractmethod
    def _rows(self, X: Any) -> Source:
        """The rows of a table, once the estimator is known to be fitted."""

    @abstractmethod
    def _written(self, rows: Array, like: Any = None) -> Any:
        """Rows as a table of the kind that was fitted."""

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The most responsible component of each row.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.

        Returns
        -------
        labels : (n,) ndarray of int
            Numbers of components, from 0.
        """
        labels: NDArray[np.intp] = np.argmax(self._log_joint(X), axis=1)
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Responsibilities of the components for each row: equation :eq:`responsibilities`.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.

        Returns
        -------
        responsibilities : (n, k) ndarray
            Rows sum to 1.

        Notes
        -----
        Costs a pass over the rows, and n k numbers.
        """
        joint = self._log_joint(X)
        log_normalize(joint)
        return joint

    def score_samples(self, X: Any) -> Array:
        """Log density of each row, in nats: equation :eq:`mixture`.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.

        Returns
        -------
        log_density : (n,) ndarray
            Of what is there in a row; a log probability where columns are discrete.
        """
        return self._rows(X).map_rows(self.mixture_.log_density)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Weighted mean of the log densities of the rows, in nats a row.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.
        y : None
            Ignored.
        sample_weight : (n,) array_like, optional

        Returns
        -------
        score : float
            Higher is better.
        """
        log_density = self.score_samples(X)
        weight = check_sample_weight(sample_weight, len(log_density))
        return float(np.average(log_density, weights=weight))

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion on ``X``, lower is better: equation :eq:`aic-bic`.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.
        sample_weight : (n,) array_like, optional

        Returns
        -------
        aic : float
        """
        total, _, _ = self._totals(X, sample_weight)
        return -2.0 * total + 2.0 * self.mixture_.n_free_parameters

    def bic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Schwarz's criterion on ``X``, lower is better: equation :eq:`aic-bic`.

        Rows are counted by their weights.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.
        sample_weight : (n,) array_like, optional

        Returns
        -------
        bic : float
        """
        total, weight, _ = self._totals(X, sample_weight)
        return -2.0 * total + self.mixture_.n_free_parameters * float(np.log(weight))

    def icl(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood on ``X`` (Biernacki, Celeux & Govaert 2000).

        BIC plus twice the surprise of giving each row to its most responsible component, as
        mclust counts it, equation :eq:`icl`; lower is better. It prefers components that do not
        overlap.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.
        sample_weight : (n,) array_like, optional

        Returns
        -------
        icl : float
        """
        _, _, surprise = self._totals(X, sample_weight)
        return self.bic(X, sample_weight) + 2.0 * surprise

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Any, NDArray[np.intp]]:
        """Draw rows, as a table of the kind that was fitted, and the component of each.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState, Generator or None
            Belongs to the call: without one, every call draws other rows.

        Returns
        -------
        rows : (n_samples, d) ndarray or data frame
        labels : (n_samples,) ndarray of int
        """
        check_is_fitted(self)
        n = check_positive_int("n_samples", n_samples)
        rows, labels = self.mixture_.sample(n, make_rng(random_state))
        return self._written(rows), labels

    def impute(self, X: Any) -> Any:
        """The rows with missing entries filled from what is there in them.

        A continuous entry gets its posterior mean, averaged over the components; a binary or
        categorical one its likeliest value. Entries that are there stay as they are.

        Parameters
        ----------
        X : (n, d) array_like
            NaN where an entry is missing.

        Returns
        -------
        filled : (n, d) ndarray, or a data frame where the fit was on one and its kind is kept

        Notes
        -----
        Cost: that of ``predict_proba``, and for full covariances O(k d^3) for every pattern of
        missing entries.
        """
        return self._written(self._rows(X).map_rows(self.mixture_.impute), X)

    def sample_missing(self, X: Any, random_state: Any = None) -> Any:
        """The rows with missing entries drawn from what they may be, given what is there.

        For multiple imputation: a component is drawn from each row's responsibilities, then the
        entries from it, for Gaussians by equation :eq:`missing-gaussian`. ``random_state`` belongs
        to the call.

        Parameters
        ----------
        X : (n, d) array_like
            Rows as `fit` takes them; entries may be missing.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        filled : (n, d) ndarray, or a data frame where the fit was on one and its kind is kept
        """
        rng, source = make_rng(random_state), self._rows(X)
        # Drawn in one go: blocks worked on side by side would share out the draws at random.
        rows, _ = source.take(slice(None))
        filled = self.mixture_.sample_missing(rows, rng)
        if source.order is not None:
            given = np.empty_like(filled)
            given[source.order] = filled
            filled = given
        return self._written(filled, X)

    def marginal(self, columns: Sequence[int] | int) -> Mixture:
        """The fitted mixture of some of the columns; see `Mixture.marginal`.

        Parameters
        ----------
        columns : int or sequence of int
            Their numbers, in the order that is wanted.

        Returns
        -------
        Mixture
        """
        check_is_fitted(self)
        return self.mixture_.marginal(columns)

    def condition(self, columns: Sequence[int] | int, values: ArrayLike) -> Mixture:
        """The fitted mixture of the other columns, given values; see `Mixture.condition`.

        Parameters
        ----------
        columns : int or sequence of int
            Numbers of the columns that are known.
        values : array_like
            What they hold, one for each.

        Returns
        -------
        Mixture
            Of the other columns, in their order.
        """
        check_is_fitted(self)
        return self.mixture_.condition(columns, values)

    def _totals(self, X: Any, sample_weight: ArrayLike | None) -> tuple[float, float, float]:
        joint = self._log_joint(X)
        weight = check_sample_weight(sample_weight, len(joint))
        counts = np.ones(len(joint)) if weight is None else weight
        log_density = log_normalize(joint)
        surprise = -float(np.log(joint.max(axis=1)) @ counts)
        return float(log_density @ counts), float(counts.sum()), surprise

    def _log_joint(self, X: Any) -> Array:
        return self._rows(X).map_rows(self.mixture_.log_joint)
