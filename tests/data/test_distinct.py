"""Equal rows taken together: nothing but the time may change."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import csr_array

from emplus import BernoulliMixture, CategoricalMixture
from emplus.data import distinct
from emplus.data.distinct import distinct_rows
from emplus.data.memory import ArraySource
from emplus.starts.given import GivenMixture


def answers(n: int = 400, d: int = 5, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((n, d)) < 0.4


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int16, np.int64])
@pytest.mark.parametrize("d", [1, 5, 8, 9, 70])
def test_every_row_is_the_one_it_is_said_to_equal(dtype: type[np.generic], d: int) -> None:
    few = answers(30, d).astype(dtype)
    X = few[np.random.default_rng(1).integers(30, size=300)]
    found = distinct_rows(X)
    assert found is not None
    first, which = found
    assert_array_equal(X[first][which], X)
    assert len(first) == len(np.unique(X, axis=0))
    assert (np.diff(first) > 0).all()


def test_rows_that_only_share_a_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    words = distinct.words_of

    class Nothing:
        @staticmethod
        def integers(*_: object, size: int) -> NDArray[np.int64]:
            return np.zeros(size, dtype=np.int64)

    monkeypatch.setattr(np.random, "default_rng", lambda _: Nothing())
    # Two words of which the second undoes what the first has left in the hash.
    X = np.zeros((2, 2), dtype=np.int64)
    X[1] = 1, -1
    assert words(X).shape == (2, 2)
    assert distinct_rows(X) is None
    assert distinct_rows(X[[1, 1]]) is not None


def test_weights_add_and_what_saves_little_is_left() -> None:
    X, weight = answers(), np.random.default_rng(2).uniform(0.5, 2.0, 400)
    source = ArraySource(X, weight).distinct()
    assert source.n_rows == len(np.unique(X, axis=0)) == 32
    assert source.total_weight == pytest.approx(weight.sum())
    for left in (
        ArraySource(answers(60, 40)),
        ArraySource(X.astype(float)),
        ArraySource(X, labels=np.zeros(400, dtype=np.intp)),
    ):
        assert left.distinct() is left


def test_sparse_rows_are_grouped_in_the_same_way() -> None:
    for d in (5, 70):
        few = answers(30, d)
        few[3] = False
        X = few[np.random.default_rng(1).integers(30, size=300)]
        dense, sparse = distinct_rows(X), distinct_rows(csr_array(X))
        assert dense is not None
        assert sparse is not None
        assert_array_equal(sparse[0], dense[0])
        assert_array_equal(sparse[1], dense[1])


def test_a_fit_is_the_same_but_for_rounding() -> None:
    X = answers()
    together = BernoulliMixture(2, search="em", prior=0.5, tol=1e-9, random_state=0).fit(X)
    begun = GivenMixture(together.mixture_)
    # A start that is an object may speak of single rows, so these stay as they are.
    apart = BernoulliMixture(2, search="em", prior=0.5, tol=1e-9, init_params=begun).fit(X)
    assert apart.n_iter_ <= 2
    assert_allclose(apart.probabilities_, together.probabilities_, atol=1e-3)
    assert apart.lower_bound_ == pytest.approx(together.lower_bound_, abs=1e-7)
    assert together.result_.n_rows == apart.result_.n_rows == 400


def test_categories_too() -> None:
    codes = np.random.default_rng(3).integers(0, 3, size=(500, 3))
    table = np.array(["a", "b", "c"])[codes]
    model = CategoricalMixture(2, random_state=0).fit(table)
    assert model.result_.n_rows == 500
    assert model.result_.log_likelihood == pytest.approx(500 * model.score(table))
