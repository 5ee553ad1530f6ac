"""The mixture of factor analyzers: clustering and dimension reduction in one estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.validation import given_array, pseudo_rows
from emplus.families.covariance_matrices import Full
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.factor_parameters import canonical
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["FactorAnalyzerMixture"]

Array = NDArray[np.floating]

# Numbers in the widest array of a block of rows, whatever the number of columns is.
_NUMBERS_AT_ONCE = 1 << 19


class FactorAnalyzerMixture(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]  # scikit-learn has no types
    MixtureEstimator,
):
    r"""Mixture of factor analyzers.

    A row of component j is :math:`x = \mu_j + \Lambda_j z + e` with q standard normal factors z and
    noise e of diagonal covariance :math:`\Psi_j`, so that the component's covariance is
    :math:`\Lambda_j \Lambda_j^\top + \Psi_j`: a cluster that varies along q directions of its own.
    It is for rows of many columns, where full covariances have too many parameters and diagonal
    ones leave out what matters; no d x d matrix is made while it is fitted.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    n_factors : int, default=1
        Number of factors q of each component, at most the number of columns. 0 is a mixture of
        diagonal Gaussians.
    noise : {'diag', 'shared', 'isotropic'}, default='diag'
        Each component its own noise variance in every column; one for each column, shared by all
        components; each component one variance for all columns (a mixture of probabilistic PCA).
    loadings : {'own', 'common'}, default='own'
        Each component its own directions, or all of them in one space of q dimensions, in which
        each has a mean and a covariance. With 'common' the noise is shared, too.
    tol : float, default=1e-6
        The fit has converged when the objective changes by no more than this, in nats a row.
    reg_covar : float or 'auto', default='auto'
        Strength of the prior, in rows: each component is fitted as if it had seen so many more
        rows, spread like those of a typical component, and as many for its noise. 'auto' is two
        rows, or less where components differ much; ``prior_`` tells. 0 is maximum likelihood, where
        a component may collapse, or the noise of a column run to zero, and the start counts as
        failed.
    max_iter : int, default=1000
        Most iterations of one start.
    n_init : int, default=1
        Number of starts; ``result_.runs`` keeps how each one ended.
    init_params : {'k-means++', 'kmeans', 'random', 'random_from_data'} or Start
        Where a start comes from; loadings begin as the principal axes of each component's rows.
    weights_init : (k,) array_like, optional
    means_init : (k, d) array_like, optional
        Where loadings are common, the means lie in their space: then the given ones are centres
        only, of the rows that each component begins with.
    loadings_init : (k, d, q) array_like, optional
        For loadings of their own only.
    noise_variance_init : array_like, optional
        In the shape of ``noise_variance_``. What is not given comes from ``init_params``.
    random_state : int, RandomState, Generator or None
        The same seed gives the same bits, whatever ``n_jobs`` is.
    warm_start : bool, default=False
        Start from the previous fit.
    verbose : int, default=0
        Above 0, print a line every ``verbose_interval`` iterations.
    verbose_interval : int, default=10
    search : str or Search, default='split_merge'
        How the best optimum is searched for, as for `GaussianMixture`.
    n_jobs : int, optional
        Threads; None or -1 for every core.
    observers : sequence of Observer, optional
        Called with every state of every run.
    allow_missing : bool, default=True
        Take NaN as a missing entry: what is fitted, scored and predicted from is what is there.
        False refuses NaN.
    optimizer : str or StepRule, default='em'
    accelerate : str or None, default='auto'
    learning_rate : float or LearningRate, optional
        As of `GaussianMixture`.

    Attributes
    ----------
    weights_ : (k,) ndarray
    means_ : (k, d) ndarray
    loadings_ : (k, d, q) ndarray
        Turned to their principal axes: the columns of each are orthogonal, the longest first, and
        signs are fixed, so that two fits that are equal look equal.
    noise_variance_ : ndarray or float
        (k, d) diag, (d,) shared, (k,) isotropic; a float where common loadings have isotropic
        noise.
    covariances_, precisions_, precisions_cholesky_ : (k, d, d) ndarray
        Made when they are asked for, O(k d^2) memory; the last one upper triangular.
    converged_, n_iter_, lower_bound_, lower_bounds_, mixture_, result_
        As of `GaussianMixture`.
    prior_ : PhantomFactorRows
        The prior of the components. Not in a loaded model.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.families.factor_analyzer.FactorAnalyzer : the density.

    Notes
    -----
    An iteration costs O(n k d q). The model: Ghahramani & Hinton (1996); isotropic noise: Tipping &
    Bishop (1999); common loadings: Baek, McLachlan & Flack (2010). Equations
    :eq:`factor-analyzer` to :eq:`prior-factors` of the theory page.

    Examples
    --------
    >>> from emplus import FactorAnalyzerMixture, datasets
    >>> X = datasets.load("iris").X
    >>> model = FactorAnalyzerMixture(3, n_factors=1, random_state=0).fit(X)
    >>> model.loadings_.shape, model.transform(X).shape
    ((3, 4, 1), (150, 1))
    >>> float(np.square(X - model.reconstruct(X)).mean() / X.var(axis=0).mean()) < 0.05
    True
    """

    means_: Array
    loadings_: Array
    noise_variance_: Array | float

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_factors: int = 1,
        noise: str = "diag",
        loadings: str = "own",
        tol: float = 1e-6,
        reg_covar: float | str = "auto",
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str | Start = "k-means++",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        loadings_init: ArrayLike | None = None,
        noise_variance_init: ArrayLike | None = None,
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
        self.n_factors = n_factors
        self.noise = noise
        self.loadings = loadings
        self.loadings_init = loadings_init
        self.noise_variance_init = noise_variance_init

    def _family(self, n_features: int) -> FactorAnalyzer:
        family = FactorAnalyzer(self.n_factors, self.noise, self.loadings)
        if family.n_factors > n_features:
            raise ArgumentError(
                f"n_factors={family.n_factors} is more than n_features={n_features}; there cannot "
                "be more factors than columns."
            )
        return family

    def _strength(self) -> float | None:
        return pseudo_rows("reg_covar", self.reg_covar)

    def _means(self, n_features: int) -> Array | None:
        if self.means_init is None:
            return None
        return given_array("means_init", self.means_init, (self.n_components, n_features))

    def _given(self, n_features: int) -> dict[str, Array]:
        k, family = self.n_components, self._family(n_features)
        given: dict[str, Array] = {}
        if self.loadings_init is not None:
            if family.loadings == "common":
                raise ArgumentError(
                    "loadings_init is for loadings='own'; common loadings begin as the principal "
                    "axes of all rows."
                )
            whole = (k, n_features, family.n_factors)
            given["loadings"] = canonical(given_array("loadings_init", self.loadings_init, whole))
        if self.noise_variance_init is not None:
            shape = family.structure.shape(k, n_features)
            noise = given_array("noise_variance_init", self.noise_variance_init, shape)
            if not (noise > 0).all():
                raise ArgumentError("noise_variance_init must be above 0 everywhere.")
            given["noise_variance"] = noise
        return given

    def _publish(self) -> None:
        parameters = self.mixture_.parameters
        noise = parameters.noise
        self.means_ = parameters.means
        self.loadings_ = parameters.loadings
        self.noise_variance_ = noise if np.ndim(noise) else float(noise)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.loadings_.shape[2])

    @property
    def covariances_(self) -> Array:
        """Covariances (k, d, d)."""
        family: Any = self.mixture_.family
        covariances: Array = family.full_covariances(self.mixture_.parameters)
        return covariances

    @property
    def precisions_cholesky_(self) -> Array:
        """Upper triangular factors U (k, d, d) of the precisions, precision = U U'."""
        return Full().factors(self.covariances_)

    @property
    def precisions_(self) -> Array:
        """Inverse covariances (k, d, d), by Woodbury's identity."""
        parameters = self.mixture_.parameters
        projections, _, _ = parameters.posterior
        precisions: Array = -(projections.swapaxes(1, 2) @ projections)
        np.einsum("kaa->ka", precisions)[...] += 1.0 / parameters.psi
        return precisions

    def transform(self, X: ArrayLike, all_components: bool = False) -> Array:
        """Factors of each row: what they are expected to be, given the row.

        Parameters
        ----------
        X : (n, d) array_like
        all_components : bool, default=False
            The factors under every component, not under the most responsible one alone. They are
            no table, so ``set_output`` does not go with it.

        Returns
        -------
        factors : (n, q) ndarray, or (n, k, q) with ``all_components``
            In the type of the rows. Those of different components are coordinates along different
            axes; ``predict`` tells which component's they are.

        Notes
        -----
        Cost O(n k d q).
        """
        return self._by_blocks(X, self._all_factors if all_components else self._own_factors)

    def reconstruct(self, X: ArrayLike) -> Array:
        r"""What is left of each row (n, d) without its noise.

        The posterior mean of the noiseless row,
        :math:`\sum_j r_j (\mu_j + \Lambda_j E[z \mid x, j])` with the responsibilities r, in the
        type of the rows; O(n k d q).
        """
        return self._by_blocks(X, self._noiseless)

    def _by_blocks(self, X: ArrayLike, function: Callable[[Array], Array]) -> Array:
        source, (k, d, q) = self._rows(X), self.loadings_.shape
        rows = max(16, _NUMBERS_AT_ONCE // max(d, k * q))

        def in_parts(block: Array) -> Array:
            starts = range(0, len(block), rows)
            parts = [function(block[start : start + rows]) for start in starts]
            return np.concatenate(parts).astype(source.dtype, copy=False)

        return source.map_rows(in_parts)

    def _own_factors(self, X: Array) -> Array:
        parameters, labels = self.mixture_.parameters, self.mixture_.predict(X)
        factors = np.empty((len(X), parameters.n_factors))
        for j in np.unique(labels):
            own = labels == j
            factors[own] = self._factors(X[own], parameters.take([j]))[:, 0]
        return factors

    def _all_factors(self, X: Array) -> Array:
        return self._factors(X, self.mixture_.parameters)

    def _factors(self, X: Array, parameters: Any) -> Array:
        family: Any = self.mixture_.family
        factors: Array = family.factor_means(parameters, X)
        return factors

    def _noiseless(self, X: Array) -> Array:
        parameters, resp = self.mixture_.parameters, self.mixture_.responsibilities(X)
        k, d, q = parameters.loadings.shape
        shares = (resp[:, :, None] * self._all_factors(X)).reshape(len(X), k * q)
        directions = parameters.loadings.swapaxes(1, 2).reshape(k * q, d)
        noiseless: Array = resp @ parameters.means + shares @ directions
        return noiseless
