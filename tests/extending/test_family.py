"""The family of the page on how to add one: with every search, source and face."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from docs.examples.poisson import Poisson
from emplus import FamilyMixture, Mixture, bootstrap_test, diagnose, load, plotting, select
from emplus.data.memory import ArraySource
from emplus.errors import ArgumentError, DataError, ModelFileError
from emplus.families.bernoulli import Bernoulli
from emplus.families.exponential import Means
from emplus.families.gaussian import Gaussian
from emplus.families.product import Product
from emplus.numerics.moments import Moments
from emplus.search.registry import KNOWN_SEARCHES, SEARCHES
from tests.counted import holed
from tests.extending.examples import EXAMPLES, RATES, counts, poisson

X, LABELS = counts()
EXPECTED = FamilyMixture(3, family="poisson", random_state=0).fit(X)


def in_order(means: Any) -> Any:
    return means[np.argsort(means[:, 2])]


def test_the_example_is_short() -> None:
    assert len((EXAMPLES / "poisson.py").read_text("utf-8").splitlines()) < 60


def test_it_finds_the_rates_and_has_their_densities() -> None:
    assert_allclose(in_order(EXPECTED.means_), in_order(RATES), rtol=0.2, atol=0.2)
    single = np.asarray(stats.poisson.logpmf(X[:, None, :], EXPECTED.means_)).sum(axis=2)
    expected = np.logaddexp.reduce(np.log(EXPECTED.weights_) + single, axis=1)
    assert_allclose(EXPECTED.score_samples(X), expected, rtol=1e-12)


def test_the_m_step_is_the_mode_under_a_gamma_density() -> None:
    family, strength = Poisson(), 3.0
    prior = family.default_prior(Moments.of(X), strength)
    mean = (np.sum(X, axis=0) + 0.5) / (len(X) + 1.0)
    assert_allclose(prior.frequencies, mean)
    rates = np.linspace(0.1, 40.0, 50)
    found = family.log_prior(Means(rates[:, None]), family.default_prior(Moments.of(X[:, :1]), 3.0))
    density = stats.gamma.logpdf(rates, 1.0 + 3.0 * mean[0], scale=1.0 / 3.0)
    assert_allclose(found - found[0], density - density[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("search", [*SEARCHES, "basin_hopping", "em+basin_hopping"])
@pytest.mark.parametrize("holes", [0.0, 0.15])
def test_with_every_search(search: str, holes: float) -> None:
    rows = holed(X, holes) if holes else X
    model = poisson(search=search, allow_missing=True).fit(rows[~np.isnan(rows).all(axis=1)])
    assert set(SEARCHES) < set(KNOWN_SEARCHES.names())
    assert_allclose(in_order(model.means_), in_order(RATES), rtol=0.3, atol=0.3)
    assert (np.diff(model.result_.trace[:2]) >= 0).all()


@pytest.mark.parametrize("optimizer", ["gradient", "lbfgs", "em+lbfgs", "stepwise", "incremental"])
def test_with_every_way_up_the_hill(optimizer: str) -> None:
    model = poisson(optimizer=optimizer, search="em", max_iter=3000).fit(X)
    assert model.lower_bound_ == pytest.approx(EXPECTED.lower_bound_, abs=1e-3)


def test_rows_in_a_file_or_in_blocks_are_those_in_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    rows: list[Any] = [tmp_path / "x.npy", lambda: iter(np.array_split(X, 5))]
    for stored in rows:
        model = poisson().fit(stored)
        assert_allclose(model.score_samples(stored), EXPECTED.score_samples(X), rtol=1e-10)


def test_rows_on_a_cluster() -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    import dask.array

    da: Any = dask.array
    options: Any = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        model = poisson().fit(da.from_array(X, chunks=(200, 3)))
        assert model.lower_bound_ == pytest.approx(EXPECTED.lower_bound_, abs=1e-6)
        odd = X.copy()
        odd[450, 1] = 2.5
        with pytest.raises(DataError, match=r"Column 1 holds values.*'poisson'"):
            poisson().fit(da.from_array(odd, chunks=(200, 3)))


def test_weights_are_repeated_rows_and_zero_is_no_row() -> None:
    weight = np.random.default_rng(1).integers(0, 3, len(X))
    weighted = poisson(prior=1.0).fit(X, sample_weight=weight)
    repeated = poisson(prior=1.0).fit(np.repeat(X, weight, axis=0))
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-6)


def test_known_components_keep_their_numbers() -> None:
    labels = np.where(np.arange(len(X)) % 10 == 0, LABELS, -1)
    model = poisson().fit(X, labels=labels)
    assert_allclose(model.means_, RATES, rtol=0.2, atol=0.2)


def test_blocks_are_learned_one_by_one() -> None:
    rows, _ = counts(3000)
    model = poisson()
    for block in np.array_split(rows, 10):
        model.partial_fit(block)
    assert_allclose(in_order(model.means_), in_order(RATES), rtol=0.15, atol=0.15)


def test_as_an_estimator(tmp_path: Path) -> None:
    again = clone(EXPECTED)
    assert again.family == "poisson"
    assert_array_equal(pickle.loads(pickle.dumps(EXPECTED)).predict(X), EXPECTED.predict(X))
    rows, labels = EXPECTED.sample(50, random_state=0)
    assert rows.shape == (50, 3)
    assert ((rows >= 0) & (rows == np.floor(rows))).all()
    assert set(labels.tolist()) == {0, 1, 2}
    grid = GridSearchCV(poisson(), {"n_components": [1, 3]}, cv=2).fit(X)
    assert grid.best_params_ == {"n_components": 3}
    EXPECTED.save(tmp_path / "named.safetensors")
    poisson().fit(X).save(tmp_path / "given.safetensors")
    for name in ("named", "given"):
        loaded = load(tmp_path / f"{name}.safetensors")
        assert_array_equal(loaded.score_samples(X), EXPECTED.score_samples(X))
        loaded.partial_fit(X[:100])


@pytest.mark.filterwarnings("ignore:.*:emplus.errors.EmplusWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(  # type: ignore[untyped-decorator]  # scikit-learn has no types
    [FamilyMixture(search="em", max_iter=30)]
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_what_is_missing_is_filled_with_counts() -> None:
    rows = holed(X, 0.2)
    rows = rows[~np.isnan(rows).all(axis=1)]
    model = poisson().fit(rows)
    there = ~np.isnan(rows)
    for filled in (model.impute(rows), model.sample_missing(rows, 0)):
        assert_array_equal(filled[there], rows[there])
        assert ((filled >= 0) & (filled == np.floor(filled))).all()


def test_selected_beside_others_also_in_other_processes() -> None:
    found = select(X, [2, 3], families=["poisson", "diag"], random_state=0, n_jobs=2)
    assert (found.best.family, found.best.n_components) == ("poisson", 3)
    named = poisson(family="poisson", search="basin_hopping")
    again = select(X, [3], families={"hops": named}, random_state=0, n_jobs=2)
    assert again.best.bic == pytest.approx(found.best.bic, abs=0.1)
    assert bootstrap_test(poisson(), X, 1, 4, random_state=0, n_jobs=1).p_value <= 0.2


def test_pictures_and_a_diagnosis(tmp_path: Path) -> None:
    assert plotting.plot_fit(EXPECTED, X, tmp_path / "fit.png").stat().st_size > 5000
    plotting.plot_profiles(EXPECTED, tmp_path / "profiles.svg")
    assert "Nothing is wrong" in str(diagnose(EXPECTED, X))
    twice = EXPECTED.mixture_.take([0, 0, 1, 2])
    assert {0, 1} <= set(diagnose(twice, X).flagged.tolist())


def test_a_part_of_a_product(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([X[:, 0], rng.normal(LABELS * 3.0), X[:, 1:], rng.random(len(X)) < 0.5])
    family = Product((Poisson(), Gaussian(), Bernoulli()), ((0, 2, 3), (1,), (4,)))
    model = FamilyMixture(3, family=family, random_state=0).fit(holed(table, 0.05))
    assert_allclose(in_order(model.means_[:, [0, 2, 3]]), in_order(RATES), rtol=0.25, atol=0.25)
    model.save(tmp_path / "m.safetensors")
    assert_array_equal(load(tmp_path / "m.safetensors").predict(table), model.predict(table))
    with pytest.raises(DataError, match=r"Column 4 holds 2 in row 0.*zeros and ones"):
        model.predict(table + np.array([0, 0, 0, 0, 2.0]))


@pytest.mark.parametrize(("value", "dtype"), [(-1.0, "f8"), (2.5, "f8"), (0.5, "f4")])
def test_what_is_no_count_is_refused_by_row_and_column(
    value: float, dtype: str, tmp_path: Path
) -> None:
    rows = X.astype(dtype)
    rows[7, 1] = value
    np.save(tmp_path / "x.npy", rows)
    sentence = rf"Column 1 holds {value:g} in row 7, but it must hold whole numbers of at least 0"
    for given in (rows, tmp_path / "x.npy"):
        with pytest.raises(DataError, match=sentence):
            poisson().fit(given)
        with pytest.raises(DataError, match=sentence):
            EXPECTED.predict(given)
    with pytest.raises(DataError, match="columns of this mixture hold whole numbers"):
        EXPECTED.mixture_.log_density(rows)


@pytest.mark.parametrize("size", [10.0, 1e4, 1e7])
@pytest.mark.parametrize("missing", [False, True])
def test_large_counts_keep_their_digits(size: float, missing: bool) -> None:
    # The factorials of small counts are looked up, those of large ones worked out.
    rates = size * np.array([[1.0, 2.0], [3.0, 0.5]])
    rows, _ = Mixture(Poisson(), np.log([0.5, 0.5]), Means(rates)).sample(
        200, np.random.default_rng(0)
    )
    if missing:
        rows[::3, 0] = np.nan
    found = Mixture(Poisson(), np.log([0.5, 0.5]), Means(rates)).log_joint(rows)
    single = np.nan_to_num(stats.poisson.logpmf(rows[:, None, :], rates), nan=0.0)
    assert_allclose(found, np.log(0.5) + single.sum(axis=2), rtol=1e-9, atol=1e-8 * size)


def test_columns_of_zeros_and_far_counts() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.zeros(200), rng.poisson(1e9, 200), X[:200, 0]]).astype(float)
    with pytest.warns(UserWarning, match="Constant in every row: column 0"):
        model = poisson(2).fit(rows)
    assert np.isfinite(model.lower_bound_)
    assert (model.means_ >= 0).all()
    assert ArraySource(rows).moments(full=False).upper[1] > 4096


def test_arguments_that_are_no_family_are_refused(tmp_path: Path) -> None:
    for family, sentence in (
        ("poissom", "Unknown family 'poissom'; did you mean 'poisson'"),
        ("categorical", "The family 'categorical' cannot be made so"),
        (Poisson, "give an object such as Poisson"),
        (3, "neither a name nor a family"),
    ):
        with pytest.raises(ArgumentError, match=sentence):
            FamilyMixture(2, family=family).fit(X)  # type: ignore[arg-type]  # on purpose


class Nameless(Bernoulli):  # type: ignore[misc]  # final, but a stand-in for a stranger's family
    name = "nameless"


def test_a_model_that_nobody_could_read_is_not_written(tmp_path: Path) -> None:
    model = FamilyMixture(2, family=Nameless(), random_state=0, search="em").fit(X > 4)
    with pytest.raises(ModelFileError, match=r"call emplus\.register_family with its class first"):
        model.save(tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
