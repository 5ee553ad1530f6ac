"""Families and numbers of components side by side."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.cluster import KMeans

import emplus
from emplus import BernoulliMixture, FactorAnalyzerMixture, GaussianMixture, datasets
from emplus.errors import ArgumentError, DataError, DataWarning, FitError, UnknownNameError
from emplus.search.path import Grown
from emplus.selection.candidates import candidates
from emplus.selection.cells import CRITERIA
from emplus.selection.tasks import FitTask, Rows
from tests.cases import COVARIANCE_TYPES
from tests.search.helpers import clusters
from tests.selection.helpers import InterruptAt, numbers

FAITHFUL = datasets.load("faithful").X
CLUSTERS, _ = clusters(3, each=40)


def test_old_faithful_is_what_mclust_finds() -> None:
    """Model EEE with three components, BIC -2314.3 in mclust's sign (Scrucca et al. 2016)."""
    found = emplus.select(FAITHFUL, range(1, 5), families="gaussian", random_state=0, n_jobs=1)
    assert (found.best.family, found.best.n_components) == ("tied", 3)
    assert found.best.bic == pytest.approx(2314.3, abs=0.1)
    assert [(cell.family, cell.n_components) for cell in found.cells] == [
        (name, k) for name in COVARIANCE_TYPES for k in range(1, 5)
    ]
    assert {cell.outcome for cell in found.cells} == {"converged"}
    # mclust's values of the runners-up.
    assert found.cell("full", 2).bic == pytest.approx(2322.2, abs=0.2)
    assert found.cell("tied", 4).bic == pytest.approx(2320.2, abs=0.2)


def test_criteria_are_those_of_the_estimators() -> None:
    weight = np.random.default_rng(0).integers(0, 3, size=len(FAITHFUL)).astype(float)
    found = emplus.select(FAITHFUL, [1, 3], ["full", "diag"], sample_weight=weight, random_state=0)
    for cell in found.cells:
        estimator = found.estimators[cell.family, cell.n_components]
        for name in ("aic", "bic", "icl"):
            value = getattr(estimator, name)(FAITHFUL, sample_weight=weight)
            assert getattr(cell, name) == pytest.approx(value, rel=1e-12)
        assert cell.log_likelihood == estimator.result_.log_likelihood
        assert cell.objective == estimator.result_.objective
        assert cell.n_parameters == estimator.mixture_.n_free_parameters
        assert np.isnan(cell.cv)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_winner_is_the_best_by_the_criterion(criterion: str) -> None:
    found = emplus.select(CLUSTERS, range(1, 5), criterion=criterion, random_state=0)
    values = found.to_frame()[criterion]
    best = values.argmax() if criterion == "cv" else values.argmin()
    assert found.best is found.cells[int(best)]
    # AIC is known to take a component more.
    k = found.best.n_components
    assert k in ((3, 4) if criterion == "aic" else (3,))
    assert found.estimator.n_components == k
    assert f"Best by {criterion}: full, {k} components" in str(found)


def test_leaving_one_out_is_what_a_loop_gives() -> None:
    """With one fold a row nothing is left to chance."""
    X = CLUSTERS[::8]
    weight = np.arange(len(X)) % 3.0
    counted = np.flatnonzero(weight)
    found = emplus.select(X, 1, criterion="cv", cv=len(counted), sample_weight=weight)
    densities = []
    for row in counted:
        rest = np.delete(counted, np.flatnonzero(counted == row))
        model = GaussianMixture(1).fit(X[rest], sample_weight=weight[rest])
        densities.append(float(model.score_samples(X[[row]])[0]))
    assert found.best.cv == pytest.approx(np.average(densities, weights=weight[counted]), rel=1e-9)
    error = np.std(densities, ddof=1) / np.sqrt(len(densities))
    assert found.best.cv_error == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("family", [*COVARIANCE_TYPES, "factor-analyzer"])
def test_more_components_never_lose_log_likelihood(family: str) -> None:
    """Where the prior weighs nothing, a fit with more components is at least as good."""
    X = datasets.load("iris").X
    prototypes = candidates(family)
    [prototype] = prototypes.values()
    prototype.set_params(reg_covar=1e-3)
    found = emplus.select(X, range(1, 6), prototypes, random_state=0, n_jobs=1)
    assert np.diff([cell.log_likelihood for cell in found.cells]).min() > -0.05


def test_neighbours_win_where_fresh_starts_end_low() -> None:
    """Plain EM from one random start is easily trapped; its cells come from splits and merges."""
    X, _ = clusters(6)
    poor = GaussianMixture(search="em", init_params="random")
    found = emplus.select(X, range(1, 9), {"poor": poor}, random_state=0)
    assert found.best.n_components == 6
    assert {"split", "merge"} & {cell.origin for cell in found.cells}
    assert found.cell("poor", 1).origin == "fresh"


def test_the_same_table_whatever_the_number_of_processes() -> None:
    arguments: dict[str, Any] = {"families": ["full", "tied"], "cv": 2, "random_state": 3}
    one = emplus.select(CLUSTERS, range(1, 4), n_jobs=1, **arguments)
    two = emplus.select(CLUSTERS, range(1, 4), n_jobs=2, **arguments)
    assert_frame_equal(numbers(one), numbers(two), check_exact=True)
    # Nor does a cell depend on which others there are.
    alone = emplus.select(CLUSTERS, range(1, 3), "tied", cv=2, random_state=3, n_jobs=1)
    assert alone.cell("tied", 1).cv == one.cell("tied", 1).cv


def test_numbers_of_components_may_have_gaps() -> None:
    X, _ = clusters(6)
    found = emplus.select(X, [2, 5, 6], random_state=0)
    assert [cell.n_components for cell in found.cells] == [2, 5, 6]
    assert found.best.n_components == 6


def test_a_frame_gives_its_names_and_zero_weights_are_absent_rows() -> None:
    frame = pd.DataFrame(CLUSTERS, columns=["a", "b"])
    keep = np.arange(len(frame)) % 4 > 0
    weighted = emplus.select(frame, range(1, 4), sample_weight=keep.astype(float), random_state=0)
    fewer = emplus.select(frame[keep], range(1, 4), random_state=0)
    assert weighted.estimator.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_allclose(weighted.to_frame()["bic"], fewer.to_frame()["bic"], rtol=1e-6)
    listed = emplus.select(CLUSTERS[keep].tolist(), range(1, 4), random_state=0)
    assert listed.best.bic == pytest.approx(fewer.best.bic, rel=1e-9)


def test_prototypes_keep_their_arguments(tmp_path: Path) -> None:
    prototype = GaussianMixture(9, covariance_type="diag", n_init=2, max_iter=77, random_state=5)
    found = emplus.select(CLUSTERS, range(1, 5), [prototype, "tied"], random_state=0, n_jobs=2)
    label = "GaussianMixture(covariance_type='diag', max_iter=77, n_components=9, n_init=2, "
    assert found.cells[0].family == f"{label}random_state=5)"
    assert prototype.n_components == 9
    assert not hasattr(prototype, "mixture_")
    for (_, k), estimator in found.estimators.items():
        assert estimator.n_components == k == estimator.mixture_.n_components
        # A model file knows these by name, whatever the fit came from.
        assert estimator.init_params == "k-means++"
        assert estimator.n_jobs is None
    assert found.estimators[found.cells[0].family, 3].get_params()["n_init"] == 2
    found.estimator.save(tmp_path / "m.safetensors")
    loaded = emplus.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(CLUSTERS), found.estimator.predict(CLUSTERS))


def test_a_family_that_fails_leaves_the_others() -> None:
    families = {"many": FactorAnalyzerMixture(n_factors=5), "full": "full"}
    found = emplus.select(CLUSTERS, range(1, 4), families, random_state=0)
    cell = found.cell("many", 2)
    assert (cell.outcome, cell.fitted) == ("failed", False)
    assert "n_factors=5 is more than n_features=2" in cell.failure
    assert found.best.family == "full"
    assert ("many", 2) not in found.estimators
    with pytest.raises(ArgumentError, match="n_factors=5 is more than"):
        emplus.select(CLUSTERS, 2, {"many": FactorAnalyzerMixture(n_factors=5)})
    with pytest.raises(DataError, match="infinity"):
        emplus.select(np.where(CLUSTERS[0, 0] == CLUSTERS, np.inf, CLUSTERS), [1, 2], n_jobs=2)


def test_no_criterion_without_held_out_fits() -> None:
    # Without a prior a fold of two values leaves a component on one point.
    X = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    bare = {"bare": GaussianMixture(reg_covar=0, search="em")}
    with pytest.raises((FitError, DataError)):
        emplus.select(X, 2, bare, "cv", cv=2, random_state=0)


def test_a_neighbours_start_is_one_start() -> None:
    # The fresh fit of a small table of counts tries eighteen.
    answers = np.random.default_rng(0).random((200, 4)) < 0.4
    prototype, rows = BernoulliMixture(), Rows(answers, None)
    fresh = FitTask(prototype, 2, 0)(rows).estimator
    grown = FitTask(prototype, 3, 0, Grown(fresh.mixture_))(rows).estimator
    assert (len(fresh.result_.runs), len(grown.result_.runs)) == (18, 1)
    assert grown.get_params()["search"] == "split_merge"


def test_interrupting_keeps_what_is_done() -> None:
    stopped = {"full": GaussianMixture(observers=[InterruptAt(4)])}
    found = emplus.select(CLUSTERS, range(1, 7), stopped, random_state=0, n_jobs=2)
    assert found.interrupted
    assert [cell.outcome for cell in found.cells] == ["converged"] * 3 + ["not run"] * 3
    assert found.best.n_components == 3
    assert "Interrupted: 3 of the 6 cells not reached." in str(found)
    with pytest.raises(KeyboardInterrupt):
        emplus.select(CLUSTERS, [1, 2], {"full": GaussianMixture(observers=[InterruptAt(1)])})


def test_interrupting_processes_keeps_what_is_done() -> None:
    seen = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))
        if done >= 3:
            raise KeyboardInterrupt

    found = emplus.select(FAITHFUL, range(1, 9), random_state=0, n_jobs=2, watch=watch)
    assert found.interrupted
    fitted = [cell for cell in found.cells if cell.fitted]
    assert 0 < len(fitted) < 8
    assert found.cells[-1].outcome == "not run"
    assert found.best in fitted
    assert len(found.estimator.predict(FAITHFUL)) == len(FAITHFUL)
    assert {total for _, total in seen} == {8 + 7 + 7}


def test_the_winners_warnings_are_said_once() -> None:
    X = np.column_stack([CLUSTERS, np.full(len(CLUSTERS), 7.0)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        emplus.select(X, range(1, 4), random_state=0)
    assert [w.category for w in caught] == [DataWarning]
    assert caught[0].filename == __file__


def test_the_table_as_text_and_as_frame() -> None:
    found = emplus.select(CLUSTERS, range(1, 4), cv=3, random_state=0)
    lines = str(found).split("\n")
    assert lines[0].split()[:4] == ["family", "k", "log-likelihood", "free"]
    assert [line.endswith("best") for line in lines[1:4]] == [False, False, True]
    assert found.table.equals(found.to_frame())
    assert len(found.table) == 3
    assert found.table.loc[2, "n_components"] == 3
    with pytest.raises(UnknownNameError, match="did you mean 'full 3'"):
        found.cell("ful", 3)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"n_components": range(10, 1)}, ArgumentError, r"range\(10, 1\) is empty"),
    ({"n_components": []}, ArgumentError, "is empty"),
    ({"n_components": range(5, 0, -1)}, ArgumentError, "does not rise"),
    ({"n_components": [1, 1]}, ArgumentError, "does not rise"),
    ({"n_components": [0, 1]}, ArgumentError, "is too small"),
    ({"n_components": [1.5]}, ArgumentError, "not a whole number"),
    ({"n_components": "1:3"}, ArgumentError, "are no numbers"),
    ({"n_components": None}, ArgumentError, "are no numbers"),
    ({"n_components": range(1, 300)}, DataError, "goes up to 299, but there are 120 rows"),
    ({"n_components": 100, "cv": 4}, DataError, "4 folds leave 90 rows to fit"),
    ({"sample_weight": np.eye(120)[0]}, DataError, "1 rows with a weight above 0"),
    ({"sample_weight": np.ones(3)}, DataError, "3 values for 120 rows"),
    ({"criterion": "bci"}, UnknownNameError, "did you mean 'bic'"),
    ({"criterion": 3}, UnknownNameError, "Unknown criterion 3"),
    ({"families": "ful"}, UnknownNameError, "did you mean 'full'"),
    ({"families": ["full", "gaussian"]}, ArgumentError, "'full' more than once"),
    ({"families": []}, ArgumentError, "families is empty"),
    ({"families": [3]}, ArgumentError, "neither a name nor an estimator"),
    ({"families": [KMeans()]}, ArgumentError, "neither a name nor an estimator"),
    ({"families": GaussianMixture}, ArgumentError, "neither a name nor an estimator"),
    ({"cv": 1}, ArgumentError, "at least 2"),
    ({"cv": 121}, ArgumentError, "no more than the 120 rows"),
    ({"cv": 2.5}, ArgumentError, "not a whole number"),
    ({"n_jobs": 0}, ArgumentError, "n_jobs=0"),
    ({"random_state": "x"}, ArgumentError, "is no seed"),
]


@pytest.mark.parametrize(("arguments", "kind", "sentence"), BAD)
def test_bad_arguments(arguments: dict[str, Any], kind: type[Exception], sentence: str) -> None:
    given = {"n_components": range(1, 4), **arguments}
    with pytest.raises(kind, match=sentence):
        emplus.select(CLUSTERS, **given)


def test_a_vector_is_no_table() -> None:
    with pytest.raises(DataError, match=r"its shape is \(120,\)"):
        emplus.select(CLUSTERS[:, 0], [1])
