"""Whole fits: accelerated beside plain, and block by block beside all rows at once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optimizer_sets import Case, cases

from emplus.datasets import make_mixture

Array = NDArray[Any]

# Nats a row by which an end counts as lower.
LOWER = 1e-4

# Rows times components from which on there is a quarter of the starts.
LARGE = 300_000

# Searches that are compared; the second is the default.
SEARCHES = ("em", "split_merge")

PASSES = 3


@dataclass(frozen=True)
class Pair:
    """One start, accelerated less plain: nats a row; passes and seconds as ratios."""

    gain: float
    passes: float
    seconds: float


def never_loses_part(args: argparse.Namespace) -> None:
    """Ends, passes and seconds of default fits with and without acceleration."""
    starts = args.starts or (3 if args.quick else 20)
    print(
        f'\naccelerate="auto" beside None, {starts} starts: how much higher the objective ends, '
        f"nats a row;\nlower: starts that end lower by more than {LOWER:g}; passes and seconds: "
        "accelerated over plain, medians"
    )
    print(
        f"{'search':12}{'data, family, k':28}{'starts':>7}{'least':>10}{'median':>10}"
        f"{'mean':>10}{'lower':>7}{'passes':>8}{'seconds':>9}"
    )
    found = [case for case in cases(args.folder, args.quick) if chosen(case, args.only)]
    for search in SEARCHES:
        whole: list[Pair] = []
        for case in found:
            count = max(1, starts // 4) if len(case.X) * case.k >= LARGE else starts
            pairs = [pair(case, search, seed) for seed in range(count)]
            print_pairs(search, case.name, pairs)
            whole += pairs
        print_pairs(search, "all", whole)


def chosen(case: Case, only: list[str]) -> bool:
    """Whether a set was asked for."""
    return not only or case.data.rpartition("/")[2] in only


def pair(case: Case, search: str, seed: int) -> Pair:
    """Both fits from one seed; which of them comes first changes from seed to seed."""
    ends: dict[str, Any] = {}
    for accelerate in ("auto", "none")[:: 1 - 2 * (seed % 2)]:
        model = case.estimator(search=search, accelerate=accelerate, random_state=seed)
        ends[accelerate] = model.fit(case.X).result_
    quick, plain = ends["auto"], ends["none"]
    return Pair(
        (quick.objective - plain.objective) / plain.total_weight,
        quick.passes / plain.passes,
        quick.seconds / plain.seconds,
    )


def print_pairs(search: str, name: str, pairs: list[Pair]) -> None:
    """One row of the table."""
    gains = np.array([one.gain for one in pairs])
    passes, seconds = (np.median([getattr(one, what) for one in pairs]) for what in _RATIOS)
    print(
        f"{search:12}{name:28}{len(pairs):7}{gains.min():+10.1e}{np.median(gains):+10.1e}{gains.mean():+10.1e}"
        f"{np.mean(gains < -LOWER):7.2f}{passes:8.2f}{seconds:9.2f}",
        flush=True,
    )


_RATIOS = ("passes", "seconds")


def online_part(args: argparse.Namespace) -> None:
    """Streams beside EM on all rows, from the mixture after the first block."""
    n, block = (60_000, 3_000) if args.quick else (1_000_000, 10_000)
    starts = args.starts or (1 if args.quick else 3)
    print(
        f"\n{n:,} rows, shuffled, in blocks of {block:,}: nats a row by which batch EM from the "
        "mixture after\nthe first block scores higher, after each pass of partial_fit; seconds"
    )
    heads = [f"after {number}" for number in range(1, PASSES + 1)]
    print(
        f"{'family':24}{'seed':>5}" + "".join(f"{head:>11}" for head in heads) + f"{'s a pass':>10}"
        f"{'batch s':>9}{'batch passes':>14}"
    )
    for seed in range(starts):
        for case in streams(n, seed):
            print_stream(case, seed, block)


def streams(n: int, seed: int) -> Iterator[Case]:
    """Rows with known truth; in an order that tells nothing, as they are drawn one by one."""
    rng = np.random.default_rng(seed)
    blobs = make_mixture("overlapping", n, d=10, k=10, separation=2.5, seed=seed)
    yield Case("generated", "full", 10, blobs.X)
    d, k, q = 20, 6, 4
    labels = rng.integers(k, size=n)
    means, loadings = 1.5 * rng.normal(size=(k, d)), rng.normal(size=(k, q, d))
    X = means[labels] + rng.normal(scale=0.7, size=(n, d))
    for j in range(k):
        own = labels == j
        X[own] += rng.normal(size=(int(own.sum()), q)) @ loadings[j]
    yield Case("generated", "factors", k, X)
    labels = rng.integers(10, size=n)
    chances = rng.beta(0.6, 0.6, size=(10, 30))
    yield Case("generated", "bernoulli", 10, rng.random((n, 30)) < chances[labels])


def print_stream(case: Case, seed: int, block: int) -> None:
    """One row of the table."""
    model = case.estimator(random_state=seed).partial_fit(case.X[:block])
    batch = deepcopy(model).set_params(warm_start=True, search="em").fit(case.X)
    target, gaps, spent = batch.score(case.X), [], 0.0
    for number in range(PASSES):
        begun = time.perf_counter()
        for first in range(0 if number else block, len(case.X), block):
            model.partial_fit(case.X[first : first + block])
        spent += time.perf_counter() - begun
        gaps.append(target - model.score(case.X))
    print(
        f"{case.name:24}{seed:5}"
        + "".join(f"{gap:+11.1e}" for gap in gaps)
        + f"{spent / PASSES:10.2f}{batch.result_.seconds:9.2f}{batch.result_.passes:14.0f}",
        flush=True,
    )
