"""Fits that may be broken off: which fit this is, and its journal."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from emplus.data.base import Source
from emplus.data.fingerprint import fingerprint
from emplus.engine.journal import Journal
from emplus.estimators.validation import make_rng

__all__ = ["journal_of"]

# Arguments that change nothing in the result, and the seed, whose generator is kept.
_NEUTRAL = {"n_jobs", "verbose", "verbose_interval", "observers"}


@contextmanager
def journal_of(
    checkpoint: Any, estimator: Any, source: Source, random_state: Any
) -> Iterator[tuple[Journal, np.random.Generator]]:
    """The journal that a fit is written down in, and the generator that it draws from.

    Parameters
    ----------
    checkpoint : path-like, Checkpoint, Journal or None
        None for a fit that is not to be taken up again; a journal that is open already is gone on
        with.
    estimator : estimator
        Its arguments are part of what the fit is.
    source : Source
        So are its rows.
    random_state : int, RandomState, Generator or None

    Raises
    ------
    ArgumentError
        If the checkpoint or the seed is none.
    CheckpointError
        See `emplus.io.checkpoints.recorded`.
    """
    rng = make_rng(random_state)
    if checkpoint is None:
        yield Journal(), rng
    elif isinstance(checkpoint, Journal):
        yield checkpoint, rng
    else:
        from emplus.io.checkpoints import as_checkpoint, recorded

        place = as_checkpoint(checkpoint)
        identity = {"rows": fingerprint(source), "arguments": _arguments(estimator)}
        with recorded(place, identity, rng) as open_journal:
            yield open_journal


def _arguments(estimator: Any) -> dict[str, Any]:
    """The arguments as JSON that is the same where they are."""
    given = estimator.get_params(deep=False)
    told = {name: _told(value) for name, value in given.items() if name not in _NEUTRAL}
    warm = bool(given.get("warm_start")) and hasattr(estimator, "mixture_")
    return {"estimator": type(estimator).__name__, **told, "warm": warm}


def _told(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value if not isinstance(value, float) else repr(value)
    if hasattr(value, "get_params"):
        return _arguments(value)
    if isinstance(value, np.random.Generator | np.random.RandomState):
        return type(value).__name__
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: _told(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {str(name): _told(one) for name, one in value.items()}
    if isinstance(value, list | tuple) and not all(isinstance(x, int | float) for x in value):
        return [_told(one) for one in value]
    if hasattr(value, "__array__") or isinstance(value, list | tuple):
        array = np.asarray(value)
        if array.dtype.kind in "biufUS":
            digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16)
            return [array.dtype.str, list(array.shape), digest.hexdigest()]
    return f"{type(value).__module__}.{type(value).__qualname__}"
