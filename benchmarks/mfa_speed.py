"""Mixtures of factor analyzers: seconds an iteration, growth with d, memory, and steps to the end.

    python benchmarks/mfa_speed.py [--parts iteration,dimensions,memory,steps] [--quick]

`iteration`: beside scikit-learn's full-covariance iteration on the same rows in the same run.
`dimensions`: the same number of rows in more and more columns. `memory`: most megabytes beyond the
data during whole fits. `steps`: passes to the end for three ways of taking a step of EM.
"""

from __future__ import annotations

import argparse
import platform
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture as Peer
from threadpoolctl import threadpool_limits

from emplus import FactorAnalyzerMixture
from emplus.data.memory import ArraySource
from emplus.datasets import make_spiral
from emplus.engine.loop import Engine, Stopping
from emplus.engine.problem import Problem, State
from emplus.engine.rules import Proposals
from emplus.families.factor_analyzer import FactorAnalyzer
from emplus.families.factor_parameters import FactorParameters, canonical
from emplus.families.factor_prior import PhantomFactorRows
from emplus.families.factor_statistics import FactorStatistics
from emplus.mixture import Mixture
from emplus.numerics.logspace import log_or_minus_infinity
from emplus.starts.calibration import calibrated_prior
from emplus.starts.registry import make_start

Array = NDArray[np.floating[Any]]

PARTS = ("iteration", "dimensions", "memory", "steps")
TURNS = 5


def make_rows(n: int, d: int, k: int, q: int, seed: int = 0) -> Array:
    """Rows of k factor analyzers that lie apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    X = 2.0 * rng.standard_normal((k, d))[labels]
    X += rng.standard_normal((n, d))
    for j, loadings in enumerate(rng.standard_normal((k, d, q))):
        own = labels == j
        X[own] += rng.standard_normal((int(own.sum()), q)) @ loadings.T
    return X


def problem_and_start(X: Array, k: int, q: int) -> tuple[Problem, Mixture]:
    """What one iteration needs, the start from random labels."""
    family, source = FactorAnalyzer(q), ArraySource(X)
    problem = Problem(family, source, family.default_prior(source.moments(full=False), 1.0))
    rng = np.random.default_rng(0)
    centres = X[rng.choice(len(X), k, replace=False)]
    labels = np.argmax(X @ centres.T - 0.5 * (centres**2).sum(axis=1), axis=1)
    return problem, problem.estimate(X, np.eye(k)[labels])


def seconds_an_iteration(X: Array, k: int, q: int, passes: int) -> float:
    """The fastest of some turns of a climb, per pass."""
    problem, start = problem_and_start(X, k, q)
    engine = Engine(stopping=Stopping(-np.inf, passes))
    times = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        climb = engine.climb(problem, start)
        times.append((time.perf_counter() - begun) / climb.passes)
    return min(times)


def peer_seconds(X: Array, k: int) -> float:
    """scikit-learn's full-covariance E and M step, called directly, without start and checks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = Peer(k, max_iter=1, init_params="random_from_data", random_state=0).fit(X)
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        _, log_resp = peer._e_step(X)
        peer._m_step(X, log_resp)
        times.append(time.perf_counter() - begun)
    return min(times)


def iteration(quick: bool) -> None:
    """One iteration beside scikit-learn's."""
    n, d, k, q = (2_000 if quick else 20_000), 784, 10, 8
    X = make_rows(n, d, k, q)
    ours = seconds_an_iteration(X, k, q, 5)
    time.sleep(0.2)
    with threadpool_limits(2):
        theirs = peer_seconds(X, k)
    print(f"({n:,}, {d}, {k}), q = {q}: {ours:.4f} s an iteration")
    print(f"scikit-learn, full covariances: {theirs:.3f} s; ratio {theirs / ours:.1f} (asked: 15)")


def dimensions(quick: bool) -> None:
    """Seconds an iteration against d."""
    n, k, q = (1_000 if quick else 10_000), 10, 8
    print(f"n = {n:,}, k = {k}, q = {q}\n    d   seconds   microseconds a column")
    for d in (50, 100, 200, 400, 800, 1600, 3200):
        seconds = seconds_an_iteration(make_rows(n, d, k, q), k, q, 5)
        print(f"{d:5d}{seconds:10.4f}{1e6 * seconds / d:12.1f}", flush=True)


def memory(quick: bool) -> None:
    """Most megabytes beyond the data during whole fits."""
    n = 2_000 if quick else 20_000
    for rows, d, k, q in ((n, 784, 10, 8), (1_000, 10_000, 10, 8)):
        X = make_rows(rows, d, k, q)
        for search in ("em", "split_merge"):
            model = FactorAnalyzerMixture(k, n_factors=q, search=search, tol=1e-4, random_state=0)
            begun = time.perf_counter()
            peak = peak_memory(partial(model.fit, X))
            seconds = time.perf_counter() - begun
            print(
                f"({rows:,}, {d}, {k}), q = {q}, {search}: {peak:.0f} MB beyond the data's "
                f"{X.nbytes / 1e6:.0f} MB, {model.result_.passes:.0f} passes, {seconds:.0f} s",
                flush=True,
            )


def peak_memory(run: Callable[[], Any]) -> float:
    """Most megabytes allocated while it runs."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # In a thread of its own, so that its scratch arrays are counted as well.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - before) / 1e6


class JointStep:
    """EM as Ghahramani & Hinton (1996) state it: means and loadings from one regression."""

    def propose(self, problem: Problem, state: State) -> Mixture:
        """The next mixture."""
        return mixed(state, joint_parameters(state.statistics, problem.prior))


class AlternatingStep:
    """AECM (McLachlan & Peel 2000, section 8.2): means first, then a new E step for the factors."""

    def propose(self, problem: Problem, state: State) -> Mixture:
        """The next mixture, at the cost of one more pass."""
        statistics: Any = state.statistics
        means = statistics.means()
        first = mixed(state, replace(statistics.expected, means=means))
        again: Any = problem.evaluate(first).statistics
        # Scatter about the means as they are, though the new responsibilities have moved theirs.
        fixed = replace(again.moved(means), first=np.zeros_like(means))
        return Mixture(
            problem.family, first.log_weights, problem.family.maximize(fixed, problem.prior)
        )


def mixed(state: State, parameters: FactorParameters) -> Mixture:
    """A mixture with the weights that the statistics tell."""
    weight = state.statistics.weight
    log_weights = log_or_minus_infinity(weight / weight.sum())
    return Mixture(state.mixture.family, log_weights, parameters)


def joint_parameters(statistics: Any, prior: PhantomFactorRows) -> FactorParameters:
    """Loadings and means by one regression of the rows on (z, 1), noise from what it leaves."""
    old: FactorParameters = statistics.expected
    about: FactorStatistics = statistics.moved(old.means)
    projections, _, inverse = old.posterior
    turn = inverse.swapaxes(1, 2)
    spread = prior.strength * prior.variances
    weight, d = about.weight, old.means.shape[1]
    q = old.n_factors
    cross = about.cross + projections * spread
    inner = cross @ projections.swapaxes(1, 2)
    normal = np.zeros((len(weight), q + 1, q + 1))
    mass = (weight + prior.strength)[:, None, None]
    normal[:, :q, :q] = turn @ (mass * np.eye(q) + inner) @ inverse
    normal[:, :q, q] = normal[:, q, :q] = np.einsum("kqr,kr->kq", turn, about.factor_sums())
    normal[:, q, q] = weight
    target = np.concatenate([turn @ cross, about.first[:, None]], axis=1)
    solution = np.linalg.solve(normal, target)
    left = about.second + spread - np.einsum("kqa,kqa->ka", solution, target)
    noise = (left + prior.strength * prior.noise) / (weight + prior.strength)[:, None]
    assert solution.shape == (len(weight), q + 1, d)
    loadings = canonical(solution[:, :q].swapaxes(1, 2))
    return FactorParameters(old.means + solution[:, q], loadings, noise, old.structure)


def steps(quick: bool) -> None:
    """Passes from the foot of a hill until within 1e-4 nats a row of its top."""
    sets = {
        "spiral (k=10, q=1)": (make_spiral(2_000, seed=0).X, 10, 1),
        "wine (k=3, q=4)": (standardized_wine(), 3, 4),
        "digits (k=10, q=8)": (digits(), 10, 8),
    }
    rules: dict[str, Any] = {"one pass": None, "joint": JointStep, "AECM": AlternatingStep}
    print(
        "passes from the same 20th mixture to within 1e-4 nats a row of the end, mean over starts"
    )
    print(f"{'':22s}" + "".join(f"{name:>12s}" for name in rules))
    for name, (X, k, q) in sets.items():
        family, source = FactorAnalyzer(q), ArraySource(X)
        problem = Problem(family, source, calibrated_prior(family, source, k))
        counted = np.array([passes(problem, k, seed, rules) for seed in range(2 if quick else 10)])
        lost = int(np.isnan(counted).any(axis=1).sum())
        counted = counted[~np.isnan(counted).any(axis=1)]
        shown = "".join(f"{column.mean() if len(column) else np.nan:12.0f}" for column in counted.T)
        print(
            f"{name:22s}{shown}"
            + (f"   ({lost} starts left out: the three ended apart)" if lost else "")
        )


def passes(problem: Problem, k: int, seed: int, rules: dict[str, Any]) -> list[float]:
    """Passes of each rule from one start; NaN where it ends elsewhere than the highest."""
    start = make_start("k-means++")(problem, k, np.random.default_rng(seed))
    # From the start itself the rules go to different hills.
    start = Engine(stopping=Stopping(-np.inf, 20)).climb(problem, start).state.mixture
    allowed = 1e-4 * problem.source.total_weight
    found = []
    for rule in rules.values():
        stopping = Stopping(1e-8, 3000)
        engine = (
            Engine(stopping=stopping)
            if rule is None
            else Engine(Proposals(rule().propose), stopping)
        )
        found.append(np.array(engine.climb(problem, start).objectives))
    counted = []
    for rule, objectives in zip(rules.values(), found, strict=True):
        near = np.flatnonzero(objectives >= objectives[-1] - allowed)[0] + 1
        each = 2 if rule is AlternatingStep else 1
        same = abs(objectives[-1] - found[0][-1]) < 10 * allowed
        counted.append(float(near * each) if same else np.nan)
    return counted


def standardized_wine() -> Array:
    """scikit-learn's wine, columns of mean 0 and variance 1."""
    from sklearn.datasets import load_wine

    X = load_wine().data
    return np.asarray((X - X.mean(axis=0)) / X.std(axis=0, ddof=1))


def digits() -> Array:
    """scikit-learn's digits, spread over their grey levels."""
    from sklearn.datasets import load_digits

    X = load_digits().data
    return np.asarray(X + np.random.default_rng(0).random(X.shape))


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer rows: does it run at all?")
    args = parser.parse_args()
    chosen = args.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, {platform.machine()}")
    for name in chosen:
        print(f"\n-- {name}")
        {"iteration": iteration, "dimensions": dimensions, "memory": memory, "steps": steps}[name](
            args.quick
        )


if __name__ == "__main__":
    main()
