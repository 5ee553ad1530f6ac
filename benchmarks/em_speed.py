"""Seconds an EM iteration takes, beside scikit-learn in the same run.

    python benchmarks/em_speed.py [--threads 1] [--dtype float32] [--quick] [--json FILE]

Both start from the same parameters, take the same number of iterations without any prior, and
must end at the same log-likelihood. They take turns of several iterations; a cell's figure is the
mean of the fastest of three turns. scikit-learn's E and M step are called directly, so that neither
its start nor its checks are counted. Where torch and pomegranate are installed, pomegranate is
timed too.
"""

from __future__ import annotations

import argparse
import json
import platform
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as Peer
from threadpoolctl import threadpool_limits

from emplus.data.memory import ArraySource
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem
from emplus.families.registry import make_family
from emplus.mixture import Mixture

Array = NDArray[np.floating[Any]]

TURNS = 3

COVARIANCES = ("full", "diag", "spherical", "tied")

# (n, d, k): the least ratio asked for, by covariance.
ASKED = {
    (1_000_000, 2, 10): {"full": 15.0, "diag": 10.0, "spherical": 10.0, "tied": 8.0},
    (200_000, 10, 20): {"full": 6.0, "diag": 5.0, "spherical": 5.0, "tied": 10.0},
    (50_000, 64, 32): {"full": 4.0, "diag": 5.0, "spherical": 5.0, "tied": 15.0},
    (10_000, 128, 10): {"full": 2.0, "diag": 2.0, "spherical": 2.0, "tied": 10.0},
    (10_000, 784, 10): {"full": 1.5, "diag": 2.0, "spherical": 2.0, "tied": 20.0},
}


@dataclass(frozen=True)
class Cell:
    """One line of the table. Seconds an iteration; log-likelihoods a row; memory in MB."""

    n: int
    d: int
    k: int
    covariance: str
    dtype: str
    threads: int
    emplus: float
    sklearn: float
    ratio: float
    asked: float | None
    log_likelihood: float
    log_likelihood_sklearn: float
    gflops: float | None
    memory: float
    pomegranate: float | None


def make_data(n: int, d: int, k: int, dtype: str) -> tuple[Array, Array]:
    """Rows of k unit Gaussians around random centres, and starting means beside the centres."""
    rng = np.random.default_rng(0)
    centres = 4.0 * rng.normal(size=(k, d))
    X = centres[rng.integers(k, size=n)]
    for start in range(0, n, 100_000):
        X[start : start + 100_000] += rng.normal(size=X[start : start + 100_000].shape)
    return X.astype(dtype), centres + 0.3


def unit_covariances(covariance: str, k: int, d: int) -> Array:
    """Identity matrices in the structure's shape: their own inverses."""
    ones = {
        "full": np.tile(np.eye(d), (k, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }
    return ones[covariance]


def our_run(X: Array, means: Array, covariance: str, threads: int) -> Callable[[int], Any]:
    """A function that takes some iterations from the start."""
    k, d = means.shape
    family = make_family("gaussian", covariance_type=covariance)
    source = ArraySource(X, n_jobs=threads)
    moments = source.moments(full=family.needs_full_scatter)
    problem = Problem(family, source, family.default_prior(moments, 0.0))
    # The ignored attribute is the Gaussian family's own; make_family promises any family.
    parameters = family.parameters(means, unit_covariances(covariance, k, d))  # type: ignore[attr-defined]
    start = Mixture(family, np.log(np.full(k, 1.0 / k)), parameters)
    # Nothing but the number of iterations ends the run.
    return lambda iterations: Engine(stopping=Stopping(-np.inf, iterations)).climb(problem, start)


def peer_start(X: Array, means: Array, covariance: str) -> Peer:
    """scikit-learn's mixture after its first iteration."""
    k, d = means.shape
    peer = Peer(
        k,
        covariance_type=covariance,
        max_iter=1,
        reg_covar=0.0,
        init_params="random_from_data",
        weights_init=np.full(k, 1.0 / k),
        means_init=means,
        precisions_init=unit_covariances(covariance, k, d),
        random_state=0,
    )
    return peer.fit(X)


def time_cell(n: int, d: int, k: int, covariance: str, args: argparse.Namespace) -> Cell:
    """Time one cell, both programs taking turns."""
    X, means = make_data(n, d, k, args.dtype)
    run = our_run(X, means, covariance, args.threads)
    # Turns long enough that waking up and warming the caches do not count for much.
    guess = n * k * (7e-8 + 5e-11 * d * (d if covariance in ("full", "tied") else 20))
    iterations = int(np.clip(1.0 / guess, 1, 40))
    with threadpool_limits(args.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = peer_start(X, means, covariance)
        theirs: list[float] = []
        ours: list[float] = []
        climb = run(1)
        for _ in range(TURNS):
            rest()
            begun = time.perf_counter()
            for _ in range(iterations):
                _, log_resp = peer._e_step(X)
                peer._m_step(X, log_resp)
                del log_resp
            theirs.append((time.perf_counter() - begun) / iterations)
            rest()
            begun = time.perf_counter()
            climb = run(iterations)
            ours.append((time.perf_counter() - begun) / climb.passes)
        climb = run(TURNS * iterations + 1)
        ended = float(peer.score(X))
    seconds = min(ours)
    return Cell(
        n,
        d,
        k,
        covariance,
        args.dtype,
        args.threads,
        seconds,
        min(theirs),
        min(theirs) / seconds,
        ASKED.get((n, d, k), {}).get(covariance),
        climb.state.log_likelihood / n,
        ended,
        2e-9 * n * k * d * d / seconds if covariance == "full" else None,
        peak_memory(lambda: our_run(X, means, covariance, args.threads)(2)),
        time_pomegranate(X, means, covariance, args.threads),
    )


def rest() -> None:
    """Let the other program's BLAS threads, which spin for a while, go to sleep."""
    time.sleep(0.2)


def peak_memory(run: Callable[[], Any]) -> float:
    """Most megabytes allocated beyond the data during two iterations."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # In threads of its own, so that their scratch arrays are counted as well.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / 1e6


def time_pomegranate(X: Array, means: Array, covariance: str, threads: int) -> float | None:
    """Seconds an iteration of pomegranate in float32, where it is installed and has the type."""
    # Its "sphere" takes no starting variances (1.1.2), and it has no tied covariance.
    kinds = ("full", "diag")
    try:
        import torch
        from pomegranate.distributions import Normal
        from pomegranate.gmm import GeneralMixtureModel
    except ImportError:
        return None
    k, d = means.shape
    if covariance not in kinds or X.dtype != np.float32 or X.nbytes * k > 4e9:
        return None
    torch.set_num_threads(threads)
    one = np.eye(d) if covariance == "full" else np.ones(d)
    normals = [
        Normal(mean.astype("f4"), one.astype("f4"), covariance_type=covariance) for mean in means
    ]
    try:
        model = GeneralMixtureModel(normals)
        rows = torch.from_numpy(X)
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            model.summarize(rows)
            model.from_summaries()
            times.append(time.perf_counter() - begun)
    except (RuntimeError, ValueError, IndexError) as error:
        print(f"    pomegranate failed: {str(error)[:100]}")
        return None
    return min(times)


def matrix_product_peak(dtype: str, threads: int) -> float:
    """GFLOP/s of a large matrix product: the machine's ceiling."""
    A = np.random.default_rng(0).random((2000, 2000)).astype(dtype)
    with threadpool_limits(threads):
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            A @ A
            times.append(time.perf_counter() - begun)
    return 16.0 / min(times)


def cells(quick: bool) -> Iterator[tuple[int, int, int, str]]:
    """The table's cells, and one for memory."""
    for n, d, k in ASKED:
        for covariance in COVARIANCES:
            # A covariance of 784 columns needs some thousand rows in every component.
            yield (n // 20 if quick and d < 64 else n), d, k, covariance
    if not quick:
        yield 1_000_000, 10, 50, "full"


def show(cell: Cell, peak: float) -> str:
    """One line for people."""
    gap = abs(cell.log_likelihood - cell.log_likelihood_sklearn)
    asked = "" if cell.asked is None else f"{cell.asked:5.1f}"
    mark = "" if cell.asked is None or cell.ratio >= cell.asked else "  below"
    flops = "" if cell.gflops is None else f"{cell.gflops:6.1f} ({cell.gflops / peak:4.0%})"
    peer = (
        "" if cell.pomegranate is None else f"  pomegranate {cell.pomegranate / cell.emplus:.1f} x"
    )
    return (
        f"{cell.n:9,d} {cell.d:4d} {cell.k:3d} {cell.covariance:10s}{cell.emplus:10.5f}"
        f"{cell.sklearn:10.5f}{cell.ratio:7.1f} {asked:>5s} {gap:9.1e} {cell.memory:7.1f} "
        f"{flops:>14s}{mark}{peer}"
    )


def main() -> None:
    """Print the table and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--quick", action="store_true", help="fewer rows: does it run at all?")
    parser.add_argument("--only", help="one covariance type")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    args = parser.parse_args()
    peak = matrix_product_peak(args.dtype, args.threads)
    print(
        f"{args.dtype}, {args.threads} thread(s), scikit-learn {sklearn.__version__}, numpy "
        f"{np.__version__}, {platform.machine()}; matrix products reach {peak:.0f} GFLOP/s\n\n"
        "        n    d   k covariance    emplus   sklearn  ratio asked  gap/row      MB"
        "  GFLOP/s (peak)\n" + "-" * 100
    )
    table = []
    for n, d, k, covariance in cells(args.quick):
        if args.only in (None, covariance):
            table.append(time_cell(n, d, k, covariance, args))
            print(show(table[-1], peak), flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            figures = {"peak_gflops": peak, "cells": [asdict(cell) for cell in table]}
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
