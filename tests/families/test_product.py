"""Products against their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.errors import ArgumentError, DataError
from emplus.families.bernoulli import Bernoulli
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product, ProductParameters
from emplus.numerics.moments import Moments
from emplus.starts.calibration import calibrated_prior
from tests.cases import (
    PRODUCT_CASES,
    Array,
    FamilyCase,
    problem_of,
    random_factors,
    random_gaussian,
)
from tests.counted import holed, random_bernoulli, random_categorical, random_product

# Columns in no order, and several parts of one kind.
GROUPS = ((4, 0), (6, 2, 5), (1,), (7, 3))
PARTS = (
    random_gaussian("tied", 3, 2),
    random_factors("diag", d=3, q=1),
    random_bernoulli(3, 1),
    random_categorical((3, 4)),
)
MIXED = random_product(PARTS, GROUPS)

every_product = pytest.mark.parametrize(
    "mixture",
    [MIXED, *(case.mixture for case in PRODUCT_CASES)],
    ids=["unordered", *(case.id for case in PRODUCT_CASES)],
)


def parts_of(mixture: Mixture) -> list[tuple[Mixture, Any]]:
    """Mixtures of the parts, with equal weights of 1, and their columns."""
    family: Any = mixture.family
    zeros = np.zeros(mixture.n_components)
    pairs = zip(family.parts, mixture.parameters.parts, strict=True)
    return [(Mixture(one, zeros, own), columns) for (one, columns), own in pairs]


def rows(mixture: Mixture, share: float = 0.0, n: int = 200) -> Array:
    return holed(mixture.sample(n, np.random.default_rng(0))[0], share)


@every_product
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "holed"])
def test_the_density_is_the_product_of_the_parts(mixture: Mixture, share: float) -> None:
    X = rows(mixture, share)
    wanted = mixture.log_weights + sum(
        part.log_joint(X[:, columns]) for part, columns in parts_of(mixture)
    )
    assert_allclose(mixture.log_joint(X), wanted, rtol=1e-10, atol=1e-10)
    state = problem_of(mixture.family, ArraySource(X)).evaluate(mixture)
    assert_allclose(state.log_likelihood, np.logaddexp.reduce(wanted, axis=1).sum(), rtol=1e-10)


@every_product
@pytest.mark.parametrize("share", [0.0, 0.3], ids=["whole", "holed"])
def test_the_m_step_is_that_of_the_parts(mixture: Mixture, share: float) -> None:
    X = rows(mixture, share)
    problem = problem_of(mixture.family, ArraySource(X), 0.7)
    resp = mixture.responsibilities(X)
    stepped = problem.maximize(problem.evaluate(mixture).statistics)
    for number, (part, columns) in enumerate(parts_of(mixture)):
        own = problem_of(part.family, ArraySource(X[:, columns]), 0.7)
        kernel = part.family.kernel(part.parameters, np.zeros(3), own.moments, X.dtype)
        statistics = kernel.statistics(kernel.sums(kernel.encode(X[:, columns]), resp))
        wanted = part.family.pack(part.family.maximize(statistics, own.prior))
        found = part.family.pack(stepped.parameters.parts[number])
        for name, array in found.items():
            assert_allclose(array, wanted[name], rtol=1e-7, atol=1e-9)
    log_priors = [
        one.family.log_prior(one.parameters, own).sum()
        for (one, _), own in zip(parts_of(mixture), problem.prior, strict=True)
    ]
    log_prior = mixture.family.log_prior(mixture.parameters, problem.prior)
    assert log_prior.shape == (3,)
    assert_allclose(log_prior.sum(), sum(log_priors), rtol=1e-12)


def test_a_product_of_one_part_is_the_part() -> None:
    for part in PARTS:
        d = part.n_features
        alone = random_product([part], [range(d)])
        X = holed(part.sample(100, np.random.default_rng(0))[0], 0.2)
        one, other = (problem_of(m.family, ArraySource(X), 1.0) for m in (part, alone))
        states = one.evaluate(part), other.evaluate(alone)
        assert_allclose(states[1].objective, states[0].objective, rtol=1e-12)
        assert_allclose(alone.impute(X), part.impute(X), rtol=1e-12, atol=1e-12)
        assert alone.n_free_parameters == part.n_free_parameters
        one_way = part.family.features(X, one.moments)
        assert_allclose(alone.family.features(X, other.moments), one_way, atol=1e-12)


@every_product
def test_marginals_and_conditionals_are_those_of_the_joint_density(mixture: Mixture) -> None:
    X = rows(mixture, n=30)
    d = mixture.n_features
    for chosen in ([0], [d - 1, 1], [2, 0, 3], list(range(d))[::-1]):
        lacking = np.full_like(X, np.nan)
        lacking[:, chosen] = X[:, chosen]
        own = mixture.marginal(chosen).log_density(X[:, chosen])
        assert_allclose(own, mixture.log_density(lacking), rtol=1e-9, atol=1e-9)
        if len(chosen) < d:
            rest = np.setdiff1d(np.arange(d), chosen)
            for i in range(3):
                given = mixture.condition(chosen, X[i, chosen])
                density = given.log_density(X[[i]][:, rest])
                wanted = mixture.log_density(X[[i]]) - own[i]
                assert_allclose(density, wanted, rtol=1e-8, atol=1e-8)


@every_product
def test_filling_in_is_done_by_each_part(mixture: Mixture) -> None:
    X = rows(mixture, 0.3, 50)
    resp = mixture.responsibilities(X)
    filled = mixture.impute(X)
    for part, columns in parts_of(mixture):
        wanted = part.family.impute(part.parameters, X[:, columns], resp)
        assert_allclose(filled[:, columns], wanted, rtol=1e-12)
    drawn = mixture.sample_missing(X, np.random.default_rng(0))
    assert np.isfinite(drawn).all()
    assert_array_equal(drawn[~np.isnan(X)], X[~np.isnan(X)])
    assert np.isfinite(mixture.log_density(drawn)).all()


@pytest.mark.parametrize("case", PRODUCT_CASES, ids=lambda case: case.id)
def test_each_part_has_its_own_calibrated_prior(case: FamilyCase) -> None:
    X = case.rows(500)
    family: Any = case.family
    found = calibrated_prior(family, ArraySource(X), 3)
    strengths = (0.5, None, 3.0)
    mixed = calibrated_prior(family, ArraySource(X), 3, strengths)
    for number, (part, columns) in enumerate(family.parts):
        alone = calibrated_prior(part, ArraySource(X[:, columns]), 3)
        assert found[number].strength == alone.strength
        wanted = strengths[number]
        assert mixed[number].strength == (alone.strength if wanted is None else wanted)


def test_levels_and_continuous_columns_lie_where_they_belong() -> None:
    family: Any = MIXED.family
    assert family.levels == (0, 0, 0, 4, 0, 0, 0, 3)
    real = family.continuous(MIXED.parameters)
    assert_array_equal(np.flatnonzero(real), [0, 2, 4, 5, 6])
    assert family.needs_full_scatter
    moments = Moments.of(rows(MIXED), full=True, levels=family.levels)
    for (_, columns), own in zip(family.parts, family.moments(moments), strict=True):
        assert_array_equal(own.mean, moments.mean[columns])
    variances = family.variances(MIXED.parameters)
    assert_array_equal(variances[:, [4, 0]], PARTS[0].family.variances(PARTS[0].parameters))


def test_parts_that_share_something_are_held() -> None:
    parameters: Any = MIXED.parameters
    held: Any = MIXED.family.hold(parameters)
    assert held is not MIXED.family
    assert held == MIXED.family
    X = rows(MIXED)
    problem = problem_of(MIXED.family, ArraySource(X))
    statistics = problem.evaluate(MIXED).statistics
    kept = held.maximize(statistics, problem.prior)
    assert_array_equal(kept.parts[0].covariances, parameters.parts[0].covariances)
    assert not np.array_equal(kept.parts[0].means, parameters.parts[0].means)
    apart = random_product(PARTS[1:], ((0, 1, 2), (3,), (4, 5)))
    assert apart.family.hold(apart.parameters) is apart.family


@pytest.mark.parametrize("code", [3.0, 0.5, np.inf, 1e7])
def test_scoring_refuses_codes_that_no_category_has(code: float) -> None:
    # A code too large would be looked up among the levels of the next column.
    X = rows(MIXED, n=5)
    X[2, 7] = code
    with pytest.raises(DataError, match=r"Column 7 holds .* 0 \.\. 2"):
        MIXED.log_density(X)
    X[2, 7] = -1.0
    left = X.copy()
    left[2, 7] = np.nan
    assert_allclose(MIXED.log_density(X), MIXED.log_density(left), rtol=1e-12)


@pytest.mark.parametrize(
    ("families", "columns", "words"),
    [
        ((Gaussian(), Bernoulli()), ((0,),), "columns of its own"),
        ((Gaussian(), Bernoulli()), ((0,), ()), "columns of its own"),
        ((Gaussian(), Bernoulli()), ((0,), (0,)), "each once"),
        ((Gaussian(), Bernoulli()), ((0,), (2,)), "each once"),
    ],
)
def test_refuses_columns_that_are_not_shared_out(families: Any, columns: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Product(families, columns)


def test_unpack_refuses_a_part_with_other_columns() -> None:
    family = Product((FactorAnalyzer(1), Bernoulli()), ((0, 1), (2,)))
    arrays = random_product([random_factors("diag", d=2), random_bernoulli(3, 2)], ((0, 1), (2, 3)))
    packed = arrays.family.pack(arrays.parameters)
    with pytest.raises(ValueError, match="part 1 has 2 columns, not 1"):
        family.unpack(packed)
    again = arrays.family.unpack(packed)
    assert isinstance(again, ProductParameters)
    assert_array_equal(again.parts[1].probabilities, packed["1.probabilities"])
