"""Mixtures and rows that the tests of pictures share."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emplus import Mixture

Floats = NDArray[np.float64]


def blobs(k: int, d: int, n: int = 300, seed: int = 0) -> tuple[Mixture, Floats]:
    rng = np.random.default_rng(seed)
    means = 5.0 * rng.normal(size=(k, d))
    mixture = Mixture.gaussian(rng.dirichlet(np.ones(k)), means, np.ones((k, d)), "diag")
    return mixture, np.asarray(mixture.sample(n, rng)[0], dtype=np.float64)


def png_size(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def far_and_tight() -> tuple[Mixture, Floats]:
    X = 1e8 + 1e-3 * np.random.default_rng(3).normal(size=(60, 3))
    return Mixture.gaussian([1.0], X.mean(axis=0)[None], np.full((1, 3), 1e-6), "diag"), X
