"""What searches ask of a family: some of its components taken, put, joined, held, mixed, moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import Mixture
from emplus.families import factor_kernels, gaussian_kernels
from emplus.families.base import Family
from tests.cases import (
    FACTOR_CASES,
    FAMILY_CASES,
    Array,
    FamilyCase,
    every_continuous_family,
    every_family,
)

CHOSEN = [[1], [2, 0], [0, 1, 2], [1, 1, 0]]
every_choice = pytest.mark.parametrize("chosen", CHOSEN, ids=str)


def densities(family: Family, parameters: Any, X: Array) -> Array:
    """Log densities of the rows X (n, d) under k components (n, k)."""
    k = len(family.variances(parameters))
    return Mixture(family, np.zeros(k), parameters).log_joint(X)


def arrays(case: FamilyCase, parameters: Any) -> dict[str, Array]:
    return {name: array.copy() for name, array in case.family.pack(parameters).items()}


def assert_same_bits(case: FamilyCase, one: Any, other: Any) -> None:
    wanted = case.family.pack(other)
    for name, array in case.family.pack(one).items():
        assert_array_equal(array, wanted[name])


def moved(case: FamilyCase, seed: int = 5, step: float = 0.1) -> Any:
    return case.move(case.family, case.mixture.parameters, seed, step)


def resp_of(n: int, k: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.5), size=n)


def kernel_of(case: FamilyCase, X: Array) -> Any:
    mixture = case.mixture
    moments = case.problem(X).moments
    return mixture.family.kernel(mixture.parameters, mixture.log_weights, moments, X.dtype)


# The cases are too small to meet every kernel on their own.
KERNELS = {"plain": (np.inf, 1), "expanded": (np.inf, 10**9), "centred": (-1.0, 10**9)}


@pytest.fixture(params=KERNELS)
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make families take one of the kernels, wherever they have a choice."""
    tolerance, long_rows = KERNELS[request.param]
    names = dict.fromkeys(gaussian_kernels.TOLERANCE, tolerance)
    monkeypatch.setattr(gaussian_kernels, "TOLERANCE", names)
    monkeypatch.setattr(gaussian_kernels, "_LONG_ROWS", long_rows)
    monkeypatch.setattr(factor_kernels, "TOLERANCE", names)
    return str(request.param)


def test_the_fixture_meets_every_kernel(kernels: str) -> None:
    case = next(case for case in FAMILY_CASES if case.id == "gaussian-diag")
    assert type(kernel_of(case, case.rows(30))).__name__.lower().startswith(kernels)
    # The other family's expanded kernel leaves rows as they are wherever it can.
    found = type(kernel_of(FACTOR_CASES[0], FACTOR_CASES[0].rows(30))).__name__
    assert found == ("CentredFactors" if kernels == "centred" else "ExpandedFactors")


# -- parameters ----------------------------------------------------------------------------------


@every_family
def test_put_replaces_some_of_the_components(case: FamilyCase) -> None:
    X, parameters = case.rows(40), case.mixture.parameters
    before = arrays(case, parameters)
    changed = parameters.put([2, 0], parameters.take([0, 1]))
    found, wanted = densities(case.family, changed, X), densities(case.family, parameters, X)
    assert_allclose(found, wanted[:, [1, 1, 0]], rtol=1e-10, atol=1e-10)
    # Parameters are values: those that were put into are as they were.
    for name, array in case.family.pack(parameters).items():
        assert_array_equal(array, before[name])


@every_family
@pytest.mark.parametrize("chosen", CHOSEN[:3], ids=str)
def test_put_undoes_put_to_the_bit(case: FamilyCase, chosen: list[int]) -> None:
    parameters = case.mixture.parameters
    there = parameters.put(np.array(chosen), moved(case).take(chosen))
    assert_same_bits(case, there.put(chosen, parameters.take(chosen)), parameters)
    assert any(
        not np.array_equal(array, case.family.pack(parameters)[name])
        for name, array in case.family.pack(there).items()
    )


@every_family
def test_put_leaves_the_others_to_the_bit(case: FamilyCase) -> None:
    parameters = case.mixture.parameters
    there = parameters.put([1], moved(case).take([1]))
    assert_same_bits(case, there.take([0, 2]), parameters.take([0, 2]))


# -- kernels -------------------------------------------------------------------------------------


@every_family
@every_choice
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_of_some_components_gives_their_densities(
    case: FamilyCase, kernels: str, chosen: list[int], dtype: type[np.floating]
) -> None:
    X = case.rows(50).astype(dtype)
    whole = kernel_of(case, X)
    part = whole.take(np.array(chosen))
    wanted = whole.log_joint(whole.encode(X)).copy()[:, chosen]
    rtol = 1e-10 if dtype == np.float64 else 1e-4
    assert_allclose(part.log_joint(part.encode(X)), wanted, rtol=rtol, atol=10 * rtol)
    assert part.loss == whole.loss
    # The width of one whose components are fewer is no larger.
    if len(set(chosen)) < 3:
        assert part.width <= whole.width


@every_family
def test_a_kernel_takes_slices(case: FamilyCase, kernels: str) -> None:
    X = case.rows(50)
    whole = kernel_of(case, X)
    wanted = whole.log_joint(whole.encode(X)).copy()[:, 1:3]
    part = whole.take(slice(1, 3))
    assert_allclose(part.log_joint(part.encode(X)), wanted, rtol=1e-10, atol=1e-10)


def fitted(case: FamilyCase, statistics: Any, X: Array) -> Array:
    """Log densities after an M step in which what all components share stays as it is."""
    family = case.family.hold(case.mixture.parameters)
    prior = case.problem(case.rows(50)).prior
    return densities(case.family, family.maximize(statistics, prior), X)


@every_family
@every_choice
def test_sums_of_some_components_are_those_of_the_whole(
    case: FamilyCase, kernels: str, chosen: list[int]
) -> None:
    X, resp = case.rows(50), resp_of(50, 3)
    whole = kernel_of(case, X)
    part = whole.take(np.array(chosen))
    wanted = whole.statistics(whole.sums(whole.encode(X), resp)).take(chosen)
    found = part.statistics(part.sums(part.encode(X), resp[:, chosen]))
    assert_allclose(found.weight, resp[:, chosen].sum(axis=0), rtol=1e-12)
    assert_allclose(found.weight, wanted.weight, rtol=1e-12)
    assert_allclose(fitted(case, found, X), fitted(case, wanted, X), rtol=1e-9, atol=1e-9)


@every_family
def test_joined_sums_are_those_of_one_kernel(case: FamilyCase, kernels: str) -> None:
    X, resp = case.rows(50), resp_of(50, 3)
    whole = kernel_of(case, X)
    groups = [np.array([2]), np.array([0, 1])]
    sums = []
    for group in groups:
        part = whole.take(group)
        sums.append(part.sums(part.encode(X), np.asfortranarray(resp[:, group])))
    order = np.concatenate(groups)
    found = whole.take(order).statistics(whole.join(sums))
    wanted = whole.statistics(whole.sums(whole.encode(X), resp)).take(order)
    assert_allclose(found.weight, wanted.weight, rtol=1e-12)
    assert_allclose(fitted(case, found, X), fitted(case, wanted, X), rtol=1e-9, atol=1e-9)
    # Also where nothing is held, and what is shared comes from all of them.
    prior = case.problem(X).prior
    one, other = (
        densities(case.family, case.family.maximize(each, prior), X) for each in (found, wanted)
    )
    assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@every_family
def test_groups_with_rows_of_their_own_are_joined_side_by_side(
    case: FamilyCase, kernels: str
) -> None:
    X, resp = case.rows(60), resp_of(60, 3)
    whole = kernel_of(case, X)
    cells = [(np.array([1, 0]), slice(0, 25)), (np.array([2]), slice(25, 60))]
    sums, wanted = [], []
    for group, rows in cells:
        part = whole.take(group)
        sums.append(part.sums(part.encode(X[rows]), np.asfortranarray(resp[rows][:, group])))
        alone = part.statistics(part.sums(part.encode(X[rows]), resp[rows][:, group]))
        wanted.append(fitted(case, alone, X))
    found = whole.take(np.array([1, 0, 2])).statistics(whole.join(sums))
    assert_allclose(fitted(case, found, X), np.hstack(wanted), rtol=1e-9, atol=1e-9)


# -- families ------------------------------------------------------------------------------------


def shared_names(case: FamilyCase) -> set[str]:
    """Arrays that are the same however many of the components are taken."""
    parameters = case.mixture.parameters
    alone = case.family.pack(parameters.take([0]))
    whole = case.family.pack(parameters)
    return {name for name, array in whole.items() if np.array_equal(array, alone[name])}


@every_family
def test_a_family_that_is_held_keeps_what_is_shared_to_the_bit(case: FamilyCase) -> None:
    X = case.rows(80)
    problem, start = case.problem(X), case.mixture
    held = case.family.hold(start.parameters)
    assert held == case.family
    free = case.family.maximize(problem.evaluate(start).statistics, problem.prior)
    kept = held.maximize(problem.evaluate(start).statistics, problem.prior)
    shared = shared_names(case)
    for name in shared:
        assert_array_equal(case.family.pack(kept)[name], case.family.pack(start.parameters)[name])
        assert not np.array_equal(case.family.pack(free)[name], case.family.pack(kept)[name])
    if not shared:
        assert held is case.family
        assert_same_bits(case, kept, free)


@every_continuous_family
def test_a_family_that_is_held_places_components_where_their_rows_are(case: FamilyCase) -> None:
    X = case.rows(400)
    resp = case.mixture.responsibilities(X)
    held = case.family.hold(case.mixture.parameters)
    # Of other components than those that are held, and other numbers of them.
    placed = held.estimate(X, resp[:, [2, 0]], case.problem(X).prior)
    arrays, wanted = case.family.pack(placed), case.family.pack(case.mixture.parameters)
    for name in shared_names(case):
        assert_array_equal(arrays[name], wanted[name])
    means = (resp.T @ X / resp.sum(axis=0)[:, None])[[2, 0]]
    widths = np.sqrt(case.family.variances(case.mixture.parameters)[[2, 0]])
    assert_allclose((placed.means - means) / widths, 0.0, atol=0.2)
    ratios = case.family.variances(placed) / widths**2
    assert_allclose(np.log(ratios), 0.0, atol=0.5)


@every_family
def test_some_components_are_fitted_while_the_others_stay(case: FamilyCase) -> None:
    X = case.rows(80)
    problem, start = case.problem(X), case.mixture
    statistics = problem.evaluate(start).statistics
    held = case.family.hold(start.parameters)
    alone = held.maximize(statistics.take([1]), problem.prior)
    together = held.maximize(statistics, problem.prior)
    assert_allclose(
        densities(case.family, alone, X),
        densities(case.family, together, X)[:, [1]],
        rtol=1e-9,
        atol=1e-9,
    )
    changed = Mixture(case.family, start.log_weights, start.parameters.put([1], alone))
    assert problem.evaluate(changed).objective > problem.evaluate(start).objective
    found, wanted = changed.log_joint(X), start.log_joint(X)
    assert_allclose(found[:, [0, 2]], wanted[:, [0, 2]], rtol=1e-10, atol=1e-10)


@every_family
def test_each_component_has_its_own_log_prior(case: FamilyCase) -> None:
    parameters = case.mixture.parameters
    prior = case.problem(case.rows(80), strength=0.7).prior
    held = case.family.hold(parameters)
    log_prior = held.log_prior(parameters, prior)
    assert log_prior.shape == (3,)
    # What is shared counts once, however many components there are.
    whole = case.family.log_prior(parameters, prior)
    assert whole.shape in ((3,), (1,))
    assert (whole != 0).all()
    shared = whole.sum() - log_prior.sum()
    assert (shared == 0) == (held is case.family)
    for chosen in CHOSEN:
        found = held.log_prior(parameters.take(chosen), prior)
        assert_allclose(found, log_prior[chosen], rtol=1e-12)
        together = case.family.log_prior(parameters.take(chosen), prior).sum()
        assert_allclose(together - found.sum(), shared, rtol=1e-9, atol=1e-12)
    none = case.problem(case.rows(80), strength=0.0).prior
    assert_array_equal(case.family.log_prior(parameters, none), np.zeros_like(whole))


@every_family
def test_an_average_lies_among_its_parts(case: FamilyCase) -> None:
    X, parameters = case.rows(40), case.mixture.parameters
    own = densities(case.family, parameters, X)
    for j in range(3):
        one = case.family.average(parameters.take([j]), np.array([0.2]))
        twice = case.family.average(parameters.take([j, j]), np.array([1.0, 3.0]))
        none = case.family.average(parameters, np.eye(3)[j])
        for same in (one, twice, none):
            assert_allclose(densities(case.family, same, X), own[:, [j]], rtol=1e-9, atol=1e-9)
    weights = np.array([0.5, 0.2, 0.3])
    mixed = densities(case.family, case.family.average(parameters, weights), X)
    again = case.family.average(parameters.take([2, 0, 1]), 7.0 * weights[[2, 0, 1]])
    assert mixed.shape == (40, 1)
    assert_allclose(densities(case.family, again, X), mixed, rtol=1e-9)
    assert np.abs(mixed - own).max(axis=0).min() > 0.1


@every_family
def test_a_perturbation_is_as_large_as_asked_and_as_the_seed_has_it(case: FamilyCase) -> None:
    X, parameters = case.rows(40), case.mixture.parameters

    def perturbed(scale: float, seed: int) -> Array:
        rng = np.random.default_rng(seed)
        return densities(case.family, case.family.perturb(parameters, scale, rng), X)

    assert_array_equal(perturbed(0.3, 1), perturbed(0.3, 1))
    assert not np.allclose(perturbed(0.3, 1), perturbed(0.3, 2))
    assert_array_equal(perturbed(0.0, 1), perturbed(0.0, 2))
    assert np.isfinite(perturbed(3.0, 1)).all()
    near, far = (np.abs(perturbed(s, 1) - perturbed(0.0, 1)).mean() for s in (1e-3, 1e-1))
    assert 20 < far / near < 500
