"""Products: other families on other columns, independent given the component."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from emplus.errors import ArgumentError
from emplus.families.base import Array, Coordinates, Family, Kernel
from emplus.families.product_coordinates import ProductCoordinates, ProductParameters
from emplus.families.product_kernel import ProductKernel, ProductStatistics, log_densities
from emplus.numerics.moments import Moments

__all__ = ["Product", "ProductParameters"]


@final
@dataclass(frozen=True)
class Product:
    r"""Other families on other columns, independent of each other given the component.

    .. math:: p(x \mid j) = \prod_b p_b(x_b \mid j)

    Equation :eq:`product` of the theory page.

    Parameters
    ----------
    families : tuple of Family
        One for each group of columns.
    columns : tuple of tuple of int
        The columns of each group; every column 0 .. d - 1 once.

    Raises
    ------
    ArgumentError
        If the groups do not hold every column once.

    Notes
    -----
    A pass costs what the parts cost together.

    Examples
    --------
    >>> from emplus.families.bernoulli import Bernoulli
    >>> from emplus.families.gaussian import Gaussian
    >>> Product((Gaussian(), Bernoulli()), ((0, 2), (1,))).n_free_parameters(2, 3)
    12
    """

    families: tuple[Family, ...]
    columns: tuple[tuple[int, ...], ...]
    # Parts with what their components share, while only some of them are fitted.
    held: tuple[Family, ...] | None = field(default=None, compare=False, repr=False)

    name: ClassVar[str] = "product"

    def __post_init__(self) -> None:
        object.__setattr__(self, "families", tuple(self.families))
        groups = tuple(tuple(int(column) for column in group) for group in self.columns)
        object.__setattr__(self, "columns", groups)
        listed = [column for group in groups for column in group]
        if len(groups) != len(self.families) or not all(groups):
            raise ArgumentError("Every family of a product needs columns of its own.")
        if sorted(listed) != list(range(len(listed))):
            raise ArgumentError(f"A product's columns must be 0 .. d - 1, each once: {groups}.")

    @cached_property
    def parts(self) -> tuple[tuple[Family, NDArray[np.intp]], ...]:
        """The families and their columns."""
        families = self.families if self.held is None else self.held
        return tuple(
            (family, np.asarray(columns, dtype=np.intp))
            for family, columns in zip(families, self.columns, strict=True)
        )

    @cached_property
    def _width(self) -> int:
        return sum(map(len, self.columns))

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each column the part that it belongs to, and its place there (d,)."""
        part, inside = np.empty((2, self._width), dtype=np.intp)
        for number, (_, own) in enumerate(self.parts):
            part[own], inside[own] = number, np.arange(len(own))
        return part, inside

    @property
    def needs_full_scatter(self) -> bool:
        """Whether a part does."""
        return any(family.needs_full_scatter for family in self.families)

    @property
    def pools(self) -> bool:
        """Whether all parts do."""
        return all(family.pools for family in self.families)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Number of categories of each column, 0 where it has none."""
        levels = [0] * self._width
        for family, columns in self.parts:
            for column, number in zip(columns, family.levels, strict=False):
                levels[column] = number
        return tuple(levels) if any(levels) else ()

    def config(self) -> dict[str, Any]:
        """Name, config and columns of each part."""
        pairs = zip(self.families, self.columns, strict=True)
        return {"parts": [[one.name, one.config(), list(columns)] for one, columns in pairs]}

    def _each(self, function: Callable[..., Any], *arguments: Sequence[Any]) -> tuple[Any, ...]:
        """``function`` of each family, its columns, and its share of the arguments."""
        return tuple(
            function(family, columns, *own)
            for (family, columns), *own in zip(self.parts, *arguments, strict=True)
        )

    def moments(self, moments: Moments) -> tuple[Moments, ...]:
        """The moments of each part's columns."""
        return tuple(moments.columns(columns, self.levels) for _, columns in self.parts)

    def kernel(
        self,
        parameters: ProductParameters,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """The kernels of the parts side by side; the first one holds the weights."""
        kernels: list[Kernel] = []
        for (family, _), own, part in zip(
            self.parts, parameters.parts, self.moments(moments), strict=True
        ):
            weights = np.zeros_like(log_weights) if kernels else log_weights
            kernels.append(family.kernel(own, weights, part, dtype, scoring=scoring))
        return ProductKernel(tuple(kernels), tuple(columns for _, columns in self.parts))

    def maximize(self, statistics: ProductStatistics, prior: Any) -> ProductParameters:
        """The M step of each part."""
        return ProductParameters(
            self._each(lambda one, _, own, pr: one.maximize(own, pr), statistics.parts, prior)
        )

    def implied(
        self, parameters: ProductParameters, weight: Array, prior: Any
    ) -> ProductStatistics:
        """Those of each part."""
        return ProductStatistics(
            self._each(
                lambda one, _, own, pr: one.implied(own, weight, pr), parameters.parts, prior
            )
        )

    def estimate(self, X: Array, resp: Array, prior: Any) -> ProductParameters:
        """First parameters of each part."""
        return ProductParameters(
            self._each(lambda one, columns, own: one.estimate(X[:, columns], resp, own), prior)
        )

    def hold(self, parameters: ProductParameters) -> Product:
        """The product with what the parts share held as it is; itself if they share nothing."""
        held = self._each(lambda one, _, own: one.hold(own), parameters.parts)
        pairs = zip(held, self.parts, strict=True)
        return self if all(one is part for one, (part, _) in pairs) else replace(self, held=held)

    def default_prior(self, moments: Moments, strength: Any, spread: Array | None = None) -> Any:
        """The priors of the parts; ``strength`` may be one number or one for each."""
        strengths = strength if isinstance(strength, tuple) else (strength,) * len(self.parts)
        return self._each(
            lambda one, columns, own, number: one.default_prior(
                own, number, None if spread is None else spread[columns]
            ),
            self.moments(moments),
            strengths,
        )

    def log_prior(self, parameters: ProductParameters, prior: Any) -> Array:
        """The sum of the parts' for each component (k,); what they share, shared out evenly."""
        values = self._each(lambda one, _, own, pr: one.log_prior(own, pr), parameters.parts, prior)
        k = max(map(len, values))
        whole = np.zeros(k)
        for value in values:
            whole += value if len(value) == k else value / k
        return whole

    def coordinates(
        self, parameters: ProductParameters, moments: Moments, prior: Any
    ) -> Coordinates:
        """The parts' coordinates, one after the other."""
        parts = self._each(
            lambda one, _, own, mine, pr: one.coordinates(own, mine, pr),
            parameters.parts,
            self.moments(moments),
            prior,
        )
        return ProductCoordinates(parts, parameters)

    def average(self, parameters: ProductParameters, weights: Array) -> ProductParameters:
        """The parts' averages, as one component."""
        return ProductParameters(
            self._each(lambda one, _, own: one.average(own, weights), parameters.parts)
        )

    def perturb(
        self, parameters: ProductParameters, scale: float, rng: np.random.Generator
    ) -> ProductParameters:
        """Every part's components made round and moved."""
        return ProductParameters(
            self._each(lambda one, _, own: one.perturb(own, scale, rng), parameters.parts)
        )

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """The sum of the parts'."""
        return sum(family.n_free_parameters(n_components, len(own)) for family, own in self.parts)

    def _placed(self, arrays: Sequence[Array]) -> Array:
        """Arrays (m, columns of a part) put together as (m, d)."""
        placed: Array = np.empty((len(arrays[0]), self._width), dtype=np.result_type(*arrays))
        for (_, columns), array in zip(self.parts, arrays, strict=True):
            placed[:, columns] = array
        return placed

    def sample(
        self, parameters: ProductParameters, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """One row for each label (n, d)."""
        return self._placed(
            self._each(lambda one, _, own: one.sample(own, labels, rng), parameters.parts)
        )

    def features(self, X: Array, moments: Moments) -> Array:
        """The parts' coordinates side by side; every column has a variance of 1 in all."""
        points = self._each(
            lambda one, columns, own: one.features(X[:, columns], own), self.moments(moments)
        )
        return np.concatenate(points, axis=1)

    def n_features(self, parameters: ProductParameters) -> int:
        """Number of columns."""
        return self._width

    def means(self, parameters: ProductParameters) -> Array:
        """What each column is expected to be (k, d); NaN for categories."""
        return self._placed(self._each(lambda one, _, own: one.means(own), parameters.parts))

    def probabilities(self, parameters: ProductParameters) -> tuple[Array | None, ...]:
        """For each column the probabilities (k, L) of its values; None where it has no list."""
        placed: list[Array | None] = [None] * self._width
        for (family, columns), own in zip(self.parts, parameters.parts, strict=True):
            for column, theta in zip(columns, family.probabilities(own), strict=True):
                placed[column] = theta
        return tuple(placed)

    def variances(self, parameters: ProductParameters) -> Array:
        """Variance of each column under each component (k, d)."""
        return self._placed(self._each(lambda one, _, own: one.variances(own), parameters.parts))

    def continuous(self, parameters: ProductParameters) -> NDArray[np.bool_]:
        """Which columns have a density (d,)."""
        rows = self._each(lambda one, _, own: one.continuous(own)[None], parameters.parts)
        continuous: NDArray[np.bool_] = self._placed(rows)[0].astype(bool)
        return continuous

    def _seen(self, columns: NDArray[np.integer]) -> list[tuple[NDArray[np.intp], Any]]:
        """For each part: places in ``columns`` of those that are its own, and which of its own."""
        part, inside = (of_all[columns] for of_all in self._places)
        seen = [np.flatnonzero(part == number) for number in range(len(self.parts))]
        return [(places, inside[places]) for places in seen]

    def marginal(
        self, parameters: ProductParameters, columns: NDArray[np.integer]
    ) -> tuple[Product, ProductParameters]:
        """The parts' marginals; parts without a column are left out."""
        families, groups, parts = [], [], []
        for (family, _), own, (places, inside) in zip(
            self.parts, parameters.parts, self._seen(columns), strict=True
        ):
            if len(places):
                seen, part = family.marginal(own, inside)
                families.append(seen)
                groups.append(tuple(places))
                parts.append(part)
        return Product(tuple(families), tuple(groups)), ProductParameters(tuple(parts))

    def condition(
        self, parameters: ProductParameters, columns: NDArray[np.integer], values: Array
    ) -> tuple[Product, ProductParameters, Array]:
        """Every part given its own columns; the parts hear of each other by the weights only."""
        rest = np.setdiff1d(np.arange(self._width), columns)
        position = {int(column): place for place, column in enumerate(rest)}
        families, groups, parts = [], [], []
        log_density: Array = np.zeros(1)
        for (family, own), mine, (places, inside) in zip(
            self.parts, parameters.parts, self._seen(columns), strict=True
        ):
            left = [position[int(column)] for column in own if int(column) in position]
            given, part = family, mine
            if len(places) and left:
                given, part, density = family.condition(mine, inside, values[places])
                log_density = log_density + density
            elif len(places):
                ordered = np.empty(len(own))
                ordered[inside] = values[places]
                log_density = log_density + log_densities(family, mine, ordered)
            if left:
                families.append(given)
                groups.append(tuple(left))
                parts.append(part)
        return Product(tuple(families), tuple(groups)), ProductParameters(tuple(parts)), log_density

    def impute(self, parameters: ProductParameters, X: Array, resp: Array) -> Array:
        """Missing entries filled by each part."""
        return self._placed(
            self._each(
                lambda one, columns, own: one.impute(own, X[:, columns], resp), parameters.parts
            )
        )

    def sample_missing(
        self,
        parameters: ProductParameters,
        X: Array,
        labels: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> Array:
        """Missing entries drawn by each part from the component of each row."""
        return self._placed(
            self._each(
                lambda one, columns, own: one.sample_missing(own, X[:, columns], labels, rng),
                parameters.parts,
            )
        )

    def map_columns(
        self, parameters: ProductParameters, scale: Array, shift: Array
    ) -> tuple[Product, ProductParameters]:
        """The parts of the columns ``scale * x + shift``."""
        mapped = self._each(
            lambda one, columns, own: one.map_columns(own, scale[columns], shift[columns]),
            parameters.parts,
        )
        families, parts = zip(*mapped, strict=True)
        return Product(families, self.columns), ProductParameters(parts)

    def pack(self, parameters: ProductParameters) -> dict[str, Array]:
        """The parts' arrays, each named after its part: ``0.means``, ``1.probabilities``, ..."""
        packed = self._each(lambda one, _, own: one.pack(own), parameters.parts)
        return {
            f"{number}.{name}": array
            for number, arrays in enumerate(packed)
            for name, array in arrays.items()
        }

    def unpack(self, arrays: Mapping[str, Array]) -> ProductParameters:
        """Parameters from ``pack``'s arrays; ValueError says what does not fit."""
        parts = []
        for number, (family, columns) in enumerate(self.parts):
            start = f"{number}."
            own = {
                name.removeprefix(start): array
                for name, array in arrays.items()
                if name.startswith(start)
            }
            part = family.unpack(own)
            if family.n_features(part) != len(columns):
                raise ValueError(
                    f"part {number} has {family.n_features(part)} columns, not {len(columns)}"
                )
            parts.append(part)
        return ProductParameters(tuple(parts))
