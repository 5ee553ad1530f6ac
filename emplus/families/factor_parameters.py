"""Parameters of factor analyzers, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import Array

__all__ = [
    "CommonFactors",
    "FactorParameters",
    "Noise",
    "canonical",
    "canonical_turn",
    "factor_posterior",
    "signs",
]


@dataclass(frozen=True)
class Noise:
    """Which noise variances are equal: over components, over columns.

    Parameters
    ----------
    shared : bool
        One Psi for all components.
    isotropic : bool
        One variance for all columns.
    """

    shared: bool
    isotropic: bool

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """Shape of the variances: (k, d), (d,), (k,) or ()."""
        return (() if self.shared else (k,)) + (() if self.isotropic else (d,))

    def full(self, variances: Array, k: int, d: int) -> Array:
        """The variances of every component in every column (k, d)."""
        if not self.isotropic:
            return np.broadcast_to(variances, (k, d))
        return np.broadcast_to(np.reshape(variances, (-1, 1)), (k, d))

    def pooled(self, scatter: Array, weight: Array, extra: Array) -> Array:
        """Variances from scatter (k, d) and weight (k,), with ``extra`` (d,) scatter for each."""
        if self.shared:
            scatter, weight = scatter.sum(axis=0), weight.sum(keepdims=True)
            variances = (scatter + extra) / weight
        else:
            variances = (scatter + extra) / weight[:, None]
        pooled: Array = variances.mean(axis=-1) if self.isotropic else variances
        return pooled


@dataclass(frozen=True)
class CommonFactors:
    """The space that the components of a mixture with common loadings live in.

    mu_j = offset + basis xi_j and Lambda_j = basis T_j, so that the factors in the coordinates of
    the basis are N(xi_j, T_j T_j').

    Parameters
    ----------
    offset : (d,) ndarray
    basis : (d, q) ndarray
        B' Psi^-1 B = I where they were fitted.
    means : (k, q) ndarray
        xi_j.
    roots : (k, q, q) ndarray
        T_j.
    """

    offset: Array
    basis: Array
    means: Array
    roots: Array


@dataclass(frozen=True)
class FactorParameters:
    """Means (k, d), loadings (k, d, q) and noise variances in the shape of their structure."""

    means: Array
    loadings: Array
    noise: Array
    structure: Noise
    common: CommonFactors | None = None

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> FactorParameters:
        """The parameters of some of the components, in the given order."""
        chosen = np.asarray(components, dtype=np.intp)
        common = self.common
        if common is not None:
            common = replace(common, means=common.means[chosen], roots=common.roots[chosen])
        return replace(
            self,
            means=self.means[chosen],
            loadings=self.loadings[chosen],
            noise=self.noise if self.structure.shared else self.noise[chosen],
            common=common,
        )

    def put(
        self, components: Sequence[int] | NDArray[np.integer], others: FactorParameters
    ) -> FactorParameters:
        """These parameters with some of the components replaced; what all share stays."""
        chosen = np.asarray(components, dtype=np.intp)

        def placed(array: Array, other: Array) -> Array:
            changed = array.copy()
            changed[chosen] = other
            return changed

        noise = self.noise if self.structure.shared else placed(self.noise, others.noise)
        if self.common is None or others.common is None:
            means = placed(self.means, others.means)
            return replace(
                self, means=means, loadings=placed(self.loadings, others.loadings), noise=noise
            )
        common = replace(
            self.common,
            means=placed(self.common.means, others.common.means),
            roots=placed(self.common.roots, others.common.roots),
        )
        # In this basis, which need not be the one that the others were found in.
        means = common.offset + others.common.means @ common.basis.T
        loadings = common.basis @ others.common.roots
        return replace(
            self,
            means=placed(self.means, means),
            loadings=placed(self.loadings, loadings),
            noise=noise,
            common=common,
        )

    @property
    def n_factors(self) -> int:
        """Number of factors q."""
        return int(self.loadings.shape[2])

    @property
    def anchors(self) -> Array:
        """Points (k, d) that the means are known from without rounding, see `means_from`."""
        if self.common is None:
            return self.means
        return np.broadcast_to(self.common.offset, self.means.shape)

    def means_from(self, point: Array) -> Array:
        """The means less a point (d,) or points (k, d).

        Where all means lie in one space, a mean's own place in it may be small beside the
        rounding of the mean itself.
        """
        if self.common is None:
            return self.means - point
        steps: Array = self.common.means @ self.common.basis.T
        return (self.common.offset - point) + steps

    @cached_property
    def psi(self) -> Array:
        """Noise variances of every component in every column (k, d)."""
        return self.structure.full(self.noise, *self.means.shape)

    @cached_property
    def posterior(self) -> tuple[Array, Array, Array]:
        """What `factor_posterior` gives."""
        return factor_posterior(self.loadings, self.psi)

    @property
    def variances(self) -> Array:
        """Variance of each column under each component (k, d)."""
        variances: Array = np.einsum("kaq,kaq->ka", self.loadings, self.loadings) + self.psi
        return variances

    @property
    def half_log_det(self) -> Array:
        """Half the log determinant of each precision (k,), by the matrix determinant lemma."""
        _, roots, _ = self.posterior
        inner = np.log(np.einsum("kqq->kq", roots)).sum(axis=1)
        half: Array = -0.5 * np.log(self.psi).sum(axis=1) - inner
        return half

    @property
    def precision_diagonal(self) -> Array:
        """Diagonals (k, d) of the precisions Psi^-1 - A A', by Woodbury's identity."""
        projections, _, _ = self.posterior
        diagonal = 1.0 / self.psi - np.einsum("kqa,kqa->ka", projections, projections)
        positive: Array = np.maximum(diagonal, 0.0)
        return positive


def factor_posterior(loadings: Array, psi: Array) -> tuple[Array, Array, Array]:
    """What a row's factors are given the row.

    With W = Psi^(-1/2) Lambda and M = I + W'W = L L', the posterior of the factors is
    N(L'^-1 A' (x - mu), M^-1) where A = Psi^-1 Lambda L'^-1, and
    Sigma^-1 = Psi^-1 - A A' (Woodbury): equations :eq:`woodbury` and :eq:`factor-posterior`.

    Returns
    -------
    projections : (k, q, d) ndarray
        A'.
    roots : (k, q, q) ndarray
        L, lower triangular.
    inverse_roots : (k, q, q) ndarray
        L^-1.

    Notes
    -----
    Cost O(k d q^2).
    """
    q = loadings.shape[2]
    white = (loadings / np.sqrt(psi)[:, :, None]).swapaxes(1, 2)
    roots = np.linalg.cholesky(np.eye(q) + white @ white.swapaxes(1, 2))
    inverse_roots = np.linalg.inv(roots)
    projections = inverse_roots @ white
    projections /= np.sqrt(psi)[:, None, :]
    return projections, roots, inverse_roots


def canonical(loadings: Array) -> Array:
    """The loadings turned to their principal axes: Lambda' Lambda diagonal, falling.

    The largest entry of each column is positive. Lambda Lambda', all that the density knows of
    the loadings, stays as it is. O(k d q^2).

    Examples
    --------
    >>> turned = canonical(np.array([[[0.0, -3.0], [2.0, 0.0]]]))
    >>> (turned + 0.0).round(12).tolist()
    [[[3.0, 0.0], [0.0, 2.0]]]
    """
    turned: Array = loadings @ canonical_turn(loadings)
    return turned


def canonical_turn(loadings: Array) -> Array:
    """The orthogonal matrices (k, q, q) that turn loadings into their canonical form."""
    _, vectors = np.linalg.eigh(loadings.swapaxes(1, 2) @ loadings)
    vectors = vectors[:, :, ::-1]
    return vectors * signs(loadings @ vectors)[:, None, :]


def signs(columns: Array) -> Array:
    """1 or -1 for each column (..., q) of (..., d, q), such that its largest entry is positive."""
    largest = np.abs(columns).argmax(axis=-2)
    entries = np.take_along_axis(columns, largest[..., None, :], axis=-2)[..., 0, :]
    return np.where(entries < 0.0, -1.0, 1.0)
