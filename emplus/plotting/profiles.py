"""What each component expects of each column: means, or probabilities of categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.errors import ArgumentError
from emplus.mixture import Mixture

__all__ = ["Categories", "Numbers", "Profile", "mixture_of", "profile"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The columns of numbers; there may be none.

    Attributes
    ----------
    columns : ndarray (c,)
        Their places in the table, ascending.
    names : tuple of str
    means, deviations : ndarray (k, c)
    """

    columns: NDArray[np.intp]
    names: tuple[str, ...]
    means: Floats
    deviations: Floats

    def overall(self, weights: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (c,) of each column under the whole mixture."""
        mean = weights @ self.means
        variance = weights @ (self.deviations**2 + (self.means - mean) ** 2)
        return mean, np.sqrt(variance)


@dataclass(frozen=True, eq=False)
class Categories:
    """A binary or categorical column.

    Attributes
    ----------
    column : int
    name : str
    levels : tuple
        The values of the column, in the order of their codes.
    probabilities : ndarray (k, L)
    """

    column: int
    name: str
    levels: tuple[Any, ...]
    probabilities: Floats

    @property
    def binary(self) -> bool:
        """Whether one probability says it all."""
        return len(self.levels) == 2

    def overall(self, weights: Floats) -> Floats:
        """Probabilities (L,) under the whole mixture."""
        overall: Floats = weights @ self.probabilities
        return overall


@dataclass(frozen=True, eq=False)
class Profile:
    """Every column under every component.

    Attributes
    ----------
    weights : ndarray (k,)
    numbers : Numbers
    categories : tuple of Categories
        In the order of the columns.
    """

    weights: Floats
    numbers: Numbers
    categories: tuple[Categories, ...]


def mixture_of(estimator: Any) -> Mixture:
    """The mixture of a fitted estimator, or the mixture itself.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    mixture = estimator if isinstance(estimator, Mixture) else getattr(estimator, "mixture_", None)
    if not isinstance(mixture, Mixture):
        raise ArgumentError(
            f"{type(estimator).__name__} has no mixture to draw; fit it on data first."
        )
    return mixture


def profile(estimator: Any, names: Sequence[str] | None = None) -> Profile:
    """What each component of a mixture expects of each column; O(size of the parameters).

    Parameters
    ----------
    estimator : fitted estimator or Mixture
        An estimator with a ``coding_`` gives the categories their own values.
    names : sequence of str, optional
        Names of all columns; by default the estimator's, or ``column 0``, ``column 1``, ...

    Returns
    -------
    profile : Profile

    Examples
    --------
    >>> mixture = Mixture.gaussian([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]], "diag")
    >>> profile(mixture).numbers.overall(np.array([0.5, 0.5]))
    (array([2.]), array([2.23606798]))
    """
    mixture = mixture_of(estimator)
    d = mixture.n_features
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    called = [f"column {j}" for j in range(d)] if names is None else [str(n) for n in names]
    if len(called) != d:
        raise ArgumentError(f"There are {len(called)} names for the mixture's {d} columns.")
    coding = getattr(estimator, "coding_", None)
    family, parameters = mixture.family, mixture.parameters
    categories: list[Categories] = []
    numeric: list[int] = []
    for column, theta in enumerate(family.probabilities(parameters)):
        if theta is None:
            numeric.append(column)
            continue
        levels = tuple(range(theta.shape[1]))
        if coding is not None and coding.columns[column].categories:
            levels = coding.columns[column].categories
        shares = np.asarray(theta, dtype=np.float64)
        categories.append(Categories(column, called[column], levels, shares))
    columns = np.array(numeric, dtype=np.intp)
    means = np.asarray(family.means(parameters), dtype=np.float64)[:, columns]
    deviations = np.sqrt(family.variances(parameters)[:, columns])
    numbers = Numbers(columns, tuple(called[j] for j in numeric), means, deviations)
    weights = np.asarray(mixture.weights, dtype=np.float64)
    return Profile(weights, numbers, tuple(categories))
