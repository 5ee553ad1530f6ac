"""The likelihood-ratio test by parametric bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import emplus
from emplus import GaussianMixture, Mixture
from emplus.errors import ArgumentError, DataError
from emplus.selection.bootstrap import _drawn
from emplus.selection.tasks import Rows
from tests.search.helpers import clusters
from tests.selection.helpers import InterruptAt

TWO, _ = clusters(2, each=40)
ONE = np.random.default_rng(1).standard_normal((60, 2))
MIXTURE = Mixture.gaussian([0.5, 0.5], [[0.0, 0.0], [5.0, 5.0]], [[1.0, 1.0]] * 2, "diag")


def test_too_few_components_are_found_out_and_enough_are_not() -> None:
    quick = GaussianMixture(search="em", n_init=2)
    found = emplus.bootstrap_test(quick, TWO, 1, 19, random_state=0, n_jobs=1)
    assert found.p_value == 1 / 20
    assert found.statistic > found.bootstrap.max()
    enough = emplus.bootstrap_test(quick, ONE, 1, 19, random_state=0, n_jobs=1)
    assert enough.p_value > 0.05
    reached = int((enough.bootstrap >= enough.statistic).sum())
    assert enough.p_value == (1 + reached) / 20
    assert "1 component against 2: " in str(enough)


def test_the_statistic_is_twice_the_gain_in_log_likelihood() -> None:
    found = emplus.bootstrap_test(GaussianMixture(), TWO, 1, 1, random_state=0)
    one, two = (GaussianMixture(k, random_state=0).fit(TWO).result_.log_likelihood for k in (1, 2))
    assert found.statistic == pytest.approx(2 * (two - one), rel=1e-6)


def test_the_same_test_whatever_the_number_of_processes() -> None:
    prototype = GaussianMixture(covariance_type="diag")
    one, two = (
        emplus.bootstrap_test(prototype, TWO, 1, 3, random_state=5, n_jobs=jobs) for jobs in (1, 2)
    )
    assert one.statistic == two.statistic
    np.testing.assert_array_equal(one.bootstrap, two.bootstrap)


def test_draws_have_the_holes_and_the_type_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    X = TWO.astype(np.float32)
    X[rng.random(X.shape) < 0.2] = np.nan
    drawn = _drawn(MIXTURE, Rows(X), rng).X
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(X))
    frame = pd.DataFrame(X.astype(float), columns=["a", "b"])
    named = _drawn(MIXTURE, Rows(frame), rng).X
    assert list(named.columns) == ["a", "b"]
    np.testing.assert_array_equal(named.isna(), frame.isna())


def test_as_many_rows_are_drawn_as_the_weights_sum_to() -> None:
    weight = np.r_[np.full(40, 2.0), np.zeros(40)]
    X = TWO.copy()
    X[40:, 0] = np.nan
    drawn = _drawn(MIXTURE, Rows(X, weight), np.random.default_rng(0))
    assert drawn.X.shape == (80, 2)
    assert drawn.weight is None
    # Rows without weight lend no draw their holes.
    assert np.isfinite(drawn.X).all()


def test_interrupting_keeps_the_draws_that_are_done() -> None:
    def watch(done: int, total: int) -> None:
        assert total == 9
        if done == 3:
            raise KeyboardInterrupt

    found = emplus.bootstrap_test(GaussianMixture(), ONE, 1, 9, random_state=0, watch=watch)
    assert found.interrupted
    assert len(found.bootstrap) == 3
    assert "Interrupted" in str(found)
    with pytest.raises(KeyboardInterrupt):
        emplus.bootstrap_test(GaussianMixture(observers=[InterruptAt(2)]), ONE, 1, 3)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"k": 0}, ArgumentError, "k=0 is too small"),
    ({"k": 80}, DataError, "goes up to 81, but there are 80 rows"),
    ({"n_bootstrap": 0}, ArgumentError, "n_bootstrap=0 is too small"),
    ({"n_bootstrap": 2.5}, ArgumentError, "not a whole number"),
    ({"X": TWO[:, 0]}, DataError, "must be a table"),
    ({"X": np.where(TWO[0, 0] == TWO, np.inf, TWO)}, DataError, "infinity"),
]


@pytest.mark.parametrize(("arguments", "kind", "sentence"), BAD)
def test_bad_arguments(arguments: dict[str, Any], kind: type[Exception], sentence: str) -> None:
    given = {"X": TWO, "k": 1, "n_bootstrap": 3, **arguments}
    with pytest.raises(kind, match=sentence):
        emplus.bootstrap_test(GaussianMixture(), **given)
