"""The diagnosis on all kinds of rows and weights, and the page that tells of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import emplus
from emplus import GaussianMixture, Mixture, diagnose
from emplus.diagnostics import Diagnosis
from emplus.errors import DataError
from tests.awkward import every_awkward
from tests.cases import Array, FamilyCase, every_family, random_gaussian, tolerated
from tests.models import drawn, line

# -- rows ----------------------------------------------------------------------------------------


def figures(found: Diagnosis) -> dict[str, Any]:
    own = ("rows", "assigned", "certainty", "nearest", "nearest_share", "narrowest")
    whole = ("total_weight", "log_likelihood", "entropy", "surprise", "bic", "icl", "impossible")
    pairs = {(p.first, p.second): (p.shared, p.divergence, p.cost) for p in found.pairs}
    return {name: getattr(found, name) for name in (*own, *whole)} | {"pairs": pairs}


def assert_same(one: Diagnosis, other: Diagnosis, rtol: float = 1e-8) -> None:
    a, b = figures(one), figures(other)
    pairs, others = a.pop("pairs"), b.pop("pairs")
    for name in a:
        assert_allclose(a[name], b[name], rtol=rtol, atol=1e-7, err_msg=name)
    assert pairs.keys() == others.keys()
    for ends in pairs:
        assert_allclose(pairs[ends], others[ends], rtol=rtol, atol=1e-6)


@every_family
def test_weights_count_rows(case: FamilyCase) -> None:
    X = case.rows(80)
    count = np.random.default_rng(2).integers(0, 4, size=80)
    weighted = diagnose(case.mixture, X, count.astype(float))
    repeated = diagnose(case.mixture, np.repeat(X, count, axis=0))
    assert_same(weighted, repeated)
    assert weighted.n_rows == (count > 0).sum()


@every_family
def test_blocks_make_no_difference(case: FamilyCase) -> None:
    X = np.tile(case.rows(400), (60, 1))
    found, part = diagnose(case.mixture, X), diagnose(case.mixture, X[:400])
    assert_allclose(found.rows, 60.0 * part.rows)
    assert_allclose(found.entropy, 60.0 * part.entropy)
    assert_allclose([p.cost for p in found.pairs], [60.0 * p.cost for p in part.pairs], rtol=1e-2)


def test_no_more_than_a_block_of_rows_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = random_gaussian("full", k=4, separation=0.5)
    X, longest, log_joint = drawn(mixture, 60_000), 0, Mixture.log_joint

    def watched(self: Mixture, X: Array) -> Array:
        nonlocal longest
        longest = max(longest, len(X))
        return log_joint(self, X)

    monkeypatch.setattr(Mixture, "log_joint", watched)
    assert diagnose(mixture, X).pairs
    assert longest <= 16384


@given(seed=st.integers(0, 10_000), separation=st.floats(0.1, 4.0), k=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_relabelling_permutes_the_report(seed: int, separation: float, k: int) -> None:
    mixture = random_gaussian("full", k=k, seed=seed, separation=separation)
    X = drawn(mixture, 120, seed)
    order = np.random.default_rng(seed).permutation(k)
    found, permuted = diagnose(mixture, X), diagnose(mixture.take(order), X)
    place = np.argsort(order)
    for name in ("rows", "assigned", "certainty", "nearest_share", "narrowest"):
        assert_allclose(getattr(permuted, name), getattr(found, name)[order], rtol=1e-7, atol=1e-9)
    assert_array_equal(permuted.light, np.sort(place[found.light]))
    assert_array_equal(permuted.flagged, np.sort(place[found.flagged]))
    ends = {tuple(sorted(place[[p.first, p.second]].tolist())): p.cost for p in found.pairs}
    assert ends.keys() == {(p.first, p.second) for p in permuted.pairs}
    for pair in permuted.pairs:
        assert_allclose(pair.cost, ends[pair.first, pair.second], rtol=1e-5, atol=1e-6)


@every_awkward
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_awkward_rows_get_a_report(X: Array, dtype: Any) -> None:
    if dtype == np.float32 and (np.abs(X).max() > 1e30 or 0 < np.abs(X).max() < 1e-30):
        pytest.skip("float32 does not hold these")
    with tolerated(), warnings.catch_warnings():
        model = GaussianMixture(3, random_state=0, max_iter=20).fit(X.astype(dtype))
    found = diagnose(model, X.astype(dtype))
    assert np.isfinite(found.log_likelihood)
    assert 0.0 <= found.entropy_index <= 1.0 + 1e-12
    assert_allclose(found.rows.sum(), len(X), rtol=1e-5)
    assert len(str(found).splitlines()) <= 60


def test_components_without_weight_and_rows_without_density(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_joint = Mixture.log_joint

    def barred(self: Mixture, X: Array) -> Array:
        return np.where(X > 100.0, -np.inf, log_joint(self, X))

    monkeypatch.setattr(Mixture, "log_joint", barred)
    mixture = line([0.0, 0.1, 5.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.0])
    found = diagnose(mixture, np.array([[0.0], [1.0], [200.0]]))
    assert found.impossible == 1.0
    assert found.log_likelihood == -np.inf
    assert "Impossible: 1 row" in str(found)
    assert (0, 1) in {(p.first, p.second) for p in found.pairs}


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (np.zeros((3, 2)), "shape"),
        (np.zeros(3), "shape"),
        (np.zeros((0, 1)), "no rows"),
        (np.full((3, 1), np.inf), "infinity"),
    ],
)
def test_rows_that_do_not_fit(X: Array, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        diagnose(line([0.0], [1.0]), X)


def test_densities_that_are_no_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def undefined(self: Mixture, X: Array) -> Array:
        return np.full((len(X), 1), np.nan)

    monkeypatch.setattr(Mixture, "log_joint", undefined)
    with pytest.raises(DataError, match="not a number"):
        diagnose(line([0.0], [1.0]), np.zeros((2, 1)))


@pytest.mark.parametrize("weight", [[1.0, -1.0], [0.0, 0.0], [1.0], [np.nan, 1.0]])
def test_weights_that_do_not_fit(weight: list[float]) -> None:
    with pytest.raises(DataError, match=r"(?i)sample_weight"):
        diagnose(line([0.0], [1.0]), np.zeros((2, 1)), weight)


# -- the page ------------------------------------------------------------------------------------


def hopeless(k: int) -> tuple[Mixture, Array]:
    """Components that are light, alike and collapsed at once."""
    means = np.repeat(np.arange(k), 2)[:k] / 3.0
    variances = np.where(np.arange(k) % 3 == 0, 1e-14, 1.0)
    return line(means, variances), np.random.default_rng(0).standard_normal((30, 1))


@pytest.mark.parametrize("k", [1, 2, 7, 20])
def test_the_report_is_one_page(k: int) -> None:
    mixture, X = hopeless(k)
    lines = str(diagnose(mixture, X)).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 110
    table = [line for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert [int(line.split()[0]) for line in table] == list(range(k))


def test_of_many_components_the_heaviest_and_the_flagged_are_shown() -> None:
    k = 40
    weights = np.linspace(1.0, 2.0, k)
    mixture = line(100.0 * np.arange(k), np.ones(k), weights / weights.sum())
    X = drawn(mixture, 3000)
    X = X[np.abs(X[:, 0] - 300.0) > 20.0]
    found = diagnose(mixture, X)
    assert found.flagged.tolist() == [3]
    lines = str(found).splitlines()
    table = [int(line.split()[0]) for line in lines if line.split() and line.split()[0].isdigit()]
    assert table == [3, *range(20, 40)]
    assert "(21 of 40 components" in str(found)


def test_the_frame_has_a_row_for_each_component() -> None:
    mixture, X = hopeless(5)
    found = diagnose(mixture, X)
    frame = found.to_frame()
    assert frame.index.tolist() == list(range(5))
    assert_array_equal(frame["rows"], found.rows)
    assert frame["findings"].tolist() == [", ".join(found.findings(j)) for j in range(5)]
    assert "collapsed" in str(frame["findings"].iloc[0])


def test_names_of_columns_cannot_steer_a_terminal() -> None:
    X = pd.DataFrame(np.random.default_rng(0).standard_normal((40, 1)), columns=["a\x1b[31m\n"])
    model = GaussianMixture(1, random_state=0).fit(X)
    model.mixture_ = line([0.0], [1e-14])
    text = str(emplus.diagnose(model, X))
    assert "\x1b" not in text
    assert r"column 'a\x1b[31m\n'" in text
