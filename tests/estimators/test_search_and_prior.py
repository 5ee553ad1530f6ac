"""The two defaults that a person meets first: how the fit is searched for, and its prior."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus import GaussianMixture
from emplus.data.memory import ArraySource
from emplus.search.base import Budget
from emplus.search.registry import make_search
from emplus.search.restarts import Restarts
from emplus.search.split_merge import SplitMerge
from emplus.starts.calibration import calibrated_prior
from emplus.starts.given import GivenLabels
from tests.cases import (
    Array,
    FamilyCase,
    every_family,
    every_searched_family,
    random_gaussian,
    tolerated,
)


def clusters(k: int = 9, n: int = 60, seed: int = 0) -> tuple[Array, Any]:
    rng = np.random.default_rng(seed)
    labels = np.arange(k * n) % k
    corners = 8.0 * np.stack([labels % 3, labels // 3 % 3], axis=1)
    return corners + rng.standard_normal((k * n, 2)), labels


def trapped(labels: Any) -> GivenLabels:
    """One component over two clusters, two over one."""
    start = labels.copy()
    start[labels == 1] = 0
    halves = np.flatnonzero(labels == 8)
    start[halves[::2]] = 1
    return GivenLabels(start)


def test_the_defaults() -> None:
    model = GaussianMixture()
    assert model.search == "split_merge"
    assert model.reg_covar == "auto"


@every_family
def test_auto_is_the_calibrated_prior(case: FamilyCase) -> None:
    X = case.rows(400)
    model = case.estimator(3, random_state=0, search="em").fit(X)
    wanted = calibrated_prior(case.family, ArraySource(X), 3)
    assert pickle.dumps(model.prior_) == pickle.dumps(wanted)
    log_prior = case.family.log_prior(model.mixture_.parameters, model.prior_).sum()
    assert model.result_.log_prior == log_prior != 0.0


@every_family
def test_a_number_is_the_strength_of_the_same_spread(case: FamilyCase) -> None:
    X = case.rows(400)
    wanted = calibrated_prior(case.family, ArraySource(X), 3, 0.25)
    strengths = {"reg_covar", "prior"} & case.estimator().get_params().keys()
    for given in (0.25, np.float32(0.25)):
        own = dict.fromkeys(strengths, given)
        model = case.estimator(3, random_state=0, search="em", **own).fit(X)
        assert pickle.dumps(model.prior_) == pickle.dumps(wanted)
    nothing = dict.fromkeys(strengths, 0)
    none = case.estimator(3, random_state=0, search="em", **nothing).fit(X)
    assert none.result_.log_prior == 0.0


def test_the_prior_pulls_as_many_rows() -> None:
    X, labels = clusters()
    X, labels = X[labels == 0], labels[labels == 0]
    scatter = len(X) * np.cov(X.T, ddof=0)
    for strength in (0.5, 40.0):
        model = GaussianMixture(1, reg_covar=strength).fit(X)
        phantom = strength * np.diag(model.prior_.variances)
        assert_allclose(model.covariances_[0], (scatter + phantom) / (len(X) + strength), rtol=1e-9)


def test_the_default_search_leaves_a_trap_that_holds_plain_em() -> None:
    X, labels = clusters()
    truth = GaussianMixture(9, init_params=GivenLabels(labels), search="em").fit(X)
    arguments: dict[str, Any] = {"init_params": trapped(labels), "random_state": 0}
    stuck = GaussianMixture(9, search="em", **arguments).fit(X)
    freed = GaussianMixture(9, **arguments).fit(X)
    assert stuck.lower_bound_ < truth.lower_bound_ - 0.05
    assert freed.lower_bound_ > truth.lower_bound_ - 1e-6
    record = freed.result_.candidates
    assert len(record.accepted) >= 1
    assert {candidate.kind for candidate in record} >= {"split_merge", "settle"}
    assert_allclose(
        freed.result_.rise,
        freed.result_.objective - freed.result_.trace[record.accepted[0].start - 1],
        rtol=1e-9,
    )
    assert len(stuck.result_.candidates) == 0


NAMED: dict[str, tuple[str, Any]] = {
    "em": ("em", Restarts(2)),
    "split_merge": ("split_merge", SplitMerge(first=Restarts(2))),
    "joined": ("em+split_merge", SplitMerge(first=Restarts(2))),
    "twice": ("split_merge+split_merge", SplitMerge(first=SplitMerge(first=Restarts(2)))),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_stands_for_an_object(name: str) -> None:
    words, search = NAMED[name]
    assert make_search(words, 2) == search
    X, _ = random_gaussian("full", k=4, seed=3).sample(200, np.random.default_rng(0))
    arguments: dict[str, Any] = {"n_init": 2, "random_state": 5, "n_jobs": 1}
    by_name = GaussianMixture(4, search=words, **arguments).fit(X)
    by_object = GaussianMixture(4, search=search, **arguments).fit(X)
    assert by_name.result_.trace == by_object.result_.trace
    assert_array_equal(by_name.means_, by_object.means_)


def test_an_object_brings_its_own_budget() -> None:
    X, labels = clusters()
    search = SplitMerge(budget=Budget(moves=0))
    model = GaussianMixture(9, init_params=trapped(labels), search=search, random_state=0).fit(X)
    assert {candidate.kind for candidate in model.result_.candidates} <= {"settle"}
    assert model.get_params()["search"] is search


@every_searched_family
def test_more_starts_and_another_search_are_never_worse(case: FamilyCase) -> None:
    X = case.rows(200)

    def reached(**arguments: Any) -> float:
        # A fourth component may have nothing to do.
        with tolerated():
            model = case.estimator(4, random_state=1, **arguments).fit(X)
        return float(model.result_.objective)

    one = reached(search="em")
    assert reached() >= one - 200 * 1e-4
    assert reached(search="em", n_init=4) >= one
