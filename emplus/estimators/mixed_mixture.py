"""Mixtures for tables whose columns are of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.data.choices import Chosen
from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError
from emplus.estimators.coded import CodedEstimator
from emplus.estimators.validation import pseudo_rows, with_room_for
from emplus.families.base import Family
from emplus.families.bernoulli import Bernoulli
from emplus.families.categorical import Categorical
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product
from emplus.families.registry import make_covariance
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["MixedMixture"]

Array = NDArray[np.floating]


class MixedMixture(CodedEstimator):
    r"""Mixture for tables of numbers, truth values and categories, with holes.

    Given the component, the continuous columns are Gaussian or factor analyzers together, and the
    binary and categorical ones are independent of them and of each other.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Of the continuous columns.
    n_factors : int, optional
        Factor analyzers with that many factors in place of covariances, for many columns.
    continuous, binary, categorical : sequence of column names or numbers, optional
        What these columns are, whatever their type. Otherwise truth values and columns of only 0
        and 1 are binary, other numbers continuous, text and pandas categoricals categorical.
    reg_covar : float or 'auto', default='auto'
        Rows of the continuous columns' prior, as of `GaussianMixture`.
    prior : float or 'auto', default='auto'
        Pseudo-rows of the other columns' prior, as of `CategoricalMixture`.
    tol : float, default=1e-6
        The fit has converged when the objective changes by no more than this, in nats a row.
    max_iter : int, default=1000
    n_init : int, default=1
    init_params : {'k-means++', 'kmeans', 'random', 'random_from_data'} or Start
    weights_init : (k,) array_like, optional
    random_state : int, RandomState, Generator or None
    warm_start : bool, default=False
    verbose : int, default=0
    verbose_interval : int, default=10
    search : str or Search, default='split_merge'
    n_jobs : int, optional
    observers : sequence of Observer, optional
    allow_missing : bool, default=True
    optimizer : str or StepRule, default='em'
    accelerate : str or None, default='auto'
    learning_rate : float or LearningRate, optional
        All as of `GaussianMixture`; missing are NaN, None and pandas' NA.

    Attributes
    ----------
    weights_ : (k,) ndarray
    means_ : (k, c) ndarray
        Means of the continuous columns, in their order; c may be 0.
    covariances_ : ndarray
        Theirs, in the shape of ``covariance_type``; with ``n_factors`` (k, c, c).
    probabilities_ : dict of (k, L) ndarray
        Probabilities of the categories of each other column under each component, by its name or
        number.
    categories_ : dict of (L,) ndarray
        Their categories, in the same order.
    coding_ : Coding
        Kinds of the columns; how the table becomes numbers, and numbers the table.
    prior_ : tuple
        The priors of the kinds of columns that there are. Not in a loaded model.
    converged_, n_iter_, lower_bound_, lower_bounds_, mixture_, result_
        As of `GaussianMixture`.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    Notes
    -----
    Tables may be pandas data frames, others that have ``to_pandas`` or ``__dataframe__``, or
    arrays. A category that was not there at the fit counts as missing, with a warning. Densities
    are joint, equation :eq:`product` of the theory page: log densities of the continuous columns
    plus log probabilities of the others.

    Examples
    --------
    >>> import pandas as pd
    >>> from emplus import MixedMixture
    >>> rng = np.random.default_rng(0)
    >>> old = np.repeat([False, True], 100)
    >>> people = pd.DataFrame({
    ...     "age": np.where(old, 65.0, 25.0) + 4 * rng.standard_normal(200),
    ...     "retired": old & (rng.random(200) < 0.8),
    ...     "music": np.where(rng.random(200) < 0.8, np.where(old, "jazz", "pop"), None),
    ... })
    >>> model = MixedMixture(2, random_state=0).fit(people)
    >>> model.coding_.kinds
    ('continuous', 'binary', 'categorical')
    >>> bool(np.ptp(model.means_[:, 0]) > 30)
    True
    >>> model.sample(2, random_state=0)[0].dtypes.astype(str).tolist()[:2]
    ['float64', 'bool']
    """

    means_: Array
    probabilities_: dict[Any, Array]
    categories_: dict[Any, NDArray[Any]]

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        n_factors: int | None = None,
        continuous: Chosen = None,
        binary: Chosen = None,
        categorical: Chosen = None,
        reg_covar: float | str = "auto",
        prior: float | str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str | Start = "k-means++",
        weights_init: ArrayLike | None = None,
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
        self.covariance_type = covariance_type
        self.n_factors = n_factors
        self.continuous = continuous
        self.binary = binary
        self.categorical = categorical
        self.reg_covar = reg_covar
        self.prior = prior

    def _chosen(self, n_features: int) -> dict[str, Chosen]:
        return {
            "continuous": self.continuous,
            "binary": self.binary,
            "categorical": self.categorical,
        }

    def _columns(self, kind: str) -> tuple[int, ...]:
        return tuple(at for at, found in enumerate(self.coding_.kinds) if found == kind)

    def _family(self, n_features: int) -> Product:
        columns = [self._columns(kind) for kind in ("continuous", "binary", "categorical")]
        levels = tuple(self.coding_.levels[column] for column in columns[2])
        families: list[Family | None] = [
            self._continuous(len(columns[0])),
            Bernoulli(),
            Categorical(levels) if levels else None,
        ]
        present = [(one, own) for one, own in zip(families, columns, strict=True) if one and own]
        return Product(tuple(one for one, _ in present), tuple(own for _, own in present))

    def _continuous(self, n_columns: int) -> Family:
        if self.n_factors is None:
            structure = make_covariance(self.covariance_type)
            return Gaussian(with_room_for(structure, self.n_components, n_columns))
        family = FactorAnalyzer(self.n_factors)
        if n_columns and family.n_factors > n_columns:
            raise ArgumentError(
                f"n_factors={family.n_factors} is more than the {n_columns} continuous columns."
            )
        return family

    def _strength(self) -> tuple[float | None, ...]:
        continuous = pseudo_rows("reg_covar", self.reg_covar)
        counted = pseudo_rows("prior", self.prior)
        kinds = {"continuous": continuous, "binary": counted, "categorical": counted}
        return tuple(strength for kind, strength in kinds.items() if self._columns(kind))

    def _publish(self) -> None:
        others = [at for at, kind in enumerate(self.coding_.kinds) if kind != "continuous"]
        labels = self._column_labels() if self.coding_.names else range(self.n_features_in_)
        self.probabilities_ = {labels[at]: self._level_probabilities(at) for at in others}
        self.categories_ = {
            labels[at]: np.asarray(self.coding_.columns[at].categories) for at in others
        }
        if len(others) == len(self.coding_.kinds):
            self.means_ = np.zeros((self.n_components, 0))
        else:
            self.means_ = self.mixture_.parameters.parts[0].means

    @property
    def covariances_(self) -> Array:
        """Covariances of the continuous columns."""
        k, c = self.means_.shape
        if c == 0:
            return np.zeros((k, 0, 0))
        family: Any = self.mixture_.family.parts[0][0]
        part = self.mixture_.parameters.parts[0]
        if self.n_factors is None:
            covariances: Array = part.covariances
            return covariances
        full: Array = family.full_covariances(part)
        return full
