"""scikit-learn's class as an oracle: the same steps from the same start, the same numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs

from emplus import GaussianMixture, datasets
from tests.cases import Array, every_covariance, random_covariances, random_gaussian

DATA: dict[str, Callable[[], Array]] = {
    "overlapping": lambda: random_gaussian("full", k=3, d=2, seed=1).sample(
        400, np.random.default_rng(0)
    )[0],
    "ten columns": lambda: random_gaussian("full", k=4, d=10, seed=2, separation=0.5).sample(
        600, np.random.default_rng(0)
    )[0],
    "faithful": lambda: np.asarray(datasets.load("faithful").X),
}
every_data = pytest.mark.parametrize("data", DATA)


def start(covariance_type: str, X: Array, k: int, seed: int = 3) -> dict[str, Any]:
    """Weights, means and precisions to start from, in units of the columns."""
    rng = np.random.default_rng(seed)
    d = X.shape[1]
    covariances = random_covariances(covariance_type, k, d, rng) * X.var()
    matrices = covariance_type in ("full", "tied")
    return {
        "weights_init": rng.dirichlet(np.full(k, 4.0)),
        "means_init": X[rng.choice(len(X), size=k, replace=False)],
        "precisions_init": np.linalg.inv(covariances) if matrices else 1.0 / covariances,
    }


def both(covariance_type: str, X: Array, k: int, max_iter: int, **more: Any) -> tuple[Any, Any]:
    """Ours and theirs by plain EM to maximum likelihood, which is what theirs does."""
    arguments = {
        "covariance_type": covariance_type,
        "tol": 0.0,
        "reg_covar": 0.0,
        "max_iter": max_iter,
        **start(covariance_type, X, k),
        **more,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = GaussianMixture(k, search="em", **arguments).fit(X)
        theirs = Theirs(k, **arguments).fit(X)
    return ours, theirs


@every_covariance
@every_data
@pytest.mark.parametrize("max_iter", [1, 2, 3, 4, 7, 15])
def test_every_iteration_is_the_same(covariance_type: str, data: str, max_iter: int) -> None:
    X = DATA[data]()
    ours, theirs = both(covariance_type, X, 3, max_iter)
    assert ours.n_iter_ == theirs.n_iter_ == max_iter
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert_allclose(getattr(ours, name), getattr(theirs, name), 1e-6, 1e-8, err_msg=name)
    # Ours is the log-likelihood of the parameters themselves, theirs of those one M step earlier.
    assert_allclose(ours.lower_bound_, theirs.score(X), rtol=1e-10)
    assert_allclose(ours.lower_bounds_[:-1][-1], theirs.lower_bound_, rtol=1e-10)
    assert_allclose(ours.lower_bounds_[:-1], theirs.lower_bounds_, rtol=1e-9)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-8, atol=1e-8)
    assert (ours.predict(X) == theirs.predict(X)).all()


@every_covariance
def test_criteria_and_free_parameters_are_the_same(covariance_type: str) -> None:
    for k, data in ((1, "faithful"), (3, "ten columns")):
        X = DATA[data]()
        ours, theirs = both(covariance_type, X, k, 5)
        assert ours.mixture_.n_free_parameters == theirs._n_parameters()
        assert_allclose(ours.aic(X), theirs.aic(X), rtol=1e-10)
        assert_allclose(ours.bic(X), theirs.bic(X), rtol=1e-10)
        assert_allclose(ours.score(X), theirs.score(X), rtol=1e-10)


@every_covariance
def test_shapes_are_the_same(covariance_type: str) -> None:
    ours, theirs = both(covariance_type, DATA["ten columns"](), 3, 2)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    X, labels = ours.sample(7)
    assert (X.shape, labels.shape) == ((7, 10), (7,))


def test_everything_public_of_theirs_is_ours() -> None:
    X = DATA["faithful"]()
    ours, theirs = both("full", X, 2, 3)
    assert set(Theirs().get_params()) <= set(GaussianMixture().get_params())
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public - set(dir(ours)) == set()


@every_covariance
def test_converged_fits_are_as_good_as_theirs(covariance_type: str) -> None:
    for seed in range(2):
        X = DATA["overlapping"]()
        arguments: dict[str, Any] = {"covariance_type": covariance_type, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs = Theirs(3, n_init=5, **arguments).fit(X)
        for search in ("em", "split_merge"):
            ours = GaussianMixture(3, n_init=5, search=search, **arguments).fit(X)
            assert ours.score(X) > theirs.score(X) - 1e-3


# R's mclust 6.0 on datasets::faithful, e.g. Mclust(faithful, G = 3, modelNames = "EEE"):
# log-likelihoods, and BIC with its sign turned so that lower is better.
@pytest.mark.parametrize(
    ("covariance_type", "k", "log_likelihood", "bic"),
    [("tied", 3, -1126.326, 2314.316), ("full", 2, -1130.264, 2322.192)],
)
def test_mclust_on_old_faithful(
    covariance_type: str, k: int, log_likelihood: float, bic: float
) -> None:
    X = datasets.load("faithful").X
    # Maximum likelihood, as mclust has it, but for what keeps a component off a single row.
    model = GaussianMixture(
        k,
        covariance_type=covariance_type,
        reg_covar=1e-4,
        search="em",
        n_init=20,
        random_state=0,
    ).fit(X)
    assert model.converged_
    # mclust stops at a relative change of 1e-5, so a little above its value is where it was going.
    assert -0.001 <= model.result_.log_likelihood - log_likelihood <= 0.02
    assert abs(model.bic(X) - bic) < 0.05


@pytest.mark.parametrize(("covariance_type", "k"), [("tied", 3), ("full", 2)])
def test_the_default_prior_costs_old_faithful_next_to_nothing(covariance_type: str, k: int) -> None:
    X = datasets.load("faithful").X
    arguments: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 0}
    believing = GaussianMixture(k, **arguments).fit(X)
    likely = GaussianMixture(k, reg_covar=1e-4, search="em", n_init=20, **arguments).fit(X)
    assert believing.score(X) > likely.score(X) - 1e-3
