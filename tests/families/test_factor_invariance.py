"""What must not change a factor analyzer: origin, units, order, turns of rows or of factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ortho_group

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.problem import Problem
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.factor_parameters import canonical
from tests.cases import Array, every_structure, problem_of, random_factors
from tests.oracles import full_covariances

D, Q = 5, 2


def rows(noise: str = "diag", n: int = 120) -> tuple[Array, Array]:
    """Rows on a grid, so that shifts are exact, and somewhat soft responsibilities."""
    mixture = random_factors(noise, k=2, d=D, q=Q, seed=4)
    X, labels = mixture.sample(n, np.random.default_rng(2))
    resp = 0.9 * np.eye(2)[labels] + 0.05
    return np.round(X * 2.0**16) / 2.0**16, resp


def climbed(family: FactorAnalyzer, X: Array, resp: Array, max_iter: int = 15) -> Climb:
    problem = problem_of(family, ArraySource(X), 0.5)
    engine = Engine(stopping=Stopping(0.0, max_iter))
    return engine.climb(problem, problem.estimate(X, resp))


def assert_image(
    one: Climb, other: Climb, scale: Array, shift: Array | float, atol: float = 1e-6
) -> None:
    """That ``other`` is ``one`` seen after ``scale * x + shift``."""
    mixture = one.state.mixture
    family: Any = mixture.family
    mapped, parameters = family.map_columns(mixture.parameters, scale, shift)
    found: Any = other.state.mixture
    assert_allclose(found.weights, mixture.weights, rtol=1e-6)
    assert_allclose((found.parameters.means - parameters.means) / scale, 0.0, atol=atol)
    units = np.multiply.outer(scale, scale)
    covariances = found.family.full_covariances(found.parameters) / units
    assert_allclose(covariances, mapped.full_covariances(parameters) / units, rtol=1e-5, atol=atol)
    moved = np.array(one.log_likelihoods) - 120 * np.log(np.abs(scale)).sum()
    assert_allclose(other.log_likelihoods, moved, rtol=1e-7)
    # The prior's density is in units of the columns too: differences of the objective are not.
    assert_allclose(np.diff(other.objectives), np.diff(one.objectives), rtol=1e-3, atol=1e-4)


@every_structure
def test_shifting_the_rows_shifts_the_model(noise: str, loadings: str) -> None:
    X, resp = rows(noise)
    family = FactorAnalyzer(Q, noise, loadings)
    shift = np.array([1e6, -1e6, 0.0, 3e5, 1e6])
    assert_image(climbed(family, X, resp), climbed(family, X + shift, resp), np.ones(D), shift)


@pytest.mark.parametrize(
    "scale", [np.full(D, 1e-6), np.full(D, 1e6), 10.0 ** np.array([-6, 0, 6, 3, -3])], ids=str
)
@every_structure
def test_scaling_the_columns_scales_the_model(noise: str, loadings: str, scale: Array) -> None:
    X, resp = rows(noise)
    if noise == "isotropic":
        scale = np.full(D, scale[0])
    family = FactorAnalyzer(Q, noise, loadings)
    assert_image(climbed(family, X, resp), climbed(family, X * scale, resp), scale, 0.0)


@every_structure
def test_the_order_of_columns_and_rows_does_not_matter(noise: str, loadings: str) -> None:
    X, resp = rows(noise)
    family = FactorAnalyzer(Q, noise, loadings)
    one = climbed(family, X, resp)
    columns, order = [3, 0, 4, 2, 1], np.random.default_rng(0).permutation(len(X))
    other = climbed(family, X[order][:, columns], resp[order])
    assert_allclose(other.objectives, one.objectives, rtol=1e-9)
    found, wanted = other.state.mixture, one.state.mixture.marginal(columns)
    assert_allclose(found.parameters.means, wanted.parameters.means, atol=1e-7)
    assert_allclose(full_covariances(found), full_covariances(wanted), atol=1e-7)
    assert_allclose(
        found.responsibilities(X[:, columns]), one.state.mixture.responsibilities(X), atol=1e-7
    )


@pytest.mark.parametrize("loadings", ["own", "common"])
def test_turning_the_rows_turns_the_model_where_noise_is_isotropic(loadings: str) -> None:
    X, resp = rows("isotropic")
    turn = ortho_group.rvs(D, random_state=1)
    family = FactorAnalyzer(Q, "isotropic", loadings)

    def climb(X: Array) -> Climb:
        problem = Problem(family, ArraySource(X), family.absolute_prior(0.5, 1.3, D))
        return Engine(stopping=Stopping(0.0, 15)).climb(problem, problem.estimate(X, resp))

    one, other = climb(X), climb(X @ turn.T)
    assert_allclose(other.objectives, one.objectives, rtol=1e-9)
    found, wanted = other.state.mixture, one.state.mixture
    assert_allclose(found.parameters.means, wanted.parameters.means @ turn.T, atol=1e-7)
    covariances = turn @ full_covariances(wanted) @ turn.T
    assert_allclose(full_covariances(found), covariances, atol=1e-7)
    assert_allclose(found.parameters.noise, wanted.parameters.noise, rtol=1e-8)


# -- factors -------------------------------------------------------------------------------------


@every_structure
def test_turning_the_factors_changes_no_density(noise: str, loadings: str) -> None:
    mixture = random_factors(noise, loadings, d=D, q=3)
    X, _ = mixture.sample(30, np.random.default_rng(0))
    arrays = mixture.family.pack(mixture.parameters)
    name = "loadings" if loadings == "own" else "factor_roots"
    turns = ortho_group.rvs(3, size=3, random_state=0)
    turned = mixture.family.unpack({**arrays, name: arrays[name] @ turns})
    assert not np.allclose(turned.loadings, mixture.parameters.loadings)
    found = Mixture(mixture.family, mixture.log_weights, turned)
    assert_allclose(found.log_joint(X), mixture.log_joint(X), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("d", "q"), [(1, 1), (5, 1), (5, 3), (5, 5), (3, 5), (4, 0)])
def test_the_canonical_form_is_one_for_all_turns(d: int, q: int) -> None:
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((4, d, q)) * rng.uniform(0.1, 10.0, size=q)
    found = canonical(loadings)
    squares, wanted = (a @ a.swapaxes(1, 2) for a in (found, loadings))
    assert_allclose(squares, wanted, rtol=1e-10, atol=1e-10)
    inner = found.swapaxes(1, 2) @ found
    lengths = np.einsum("kqq->kq", inner)
    assert_allclose(inner, lengths[:, :, None] * np.eye(q), atol=1e-10)
    assert (np.diff(lengths, axis=1) <= 1e-10).all()
    if q:
        largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
        assert (largest >= 0).all()
        turns = ortho_group.rvs(q, size=4, random_state=3) if q > 1 else -np.ones((4, 1, 1))
        turned = canonical(loadings @ turns)
        kept = min(d, q)
        assert_allclose(turned[..., :kept], found[..., :kept], atol=1e-7)
        assert_allclose(turned[..., kept:], 0.0, atol=1e-7)
    assert_allclose(canonical(found), found, atol=1e-9)


def test_the_canonical_form_loses_nothing_of_small_columns() -> None:
    # Each row of the loadings is turned by itself, in its own units.
    loadings = np.random.default_rng(0).standard_normal((1, 4, 2))
    scale = np.array([1.0, 1e-12, 1e12, 1.0])[:, None]
    found = canonical(loadings * scale)
    wanted = loadings @ loadings.swapaxes(1, 2)
    assert_allclose(found @ found.swapaxes(1, 2) / (scale * scale.T), wanted, rtol=1e-9, atol=1e-9)


@every_structure
def test_what_is_fitted_is_canonical(noise: str, loadings: str) -> None:
    X, resp = rows(noise)
    mixture = climbed(FactorAnalyzer(Q, noise, loadings), X, resp).state.mixture
    parameters = mixture.parameters
    if loadings == "own":
        assert_allclose(canonical(parameters.loadings), parameters.loadings, atol=1e-9)
        return
    common = parameters.common
    # The middle of the rows is the offset, and the space's axes are principal.
    weights = mixture.weights
    assert_allclose(weights @ common.means, 0.0, atol=1e-2)
    own = common.roots @ common.roots.swapaxes(1, 2)
    total = np.einsum("k,kqr->qr", weights, own) + (common.means.T * weights) @ common.means
    lengths = np.einsum("qq->q", total)
    correlation = total / np.sqrt(np.multiply.outer(lengths, lengths))
    assert_allclose(correlation, np.eye(Q), atol=1e-2)
    assert lengths[0] > lengths[1]


@every_structure
def test_components_in_another_order_have_the_same_loadings(noise: str, loadings: str) -> None:
    X, resp = rows(noise)
    family = FactorAnalyzer(Q, noise, loadings)
    one = climbed(family, X, resp, 300).state.mixture
    other = climbed(family, X, resp[:, ::-1], 300).state.mixture.take([1, 0])
    arrays, wanted = family.pack(other.parameters), family.pack(one.parameters)
    for name, array in arrays.items():
        assert_allclose(array, wanted[name], rtol=1e-5, atol=1e-6)


@every_structure
def test_the_same_rows_give_the_same_bits(noise: str, loadings: str) -> None:
    X, resp = rows(noise)
    family = FactorAnalyzer(Q, noise, loadings)
    one, other = (climbed(family, X, resp) for _ in range(2))
    assert one.objectives == other.objectives
    arrays = family.pack(other.state.mixture.parameters)
    for name, array in family.pack(one.state.mixture.parameters).items():
        assert_array_equal(array, arrays[name])
