"""What a fit says of itself: convergence, warnings said once, errors in sentences."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from emplus import GaussianMixture, Mixture
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.errors import (
    ArgumentError,
    DataError,
    DataWarning,
    FitError,
    FitWarning,
    UnknownNameError,
)
from emplus.families.base import SingularComponentError
from emplus.starts.centres import KMeans
from tests.awkward import AWKWARD
from tests.cases import Array, FamilyCase, every_covariance, every_family, random_gaussian


def rows(n: int = 60, d: int = 3) -> Array:
    return np.random.default_rng(0).standard_normal((n, d))


def with_value(value: float) -> Array:
    X = rows()
    X[17, 2] = value
    return X


@every_family
def test_says_when_the_iterations_ran_out(case: FamilyCase) -> None:
    model = case.estimator(3, random_state=0, max_iter=2, tol=0.0, search="em")
    with pytest.warns(ConvergenceWarning, match="After 2 iterations: .*raise max_iter"):
        model.fit(case.rows())
    assert model.converged_ is False
    assert model.n_iter_ == 2
    assert model.result_.outcome is Outcome.ITERATIONS_EXHAUSTED
    assert len(model.lower_bounds_) == 3


@every_family
def test_a_search_whose_last_climb_ran_out_says_so_too(case: FamilyCase) -> None:
    model = case.estimator(3, random_state=0, max_iter=1, tol=0.0)
    with pytest.warns(ConvergenceWarning, match=r"After \d+ iterations: .*raise max_iter"):
        model.fit(case.rows())
    assert model.converged_ is False


@every_family
def test_says_nothing_when_all_is_well(case: FamilyCase) -> None:
    model = case.estimator(3, random_state=0, search="em").fit(case.rows())
    assert model.converged_ is True
    gains = np.diff(model.result_.trace) / 300
    assert gains[-1] <= model.tol < gains[:-1].min()
    # Nor does the default search, whose last climb is to the same tolerance.
    if not (case.real.all() or case.id == "bernoulli"):
        return
    model = case.estimator(3, random_state=0, tol=1e-4).fit(case.rows())
    assert model.converged_ is True
    assert model.result_.trace[-1] - model.result_.trace[-2] <= model.tol * 300


def test_an_interrupt_returns_the_best_so_far() -> None:
    def interrupt(state: State, /) -> None:
        if state.iteration == 3:
            raise KeyboardInterrupt

    model = GaussianMixture(3, random_state=0, observers=[interrupt])
    with pytest.warns(FitWarning, match="After 3 iterations: The run was interrupted"):
        model.fit(random_gaussian("full", seed=1).sample(300, np.random.default_rng(0))[0])
    assert model.converged_ is False
    assert model.n_iter_ == 3


def caught(model: GaussianMixture, X: Any) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X)
    return said


GOES_ON: dict[str, tuple[Any, int, tuple[str, ...]]] = {
    "all rows equal": (np.full((9, 2), 3.25), 2, ("All rows are equal",)),
    "constant column": (AWKWARD["constant column"], 2, ("Constant in every row: column 1.",)),
    "named constant column": (
        pd.DataFrame(AWKWARD["constant column"], columns=["a", "b", "c"]),
        2,
        ("Constant in every row: column 'b'.",),
    ),
    "collinear": (AWKWARD["collinear columns"], 2, ("Collinear", "column 0", "column 3")),
    "the same twice": (AWKWARD["twice the same column"], 1, ("column 0, column 1",)),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_goes_on_says_so_once_and_stays_finite(name: str) -> None:
    X, k, words = GOES_ON[name]
    model = GaussianMixture(k, random_state=0)
    said = [message for message in caught(model, X) if message.category is DataWarning]
    assert len(said) == 1
    for word in words:
        assert word in str(said[0].message)
    # At the line that called fit, also when the call came through fit_predict.
    assert said[0].filename == __file__
    with warnings.catch_warnings(record=True) as again:
        warnings.simplefilter("always")
        model.fit_predict(X)
    assert {message.filename for message in again} == {__file__}
    assert model.converged_
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.covariances_).all()
    assert np.isfinite(model.sample(10)[0]).all()


def test_code_without_a_name_is_warned_too() -> None:
    with pytest.warns(DataWarning, match="Constant in every row"):
        exec("model.fit(X)", {"model": GaussianMixture(), "X": AWKWARD["constant column"]})


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_collinear_columns_do_not_trouble_variances(covariance_type: str) -> None:
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    assert not caught(model, AWKWARD["collinear columns"])


def test_ordinary_correlation_is_not_called_collinear() -> None:
    X = rows(200, 2)
    X = np.column_stack([X[:, 0], X[:, 0] + 0.02 * X[:, 1]])
    for k in (1, 3):
        assert not caught(GaussianMixture(k, random_state=0), X)


@every_covariance
def test_fewer_distinct_rows_than_components_go_on(covariance_type: str) -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 5.0]], 8, axis=0)
    model = GaussianMixture(5, covariance_type=covariance_type, random_state=0)
    caught(model, X)
    assert np.isfinite(model.score_samples(X)).all()
    assert abs(model.weights_.sum() - 1.0) < 1e-12


def test_an_empty_component_is_named_once() -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 5.0]], 8, axis=0)
    model = GaussianMixture(3, random_state=0)
    said = [str(m.message) for m in caught(model, X) if m.category is FitWarning]
    light = np.flatnonzero(model.weights_ * 16 < 1e-3)
    assert len(light) == 1
    assert len(said) == 1
    assert f"Empty at the end: component {light[0]}." in said[0]


@dataclass(frozen=True)
class SometimesSingular:
    """Every other generator draws a start that cannot be."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        if rng.random() < 0.5:
            raise SingularComponentError(1, "made to fail")
        return KMeans()(problem, n_components, rng)


def test_a_failed_start_is_told_and_loses_nothing_else() -> None:
    model = GaussianMixture(2, n_init=8, init_params=SometimesSingular(), random_state=0)
    (said,) = caught(model, rows())
    failed = [run.start for run in model.result_.runs if not run.outcome.usable]
    assert 0 < len(failed) < 8 == len(model.result_.runs)
    assert f"{len(failed)} of 8 starts failed (start {failed[0]}, component 1" in str(said.message)
    assert said.category is FitWarning
    assert model.converged_


def test_when_every_start_fails_the_component_is_named() -> None:
    X = np.vstack([rows(20, 2), [[50.0, 50.0]] * 5])
    model = GaussianMixture(2, reg_covar=0.0, n_init=3, random_state=0)
    with pytest.raises(FitError, match=r"start 0: component [01] at iteration 0, singular"):
        model.fit(X)
    assert not hasattr(model, "mixture_")
    assert GaussianMixture(2, n_init=3, random_state=0).fit(X).converged_


BAD_ROWS: dict[str, tuple[Any, int, str]] = {
    "empty": (np.empty((0, 2)), 1, "0 sample"),
    "no columns": (np.empty((5, 0)), 1, "0 feature"),
    "NaN": (with_value(np.nan), 2, r"NaN in column 2, row 17 \(1 such value in all\)"),
    "infinity": (with_value(-np.inf), 2, r"infinity\) in column 2, row 17"),
    "NaN by name": (
        pd.DataFrame(with_value(np.nan), columns=["a", "b", "size"]),
        2,
        "NaN in column 'size', row 17",
    ),
    "empty column": (rows() * [1.0, np.nan, 1.0], 1, "Every value is missing in column 1"),
    "too few rows": (rows(3), 4, "n_samples = 3 rows cannot hold n_components = 4"),
    "text": ([["a", "b"], ["c", "d"]], 1, "could not convert string to float"),
    "flat": (np.arange(5.0), 1, "1D array"),
    "cube": (np.zeros((2, 2, 2)), 1, "dim 3"),
    "complex": (rows() + 1j, 1, "Complex data"),
    "too large": (rows() * 1e200, 1, "too large to square"),
    "too small": (rows() * 1e-200, 1, "too small to square"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_refuses_rows_in_a_sentence(name: str) -> None:
    X, k, words = BAD_ROWS[name]
    with pytest.raises(ValueError, match=words):
        GaussianMixture(k, allow_missing="NaN" not in name).fit(X)


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "k 0": ({"n_components": 0}, "n_components=0 is too small; it must be at least 1"),
    "k -1": ({"n_components": -1}, "n_components=-1 is too small"),
    "k two": ({"n_components": "two"}, "n_components='two' is not a whole number"),
    "k 1.5": ({"n_components": 1.5}, "not a whole number"),
    "k True": ({"n_components": True}, "not a whole number"),
    "k 1e9": ({"n_components": 10**9}, "60 rows cannot hold n_components = 1000000000"),
    "covariance": ({"covariance_type": "ful"}, "did you mean 'full'"),
    "search": ({"search": "emm"}, "did you mean 'em'"),
    "search split": ({"search": "splitmerge"}, "did you mean 'split_merge'"),
    "search nothing": ({"search": ""}, "Unknown search ''"),
    "search joined": ({"search": "em+"}, "Unknown search ''"),
    "search twice": ({"search": "split_merge+em"}, "'em' draws its own starts"),
    "search 3": ({"search": 3}, "search=3 is neither a name nor a search"),
    "start": ({"init_params": "kmean"}, "did you mean 'kmeans'"),
    "tol": ({"tol": -1e-3}, "tol=-0.001 must be finite and at least 0"),
    "tol text": ({"tol": "small"}, "tol='small' is not a number"),
    "reg_covar": ({"reg_covar": -1.0}, "reg_covar=-1.0 must be"),
    "reg_covar name": ({"reg_covar": "aut"}, "Unknown reg_covar 'aut'; did you mean 'auto'"),
    "reg_covar None": ({"reg_covar": None}, "reg_covar=None is not a number"),
    "reg_covar NaN": ({"reg_covar": np.nan}, "reg_covar=nan must be finite"),
    "max_iter": ({"max_iter": 0}, "max_iter=0 is too small"),
    "n_init": ({"n_init": 0}, "n_init=0 is too small"),
    "n_jobs": ({"n_jobs": 0}, "n_jobs=0 is not a number of threads"),
    "seed": ({"random_state": "seven"}, "random_state='seven' is no seed"),
    "seed -1": ({"random_state": -1}, "random_state=-1 is no seed"),
    "weights shape": ({"weights_init": [1.0]}, r"weights_init has shape \(1,\); it must be \(2,\)"),
    "weights sum": ({"weights_init": [0.5, 0.4]}, "weights_init must be at least 0 and sum to 1"),
    "weights text": ({"weights_init": ["a", "b"]}, "not a number"),
    "means shape": ({"means_init": [[0, 0]]}, r"means_init has shape \(1, 2\)"),
    "means NaN": ({"means_init": np.full((2, 3), np.nan)}, "means_init contains NaN"),
    "precisions": ({"precisions_init": np.ones((2, 3))}, r"it must be \(2, 3, 3\)"),
    "precisions indefinite": (
        {"precisions_init": np.tile(-np.eye(3), (2, 1, 1))},
        "precisions_init must be positive definite",
    ),
    "precisions askew": (
        {"precisions_init": np.tile(np.triu(np.ones((3, 3))) + np.eye(3), (2, 1, 1))},
        "not symmetric",
    ),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_refuses_arguments_in_a_sentence(name: str) -> None:
    arguments, words = BAD_ARGUMENTS[name]
    with pytest.raises((ArgumentError, DataError), match=words):
        GaussianMixture(**{"n_components": 2, **arguments}).fit(rows())


BAD_WEIGHTS: dict[str, tuple[Any, str]] = {
    "negative": (np.r_[np.ones(59), -1.0], "negative, first in row 59"),
    "all zero": (np.zeros(60), "zero for every row"),
    "NaN": (np.r_[1.0, np.nan, np.ones(58)], "NaN or infinity, first in row 1"),
    "infinite": (np.r_[np.inf, np.ones(59)], "NaN or infinity, first in row 0"),
    "too short": (np.ones(59), "59 values for 60 rows"),
    "square": (np.ones((60, 1)), "1D"),
    "text": (["heavy"] * 60, "not a number"),
    "too few above 0": (np.r_[1.0, np.zeros(59)], "1 rows with a weight above 0"),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_refuses_weights_in_a_sentence(name: str) -> None:
    weight, words = BAD_WEIGHTS[name]
    with pytest.raises(DataError, match=words):
        GaussianMixture(2).fit(rows(), sample_weight=weight)


def test_nothing_is_lost_when_a_second_fit_is_refused() -> None:
    model = GaussianMixture(2, random_state=0).fit(rows())
    before = model.mixture_
    with pytest.raises(DataError):
        model.fit(with_value(np.inf))
    assert model.mixture_ is before
    assert np.isfinite(model.score(rows()))


def test_scoring_refuses_bad_rows_too() -> None:
    model = GaussianMixture(2, random_state=0).fit(rows())
    for method in (model.predict, model.predict_proba, model.score_samples, model.score):
        with pytest.raises(DataError, match=r"inf \(infinity\) in column 2, row 17"):
            method(with_value(np.inf))
        with pytest.raises(ValueError, match="2 features"):
            method(rows(5, 2))
    with pytest.raises(ArgumentError, match="n_samples"):
        model.sample(0)


def test_an_unfitted_model_says_so() -> None:
    model = GaussianMixture()
    for use in (model.predict, model.score_samples, model.bic):
        with pytest.raises(NotFittedError):
            use(rows())
    with pytest.raises(NotFittedError):
        model.sample()
    assert not hasattr(model, "precisions_")


def test_unknown_names_are_arguments_and_values() -> None:
    assert issubclass(UnknownNameError, ArgumentError)
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(DataError, ValueError)
