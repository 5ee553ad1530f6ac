"""What is said of a fitted mixture: oracles by hand, products over the families, hostile rows."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, cast

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import GaussianMixture, Mixture, diagnose
from tests.awkward import AWKWARD
from tests.cases import FamilyCase, every_covariance, every_family, random_gaussian, tolerated
from tests.models import drawn, fitted, line, make_rows

# -- figures of the whole ------------------------------------------------------------------------


@every_family
def test_figures_are_those_of_the_responsibilities(case: FamilyCase) -> None:
    X, weight = case.rows(90), np.random.default_rng(1).uniform(0.2, 3.0, size=90)
    found = diagnose(case.mixture, X, weight)
    resp, label = case.mixture.responsibilities(X), case.mixture.predict(X)
    k, total = case.mixture.n_components, weight.sum()
    assert (found.n_rows, found.n_components) == (90, k)
    assert_allclose(found.rows, weight @ resp)
    for j in range(k):
        own = label == j
        assert_allclose(found.assigned[j], weight[own].sum())
        assert_allclose(found.certainty[j], np.average(resp[own, j], weights=weight[own]))
    assert_allclose(found.log_likelihood, weight @ case.mixture.log_density(X))
    assert_allclose(found.mean_log_likelihood, found.log_likelihood / total)
    others = np.einsum("i,ij,il->jl", weight, resp, resp) / found.rows[:, None]
    np.fill_diagonal(others, 0.0)
    assert_array_equal(found.nearest, others.argmax(axis=1))
    assert_allclose(found.nearest_share, others.max(axis=1))


@every_family
def test_entropy_is_the_mean_surprise_of_all_labellings(case: FamilyCase) -> None:
    X = case.rows(5)
    resp = case.mixture.responsibilities(X)
    k = case.mixture.n_components
    surprise = 0.0
    for labels in itertools.product(range(k), repeat=len(X)):
        p = float(resp[np.arange(len(X)), labels].prod())
        surprise -= p * np.log(p) if p > 0 else 0.0
    found = diagnose(case.mixture, X)
    assert_allclose(found.entropy, surprise, rtol=1e-9)
    assert_allclose(found.entropy_index, 1.0 - surprise / (len(X) * np.log(k)), rtol=1e-9)


def test_entropy_index_runs_from_none_to_all() -> None:
    same = line([0.0, 0.0], [1.0, 1.0])
    far = line([0.0, 1000.0], [1.0, 1.0])
    assert_allclose(diagnose(same, drawn(same, 50)).entropy_index, 0.0, atol=1e-12)
    assert_allclose(diagnose(far, drawn(far, 50)).entropy_index, 1.0)


@every_covariance
def test_criteria_are_those_of_the_estimator(covariance_type: str) -> None:
    X, model = make_rows(), fitted(covariance_type)
    weight = np.random.default_rng(0).integers(0, 4, size=len(X)).astype(float)
    for given_weight in (None, weight):
        found = diagnose(model, X, given_weight)
        for name in ("aic", "bic", "icl"):
            told = getattr(model, name)(X, sample_weight=given_weight)
            assert_allclose(getattr(found, name), told)
    assert str(diagnose(model, X)) == str(diagnose(model.mixture_, X))


@every_family
def test_one_component_is_alone(case: FamilyCase) -> None:
    X = case.rows(60)
    mixture = case.mixture.take([0])
    found = diagnose(mixture, X)
    assert found.pairs == ()
    assert_allclose([found.entropy, found.entropy_index], [0.0, 1.0], atol=1e-12)
    assert found.nearest.tolist() == [-1]
    assert_allclose(found.certainty, 1.0)
    free = case.family.n_free_parameters(1, X.shape[1])
    assert found.own_parameters == free
    assert found.flagged.tolist() == []
    assert "Nothing is wrong" in str(found)


# -- duplicates ----------------------------------------------------------------------------------


@every_family
def test_the_same_component_twice_is_a_duplicate(case: FamilyCase) -> None:
    twice = Mixture(
        case.family,
        np.append(case.mixture.log_weights, case.mixture.log_weights[-1] - 1.0),
        case.mixture.parameters.take([0, 1, 2, 2]),
    )
    share = np.exp(twice.log_weights) / np.exp(twice.log_weights).sum()
    twice = dataclasses.replace(twice, log_weights=np.log(share))
    found = diagnose(twice, drawn(twice, 3000))
    pair = next(pair for pair in found.pairs if (pair.first, pair.second) == (2, 3))
    assert pair.alike
    assert pair.divergence < 1e-20
    assert {2, 3} <= set(found.flagged.tolist())
    assert "Duplicates: 2 and 3" in str(found)
    assert "like 3" in found.findings(2)


def test_many_of_one_density_are_duplicates_though_each_pair_shares_little() -> None:
    many = line(np.zeros(40), np.ones(40))
    found = diagnose(many, drawn(many, 8000))
    assert found.nearest_share.max() < 0.05
    assert found.flagged.tolist() == list(range(40))
    assert all(pair.alike for pair in found.pairs)


@every_family
def test_components_far_apart_are_no_duplicates(case: FamilyCase) -> None:
    far = case.like(3, 12.0)
    found = diagnose(far, drawn(far, 1000))
    assert found.duplicates == ()
    assert not any("like" in word for j in range(3) for word in found.findings(j))


@every_covariance
def test_the_cost_of_a_merger_is_what_the_log_likelihood_loses(covariance_type: str) -> None:
    mixture = random_gaussian(covariance_type, k=4, separation=0.8, seed=3)
    X = drawn(mixture, 500)
    weight = np.random.default_rng(5).uniform(0.5, 1.5, size=500)
    found = diagnose(mixture, X, weight)
    resp = mixture.responsibilities(X) * weight[:, None]
    before = float(weight @ mixture.log_density(X))
    assert len(found.pairs) >= 2
    for pair in found.pairs:
        both = resp[:, pair.first] + resp[:, pair.second]
        mean = both @ X / both.sum()
        scatter = (X - mean).T @ ((X - mean) * both[:, None]) / both.sum()
        arrays = mixture.family.pack(mixture.parameters)
        # What all components share stays as it is.
        covariance = {
            "full": scatter,
            "diag": np.diag(scatter),
            "spherical": np.trace(scatter) / X.shape[1],
            "tied": arrays["covariances"],
        }[covariance_type]
        others = [j for j in range(4) if j not in (pair.first, pair.second)]
        shared = covariance_type == "tied"
        kept = arrays["covariances"] if shared else arrays["covariances"][others]
        merged = Mixture.gaussian(
            np.append(mixture.weights[others], mixture.weights[[pair.first, pair.second]].sum()),
            np.vstack([arrays["means"][others], mean]),
            kept if shared else np.concatenate([kept, np.array([covariance])]),
            covariance_type,
        )
        after = float(weight @ merged.log_density(X))
        # A thousandth of a phantom row is all that sets the two apart.
        assert_allclose(pair.cost, before - after, rtol=1e-3, atol=1e-2)
        log_density = [mixture.take([j]).log_density(X) for j in (pair.first, pair.second)]
        gap = log_density[0] - log_density[1]
        one, other = resp[:, pair.first], resp[:, pair.second]
        divergence = one @ gap / one.sum() - other @ gap / other.sum()
        assert_allclose(pair.divergence, divergence, rtol=1e-8)


def test_two_halves_of_one_cluster_are_mergeable_and_two_clusters_are_not() -> None:
    X = np.random.default_rng(0).standard_normal((2000, 2))
    halves = Mixture.gaussian([0.5, 0.5], [[-0.4, 0.0], [0.4, 0.0]], [np.diag([0.84, 1.0])] * 2)
    found = diagnose(halves, X)
    (pair,) = found.duplicates
    assert pair.mergeable
    assert not pair.alike
    assert pair.cost < 0.2 * found.merge_limit
    X[:1000, 0] += 2.5
    clusters = Mixture.gaussian([0.5, 0.5], [[0.0, 0.0], [2.5, 0.0]], [np.eye(2)] * 2)
    assert diagnose(clusters, X).duplicates == ()


def test_how_often_two_fits_to_one_density_are_told_apart() -> None:
    """What is alike is alike 95 times of 100: the divergence is a chi-square there."""
    rng, alike = np.random.default_rng(11), 0
    for _ in range(200):
        X = rng.standard_normal((400, 1))
        half = rng.random(400) < 0.5
        mixture = line([X[half].mean(), X[~half].mean()], [X[half].var(), X[~half].var()])
        (pair,) = diagnose(mixture, X).pairs
        alike += pair.alike
    assert 180 <= alike <= 198


# -- light, collapsed ----------------------------------------------------------------------------


def test_a_component_of_few_rows_is_light_and_one_of_none_is_empty() -> None:
    mixture = line([0.0, 50.0, 900.0], [1.0, 1.0, 1.0], [0.9, 0.08, 0.02])
    X = np.append(np.random.default_rng(0).standard_normal(40), [50.0, 50.5, 49.0])[:, None]
    found = diagnose(mixture, X)
    assert_allclose(found.rows, [40.0, 3.0, 0.0], atol=1e-9)
    assert found.light.tolist() == [1, 2]
    assert found.empty.tolist() == [2]
    assert [found.findings(j) for j in range(3)] == [[], ["light"], ["empty"]]
    assert np.isnan(found.certainty[2])
    # The same rows seen three times over are enough.
    assert diagnose(mixture, X, np.full(43, 3.0)).light.tolist() == [2]


@pytest.mark.parametrize(
    ("covariance_type", "needed"), [("full", 23.0), ("diag", 5.0), ("spherical", 5.0), ("tied", 5)]
)
def test_the_rows_a_component_needs(covariance_type: str, needed: float) -> None:
    mixture = random_gaussian(covariance_type, k=3, d=20)
    assert diagnose(mixture, drawn(mixture, 30)).needed_rows == needed


def test_a_component_on_a_point_has_collapsed() -> None:
    X = np.random.default_rng(0).standard_normal((200, 2))
    covariances = [[1.0, 1.0], [1.0, 1e-9]]
    found = diagnose(Mixture.gaussian([0.9, 0.1], X[:2], covariances, "diag"), X)
    assert found.degenerate.tolist() == [1]
    assert found.narrowest_column[1] == 1
    assert_allclose(found.narrowest[1], 1e-9 / X[:, 1].var())
    assert "Collapsed: 1, on column 1" in str(found)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_component_on_a_plane_has_collapsed_in_any_units(scale: float) -> None:
    X = np.random.default_rng(0).standard_normal((200, 3)) * [1.0, scale, 1.0]
    flat = np.eye(3)
    flat[0, 1] = flat[1, 0] = 1.0 - 1e-8
    units = np.diag([1.0, scale, 1.0])
    covariances = [units @ flat @ units, units @ units]
    found = diagnose(Mixture.gaussian([0.5, 0.5], np.zeros((2, 3)), covariances), X)
    assert found.degenerate.tolist() == [0]
    assert found.narrowest_column[0] == -1
    assert "on a plane across columns" in str(found)


def test_clusters_far_apart_have_not_collapsed_but_one_among_them_may_have() -> None:
    mixture = line([0.0, 1e5, 2e5], [1.0, 2.0, 0.5])
    X = drawn(mixture, 300)
    found = diagnose(mixture, X)
    assert (found.narrowest < 1e-8).all()
    assert found.degenerate.tolist() == []
    point = line([0.0, 1e5, X.max()], [1.0, 2.0, 1e-5])
    assert diagnose(point, X).degenerate.tolist() == [2]


def test_points_have_collapsed_all_of_them() -> None:
    X = AWKWARD["two points"]
    points = Mixture.gaussian([0.5, 0.5], [X[0], X[-1]], np.full((2, 2), 1e-13), "diag")
    assert diagnose(points, X).degenerate.tolist() == [0, 1]


def test_data_on_a_plane_are_no_fault_of_the_components() -> None:
    X = AWKWARD["collinear columns"]
    with tolerated():
        model = GaussianMixture(2, random_state=0).fit(X)
    assert diagnose(model, X).degenerate.tolist() == []


def test_a_family_says_which_of_its_columns_are_continuous() -> None:
    X = np.random.default_rng(0).standard_normal((50, 2))
    mixture = Mixture.gaussian([1.0], [[0.0, 0.0]], [[1e-12, 1e-12]], "diag")

    class Says:
        def __init__(self, answer: list[bool]):
            self.answer = answer

        def __getattr__(self, name: str) -> Any:
            return getattr(mixture.family, name)

        def continuous(self, parameters: Any) -> list[bool]:
            return self.answer

    # Column 1 has the larger variance, beside which the component is narrower.
    assert X[:, 1].var() > X[:, 0].var()
    for answer, column in (([True, True], 1), ([True, False], 0)):
        said = dataclasses.replace(mixture, family=cast(Any, Says(answer)))
        assert diagnose(said, X).narrowest_column.tolist() == [column]
    found = diagnose(dataclasses.replace(mixture, family=cast(Any, Says([False, False]))), X)
    assert found.degenerate.tolist() == []
    assert np.isnan(found.narrowest).all()
    assert str(found)
