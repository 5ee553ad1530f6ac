"""Other natural exponential families on the same base: of real numbers, and with an argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

from emplus import FamilyMixture, Mixture, load, plotting, register_family
from emplus.engine.problem import Problem
from emplus.families.base import Array, Family
from emplus.families.exponential import Means, NaturalExponential
from emplus.families.links import Link, Log
from emplus.families.registry import KNOWN_FAMILIES
from tests.cases import problem_of
from tests.counted import holed
from tests.extending.examples import counts


@final
@dataclass(frozen=True)
class Exponential(NaturalExponential):
    """Durations."""

    name: ClassVar[str] = "durations"
    values: ClassVar[str] = "numbers of at least 0"
    real: ClassVar[bool] = True
    link: ClassVar[Link] = Log()

    def natural(self, means: Array) -> Array:
        return -1.0 / np.maximum(means, 1e-100)

    def log_partition(self, means: Array) -> Array:
        return np.asarray(np.log(np.maximum(means, 1e-100)))

    def log_base(self, X: Array) -> float:
        return 0.0

    def variance(self, means: Array) -> Array:
        return means**2

    def draw(self, means: Array, rng: np.random.Generator) -> Array:
        return rng.exponential(means)

    def holds(self, X: Array) -> NDArray[np.bool_]:
        return np.asarray(X >= 0)


@final
@dataclass(frozen=True)
class NegativeBinomial(NaturalExponential):
    """Counts that vary more than Poisson's, by a size that is given."""

    size: float = 2.0

    name: ClassVar[str] = "negative-binomial"
    values: ClassVar[str] = "whole numbers of at least 0"
    real: ClassVar[bool] = False
    link: ClassVar[Link] = Log()

    def natural(self, means: Array) -> Array:
        held = np.maximum(means, 1e-15)
        return np.asarray(np.log(held / (held + self.size)))

    def log_partition(self, means: Array) -> Array:
        return np.asarray(self.size * np.log1p(means / self.size))

    def log_base(self, X: Array) -> Array:
        return np.asarray(gammaln(X + self.size) - gammaln(self.size) - gammaln(X + 1.0))

    def variance(self, means: Array) -> Array:
        return means + means**2 / self.size

    def draw(self, means: Array, rng: np.random.Generator) -> Array:
        return np.asarray(rng.negative_binomial(self.size, self.size / (self.size + means)), float)

    def holds(self, X: Array) -> NDArray[np.bool_]:
        return np.asarray((X >= 0) & (np.floor(X) == X))


MEANS = np.array([[1.0, 30.0, 8.0, 2.0], [20.0, 2.0, 0.5, 9.0]])
FAMILIES: list[Any] = [Exponential(), NegativeBinomial(), NegativeBinomial(5.0)]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KNOWN_FAMILIES, "_added", dict(KNOWN_FAMILIES._added))
    register_family(Exponential)
    register_family(NegativeBinomial)


def mixture(family: Any) -> Mixture:
    return Mixture(family, np.log([0.4, 0.6]), Means(MEANS))


def exact(family: Any, X: Array) -> Array:
    if isinstance(family, Exponential):
        single = stats.expon.logpdf(X[:, None, :], scale=MEANS)
    else:
        r = family.size
        single = stats.nbinom.logpmf(X[:, None, :], r, r / (r + MEANS))
    whole: Array = np.asarray(single, dtype=np.float64).sum(axis=2)
    return whole


def problem(family: Family, X: Array) -> Problem:
    from emplus.data.memory import ArraySource

    return problem_of(family, ArraySource(X, n_jobs=1), 1.5)


every = pytest.mark.parametrize("family", FAMILIES, ids=repr)


@every
def test_densities_are_those_of_scipy(family: Any) -> None:
    X, _ = mixture(family).sample(100, np.random.default_rng(0))
    assert_allclose(mixture(family).log_joint(X), np.log([0.4, 0.6]) + exact(family, X), rtol=1e-10)


@every
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_the_gradient_is_that_of_the_objective(family: Any, holes: float) -> None:
    X, _ = mixture(family).sample(80, np.random.default_rng(0))
    asked = problem(family, holed(X, holes) if holes else X)
    coordinates = family.coordinates(Means(MEANS), asked.moments, asked.prior)
    vector = coordinates.free(Means(MEANS))

    def objective(at: Array) -> float:
        whole = Mixture(family, np.log([0.4, 0.6]), coordinates.bind(at))
        return float(asked.evaluate(whole).objective)

    state = asked.evaluate(mixture(family))
    found = coordinates.gradient(vector, Means(MEANS), state.statistics)
    steps = 1e-5 * np.eye(len(vector))
    expected = [(objective(vector + h) - objective(vector - h)) / 2e-5 for h in steps]
    assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@every
@pytest.mark.parametrize("optimizer", ["em", "lbfgs"])
def test_it_is_fitted_kept_drawn_and_filled(family: Any, optimizer: str, tmp_path: Path) -> None:
    X, _ = mixture(family).sample(1500, np.random.default_rng(0))
    model = FamilyMixture(2, family=family, optimizer=optimizer, random_state=0).fit(X)
    order = np.argsort(model.means_[:, 0])
    assert_allclose(model.means_[order], MEANS, rtol=0.25)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.mixture_.family == family
    assert_array_equal(again.predict(X), model.predict(X))
    plotting.plot_fit(model, X, tmp_path / "m.png")
    filled = model.impute(holed(X[:50], 0.3))
    assert (np.floor(filled) == filled).all() == (not family.real)


def test_units_of_durations_do_not_matter() -> None:
    X, _ = mixture(Exponential()).sample(400, np.random.default_rng(0))
    one, other = (
        FamilyMixture(2, family="durations", random_state=0).fit(rows) for rows in (X, 1e-6 * X)
    )
    assert_allclose(other.means_, 1e-6 * one.means_, rtol=1e-5)


def test_arguments_are_part_of_a_family() -> None:
    assert NegativeBinomial(3.0).config() == {"size": 3.0}
    assert NegativeBinomial(3.0) != NegativeBinomial(4.0)
    rows, _ = counts(200)
    assert FamilyMixture(2, family="negative-binomial", random_state=0).fit(rows).converged_
