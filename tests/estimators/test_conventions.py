"""scikit-learn's conventions, and code written for its class with only the import changed."""

from __future__ import annotations

import pickle
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    FactorAnalyzerMixture,
    GaussianMixture,
    MixedMixture,
    Mixture,
)
from emplus.data.base import Array
from emplus.engine.problem import Problem
from emplus.numerics.sparse import is_sparse
from emplus.starts.registry import STARTS
from tests.cases import FamilyCase, every_covariance, every_family
from tests.estimators.checks import parametrize_with_checks


@dataclass(frozen=True)
class HalvesStart:
    """Below and above the mean of the first column: no chance, no order of rows."""

    def __call__(self, problem: Problem, n_components: int, rng: np.random.Generator) -> Mixture:
        X, weight = problem.source.take(np.arange(problem.source.n_rows))
        first = X[:, [0]].toarray()[:, 0] if is_sparse(X) else X[:, 0]
        above = first > problem.moments.mean[0]
        weights: Array = np.ones(len(first)) if weight is None else weight
        resp = np.where(above[:, None], [0.3, 0.7], [0.7, 0.3]) * weights[:, None]
        return problem.estimate(X, resp)


def known_to_fail(estimator: Any) -> dict[str, str]:
    """Checks that scikit-learn itself cannot do: names and reasons."""
    if not isinstance(estimator, BernoulliMixture):
        return {}
    # It reads tags.classifier_tags of whatever has predict_proba and takes sparse rows.
    reason = "the check takes everything with predict_proba for a classifier"
    return dict.fromkeys(("check_estimator_sparse_array", "check_estimator_sparse_matrix"), reason)


@pytest.mark.filterwarnings("ignore:.*:emplus.errors.EmplusWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        GaussianMixture(),
        FactorAnalyzerMixture(),
        BernoulliMixture(),
        CategoricalMixture(),
        MixedMixture(),
    ],
    [
        GaussianMixture(covariance_type="tied"),
        GaussianMixture(covariance_type="diag"),
        GaussianMixture(covariance_type="spherical"),
        GaussianMixture(n_components=2, init_params=HalvesStart(), max_iter=30),
        GaussianMixture(n_components=2, init_params=HalvesStart(), covariance_type="tied"),
        FactorAnalyzerMixture(noise="shared"),
        FactorAnalyzerMixture(n_factors=0, noise="isotropic"),
        FactorAnalyzerMixture(loadings="common"),
        FactorAnalyzerMixture(n_components=2, init_params=HalvesStart(), max_iter=30, search="em"),
        BernoulliMixture(n_components=2, init_params=HalvesStart(), max_iter=30, search="em"),
        # There every row has values of its own, so that any two halves of them are as good.
        CategoricalMixture(n_components=2, init_params=HalvesStart(), search="em"),
        MixedMixture(n_factors=1),
        MixedMixture(n_components=2, init_params=HalvesStart(), max_iter=30, search="em"),
        MixedMixture(n_components=2, init_params=HalvesStart(), covariance_type="tied"),
    ],
    known_to_fail,
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def two_blobs() -> Array:
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(0, 1, (60, 2)), rng.normal(6, 0.5, (60, 2))])


SNIPPETS = {
    "user guide": """
        gmm = GaussianMixture(n_components=2, random_state=0).fit(X)
        assert gmm.means_.shape == (2, 2) and gmm.predict([[0, 0], [6, 6]]).shape == (2,)
    """,
    "selection by BIC": """
        from sklearn.model_selection import GridSearchCV, KFold
        grid = GridSearchCV(
            GaussianMixture(random_state=0),
            {"n_components": range(1, 4), "covariance_type": ["spherical", "tied", "diag", "full"]},
            scoring=lambda estimator, X: -estimator.bic(X),
            cv=KFold(2, shuffle=True, random_state=0),
        ).fit(X)
        assert grid.best_params_["n_components"] == 2
    """,
    "pipeline": """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        pipe = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X)
        assert len(set(pipe.predict(X))) == 2 and pipe.score(X) > -4
    """,
    "fit_predict": """
        labels = GaussianMixture(2, random_state=1).fit_predict(X)
        assert (labels[:60] == labels[0]).all() and labels[-1] != labels[0]
    """,
    "density of samples": """
        gmm = GaussianMixture(2, covariance_type="full", tol=1e-3, max_iter=100).fit(X)
        samples, labels = gmm.sample(300)
        assert np.exp(gmm.score_samples(samples)).min() > 0 and set(labels) <= {0, 1}
    """,
    "ellipses": """
        gmm = GaussianMixture(2, covariance_type="tied", random_state=0).fit(X)
        for mean, cov in zip(gmm.means_, [gmm.covariances_] * 2):
            values, vectors = np.linalg.eigh(cov)
            assert (values > 0).all()
    """,
    "all arguments": """
        gmm = GaussianMixture(
            n_components=2, covariance_type="diag", tol=0.001, reg_covar=1e-06, max_iter=100,
            n_init=2, init_params="kmeans", weights_init=[0.5, 0.5], means_init=[[0, 0], [6, 6]],
            precisions_init=np.ones((2, 2)), random_state=np.random.RandomState(0),
            warm_start=False, verbose=0, verbose_interval=10,
        ).fit(X)
        assert gmm.converged_ and gmm.n_iter_ >= 1 and np.isfinite(gmm.lower_bound_)
    """,
    "numpy integers": """
        assert GaussianMixture(np.int64(2), max_iter=np.int32(50), n_init=np.int16(1)).fit(X)
    """,
    "cross validation": """
        from sklearn.model_selection import cross_val_score
        assert np.isfinite(cross_val_score(GaussianMixture(2, random_state=0), X, cv=3)).all()
    """,
    "by hand": """
        gmm = GaussianMixture(2, random_state=0).fit(X)
        dev = (X - gmm.means_[0]) @ gmm.precisions_cholesky_[0]
        wanted = np.einsum("ij,jk,ik->i", X - gmm.means_[0], gmm.precisions_[0], X - gmm.means_[0])
        assert np.allclose((dev ** 2).sum(axis=1), wanted)
        assert np.allclose(gmm.precisions_[0] @ gmm.covariances_[0], np.eye(2))
    """,
    "warm start": """
        gmm = GaussianMixture(2, warm_start=True, random_state=0)
        first = gmm.fit(X).lower_bound_
        assert gmm.fit(X).lower_bound_ >= first - 1e-9 and gmm.n_iter_ <= 2
    """,
}


@pytest.mark.parametrize("name", SNIPPETS)
def test_code_for_scikit_learn_runs_with_only_the_import_changed(name: str) -> None:
    code = textwrap.dedent(SNIPPETS[name])
    for line in (
        "from sklearn.mixture import GaussianMixture",
        "from emplus import GaussianMixture",
    ):
        if "sklearn" in line and name == "warm start":
            continue  # theirs always takes at least two iterations
        exec(f"import numpy as np\n{line}\n{code}", {"X": two_blobs()})


@every_family
def test_survives_pickling_and_cloning(case: FamilyCase) -> None:
    rows = case.rows()
    search = "split_merge" if case.id in ("gaussian-full", "product-full") else "em"
    model = case.estimator(3, search=search, random_state=0).fit(rows)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
    assert again.result_.trace == model.result_.trace
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "mixture_")
    assert_array_equal(copied.fit(rows).score_samples(rows), model.score_samples(rows))


def test_parameters_are_stored_untouched() -> None:
    weights, state = [0.5, 0.5], np.random.RandomState(0)
    model = GaussianMixture(2, weights_init=weights, random_state=state)
    assert model.get_params()["weights_init"] is weights
    assert model.set_params(n_components=5, tol=1e-3) is model
    assert (model.n_components, model.tol, model.random_state) == (5, 1e-3, state)
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(components=3)


@every_family
def test_data_frames_give_feature_names(case: FamilyCase) -> None:
    d = case.mixture.n_features
    names = ["width", "height", "length", "mass", "age", "price", "colour"][:d]
    frame = pd.DataFrame(case.rows(), columns=names)
    model = case.estimator(3, search="em", random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == names
    assert model.n_features_in_ == d
    plain = case.estimator(3, search="em", random_state=0).fit(frame.to_numpy())
    assert not hasattr(plain, "feature_names_in_")
    assert_array_equal(plain.score_samples(frame.to_numpy()), model.score_samples(frame))
    with pytest.raises(ValueError, match=r"(?s)feature names.*depth"):
        model.predict(frame.rename(columns={"height": "depth"}))
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[names[::-1]])
    with pytest.raises(ValueError, match=f"{d + 1} features"):
        plain.predict(np.zeros((2, d + 1)))


@every_covariance
def test_rows_in_any_form_give_the_same_fit(covariance_type: str) -> None:
    rows = np.round(4.0 * two_blobs())
    forms: list[Any] = [rows, np.asfortranarray(rows), rows.astype(int), rows.tolist()]
    forms += [rows.astype(object), pd.DataFrame(rows), rows.astype(np.float16)]
    for form in forms:
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(form)
        wanted = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(rows)
        assert_allclose(model.means_, wanted.means_, rtol=1e-3)


def test_sample_without_a_seed_differs_every_time() -> None:
    model = GaussianMixture(2, random_state=0).fit(two_blobs())
    assert not np.array_equal(model.sample(5)[0], model.sample(5)[0])
    assert_array_equal(model.sample(5, random_state=3)[0], model.sample(5, random_state=3)[0])
    assert len(model.sample()[0]) == 1


@every_family
def test_a_sample_gives_back_the_mixture_it_came_from(case: FamilyCase) -> None:
    rows = case.rows(10_000, seed=11)
    search = "split_merge" if case.real.any() else "em"
    model = case.estimator(3, n_init=4, tol=1e-6, search=search, random_state=0).fit(rows)
    held_out = case.rows(10_000, seed=12)
    # Kullback-Leibler divergence: about the number of free parameters over twice the rows.
    lost = case.mixture.log_density(held_out) - model.score_samples(held_out)
    bound = model.mixture_.n_free_parameters / len(rows)
    assert -bound < lost.mean() < 2 * bound
    # Of a few columns of categories, other weights give next to the same density.
    if case.real.any():
        wanted, found = np.sort(case.mixture.weights), np.sort(model.weights_)
        assert_allclose(found, wanted, atol=0.03)


@every_family
@pytest.mark.parametrize("name", STARTS)
def test_every_start_fits(case: FamilyCase, name: str) -> None:
    given = {"init_params": name, "search": "em", "random_state": 0, "max_iter": 5000, "tol": 1e-4}
    model = case.estimator(3, **given).fit(case.rows())
    assert model.converged_
    again = case.estimator(3, **given).fit(case.rows())
    assert_array_equal(again.score_samples(case.rows()), model.score_samples(case.rows()))


@every_family
def test_predictions_do_not_depend_on_batches(case: FamilyCase) -> None:
    rows = case.rows(9000)
    model = case.estimator(3, search="em", tol=1e-5, random_state=0).fit(rows)
    for method in (model.predict_proba, model.score_samples, model.predict):
        whole = method(rows)
        parts = np.concatenate([method(part) for part in np.array_split(rows, 7)])
        assert_allclose(parts, whole, rtol=1e-9, atol=1e-9)
        assert_allclose(method(rows[::-1])[::-1], whole, rtol=1e-9, atol=1e-9)


@every_family
def test_marginal_and_condition_are_the_mixtures(case: FamilyCase) -> None:
    rows = case.rows()
    model = case.estimator(3, search="em", random_state=0).fit(rows)
    marginal, given = model.marginal([1, 0]), model.condition(0, rows[5, 0])
    assert_array_equal(
        marginal.log_density(rows[:, [1, 0]]),
        model.mixture_.marginal([1, 0]).log_density(rows[:, [1, 0]]),
    )
    joint = model.score_samples(rows[5:6])
    first = model.marginal(0).log_density(rows[5:6, :1])
    assert_allclose(given.log_density(rows[5:6, 1:]), joint - first, rtol=1e-9)
    assert model.marginal(0).n_features == 1
    with pytest.raises(ValueError, match="column number"):
        model.marginal(case.mixture.n_features)
    with pytest.raises(NotFittedError):
        case.estimator(3).marginal(0)
    with pytest.raises(NotFittedError):
        case.estimator(3).condition(0, 1.0)


def test_warm_start_goes_on_from_the_fit_before() -> None:
    rows = two_blobs()
    model = GaussianMixture(2, warm_start=True, random_state=0).fit(rows)
    model.fit(rows + 0.01)
    assert model.result_.log_likelihoods[0] > -1000
    assert model.n_iter_ < 10
    model.set_params(n_components=3)
    with pytest.raises(ValueError, match="2 components, not 3"):
        model.fit(rows)


def test_icl_adds_what_the_assignment_is_unsure_of() -> None:
    rows = two_blobs()
    apart = GaussianMixture(2, random_state=0).fit(rows)
    assert_allclose(apart.icl(rows), apart.bic(rows), atol=1e-3)
    overlapping = GaussianMixture(4, random_state=0).fit(rows)
    unsure = -np.log(overlapping.predict_proba(rows).max(axis=1)).sum()
    assert unsure > 1
    assert_allclose(overlapping.icl(rows) - overlapping.bic(rows), 2 * unsure)


def test_verbose_prints(capsys: pytest.CaptureFixture[str]) -> None:
    GaussianMixture(2, verbose=1, verbose_interval=1, random_state=0).fit(two_blobs())
    assert "iteration" in capsys.readouterr().out
    GaussianMixture(2, random_state=0).fit(two_blobs())
    assert capsys.readouterr().out == ""
