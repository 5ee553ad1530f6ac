"""Generated tables against their own truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.data.coding import Coding
from emplus.datasets import make_mixed_table, pairwise_separation
from emplus.errors import ArgumentError

SHAPES = [(1, 1, 0, 0, 2), (2, 3, 4, 2, 4), (3, 1, 0, 3, 2), (5, 2, 3, 0, 3), (3, 2, 1, 1, 12)]


@pytest.mark.parametrize(("k", "continuous", "binary", "categorical", "levels"), SHAPES)
def test_the_truth_is_what_the_arguments_say(
    k: int, continuous: int, binary: int, categorical: int, levels: int
) -> None:
    drawn = make_mixed_table(
        40, k=k, continuous=continuous, binary=binary, categorical=categorical, levels=levels,
        separation=3.0, contrast=0.4, seed=0,
    )  # fmt: skip
    d = continuous + binary + categorical
    assert drawn.table.shape == drawn.complete.shape == drawn.codes.shape == (40, d)
    assert drawn.mixture.n_components == k
    assert drawn.mixture.n_features == d
    assert_allclose(drawn.mixture.weights, 1 / k)
    first, *others = drawn.mixture.parameters.parts
    apart = pairwise_separation(first.means, first.covariances)[~np.eye(k, dtype=bool)]
    assert (apart >= 3.0 - 1e-9).all()
    if binary:
        assert_array_equal(np.unique(others[0].probabilities.round(9))[-1], 0.7)
    if categorical:
        theta = others[-1].probabilities.reshape(k, categorical, levels)
        assert_allclose(theta.sum(axis=2), 1.0)
        assert_allclose(theta.max(axis=2), 0.4 + 0.6 / levels)
        # As many components prefer one value as another, up to one.
        prefer = np.array([np.bincount(own, minlength=levels) for own in theta.argmax(axis=2).T])
        assert (np.ptp(prefer, axis=1) <= 1).all()


def test_rows_follow_the_truth() -> None:
    drawn = make_mixed_table(30_000, k=3, missing=0.2, seed=4)
    numbers, ones, words = drawn.mixture.parameters.parts
    for j in range(3):
        rows = drawn.codes[drawn.y == j]
        assert_allclose(rows[:, :3].mean(axis=0), numbers.means[j], atol=0.06)
        assert_allclose(rows[:, 3:7].mean(axis=0), ones.probabilities[j], atol=0.03)
        for column in (7, 8):
            found = np.bincount(rows[:, column].astype(int), minlength=4) / len(rows)
            own = slice(4 * (column - 7), 4 * (column - 6))
            assert_allclose(found, words.probabilities[j, own], atol=0.03)
    holes = drawn.table.isna().to_numpy()
    assert_allclose(holes.mean(axis=0), 0.2, atol=0.02)
    # Whatever a row holds and misses elsewhere.
    assert_allclose(np.corrcoef(holes.T), np.eye(9), atol=0.03)
    assert np.isfinite(drawn.mixture.log_density(drawn.codes)).all()


def test_the_tables_are_the_codes() -> None:
    drawn = make_mixed_table(500, levels=11, seed=2)
    kinds = ("continuous",) * 3 + ("binary",) * 4 + ("categorical",) * 2
    coding = Coding.infer(drawn.complete)
    assert coding.kinds == kinds
    assert coding.columns[-1].categories[:3] == ("v00", "v01", "v02")
    assert_array_equal(coding.encode(drawn.complete), drawn.codes)
    holes = drawn.table.isna().to_numpy()
    assert_array_equal(coding.encode(drawn.table), np.where(holes, np.nan, drawn.codes))
    assert not drawn.complete.isna().any(axis=None)
    assert not make_mixed_table(50, missing=0.0, seed=0).table.isna().any(axis=None)


def test_the_same_seed_gives_the_same_table() -> None:
    def drawn(seed: Any) -> pd.DataFrame:
        return make_mixed_table(60, seed=seed).table

    for seed in (np.int64(3), np.random.default_rng(3), np.random.SeedSequence(3)):
        pd.testing.assert_frame_equal(drawn(seed), drawn(3))
    assert not drawn(4).equals(drawn(3))
    assert not drawn(None).equals(drawn(None))


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"k": 1.5}, "k must be a whole number of at least 1"),
        ({"continuous": 0}, "continuous must be a whole number of at least 1"),
        ({"binary": -1}, "binary must be a whole number of at least 0, not -1"),
        ({"binary": True}, "binary must be a whole number"),
        ({"categorical": "two"}, "categorical must be a whole number of at least 0, not 'two'"),
        ({"levels": 1}, "levels must be a whole number of at least 2"),
        ({"separation": 0.0}, "separation must be"),
        ({"contrast": 1.0}, "contrast must be at least 0 and below 1, not 1.0"),
        ({"missing": -0.1}, "missing must be at least 0 and below 1, not -0.1"),
        ({"missing": "some"}, "missing must be at least 0"),
        ({"missing": np.nan}, "missing must be at least 0"),
        ({"seed": "seven"}, "seed must be"),
    ],
)
def test_bad_arguments_are_told(arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ArgumentError, match=fragment):
        make_mixed_table(**arguments)
