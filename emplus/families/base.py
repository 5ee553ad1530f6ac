"""The contract between a family of component densities and everything that uses it.

A family is a value made of pure functions over ``k`` components at a time. It knows no loop, no
mixing weights and no data source. What one pass over the rows needs is worked out once, in a
`Kernel`; the sums that a pass leaves are `Statistics`, values that add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from emplus.numerics.moments import Moments

__all__ = [
    "EMPTY",
    "NOWHERE",
    "Array",
    "Coordinates",
    "Counting",
    "Family",
    "Kernel",
    "Parameters",
    "Restricted",
    "SingularComponentError",
    "Statistics",
    "counts_only",
    "first_refused",
    "side_by_side",
]

Array = NDArray[np.floating[Any]]

# A component with no more than this share of the weight has lost all its rows: an underflowed
# responsibility is not exactly zero.
EMPTY = 1e-30

# The log density of what cannot be: far below any other, and finite in float32 too. Minus infinity
# would meet zeros inside matrix products.
NOWHERE = -1e30


class SingularComponentError(ArithmeticError):
    """The maximum does not exist: component ``component`` has collapsed (and no prior holds it)."""

    def __init__(self, component: int, reason: str):
        super().__init__(f"component {component}: {reason}")
        self.component = component
        self.reason = reason

    def __reduce__(self) -> Any:
        return type(self), (self.component, self.reason)


class Parameters(Protocol):
    """Parameters of ``k`` components: frozen, with a leading component axis where it can be."""

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> Self:
        """The parameters of some of the components, in the given order."""

    def put(self, components: Sequence[int] | NDArray[np.integer], others: Self) -> Self:
        """These parameters with some of the components replaced; what all share stays."""


class Statistics(Protocol):
    """Expected sufficient statistics of ``k`` components, summed over rows; values that add.

    For exponential families equation :eq:`statistics` of the theory page.
    """

    @property
    def weight(self) -> Array:
        """Sum of responsibilities times row weights of each component (k,)."""

    def __add__(self, other: Self) -> Self:
        """Statistics of the rows of both."""

    def scaled(self, factor: float) -> Self:
        """Statistics as of ``factor`` times as many rows."""

    def take(self, components: Sequence[int] | NDArray[np.integer]) -> Self:
        """The statistics of some of the components."""


class Kernel(Protocol):
    """One pass over the rows under fixed parameters, block by block.

    ``encode`` is called on each block first; what it returns goes to the others and is then
    dropped. They may run in several threads at once, and what they return for a block is valid
    until the same thread encodes another.
    """

    @property
    def width(self) -> int:
        """Numbers held for each row while its block is worked on: it sets the block's length."""

    @property
    def n_sums(self) -> int:
        """How many arrays ``sums`` gives."""

    @property
    def loss(self) -> float:
        """About how many nats of one log density rounding may cost."""

    def encode(self, X: Array) -> Any:
        """What ``log_joint`` and ``sums`` share about a block of rows X (b, d)."""

    def log_joint(self, rows: Any) -> Array:
        """Joint log densities log w_j + log p(x_i | j), up to ``common`` (b, k), free to overwrite.

        Terms equal for all components of a row may be left out when the whole of them is known
        without looking at the rows; ``log_common`` gives that whole.
        """

    def common(self, rows: Any) -> Array | float:
        """What ``log_joint`` left out of each row (b,); 0.0 where it leaves out nothing."""

    @property
    def log_common(self) -> float:
        """The weighted sum of ``common`` over all rows of the data the kernel was made for."""

    def sums(self, rows: Any, resp: Array) -> tuple[Array, ...]:
        """Arrays that add over blocks, for responsibilities times row weights (b, k)."""

    def statistics(self, sums: tuple[Array, ...]) -> Statistics:
        """The sums of all blocks, read as statistics."""

    def take(self, components: slice | NDArray[np.integer]) -> Kernel:
        """The same pass for some of the components; a component may be taken twice."""

    def join(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Sums of several groups of components, side by side, as if of one kernel."""


class Coordinates(Protocol):
    """One vector (p,) for the parameters of all components; any vector is a point of the space.

    Coordinates do not depend on the units of a column or on where the data lie. Where several
    vectors stand for the same density (factors may be turned), ``free`` gives the one nearest to
    another, so that steps between iterates mean something.
    """

    def free(self, parameters: Any, near: Array | None = None) -> Array:
        """The coordinates (p,) of parameters, as near as they can be to a vector ``near``."""

    def bind(self, vector: Array) -> Any:
        """The parameters of a vector.

        Raises
        ------
        SingularComponentError
            If numbers overflow there.
        """

    def gradient(self, vector: Array, parameters: Any, statistics: Any) -> Array:
        """The gradient (p,) at ``vector`` of log-likelihood plus log prior.

        By Fisher's identity it is that of the expected complete log-likelihood, so the statistics
        of one pass under ``parameters``, what ``vector`` stands for, are all it takes.
        """


@runtime_checkable
class Family(Protocol):
    """What a component is. See the module's page in the documentation for a worked example."""

    @property
    def name(self) -> str:
        """The name in `emplus.families.registry`."""

    @property
    def needs_full_scatter(self) -> bool:
        """Whether the moments given to ``kernel`` must hold the scatter of all column pairs."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of categories of each column, 0 where it has none; empty where no column has."""

    @property
    def pools(self) -> bool:
        """Whether statistics expected under different parameters add."""

    @property
    def parts(self) -> tuple[tuple[Family, NDArray[np.intp]], ...]:
        """The families that the columns are split among, with theirs; empty for one family."""

    def config(self) -> dict[str, Any]:
        """Keyword arguments that make this family again, fit for JSON."""

    def kernel(
        self,
        parameters: Any,
        log_weights: Array,
        moments: Moments,
        dtype: Any,
        *,
        scoring: bool = False,
    ) -> Kernel:
        """What a pass over rows with these moments needs.

        With ``scoring`` each row's own value must not depend on the rows beside it.
        """

    def maximize(self, statistics: Any, prior: Any) -> Any:
        """The M step: parameters that maximize the expected log-likelihood plus ``log_prior``.

        Where components have unobserved variables of their own it may raise that only, and then
        ends, repeated with the same responsibilities, at the maximum.

        Raises
        ------
        SingularComponentError
            If there is no maximum, which a proper prior rules out.
        """

    def implied(self, parameters: Any, weight: Array, prior: Any) -> Any:
        """Statistics of ``weight`` (k,) rows from which the M step gives these parameters.

        What is remembered of earlier rows where they are no longer at hand.
        """

    def estimate(self, X: Array, resp: Array, prior: Any) -> Any:
        """First parameters from responsibilities (n, k) alone, hard or soft."""

    def hold(self, parameters: Any) -> Family:
        """The family with what all components share held as it is; itself if nothing is shared.

        Some components can then be fitted while the others stay as they are.
        """

    def default_prior(self, moments: Moments, strength: Any, spread: Array | None = None) -> Any:
        """The prior of ``strength`` phantom rows; 0 is none.

        A number; where a family has parts also one for each.

        ``spread`` (d,) is the variance of each column within a typical component, where known.
        """

    def log_prior(self, parameters: Any, prior: Any) -> Array:
        """Log prior density of each component's parameters (k,), up to a constant.

        One value (1,) where all components share them.
        """

    def coordinates(self, parameters: Any, moments: Moments, prior: Any) -> Coordinates:
        """Coordinates without constraints for parameters of the shape of these."""

    def average(self, parameters: Any, weights: Array) -> Any:
        """One component whose parameters are the weighted average of these (Ueda et al. 2000)."""

    def perturb(self, parameters: Any, scale: float, rng: np.random.Generator) -> Any:
        """The components made round and moved by a random step, ``scale`` times their size.

        How equations (11) and (12) of Ueda et al. (2000) set the two copies of a component apart.
        """

    def n_free_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free parameters of the components, mixing weights not counted."""

    def sample(self, parameters: Any, labels: NDArray[np.integer], rng: np.random.Generator) -> Any:
        """One row for each label (n, d)."""

    def features(self, X: Any, moments: Moments) -> Array:
        """Coordinates (n, d') in which rows are compared and a component's may be cut in two.

        Distances in them do not depend on the units of a column; what is missing is at the mean.
        """

    def n_features(self, parameters: Any) -> int:
        """Number of columns the parameters speak of."""

    def means(self, parameters: Any) -> Array:
        """What each column is expected to be under each component (k, d); NaN for categories."""

    def variances(self, parameters: Any) -> Array:
        """Variance of each column under each component (k, d)."""

    def probabilities(self, parameters: Any) -> tuple[Array | None, ...]:
        """For each column the probabilities (k, L) of its L values; None where it has no list."""

    def marginal(self, parameters: Any, columns: NDArray[np.integer]) -> tuple[Family, Any]:
        """The family and parameters of some of the columns."""

    def condition(
        self, parameters: Any, columns: NDArray[np.integer], values: Array
    ) -> tuple[Family, Any, Array]:
        """The family and parameters of the other columns, and each log p(values | j) (k,)."""

    def continuous(self, parameters: Any) -> NDArray[np.bool_]:
        """Which columns have a density rather than probabilities (d,)."""

    def impute(self, parameters: Any, X: Array, resp: Array) -> Array:
        """Rows (n, d) with what is missing filled: by its mean, or the likeliest value.

        ``resp`` (n, k) are the responsibilities given what is there.
        """

    def sample_missing(
        self, parameters: Any, X: Array, labels: NDArray[np.integer], rng: np.random.Generator
    ) -> Array:
        """Rows (n, d) with what is missing drawn, given what is there and the component."""

    def map_columns(self, parameters: Any, scale: Array, shift: Array) -> tuple[Family, Any]:
        """The family and parameters of the columns ``scale * x + shift``."""

    def pack(self, parameters: Any) -> dict[str, Array]:
        """Named arrays that hold the parameters."""

    def unpack(self, arrays: Mapping[str, Array]) -> Any:
        """Parameters from ``pack``'s arrays; ValueError with a sentence where they do not fit."""


@runtime_checkable
class Restricted(Protocol):
    """A family whose columns cannot hold any number."""

    values: ClassVar[str]
    """What they can hold, in words."""

    def holds(self, X: Any) -> NDArray[np.bool_]:
        """Which entries, of those that are finite, a column may hold."""


def first_refused(family: Family, X: Any) -> tuple[int, int, str] | None:
    """Row and column of the first entry that a column cannot hold, and what it can; O(n d).

    Missing entries (NaN) are none of them.
    """
    if family.parts:
        for part, columns in family.parts:
            if (found := first_refused(part, X[:, columns])) is not None:
                return found[0], int(columns[found[1]]), found[2]
        return None
    if not isinstance(family, Restricted) or X.dtype == np.bool_:
        return None
    refused = ~family.holds(X) & (X == X)
    if not refused.any():
        return None
    row, column = np.argwhere(refused)[0]
    return int(row), int(column), family.values


def side_by_side(parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Sums of several groups of components, each with a leading component axis, as of one."""
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def counts_only(family: Family) -> bool:
    """Whether the components, or those of every part, are fitted from counts alone."""
    if family.parts:
        return all(counts_only(part) for part, _ in family.parts)
    return isinstance(family, Counting)


@runtime_checkable
class Counting(Family, Protocol):
    """A family whose components are fitted from counts alone."""

    def leave_one_out(self, statistics: Any, prior: Any) -> float:
        """What the rows would score with each left out of the counts that foretell it."""
