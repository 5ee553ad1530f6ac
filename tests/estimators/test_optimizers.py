"""``optimizer`` and ``accelerate`` of the estimators: with every table, search and kind of row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from emplus import FactorAnalyzerMixture, GaussianMixture
from emplus.engine.acceleration import Accelerated, Squarem
from emplus.engine.gradient import LBFGS
from emplus.engine.outcome import Outcome
from emplus.engine.problem import State
from emplus.engine.rules import EM
from emplus.errors import ArgumentError, FitWarning, UnknownNameError
from tests.cases import tolerated
from tests.estimators.examples import EXAMPLES, Example, every_example, take, with_holes

OPTIMIZERS = ("gradient", "lbfgs", "em+gradient", "em+lbfgs", "stepwise", "incremental")
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
GAUSSIAN, FACTORS = EXAMPLES[:2]


def has_factors(example: Example) -> bool:
    return example is FACTORS


def assert_near(model: Any, table: Any, other: Any, slack: float) -> None:
    assert model.score(table) >= other.score(table) - slack


@every_optimizer
@every_example
def test_ends_where_em_ends(example: Example, optimizer: str) -> None:
    if optimizer == "incremental" and has_factors(example):
        pytest.skip("incremental EM refuses factors")
    table, _ = example.table()
    plain = example(search="em", accelerate=None).fit(table)
    with tolerated():
        model = example(search="em", optimizer=optimizer, max_iter=200).fit(table)
    trace = np.array(model.result_.trace)
    assert np.diff(trace).min(initial=0.0) >= -1e-7
    # Plain gradients may run out of iterations on their way.
    assert_near(model, table, plain, 0.05 if optimizer == "gradient" else 1e-3)


@pytest.mark.parametrize("accelerate", ["auto", "quasi-newton", "anderson", "squarem"])
@pytest.mark.parametrize("apart", [0.2, 1.0])
@every_example
def test_acceleration_never_ends_lower(example: Example, accelerate: str, apart: float) -> None:
    table, _ = example.table(150, apart)
    plain = example(search="em", accelerate="none", tol=1e-5, max_iter=200)
    model = clone(plain).set_params(accelerate=accelerate)
    with tolerated():
        plain.fit(table)
        model.fit(table)
    assert np.diff(model.result_.trace).min(initial=0.0) >= -1e-7
    assert model.result_.objective >= plain.result_.objective - 1e-6 * 150


@pytest.mark.parametrize("optimizer", ["lbfgs", "em+gradient", "stepwise"])
@pytest.mark.parametrize("search", ["restarts", "split_merge"])
@pytest.mark.parametrize("example", [GAUSSIAN, EXAMPLES[-1]], ids=lambda example: example.id)
def test_searches_climb_by_any_rule(example: Example, search: str, optimizer: str) -> None:
    table, labels = example.table(150)
    with tolerated():
        plain = example(search=search).fit(table)
        model = example(search=search, optimizer=optimizer, max_iter=100).fit(table)
    assert_near(model, table, plain, 0.01)
    counts = np.zeros((3, 3))
    np.add.at(counts, (labels, model.predict(table)), 1)
    assert counts.max(axis=1).sum() >= 0.95 * len(labels)


@every_optimizer
@pytest.mark.parametrize("what", ["holes", "weights", "labels", "float32"])
def test_rows_of_every_kind(optimizer: str, what: str) -> None:
    X, known = GAUSSIAN.table(200)
    arguments: dict[str, Any] = {}
    if what == "holes":
        X = with_holes(X, 0.2)
    if what == "float32":
        X = X.astype(np.float32)
    if what == "weights":
        arguments["sample_weight"] = np.random.default_rng(0).uniform(0.0, 2.0, 200)
    if what == "labels":
        arguments["labels"] = np.where(np.arange(200) % 4 == 0, known, -1)
    plain = GAUSSIAN(search="em").fit(X, **arguments)
    with tolerated():
        model = GAUSSIAN(search="em", optimizer=optimizer, max_iter=200).fit(X, **arguments)
    slack = 0.05 if optimizer == "gradient" else 2e-3
    assert model.result_.objective >= plain.result_.objective - slack * 200


@pytest.mark.parametrize("optimizer", ["lbfgs", "em+gradient", "em"])
def test_an_interrupt_keeps_the_best_and_says_so(optimizer: str) -> None:
    X, _ = GAUSSIAN.table(200, 0.3)
    best: list[float] = []

    def press(state: State) -> None:
        best.append(state.objective)
        if state.iteration == 12:
            raise KeyboardInterrupt

    model = GAUSSIAN(optimizer=optimizer, search="em", tol=0.0, observers=[press])
    with pytest.warns(FitWarning, match="interrupted"):
        model.fit(X)
    assert model.result_.outcome is Outcome.INTERRUPTED
    assert model.result_.objective == max(best)


def test_rules_may_be_given_as_objects() -> None:
    X, _ = GAUSSIAN.table(200, 0.3)
    for rule, arguments in (
        (LBFGS(), {"optimizer": "lbfgs"}),
        (EM(), {"accelerate": None}),
        (Accelerated(Squarem()), {"accelerate": "squarem"}),
    ):
        with tolerated():
            one = GAUSSIAN(search="em", optimizer=rule).fit(X)
            other = GAUSSIAN(search="em", **arguments).fit(X)
        assert one.result_.trace == other.result_.trace
        assert clone(one).get_params()["optimizer"] == rule


def test_a_slow_fit_takes_a_fifth_of_the_iterations_by_default() -> None:
    rng = np.random.default_rng(6)
    X = rng.standard_normal((2000, 1)) + 2.0 * (rng.random((2000, 1)) < 1 / 3)
    arguments: dict[str, Any] = {"search": "em", "random_state": 0, "tol": 1e-9, "max_iter": 5000}
    plain = GaussianMixture(2, accelerate=None, **arguments).fit(X)
    model = GaussianMixture(2, **arguments).fit(X)
    assert plain.result_.passes > 5 * model.result_.passes
    assert model.result_.objective >= plain.result_.objective


def test_factors_are_refused_by_incremental_em_with_a_sentence() -> None:
    model = FACTORS(optimizer="incremental")
    with pytest.raises(ArgumentError, match="use 'stepwise'"):
        model.fit(FACTORS.table()[0])
    assert not hasattr(model, "mixture_")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"optimizer": "lbgfs"}, UnknownNameError, "did you mean 'lbfgs'"),
        ({"optimizer": 3}, UnknownNameError, "optimizer 3"),
        ({"optimizer": None}, UnknownNameError, "optimizer None"),
        ({"accelerate": "andersen"}, UnknownNameError, "did you mean 'anderson'"),
        ({"accelerate": True}, UnknownNameError, "acceleration True"),
        ({"optimizer": "lbfgs", "accelerate": "squarem"}, ArgumentError, "for optimizer='em'"),
    ],
)
@pytest.mark.parametrize("estimator", [GaussianMixture, FactorAnalyzerMixture])
def test_bad_names_are_refused_and_leave_the_fit(
    estimator: Any, arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    X, _ = GAUSSIAN.table(100)
    model = estimator(2, random_state=0).fit(X)
    before = model.mixture_
    with pytest.raises(error, match=match):
        model.set_params(**arguments).fit(X)
    assert model.mixture_ is before


@pytest.mark.parametrize("optimizer", ["lbfgs", "em+gradient", "incremental", "stepwise"])
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(optimizer: str) -> None:
    X, _ = GAUSSIAN.table(3000, 0.5)
    with tolerated():
        one, other = (
            GAUSSIAN(optimizer=optimizer, search="em", n_jobs=n_jobs, max_iter=20).fit(X)
            for n_jobs in (1, 2)
        )
    assert one.result_.trace == other.result_.trace
    assert_allclose(one.means_, other.means_, rtol=0.0)


def test_a_stream_may_begin_with_any_optimizer() -> None:
    X, _ = GAUSSIAN.table(600)
    model = GAUSSIAN(optimizer="em+lbfgs").partial_fit(take(X, slice(0, 300)))
    model.partial_fit(take(X, slice(300, 600)))
    assert_near(model, X, GAUSSIAN().fit(X), 0.05)
