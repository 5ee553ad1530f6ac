"""One pass of a mixture of factor analyzers: two ways, as for Gaussians.

With y = A'(x - mu) the whitened factors, log N(x | mu, Sigma) is a constant plus

    -1/2 (x - mu)' Psi^-1 (x - mu) + 1/2 y'y                                     (expanded)
    -1/2 (|Psi^(-1/2) (x - mu - Lambda E[z | x])|^2 + |E[z | x]|^2)              (centred)

Expanded about one reference point, the projections of all components are one matrix product a
block, and so are the M step's sums. What the two squares cancel may be large where the noise is
small, or the rows are far from each other; where it would cost more than `TOLERANCE` nats, the
centred form takes each component's own deviations, in which nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emplus.families.base import NOWHERE, Array, Kernel, side_by_side
from emplus.families.factor_incomplete import IncompleteFactors
from emplus.families.factor_parameters import FactorParameters
from emplus.families.factor_statistics import FactorStatistics
from emplus.families.gaussian_centred import LOG_TWO_PI
from emplus.numerics.moments import Moments
from emplus.numerics.workspace import scratch

__all__ = ["CentredFactors", "ExpandedFactors", "make_factor_kernel"]

# Largest loss, in nats of one log density, that the expanded form is allowed, and the part of it
# that scoring allows: a single row's score must not depend on which rows come with it.
TOLERANCE = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-3}
_SCORING_SHARE = 1e-3


def make_factor_kernel(
    parameters: FactorParameters,
    log_weights: Array,
    moments: Moments,
    dtype: Any,
    scoring: bool,
) -> Kernel:
    """The faster of the two that is exact enough for data with these moments."""
    if moments.missing:
        return _make_incomplete(parameters, log_weights, moments, scoring)
    dtype = np.dtype(dtype)
    allowed = TOLERANCE[dtype] * (_SCORING_SHARE if scoring else 1.0)
    eps = float(np.finfo(dtype).eps)
    precisions = 1.0 / parameters.psi
    for reference in (np.zeros(len(moments.mean)), moments.mean.astype(dtype).astype(np.float64)):
        reach = moments.reach(reference)
        offsets = np.abs(parameters.means_from(reference))
        with np.errstate(over="ignore"):  # infinity is too much as well
            size = float((precisions * (reach + offsets) ** 2).sum(axis=1).max())
        if eps * size <= allowed:
            return ExpandedFactors(parameters, log_weights, reference, dtype, eps * size)
    return CentredFactors(parameters, log_weights, dtype, moments.reach(moments.mean))


def _make_incomplete(
    parameters: FactorParameters, log_weights: Array, moments: Moments, scoring: bool
) -> Kernel:
    """For rows with missing entries; in float64."""
    eps = float(np.finfo(np.float64).eps)
    reference, reach = moments.placed(parameters.means.mean(axis=0))
    offsets = np.abs(parameters.means_from(reference))
    loss = eps * float(((reach + offsets) ** 2 / parameters.psi).sum(axis=1).max())
    allowed = TOLERANCE[np.dtype(np.float64)] * (_SCORING_SHARE if scoring else 1.0)
    about = reference if loss <= allowed else None
    return IncompleteFactors(parameters, log_weights, about, loss)


class _Rows(NamedTuple):
    """A block about the reference (b, d), its squares, and the products with the stack."""

    X: Array
    squares: Array
    products: Array


class ExpandedFactors:
    """All components at once, about one reference point."""

    log_common = 0.0
    n_sums = 3

    def __init__(
        self,
        parameters: FactorParameters,
        log_weights: Array,
        reference: Array,
        dtype: np.dtype[Any],
        loss: float,
    ):
        self._parameters, self._reference, self.loss = parameters, reference, loss
        means = parameters.means_from(reference)
        precisions = 1.0 / parameters.psi
        projections, _, _ = parameters.posterior
        linear = precisions * means
        constants = log_weights + parameters.half_log_det - 0.5 * means.shape[1] * LOG_TWO_PI
        constants -= 0.5 * (linear * means).sum(axis=1)
        # A component without weight: minus infinity would meet zeros inside the matrix product.
        self._constants = np.maximum(constants, NOWHERE).astype(dtype)
        self._squares = (-0.5 * precisions).astype(dtype)
        # Row 0 of each component is its linear term, the others are its projections.
        self._stack = np.concatenate([linear[:, None], projections], axis=1).astype(dtype)
        self._offsets = np.einsum("kqa,ka->kq", projections, means).astype(dtype)
        self._origin = reference.astype(dtype) if reference.any() else None

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, rows, d = self._stack.shape
        return int(2 * d + 2 * k * (rows + 1))

    def encode(self, X: Array) -> _Rows:
        """The block about the reference, its squares, and its whitened factors."""
        dtype = self._stack.dtype
        rows = X.astype(dtype, copy=False)
        if self._origin is not None:
            rows = np.subtract(X, self._origin, out=scratch("rows", X.shape, dtype))
        squares = np.multiply(rows, rows, out=scratch("squares", X.shape, dtype))
        k, lines, d = self._stack.shape
        products = scratch("factors", (k * lines, len(X)), dtype)
        np.matmul(self._stack.reshape(k * lines, d), rows.T, out=products)
        products = products.reshape(k, lines, len(X))
        products[:, 1:] -= self._offsets[:, :, None]
        return _Rows(rows, squares, products)

    def log_joint(self, rows: _Rows) -> Array:
        """Joint log densities (b, k)."""
        shape = (len(self._stack), len(rows.X))
        joint = scratch("joint", shape, rows.X.dtype)
        np.matmul(self._squares, rows.squares.T, out=joint)
        joint += rows.products[:, 0]
        joint += self._constants[:, None]
        part = scratch("part", shape[1:], rows.X.dtype)
        for j, whitened in enumerate(rows.products[:, 1:]):
            np.einsum("qi,qi->i", whitened, whitened, out=part)
            part *= 0.5
            joint[j] += part
        return joint.T

    def common(self, rows: _Rows) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def sums(self, rows: _Rows, resp: Array) -> tuple[Array, ...]:
        """Weighted sums over the block: weight, [first; cross] (k, 1 + q, d), second."""
        k, lines, d = self._stack.shape
        weights = resp.T
        weighted = scratch("weighted", (k, lines, len(rows.X)), rows.X.dtype)
        weighted[:, 0] = weights
        np.multiply(rows.products[:, 1:], weights[:, None], out=weighted[:, 1:])
        # np.dot, because matmul holds the interpreter's lock where the product itself is small.
        moments = np.dot(weighted.reshape(k * lines, -1), rows.X).reshape(k, lines, d)
        second = np.dot(weights, rows.squares)
        weight = resp.sum(axis=0, dtype=np.float64)
        return weight, moments.astype(np.float64, copy=False), second.astype(np.float64, copy=False)

    def statistics(self, sums: tuple[Array, ...]) -> FactorStatistics:
        """The sums of all blocks, read as statistics."""
        weight, moments, second = sums
        reference = np.broadcast_to(self._reference, second.shape)
        first, cross = moments[:, 0], moments[:, 1:]
        return FactorStatistics(self._parameters, weight, first, second, cross, reference)

    def take(self, components: slice | NDArray[np.integer]) -> ExpandedFactors:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        taken._parameters = _taken(self._parameters, components)
        for name in ("_constants", "_squares", "_stack", "_offsets"):
            setattr(taken, name, getattr(self, name)[components])
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


class CentredFactors:
    """Component by component, about its own mean."""

    log_common = 0.0
    n_sums = 3

    def __init__(
        self,
        parameters: FactorParameters,
        log_weights: Array,
        dtype: np.dtype[Any],
        reach: Array,
    ):
        self._parameters = parameters
        anchors, roots = parameters.anchors, np.sqrt(parameters.psi)
        d = anchors.shape[1]
        self._origins = anchors.astype(dtype)
        # What rounding leaves out of the means of rows in float32 is taken off in a second step,
        # and so is where a mean lies in a space that all components share.
        remainders = parameters.means_from(self._origins).astype(dtype)
        self._remainders = remainders if remainders.any() else None
        projections, _, inverse_roots = parameters.posterior
        self._scales = (1.0 / roots).astype(dtype)
        # In units of the noise: whitened factors, and the rows that the factors stand for.
        self._projections = (projections * roots[:, None]).astype(dtype)
        white = (parameters.loadings / roots[:, :, None]).swapaxes(1, 2)
        self._inverse_roots = inverse_roots.astype(dtype)
        self._white = (inverse_roots @ white).astype(dtype)
        constants = log_weights + parameters.half_log_det - 0.5 * d * LOG_TWO_PI
        self._constants = np.maximum(constants, NOWHERE).astype(dtype)
        spread = float((reach**2 / parameters.psi).max())
        eps = float(np.finfo(dtype).eps)
        self.loss = eps * (d * spread) ** 0.5 + min(1.0, 0.25 * eps * spread) ** 2

    @property
    def width(self) -> int:
        """Numbers held for each row of a block."""
        k, q, d = self._projections.shape
        return int(3 * d + 2 * k + 2 * q)

    def encode(self, X: Array) -> Array:
        """The rows as they are, one after the other in memory."""
        return np.ascontiguousarray(X, dtype=self._origins.dtype)

    def _deviations(self, rows: Array, j: int) -> tuple[Array, Array]:
        """Deviations in units of the noise (b, d), and whitened factors (b, q)."""
        deviations = scratch("deviations", rows.shape, rows.dtype)
        np.subtract(rows, self._origins[j], out=deviations)
        if self._remainders is not None:
            deviations -= self._remainders[j]
        deviations *= self._scales[j]
        return deviations, np.dot(deviations, self._projections[j].T)

    def log_joint(self, rows: Array) -> Array:
        """Joint log densities (b, k)."""
        joint = scratch("joint", (len(self._origins), len(rows)), rows.dtype)
        for j in range(len(self._origins)):
            deviations, whitened = self._deviations(rows, j)
            factors = np.dot(whitened, self._inverse_roots[j])
            explained = scratch("white", rows.shape, rows.dtype)
            np.matmul(whitened, self._white[j], out=explained)
            deviations -= explained
            np.einsum("ia,ia->i", deviations, deviations, out=joint[j])
            joint[j] += np.einsum("iq,iq->i", factors, factors)
        joint *= -0.5
        joint += self._constants[:, None]
        return joint.T

    def common(self, rows: Array) -> Array | float:
        """Nothing is left out."""
        return 0.0

    def sums(self, rows: Array, resp: Array) -> tuple[Array, ...]:
        """Weighted sums over the block: weight, [first; cross] (k, 1 + q, d), second."""
        k, q, d = self._projections.shape
        moments, second = np.empty((k, 1 + q, d)), np.empty((k, d))
        for j in range(k):
            deviations, whitened = self._deviations(rows, j)
            scale = np.sqrt(self._parameters.psi[j])
            moments[j, 0] = np.dot(resp[:, j], deviations) * scale
            moments[j, 1:] = np.dot((whitened * resp[:, j, None]).T, deviations) * scale
            np.multiply(deviations, deviations, out=deviations)
            second[j] = np.dot(resp[:, j], deviations) * scale**2
        return resp.sum(axis=0, dtype=np.float64), moments, second

    def statistics(self, sums: tuple[Array, ...]) -> FactorStatistics:
        """The sums of all blocks, read as statistics."""
        weight, moments, second = sums
        parameters = self._parameters
        about = FactorStatistics(
            parameters, weight, moments[:, 0], second, moments[:, 1:], parameters.means
        )
        return about if parameters.common is None else about.from_means()

    def take(self, components: slice | NDArray[np.integer]) -> CentredFactors:
        """The same pass for some of the components."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        taken._parameters = _taken(self._parameters, components)
        if self._remainders is not None:
            taken._remainders = self._remainders[components]
        for name in ("_origins", "_scales", "_projections", "_inverse_roots", "_white"):
            setattr(taken, name, getattr(self, name)[components])
        taken._constants = self._constants[components]
        return taken

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side."""
        return side_by_side(parts)


def _taken(
    parameters: FactorParameters, components: slice | NDArray[np.integer]
) -> FactorParameters:
    """The parameters of some of the components, with the posterior they already have."""
    chosen = np.arange(len(parameters.means))[components]
    taken = parameters.take(chosen)
    taken.__dict__["posterior"] = tuple(array[chosen] for array in parameters.posterior)
    return taken
