"""Mixtures of categorical components: latent class analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.data.choices import Chosen
from emplus.engine.observers import Observer
from emplus.engine.online import LearningRate
from emplus.engine.rules import StepRule
from emplus.estimators.coded import CodedEstimator
from emplus.estimators.validation import pseudo_rows
from emplus.families.categorical import Categorical
from emplus.search.base import Search
from emplus.starts.base import Start

__all__ = ["CategoricalMixture"]

Array = NDArray[np.floating]


class CategoricalMixture(CodedEstimator):
    r"""Mixture of categorical components (latent class analysis): survey answers, symptoms, types.

    Columns of categories, independent of each other given the component.

    Parameters
    ----------
    n_components : int, default=1
        Number of components (latent classes) k.
    prior : float or 'auto', default='auto'
        Strength m of the prior, in pseudo-rows: each component is fitted as if it had seen m more
        rows, with each category's frequency in all rows. A probability is
        :math:`(N_{jal} + m f_{al})/(n_{ja} + m)`, the mode under a Dirichlet density that is part
        of the objective. 'auto' takes the power of two, from 1/128 to 16, under which the rows of
        the components best foretell each other when each is left out in turn; ``prior_`` tells.
        1e-6 is as good as none, 0 is none.
    tol : float, default=1e-9
        The fit has converged when the objective changes by no more than this, in nats a row. Latent
        classes that a few answers tell apart climb slowly, so it is small.
    max_iter : int, default=10000
        Most iterations of one start.
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
    categories_ : list of (L_a,) ndarray
        The categories of each column, in the order of their codes.
    probabilities_ : list of (k, L_a) ndarray
        Probabilities of the categories of each column under each component.
    coding_ : Coding
        How the table becomes codes, and codes the table.
    prior_ : PseudoCounts
        The prior: ``strength`` m and ``frequencies`` of all levels. Not in a loaded model.
    converged_, n_iter_, lower_bound_, lower_bounds_, mixture_, result_
        As of `GaussianMixture`.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.BernoulliMixture : zeros and ones, also sparse.
    emplus.MixedMixture : columns of several kinds.

    Notes
    -----
    Every column is taken as categorical, whatever it holds: text, whole numbers, truth values. A
    category that was not there at the fit counts as missing, with a warning. An iteration costs
    O(n k t) with t the number of categories in all columns. EM for latent classes: Goodman (1974);
    equations :eq:`categorical`, :eq:`prior-counts` and :eq:`m-step-counts` of the theory page.

    Examples
    --------
    >>> from emplus import CategoricalMixture
    >>> rng = np.random.default_rng(0)
    >>> classes = np.repeat([0, 1], 100)
    >>> noise = rng.integers(0, 3, (200, 5))
    >>> answers = np.where(rng.random((200, 5)) < 0.85, classes[:, None], noise)
    >>> table = np.array(["agree", "disagree", "unsure"])[answers]
    >>> model = CategoricalMixture(2, random_state=0).fit(table)
    >>> model.categories_[0].tolist(), model.probabilities_[0].shape
    (['agree', 'disagree', 'unsure'], (2, 3))
    """

    categories_: list[NDArray[Any]]
    probabilities_: list[Array]

    def __init__(
        self,
        n_components: int = 1,
        *,
        prior: float | str = "auto",
        tol: float = 1e-9,
        max_iter: int = 10_000,
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
        self.prior = prior

    def _chosen(self, n_features: int) -> dict[str, Chosen]:
        return {"categorical": range(n_features)}

    def _family(self, n_features: int) -> Categorical:
        return Categorical(self.coding_.levels)

    def _strength(self) -> float | None:
        return pseudo_rows("prior", self.prior)

    def _publish(self) -> None:
        columns = range(len(self.coding_.columns))
        self.categories_ = [np.asarray(column.categories) for column in self.coding_.columns]
        self.probabilities_ = [self._level_probabilities(column) for column in columns]
