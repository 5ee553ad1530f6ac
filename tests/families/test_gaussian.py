from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import wishart

from emplus.errors import UnknownNameError
from emplus.families.base import SingularComponentError
from emplus.families.gaussian import Gaussian, PhantomRows
from emplus.families.registry import make_covariance, make_family
from emplus.numerics.moments import Moments
from tests.cases import every_covariance, random_covariances, random_gaussian
from tests.oracles import full_covariances


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'spherical'"):
        make_covariance("sperical")
    with pytest.raises(UnknownNameError, match="did you mean 'gaussian'"):
        make_family("gausian")


@every_covariance
def test_map_m_step_by_its_formula(covariance_type: str) -> None:
    # Sigma_j = (S_j + m V) / (n_j + m), and its means over columns or components where shared.
    rng = np.random.default_rng(0)
    X, resp = rng.standard_normal((40, 3)) * [1.0, 10.0, 0.1], rng.dirichlet(np.ones(2), size=40)
    prior = PhantomRows(2.5, np.array([1.0, 90.0, 0.02]))
    family = Gaussian(make_covariance(covariance_type))
    parameters = family.estimate(X, resp, prior)
    weight = resp.sum(axis=0)
    scatter = np.array([w.sum() * np.cov(X.T, aweights=w, ddof=0) for w in resp.T])
    phantom = 2.5 * np.diag(prior.variances)
    wanted = (scatter + phantom) / (weight + 2.5)[:, None, None]
    if covariance_type == "tied":
        wanted = (scatter.sum(axis=0) + phantom) / (40 + 2.5)
    elif covariance_type == "diag":
        wanted = np.einsum("kaa->ka", wanted)
    elif covariance_type == "spherical":
        wanted = np.einsum("kaa->ka", wanted).mean(axis=1)
    assert_allclose(parameters.covariances, wanted, rtol=1e-10)
    assert_allclose(parameters.means, resp.T @ X / weight[:, None], rtol=1e-10)


def test_the_prior_is_a_wishart_density_on_the_precision() -> None:
    # m + d + 1 degrees of freedom and scale (m V)^-1: proper, with its mode at V^-1.
    m, d, variances = 0.7, 3, np.array([0.5, 2.0, 30.0])
    density = wishart(m + d + 1, np.diag(1.0 / (m * variances)))
    family, prior = Gaussian(), PhantomRows(m, variances)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(5):
        covariance = random_covariances("full", 1, d, rng)
        parameters = family.parameters(np.zeros((1, d)), covariance)
        values.append(
            float(family.log_prior(parameters, prior).sum())
            - density.logpdf(np.linalg.inv(covariance[0]))
        )
    assert_allclose(values, values[0], rtol=1e-9)


@every_covariance
def test_the_prior_follows_the_units_of_each_column(covariance_type: str) -> None:
    X = np.random.default_rng(0).standard_normal((50, 2))
    scale = np.array([1e-6, 1e6])
    family = Gaussian(make_covariance(covariance_type))
    near, far = (family.default_prior(Moments.of(rows), 1.0) for rows in (X, X * scale))
    assert_allclose(far.variances, near.variances * scale**2, rtol=1e-12)


def test_a_constant_column_gets_a_positive_variance() -> None:
    X = np.column_stack([np.zeros(5), np.full(5, 1e7), np.arange(5.0)])
    prior = Gaussian().default_prior(Moments.of(X), 1.0)
    assert (prior.variances > 0).all()
    assert prior.variances[2] == 2.0


@every_covariance
def test_without_a_prior_a_collapsed_component_is_named(covariance_type: str) -> None:
    X = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [0.5, 4.0]])
    resp = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [1, 0]], dtype=float)
    family = Gaussian(make_covariance(covariance_type))
    prior = PhantomRows(0.0, np.ones(2))
    if covariance_type == "tied":
        assert np.isfinite(family.estimate(X, resp, prior).covariances).all()
        return
    with pytest.raises(SingularComponentError) as caught:
        family.estimate(X, resp, prior)
    assert caught.value.component == 1
    with pytest.raises(SingularComponentError) as caught:
        family.estimate(X, np.column_stack([np.zeros(5), np.ones(5)]), prior)
    assert caught.value.component == 0


@every_covariance
def test_with_a_prior_it_stays_finite(covariance_type: str) -> None:
    X = np.zeros((4, 2))
    resp = np.column_stack([np.ones(4), np.zeros(4)])
    family = Gaussian(make_covariance(covariance_type))
    parameters = family.estimate(X, resp, PhantomRows(1e-3, np.array([4.0, 9.0])))
    covariances = family.full_covariances(parameters)
    assert (np.linalg.eigvalsh(covariances) > 0).all()
    if covariance_type != "tied":
        # The component without rows is as wide as the prior says.
        trace = np.trace(covariances[1])
        assert_allclose(trace, 13.0)


@every_covariance
def test_map_columns_is_the_image_of_the_mixture(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=3)
    scale, shift = np.array([2.0, -0.5, 100.0]), np.array([1.0, -7.0, 0.0])
    family = Gaussian(make_covariance(covariance_type))
    mapped, parameters = family.map_columns(mixture.parameters, scale, shift)
    assert_allclose(parameters.means, mixture.parameters.means * scale + shift)
    wanted = full_covariances(mixture) * np.multiply.outer(scale, scale)
    assert_allclose(mapped.full_covariances(parameters), wanted, rtol=1e-12)


@every_covariance
def test_unpack_refuses_what_is_no_covariance(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type)
    arrays = mixture.family.pack(mixture.parameters)
    with pytest.raises(ValueError, match="not positive definite"):
        mixture.family.unpack({**arrays, "covariances": -arrays["covariances"]})
    if covariance_type in ("full", "tied"):
        skewed = arrays["covariances"].copy()
        skewed[..., 0, 1] += 0.01
        with pytest.raises(ValueError, match="symmetric"):
            mixture.family.unpack({**arrays, "covariances": skewed})


def test_spherical_components_stretched_unequally_become_diagonal() -> None:
    mixture = random_gaussian("spherical")
    family, parameters = Gaussian(make_covariance("spherical")).map_columns(
        mixture.parameters, np.array([1.0, 3.0]), np.zeros(2)
    )
    assert family.config() == {"covariance_type": "diag"}
    assert_array_equal(parameters.covariances[:, 1], 9.0 * mixture.parameters.covariances)


@every_covariance
def test_an_average_is_that_of_means_and_of_covariances(covariance_type: str) -> None:
    # Equation (10) of Ueda et al. (2000), for what the components do not share.
    mixture = random_gaussian(covariance_type, k=3, d=3)
    share = np.array([0.5, 0.2, 0.3])
    average = mixture.family.average(mixture.parameters, 4.0 * share)
    assert_allclose(average.means, share[None] @ mixture.parameters.means)
    wanted = np.einsum("k,kab->ab", share, full_covariances(mixture))
    assert_allclose(Gaussian(make_covariance(covariance_type)).full_covariances(average)[0], wanted)
    # Its factors belong to its covariances.
    again = mixture.family.unpack(mixture.family.pack(average))
    assert_allclose(again.factors, average.factors)


@every_covariance
def test_a_perturbation_keeps_the_volume_and_steps_as_far_as_the_radius(
    covariance_type: str,
) -> None:
    mixture = random_gaussian(covariance_type, k=4, d=3)
    steps = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        moved = mixture.family.perturb(mixture.parameters, 0.1, rng)
        steps.append(moved.means - mixture.parameters.means)
    wanted = full_covariances(mixture)
    radius = np.linalg.det(wanted) ** (1.0 / 6.0)
    assert_allclose(np.std(steps, axis=(0, 2)), 0.1 * radius, rtol=0.1)
    assert np.abs(np.mean(steps, axis=0)).max() < 0.03
    found = Gaussian(make_covariance(covariance_type)).full_covariances(moved)
    if covariance_type == "tied":
        # One matrix for all components is no component's own to change.
        assert_array_equal(found, wanted)
    else:
        assert_allclose(found, radius[:, None, None] ** 2 * np.eye(3), atol=1e-12)


@every_covariance
def test_an_absolute_prior_gives_the_m_step_of_ueda(covariance_type: str) -> None:
    # Equation (20) of Ueda et al. (2000): (S_j + lambda I) / (n_j + 1).
    rng = np.random.default_rng(0)
    X, resp = rng.standard_normal((30, 3)), rng.dirichlet(np.ones(2), size=30)
    family = Gaussian(make_covariance(covariance_type))
    prior = family.absolute_prior(1.0, 0.1, 3)
    free = family.estimate(X, resp, PhantomRows(0.0, np.ones(3)))
    found = family.full_covariances(family.estimate(X, resp, prior))
    weight = resp.sum(axis=0)[:, None, None]
    if covariance_type == "tied":
        weight = weight.sum()
    wanted = (weight * family.full_covariances(free) + 0.1 * np.eye(3)) / (weight + 1.0)
    assert_allclose(found, wanted, rtol=1e-10)


@every_covariance
def test_the_spread_lies_between_a_small_part_of_the_data_and_the_data(
    covariance_type: str,
) -> None:
    X = np.random.default_rng(0).standard_normal((50, 3))
    family = Gaussian(make_covariance(covariance_type))
    moments = Moments.of(X)
    spread = np.array([0.5, 0.0, 7.0]) * X.var(axis=0)
    prior = family.default_prior(moments, 1.0, spread)
    assert_allclose(prior.variances, np.array([0.5, 1e-3, 1.0]) * X.var(axis=0))
    assert_allclose(family.default_prior(moments, 1.0).variances, X.var(axis=0))
