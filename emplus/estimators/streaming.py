"""Fits that go on with every further block of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray

from emplus.data.memory import ArraySource
from emplus.data.stored import StoredRows
from emplus.engine.online import LearningRate, Stream, as_rate
from emplus.engine.outcome import Outcome
from emplus.errors import ArgumentError, FitError
from emplus.estimators.validation import make_rng, squarable, unless_refused
from emplus.families.base import Family, SingularComponentError
from emplus.mixture import Mixture
from emplus.numerics.threads import single_threaded
from emplus.search.fit import Fit
from emplus.search.record import Candidates
from emplus.starts.calibration import calibrated_prior

__all__ = ["Streaming"]

# Rows drawn from a model whose prior is not known.
_LIKELY_ROWS = 5000


class Streaming(ABC):
    """Learns rows block by block, each seen once."""

    n_components: int
    n_features_in_: int
    n_jobs: int | None
    random_state: Any
    learning_rate: float | LearningRate | None
    mixture_: Mixture
    result_: Fit
    prior_: Any
    _stream: Stream | None

    @abstractmethod
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
    ) -> Self:
        """Fit all rows at once."""

    @abstractmethod
    def _weighed(
        self, X: Any, sample_weight: ArrayLike | None, labels: ArrayLike | None, *, reset: bool
    ) -> tuple[Any, Any, NDArray[Any] | None]:
        """Rows, their weights and known labels, less the rows that weigh nothing."""

    @abstractmethod
    def _family(self, n_features: int) -> Family:
        """The family that the arguments ask for."""

    @abstractmethod
    def _strength(self) -> Any:
        """Rows of the prior."""

    @abstractmethod
    def _adopt(self, fit: Fit) -> None:
        """Take over a fit."""

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: ArrayLike | None = None,
    ) -> Self:
        """Go on with more rows, which need not be kept.

        The first block is fitted as `fit` does, with the search that was asked for, so it should
        be one that tells the components apart. Every further one moves the parameters by stepwise
        EM (Cappé & Moulines 2009): ``learning_rate`` says how far. It also goes on from an earlier
        `fit`, or from a model that was loaded. Rows should come in random order, unless they
        drift and are to be followed: then give a constant rate.

        Parameters
        ----------
        X : (n, d) array_like
            Any number of rows, of the columns of the first block; entries may be missing where
            ``allow_missing``.
        y : None
            Ignored.
        sample_weight : (n,) array_like, optional
        labels : (n,) array_like of int, optional
            As in `fit`.

        Returns
        -------
        self
            ``lower_bound_`` is a running mean of what each row scored before it was learned, so an
            honest one; ``result_.total_weight`` is the weight of all rows so far, ``n_iter_``
            rises by one with every further block, and ``converged_`` is then False: nothing says
            that a stream has ended.

        Raises
        ------
        DataError, ArgumentError
            As `fit`; the model is then as it was before.
        FitError
            If a component collapses, which the default prior rules out.

        Notes
        -----
        One pass over the block, and an M step for every 2,000 rows or more. The prior stays that of
        the first block.

        Examples
        --------
        >>> from emplus import GaussianMixture, datasets
        >>> X = datasets.load("faithful").X
        >>> model = GaussianMixture(2, random_state=0)
        >>> for first in range(0, len(X), 68):
        ...     model = model.partial_fit(X[first : first + 68])
        >>> model.result_.total_weight
        272.0
        """
        rate = as_rate(self.learning_rate)
        if not hasattr(self, "mixture_"):
            return self.fit(X, y, sample_weight, labels=labels)
        if (k := self.mixture_.n_components) != self.n_components:
            raise ArgumentError(
                f"n_components={self.n_components!r} was changed after a fit with {k}; "
                "call fit to begin anew."
            )
        if self._family(self.n_features_in_) != self.mixture_.family:
            raise ArgumentError(
                "The arguments ask for other components than were fitted "
                f"({self.mixture_.family}); call fit to begin anew."
            )
        with unless_refused(self), single_threaded():
            rows, weight, known = self._weighed(X, sample_weight, labels, reset=False)
            if rows.shape[0]:
                if not isinstance(rows, StoredRows):
                    rows = squarable(rows, getattr(self, "feature_names_in_", None))
                self._learn(ArraySource(rows, weight, self.n_jobs, known), rate)
        return self

    def _learn(self, source: ArraySource, rate: LearningRate) -> None:
        fit = self.result_
        stream = self._stream or Stream.after(self.mixture_, fit.total_weight, rate)
        prior = getattr(self, "prior_", None)
        if prior is None:
            # Model files hold no prior, and a block may be a single row: the model tells it.
            family, rng = self.mixture_.family, make_rng(self.random_state)
            likely = ArraySource(self.mixture_.sample(_LIKELY_ROWS, rng)[0], n_jobs=self.n_jobs)
            prior = calibrated_prior(family, likely, self.n_components, self._strength())
        try:
            stream, log_likelihood = replace(stream, rate=rate).learned(source, prior)
        except SingularComponentError as error:
            raise FitError(
                f"In this block {error}; nothing of it was learned. Use a prior, or larger blocks."
            ) from None
        weight = source.total_weight
        share = min(1.0, weight / stream.size)
        mean = (1.0 - share) * fit.log_likelihood / fit.total_weight
        mean += share * log_likelihood / weight
        whole = mean * stream.seen
        log_prior = float(stream.mixture.family.log_prior(stream.mixture.parameters, prior).sum())
        self._adopt(
            replace(
                fit,
                mixture=stream.mixture,
                log_likelihood=whole,
                log_prior=log_prior,
                outcome=Outcome.STREAMED,
                n_iter=fit.n_iter + 1,
                passes=fit.passes + 1,
                # What was reached and tried on other rows says nothing beside it.
                trace=(whole + log_prior,),
                log_likelihoods=(whole,),
                candidates=Candidates(),
                n_rows=fit.n_rows + source.n_rows,
                total_weight=stream.seen,
            )
        )
        self.prior_, self._stream = prior, stream
