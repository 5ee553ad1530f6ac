"""``partial_fit`` of every estimator: what it learns, what it refuses, what it leaves alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from emplus import FactorAnalyzerMixture, GaussianMixture, Mixture, io
from emplus.data.memory import ArraySource
from emplus.engine.online import DecayingRate, Forgetting, Stream
from emplus.engine.outcome import Outcome
from emplus.errors import ArgumentError, DataError, DataWarning, FitError
from tests.estimators.examples import EXAMPLES, Example, every_example, take, with_holes

BLOCK = 200
IDS = {example.id: example for example in EXAMPLES}


def blocks(example: Example, count: int = 4, apart: float = 1.0) -> list[Any]:
    table, _ = example.table(BLOCK * count, apart)
    return [take(table, slice(BLOCK * at, BLOCK * (at + 1))) for at in range(count)]


def fitted(example: Example, **arguments: Any) -> tuple[Any, Any]:
    """A model of one block, and another block."""
    first, other = blocks(example, 2)
    return example(**arguments).fit(first), other


def assert_same(one: Mixture, other: Mixture, tol: float = 0.0) -> None:
    assert_allclose(other.weights, one.weights, rtol=tol)
    arrays = other.family.pack(other.parameters)
    for name, array in one.family.pack(one.parameters).items():
        assert_allclose(arrays[name], array, rtol=tol, atol=tol, err_msg=name)


@every_example
def test_a_first_block_is_fitted_as_fit_does(example: Example) -> None:
    first = blocks(example, 1)[0]
    one, other = example().fit(first), example().partial_fit(first)
    assert_same(one.mixture_, other.mixture_)
    assert other.result_.outcome is one.result_.outcome is not Outcome.STREAMED
    assert other.n_iter_ == one.n_iter_


@every_example
def test_blocks_teach_nearly_what_all_rows_do(example: Example) -> None:
    table, _ = example.table(BLOCK * 10, 0.7)
    unseen = example.table(2000, 0.7, seed=1)[0]
    whole, model = example().fit(table), example()
    for at in range(0, BLOCK * 10, BLOCK):
        model.partial_fit(take(table, slice(at, at + BLOCK)))
    first = example().fit(take(table, slice(0, BLOCK)))
    assert model.score(unseen) > first.score(unseen)
    assert model.score(unseen) > whole.score(unseen) - 0.02
    result = model.result_
    assert (result.n_rows, result.total_weight) == (BLOCK * 10, BLOCK * 10.0)
    assert result.outcome is Outcome.STREAMED
    assert model.converged_ is False
    assert model.n_iter_ == first.n_iter_ + 9
    assert result.trace == (result.objective,)
    assert result.log_likelihoods == (result.log_likelihood,)
    assert len(result.to_frame()) == 1
    assert model.lower_bounds_ == [model.lower_bound_]


@every_example
def test_the_lower_bound_is_what_rows_scored_before_they_were_learned(example: Example) -> None:
    model, block = fitted(example, learning_rate=Forgetting(0.25))
    before, score = model.lower_bound_, model.score(block)
    model.partial_fit(block)
    # The mean over the rows that it stands for, of which the block is so large a part.
    share = BLOCK / (1.0 / (0.75**2 / BLOCK + 0.25**2 / BLOCK))
    assert model.lower_bound_ == pytest.approx((1.0 - share) * before + share * score)


@every_example
def test_a_weight_of_two_is_a_row_twice_and_none_is_a_row_that_is_not_there(
    example: Example,
) -> None:
    _, block = fitted(example)
    weight = np.r_[np.zeros(50), np.ones(50), np.full(100, 2.0)]
    rows = np.r_[50:100, 100:200, 100:200]
    one = fitted(example)[0].partial_fit(block, sample_weight=weight)
    other = fitted(example)[0].partial_fit(take(block, rows))
    assert_same(one.mixture_, other.mixture_, 1e-8)
    assert one.result_.total_weight == other.result_.total_weight == 450.0
    assert one.lower_bound_ == pytest.approx(other.lower_bound_)


@every_example
def test_labels_are_followed(example: Example) -> None:
    # With components that cannot be told apart, labels alone say which rows are whose.
    table, labels = example.table(BLOCK * 2, 0.0)
    shown = take(table, slice(BLOCK, None))
    known = np.where(labels[BLOCK:] == 1, 0, labels[BLOCK:])
    model = example(learning_rate=0.999).fit(take(table, slice(0, BLOCK)))
    model.partial_fit(shown, labels=known)
    assert_allclose(model.weights_, [2 / 3, 0.0, 1 / 3], atol=0.01)


@every_example
def test_saved_loaded_pickled_and_copied_models_go_on(example: Example, tmp_path: Path) -> None:
    model, block = fitted(example)
    model.partial_fit(block)
    model.save(tmp_path / "model")
    loaded = io.load(tmp_path / "model")
    assert loaded.result_.outcome is Outcome.STREAMED
    assert loaded.result_.total_weight == 2.0 * BLOCK
    assert_same(model.mixture_, loaded.mixture_, 1e-12)
    more = blocks(example, 3)[2]
    pickled = pickle.loads(pickle.dumps(model))
    model.partial_fit(more)
    assert_same(model.mixture_, pickled.partial_fit(more).mixture_)
    loaded.partial_fit(more)
    assert loaded.result_.total_weight == 3.0 * BLOCK
    # The prior is not in the file, and is told by the model instead.
    unseen = example.table(1000, seed=1)[0]
    assert loaded.score(unseen) == pytest.approx(model.score(unseen), abs=0.05)
    again = clone(model)
    assert not hasattr(again, "mixture_")
    assert_same(example().fit(block).mixture_, again.partial_fit(block).mixture_)


@every_example
def test_a_loaded_model_goes_on_with_a_single_row(example: Example, tmp_path: Path) -> None:
    model, block = fitted(example)
    model.save(tmp_path / "model")
    unseen = example.table(1000, seed=1)[0]
    for rows in ([0], [0] * 20):
        loaded = io.load(tmp_path / "model").partial_fit(take(block, rows))
        assert loaded.score(unseen) == pytest.approx(model.score(unseen), abs=0.1)
        loaded.save(tmp_path / "again")
        assert_same(loaded.mixture_, io.load(tmp_path / "again").mixture_, 1e-12)


@every_example
def test_fit_begins_anew(example: Example) -> None:
    model, block = fitted(example)
    model.partial_fit(block)
    assert_same(example().fit(block).mixture_, model.fit(block).mixture_)
    assert model.result_.total_weight == BLOCK


@every_example
def test_missing_entries_are_learned_around(example: Example) -> None:
    model, block = fitted(example)
    model.partial_fit(with_holes(block, 0.3))
    unseen = example.table(1000, seed=1)[0]
    assert model.score(unseen) > fitted(example)[0].score(unseen) - 0.5
    refusing = fitted(example, allow_missing=False)[0]
    refused(refusing, with_holes(block, 0.3), DataError, r"(?i)column .*row \d+")


def without(table: Any, column: int) -> Any:
    """The table with a column in which nothing is there."""
    if isinstance(table, pd.DataFrame):
        table = table.astype(object)
        table.iloc[:, column] = None
        return table
    table = table.astype(object if table.dtype.kind == "U" else np.float64)
    table[:, column] = None if table.dtype == object else np.nan
    return table


@every_example
def test_a_column_without_any_entry_in_one_block_stays_what_it_was(example: Example) -> None:
    model, block = fitted(example, learning_rate=0.5)
    row = take(example.table(1)[0], slice(0, 1))
    model.partial_fit(without(block, 0))
    assert np.isfinite(model.score_samples(row)).all()
    unseen = example.table(1000, seed=1)[0]
    # Components are known by the other columns; what they say of this one is remembered.
    assert model.score(unseen) > fitted(example)[0].score(unseen) - 0.1


def refused(model: Any, X: Any, error: type[Exception], match: str, **arguments: Any) -> None:
    """A block that is refused leaves the model as it was, to the last attribute."""
    before = dict(vars(model))
    packed = model.mixture_.family.pack(model.mixture_.parameters)
    copied = {name: array.copy() for name, array in packed.items()}
    with pytest.raises(error, match=match):
        model.partial_fit(X, **arguments)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    for name, array in copied.items():
        assert_array_equal(packed[name], array)


@every_example
def test_blocks_that_do_not_fit_are_refused(example: Example) -> None:
    model, block = fitted(example)
    narrow = block.iloc[:, :2] if isinstance(block, pd.DataFrame) else block[:, :2]
    refused(model, narrow, ValueError, "features|feature names")
    refused(model, take(block, slice(0, 0)), ValueError, r"0 sample")
    for weight, message in (
        (np.zeros(BLOCK), "zero for every row"),
        (-np.ones(BLOCK), "negative, first in row 0"),
        (np.full(BLOCK, np.nan), "NaN or infinity"),
        (np.ones(3), "3 values for 200 rows"),
    ):
        refused(model, block, DataError, message, sample_weight=weight)
    refused(model, block, ArgumentError, "labels holds 7", labels=np.full(BLOCK, 7))
    for bad in (0.0, 1.0, -1.0, np.nan, "fast", True):
        refused(model.set_params(learning_rate=bad), block, ArgumentError, "rate")
    refused(
        model.set_params(learning_rate=None, n_components=2),
        block,
        ArgumentError,
        "n_components=2 was changed after a fit with 3",
    )
    model.set_params(n_components=3).partial_fit(block)


@pytest.mark.parametrize("estimator", [GaussianMixture, FactorAnalyzerMixture])
@pytest.mark.parametrize("bad", [np.inf, 1e200, -1e300])
@pytest.mark.parametrize("rows", [BLOCK, 1])
def test_entries_that_cannot_be_squared_are_refused(estimator: Any, bad: float, rows: int) -> None:
    model, block = fitted(IDS["gaussian"])
    model = estimator(3, random_state=0).fit(blocks(IDS["gaussian"], 1)[0])
    block = block[:rows].copy()
    block[rows // 2, 1] = bad
    refused(model, block, DataError, rf"(?i)column 1.*row {rows // 2}")


def test_rows_of_float32_that_cannot_be_squared_there_are_learned_in_float64() -> None:
    model, block = fitted(IDS["gaussian"])
    block = (1e18 * block).astype(np.float32)
    model.partial_fit(block)
    assert np.isfinite(model.mixture_.parameters.covariances).all()


def test_values_that_the_fit_did_not_see_count_as_missing_with_a_warning() -> None:
    model, block = fitted(IDS["categorical"])
    block = block.astype(object)
    block[5, 1] = "never"
    with pytest.warns(DataWarning, match=r"'never' in column 1 \(row 5\)"):
        model.partial_fit(block)
    holes, block = fitted(IDS["categorical"])
    block = block.astype(object)
    block[5, 1] = None
    assert_same(holes.partial_fit(block).mixture_, model.mixture_)
    table, block = fitted(IDS["mixed"])
    block.iloc[7, 3] = "never"
    with pytest.warns(DataWarning, match=r"'never' in column 'answer 0' \(row 7\)"):
        table.partial_fit(block)
    refused(table, block.rename(columns={"mass": "volume"}), ValueError, "volume")


def test_a_collapse_without_a_prior_is_an_error_and_teaches_nothing() -> None:
    first, block = blocks(IDS["gaussian"], 2)
    model = GaussianMixture(3, reg_covar=0.0, learning_rate=0.999, random_state=0).fit(first)
    constant = np.repeat(block[:1], BLOCK, axis=0)
    # Its component shrinks by the same factor every time, until it is a point.
    for _ in range(40):
        last = model.mixture_
        try:
            model.partial_fit(constant)
        except FitError:
            break
    assert model.mixture_ is last
    refused(model, constant, FitError, "nothing of it was learned. Use a prior")


def test_far_from_the_origin_a_column_may_be_missing_in_a_block() -> None:
    X = np.random.default_rng(0).standard_normal((600, 3)) + np.repeat([[0.0], [6.0]], 300, axis=0)
    X = X[np.random.default_rng(1).permutation(600)]
    X[200:300, 1] = np.nan
    near, far = (
        GaussianMixture(2, covariance_type=covariance_type, random_state=0)
        for covariance_type in ("full", "full")
    )
    for first in range(0, 600, 100):
        near.partial_fit(X[first : first + 100])
        far.partial_fit(X[first : first + 100] + 1e8)
    assert_allclose(far.means_ - 1e8, near.means_, atol=1e-6)
    assert_allclose(far.covariances_, near.covariances_, atol=1e-6)


@pytest.mark.parametrize("changed", [{"covariance_type": "diag"}, {"n_components": 3}])
def test_arguments_that_ask_for_other_components_are_refused(changed: dict[str, Any]) -> None:
    X = np.random.default_rng(0).standard_normal((100, 2))
    model = GaussianMixture(2, random_state=0).partial_fit(X)
    before = model.means_
    model.set_params(**changed)
    with pytest.raises(ArgumentError, match="call fit to begin anew"):
        model.partial_fit(X)
    assert model.means_ is before


def test_data_frames_and_names() -> None:
    first, block = blocks(IDS["gaussian"], 2)
    names = list("abcd")
    framed = GaussianMixture(3, random_state=0).fit(pd.DataFrame(first, columns=names))
    framed.partial_fit(pd.DataFrame(block, columns=names))
    plain = GaussianMixture(3, random_state=0).fit(first).partial_fit(block)
    assert_same(plain.mixture_, framed.mixture_, 1e-9)
    shuffled = pd.DataFrame(block, columns=names)[list("badc")]
    refused(framed, shuffled, ValueError, "feature names")


@pytest.mark.parametrize("estimator", [GaussianMixture, FactorAnalyzerMixture])
def test_float32_follows_float64(estimator: Any) -> None:
    first, block = blocks(IDS["gaussian"], 2)
    one, other = (
        estimator(3, random_state=0).fit(first.astype(dtype)).partial_fit(block.astype(dtype))
        for dtype in (np.float32, np.float64)
    )
    assert_allclose(one.means_, other.means_, atol=1e-3)


def test_a_long_block_and_the_threads_do_not_matter_to_the_bits() -> None:
    X = IDS["gaussian"].table(9000)[0]
    one, other = (
        GaussianMixture(3, n_jobs=n_jobs, random_state=0).fit(X[:500]).partial_fit(X[500:])
        for n_jobs in (1, 2)
    )
    assert_same(one.mixture_, other.mixture_)


def test_rates_may_change_between_blocks() -> None:
    model, block = fitted(IDS["gaussian"])
    far = block + 3.0
    before = model.means_.copy()
    model.set_params(learning_rate=1e-6).partial_fit(far)
    assert_allclose(model.means_, before, atol=1e-4)
    model.set_params(learning_rate=DecayingRate(0.6, 0.0)).partial_fit(far)
    assert np.abs(model.means_ - before).max() > 0.5


def test_what_forgets_stands_for_few_rows_beside_its_prior() -> None:
    X = np.random.default_rng(0).standard_normal((200, 2))
    model = GaussianMixture(1, reg_covar=8.0, learning_rate=0.5).partial_fit(X[:20])
    stream = Stream.after(model.mixture_, 20.0, Forgetting(0.5))
    for first in range(20, 200, 20):
        block = X[first : first + 20] * 3.0
        model.partial_fit(block)
        stream, _ = stream.learned(ArraySource(block), model.prior_)
    # All rows together are 200; those that it stands for, 20 (2 - 0.5) / 0.5.
    assert stream.size == pytest.approx(60.0, rel=1e-3)
    assert_same(stream.mixture, model.mixture_, 1e-12)


def test_a_constant_rate_follows_a_cluster_that_moves() -> None:
    rng = np.random.default_rng(0)

    def shown(at: float) -> Any:
        X = rng.standard_normal((300, 2))
        X[::2] += [6.0, at]
        return X

    models = [GaussianMixture(2, learning_rate=r, random_state=0) for r in (0.2, None)]
    for step in range(50):
        X = shown(0.2 * step)
        for model in models:
            model.partial_fit(X)
    assert_allclose(models[0].means_[:, 1].max(), 9.8 - 0.8, atol=0.4)
    assert models[1].means_[:, 1].max() < 8.0
