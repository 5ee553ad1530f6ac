"""The mixture: a value that scores, assigns, samples, conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import ArgumentError, DataError, UnknownNameError
from emplus.families.base import Array, Family, SingularComponentError, first_refused
from emplus.families.gaussian import Gaussian, infer_covariance
from emplus.families.registry import make_covariance
from emplus.numerics.logspace import log_normalize, log_or_minus_infinity
from emplus.numerics.moments import Moments
from emplus.numerics.sparse import is_sparse

__all__ = ["Mixture"]

# Rows scored at a time, so that scoring a long array needs no array of n x k besides the answer.
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Mixture:
    r"""A mixture of ``k`` components of one family.

    .. math:: p(x) = \sum_{j=1}^{k} w_j \, p(x \mid \theta_j)

    Equation :eq:`mixture` of the theory page.

    Parameters
    ----------
    family : Family
        What a component is.
    log_weights : (k,) ndarray
        Natural logarithms of the mixing weights, which sum to 1.
    parameters : Parameters
        The family's parameters of the k components.

    Examples
    --------
    >>> mixture = Mixture.gaussian([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> mixture.responsibilities([[0.0], [2.0]]).round(4).tolist()
    [[0.5, 0.5], [0.0003, 0.9997]]
    """

    family: Family
    log_weights: Array
    parameters: Any

    @classmethod
    def gaussian(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        covariance_type: str | None = None,
    ) -> Self:
        """Build a Gaussian mixture by hand.

        Parameters
        ----------
        weights : (k,) array_like
            Mixing weights; they must sum to 1.
        means : (k, d) array_like
        covariances : array_like
            (k, d, d) full, (d, d) tied, (k, d) diag or (k,) spherical.
        covariance_type : str, optional
            Needed only where the shape fits two of them (tied and diag with k = d).

        Raises
        ------
        ArgumentError
            If the shapes do not fit, the weights do not sum to 1, or a covariance is not
            positive definite.
        """
        w = np.asarray(weights, dtype=np.float64)
        mu = np.asarray(means, dtype=np.float64)
        sigma = np.asarray(covariances, dtype=np.float64)
        if mu.ndim != 2 or w.shape != (len(mu),):
            raise ArgumentError(
                f"means must be (k, d) and weights (k,); they are {mu.shape} and {w.shape}."
            )
        if not (np.isfinite(w).all() and (w >= 0).all() and abs(w.sum() - 1.0) < 1e-6):
            raise ArgumentError("weights must be at least 0 and sum to 1.")
        if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
            raise ArgumentError("means and covariances must be finite.")
        structures = infer_covariance(sigma, *mu.shape)
        if covariance_type is not None:
            wanted = make_covariance(covariance_type)
            structures = [s for s in structures if s.name == wanted.name]
        if len(structures) != 1:
            found = " or ".join(s.name for s in structures) or "no covariance type"
            raise ArgumentError(
                f"covariances of shape {sigma.shape} fit {found} for means of shape {mu.shape}"
                + ("; name one as covariance_type." if structures else ".")
            )
        family = Gaussian(structures[0])
        if structures[0].matrices:
            mirrored = sigma.swapaxes(-1, -2)
            if not np.allclose(sigma, mirrored, rtol=1e-6, atol=1e-9 * float(np.abs(sigma).max())):
                raise ArgumentError("A matrix in covariances is not symmetric.")
            # Exactly, from here on: a model file is refused where it is not.
            sigma = 0.5 * (sigma + mirrored)
        try:
            parameters = family.parameters(mu, sigma)
        except SingularComponentError as error:
            raise ArgumentError(f"Component {error.component}: {error.reason}.") from None
        return cls(family, log_or_minus_infinity(w / w.sum()), parameters)

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return len(self.log_weights)

    @property
    def n_features(self) -> int:
        """Number of columns d."""
        return self.family.n_features(self.parameters)

    @property
    def weights(self) -> Array:
        """Mixing weights (k,)."""
        weights: Array = np.exp(self.log_weights)
        return weights

    @property
    def n_free_parameters(self) -> int:
        """Free parameters of the components, and k - 1 mixing weights."""
        k = self.n_components
        return self.family.n_free_parameters(k, self.n_features) + k - 1

    def log_joint(self, X: ArrayLike) -> Array:
        """Joint log densities log w_j + log p(x_i | j), (n, k).

        -inf where a row lies so far away that the square of its distance is no number any more.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            joint = self._log_joint(self._rows(X))
            if not joint.sum() < np.inf:
                joint[~(joint < np.inf)] = -np.inf
        return joint

    def _log_joint(self, rows: Any) -> Array:
        n = rows.shape[0]
        joint = np.empty((self.n_components, n)).T
        dtype = rows.dtype if rows.dtype.kind == "f" else np.dtype(np.float64)
        kernel = self.family.kernel(
            self.parameters, self.log_weights, Moments.of(rows), dtype, scoring=True
        )
        for start in range(0, n, _ROWS_AT_ONCE):
            block = kernel.encode(rows[start : start + _ROWS_AT_ONCE])
            np.add(
                kernel.log_joint(block),
                np.reshape(kernel.common(block), (-1, 1)),
                out=joint[start : start + _ROWS_AT_ONCE],
            )
        joint[:, np.isneginf(self.log_weights)] = -np.inf
        return joint

    def log_density(self, X: ArrayLike) -> Array:
        """Log densities log p(x_i).

        Parameters
        ----------
        X : (n, d) array_like
            NaN where an entry is missing.

        Returns
        -------
        log_density : (n,) ndarray
            In nats.
        """
        return log_normalize(self.log_joint(X))

    def responsibilities(self, X: ArrayLike) -> Array:
        """p(j | x_i), equation :eq:`responsibilities` of the theory page.

        Parameters
        ----------
        X : (n, d) array_like
            NaN where an entry is missing.

        Returns
        -------
        responsibilities : (n, k) ndarray
            Rows sum to 1.
        """
        joint = self.log_joint(X)
        log_normalize(joint)
        return joint

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """The most responsible component of each row (n,)."""
        labels: NDArray[np.intp] = np.argmax(self.log_joint(X), axis=1)
        return labels

    def impute(self, X: ArrayLike) -> Array:
        """The rows with missing entries (NaN) filled from what is there in them (n, d).

        A continuous column gets its posterior mean, averaged over the components by their
        responsibilities; a binary or categorical one its likeliest value.

        Examples
        --------
        >>> pair = Mixture.gaussian([1.0], [[0.0, 0.0]], [[[1.0, 0.6], [0.6, 1.0]]])
        >>> pair.impute([[2.0, np.nan], [1.0, 1.0]]).round(6).tolist()
        [[2.0, 1.2], [1.0, 1.0]]
        """

        def fill(rows: Array) -> Array:
            return self.family.impute(self.parameters, rows, self.responsibilities(rows))

        return self._filled(X, fill)

    def sample_missing(self, X: ArrayLike, rng: np.random.Generator) -> Array:
        """The rows with missing entries (NaN) drawn given what is there in them (n, d).

        What multiple imputation takes: a component is drawn from each row's responsibilities, and
        the missing entries from it.
        """

        def fill(rows: Array) -> Array:
            upper = np.cumsum(self.responsibilities(rows), axis=1)
            drawn = rng.random(len(rows)) * upper[:, -1]
            labels = (drawn[:, None] >= upper[:, :-1]).sum(axis=1)
            return self.family.sample_missing(self.parameters, rows, labels, rng)

        return self._filled(X, fill)

    def _filled(self, X: ArrayLike, fill: Callable[[Array], Array]) -> Array:
        rows = self._rows(X)
        if is_sparse(rows):
            raise ArgumentError("Sparse rows have no missing entries to fill.")
        filled: Array = rows.astype(np.float64)
        lacking = np.flatnonzero(np.isnan(filled).any(axis=1))
        for start in range(0, len(lacking), _ROWS_AT_ONCE):
            own = lacking[start : start + _ROWS_AT_ONCE]
            filled[own] = fill(filled[own])
        return filled

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.intp]]:
        """Draw ``n`` rows and the component of each, in random order."""
        if n < 1:
            raise ArgumentError(f"Cannot draw {n} rows; ask for at least 1.")
        weights = self.weights
        labels = rng.choice(self.n_components, size=n, p=weights / weights.sum())
        return self.family.sample(self.parameters, labels, rng), labels

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> Mixture:
        """The mixture of some of the components, their weights scaled to sum to 1."""
        chosen = np.asarray(components, dtype=np.intp)
        log_weights = self.log_weights[chosen]
        log_weights = log_weights - np.logaddexp.reduce(log_weights)
        return Mixture(self.family, log_weights, self.parameters.take(chosen))

    def marginal(self, columns: Sequence[int] | int) -> Mixture:
        """The mixture of some of the columns, in the given order."""
        chosen = self._columns(columns)
        family, parameters = self.family.marginal(self.parameters, chosen)
        return Mixture(family, self.log_weights, parameters)

    def condition(self, columns: Sequence[int] | int, values: ArrayLike) -> Mixture:
        """The mixture of the other columns, given that ``columns`` hold ``values``.

        Its weights are the responsibilities for the values; for Gaussians its components are those
        of equation :eq:`missing-gaussian`.

        Examples
        --------
        >>> pair = Mixture.gaussian([1.0], [[0.0, 0.0]], [[[1.0, 0.6], [0.6, 1.0]]])
        >>> given = pair.condition(0, 2.0)
        >>> given.parameters.means.round(6).tolist(), given.parameters.covariances.round(6).tolist()
        ([[1.2]], [[[0.64]]])
        """
        chosen = self._columns(columns)
        known = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if known.shape != chosen.shape or not np.isfinite(known).all():
            raise ArgumentError(
                f"{len(chosen)} columns are given, so {len(chosen)} finite values are needed."
            )
        if len(chosen) == self.n_features:
            raise ArgumentError("All columns are given; at least one must be left to describe.")
        family, parameters, log_density = self.family.condition(self.parameters, chosen, known)
        joint = (self.log_weights + log_density)[None, :]
        log_normalize(joint)
        return Mixture(family, log_or_minus_infinity(joint[0]), parameters)

    def _columns(self, columns: Sequence[int] | int) -> NDArray[np.intp]:
        try:
            chosen = np.atleast_1d(np.asarray(columns)).astype(np.intp, casting="same_kind")
        except TypeError:
            raise ArgumentError(f"Columns {columns!r} are not column numbers.") from None
        if len(chosen) == 0 or len(np.unique(chosen)) != len(chosen):
            raise ArgumentError("Columns must be given, each once.")
        outside = chosen[(chosen < 0) | (chosen >= self.n_features)]
        if len(outside):
            known = map(str, range(self.n_features))
            raise UnknownNameError("column number", int(outside[0]), known)
        return chosen

    def _rows(self, X: Any) -> Any:
        rows = X if is_sparse(X) else np.asarray(X)
        if rows.dtype not in (np.float32, np.float64) and rows.dtype.kind not in "biu":
            rows = rows.astype(np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise DataError(
                f"The rows have shape {rows.shape}; this mixture needs (n, {self.n_features})."
            )
        if self.family.levels and not is_sparse(rows):
            _check_codes(rows, self.family.levels)
        if not is_sparse(rows) and (refused := first_refused(self.family, rows)) is not None:
            row, column, values = refused
            raise DataError(
                f"Column {column} holds {rows[row, column]:g}, but columns of this mixture hold "
                f"{values}; correct it."
            )
        return rows


def _check_codes(rows: Array, levels: Sequence[int]) -> None:
    """Refuse codes that no category has: they would be taken for one of another column."""
    coded = np.flatnonzero(levels)
    codes, numbers = rows[:, coded], np.asarray(levels)[coded]
    wrong = (codes >= numbers) | ((codes != np.floor(codes)) & (codes == codes))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise DataError(
            f"Column {coded[place]} holds {codes[row, place]:g}, which is no code of its "
            f"categories, 0 .. {numbers[place] - 1}."
        )
