"""``emplus impute``: holes filled, everything else as it was."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import emplus
from emplus.io import load

Run = Callable[..., Result]

KNOWN = "id,age,smoker,score,city,flag\n" + "".join(
    f"p{i},{60 + i % 7 if i % 2 else 25 + i % 5},{'no' if i % 2 else 'yes'},"
    f"{1 + i % 2 + i % 9 / 10},{'Bern' if i % 2 else 'Basel'},{i % 2}\n"
    for i in range(40)
)
HOLES = "x1,,no,2.50,Bern,1\nx2,27,,1.250,,0\nx3,26,yes,,Basel,\n"
COLUMNS = "age,smoker,score,city,flag"


@pytest.fixture
def fitted(run: Run) -> pd.DataFrame:
    """A model m of two groups of people; t.csv has three rows with holes besides."""
    Path("t.csv").write_text(KNOWN + HOLES)
    args = ("--columns", COLUMNS, "--output", "m", "--quiet")
    assert run("fit", "t.csv", "-k", "2", *args).exit_code == 0
    return pd.read_csv("t.csv")


def rows_of(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


@pytest.mark.parametrize("draw", [(), ("--draw", "--seed", "0")])
def test_only_holes_change(draw: tuple[str, ...], fitted: pd.DataFrame, run: Run) -> None:
    result = run("impute", "m", "t.csv", *draw)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "Filled 5 entries in 3 of 43 rows.\n"
    before, after = rows_of(KNOWN + HOLES), rows_of(result.stdout)
    for old, new in zip(before, after, strict=True):
        assert len(old) == len(new)
        assert all(cell in ("", filled) for cell, filled in zip(old, new, strict=True))
        assert "" not in new
    back = pd.read_csv(StringIO(result.stdout))
    kinds = fitted.dropna().convert_dtypes().dtypes
    assert back.convert_dtypes().dtypes.to_dict() == kinds.to_dict()


def test_it_is_what_the_model_expects(fitted: pd.DataFrame, run: Run) -> None:
    assert run("impute", "m", "t.csv", "--output", "f.csv").stdout.startswith("Filled 5 entries")
    found = pd.read_csv("f.csv")[COLUMNS.split(",")]
    filled = load("m").impute(fitted[COLUMNS.split(",")])
    assert found["smoker"].tolist() == filled["smoker"].tolist()
    assert found["city"].tolist() == filled["city"].tolist()
    assert np.array_equal(found["score"], filled["score"])
    # Ages are whole numbers in the table, so what is put in is one, too.
    assert np.array_equal(found["age"], np.rint(filled["age"]))
    assert 58 < found["age"][40] < 68
    assert found["smoker"][41] == "yes"


def test_draws_follow_the_seed(fitted: pd.DataFrame, run: Run) -> None:
    first, again, other = (run("impute", "m", "t.csv", "--draw", "--seed", s).stdout for s in "001")
    assert first == again
    assert first != other
    own = load("m").sample_missing(fitted[COLUMNS.split(",")], 0)
    assert pd.read_csv(StringIO(first))["score"].tolist() == own["score"].tolist()


def test_columns_are_chosen_and_found_by_name(fitted: pd.DataFrame, run: Run) -> None:
    whole = pd.read_csv(StringIO(run("impute", "m", "t.csv").stdout))
    turned = fitted[["flag", "city", "score", "id", "smoker", "age"]]
    turned.to_csv("u.csv", index=False)
    found = pd.read_csv(StringIO(run("impute", "m", "u.csv").stdout))
    assert list(found) == list(turned)
    pd.testing.assert_frame_equal(found[list(whole)], whole, check_dtype=False)
    chosen = pd.read_csv(StringIO(run("impute", "m", "t.csv", "--columns", COLUMNS).stdout))
    pd.testing.assert_frame_equal(chosen, whole.drop(columns="id"), check_dtype=False)


def test_nothing_to_fill_is_said(model: str, run: Run) -> None:
    result = run("impute", model, "faithful", "--output", "f.csv")
    assert result.stdout == "Filled 0 entries in 0 of 272 rows.\n"
    assert np.array_equal(pd.read_csv("f.csv"), emplus.datasets.load("faithful").X)


def test_tables_without_a_header_and_arrays(run: Run) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 1)) + 0.1 * rng.standard_normal((30, 3))
    X[4, 1] = np.nan
    np.save("t.npy", X)
    pd.DataFrame(X).to_csv("t.csv", index=False, header=False)
    run("fit", "t.npy", "--output", "m", "--quiet")
    expected = load("m").impute(X)
    bare = pd.read_csv(StringIO(run("impute", "m", "t.csv").stdout), header=None)
    named = pd.read_csv(StringIO(run("impute", "m", "t.npy").stdout))
    assert list(named) == ["x0", "x1", "x2"]
    for found in (bare, named):
        assert np.allclose(found, expected, rtol=1e-12)


def test_truth_values_keep_their_spelling(run: Run) -> None:
    rows = [("True", "TRUE"), ("False", "FALSE")] * 10
    Path("t.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows) + "True,\n,FALSE\n")
    assert run("fit", "t.csv", "-k", "2", "--output", "m", "--quiet").exit_code == 0
    assert run("impute", "m", "t.csv").stdout.splitlines()[-2:] == ["True,TRUE", "False,FALSE"]
