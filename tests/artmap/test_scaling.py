"""Units of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emplus.artmap.scaling import SCALINGS, Scaling, column_units
from emplus.errors import UnknownNameError

LABELS = np.arange(30) % 3
ROWS = np.random.default_rng(0).normal(size=(30, 2)) + 4.0 * LABELS[:, None]


@pytest.mark.parametrize("kind", [*SCALINGS, None])
def test_there_and_back(kind: str | None) -> None:
    scaling = column_units(kind, ROWS, LABELS)
    units = scaling.apply(ROWS)
    assert_allclose(scaling.means(units), ROWS)
    assert_allclose(scaling.variances(units.var(axis=0)), ROWS.var(axis=0))


def test_units_by_their_definition() -> None:
    assert_allclose(column_units("standard", ROWS, LABELS).unit, ROWS.std(axis=0))
    assert_allclose(column_units("minmax", ROWS, LABELS).apply(ROWS).min(axis=0), 0.0)
    assert_allclose(column_units("minmax", ROWS, LABELS).apply(ROWS).max(axis=0), 1.0)
    assert_array_equal(column_units(None, ROWS, LABELS).unit, 1.0)
    scatter = sum(10 * ROWS[np.equal(LABELS, label)].var(axis=0) for label in range(3))
    wanted = np.sqrt((scatter + ROWS.var(axis=0)) / 28)
    assert_allclose(column_units("within", ROWS, LABELS).unit, wanted)
    each = column_units("within", ROWS, np.arange(30)).unit
    assert_allclose(each, ROWS.std(axis=0))


@pytest.mark.parametrize("kind", [*SCALINGS, None])
@pytest.mark.parametrize("value", [0.0, 7.0, 0.1 + 1e8])
def test_a_column_without_differences_is_left_as_it_is(kind: str | None, value: float) -> None:
    scaling = column_units(kind, np.full((5, 1), value), np.arange(5) % 2)
    assert_array_equal(scaling.unit, [1.0])
    assert_array_equal(scaling.apply(np.array([[value]])), [[0.0]])


def test_squares_of_far_rows_do_not_overflow() -> None:
    scaling = Scaling(np.zeros(1), np.full(1, 1e-100))
    assert np.isfinite(scaling.apply(np.array([[1e140], [-1e140]])) ** 2).all()


@pytest.mark.parametrize("kind", ["stndard", 3, "none"])
def test_an_unknown_name_is_refused(kind: Any) -> None:
    with pytest.raises(UnknownNameError, match="standard"):
        column_units(kind, ROWS, LABELS)
