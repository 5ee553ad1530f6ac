"""What estimators check of their arguments and rows, in sentences that name the place."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import ArgumentError, DataError, UnknownNameError
from emplus.families.covariance import Covariance
from emplus.numerics.moments import Moments
from emplus.numerics.room import physical_memory
from emplus.numerics.sparse import is_sparse

__all__ = [
    "check_columns",
    "check_entries",
    "check_labels",
    "check_number",
    "check_positive_int",
    "check_range",
    "check_sample_weight",
    "check_spread",
    "column_name",
    "given_array",
    "make_rng",
    "pseudo_rows",
    "spread_fits",
    "squarable",
    "unless_refused",
    "unmasked",
    "with_room_for",
]

Array = NDArray[np.floating]

# Squares of the rows must neither overflow nor vanish.
_LARGEST, _SMALLEST = {4: 1e15, 8: 1e140}, {4: 1e-15, 8: 1e-140}


@contextmanager
def unless_refused(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was, with the fit before, where what is done to it raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def column_name(column: int, names: Any | None) -> str:
    """How a message names a column: by its own name where it has one."""
    return f"column {column}" if names is None else f"column {str(names[column])!r}"


def unmasked(X: Any) -> Any:
    """An array with NaN where entries are masked, anything else as it is."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    hidden = np.ma.getmaskarray(X)
    if not hidden.any() or X.dtype.names is not None:
        return X.data
    if X.dtype.kind in "fiub":
        values = np.array(X.data, dtype=None if X.dtype.kind == "f" else np.float64)
        values[hidden] = np.nan
        return values
    held = np.array(X.data, dtype=object)
    held[hidden] = None
    return held


def with_room_for(covariance: Covariance, k: int, d: int) -> Covariance:
    """The structure of covariances, refused where no matrices of that size can be in memory."""
    needed, there = 8.0 * math.prod(covariance.shape(k, d)), physical_memory()
    if needed > there:
        raise DataError(
            f"covariance_type={covariance.name!r} needs {needed / 1e9:,.0f} GB for the matrices "
            f"of {d:,} columns, more than the {there / 1e9:,.0f} GB of this machine; use "
            "covariance_type='diag' or FactorAnalyzerMixture."
        )
    return covariance


def check_positive_int(name: str, value: Any) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentError(f"{name}={value!r} is not a whole number; use 1, 2, 3, ...")
    if value < 1:
        raise ArgumentError(f"{name}={value!r} is too small; it must be at least 1.")
    return int(value)


def check_number(name: str, value: Any, *, above_zero: bool = False) -> float:
    """A finite number of at least 0, or above 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ArgumentError(f"{name}={value!r} is not a number.")
    if not np.isfinite(float(value)) or value < 0 or (above_zero and value == 0):
        bound = "above 0" if above_zero else "at least 0"
        raise ArgumentError(f"{name}={value!r} must be finite and {bound}.")
    return float(value)


def check_entries(
    X: Array,
    names: Any | None,
    allow_missing: bool,
    could_allow: bool = True,
    *,
    numbers: NDArray[np.intp] | None = None,
) -> None:
    """Refuse infinity, and NaN where nothing may be missing, naming the first column and row.

    ``could_allow`` is whether there is an argument that would let entries be missing; ``numbers``
    are those of the rows in the data given, where they are some of it.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    bad = np.isinf(X) if allow_missing else ~np.isfinite(X)
    if not bad.any():
        return
    rows, columns = np.nonzero(bad)
    row, column = int(rows[0]), int(columns[0])
    kind = "NaN" if np.isnan(X[row, column]) else "inf (infinity)"
    row = row if numbers is None else int(numbers[row])
    more = "" if kind != "NaN" or not could_allow else "; allow_missing=True takes NaN as missing"
    raise DataError(
        f"Input X contains {kind} in {column_name(column, names)}, row {row} "
        f"({len(rows)} such value{'s' if len(rows) > 1 else ''} in all); "
        f"remove or fill these rows first{more}."
    )


def check_columns(moments: Moments, names: Any | None) -> None:
    """Refuse columns in which nothing is there."""
    empty = np.flatnonzero(~(moments.present > 0))
    if len(empty):
        listed = ", ".join(column_name(int(c), names) for c in empty[:5])
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise DataError(f"Every value is missing in {listed}{more}; leave it out.")


def check_range(moments: Moments, names: Any | None, allow_missing: bool) -> None:
    """Refuse infinity, and missing entries where there may be none, naming the first column."""
    infinite = np.isinf(moments.lower) | np.isinf(moments.upper)
    if infinite.any():
        column = column_name(int(infinite.argmax()), names)
        raise DataError(f"Input X contains inf (infinity) in {column}; remove these rows first.")
    if moments.missing and not allow_missing:
        column = column_name(int((moments.present < moments.weight).argmax()), names)
        raise DataError(
            f"Input X contains NaN in {column}; remove or fill these rows first; "
            "allow_missing=True takes NaN as missing."
        )


def check_labels(labels: Any, n: int, k: int) -> NDArray[np.intp] | None:
    """Known components (n,), -1 where not known; None where none is."""
    if labels is None:
        return None
    given = np.asarray(np.ma.filled(labels, -1) if np.ma.isMaskedArray(labels) else labels)
    if given.shape != (n,):
        raise ArgumentError(f"labels has shape {given.shape} for {n} rows; give one a row.")
    if given.dtype.kind == "f" and np.isfinite(given).all() and (given == np.floor(given)).all():
        given = given.astype(np.intp)
    if given.dtype.kind not in "iu":
        raise ArgumentError("labels must be whole numbers: a component, or -1 where not known.")
    outside = np.flatnonzero((given < -1) | (given >= k))
    if len(outside):
        row = int(outside[0])
        raise ArgumentError(
            f"labels holds {given[row]} in row {row}; components are 0 .. {k - 1}, and -1 is not "
            "known."
        )
    return given.astype(np.intp) if (given >= 0).any() else None


def pseudo_rows(name: str, value: Any) -> float | None:
    """Rows of a prior: a number of at least 0, or None for 'auto', where the data are to tell."""
    if isinstance(value, str):
        if value != "auto":
            raise UnknownNameError(name, value, ("auto",))
        return None
    return check_number(name, value)


def check_sample_weight(sample_weight: ArrayLike | None, n: int) -> Array | None:
    """Row weights as float64 (n,): finite, at least 0 and not all 0; None where all are 1."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Real):
        sample_weight = np.full(n, float(sample_weight))
    try:
        weight = np.asarray(unmasked(sample_weight), dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("sample_weight holds something that is not a number.") from None
    if weight.ndim != 1:
        raise DataError(f"Sample weights must be 1D array or scalar; they are {weight.ndim}-D.")
    if weight.shape != (n,):
        raise DataError(f"sample_weight has {len(weight)} values for {n} rows; give one a row.")
    bad = ~np.isfinite(weight)
    if bad.any():
        first = int(bad.argmax())
        raise DataError(f"sample_weight contains NaN or infinity, first in row {first}.")
    if (weight < 0).any():
        raise DataError(f"sample_weight is negative, first in row {int((weight < 0).argmax())}.")
    if not weight.sum() > 0:
        raise DataError("sample_weight is zero for every row; at least one row must count.")
    return weight


def check_spread(moments: Moments, itemsize: int, names: Any | None) -> None:
    """Refuse columns whose squares would overflow or vanish."""
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        reach = moments.reach(moments.mean)
        spread = moments.upper - moments.lower
    large = ~(reach <= _LARGEST[itemsize])
    small = (spread > 0) & (spread < _SMALLEST[itemsize])
    for wrong, what in ((large, "large"), (small, "small")):
        if wrong.any():
            column = int(wrong.argmax())
            raise DataError(
                f"{column_name(column, names).capitalize()} spreads over {spread[column]:.3g}, too "
                f"{what} to square; multiply it by a constant that brings it near 1."
            )


def squarable(X: Any, names: Any | None) -> Any:
    """Rows of a block whose squares do not overflow, in float64 where float32 would not do."""
    if is_sparse(X) or X.dtype.kind != "f":
        return X
    sizes = np.abs(X)
    largest = float(np.nanmax(sizes, initial=0.0))
    if largest > _LARGEST[8]:
        row, column = (int(place[0]) for place in np.nonzero(sizes > _LARGEST[8]))
        raise DataError(
            f"{column_name(column, names).capitalize()} holds {X[row, column]:.3g} in row {row}, "
            "too large to square; multiply it by a constant that brings it near 1."
        )
    return X.astype(np.float64) if largest > _LARGEST[X.dtype.itemsize] else X


def spread_fits(moments: Moments, itemsize: int) -> bool:
    """Whether squares of these rows neither overflow nor vanish."""
    try:
        check_spread(moments, itemsize, None)
    except DataError:
        return False
    return True


def make_rng(random_state: Any) -> np.random.Generator:
    """A numpy Generator from scikit-learn's ``random_state``: None, int, RandomState, Generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31 - 1, size=4))
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        return np.random.default_rng(int(random_state))
    raise ArgumentError(
        f"random_state={random_state!r} is no seed; use None, a whole number of at least 0, "
        "or a numpy Generator."
    )


def given_array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A starting value as a finite float64 array of the shape it must have."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} holds something that is not a number.") from None
    if array.shape != shape:
        raise ArgumentError(f"{name} has shape {array.shape}; it must be {shape}.")
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name} contains NaN or infinity.")
    return array
