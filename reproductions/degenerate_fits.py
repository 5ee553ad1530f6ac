"""Fits that go wrong: components that coincide, and a component that shrinks onto a few rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pictures import stored
from reproduction import Run
from sklearn.mixture import GaussianMixture as Reference

from emplus import GaussianMixture, Mixture
from emplus.errors import FitError
from emplus.plotting import Recorder
from emplus.starts.given import GivenMixture

__all__ = ["FOLLOWED", "NEAR", "TRUE", "WIDTH", "collapse", "copies", "singletons", "unbounded"]

Floats = NDArray[np.floating[Any]]

# Components of the rows.
TRUE = 4
# Runs whose log-likelihood a row is this near that of one component are singletons.
NEAR = 0.01
# The start of the component that collapses: standard deviation and iterations that are followed.
WIDTH, FOLLOWED = 0.3, 12


def smallest(covariances: Any) -> float:
    """The standard deviation along the shortest axis of any component."""
    return float(np.sqrt(max(np.linalg.eigvalsh(np.asarray(covariances)).min(), 0.0)))


def singletons(run: Run, X: Floats, one: float, best: float) -> list[dict[str, Any]]:
    """How often starts from random responsibilities end as one component, and at the best."""
    plain: dict[str, Any] = {"search": "em", "accelerate": None}
    settings: tuple[tuple[str, Callable[..., Any], dict[str, Any]], ...] = (
        ("scikit-learn, its tolerance of 1e-3", Reference, {}),
        ("emplus, EM with that tolerance", GaussianMixture, {**plain, "tol": 1e-3}),
        ("emplus, EM with its own of 1e-6", GaussianMixture, plain),
        ("emplus as it is (split-merge)", GaussianMixture, {}),
    )
    found = []
    for words, make, options in settings:
        values = [
            make(TRUE, init_params="random", random_state=seed, **options).fit(X).score(X)
            for seed in run.each(range(run.pick(50, 3)), words)
        ]
        found.append(
            {
                "setting": words,
                "singleton": sum(value < one + NEAR for value in values),
                "best": sum(value > best - NEAR for value in values),
                "runs": len(values),
            }
        )
    return found


def copies(X: Floats) -> dict[str, Any]:
    """EM without a prior from components at one place, one of which has nearly all the weight."""
    width = np.cov(X.T, bias=True)
    start = Mixture.gaussian(
        [0.97, 0.01, 0.01, 0.01], np.tile(X.mean(axis=0), (TRUE, 1)), np.tile(width, (TRUE, 1, 1))
    )
    model = GaussianMixture(
        TRUE, search="em", accelerate=None, reg_covar=0.0, init_params=GivenMixture(start)
    ).fit(X)
    single = GaussianMixture(1, reg_covar=0.0).fit(X)
    return {
        **stored(model.mixture_),
        "gain": model.lower_bound_ - single.lower_bound_,
        "n_iter": model.n_iter_,
    }


def collapse(X: Floats, good: GaussianMixture) -> dict[str, Any]:
    """The good fit with one component moved to the row it foresees least, and where that leads."""
    means, covariances = np.array(good.means_), np.array(good.covariances_)
    row = X[int(np.argmin(good.score_samples(X)))]
    means[0], covariances[0] = row, WIDTH**2 * np.eye(2)
    start = Mixture.gaussian(np.full(TRUE, 1.0 / TRUE), means, covariances)
    found: dict[str, Any] = {"row": row}
    for name, strength in (("free", 0.0), ("prior", "auto")):
        recorder = Recorder()
        model = GaussianMixture(
            TRUE,
            search="em",
            accelerate=None,
            reg_covar=strength,
            init_params=GivenMixture(start),
            observers=[recorder],
        )
        try:
            ended = model.fit(X).result_.outcome.value
        except FitError:
            ended = "singular"
        path = [stored(step.mixture) for step in recorder.climbs[0]]
        # The last one before a collapse is still one that can be drawn.
        last = -2 if ended == "singular" else -1
        found[name] = {
            "ended": ended,
            "widths": [smallest(one["covariances"]) for one in path],
            "mixture": path[last],
        }
    found["floored"] = {"widths": floored(X, means, covariances)}
    return found


def floored(X: Floats, means: Floats, covariances: Floats) -> list[float]:
    """The same start in scikit-learn, where a variance of 1e-12 is added to every component's."""
    given = {
        "weights_init": np.full(TRUE, 1.0 / TRUE),
        "means_init": means,
        "precisions_init": np.linalg.inv(covariances),
        "init_params": "random",  # which is not used, but cheaper than a k-means that is not
    }
    model = Reference(TRUE, reg_covar=1e-12, max_iter=1, warm_start=True, **given)
    widths = [smallest(covariances)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one iteration at a time is too few
        for _ in range(FOLLOWED):
            widths.append(smallest(model.fit(X).covariances_))
    return widths


def unbounded(X: Floats, good: GaussianMixture, collapsed: dict[str, Any]) -> dict[str, Any]:
    """Log-likelihood and objective a row as the component on few rows is made ever narrower."""
    widths = 10.0 ** np.linspace(0.3, -36.0, 80)
    before = collapsed["free"]["mixture"]
    weights, means, covariances = (np.array(before[name]) for name in before)
    means[0] = collapsed["row"]
    likelihoods, objectives = [], []
    for width in widths:
        covariances[0] = width**2 * np.eye(2)
        mixture = Mixture.gaussian(weights, means, covariances)
        likelihood = float(mixture.log_density(X).sum())
        prior = float(mixture.family.log_prior(mixture.parameters, good.prior_).sum())
        likelihoods.append(likelihood / len(X))
        objectives.append((likelihood + prior) / len(X))
    return {"widths": widths, "likelihoods": likelihoods, "objectives": objectives}
