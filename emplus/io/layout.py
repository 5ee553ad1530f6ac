"""What a model file holds: names, version and digest, shared by writing and reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from emplus.families.base import Array

__all__ = [
    "CHECKPOINT_KEY",
    "COUNTS",
    "FORMAT",
    "FORMAT_OF_MANY",
    "HISTORIES",
    "KEY",
    "LATER",
    "NUMBERS",
    "PREFIX",
    "make_digest",
]

# Of one mixture, and of an estimator that is not one mixture.
FORMAT, FORMAT_OF_MANY = 1, 2
KEY, CHECKPOINT_KEY = "emplus", "emplus.checkpoint"
PREFIX = "parameters."
COUNTS = ("n_iter", "n_rows")
HISTORIES = ("trace", "log_likelihoods")
NUMBERS = ("log_likelihood", "log_prior", "objective", "total_weight", "seconds")
# Numbers that files of version 0.1.0 do not hold.
LATER = ("passes",)


def make_digest(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> str:
    """SHA-256 over the header without its digest, in one fixed spelling, and over the tensors."""
    rest = {key: value for key, value in header.items() if key != "digest"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), order="C").tobytes())
    return f"sha256:{digest.hexdigest()}"
