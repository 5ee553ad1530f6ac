"""The tables that tests are products of: families, sources, searches.

Adding a family, a source or a search is adding a row here; the tests then run over it.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from emplus import GaussianMixture, Mixture
from emplus.data.base import Source
from emplus.data.memory import ArraySource
from emplus.data.opening import open_rows
from emplus.engine.problem import Problem
from emplus.errors import EmplusWarning
from emplus.families.base import Family
from emplus.families.factor_analyzer import LOADINGS, NOISES, FactorAnalyzer
from emplus.families.factor_parameters import FactorParameters
from emplus.families.gaussian import GaussianParameters
from emplus.families.product import ProductParameters
from emplus.families.registry import COVARIANCES, make_family
from emplus.search.registry import SEARCHES
from tests.counted import (
    move_probabilities,
    move_rates,
    random_bernoulli,
    random_categorical,
    random_poisson,
    random_product,
)

Array = NDArray[np.floating]

COVARIANCE_TYPES = tuple(COVARIANCES)
SEARCH_NAMES = tuple(SEARCHES)


class MakeSource(Protocol):
    def __call__(
        self, X: Array, sample_weight: Array | None = None, n_jobs: int | None = 1
    ) -> Source: ...


def file_source(
    X: Array, sample_weight: Array | None = None, n_jobs: int | None = 1
) -> ArraySource:
    """The rows in a file that is read a block at a time."""
    place = Path(_FILES.name) / f"{len(os.listdir(_FILES.name))}.npy"
    np.save(place, np.ascontiguousarray(X))
    return ArraySource(open_rows(place).rows, sample_weight, n_jobs)


# Removed when the tests end; a finalizer that warned would be an error in a test.
_FILES = TemporaryDirectory(prefix="emplus-tests-", ignore_cleanup_errors=True)
atexit.register(_FILES.cleanup)

SOURCES: Mapping[str, MakeSource] = {"array": ArraySource, "file": file_source}


@dataclass(frozen=True)
class FamilyCase:
    """A family with what generic tests need to know of it.

    ``move`` gives the parameters a step of length t along a direction of its own choosing, the
    same for the same seed: how derivatives are taken without knowing what the parameters are.
    ``like`` makes other mixtures of the family from k and the distance between its components.
    """

    id: str
    mixture: Mixture
    estimator: Callable[..., Any]
    move: Callable[[Family, Any, int, float], Any]
    like: Callable[[int, float], Mixture]
    # Whether one M step reaches the maximum, or several are needed.
    exact: bool = True
    # Rows need at least as many columns.
    least_columns: int = 1
    # Rows from which the M step's maximum can be told, whatever the responsibilities.
    telling_rows: int = 60

    @property
    def family(self) -> Family:
        return self.mixture.family

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which columns may hold any real number."""
        return self.family.continuous(self.mixture.parameters)

    def rows(self, n: int = 300, seed: int = 0) -> Array:
        """Rows of the example mixture."""
        return self.mixture.sample(n, np.random.default_rng(seed))[0]

    def problem(
        self,
        X: Array,
        weight: Array | None = None,
        strength: float = 1e-3,
        spread: Array | None = None,
    ) -> Problem:
        """The example family to be fitted to these rows in memory."""
        return problem_of(self.family, ArraySource(X, weight, n_jobs=1), strength, spread)


def problem_of(
    family: Family, source: Source, strength: float = 1e-3, spread: Array | None = None
) -> Problem:
    moments = source.moments(full=family.needs_full_scatter, levels=family.levels)
    return Problem(family, source, family.default_prior(moments, strength, spread))


def random_covariances(covariance_type: str, k: int, d: int, rng: np.random.Generator) -> Array:
    """Covariances of components about one unit wide."""
    if covariance_type == "spherical":
        return rng.uniform(0.4, 1.5, size=k)
    if covariance_type == "diag":
        return rng.uniform(0.4, 1.5, size=(k, d))
    roots = rng.standard_normal((k, d, 2 * d)) / np.sqrt(2 * d)
    covariances: Array = roots @ roots.swapaxes(1, 2) + 0.2 * np.eye(d)
    covariances = 0.5 * (covariances + covariances.swapaxes(1, 2))
    return covariances[0] if covariance_type == "tied" else covariances


def random_gaussian(
    covariance_type: str, k: int = 3, d: int = 2, seed: int = 0, separation: float = 2.0
) -> Mixture:
    """A Gaussian mixture that overlaps somewhat."""
    rng = np.random.default_rng(seed)
    return Mixture.gaussian(
        rng.dirichlet(np.full(k, 5.0)),
        separation * rng.standard_normal((k, d)),
        random_covariances(covariance_type, k, d, rng),
        covariance_type,
    )


def _move_gaussian(family: Family, parameters: GaussianParameters, seed: int, t: float) -> Any:
    rng = np.random.default_rng(seed)
    covariances = parameters.covariances
    change = rng.standard_normal(covariances.shape)
    if family.config()["covariance_type"] in ("full", "tied"):
        change = 0.5 * (change + change.swapaxes(-1, -2))
    arrays = {
        "means": parameters.means + t * rng.standard_normal(parameters.means.shape),
        "covariances": covariances + t * change,
    }
    return family.unpack(arrays)


def _gaussian_case(covariance_type: str) -> FamilyCase:
    def estimator(n_components: int = 3, **arguments: Any) -> GaussianMixture:
        return GaussianMixture(n_components, covariance_type=covariance_type, **arguments)

    def like(k: int, separation: float) -> Mixture:
        return random_gaussian(covariance_type, k, separation=separation)

    name = f"gaussian-{covariance_type}"
    return FamilyCase(name, random_gaussian(covariance_type), estimator, _move_gaussian, like)


def random_factors(
    noise: str,
    loadings: str = "own",
    k: int = 3,
    d: int = 4,
    q: int = 1,
    seed: int = 0,
    separation: float = 2.0,
) -> Mixture:
    """A mixture of factor analyzers about one unit wide that overlaps somewhat."""
    rng = np.random.default_rng(seed)
    family = FactorAnalyzer(q, noise, loadings)
    arrays = {
        "means": separation * rng.standard_normal((k, d)),
        "loadings": rng.uniform(0.6, 1.4, size=(k, d, q)) * rng.choice([-1.0, 1.0], size=(k, d, q)),
        "noise_variance": np.asarray(rng.uniform(0.2, 0.6, size=family.structure.shape(k, d))),
    }
    if loadings == "common":
        arrays |= {
            "offset": rng.standard_normal(d),
            "basis": np.linalg.qr(rng.standard_normal((d, q)))[0],
            "factor_means": separation * np.sqrt(d / max(q, 1)) * rng.standard_normal((k, q)),
            "factor_roots": 0.4 * rng.standard_normal((k, q, q)) + 1.6 * np.eye(q),
        }
    log_weights = np.log(rng.dirichlet(np.full(k, 5.0)))
    return Mixture(family, log_weights, family.unpack(arrays))


def _move_factors(family: Family, parameters: FactorParameters, seed: int, t: float) -> Any:
    rng = np.random.default_rng(seed)
    moved = {}
    for name, array in family.pack(parameters).items():
        step = t * rng.standard_normal(array.shape)
        moved[name] = array * np.exp(step) if name == "noise_variance" else array + step
    return family.unpack(moved)


def _factor_case(noise: str, loadings: str = "own", d: int = 4, q: int = 1) -> FamilyCase:
    def estimator(n_components: int = 3, **arguments: Any) -> Any:
        from emplus import FactorAnalyzerMixture

        return FactorAnalyzerMixture(
            n_components, n_factors=q, noise=noise, loadings=loadings, **arguments
        )

    def like(k: int, separation: float) -> Mixture:
        return random_factors(noise, loadings, k, d, q, separation=separation)

    return FamilyCase(
        f"factors-{noise if loadings == 'own' else loadings}",
        random_factors(noise, loadings, d=d, q=q),
        estimator,
        _move_factors,
        like,
        exact=False,
        least_columns=q,
        telling_rows=600,
    )


def _bernoulli_case() -> FamilyCase:
    def estimator(n_components: int = 3, **arguments: Any) -> Any:
        from emplus import BernoulliMixture

        return BernoulliMixture(n_components, **arguments)

    def like(k: int, separation: float) -> Mixture:
        return random_bernoulli(k, separation=separation)

    return FamilyCase("bernoulli", random_bernoulli(), estimator, move_probabilities, like)


def _categorical_case(name: str, levels: tuple[int, ...], telling_rows: int) -> FamilyCase:
    def estimator(n_components: int = 3, **arguments: Any) -> Any:
        from emplus import CategoricalMixture

        return CategoricalMixture(n_components, **arguments)

    def like(k: int, separation: float) -> Mixture:
        return random_categorical(levels, k, separation=separation)

    mixture = random_categorical(levels, separation=1.0)
    return FamilyCase(name, mixture, estimator, move_probabilities, like, telling_rows=telling_rows)


def _poisson_case() -> FamilyCase:
    """The family of the page on how to add one."""

    def estimator(n_components: int = 3, **arguments: Any) -> Any:
        from emplus import FamilyMixture

        return FamilyMixture(n_components, family="poisson", **arguments)

    def like(k: int, separation: float) -> Mixture:
        return random_poisson(k, separation=separation)

    return FamilyCase("poisson", random_poisson(), estimator, move_rates, like)


_MOVES: Mapping[str, Callable[..., Any]] = {
    "gaussian": _move_gaussian,
    "factor-analyzer": _move_factors,
    "bernoulli": move_probabilities,
    "categorical": move_probabilities,
}


def _move_product(family: Family, parameters: ProductParameters, seed: int, t: float) -> Any:
    moved = [
        _MOVES[part.name](part, own, seed + number, t)
        for number, ((part, _), own) in enumerate(zip(family.parts, parameters.parts, strict=True))
    ]
    return ProductParameters(tuple(moved))


# Continuous columns of a product between those of zeros and ones and those of categories.
_CONTINUOUS, _BINARY, _CATEGORIES = (0, 3, 5), (1, 4), (2, 6)


def _product_case(
    name: str, make_part: Callable[[int, float], Mixture], **continuous: Any
) -> FamilyCase:
    def mixed(k: int, separation: float) -> Mixture:
        parts = (
            make_part(k, separation),
            random_bernoulli(k, 2, separation=separation),
            random_categorical((3, 4), k, separation=0.5 * separation),
        )
        return random_product(parts, (_CONTINUOUS, _BINARY, _CATEGORIES))

    def estimator(n_components: int = 3, **arguments: Any) -> Any:
        from emplus import MixedMixture

        kinds: dict[str, Any] = {"binary": _BINARY, "categorical": _CATEGORIES}
        return MixedMixture(n_components, **continuous, **kinds, **arguments)

    exact = "n_factors" not in continuous
    return FamilyCase(
        f"product-{name}",
        mixed(3, 2.0),
        estimator,
        _move_product,
        mixed,
        exact=exact,
        telling_rows=120 if exact else 600,
    )


_SEARCHED = (
    "gaussian-full",
    "gaussian-tied",
    "factors-diag",
    "factors-common",
    "bernoulli",
    "categorical",
)
FACTOR_CASES = [
    _factor_case("diag"),
    _factor_case("shared"),
    _factor_case("isotropic"),
    # In two columns, two common factors can tell six clusters on a grid apart.
    _factor_case("diag", "common", d=6, q=2),
]
GAUSSIAN_CASES = [_gaussian_case(name) for name in COVARIANCE_TYPES]
DISCRETE_CASES = [
    _bernoulli_case(),
    _categorical_case("categorical", (2, 3, 5, 4, 6, 3), telling_rows=60),
    # So many levels that they are looked up.
    _categorical_case("categorical-many", (20, 13), telling_rows=2000),
]
PRODUCT_CASES = [
    _product_case("full", lambda k, s: random_gaussian("full", k, 3, separation=s)),
    # Of this one all components share a part.
    _product_case(
        "tied", lambda k, s: random_gaussian("tied", k, 3, separation=s), covariance_type="tied"
    ),
    _product_case(
        "factors", lambda k, s: random_factors("diag", k=k, d=3, separation=s), n_factors=1
    ),
]
OUTSIDE_CASES = [_poisson_case()]
CONTINUOUS_CASES = [*GAUSSIAN_CASES, *FACTOR_CASES]
FAMILY_CASES = [*CONTINUOUS_CASES, *DISCRETE_CASES, *PRODUCT_CASES, *OUTSIDE_CASES]

# Searches see of a family what it holds and how its M step goes; these differ in that.
SEARCHED_CASES = [case for case in FAMILY_CASES if case.id in _SEARCHED]
SEARCHED_CONTINUOUS_CASES = [case for case in SEARCHED_CASES if case.real.all()]

STRUCTURES = [(noise, loadings) for loadings in LOADINGS for noise in NOISES]

every_structure = pytest.mark.parametrize(("noise", "loadings"), STRUCTURES)
every_family = pytest.mark.parametrize("case", FAMILY_CASES, ids=lambda case: case.id)
every_continuous_family = pytest.mark.parametrize(
    "case", CONTINUOUS_CASES, ids=lambda case: case.id
)
every_searched_family = pytest.mark.parametrize("case", SEARCHED_CASES, ids=lambda case: case.id)
every_searched_continuous_family = pytest.mark.parametrize(
    "case", SEARCHED_CONTINUOUS_CASES, ids=lambda case: case.id
)
every_covariance = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_source = pytest.mark.parametrize("make_source", SOURCES.values(), ids=list(SOURCES))
every_search = pytest.mark.parametrize("search_name", SEARCH_NAMES)


def gaussian_family(covariance_type: str) -> Family:
    return make_family("gaussian", covariance_type=covariance_type)


@contextmanager
def tolerated() -> Iterator[None]:
    """Let warnings about the data and about the iterations pass; no others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmplusWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
