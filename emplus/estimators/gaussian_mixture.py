"""The Gaussian mixture that scikit-learn's users know, on the engine of emplus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.problem import Problem
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError, DataWarning, say
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.validation import column_name, given_array, pseudo_rows, with_room_for
from emplus.families.gaussian import Gaussian
from emplus.families.registry import make_covariance
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["GaussianMixture"]

Array = NDArray[np.floating]

# Smallest eigenvalue of the correlations at which columns count as linearly dependent.
_COLLINEAR = 1e-10


class GaussianMixture(MixtureEstimator):
    r"""Mixture of Gaussians.

    Takes the place of `sklearn.mixture.GaussianMixture`: the same arguments, attributes and
    conventions, so that only the import line changes.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Each component its own matrix, one shared matrix, variances by column, one variance.
    tol : float, default=1e-6
        The fit has converged when the objective changes by no more than this, in nats a row.
        (scikit-learn's 1e-3 often stops while the parameters still move.)
    reg_covar : float or 'auto', default='auto'
        Strength m of the prior, in rows: each component is fitted as if it had seen m more rows,
        spread like those of a typical component. The covariance is :math:`(S_j + m V)/(n_j + m)`
        with S_j the component's scatter and V the variances within a typical component, and the
        prior's density is part of the objective, which therefore never falls. It follows the
        units of each column; in scikit-learn the number is an absolute variance added outside the
        objective. 'auto' is two rows, or less where components differ so much that it would cost
        them more than 3e-4 nats a row; ``prior_`` tells. 0 is maximum likelihood, where a component
        may collapse and its start then counts as failed.
    max_iter : int, default=1000
        Most iterations of one start.
    n_init : int, default=1
        Number of starts; ``result_.runs`` keeps how each one ended.
    init_params : {'k-means++', 'kmeans', 'random', 'random_from_data'} or Start
        Where a start comes from: far-apart rows, k-means, random responsibilities, random rows;
        or an object of `emplus.starts`, such as ``GivenLabels(labels)``.
    weights_init : (k,) array_like, optional
    means_init : (k, d) array_like, optional
    precisions_init : array_like, optional
        Starting values; what is not given comes from ``init_params``.
    random_state : int, RandomState, Generator or None
        The same seed gives the same bits, whatever ``n_jobs`` is.
    warm_start : bool, default=False
        Start from the previous fit.
    verbose : int, default=0
        Above 0, print a line every ``verbose_interval`` iterations.
    verbose_interval : int, default=10
    search : str or Search, default='split_merge'
        How the best optimum is searched for: 'em' (plain EM from ``n_init`` starts), 'restarts',
        'split_merge', 'ueda', 'annealing', 'reset', 'random_swap', several joined by '+' (each
        starts from the result of the one before), or an object of `emplus.search`.
    n_jobs : int, optional
        Threads; None or -1 for every core.
    observers : sequence of Observer, optional
        Called with every state of every run.
    allow_missing : bool, default=True
        Take NaN as a missing entry: what is fitted, scored and predicted from is what is there,
        equation :eq:`missing` of the theory page. False refuses NaN.
    optimizer : str or StepRule, default='em'
        How the hill is climbed: 'em', 'gradient' (gradient ascent with a line search), 'lbfgs', the
        two after ten iterations of EM ('em+gradient', 'em+lbfgs'), 'stepwise' or 'incremental' (EM
        in blocks of rows), or a rule of `emplus.engine`.
    accelerate : {'auto', 'quasi-newton', 'anderson', 'squarem', None}, default='auto'
        Longer steps where EM has become slow, none of which may lower the objective. 'auto' is
        'quasi-newton'; None is plain EM throughout.
    learning_rate : float or LearningRate, optional
        How much of what it knows `partial_fit` replaces: None for less and less
        (`emplus.engine.online.DecayingRate`), a number above 0 and below 1 for always the same,
        which follows clusters that move.

    Attributes
    ----------
    weights_ : (k,) ndarray
    means_ : (k, d) ndarray
    covariances_ : ndarray
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical.
    precisions_ : ndarray
        Inverse covariances, in the same shapes.
    precisions_cholesky_ : ndarray
        Upper triangular factors U, precision = U U'.
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        Log-likelihood a row of the fitted parameters themselves (not of one step earlier).
    lower_bounds_ : list of float
        The same at every pass, the start's first.
    prior_ : PhantomRows
        The prior of the components: ``strength`` m and ``variances`` V (d,). Not in a loaded model.
    mixture_ : Mixture
        The fit as a value that scores, samples, marginalizes, conditions.
    result_ : Fit
        The search's record: outcome, objective, trace, every run.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.mixture.Mixture : the fitted value.

    Notes
    -----
    An iteration costs O(n k d^2) for full covariances, O(n k d) for the others, and memory for
    one block of rows a thread. EM: Dempster, Laird & Rubin (1977). What is raised is equation
    :eq:`objective` of the theory page, with the prior :eq:`prior-gaussian`; the M step is
    :eq:`m-step-gaussian`.

    Examples
    --------
    >>> from emplus import GaussianMixture, datasets
    >>> X = datasets.load("faithful").X
    >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> gm.means_[gm.means_[:, 0].argsort()].round(2).tolist()
    [[2.04, 54.48], [4.29, 79.97]]
    >>> gm.predict([[2.0, 50.0], [4.5, 80.0]]).tolist() in ([0, 1], [1, 0])
    True
    """

    means_: Array
    covariances_: Array
    precisions_cholesky_: Array

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-6,
        reg_covar: float | str = "auto",
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str | Start = "k-means++",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        search: str | Search = "split_merge",
        n_jobs: int | None = None,
        observers: Sequence[Observer] | None = None,
        allow_missing: bool = True,
        optimizer: str | StepRule = "em",
        accelerate: str | None = "auto",
        learning_rate: float | LearningRate | None = None,
    ):
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            weights_init=weights_init,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            verbose_interval=verbose_interval,
            search=search,
            n_jobs=n_jobs,
            observers=observers,
            allow_missing=allow_missing,
            optimizer=optimizer,
            accelerate=accelerate,
            learning_rate=learning_rate,
        )
        self.reg_covar = reg_covar
        self.means_init = means_init
        self.covariance_type = covariance_type
        self.precisions_init = precisions_init

    def _family(self, n_features: int) -> Gaussian:
        structure = make_covariance(self.covariance_type)
        return Gaussian(with_room_for(structure, self.n_components, n_features))

    def _strength(self) -> float | None:
        return pseudo_rows("reg_covar", self.reg_covar)

    def _means(self, n_features: int) -> Array | None:
        if self.means_init is None:
            return None
        return given_array("means_init", self.means_init, (self.n_components, n_features))

    def _given(self, n_features: int) -> dict[str, Array]:
        if self.precisions_init is None:
            return {}
        structure = make_covariance(self.covariance_type)
        shape = structure.shape(self.n_components, n_features)
        precisions = given_array("precisions_init", self.precisions_init, shape)
        symmetric = precisions.swapaxes(-1, -2) if structure.matrices else precisions
        if not np.allclose(precisions, symmetric):
            raise ArgumentError("A matrix in precisions_init is not symmetric.")
        try:
            structure.factors(precisions)
        except np.linalg.LinAlgError:
            raise ArgumentError("precisions_init must be positive definite.") from None
        if not structure.matrices:
            return {"covariances": 1.0 / precisions}
        covariances = np.linalg.inv(precisions)
        return {"covariances": 0.5 * (covariances + covariances.swapaxes(-1, -2))}

    def _publish(self) -> None:
        parameters = self.mixture_.parameters
        self.means_ = parameters.means
        self.covariances_ = parameters.covariances
        self.precisions_cholesky_ = parameters.factors

    @property
    def precisions_(self) -> Array:
        """Inverse covariances, in the shapes of ``covariances_``."""
        factors = self.precisions_cholesky_
        if self.mixture_.family.covariance.matrices:  # type: ignore[attr-defined]  # Gaussian
            product: Array = factors @ factors.swapaxes(-1, -2)
            return product
        return factors**2

    def _warn_of_data(self, problem: Problem) -> None:
        super()._warn_of_data(problem)
        if problem.moments.missing or not make_covariance(self.covariance_type).matrices:
            return
        columns = _collinear(self.mixture_, problem)
        if len(columns):
            names = getattr(self, "feature_names_in_", None)
            listed = ", ".join(column_name(int(c), names) for c in columns[:5])
            say(
                DataWarning,
                f"Collinear (one follows from the others): {listed}. The prior keeps the fit "
                "finite; leave one of them out, or use covariance_type='diag'.",
            )


def _collinear(mixture: Any, problem: Problem) -> NDArray[np.intp]:
    """Columns in an exact linear relation, from their correlations."""
    varying = np.flatnonzero(~problem.moments.constant)
    if len(varying) < 2:
        return np.empty(0, dtype=np.intp)
    gaps = (mixture.parameters.means - problem.moments.mean)[:, varying]
    full = mixture.family.full_covariances(mixture.parameters)[:, varying[:, None], varying]
    implied = np.einsum("k,kab->ab", mixture.weights, full)
    implied += (gaps * mixture.weights[:, None]).T @ gaps
    # The prior itself leaves this much of a direction in which the rows do not vary at all.
    left = 4.0 * problem.prior.strength * mixture.n_components / problem.source.total_weight
    if _flattest(implied)[0] > max(_COLLINEAR, left):
        return np.empty(0, dtype=np.intp)
    # Only now is it worth a look at all the rows.
    scatter = problem.source.moments(full=True).scatter[np.ix_(varying, varying)]
    value, direction = _flattest(scatter)
    if value > _COLLINEAR:
        return np.empty(0, dtype=np.intp)
    return varying[np.flatnonzero(np.abs(direction) > 0.1)]


def _flattest(covariance: Array) -> tuple[float, Array]:
    """The smallest eigenvalue of the correlations and its direction."""
    scale = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance / np.multiply.outer(scale, scale))
    return float(values[0]), vectors[:, 0]
