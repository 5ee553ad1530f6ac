"""Mixtures of any family, also of one that was added from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.data.base import Block, Source
from emplus.data.cluster import is_dask
from emplus.data.opening import is_stored
from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.rules import StepRule
from emplus.errors import ArgumentError, DataError
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.far_rows import opened_rows
from emplus.estimators.validation import column_name, given_array, pseudo_rows
from emplus.families.base import Family, first_refused
from emplus.families.registry import make_family
from emplus.mixture import Mixture
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["FamilyMixture"]

Array = NDArray[np.floating]


class FamilyMixture(MixtureEstimator):
    """Mixture of components of any family, also of one from outside emplus.

    Parameters
    ----------
    n_components : int, default=1
        Number of components k.
    family : str or Family, default='gaussian'
        A name that `register_family`, or an installed package, has made known; or the family
        itself, such as ``Poisson()``.
    prior : float, sequence of float or 'auto', default='auto'
        Strength m of the family's prior, in rows; for a product also one for each part. 'auto' is
        two rows, or less where components differ so much that it would cost them more than 3e-4
        nats a row; a family that can tell how well its rows foretell each other chooses by that.
        0 is maximum likelihood.
    tol : float, default=1e-6
    max_iter : int, default=1000
    n_init : int, default=1
    init_params : {'k-means++', 'kmeans', 'random', 'random_from_data'} or Start
    weights_init : (k,) array_like, optional
    means_init : (k, d) array_like, optional
        Starting means, and centres from which what else there is is estimated.
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
        All as of `GaussianMixture`.

    Attributes
    ----------
    weights_ : (k,) ndarray
    means_ : (k, d) ndarray
        What each column is expected to be; NaN for columns of categories.
    parameters_ : dict of str to ndarray
        The family's parameters by name, as model files hold them.
    prior_ : object
        The family's prior. Not in a loaded model.
    converged_, n_iter_, lower_bound_, lower_bounds_, mixture_, result_
        As of `GaussianMixture`.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.register_family : makes a family known by its name.

    Notes
    -----
    Families of emplus have estimators of their own, which know more of what people want of them;
    this one is for all others.

    Examples
    --------
    >>> from emplus import FamilyMixture, datasets
    >>> X = datasets.load("faithful").X
    >>> model = FamilyMixture(2, family="factor-analyzer", random_state=0).fit(X)
    >>> sorted(model.parameters_), model.means_.shape
    (['loadings', 'means', 'noise_variance'], (2, 2))
    """

    means_: Array
    parameters_: dict[str, Array]

    def __init__(
        self,
        n_components: int = 1,
        *,
        family: str | Family = "gaussian",
        prior: float | Sequence[float] | str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str | Start = "k-means++",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
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
        self.family = family
        self.prior = prior
        self.means_init = means_init

    def _family(self, n_features: int) -> Family:
        if isinstance(self.family, str):
            return make_family(self.family)
        if isinstance(self.family, type) or not hasattr(self.family, "kernel"):
            raise ArgumentError(
                f"family={self.family!r} is neither a name nor a family; give an object such as "
                "Poisson(), not its class."
            )
        return self.family

    def _strength(self) -> Any:
        if isinstance(self.prior, Sequence) and not isinstance(self.prior, str):
            return tuple(pseudo_rows("prior", one) for one in self.prior)
        return pseudo_rows("prior", self.prior)

    def _means(self, n_features: int) -> Array | None:
        if self.means_init is None:
            return None
        return given_array("means_init", self.means_init, (self.n_components, n_features))

    def _read(self, X: Any, *, reset: bool) -> Any:
        # What was fitted, not what the arguments may have come to ask for.
        if is_stored(X):
            return opened_rows(self, X, self.allow_missing, reset=reset, check=self._check_values)
        rows = super()._read(X, reset=reset)
        self._check_values(rows, None)
        return rows

    def _check_values(self, rows: Array, numbers: NDArray[np.intp] | None) -> None:
        """Refuse entries that the family's columns cannot hold, naming the first."""
        refused = first_refused(self._family(rows.shape[1]), rows)
        if refused is not None:
            row, column, values = refused
            place = row if numbers is None else int(numbers[row])
            raise DataError(
                f"{column_name(column, self._names).capitalize()} holds {rows[row, column]:g} in "
                f"row {place}, but it must hold {values}; correct it, or choose another family."
            )

    def _source(
        self, X: Any, sample_weight: ArrayLike | None, labels: ArrayLike | None, k: int
    ) -> Source:
        source = super()._source(X, sample_weight, labels, k)
        if is_dask(X):
            family = self._family(source.n_features)
            (found,) = source.reduce(_Refused(family), source.n_features)
            if found.any():
                name = column_name(int(found.argmax()), self._names)
                raise DataError(
                    f"{name.capitalize()} holds values that the family {family.name!r} cannot "
                    "have; correct them, or choose another family."
                )
        return source

    def _publish(self) -> None:
        family, parameters = self.mixture_.family, self.mixture_.parameters
        self.means_ = family.means(parameters)
        self.parameters_ = family.pack(parameters)

    def _describe(self, description: Any, mixture: Mixture) -> None:
        # A family that was given as an object is in the file beside the arguments.
        if not isinstance(self.family, str) or self._named() != mixture.family:
            self.family = mixture.family

    def _named(self) -> Family | None:
        try:
            return self._family(0)
        except ArgumentError:
            return None


@final
@dataclass(frozen=True)
class _Refused:
    """On a worker, in which columns a block holds something that the family cannot have."""

    family: Family

    def __call__(self, block: Block) -> tuple[Array]:
        found = np.zeros(block.X.shape[1])
        if len(block.X) and (refused := first_refused(self.family, block.X)) is not None:
            found[refused[1]] = 1.0
        return (found,)
