"""A classifier whose classes are mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from emplus.errors import ArgumentError
from emplus.estimators.base import MixtureEstimator
from emplus.estimators.class_codes import by_class, classes_from_json, classes_to_json
from emplus.estimators.class_fits import ClassFits, Fitted
from emplus.estimators.class_rows import ClassRows
from emplus.estimators.display import Displayed
from emplus.estimators.gaussian_mixture import GaussianMixture
from emplus.estimators.recording import journal_of
from emplus.estimators.validation import check_number, check_positive_int, unless_refused
from emplus.numerics.logspace import log_or_minus_infinity

__all__ = ["MixtureClassifier"]

Array = NDArray[np.floating]


class MixtureClassifier(ClassifierMixin, Displayed):  # type: ignore[misc]  # untyped bases
    r"""Bayes' rule with a mixture for the rows of each class.

    .. math:: p(c \mid x) = \frac{\pi_c \, p_c(x)}{\sum_b \pi_b \, p_b(x)}, \qquad
              p_c(x) = \sum_{j=1}^{k_c} w_{cj} \, p(x \mid \theta_{cj})

    This is equation :eq:`bayes` of the theory page.

    With one Gaussian a class this is quadratic discriminant analysis, with one covariance each;
    with several it is mixture discriminant analysis (Hastie & Tibshirani 1996), a network of
    radial basis functions trained by EM. Any mixture of this package will do, with any search.

    Parameters
    ----------
    mixture : mixture estimator, optional
        Cloned for each class; None is ``GaussianMixture()``. Its number of components is that of
        each class.
    n_components : int or dict, optional
        Components of every class, or by class; None, or a class that is not named, leaves the
        mixture's own.
    priors : (C,) array_like or dict, optional
        Probabilities of the classes, in the order of ``classes_`` or by class, which sum to 1; None
        for the classes' parts in the weight of the rows.
    unlabeled : int, str or None, default=-1
        The label of rows whose class is not known, as in `sklearn.semi_supervised`; None and NaN
        are that in any case. -1 counts as a class of its own where there is only one other, since
        -1 and 1 are the names of two classes to many; with ``unlabeled=None`` it always does.
    tol : float, default=1e-6
        With rows of unknown class: EM over the classes has converged when the objective changes
        by no more than this, in nats a row.
    max_iter : int, default=1000
        Most iterations of that.
    random_state : int, RandomState, Generator or None
        Gives each class a seed of its own, which depends on this and the class alone; None for the
        mixture's ``random_state``.
    n_jobs : int, optional
        Threads of each mixture; None leaves the mixture's own.

    Attributes
    ----------
    classes_ : (C,) ndarray
    class_prior_ : (C,) ndarray
    mixtures_ : list of mixture estimators
        Fitted, in the order of the classes.
    objectives_ : list of float
        Log-likelihood of the rows with their classes, and log priors of the parameters, in nats:
        at the start and after each iteration over the classes; one number where all are known.
    n_iter_ : int
        Iterations over the classes; 1 where all are known, which need no other.
    converged_ : bool
    n_unlabeled_ : int
        Rows of unknown class in the fit.
    n_features_in_ : int
    feature_names_in_ : (d,) ndarray of str
        Only after a fit on a data frame.

    See Also
    --------
    emplus.GaussianMixture : the mixture of a class by default.

    Notes
    -----
    The fit costs that of a mixture on each class's own rows; predictions that of ``score_samples``
    of each. Tables are coded as a whole: a category that a class lacks has the small probability
    there that the prior gives it.

    With rows of unknown class, the mixtures are fitted to the known rows, then to all rows, shared
    out by the classes' probabilities; from there EM raises the likelihood of all rows together,
    those of unknown class as rows of any class, equation :eq:`partial-labels`. An iteration costs
    two passes over all of them for each class.

    A class of fewer different rows than components gets one component for each, with a warning.

    Examples
    --------
    >>> from emplus import GaussianMixture, MixtureClassifier, datasets
    >>> iris = datasets.load("iris")
    >>> model = MixtureClassifier(GaussianMixture(2), random_state=0).fit(iris.X, iris.y)
    >>> bool(model.score(iris.X, iris.y) > 0.97)
    True
    >>> model.predict_proba(iris.X[:1]).round(2).tolist()
    [[1.0, 0.0, 0.0]]
    """

    # Set by fit.
    classes_: NDArray[Any]
    class_prior_: Array
    mixtures_: list[Any]
    objectives_: list[float]
    n_iter_: int
    converged_: bool
    n_unlabeled_: int
    n_features_in_: int

    def __init__(
        self,
        mixture: MixtureEstimator | None = None,
        *,
        n_components: int | Mapping[Any, int] | None = None,
        priors: ArrayLike | Mapping[Any, float] | None = None,
        unlabeled: Any = -1,
        tol: float = 1e-6,
        max_iter: int = 1000,
        random_state: Any = None,
        n_jobs: int | None = None,
    ):
        self.mixture = mixture
        self.n_components = n_components
        self.priors = priors
        self.unlabeled = unlabeled
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        checkpoint: Any = None,
    ) -> Self:
        """Fit a mixture to the rows of each class.

        Parameters
        ----------
        X : (n, d) array_like
            Whatever the mixture takes.
        y : (n,) array_like
            Classes; ``unlabeled`` (-1), None or NaN where a row's class is not known.
        sample_weight : (n,) array_like, optional
            Weight 0 is as if the row were absent, weight 2 as if it stood there twice.
        checkpoint : path-like or Checkpoint, optional
            As of `GaussianMixture.fit`: the fits of the classes are kept.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the rows of a class cannot be fitted, or no row's class is known.
        ArgumentError
            If an argument is not what the fit can use.

        Warns
        -----
        DataWarning
            If classes have fewer different rows than components, and what the mixtures warn of.
        ConvergenceWarning
            If iterations ran out.
        """
        with unless_refused(self):
            tol = check_number("tol", self.tol)
            max_iter = check_positive_int("max_iter", self.max_iter)
            reader = self._template()
            rows = ClassRows.read(reader, X, y, sample_weight, self.unlabeled)
            self.classes_ = rows.classes
            numbers, priors = self._numbers(reader), self._priors()
            with journal_of(checkpoint, self, rows.source, None) as (journal, _):
                fits = ClassFits(reader, rows, numbers, priors, self.random_state, journal)
                fitted = fits.fitted(tol, max_iter)
            self._adopt(reader, fitted)
        return self

    def _template(self) -> Any:
        if self.mixture is None:
            template = GaussianMixture()
        elif isinstance(self.mixture, MixtureEstimator):
            template = clone(self.mixture)
        else:
            raise ArgumentError(
                f"mixture={self.mixture!r} is no mixture estimator of emplus, such as "
                "GaussianMixture(8)."
            )
        return template if self.n_jobs is None else template.set_params(n_jobs=self.n_jobs)

    def _numbers(self, template: Any) -> list[int]:
        """Components of each class."""
        given = self.n_components
        own = check_positive_int("n_components", template.n_components)
        if not isinstance(given, Mapping):
            number = own if given is None else check_positive_int("n_components", given)
            return [number] * len(self.classes_)
        found = by_class("n_components", given, self.classes_)
        return [own if k is None else check_positive_int("n_components", k) for k in found]

    def _priors(self) -> Array | None:
        """Probabilities of the classes as they are given."""
        if self.priors is None:
            return None
        given: Any = self.priors
        if isinstance(given, Mapping):
            given = by_class("priors", given, self.classes_)
            if None in given:
                lacking = self.classes_.tolist()[given.index(None)]
                raise ArgumentError(f"priors lacks the class {lacking!r}; name every class.")
        try:
            priors = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError("priors holds something that is not a number.") from None
        if priors.shape != self.classes_.shape:
            raise ArgumentError(
                f"priors has shape {priors.shape} for {len(self.classes_)} classes; give one each."
            )
        if not ((priors >= 0).all() and abs(priors.sum() - 1.0) < 1e-6):
            raise ArgumentError("priors must be at least 0 and sum to 1.")
        return np.asarray(priors / priors.sum())

    def _adopt(self, reader: Any, fitted: Fitted) -> None:
        self.mixtures_, self.class_prior_ = fitted.mixtures, fitted.priors
        self.objectives_, self.n_iter_ = fitted.objectives, max(1, len(fitted.objectives) - 1)
        self.converged_, self.n_unlabeled_ = fitted.converged, fitted.n_unlabeled
        self.n_features_in_ = reader.n_features_in_
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(reader, "feature_names_in_"):
            self.feature_names_in_ = reader.feature_names_in_

    @property
    def coding_(self) -> Any:
        """How a table becomes numbers; only where the mixture is one of tables."""
        return self.mixtures_[0].coding_

    def predict_joint_log_proba(self, X: Any) -> Array:
        """Joint log densities log pi_c + log p_c(x_i) of rows and classes (n, C)."""
        check_is_fitted(self)
        # All mixtures read a table in the same way, so it is read once.
        source = self.mixtures_[0]._rows(X)
        joint = np.empty((source.n_rows, len(self.classes_)))
        for place, one in enumerate(self.mixtures_):
            joint[:, place] = source.map_rows(one.mixture_.log_density)
        joint += log_or_minus_infinity(self.class_prior_)
        return joint

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each row (n,)."""
        likeliest = self.predict_joint_log_proba(X).argmax(axis=1)
        classes: NDArray[Any] = self.classes_[likeliest]
        return classes

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes for each row (n, C); rows sum to 1."""
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the classes' probabilities for each row (n, C); equal where all are 0."""
        joint = self.predict_joint_log_proba(X)
        joint[np.isneginf(joint).all(axis=1)] = 0.0
        joint -= logsumexp(joint, axis=1, keepdims=True)
        return joint

    def decision_function(self, X: Any) -> Array:
        """Joint log densities (n, C); with two classes their difference (n,), above 0 for the 2nd.

        As of `sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis`.
        """
        joint = self.predict_joint_log_proba(X)
        if joint.shape[1] != 2:
            return joint
        joint[np.isneginf(joint).all(axis=1)] = 0.0
        return joint[:, 1] - joint[:, 0]

    def score_samples(self, X: Any) -> Array:
        """Log density of each row (n,), whatever its class, in nats."""
        return np.asarray(logsumexp(self.predict_joint_log_proba(X), axis=1))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to a file; see `emplus.io.save`."""
        from emplus.io import save

        check_is_fitted(self)
        save(self, path)

    def _pack_model(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What a model file holds: the mixture of each class as in a file of its own."""
        from emplus.io.writing import pack_mixture

        arrays: dict[str, Array] = {
            "class_prior": self.class_prior_,
            "objectives": np.asarray(self.objectives_, dtype=np.float64),
        }
        mixtures = []
        for place, one in enumerate(self.mixtures_):
            own, facts = pack_mixture(one)
            arrays.update({f"{place}.{name}": array for name, array in own.items()})
            mixtures.append(facts)
        return arrays, {
            "classes": classes_to_json(self.classes_),
            "mixtures": mixtures,
            "converged": self.converged_,
            "n_unlabeled": self.n_unlabeled_,
        }

    def _unpack_model(self, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        """Become the fitted classifier that a model file describes."""
        from emplus.io.restoring import unpack_mixture

        self.classes_ = classes_from_json(facts["classes"])
        described, n = facts["mixtures"], len(self.classes_)
        if not isinstance(described, list) or len(described) != n:
            raise ValueError(f"it does not hold a mixture for each of its {n} classes")
        own: list[dict[str, Array]] = [{} for _ in range(n)]
        for name, array in arrays.items():
            place, dot, inner = name.partition(".")
            if dot and place.isdecimal() and int(place) < n:
                own[int(place)][inner] = array
            elif name not in ("class_prior", "objectives"):
                raise ValueError(f"it holds a tensor {name[:40]!r}, which no classifier has")
        self.mixtures_ = [unpack_mixture(*one) for one in zip(own, described, strict=True)]
        if any(one.n_features_in_ != self.n_features_in_ for one in self.mixtures_):
            raise ValueError("its mixtures are of other columns")
        prior, objectives = arrays["class_prior"], arrays["objectives"]
        if prior.shape != (n,) or not (prior >= 0).all() or abs(prior.sum() - 1.0) > 1e-6:
            raise ValueError("its class priors are not the probabilities of its classes")
        if objectives.ndim != 1 or not len(objectives):
            raise ValueError("its objectives are not a list of numbers")
        self.class_prior_, self.objectives_ = prior, objectives.tolist()
        self.n_iter_ = max(1, len(objectives) - 1)
        self.converged_, self.n_unlabeled_ = bool(facts["converged"]), int(facts["n_unlabeled"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        template = self.mixture if isinstance(self.mixture, MixtureEstimator) else GaussianMixture()
        tags.input_tags = template.__sklearn_tags__().input_tags
        return tags
