"""Gaussian ARTMAP: a classifier that learns one row at a time and makes categories as it needs."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from emplus.artmap.categories import Categories
from emplus.artmap.scaling import Scaling, column_units
from emplus.artmap.training import Manner, learn_rows, taught
from emplus.artmap.votes import class_log_votes, pooled
from emplus.errors import ArgumentError
from emplus.estimators.artmap_files import pack_voters, unpack_voters
from emplus.estimators.artmap_labels import places, same
from emplus.estimators.display import Displayed
from emplus.estimators.validation import (
    check_entries,
    check_number,
    check_positive_int,
    check_spread,
    given_array,
    make_rng,
    unless_refused,
    unmasked,
)
from emplus.numerics.moments import Moments
from emplus.numerics.threads import effective_n_jobs, single_threaded

__all__ = ["GaussianARTMAP"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]


class GaussianARTMAP(ClassifierMixin, Displayed):  # type: ignore[misc]  # untyped bases
    r"""Gaussian ARTMAP (Williamson 1996, 1997): incremental learning of Gaussian categories.

    Each category j is a Gaussian with separable variances and belongs to one class. With
    :math:`q_j(x) = \sum_i (x_i - \mu_{ji})^2/\sigma_{ji}^2` its match is
    :math:`G_j = e^{-q_j/2}` and its activation
    :math:`g_j = n_j \prod_i \sigma_{ji}^{-1} G_j`. A row is given to the class whose active
    categories have the largest sum of activations. Where that is wrong, vigilance rises to their
    match, they are reset and the others vote again; where nothing is left, a new category is made
    at the row. Where it is right, the class's active categories learn the row, each its share.

    Parameters
    ----------
    vigilance : float, default=0.0
        Resting value of rho, from 0 to below 1: only categories whose match is above it take part.
        More of it makes more and smaller categories.
    initial_std : float or (d,) array_like, default=0.6
        Standard deviation of a new category, gamma, in the units that ``scaling`` sets. Less of it
        makes more categories. A column each where it is an array.
    min_std : float, default=0.65
        Densities take no standard deviation below this share of ``initial_std``, which keeps
        categories that learned few rows from ruling out what lies beside them. What is learned is
        not touched by it. 0 is the published algorithm.
    winner_take_all : bool, default=False
        False is the form of 1997, in which all categories of a class vote and learn; True that of
        1996, in which the category of the largest activation does so alone.
    scaling : {'within', 'standard', 'minmax'} or None, default='within'
        Units of the columns inside: the standard deviation within the classes, that of all rows,
        or the range. None takes the columns as they are, so that ``initial_std`` is in their
        units. `partial_fit` takes them from its first block of rows.
    n_voters : int, default=1
        So many sets of categories learn the rows in orders of their own, and vote by the mean
        of the logarithms of their shares.
    max_epochs : int, default=2
        `fit` goes through the rows until it changes nothing (no row misclassified and no category
        made), but not more often than this. More epochs learn the training rows better, rarely
        the class of others.
    shuffle : bool, default=True
        Whether each epoch takes the rows in an order drawn by ``random_state``, or as they stand.
    random_state : int, RandomState, Generator or None
    n_jobs : int or None, default=1
        Processes among which `fit` shares out the voters; None is one for each core. No result
        depends on it.
    verbose : int, default=0
        Above 0, every epoch of every voter is printed.

    Attributes
    ----------
    classes_ : (c,) ndarray
    n_categories_ : int
        Number of categories k, of all voters together.
    means_, variances_ : (k, d) ndarray
        In the units of the columns; the variances are those of the densities.
    counts_ : (k,) ndarray
        Rows that each category has learned, shares added up, over all epochs.
    category_classes_ : (k,) ndarray
        The class that each belongs to.
    voters_ : (k,) ndarray of int
        The voter that each belongs to.
    n_epochs_ : int
        Epochs of `fit`, the most of any voter; 1 after `partial_fit` alone.
    converged_ : bool
        Whether the last epoch of every voter changed nothing.
    n_samples_seen_ : int
        Rows that were given to `fit` and, since then, to `partial_fit`.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    Notes
    -----
    Equations :eq:`artmap`, :eq:`vigilance` and :eq:`running` of the theory page. Learning a row
    costs O(k d), some 30 to 60 microseconds. Everything is kept as logarithms, so
    no activation underflows, however many columns there are.

    References
    ----------
    Williamson, J. R. (1996). Gaussian ARTMAP: a neural network for fast incremental learning of
    noisy multidimensional maps. Neural Networks 9, 881-897.

    Williamson, J. R. (1997). A constructive, incremental-learning network for mixture modeling
    and classification. Neural Computation 9, 1517-1543.

    Examples
    --------
    >>> from emplus import GaussianARTMAP
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "different")
    >>> model = GaussianARTMAP(n_voters=3, random_state=0).fit(X, y)
    >>> model.predict([[1.0, 1.0], [1.0, -1.0]]).tolist()
    ['same', 'different']
    """

    # Set by fit and partial_fit.
    classes_: NDArray[Any]
    n_features_in_: int
    n_epochs_: int
    n_samples_seen_: int
    converged_: bool
    _voters: list[Categories]
    _scaling: Scaling
    _seeds: list[list[int]]

    def __init__(
        self,
        vigilance: float = 0.0,
        *,
        initial_std: float | ArrayLike = 0.6,
        min_std: float = 0.65,
        winner_take_all: bool = False,
        scaling: str | None = "within",
        n_voters: int = 1,
        max_epochs: int = 2,
        shuffle: bool = True,
        random_state: Any = None,
        n_jobs: int | None = 1,
        verbose: int = 0,
    ):
        self.vigilance = vigilance
        self.initial_std = initial_std
        self.min_std = min_std
        self.winner_take_all = winner_take_all
        self.scaling = scaling
        self.n_voters = n_voters
        self.max_epochs = max_epochs
        self.shuffle = shuffle
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the rows from nothing, epoch by epoch, until one changes nothing.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like
            Their classes: numbers, words or truth values.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If a row holds NaN or infinity, or a column spreads too far to be squared.
        ArgumentError
            If an argument is not what the fit can use.
        """
        with unless_refused(self):
            rows, labels = self._read_known(X, y, reset=True)
            self._begin(rows, labels, None)
            manner, codes = self._manner(), places(labels, self.classes_)
            max_epochs = check_positive_int("max_epochs", self.max_epochs)
            units = self._scaling.apply(rows)

            given = units, codes, manner, max_epochs, bool(self.shuffle), bool(self.verbose)
            # Nearly all of it holds the interpreter's lock: processes, not threads.
            at_once = min(effective_n_jobs(self.n_jobs), len(self._voters))
            with single_threaded():
                ends = Parallel(n_jobs=at_once)(
                    delayed(taught)(voter, number, seed, *given)
                    for number, (voter, seed) in enumerate(
                        zip(self._voters, self._seeds, strict=True), start=1
                    )
                )
            self._voters = [voter for voter, _, _ in ends]
            self.n_epochs_ = max(number for _, number, _ in ends)
            self.converged_ = all(settled for _, _, settled in ends)
            self.n_samples_seen_ = len(rows)
        return self

    def partial_fit(self, X: Any, y: Any, classes: ArrayLike | None = None) -> Self:
        """Learn a block of rows, once each, and keep what was learned before.

        The first voter takes the rows as they come, the others in orders of their own.

        Parameters
        ----------
        X : (n, d) array_like
            The first block sets the units of the columns, unless ``scaling`` is None: it should
            hold some rows of each class.
        y : (n,) array_like
        classes : array_like, optional
            All classes that may ever come; needed in the first call only, and there only where
            ``y`` does not hold all of them.

        Returns
        -------
        self

        Raises
        ------
        DataError
            As `fit`, and if a class comes that the first call did not name. Nothing of the block
            is learned then.
        ArgumentError
            If ``classes`` are others than before.
        """
        with unless_refused(self):
            first = not hasattr(self, "_voters")
            rows, labels = self._read_known(X, y, reset=first)
            if first:
                self._begin(rows, labels, classes)
            elif classes is not None and not same(classes, self.classes_):
                raise ArgumentError(
                    "classes are not those of the first call; leave them out, or begin anew."
                )
            manner, codes = self._manner(), places(labels, self.classes_)
            units = self._scaling.apply(rows)
            seen = self.n_samples_seen_
            with single_threaded():
                for number, voter in enumerate(self._voters):
                    order = np.arange(len(units))
                    if number:
                        rng = np.random.default_rng([*self._seeds[number], seen])
                        order = rng.permutation(order)
                    learn_rows(voter, units, codes, order, manner)
            self.n_samples_seen_ = seen + len(rows)
        return self

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba` (n, c); -inf for a class of which no row was learned."""
        check_is_fitted(self)
        rows = self._scaling.apply(self._read(X))
        manner = self._manner()
        with single_threaded():
            return pooled([class_log_votes(voter, rows, manner) for voter in self._voters])

    def predict_proba(self, X: Any) -> Array:
        """Shares of the classes in the activation of each row (n, c), which sum to 1."""
        shares: Array = np.exp(self.predict_log_proba(X))
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of the largest share of each row (n,)."""
        votes = self.predict_log_proba(X)
        return np.asarray(self.classes_[votes.argmax(axis=1)])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to a file; see `emplus.io.save`."""
        from emplus.io import save

        check_is_fitted(self)
        save(self, path)

    @property
    def n_categories_(self) -> int:
        """Number of categories of all voters together."""
        return sum(categories.size for categories in self._known_voters())

    @property
    def means_(self) -> Array:
        """Means of the categories (k, d)."""
        means = np.concatenate([categories.means for categories in self._known_voters()])
        return self._scaling.means(means)

    @property
    def variances_(self) -> Array:
        """Variances of the categories (k, d), as densities take them."""
        known = [categories.density_variances for categories in self._known_voters()]
        return self._scaling.variances(np.concatenate(known))

    @property
    def counts_(self) -> Array:
        """Rows that the categories have learned (k,)."""
        return np.concatenate([categories.counts for categories in self._known_voters()])

    @property
    def category_classes_(self) -> NDArray[Any]:
        """Classes of the categories (k,)."""
        codes = np.concatenate([categories.classes for categories in self._known_voters()])
        return np.asarray(self.classes_[codes])

    @property
    def voters_(self) -> Indices:
        """Voters of the categories (k,)."""
        sizes = [categories.size for categories in self._known_voters()]
        return np.repeat(np.arange(len(sizes)), sizes)

    def _known_voters(self) -> Sequence[Categories]:
        check_is_fitted(self)
        return self._voters

    def _read_known(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, NDArray[Any]]:
        rows, labels = validate_data(
            self, unmasked(X), unmasked(y), reset=reset, dtype=np.float64, ensure_all_finite=False
        )
        check_classification_targets(labels)
        names = getattr(self, "feature_names_in_", None)
        check_entries(rows, names, allow_missing=False, could_allow=False)
        # In a stream, as far as rows lie from where it began.
        begun = rows if reset else np.vstack([self._scaling.shift, rows])
        check_spread(Moments.of(begun), 8, names)
        return rows, labels

    def _read(self, X: Any) -> Array:
        rows: Array = validate_data(
            self, unmasked(X), reset=False, dtype=np.float64, ensure_all_finite=False
        )
        names = getattr(self, "feature_names_in_", None)
        check_entries(rows, names, allow_missing=False, could_allow=False)
        return rows

    def _begin(self, rows: Array, labels: NDArray[Any], classes: ArrayLike | None) -> None:
        """Classes, units, and voters without categories."""
        self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
        n_voters = check_positive_int("n_voters", self.n_voters)
        if n_voters > 1 and not self.shuffle:
            raise ArgumentError(
                f"n_voters={n_voters} voters would all learn the same with shuffle=False; "
                "use one voter, or let each have an order of its own."
            )
        units = column_units(self.scaling, rows, places(labels, self.classes_))
        self._scaling = Scaling(units.shift, units.unit * self._initial_std(rows.shape[1]))
        self._voters = [self._without_categories() for _ in range(n_voters)]
        rng = make_rng(self.random_state)
        self._seeds = [rng.integers(2**32, size=4).tolist() for _ in range(n_voters)]
        self.n_epochs_, self.converged_, self.n_samples_seen_ = 1, False, 0

    def _without_categories(self) -> Categories:
        floor = check_number("min_std", self.min_std) ** 2
        return Categories(self.n_features_in_, len(self.classes_), floor)

    def _initial_std(self, d: int) -> Array:
        std: Any = self.initial_std
        if isinstance(std, numbers.Real):
            return np.full(d, check_number("initial_std", std, above_zero=True))
        given = given_array("initial_std", std, (d,))
        if not (given > 0.0).all():
            raise ArgumentError("initial_std must be above 0 in every column.")
        return given

    def _manner(self) -> Manner:
        vigilance = check_number("vigilance", self.vigilance)
        if vigilance >= 1.0:
            raise ArgumentError(
                f"vigilance={self.vigilance!r} lets no category be active; it must be below 1."
            )
        return Manner(vigilance, bool(self.winner_take_all))

    def _pack_model(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What a model file holds: arrays by name, and facts fit for JSON."""
        return pack_voters(self)

    def _unpack_model(self, arrays: dict[str, Array], facts: dict[str, Any]) -> None:
        """Become the fitted estimator that a model file describes."""
        unpack_voters(self, arrays, facts)
