"""Tables of numbers, truth values and categories, drawn from mixtures whose truth is known."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emplus.datasets.arguments import Seed, checked_count, generator
from emplus.datasets.generators import make_mixture
from emplus.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from emplus.mixture import Mixture

__all__ = ["GeneratedTable", "make_mixed_table"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GeneratedTable:
    """A table, the mixture that it was drawn from, and what it was before entries were deleted.

    Parameters
    ----------
    table : DataFrame (n, d)
        Columns ``x0``, ``x1``, ... of floats, ``b0``, ... of truth values (pandas' own, which may
        be NA) and ``c0``, ... of text.
    complete : DataFrame (n, d)
        The same with nothing missing.
    codes : (n, d) ndarray
        ``complete`` as the mixture sees it: truth values as 0 and 1, text as 0, 1, 2, ...
    y : (n,) ndarray of int
        The component that each row was drawn from.
    mixture : Mixture
        The truth.
    """

    table: pd.DataFrame
    complete: pd.DataFrame
    codes: Floats
    y: NDArray[np.intp]
    mixture: Mixture


def make_mixed_table(
    n: int = 1000,
    *,
    k: int = 3,
    continuous: int = 3,
    binary: int = 4,
    categorical: int = 2,
    levels: int = 4,
    separation: float = 4.0,
    contrast: float = 0.5,
    missing: float = 0.1,
    seed: Seed = None,
) -> GeneratedTable:
    """Draw a table whose columns are of several kinds, with holes.

    The components have equal weights. Their continuous columns are those of
    ``make_mixture("separated")``. In every other column each component prefers a value, which it
    has with probability ``contrast + (1 - contrast) / L``, and each of the other L - 1 with
    ``(1 - contrast) / L``; L is 2 in binary columns. The values are preferred by as equal numbers
    of components as can be, at random.

    Parameters
    ----------
    n, k : int
        Numbers of rows and of components.
    continuous, binary, categorical : int
        Numbers of columns of each kind; continuous at least 1.
    levels : int
        Categories of a categorical column, at least 2.
    separation : float
        The least distance of two components in the continuous columns, in standard deviations.
    contrast : float
        From 0, where the other columns tell nothing, to below 1.
    missing : float
        Chance of each entry to be missing, at least 0 and below 1, whatever it holds.
    seed : int, Generator, SeedSequence or None

    Returns
    -------
    GeneratedTable

    Raises
    ------
    ArgumentError
        If an argument cannot be used.

    Examples
    --------
    >>> drawn = make_mixed_table(200, binary=1, categorical=1, seed=0)
    >>> drawn.table.columns.tolist(), sorted(drawn.table["c0"].dropna().unique())
    (['x0', 'x1', 'x2', 'b0', 'c0'], ['v0', 'v1', 'v2', 'v3'])
    >>> round(float((drawn.mixture.predict(drawn.codes) == drawn.y).mean()), 2)
    0.99
    """
    columns = _whole("binary", binary, 0) * [2]
    columns += _whole("categorical", categorical, 0) * [_whole("levels", levels, 2)]
    contrast, missing = _share("contrast", contrast), _share("missing", missing)
    rng = generator(seed)
    drawn = make_mixture(
        "separated",
        n,
        d=checked_count("continuous", continuous),
        k=checked_count("k", k),
        separation=separation,
        seed=rng,
    )
    probabilities = [_preferring(k, number, contrast, rng) for number in columns]
    codes = [drawn.X] + [_draw(own[drawn.y], rng)[:, None] for own in probabilities]
    complete = np.concatenate(codes, axis=1)
    holed = np.where(rng.random(complete.shape) < missing, np.nan, complete)
    mixture = _product(drawn.mixture, probabilities[:binary], probabilities[binary:])
    kinds = "x" * continuous + "b" * binary + "c" * categorical
    return GeneratedTable(
        _frame(holed, kinds, levels), _frame(complete, kinds, levels), complete, drawn.y, mixture
    )


def _whole(name: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < least or isinstance(value, bool):
        raise ArgumentError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return number


def _share(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number < 1.0:
        raise ArgumentError(f"{name} must be at least 0 and below 1, not {value!r}.")
    return number


def _preferring(k: int, levels: int, contrast: float, rng: np.random.Generator) -> Floats:
    """Probabilities (k, levels) of a column, each component with a value that it prefers."""
    probabilities = np.full((k, levels), (1.0 - contrast) / levels)
    probabilities[np.arange(k), rng.permutation(np.arange(k) % levels)] += contrast
    return probabilities


def _draw(probabilities: Floats, rng: np.random.Generator) -> Floats:
    """One code a row (n,), from probabilities (n, levels)."""
    upper = np.cumsum(probabilities, axis=1)[:, :-1]
    codes: Floats = (rng.random(len(upper))[:, None] >= upper).sum(axis=1).astype(np.float64)
    return codes


def _product(gaussian: Mixture, binary: list[Floats], categorical: list[Floats]) -> Mixture:
    from emplus.families.bernoulli import Bernoulli
    from emplus.families.categorical import Categorical
    from emplus.families.discrete import Probabilities
    from emplus.families.product import Product, ProductParameters
    from emplus.mixture import Mixture

    families, parts = [gaussian.family], [gaussian.parameters]
    if binary:
        families.append(Bernoulli())
        parts.append(Probabilities(np.stack([own[:, 1] for own in binary], axis=1)))
    if categorical:
        families.append(Categorical(tuple(own.shape[1] for own in categorical)))
        parts.append(Probabilities(np.concatenate(categorical, axis=1)))
    widths = (gaussian.n_features, len(binary), len(categorical))
    ends = np.cumsum(widths)
    groups = [
        tuple(range(end - width, end)) for end, width in zip(ends, widths, strict=True) if width
    ]
    product = Product(tuple(families), tuple(groups))
    return Mixture(product, gaussian.log_weights, ProductParameters(tuple(parts)))


def _frame(codes: Floats, kinds: str, levels: int) -> pd.DataFrame:
    import pandas as pd

    width = len(str(levels - 1))
    # The last one stands for a missing entry.
    words = np.array([*(f"v{code:0{width}d}" for code in range(levels)), None], dtype=object)
    columns: dict[str, Any] = {}
    for place, kind in enumerate(kinds):
        values, name = codes[:, place], f"{kind}{place - kinds.index(kind)}"
        missing = np.isnan(values)
        known = np.where(missing, 0, values).astype(np.intp)
        if kind == "x":
            columns[name] = values
        elif kind == "b":
            columns[name] = pd.arrays.BooleanArray(known == 1, missing)
        else:
            columns[name] = words[np.where(missing, levels, known)]
    return pd.DataFrame(columns)
