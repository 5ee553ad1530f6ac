"""Acceleration: no lower than EM, in fewer passes where EM is slow, EM itself elsewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus import Mixture
from emplus.data.memory import ArraySource
from emplus.engine.acceleration import (
    Accelerated,
    Anderson,
    Point,
    QuasiNewton,
    Scheme,
    Squarem,
)
from emplus.engine.loop import Climb, Engine, Stopping
from emplus.engine.outcome import Outcome
from emplus.engine.problem import Problem, State
from emplus.engine.rules import EM, StepRule
from tests.cases import GAUSSIAN_CASES, Array, FamilyCase, every_family

CASE = GAUSSIAN_CASES[0]
SCHEMES: dict[str, Scheme] = {
    "quasi-newton": QuasiNewton(),
    "anderson": Anderson(),
    "squarem": Squarem(),
}
every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))


def climb(
    problem: Problem, start: Mixture, rule: StepRule, tol: float = 1e-9, max_iter: int = 5000
) -> Climb:
    return Engine(rule, Stopping(tol, max_iter)).climb(problem, start)


def eager(scheme: Scheme) -> Accelerated:
    """Extrapolates as soon as it can, whether or not EM is slow."""
    return Accelerated(scheme, slow=0.0, small=np.inf)


def slow_problem(d: int, seed: int) -> tuple[Problem, Mixture]:
    """Two Gaussians two standard deviations apart, weights 2 : 1, and a rough start."""
    rng = np.random.default_rng(seed)
    second = rng.random(2000) < 1 / 3
    X = rng.standard_normal((2000, d))
    X[:, 0] += 2.0 * second
    problem = CASE.problem(X)
    return problem, problem.estimate(X, np.where(X[:, :1] > 1.0, [0.1, 0.9], [0.9, 0.1]))


SLOW = [(1, 6), (2, 0)]
every_slow_problem = pytest.mark.parametrize(("d", "seed"), SLOW)


@cache
def em_on_slow(d: int, seed: int) -> Climb:
    return climb(*slow_problem(d, seed), EM())


@cache
def limit_of_slow(d: int, seed: int) -> float:
    """The top of the hill, to rounding."""
    found = climb(*slow_problem(d, seed), Accelerated(), 0.0)
    again = climb(slow_problem(d, seed)[0], found.state.mixture, EM(), 1e-13)
    return max(found.state.objective, again.state.objective)


@every_scheme
@every_family
def test_never_falls_and_never_ends_lower(case: FamilyCase, scheme: Scheme) -> None:
    problem = case.problem(case.rows(200, 3), strength=0.5)
    accelerated = climb(problem, case.mixture, eager(scheme), 1e-8, 120)
    plain = climb(problem, case.mixture, EM(), 1e-8, accelerated.passes - 1)
    assert accelerated.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)
    slack = 2.0 * accelerated.state.rounding
    assert np.diff(accelerated.objectives).min() >= -slack
    # A tolerance of 1e-8 nats a row leaves both somewhat below the top.
    assert accelerated.state.objective >= plain.state.objective - 2e-6 * 200
    again = problem.evaluate(accelerated.state.mixture)
    assert again.objective == accelerated.state.objective


@every_slow_problem
def test_plain_em_is_slow_and_the_default_takes_a_fifth_of_its_passes(d: int, seed: int) -> None:
    problem, start = slow_problem(d, seed)
    plain, limit = em_on_slow(d, seed), limit_of_slow(d, seed)
    assert plain.outcome is Outcome.CONVERGED
    assert plain.n_iter > 1000
    near = int(np.argmax(np.array(plain.objectives) >= limit - 1e-6 * 2000))
    default = climb(problem, start, Accelerated())
    assert default.outcome is Outcome.CONVERGED
    # All its passes, those that it took to see that it was there included.
    assert default.passes < near / 5
    assert default.state.objective >= limit - 1e-8 * 2000


@every_slow_problem
@every_scheme
def test_every_scheme_takes_fewer_passes_and_ends_no_lower(
    scheme: Scheme, d: int, seed: int
) -> None:
    plain = em_on_slow(d, seed)
    found = climb(*slow_problem(d, seed), Accelerated(scheme))
    assert found.outcome is Outcome.CONVERGED
    assert found.passes < plain.passes / (5 if scheme == Squarem() else 10)
    assert found.state.objective >= plain.state.objective
    assert np.diff(found.objectives).min() >= -found.state.rounding


@every_family
def test_until_em_is_slow_the_default_takes_its_steps_to_the_bit(case: FamilyCase) -> None:
    mixture = case.like(3, 8.0)
    problem = case.problem(mixture.sample(400, np.random.default_rng(1))[0], strength=1.0)
    plain = climb(problem, mixture, EM(), 1e-5)
    default = climb(problem, mixture, Accelerated(), 1e-5)
    assert plain.outcome is default.outcome is Outcome.CONVERGED
    gains = np.diff(plain.objectives)
    slow = np.r_[False, (gains[1:] >= 0.8 * gains[:-1]) & (gains[1:] <= 3e-5 * 400)]
    twice = np.flatnonzero(slow[1:] & slow[:-1])
    if not len(twice):
        assert default.objectives == plain.objectives
        assert default.passes == plain.passes
        return
    same = int(twice[0]) + 3
    assert default.objectives[:same] == plain.objectives[:same]
    assert default.n_iter < plain.n_iter


def test_what_cannot_be_remembered_is_plain_em(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = CASE.problem(CASE.rows(200))
    plain = climb(problem, CASE.mixture, EM(), max_iter=30)
    monkeypatch.setattr("emplus.engine.acceleration._NUMBERS_KEPT", 3)
    found = climb(problem, CASE.mixture, eager(QuasiNewton()), max_iter=30)
    assert found.objectives == plain.objectives
    monkeypatch.undo()
    other = climb(problem, CASE.mixture, eager(QuasiNewton()), max_iter=30)
    assert other.objectives != plain.objectives


@every_scheme
@pytest.mark.parametrize("what", ["holes", "labels", "tempered"])
def test_rows_of_other_kinds(scheme: Scheme, what: str) -> None:
    rng = np.random.default_rng(2)
    X, labels = CASE.mixture.sample(300, rng)
    if what == "holes":
        X[rng.random(X.shape) < 0.3] = np.nan
    problem = CASE.problem(X, rng.uniform(0.2, 2.0, 300))
    if what == "labels":
        known = np.where(rng.random(300) < 0.2, labels, -1)
        problem = replace(problem, source=ArraySource(X, n_jobs=1, labels=known))
    if what == "tempered":
        problem = replace(problem, inverse_temperature=0.7)
    found = climb(problem, CASE.mixture, eager(scheme), 1e-9, 2000)
    plain = climb(problem, CASE.mixture, EM(), 1e-9, 2000)
    assert found.outcome is plain.outcome is Outcome.CONVERGED
    assert np.diff(found.objectives).min() >= -found.state.rounding
    assert_allclose(found.state.objective, plain.state.objective, atol=1e-4)
    assert found.passes < plain.passes


@every_scheme
def test_units_and_origins_of_columns_do_not_matter(scheme: Scheme) -> None:
    X, scale = CASE.rows(200), np.array([1e-3, 700.0])
    family, parameters = CASE.family.map_columns(CASE.mixture.parameters, scale, 5.0 * scale)
    other = replace(CASE.mixture, family=family, parameters=parameters)
    one = climb(CASE.problem(X), CASE.mixture, eager(scheme), max_iter=12)
    two = climb(CASE.problem(X * scale + 5.0 * scale), other, eager(scheme), max_iter=12)
    assert one.passes == two.passes
    gains, others = (np.array(found.objectives) - found.objectives[0] for found in (one, two))
    assert_allclose(others, gains, rtol=1e-6, atol=1e-7)


@every_scheme
def test_without_a_prior_a_collapse_is_still_an_outcome(scheme: Scheme) -> None:
    X: Array = np.vstack([CASE.rows(30), [[50.0, 50.0], [50.0, 50.0]]])
    labels = np.r_[np.zeros(15, int), np.ones(15, int), 2, 2]
    start = CASE.problem(X, strength=1.0).estimate(X, np.eye(3)[labels])
    found = climb(CASE.problem(X, strength=0.0), start, eager(scheme))
    assert (found.outcome, found.component) == (Outcome.SINGULAR, 2)
    assert np.isfinite(found.state.objective)


@every_scheme
def test_an_interrupt_keeps_the_best(scheme: Scheme) -> None:
    problem, start = slow_problem(*SLOW[0])
    rule = eager(scheme)
    full = climb(problem, start, rule, 0.0, 12)
    assert (full.outcome, full.n_iter) == (Outcome.ITERATIONS_EXHAUSTED, 12)

    def press(state: State) -> None:
        if state.iteration == 9:
            raise KeyboardInterrupt

    found = Engine(rule, Stopping(0.0, 12), (press,)).climb(problem, start)
    assert (found.outcome, found.n_iter) == (Outcome.INTERRUPTED, 9)
    assert found.state.objective == max(full.objectives[:10])


@every_scheme
def test_every_pass_is_counted(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, start = slow_problem(*SLOW[1])
    taken, evaluate = [], Problem.evaluate

    def counted(self: Problem, mixture: Mixture, iteration: int = 0) -> State:
        taken.append(iteration)
        return evaluate(self, mixture, iteration)

    monkeypatch.setattr(Problem, "evaluate", counted)
    found = climb(problem, start, eager(scheme), 0.0, 60)
    assert found.passes == len(taken) == found.state.passes


# What the schemes do where the right answer is known.


def quadratic(p: int, seed: int) -> tuple[Array, Array, Array]:
    """The top (p,), minus the Hessian (p, p), and a metric (p, p) that is not its inverse."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, p, 2 * p))
    hessian, metric = roots @ roots.swapaxes(1, 2)
    return rng.standard_normal(p), hessian, metric


def point(vector: Array, top: Array, hessian: Array, metric: Array) -> Point:
    gradient = hessian @ (top - vector)
    return Point(vector, metric @ gradient, gradient)


@pytest.mark.parametrize("p", [1, 2, 5, 10])
def test_quasi_newton_knows_a_quadratic_after_conjugate_steps(p: int) -> None:
    top, hessian, metric = quadratic(p, 0)
    directions = np.linalg.eigh(hessian)[1].T
    lengths = np.random.default_rng(1).uniform(0.5, 2.0, (p, 1))
    vectors = np.vstack([np.zeros(p), np.cumsum(lengths * directions, axis=0)])
    points = [point(vector, top, hessian, metric) for vector in vectors]
    scheme = QuasiNewton(p + 1)
    step = scheme.step(points, 1.0)
    assert step is not None
    # Newton's own step leads to the top at once.
    assert_allclose(points[-1].vector + step, top, atol=1e-9)
    half = scheme.step(points, 0.5)
    assert half is not None
    assert_allclose(half, 0.5 * step)


@pytest.mark.parametrize("p", [2, 5, 10])
def test_quasi_newton_with_exact_line_searches_ends_after_p_steps(p: int) -> None:
    top, hessian, metric = quadratic(p, 2)
    points = [point(np.zeros(p), top, hessian, metric)]
    for _ in range(p):
        here = points[-1]
        step = QuasiNewton(p + 1).step(points, 1.0)
        step = here.step if step is None else step
        exact = float(here.gradient @ step) / float(step @ hessian @ step)
        points.append(point(here.vector + exact * step, top, hessian, metric))
    assert_allclose(points[-1].vector, top, atol=1e-7)
    assert np.linalg.norm(points[-2].vector - top) > 1e-3


def test_quasi_newton_leaves_out_what_is_not_concave() -> None:
    top, hessian, metric = np.zeros(2), np.diag([1.0, -1.0]), np.eye(2)
    start, along, across = np.array([2.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 5.0])
    points = [point(vector, top, hessian, metric) for vector in (start, along, across)]
    step = QuasiNewton().step(points, 1.0)
    assert step is not None
    assert_allclose(step, [-1.0, 5.0])
    assert QuasiNewton().step(points[1:], 1.0) is None
    assert QuasiNewton().step(points[:1], 1.0) is None


def linear_map(p: int) -> tuple[Array, list[Point]]:
    """The fixed point of x' = F + A (x - F), and points that plain steps lead through."""
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((p, p)))[0]
    rates = basis @ np.diag(np.linspace(0.2, 0.95, p)) @ basis.T
    fixed, vector, points = rng.standard_normal(p), np.zeros(p), []
    for _ in range(p + 1):
        step = (rates - np.eye(p)) @ (vector - fixed)
        points.append(Point(vector, step, step))
        vector = vector + step
    return fixed, points


@pytest.mark.parametrize("p", [1, 2, 4])
def test_anderson_solves_a_linear_map_from_one_point_more_than_dimensions(p: int) -> None:
    top, hessian, metric = quadratic(p, 4)
    # So small that plain steps come nearer, as those of EM do.
    metric = 0.9 * metric / float(np.linalg.eigvals(metric @ hessian).real.max())
    vector, points = np.zeros(p), []
    for _ in range(p + 1):
        points.append(point(vector, top, hessian, metric))
        vector = vector + points[-1].step
    step = Anderson(p + 1, least=0.0).step(points, 1.0)
    assert step is not None
    assert_allclose(points[-1].vector + step, top, atol=1e-6)
    assert np.linalg.norm(vector - top) > 1e-3
    assert Anderson().step(points[:1], 1.0) is None


def test_where_steps_do_not_change_anderson_learns_nothing_and_squarem_goes_far() -> None:
    points = [Point(np.full(2, t), np.ones(2), np.ones(2)) for t in (0.0, 1.0)]
    assert Anderson().step(points, 1.0) is None
    step = Squarem().step(points, 1.0)
    assert step is not None
    # x - 2 a r + a^2 v with a = -30 and v = 0, less the step that led here.
    assert_allclose(step, 59.0)


def near_a_saddle() -> tuple[Problem, Mixture]:
    """Two components that are nearly one: EM's steps are tiny, and grow."""
    problem, _ = slow_problem(1, 6)
    X = problem.source.take(slice(None))[0]
    return problem, problem.estimate(X, 0.5 + 1e-3 * np.tanh(X - X.mean()) * [-1.0, 1.0])


@cache
def em_from_the_saddle() -> Climb:
    return climb(*near_a_saddle(), EM(), 1e-12, 20_000)


@every_scheme
def test_leaves_a_saddle_in_fewer_passes_than_em(scheme: Scheme) -> None:
    plain = em_from_the_saddle()
    found = climb(*near_a_saddle(), Accelerated(scheme), 1e-12, 20_000)
    for end in (plain, found):
        assert end.state.objective > limit_of_slow(1, 6) - 1e-6 * 2000
    assert found.passes < plain.passes / 10


def test_squared_extrapolation_lands_on_the_fixed_point_in_one_dimension() -> None:
    fixed, points = linear_map(1)
    step = Squarem().step(points, 1.0)
    assert step is not None
    assert_allclose(points[-1].vector + step, fixed, atol=1e-12)
    # Cut down to nothing it is two plain steps; it needs both of them.
    shortest = Squarem().step(points, 0.0)
    assert shortest is not None
    assert_allclose(shortest, points[-1].step)
    assert Squarem().step([points[0], replace(points[1], plain=False)], 1.0) is None
