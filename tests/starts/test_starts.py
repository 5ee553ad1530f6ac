from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.errors import ArgumentError, UnknownNameError
from emplus.starts import base, centres
from emplus.starts.given import GivenLabels, GivenMixture, GivenParameters
from emplus.starts.registry import STARTS, make_start
from tests.awkward import every_awkward
from tests.cases import (
    Array,
    FamilyCase,
    every_covariance,
    every_family,
    gaussian_family,
    problem_of,
    random_gaussian,
)
from tests.oracles import full_covariances

every_start = pytest.mark.parametrize("name", STARTS)
# Of the others, the components are cells of the rows.
CELL_STARTS = [name for name in STARTS if name != "perturbed"]
every_cell_start = pytest.mark.parametrize("name", CELL_STARTS)

CORNERS = 10.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def blobs(n: int = 400) -> tuple[Array, NDArray[np.intp]]:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 4
    return CORNERS[labels] + rng.standard_normal((n, 2)), labels


def draw(name: str, problem: Any, k: int = 4, seed: int = 0) -> Mixture:
    return make_start(name)(problem, k, np.random.default_rng(seed))


def arrays(mixture: Mixture) -> list[Array]:
    return [mixture.log_weights, *mixture.family.pack(mixture.parameters).values()]


@every_family
@every_start
def test_same_seed_same_bits_other_seed_other_start(case: FamilyCase, name: str) -> None:
    problem = case.problem(case.rows(300))
    one, again, other = (draw(name, problem, 3, seed) for seed in (4, 4, 5))
    for left, right in zip(arrays(one), arrays(again), strict=True):
        assert_array_equal(left, right)
    if name != "kmeans":  # which may well find the same centres
        pairs = zip(arrays(one), arrays(other), strict=True)
        assert not all(np.array_equal(left, right) for left, right in pairs)


@every_covariance
@every_cell_start
def test_covariances_are_as_wide_as_the_cells(covariance_type: str, name: str) -> None:
    X, _ = blobs()
    mixture = draw(name, problem_of(gaussian_family(covariance_type), ArraySource(X)))
    variances = np.einsum("kaa->ka", full_covariances(mixture))
    total = X.var(axis=0)
    assert_allclose(mixture.weights.sum(), 1.0)
    if name == "random":
        # Every component has a share of every row: all are nearly as wide as the data.
        assert_allclose(variances / total, 1.0, rtol=0.2)
        assert_allclose(mixture.parameters.means, np.tile(X.mean(axis=0), (4, 1)), atol=1.5)
    else:
        # A start that puts one row in each component would give 1e-6 here.
        assert (variances > 0.1).all()
        within = (mixture.weights[:, None] * variances).sum(axis=0)
        assert (within < total).all()


@pytest.mark.parametrize("name", ["k-means++", "kmeans"])
def test_separate_clusters_are_found(name: str) -> None:
    X, _ = blobs()
    found = [
        draw(name, problem_of(gaussian_family("full"), ArraySource(X)), 4, s) for s in range(5)
    ]
    for mixture in found if name == "kmeans" else found[:1]:
        order = np.lexsort(np.round(mixture.parameters.means / 10.0).T[::-1])
        assert_allclose(mixture.parameters.means[order], CORNERS, atol=1.5)


@every_cell_start
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_starts_do_not_see_the_units_of_the_columns(covariance_type: str, name: str) -> None:
    X, _ = blobs()
    scale = np.array([1e-6, 1e6])
    family = gaussian_family(covariance_type)
    one = draw(name, problem_of(family, ArraySource(X)))
    other = draw(name, problem_of(family, ArraySource(X * scale)))
    assert_allclose(other.weights, one.weights, rtol=1e-12)
    assert_allclose(other.parameters.means, one.parameters.means * scale, rtol=1e-8)


@every_start
@every_covariance
@every_awkward
def test_awkward_rows_give_a_finite_start(X: Array, covariance_type: str, name: str) -> None:
    problem = problem_of(gaussian_family(covariance_type), ArraySource(X))
    mixture = draw(name, problem, min(4, len(X)))
    for array in arrays(mixture)[1:]:
        assert np.isfinite(array).all()
    assert np.isfinite(problem.evaluate(mixture).objective)


@pytest.mark.parametrize("name", ["k-means++", "kmeans", "random_from_data"])
def test_rows_without_weight_are_never_centres(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = blobs()
    weight = np.ones(400)
    X[::5], weight[::5] = 1e3, 0.0
    used: list[Array] = []
    original = centres.from_centres

    def spy(problem: Any, X: Any, weight: Any, points: Any, chosen: Array) -> Mixture:
        used.append(chosen * np.sqrt(problem.moments.variance) + problem.moments.mean)
        return original(problem, X, weight, points, chosen)

    monkeypatch.setattr(centres, "from_centres", spy)
    problem = problem_of(gaussian_family("full"), ArraySource(X, weight))
    for seed in range(20):
        draw(name, problem, 4, seed)
    assert len(used) == 20
    assert np.max(used) < 100


@pytest.mark.parametrize("name", ["k-means++", "kmeans", "random_from_data"])
def test_heavy_rows_are_drawn_more_often(name: str) -> None:
    X = np.repeat([[0.0], [1.0]], 50, axis=0) + np.linspace(0, 1e-3, 100)[:, None]
    weight = np.r_[np.full(50, 99.0), np.full(50, 1.0)]
    problem = problem_of(gaussian_family("full"), ArraySource(X, weight))
    means = [draw(name, problem, 1, seed).parameters.means[0, 0] for seed in range(5)]
    assert_allclose(means, np.average(X[:, 0], weights=weight), rtol=1e-10)


@every_start
def test_a_start_on_many_rows_looks_at_some_of_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MOST_ROWS", 400)
    X, _ = blobs(4000)
    mixture = draw(name, problem_of(gaussian_family("full"), ArraySource(X)))
    assert np.isfinite(mixture.log_density(X)).all()
    again = draw(name, problem_of(gaussian_family("full"), ArraySource(X)))
    assert_array_equal(mixture.parameters.means, again.parameters.means)


def test_unknown_start_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'k-means\\+\\+'"):
        make_start("k-mean++")


@every_family
def test_labels_are_respected(case: FamilyCase) -> None:
    X = case.rows(90)
    labels = np.arange(90) % 3
    labels[::10] = -1
    problem = case.problem(X)
    mixture = GivenLabels(labels)(problem, 3, np.random.default_rng(0))
    known = labels >= 0
    wanted = problem.estimate(X[known], np.eye(3)[labels[known]])
    for left, right in zip(arrays(mixture), arrays(wanted), strict=True):
        assert_allclose(left, right)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(3, int), "90 whole numbers"),
        (np.zeros(90), "whole numbers"),
        (np.full(90, 3), r"-1 \.\. 2"),
        (np.full(90, -2), r"-1 \.\. 2"),
        (np.arange(90) % 2, "No row is labelled 2"),
        (np.full(90, -1), "No row is labelled 0"),
    ],
)
def test_refuses_labels_that_do_not_fit(labels: Any, words: str) -> None:
    problem = problem_of(gaussian_family("full"), ArraySource(blobs(90)[0]))
    with pytest.raises(ArgumentError, match=words):
        GivenLabels(labels)(problem, 3, np.random.default_rng(0))


@every_family
def test_a_given_mixture_is_taken_as_it_is(case: FamilyCase) -> None:
    problem = case.problem(case.rows(50))
    rng = np.random.default_rng(0)
    # A family made anew is the same family.
    from emplus.families.registry import make_family

    again = make_family(case.family.name, **case.family.config())
    given = Mixture(again, case.mixture.log_weights, case.mixture.parameters)
    assert GivenMixture(given)(problem, 3, rng) is given
    with pytest.raises(ArgumentError, match="3 components, not 4"):
        GivenMixture(given)(problem, 4, rng)
    more = case.mixture.n_features + 1
    with pytest.raises(ArgumentError, match=f"{more - 1} columns, the data {more}"):
        GivenMixture(given)(case.problem(np.eye(9)[:, :more]), 3, rng)


def test_a_given_mixture_of_another_family_is_refused() -> None:
    problem = problem_of(gaussian_family("full"), ArraySource(blobs()[0]))
    with pytest.raises(ArgumentError, match="another family"):
        GivenMixture(random_gaussian("diag"))(problem, 3, np.random.default_rng(0))


@every_covariance
def test_given_values_are_kept_and_the_rest_is_estimated(covariance_type: str) -> None:
    X, _ = blobs()
    problem = problem_of(gaussian_family(covariance_type), ArraySource(X))
    otherwise = make_start("random")
    rng = np.random.default_rng(0)
    means, weights = CORNERS + 0.5, np.array([0.1, 0.2, 0.3, 0.4])
    shape = np.shape(random_gaussian(covariance_type, 4, 2).parameters.covariances)
    matrices = covariance_type in ("full", "tied")
    covariances = np.broadcast_to(0.5 * np.eye(2) if matrices else np.array(0.5), shape)
    only_means = GivenParameters(otherwise, means=means)(problem, 4, rng)
    assert_array_equal(only_means.parameters.means, means)
    # Covariances are those of the rows nearest to each given mean.
    assert_allclose(only_means.weights, 0.25, atol=0.01)
    variances = np.einsum("kaa->ka", full_covariances(only_means))
    assert_allclose(variances, 1.0, atol=0.5)
    everything = GivenParameters(otherwise, weights, means, {"covariances": covariances})(
        problem, 4, rng
    )
    assert_allclose(everything.weights, weights)
    assert_array_equal(everything.parameters.means, means)
    assert_allclose(full_covariances(everything), np.tile(0.5 * np.eye(2), (4, 1, 1)))
    drawn = GivenParameters(otherwise, weights=weights)(problem, 4, np.random.default_rng(1))
    plain = otherwise(problem, 4, np.random.default_rng(1))
    assert_array_equal(drawn.parameters.means, plain.parameters.means)
    assert_allclose(drawn.weights, weights)


@every_covariance
def test_where_all_is_given_nothing_is_estimated(covariance_type: str) -> None:
    """Means that coincide leave the second no rows, and without a prior no covariance."""
    given = random_gaussian(covariance_type, 2, 2)
    problem = problem_of(gaussian_family(covariance_type), ArraySource(blobs()[0]), strength=0.0)
    covariances = given.family.pack(given.parameters)["covariances"]
    start = GivenParameters(
        make_start("k-means++"),
        np.array([3.0, 1.0]),
        np.zeros((2, 2)),
        {"covariances": covariances},
    )
    made = start(problem, 2, np.random.default_rng(0))
    assert_allclose(made.weights, [0.75, 0.25])
    assert_array_equal(made.parameters.means, 0.0)
    assert_array_equal(made.family.pack(made.parameters)["covariances"], covariances)
