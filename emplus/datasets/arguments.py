"""What generators ask of their arguments."""

from __future__ import annotations

import math
import operator

import numpy as np

from emplus.errors import ArgumentError

__all__ = ["Seed", "checked_count", "checked_positive", "generator"]

Seed = int | np.random.Generator | np.random.SeedSequence | None


def checked_count(name: str, value: int) -> int:
    """The value, once it is a whole number of at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ArgumentError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return number


def checked_positive(name: str, value: float) -> float:
    """The value, once it is finite and above 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ArgumentError(f"{name} must be a finite number above 0, not {value!r}.")
    return number


def generator(seed: Seed) -> np.random.Generator:
    """A generator from a seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"seed must be a whole number of at least 0, a numpy Generator or None, not {seed!r}."
        ) from None
