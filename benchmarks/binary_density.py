"""Mixtures of Bernoulli components as densities of binary data.

    python benchmarks/binary_density.py [--data FOLDER] [--sets nltcs,plants] [--parts speed]

`density`: for every file with arrays `train`, `valid` and `test` of zeros and ones in the folder
(`$EMPLUS_DATA/binary` by default), nats a row on `test`. The number of components, the prior, the
start and when to stop are chosen on `valid`; nothing is chosen on `test`. Where runs from random
parameters were stopped, the components of several such runs together are one more choice: a mixture
of mixtures is a mixture. Published figures stand
beside it: mixtures of trees (Rooshenas & Lowd 2014) and mixtures of Bernoullis (the MADE table,
Germain et al. 2015, as recalled).

`speed`: seconds an iteration beside StepMix 3.0.0 (`measurement="binary"`), from the same start,
the same number of iterations, in the same run, and how far the two log-likelihoods are apart.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus import BernoulliMixture, Mixture
from emplus.engine.observers import HeldOut

Array = NDArray[Any]

# Negative log-likelihoods on test: mixtures of trees; mixtures of Bernoullis.
PUBLISHED: dict[str, tuple[float | None, float | None]] = {
    "nltcs": (6.01, None),
    "plants": (12.95, None),
    "baudio": (40.08, None),
    "jester": (53.08, None),
    "bnetflix": (56.74, None),
    "accidents": (29.63, None),
    "pumsb_star": (23.71, None),
    "dna": (85.14, 98.19),
    "bbc": (261.84, None),
    "mushrooms": (None, 14.46),
    "adult": (None, 20.44),
    "connect4": (None, 23.41),
    "nips": (None, 290.02),
    "ocr_letters": (None, 40.56),
    "rcv1": (None, 47.59),
    "web": (None, 30.16),
    "msnbc": (6.07, None),
    "kdd": (2.13, None),
    "tretail": (10.83, None),
    "kosarek": (10.62, None),
    "msweb": (9.85, None),
    "book": (34.63, None),
    "tmovie": (54.60, None),
    "cwebkb": (156.86, None),
    "cr52": (85.90, None),
    "c20ng": (154.24, None),
    "ad": (16.02, None),
}

COMPONENTS = (8, 16, 32, 64, 128, 256, 512, 1024)

# Plain EM stopped on the rows held out; the default fit goes to its end.
STOPPED: tuple[dict[str, Any], ...] = (
    {"prior": "auto", "init_params": "k-means++"},
    {"prior": 0.1, "init_params": "perturbed"},
    {"prior": 0.5, "init_params": "perturbed"},
)

# Components up to which the default search is run to the end, and numbers of a pass above which
# it is not: the search costs tens of passes.
MOST_CONVERGED, MOST_NUMBERS = 128, 4e8

# Iterations after which log-likelihoods are compared with the peer's.
_COMPARED = 10

# Numbers of a pass above which no run is made at all.
MOST_STOPPED = 4e9

# Stopped runs that are taken together, and components and numbers of each up to which they are.
POOLED, MOST_POOLED, MOST_TOGETHER = 4, 512, 1e9


@dataclass(frozen=True)
class Cell:
    """One fit: how it was made, its mixture, and its mean log density of `valid`."""

    k: int
    words: str
    mixture: Mixture
    valid: float
    seconds: float


def fits(train: Array, valid: Array, components: tuple[int, ...], seed: int) -> Iterator[Cell]:
    """Every way for every number of components that the rows can hold."""
    for k in components:
        if 4 * k > len(train) or float(train.size) * k > MOST_STOPPED:
            return
        if k <= MOST_CONVERGED and float(train.size) * k <= MOST_NUMBERS:
            begun = time.perf_counter()
            model = BernoulliMixture(k, random_state=seed).fit(train)
            spent = time.perf_counter() - begun
            words = f"default search, prior {model.prior_.strength:g}"
            yield Cell(k, words, model.mixture_, model.score(valid), spent)
        for arguments in STOPPED:
            begun = time.perf_counter()
            cell = stopped(train, valid, k, seed, arguments)
            yield cell
            together = k <= MOST_POOLED and float(train.size) * k <= MOST_TOGETHER
            if together and arguments["init_params"] == "perturbed":
                others = [
                    stopped(train, valid, k, seed + 1000 * other, arguments)
                    for other in range(1, POOLED)
                ]
                mixture = pooled([cell.mixture, *(other.mixture for other in others)])
                score = float(mixture.log_density(valid).mean())
                spent = time.perf_counter() - begun
                words = f"{POOLED} together: {cell.words}, ..."
                yield Cell(POOLED * k, words, mixture, score, spent)


def stopped(train: Array, valid: Array, k: int, seed: int, arguments: dict[str, Any]) -> Cell:
    """Plain EM, as it was where it scored best on `valid`."""
    begun, held_out = time.perf_counter(), HeldOut(valid)
    model = BernoulliMixture(
        k, search="em", observers=[held_out], random_state=seed, **arguments
    ).fit(train)
    assert held_out.mixture is not None
    words = (
        f"EM from {arguments['init_params']}, prior {model.prior_.strength:g}, "
        f"stopped after {held_out.iteration}"
    )
    return Cell(k, words, held_out.mixture, held_out.score, time.perf_counter() - begun)


def pooled(mixtures: list[Mixture]) -> Mixture:
    """The components of mixtures of the same size, all mixtures counting the same."""
    first, k, m = mixtures[0], mixtures[0].n_components, len(mixtures)
    parameters = first.parameters.take(np.resize(np.arange(k), m * k))
    for place, mixture in enumerate(mixtures):
        parameters = parameters.put(np.arange(place * k, (place + 1) * k), mixture.parameters)
    log_weights = np.concatenate([mixture.log_weights for mixture in mixtures]) - np.log(m)
    return Mixture(first.family, log_weights, parameters)


def density_part(args: argparse.Namespace, files: list[Path]) -> None:
    """The chosen fit of each set, and with `--verbose` every fit."""
    print("nats a row on test, negative; chosen on valid")
    print(
        f"{'set':12s}{'n':>8s}{'d':>5s}{'independent':>12s}{'emplus':>9s}{'+- se':>7s}"
        f"{'trees':>8s}{'MoB':>8s}{'k':>6s}{'s':>7s}  how"
    )
    for file in files:
        train, valid, test = _arrays(file)
        begun, best = time.perf_counter(), None
        for cell in fits(train, valid, args.components, args.seed):
            if args.verbose:
                held = -cell.mixture.log_density(test).mean()
                print(
                    f"    k = {cell.k:5d} valid {-cell.valid:9.4f} test {held:9.4f} "
                    f"{cell.seconds:6.1f} s  {cell.words}",
                    flush=True,
                )
            if best is None or cell.valid > best.valid:
                best = cell
        assert best is not None
        scores = best.mixture.log_density(test)
        trees, bernoulli = PUBLISHED.get(file.stem, (None, None))
        print(
            f"{file.stem:12s}{len(train):8d}{train.shape[1]:5d}{_independent(train, test):12.3f}"
            f"{-scores.mean():9.4f}{scores.std() / np.sqrt(len(test)):7.3f}"
            f"{_shown(trees):>8s}{_shown(bernoulli):>8s}{best.k:6d}"
            f"{time.perf_counter() - begun:7.0f}  {best.words}",
            flush=True,
        )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _independent(train: Array, test: Array) -> float:
    p = (train.sum(axis=0) + 0.5) / (len(train) + 1.0)
    return float(-(test @ np.log(p) + (1 - test) @ np.log(1 - p)).mean())


def _arrays(file: Path) -> tuple[Array, Array, Array]:
    with np.load(file) as held:
        train, valid, test = (held[name].astype(bool) for name in ("train", "valid", "test"))
        return train, valid, test


def speed_part(args: argparse.Namespace, files: list[Path]) -> None:
    """Seconds an iteration beside StepMix, from the same start."""
    try:
        import stepmix
    except ImportError:
        print("speed: StepMix is not installed (pip install stepmix==3.0.0)")
        return
    print(f"StepMix {stepmix.__version__}; {args.iterations} iterations from the same start")
    print(
        f"{'set':12s}{'k':>5s}{'emplus s/it':>13s}{'StepMix s/it':>14s}{'ratio':>8s}"
        f"{'apart, a row':>14s}"
    )
    for file in files:
        train, _, _ = _arrays(file)
        for k in (10, 100):
            ours, theirs, apart = _race(train, k, args.iterations, args.seed)
            print(
                f"{file.stem:12s}{k:5d}{ours:13.4f}{theirs:14.4f}{theirs / ours:8.1f}{apart:14.1e}",
                flush=True,
            )


def _race(train: Array, k: int, iterations: int, seed: int) -> tuple[float, float, float]:
    from stepmix.stepmix import StepMix

    rng = np.random.default_rng(seed)
    start = rng.uniform(0.2, 0.8, size=(k, train.shape[1]))
    weights = np.full(k, 1.0 / k)

    def peer(n_iter: int) -> tuple[float, Any]:
        model = StepMix(
            k,
            measurement="binary",
            n_init=1,
            max_iter=n_iter,
            abs_tol=0.0,
            rel_tol=0.0,
            random_state=seed,
            progress_bar=0,
        )
        _start_at(model, weights, start)
        begun = time.perf_counter()
        model.fit(train.astype(float))
        return time.perf_counter() - begun, model

    def own(n_iter: int) -> tuple[float, BernoulliMixture]:
        model = BernoulliMixture(
            k,
            prior=0.0,
            search="em",
            max_iter=n_iter,
            tol=0.0,
            weights_init=weights,
            probabilities_init=start,
            random_state=seed,
        )
        begun = time.perf_counter()
        model.fit(train)
        return time.perf_counter() - begun, model

    timed = {}
    for name, fit in (("own", own), ("peer", peer)):
        short, _ = min((fit(2) for _ in range(3)), key=lambda run: run[0])
        long, _ = min((fit(2 + iterations) for _ in range(3)), key=lambda run: run[0])
        timed[name] = (long - short) / iterations
    # Later on, what StepMix cuts off at 1e-15 in its M step makes two ways of two equal fits.
    early, their_early = own(_COMPARED)[1], peer(_COMPARED)[1]
    apart = abs(early.score(train) - their_early.score(train.astype(float)))
    return timed["own"], timed["peer"], float(apart)


def _start_at(model: Any, weights: Array, probabilities: Array) -> None:
    """Let StepMix begin from given parameters instead of drawing its own."""

    draw = model._initialize_parameters

    def given(X: Any, random_state: Any) -> None:
        draw(X, random_state)
        model.weights_ = weights.copy()
        model._mm.parameters["pis"] = probabilities.copy()

    model._initialize_parameters = given


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--sets", help="comma-separated names; all files without it")
    parser.add_argument("--parts", default="density,speed")
    parser.add_argument("--components", default=",".join(map(str, COMPONENTS)))
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    args.components = tuple(int(k) for k in args.components.split(","))
    folder = args.data or Path(os.environ.get("EMPLUS_DATA", ".")) / "binary"
    files = sorted(folder.glob("*.npz"))
    if args.sets:
        files = [file for file in files if file.stem in args.sets.split(",")]
    if not files:
        parser.error(f"there is no such .npz file in {folder}; see --data")
    # That a run was ended early is what was asked for.
    warnings.simplefilter("ignore")
    parts = {"density": density_part, "speed": speed_part}
    for part in args.parts.split(","):
        parts[part](args, files)


if __name__ == "__main__":
    main()
