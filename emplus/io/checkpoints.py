"""Checkpoints: files that a fit can be taken up from where it was broken off.

A checkpoint is a safetensors file like a model, written whole or not at all. It holds a journal
(`emplus.engine.journal`): every start, climb and price that was worked out, the climb under way
with what its step rule remembers, the random generator, and what tells whether a fit is the same:
the version, a fingerprint of the rows and the estimator's arguments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from emplus._version import __version__
from emplus.engine.journal import Entry, Journal, Place, Standing, Written
from emplus.errors import ArgumentError, CheckpointError, FitWarning, ModelFileError, say
from emplus.io.atomic import replacing
from emplus.io.container import parse_json, read_container
from emplus.io.layout import CHECKPOINT_KEY, make_digest
from emplus.io.locking import LockedError, locked
from emplus.io.values import FLOATS, Reader, Writer

__all__ = ["Checkpoint", "as_checkpoint", "recorded"]

_FORMAT = 1
# Words of a seed's pool; NumPy has 4 unless it is told otherwise.
_MOST_POOLED = 1024


@dataclass(frozen=True)
class Checkpoint:
    """A file in which a fit keeps what it has worked out, so that nothing is lost.

    Parameters
    ----------
    path : str or path-like
        It is written when the fit begins, every ``every`` seconds, and at the end, whatever
        that is. A fit of the same estimator to the same rows goes on from it and ends with the same
        bits as if it had never been broken off; any other fit is refused.
    every : float
        Seconds from one save to the next.

    Raises
    ------
    ArgumentError
        If the seconds are negative or no number.

    Examples
    --------
    >>> import os, tempfile
    >>> from emplus import Checkpoint, GaussianMixture, datasets
    >>> X = datasets.load("faithful").X
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Checkpoint(os.path.join(folder, "run.safetensors"), every=10.0)
    ...     once = GaussianMixture(3, random_state=0).fit(X, checkpoint=place)
    ...     again = GaussianMixture(3, random_state=0).fit(X, checkpoint=place)  # nothing to do
    >>> once.lower_bound_ == again.lower_bound_
    True
    """

    path: str | os.PathLike[str]
    every: float = 60.0

    def __post_init__(self) -> None:
        every: object = self.every
        if isinstance(every, bool) or not isinstance(every, int | float) or not every >= 0:
            raise ArgumentError(f"A checkpoint's seconds must be at least 0; they are {every!r}.")


def as_checkpoint(checkpoint: Any) -> Checkpoint:
    """A checkpoint from the name of its file, or as it is.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    if isinstance(checkpoint, str | os.PathLike):
        return Checkpoint(checkpoint)
    raise ArgumentError(
        f"checkpoint={checkpoint!r} is neither the name of a file nor a Checkpoint."
    )


@contextmanager
def recorded(
    checkpoint: Checkpoint, identity: Mapping[str, Any], rng: np.random.Generator
) -> Iterator[tuple[Journal, np.random.Generator]]:
    """A journal in a file, and the generator to draw from; what was kept there before goes on.

    Parameters
    ----------
    checkpoint : Checkpoint
    identity : mapping
        JSON that says which fit this is, by what a sentence calls each part.
    rng : Generator
        What a fit draws from that has not been begun.

    Raises
    ------
    CheckpointError
        If the file is another fit's, damaged, in use by another process, or cannot be written.
    """
    path = os.fspath(checkpoint.path)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path))
        except LockedError as error:
            raise CheckpointError(
                f"Another process ({error}) writes the checkpoint {path!r}; give this fit another "
                "file."
            ) from None
        except OSError as error:
            raise _unwritable(path, error) from error
        yield from _recorded(path, checkpoint.every, identity, rng)


def _recorded(
    path: str, every: float, identity: Mapping[str, Any], rng: np.random.Generator
) -> Iterator[tuple[Journal, np.random.Generator]]:
    entries: dict[Place, Entry] = {}
    unfinished = None
    if os.path.exists(path):
        header, reader = _read(path)
        _check_identity(path, header, identity)
        try:
            entries = _entries(header, reader)
            unfinished = _unfinished(header, reader)
            rng = _generator(reader.value(header["generator"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _unusable(path, str(error)) from None
    begun = _facts(rng)
    keeper = _Keeper(path, {"format": _FORMAT, "emplus": __version__, **identity}, begun)
    journal = Written(keeper.save, every, entries, unfinished)
    if not entries:
        # Refused now rather than after hours.
        keeper.write(journal)
    try:
        yield journal, rng
    finally:
        journal.close()


@dataclass(frozen=True)
class _Keeper:
    """Writes the journal of one fit."""

    path: str
    facts: dict[str, Any]
    generator: dict[str, Any]

    def save(self, journal: Written) -> None:
        """Write, or say why that cannot be done: the fit is worth more than its checkpoint."""
        try:
            self.write(journal)
        except CheckpointError as error:
            say(FitWarning, f"{error} The fit goes on.")

    def write(self, journal: Written) -> None:
        """Write.

        Raises
        ------
        CheckpointError
            If that cannot be done; what was there before is untouched.
        """
        from safetensors.numpy import save as serialize

        try:
            header, tensors = self._packed(journal)
            header["digest"] = make_digest(header, tensors)
            text = json.dumps(header, allow_nan=False)
            with replacing(self.path) as temporary:
                temporary.write_bytes(serialize(tensors, metadata={CHECKPOINT_KEY: text}))
        except (OSError, TypeError) as error:
            raise _unwritable(self.path, error) from error

    def _packed(self, journal: Written) -> tuple[dict[str, Any], dict[str, Any]]:
        writer = Writer()
        entries = []
        for place, entry in journal.entries.items():
            value, generator = writer.tree(entry.value), writer.tree(entry.generator)
            entries.append([list(place), entry.name, value, entry.seconds, generator])
        unfinished = None
        if journal.unfinished is not None:
            place, standing = journal.unfinished
            unfinished = [list(place), writer.tree(standing)]
        header = {
            **self.facts,
            "generator": writer.tree(self.generator),
            "entries": entries,
            "unfinished": unfinished,
        }
        return header, writer.tensors()


def _read(path: str) -> tuple[dict[str, Any], Reader]:
    try:
        container = read_container(path)
    except ModelFileError as error:
        raise CheckpointError(f"There is no checkpoint to go on from: {error}") from None
    if CHECKPOINT_KEY not in container.metadata:
        raise CheckpointError(
            f"{path!r} is a safetensors file, but no checkpoint; give the checkpoint another name."
        )
    try:
        header = parse_json(container.metadata[CHECKPOINT_KEY])
        known = header["digest"] == make_digest(header, container.tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(path, str(error)) from None
    if not known or set(container.tensors) != set(FLOATS):
        raise _unusable(path, "its digest is not that of what it holds")
    return header, Reader(dict(container.tensors))


def _unwritable(path: str, error: Exception) -> CheckpointError:
    reason = getattr(error, "strerror", None) or error
    return CheckpointError(
        f"The checkpoint cannot be written to {path!r}: {reason}; what was there before is "
        "untouched."
    )


def _unusable(path: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path!r} is a damaged checkpoint: {why}; use a copy of it, or remove it to begin anew."
    )


def _check_identity(path: str, header: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    version = header.get("emplus")
    if header.get("format") != _FORMAT or version != __version__:
        raise CheckpointError(
            f"{path!r} was written by emplus {version}, this is {__version__}: only the same "
            "version comes to the same bits. Use that one, or remove the file to begin anew."
        )
    for what, mine in identity.items():
        theirs = header.get(what)
        if theirs == mine:
            continue
        also = ""
        if isinstance(theirs, dict) and isinstance(mine, dict):
            names = sorted(n for n in {*theirs, *mine} if theirs.get(n) != mine.get(n))
            also = f" ({', '.join(names)})"
        raise CheckpointError(
            f"{path!r} is the checkpoint of a fit with other {what}{also}; give the same ones, "
            "another file, or remove it to begin anew."
        )


def _entries(header: Mapping[str, Any], reader: Reader) -> dict[Place, Entry]:
    entries = {}
    for place, name, value, seconds, generator in header["entries"]:
        known = Entry(str(name), reader.value(value), float(seconds), reader.value(generator))
        entries[_place(place)] = known
    return entries


def _unfinished(header: Mapping[str, Any], reader: Reader) -> tuple[Place, Standing] | None:
    if header["unfinished"] is None:
        return None
    place, tree = header["unfinished"]
    standing = reader.value(tree)
    if not isinstance(standing, Standing):
        raise ValueError("its climb is not described")
    return _place(place), standing


def _place(numbers: Any) -> Place:
    if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("a step of it has no place")
    return tuple(numbers)


def _facts(rng: np.random.Generator) -> dict[str, Any]:
    """All that a generator goes on from: its state, and the seeds of those it will spawn."""
    bits = rng.bit_generator
    seeds: Any = getattr(bits, "seed_seq", None)
    sown = None
    if isinstance(seeds, np.random.SeedSequence):
        entropy: Any = seeds.entropy
        sown = {
            "entropy": entropy if isinstance(entropy, int) else [int(one) for one in entropy],
            "spawn_key": [int(one) for one in seeds.spawn_key],
            "pool_size": seeds.pool_size,
            "n_children_spawned": seeds.n_children_spawned,
        }
    return {"kind": type(bits).__name__, "state": bits.state, "seeds": sown}


def _generator(facts: Mapping[str, Any]) -> np.random.Generator:
    if facts["kind"] not in ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"):
        raise ValueError(f"its generator is a {facts['kind']}")
    seeds = facts["seeds"]
    if seeds is not None and not 4 <= seeds["pool_size"] <= _MOST_POOLED:
        raise ValueError(f"its generator has a pool of {seeds['pool_size']}")
    sown = None if seeds is None else np.random.SeedSequence(**seeds)
    bits = getattr(np.random, facts["kind"])(sown)
    bits.state = facts["state"]
    return np.random.Generator(bits)
