"""The calibrated prior: whose spread it has, what it costs, what it does not depend on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from emplus import GaussianMixture, datasets
from emplus.data.base import Block
from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine
from emplus.engine.problem import Problem
from emplus.errors import DataError
from emplus.families.base import Family
from emplus.starts import calibration
from emplus.starts.calibration import calibrated_prior
from emplus.starts.given import GivenLabels
from tests.awkward import awkward_rows, every_awkward
from tests.cases import (
    Array,
    FamilyCase,
    every_covariance,
    every_family,
    gaussian_family,
    tolerated,
)

Labels = NDArray[np.intp]
Labelled = tuple[Array, Labels]

both_precisions = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def prior_of(
    X: Array,
    k: int,
    weight: Array | None = None,
    strength: float | None = None,
    covariance_type: str = "full",
) -> Any:
    family = gaussian_family(covariance_type)
    return calibrated_prior(family, ArraySource(X, weight, n_jobs=1), k, strength)


def shapes(k: int, d: int, condition: float, seed: int, n: int = 400) -> Labelled:
    """Clusters 6 apart whose covariances have this condition number, each turned its own way."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n * k) % k
    roots = np.geomspace(condition**-0.5, 1.0, d)
    X = np.empty((len(labels), d))
    for j, centre in enumerate(6.0 * _far_apart(k, d)):
        turned, _ = np.linalg.qr(rng.standard_normal((d, d)))
        X[labels == j] = centre + rng.standard_normal((n, d)) * roots @ turned.T
    return X, labels


def _far_apart(k: int, d: int) -> Array:
    """The first k corners (k, d) of a grid."""
    side = int(np.ceil(k ** (1.0 / d) - 1e-9))
    powers = float(max(side, 2)) ** np.arange(d)
    corners: Array = np.arange(k)[:, None] // powers % max(side, 2)
    return corners


def of_a_file(name: str) -> Callable[[], Labelled]:
    def loaded() -> Labelled:
        try:
            data = datasets.load(name)
        except DataError as error:
            pytest.skip(str(error))
        _, labels = np.unique(np.asarray(data.y), return_inverse=True)
        return np.asarray(data.X, dtype=np.float64), labels

    return loaded


CLUSTERS: dict[str, Callable[[], Labelled]] = {
    **{name: of_a_file(name) for name in ("r15", "s2", "a2", "d31", "birch1")},
    **{
        f"round, k={k}, d={d}": partial(shapes, k, d, 1.0, seed=d)
        for k, d in ((4, 1), (3, 2), (20, 2), (20, 8), (5, 32))
    },
}
ANISOTROPIC = {
    f"anisotropic, k={k}, d={d}": lambda k=k, d=d: shapes(k, d, 1e4, seed=d)
    for k, d in ((4, 2), (9, 2), (5, 8), (12, 8))
}


def within(X: Array, labels: Labels) -> Array:
    """The pooled variance of each column within the clusters."""
    means = np.stack([X[labels == j].mean(axis=0) for j in range(labels.max() + 1)])
    variances: Array = ((X - means[labels]) ** 2).mean(axis=0)
    return variances


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_spread_is_that_of_a_typical_cluster(name: str) -> None:
    X, labels = CLUSTERS[name]()
    ratio = prior_of(X, int(labels.max()) + 1).variances / within(X, labels)
    assert ratio.min() > 0.5
    assert ratio.max() < 2.0


@pytest.mark.parametrize("k", [17, 20, 23])
def test_cells_over_two_clusters_or_half_a_one_do_not_move_the_spread(k: int) -> None:
    # A cell over two of these clusters has ten times the variance of one in the longer direction.
    X, labels = shapes(20, 2, 1.0, seed=0)
    ratio = prior_of(X, k).variances / within(X, labels)
    assert ratio.min() > 0.5
    assert ratio.max() < 2.0


@pytest.mark.parametrize("name", [*CLUSTERS, *ANISOTROPIC])
def test_the_prior_costs_no_more_than_it_promises(name: str) -> None:
    X, labels = {**CLUSTERS, **ANISOTROPIC}[name]()
    k = int(labels.max()) + 1
    family, source = gaussian_family("full"), ArraySource(X)
    almost_none = family.default_prior(source.moments(full=False), 1e-7)

    def log_likelihood(prior: Any) -> float:
        problem = Problem(family, source, prior)
        start = GivenLabels(labels)(problem, k, np.random.default_rng(0))
        return Engine().climb(problem, start).state.log_likelihood / len(X)

    prior = calibrated_prior(family, source, k)
    assert log_likelihood(prior) > log_likelihood(almost_none) - 1e-3
    # It is believed in as far as that allows: where all clusters are alike, a whole row.
    assert 2.0**-13 <= prior.strength <= 2.0
    if name in CLUSTERS and name != "r15":
        assert prior.strength == 2.0
    if name in ANISOTROPIC:
        assert prior.strength < 0.1


def test_a_number_is_the_number_of_rows() -> None:
    X, _ = shapes(4, 2, 1e4, seed=1)
    automatic, given_strength = prior_of(X, 4), prior_of(X, 4, strength=0.3)
    assert given_strength.strength == 0.3
    assert_array_equal(given_strength.variances, automatic.variances)
    assert prior_of(X, 4, strength=0.0).strength == 0.0


SCALES = [(1e-6, 1e-6), (1e6, 1e6), (1e-9, 3e9), (7.0, 0.1)]


def same(one: Any, other: Any, scale: Any = 1.0, rtol: float = 1e-7) -> None:
    assert other.strength == one.strength
    assert_allclose(other.variances, one.variances * np.square(scale), rtol=rtol)


# Small and large, smooth and round: where values tie, rounding decides if it is let.
EXAMPLES: dict[str, Array] = {
    "few rows": shapes(3, 2, 1.0, seed=4, n=9)[0],
    "clusters": shapes(6, 2, 10.0, seed=5, n=100)[0],
    "two equal halves": shapes(2, 2, 1.0, seed=6, n=50)[0],
    "whole numbers": np.round(2.0 * shapes(5, 2, 1.0, seed=7, n=60)[0]),
    "a square": np.stack(np.meshgrid(*[np.arange(-8.0, 9.0)] * 2), -1).reshape(-1, 2),
    "twice the same column": shapes(5, 1, 1.0, seed=8, n=60)[0][:, [0, 0]],
}
every_example = pytest.mark.parametrize("name", EXAMPLES)


@every_example
@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_it_follows_the_units_of_the_columns(name: str, scale: Any, k: int) -> None:
    X = EXAMPLES[name]
    same(prior_of(X, k), prior_of(X * scale, k), scale)


@every_example
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_order_of_the_rows_does_not_matter(name: str, k: int) -> None:
    X = EXAMPLES[name]
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(X)
        same(prior_of(X, k), prior_of(shuffled, k))


@every_example
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_weights_are_repetitions(name: str, k: int, covariance_type: str) -> None:
    X = EXAMPLES[name]
    for seed in range(3):
        counts = np.random.default_rng(seed).integers(0, 4, size=len(X))
        repeated = prior_of(np.repeat(X, counts, axis=0), k, covariance_type=covariance_type)
        weighted = prior_of(X, k, counts.astype(float), covariance_type=covariance_type)
        same(repeated, weighted)


def test_where_the_origin_lies_does_not_matter() -> None:
    X = np.round(shapes(6, 2, 10.0, seed=5, n=100)[0] * 2.0**16) / 2.0**16
    same(prior_of(X, 6), prior_of(X + np.array([1e8, -3e7]), 6), rtol=1e-6)


def test_weights_that_sum_to_one_are_not_a_single_row() -> None:
    X, labels = shapes(4, 2, 1.0, seed=3)
    prior = prior_of(X, 4, np.full(len(X), 1.0 / len(X)))
    # A whole row would be as much as all the data.
    assert prior.strength <= 0.1
    assert_allclose(prior.variances, within(X, labels), rtol=0.2)
    few = prior_of(X[:40], 4, np.full(40, 1.0 / 40))
    assert few.strength <= 0.25


@both_precisions
@every_covariance
@every_awkward
@pytest.mark.parametrize("strength", [None, 1e-3])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_awkward_rows_give_a_proper_prior(
    X: Array, covariance_type: str, dtype: type[np.floating], strength: float | None
) -> None:
    rows = X.astype(dtype)
    if not np.isfinite(rows).all():
        pytest.skip("not to be held in single precision")
    for k in (1, 3, len(rows)):
        assert_proper(
            prior_of(rows, k, strength=strength, covariance_type=covariance_type), strength
        )


def assert_proper(prior: Any, strength: float | None = None) -> None:
    assert np.isfinite(prior.variances).all()
    assert (prior.variances > 0).all()
    assert 0 < prior.strength <= 2
    assert strength is None or prior.strength == strength


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(X=awkward_rows(), k=st.integers(1, 8), weighted=st.booleans(), seed=st.integers(0, 99))
def test_any_rows_give_a_proper_prior(X: Array, k: int, weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = 10.0 ** rng.uniform(-3, 3, size=len(X)) if weighted else None
    assert_proper(prior_of(X, k, weight))
    assert_proper(prior_of(np.repeat(X, 20, axis=0), k))


@every_covariance
def test_fewer_distinct_rows_than_components(covariance_type: str) -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 5.0]], 100, axis=0)
    for k in (2, 3, 8):
        prior = prior_of(X, k, covariance_type=covariance_type)
        assert_proper(prior)
        # Nothing varies within a cell; a small part of the whole is what is left.
        assert (prior.variances <= 0.01 * X.var(axis=0)).all()


def test_constant_columns_leave_the_others_alone() -> None:
    X, _ = shapes(4, 2, 1.0, seed=2)
    alone, beside = prior_of(X, 4), prior_of(np.column_stack([X, np.full(len(X), 7.0)]), 4)
    assert_proper(beside)
    assert_allclose(beside.variances[:2], alone.variances, rtol=1e-9)


def test_rows_in_single_precision_have_the_same_spread() -> None:
    X, labels = shapes(9, 2, 1.0, seed=1)
    k = int(labels.max()) + 1
    one, other = prior_of(X, k), prior_of(X.astype(np.float32), k)
    assert one.strength == other.strength
    assert other.variances.dtype == np.float64
    assert_allclose(one.variances, other.variances, rtol=1e-3)


class Counting(ArraySource):  # type: ignore[misc]  # final: only to look over its shoulder
    """Counts the rows that are handed out, whole or in part."""

    seen = 0

    def reduce(self, function: Any, width: int) -> Any:
        def counted(block: Block) -> Any:
            Counting.seen += len(block.X)
            return function(block)

        return super().reduce(counted, width)

    def subset(self, rows: Any) -> Any:
        return Counting(*self.take(rows), 1)


@pytest.mark.parametrize(("n", "condition"), [(300, 1.0), (300, 1e4), (20_000, 1.0), (20_000, 1e4)])
def test_it_looks_a_dozen_times_at_some_thousand_rows(n: int, condition: float) -> None:
    X, _ = shapes(4, 2, condition, seed=0, n=n)
    source = Counting(X, n_jobs=1)
    Counting.seen = 0
    whole = calibrated_prior(gaussian_family("full"), source, 4)
    assert 0 < Counting.seen <= 12 * min(4 * n, 4000)
    assert_proper(whole)
    # The clusters come in turns, and no more than every twentieth row is looked at.
    assert_allclose(whole.variances, prior_of(X[: 4 * 300], 4).variances, rtol=0.3)


# Rows that tell the shapes of k components: ten for each column and the mean, or for each two
# parameters a column.
NEEDED = {
    ("full", 3): 40,
    ("full", 1): 20,
    ("diag", 50): 40,
    ("diag", 2): 30,
    ("spherical", 50): 30,
}


@pytest.mark.parametrize(("covariance_type", "d"), NEEDED)
def test_the_shape_is_looked_at_where_there_are_rows_enough(covariance_type: str, d: int) -> None:
    needed = 2 * NEEDED[covariance_type, d]
    # Two clusters of very different size: the prior has to give way once it looks at them.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((needed, d)) * np.where(np.arange(needed) % 2, 1.0, 30.0)[:, None]
    X[::2, 0] += 500.0
    enough, too_few = (prior_of(rows, 2, None, None, covariance_type) for rows in (X, X[1:]))
    assert too_few.strength == 2.0
    assert enough.strength < 2.0


def test_many_columns_are_worked_on_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = shapes(5, 7, 10.0, seed=0, n=100)
    whole = prior_of(X, 5)
    for numbers in (1, 1200, 10_000):
        monkeypatch.setattr(calibration, "_NUMBERS_AT_ONCE", numbers)
        same(whole, prior_of(X, 5), rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_it_takes_little_memory_beside_the_data(covariance_type: str) -> None:
    X = np.random.default_rng(0).standard_normal((8_000, 300))
    source = ArraySource(X, n_jobs=1)
    source.moments(full=False)
    tracemalloc.start()
    try:
        calibrated_prior(gaussian_family(covariance_type), source, 10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One copy of the rows looked at, in standard units, and some blocks.
    assert peak < X.nbytes + (24 << 20)


def test_rows_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = shapes(4, 2, 1e4, seed=0, n=20_000)
    some = prior_of(X, 4)
    monkeypatch.setattr(calibration, "_LEAST_ROWS", len(X))
    everything = prior_of(X, 4)
    few = prior_of(X[:4000], 4)
    # The same prior costs each row less where there are more of them.
    assert few.strength < everything.strength
    assert 0.5 <= some.strength / everything.strength <= 2.0


@every_family
def test_the_estimator_believes_in_the_calibrated_prior(case: FamilyCase) -> None:
    X = case.rows(400)
    family: Family = case.family
    prior = calibrated_prior(family, ArraySource(X), 3)
    with tolerated():
        model = case.estimator(3, search="em", random_state=0).fit(X)
    wanted = family.log_prior(model.mixture_.parameters, prior).sum()
    assert_allclose(model.result_.log_prior, wanted, rtol=1e-12)


def test_a_component_on_a_few_close_rows_is_not_worth_it() -> None:
    # Four rows which happen to lie together: likelihood alone pays well for a component on them.
    rng = np.random.default_rng(0)
    X = np.vstack([rng.standard_normal((300, 2)), 3.0 + 1e-4 * rng.standard_normal((4, 2))])
    held_out = rng.standard_normal((300, 2))
    labels = np.r_[np.zeros(300, dtype=int), np.ones(4, dtype=int)]

    def model(reg_covar: float | str) -> GaussianMixture:
        return GaussianMixture(
            2, reg_covar=reg_covar, init_params=GivenLabels(labels), search="em"
        ).fit(X)

    believing, likely = model("auto"), model(1e-6)
    smallest = [np.linalg.eigvalsh(each.covariances_).min() for each in (believing, likely)]
    assert smallest[1] < 1e-6 < 1e-2 < smallest[0]
    assert believing.score(held_out) > likely.score(held_out) - 1e-3
