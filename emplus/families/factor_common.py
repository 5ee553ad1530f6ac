"""First values and M steps of factor analyzers with common loadings (MCFA).

x = offset + basis z + e, z | j ~ N(xi_j, T_j T_j'), e ~ N(0, Psi): all components lie in one space
of q dimensions (Baek, McLachlan & Flack 2010). The offset makes the model the same wherever the
origin of the data is; theirs has none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emplus.families.base import Array
from emplus.families.factor_parameters import (
    CommonFactors,
    FactorParameters,
    Noise,
    canonical_turn,
    signs,
)
from emplus.families.factor_prior import PhantomFactorRows
from emplus.families.factor_statistics import FactorStatistics
from emplus.families.factor_steps import first_noise, noise_of, principal_factors

__all__ = ["cleared", "common_parameters", "first_common", "maximized_common", "principal"]

# Least variance of a component along the basis, as a part of that of all of them.
_LEAST = 1e-6


def common_parameters(
    common: CommonFactors, noise: Array, structure: Noise, *, turned: bool = True
) -> FactorParameters:
    """The parameters whose means and loadings lie in a common space.

    The factors are turned such that the loadings are in canonical form, unless ``turned`` is False.
    """
    if turned:
        loadings = common.basis @ common.roots
        common = replace(common, roots=common.roots @ canonical_turn(loadings))
    means = common.offset + common.means @ common.basis.T
    return FactorParameters(means, common.basis @ common.roots, noise, structure, common)


def maximized_common(
    statistics: FactorStatistics, prior: PhantomFactorRows, held: FactorParameters | None
) -> FactorParameters:
    """One step of EM: regress the rows on the factors of all components; O(k d q^2)."""
    statistics = _centred_on_best_means(statistics)
    latent = _Latent.of(statistics, prior)
    means = latent.sums / np.where(statistics.weight > 0, statistics.weight, 1.0)[:, None]
    deviation = latent.squares - statistics.weight[:, None, None] * _outer(means, means)
    weight = statistics.weight + prior.strength
    weight = np.where(weight > 0, weight, 1e-300)
    covariances = (deviation + latent.phantom_squares) / weight[:, None, None]
    if held is not None and held.common is not None:
        common = replace(held.common, means=means, roots=_roots(covariances))
        return common_parameters(common, held.noise, held.structure)
    structure = statistics.expected.structure
    basis, offset, residual = latent.regressed(statistics, prior)
    noise = noise_of(structure, residual[None], weight.sum(keepdims=True), prior)
    if not structure.isotropic:
        basis = np.where(prior.fixed[:, None], 0.0, basis)
    deviations = np.sqrt(np.broadcast_to(noise, offset.shape))
    common = principal(offset, basis, means, covariances, statistics.weight, deviations)
    common = cleared(common, structure, prior)
    return common_parameters(common, noise, structure)


def _centred_on_best_means(statistics: FactorStatistics) -> FactorStatistics:
    """The same sums, the factors expected under the best means for the labels as they are.

    (B' Psi^-1 B) xi_j = B' Psi^-1 (mean of the rows - offset), whatever T_j is: the first of the
    two steps of Meng & van Dyk (1997), as with loadings of their own.
    """
    expected = statistics.expected
    common = expected.common
    assert common is not None  # the family makes no others
    white = common.basis / expected.psi[:1].T
    weight = np.where(statistics.weight > 0, statistics.weight, 1.0)[:, None]
    rest = statistics.first / weight - expected.means_from(statistics.reference)
    rest = np.where(statistics.weight[:, None] > 0, rest, 0.0)
    inverse = np.linalg.pinv(common.basis.T @ white, rcond=1e-13, hermitian=True)
    steps = rest @ white @ inverse
    moves = steps @ common.basis.T
    placed = replace(
        expected,
        means=expected.means + moves,
        common=replace(common, means=common.means + steps),
    )
    placed.__dict__["posterior"] = expected.posterior
    shifts = np.einsum("kqa,ka->kq", expected.posterior[0], moves)
    cross = statistics.cross - _outer(shifts, statistics.first)
    return replace(statistics, expected=placed, cross=cross)


class _Latent:
    """Expected sums of the factors, in the coordinates of the basis they were expected under."""

    def __init__(
        self,
        sums: Array,
        squares: Array,
        with_rows: Array,
        phantom_squares: Array,
        phantom_rows: Array,
        gaps: Array,
    ):
        # (k, q), (k, q, q), (k, q, d) about the offset; then the phantoms'; sums of rows (k, d).
        self.sums, self.squares, self.with_rows = sums, squares, with_rows
        self.phantom_squares, self.phantom_rows, self.gaps = phantom_squares, phantom_rows, gaps

    @classmethod
    def of(cls, statistics: FactorStatistics, prior: PhantomFactorRows) -> _Latent:
        expected = statistics.expected
        common = expected.common
        assert common is not None  # the family makes no others
        projections, _, inverse_roots = expected.posterior
        # From whitened factors y to the coordinates of the basis: z = xi + turn y.
        turn = common.roots @ inverse_roots.swapaxes(1, 2)
        posterior = turn @ turn.swapaxes(1, 2)
        weight = statistics.weight
        whitened = statistics.factor_sums()
        moved = statistics.reference - common.offset
        gaps = statistics.first + weight[:, None] * moved
        with_rows = statistics.cross + whitened[:, :, None] * moved[:, None, :]
        about_mean = with_rows - _outer(whitened, expected.means_from(common.offset))
        products = about_mean @ projections.swapaxes(1, 2)
        inner = turn @ products @ turn.swapaxes(1, 2) + weight[:, None, None] * posterior
        steps = np.einsum("kqr,kr->kq", turn, whitened)
        xi = common.means
        crossed = _outer(xi, steps)
        sums = weight[:, None] * xi + steps
        squares = weight[:, None, None] * _outer(xi, xi) + crossed + crossed.swapaxes(1, 2) + inner
        # Phantom rows lie about each component's own mean, as far as V says.
        spread = prior.strength * prior.variances
        phantom = projections * spread
        second = turn @ (phantom @ projections.swapaxes(1, 2)) @ turn.swapaxes(1, 2)
        return cls(
            sums,
            squares,
            _outer(xi, gaps) + turn @ with_rows,
            second + prior.strength * posterior,
            turn @ phantom,
            gaps,
        )

    def regressed(
        self, statistics: FactorStatistics, prior: PhantomFactorRows
    ) -> tuple[Array, Array, Array]:
        """The basis (d, q), the offset (d,), and the scatter (d,) that they leave."""
        common = statistics.expected.common
        assert common is not None  # the family makes no others
        q = self.sums.shape[1]
        normal = np.empty((q + 1, q + 1))
        normal[:q, :q] = (self.squares + self.phantom_squares).sum(axis=0)
        normal[:q, q] = normal[q, :q] = self.sums.sum(axis=0)
        normal[q, q] = statistics.weight.sum()
        target = np.vstack(
            [(self.with_rows + self.phantom_rows).sum(axis=0), self.gaps.sum(axis=0)]
        )
        solution = _solved(normal, target)
        moved = statistics.reference - common.offset
        scatter = (
            statistics.second
            + (2.0 * statistics.first + statistics.weight[:, None] * moved) * moved
        )
        total = scatter.sum(axis=0) + len(scatter) * prior.strength * prior.variances
        residual = np.maximum(total - np.einsum("qa,qa->a", solution, target), 0.0)
        return solution[:q].T, common.offset + solution[q], residual


def _solved(normal: Array, target: Array) -> Array:
    """The least solution of normal equations, whose unknowns may be of any size or superfluous."""
    scale = np.sqrt(np.diagonal(normal))
    scale = 1.0 / np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(normal * np.outer(scale, scale), rcond=1e-13, hermitian=True)
    solution: Array = scale[:, None] * (inverse @ (scale[:, None] * target))
    return solution


def principal(
    offset: Array,
    basis: Array,
    means: Array,
    covariances: Array,
    weight: Array,
    deviations: Array,
) -> CommonFactors:
    """The same space with its middle as the offset and its principal axes as the basis.

    In units of the noise's standard deviations (d,), so that columns of other sizes lose nothing.
    """
    share = weight / max(float(weight.sum()), 1e-300)
    middle = share @ means
    means = means - middle
    total = np.einsum("k,kqr->qr", share, covariances) + (means * share[:, None]).T @ means
    deviations = np.where(deviations > 0, deviations, 1.0)
    orthonormal, triangle = np.linalg.qr(basis / deviations[:, None])
    _, vectors = np.linalg.eigh(triangle @ total @ triangle.T)
    vectors = vectors[:, ::-1]
    axes = (orthonormal @ vectors) * deviations[:, None]
    flips = signs(axes)
    turn = (vectors * flips).T @ triangle
    return CommonFactors(
        offset + basis @ middle,
        axes * flips,
        means @ turn.T,
        _roots(turn @ covariances @ turn.T),
    )


def cleared(common: CommonFactors, structure: Noise, prior: PhantomFactorRows) -> CommonFactors:
    """No loadings on columns that do not vary.

    Axes along which nothing varies may point anywhere, and factors are not to begin to vary there.
    """
    if structure.isotropic or not prior.fixed.any():
        return common
    return replace(common, basis=np.where(prior.fixed[:, None], 0.0, common.basis))


def _roots(covariances: Array) -> Array:
    """T_j (k, q, q) with T_j T_j' the covariances."""
    values, vectors = np.linalg.eigh(0.5 * (covariances + covariances.swapaxes(1, 2)))
    roots: Array = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return roots


def first_common(
    X: Array, resp: Array, prior: PhantomFactorRows, n_factors: int, structure: Noise
) -> FactorParameters:
    """The leading factors of all rows, and each component's rows in them; O(n d q)."""
    resp = resp.astype(np.float64, copy=False)
    total = resp.sum(axis=1)
    mass = max(float(total.sum()), 1e-300)
    rows = np.subtract(X, X[0], dtype=np.float64)
    shift = total @ rows / mass
    rows -= shift
    offset = X[0] + shift
    variances = total @ rows**2 / mass
    basis = principal_factors(rows * np.sqrt(total)[:, None], mass, variances, n_factors, structure)
    if not structure.isotropic:
        basis = np.where(prior.fixed[:, None], 0.0, basis)
    scale = np.ones(len(variances)) if structure.isotropic else variances
    weighted = basis / np.where(scale > 0, scale, 1.0)[:, None]
    scores = np.linalg.lstsq(weighted.T @ basis, weighted.T @ rows.T, rcond=None)[0].T
    weight = resp.sum(axis=0)
    held = np.where(weight > 0, weight, 1.0)
    means = resp.T @ scores / held[:, None]
    squares = np.einsum("ik,iq,ir->kqr", resp, scores, scores, optimize=True)
    whole = squares.sum(axis=0) / mass
    covariances = squares / held[:, None, None] - _outer(means, means)
    # Phantom rows as wide as all rows together: a cell on a line or a point has none of its own.
    phantoms = max(prior.strength, _LEAST)
    covariances = (covariances * weight[:, None, None] + phantoms * whole) / (weight + phantoms)[
        :, None, None
    ]
    residual = total @ (rows - scores @ basis.T) ** 2
    left = first_noise(variances[None], residual[None] / mass, structure)
    noise = noise_of(structure, left * mass, np.array([mass]), prior)
    deviations = np.sqrt(np.broadcast_to(noise, offset.shape))
    common = principal(offset, basis, means, covariances, weight, deviations)
    common = cleared(common, structure, prior)
    return common_parameters(common, noise, structure)


def _outer(left: Array, right: Array) -> Array:
    """Outer products (k, a, b) of (k, a) and (k, b)."""
    return left[:, :, None] * right[:, None, :]
