"""Coordinates without constraints: back and forth, and gradients against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emplus.engine.coordinates import MixtureCoordinates
from emplus.engine.problem import Problem
from emplus.families.base import SingularComponentError
from tests.cases import Array, FamilyCase, every_continuous_family, every_family

STEP = 1e-5


def a_problem(case: FamilyCase, *, holes: bool = False, beta: float = 1.0) -> Problem:
    rng = np.random.default_rng(1)
    X = case.rows(120, 1)
    if holes:
        X[rng.random(X.shape) < 0.2] = np.nan
    problem = case.problem(X, rng.uniform(0.5, 2.0, len(X)), strength=1.5)
    return replace(problem, inverse_temperature=beta)


def a_place(case: FamilyCase, problem: Problem) -> tuple[MixtureCoordinates, Array]:
    """Some way from the example mixture."""
    coordinates = MixtureCoordinates(problem, case.mixture)
    vector = coordinates.free(case.mixture)
    return coordinates, vector + 0.1 * np.random.default_rng(2).standard_normal(len(vector))


@every_family
def test_a_vector_comes_back(case: FamilyCase) -> None:
    problem = a_problem(case)
    coordinates, vector = a_place(case, problem)
    mixture = coordinates.bind(vector)
    again = coordinates.free(mixture, vector)
    # Up to a constant in the logits, and in each column's logarithms.
    assert_allclose(again, vector, atol=1e-9)
    objective = problem.evaluate(mixture).objective
    assert_allclose(problem.evaluate(coordinates.bind(again)).objective, objective, rtol=1e-12)


@every_family
@pytest.mark.parametrize("what", ["complete", "incomplete", "tempered"])
def test_gradients_are_those_of_the_objective(case: FamilyCase, what: str) -> None:
    problem = a_problem(case, holes=what == "incomplete", beta=0.6 if what == "tempered" else 1.0)
    coordinates, vector = a_place(case, problem)
    gradient = coordinates.gradient(vector, problem.evaluate(coordinates.bind(vector)))
    rng = np.random.default_rng(3)
    # Along some directions, each of which every coordinate has a part in.
    for _ in range(4):
        along = rng.standard_normal(len(vector))
        ahead, behind = (
            problem.evaluate(coordinates.bind(vector + sign * STEP * along)).objective
            for sign in (1.0, -1.0)
        )
        slope = (ahead - behind) / (2.0 * STEP)
        scale = float(np.linalg.norm(gradient) * np.linalg.norm(along))
        assert abs(slope - gradient @ along) < 1e-7 * scale


@every_continuous_family
def test_coordinates_do_not_depend_on_units_and_origin(case: FamilyCase) -> None:
    if case.id == "gaussian-spherical" or "isotropic" in case.id:
        pytest.skip("other units take these out of their family")
    scale = np.exp(np.random.default_rng(4).normal(size=case.rows(1).shape[1]))
    X = case.rows(80)
    family, parameters = case.family.map_columns(case.mixture.parameters, scale, 3.0 * scale)
    assert family == case.family
    other = replace(case.mixture, parameters=parameters)
    mine = MixtureCoordinates(case.problem(X), case.mixture)
    others = MixtureCoordinates(case.problem(X * scale + 3.0 * scale), other)
    vector = mine.free(case.mixture)
    assert_allclose(others.free(other, vector), vector, rtol=1e-8, atol=1e-8)


@every_family
def test_numbers_that_overflow_are_an_error_with_a_component(case: FamilyCase) -> None:
    coordinates, vector = a_place(case, a_problem(case))
    for size in (np.nan, np.inf):
        with pytest.raises(SingularComponentError, match="component 0"):
            coordinates.bind(np.full_like(vector, size))
    if not case.real.any():
        return
    for size in (1e3, -1e3, 1e200):
        with pytest.raises(SingularComponentError, match="component"):
            coordinates.bind(vector + size)


@every_family
def test_a_component_without_weight_keeps_none(case: FamilyCase) -> None:
    problem = a_problem(case)
    log_weights = np.array([np.log(0.5), -np.inf, np.log(0.5)])
    mixture = replace(case.mixture, log_weights=log_weights)
    coordinates = MixtureCoordinates(problem, mixture)
    vector = coordinates.free(mixture)
    assert np.isfinite(vector).all()
    again = coordinates.bind(vector)
    assert_allclose(again.log_weights, log_weights, atol=1e-12)
    gradient = coordinates.gradient(vector, problem.evaluate(again))
    assert abs(gradient[1]) < 1e-100
