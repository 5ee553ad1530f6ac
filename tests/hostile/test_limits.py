"""Rows too far away, matrices too large, and errors that cross the borders of processes."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emplus.errors
from emplus import GaussianMixture, MixedMixture, MixtureClassifier, datasets
from emplus.errors import DataError, UnknownNameError
from emplus.families.base import SingularComponentError
from tests.hostile.outcomes import check_sentence, modest
from tests.hostile.test_arrays import CLASSIFIERS, ESTIMATORS, N, classes

# Rows too far away --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "categorical"])
@pytest.mark.parametrize("unit", [1.0, 1e-100])
@pytest.mark.parametrize("holes", [False, True], ids=["whole", "holes"])
def test_far_rows_are_scored_without_a_warning(name: str, unit: float, holes: bool) -> None:
    if holes and name == "artmap":
        pytest.skip("takes no missing entries")
    estimator = ESTIMATORS[name]("em")
    if name == "bernoulli":
        estimator.set_params(binarize=0.0)
    rows = unit * N
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that ran out
        model = estimator.fit(rows, classes(N)) if name in CLASSIFIERS else estimator.fit(rows)
    near = model.predict(rows)
    for far in (1e30, 1e100, 1e139, 1e150, 1e200, 1e300, np.finfo(float).max):
        X = np.array([[far, 0, 0], [-far, far, 1], [0, 0, -far]])
        X[0, 1] = np.nan if holes else 0.0
        resp, scores = model.predict_proba(X), getattr(model, "score_samples", len)(X)
        np.testing.assert_allclose(resp.sum(axis=1), 1.0, atol=1e-9)
        assert (resp >= 0).all()
        assert not np.isnan(scores).any()
        assert np.max(scores) < np.inf
        assert set(model.predict(X)) <= {0, 1}
        if name not in CLASSIFIERS:
            assert not np.isnan(model.score(X))
        if name == "classifier":
            assert not np.isnan(model.decision_function(X)).any()
            assert not np.isnan(model.predict_log_proba(X)).any()
    np.testing.assert_array_equal(model.predict(rows), near)


# Matrices too large -------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["full", "tied"])
@pytest.mark.parametrize("kind", [GaussianMixture, MixedMixture])
def test_matrices_that_no_memory_holds_are_refused(kind: Any, structure: str) -> None:
    X = np.random.default_rng(0).standard_normal((3, 3000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emplus.estimators.validation.physical_memory", lambda: 5e7)
        with pytest.raises(DataError, match=f"'{structure}' needs 0 GB .* 3,000 columns") as caught:
            kind(2, covariance_type=structure).fit(X)
    check_sentence(str(caught.value))
    assert "covariance_type='diag' or FactorAnalyzerMixture" in str(caught.value)


def test_a_million_columns_are_refused_before_anything_is_allocated() -> None:
    X = np.random.default_rng(0).standard_normal((2, 10**6))
    for model in (GaussianMixture(1), MixtureClassifier(GaussianMixture(1))):
        with modest(X.nbytes, 2**26), pytest.raises(DataError, match=r"8,000 GB .* 1,000,000"):
            model.fit(X, [0, 1]) if isinstance(model, MixtureClassifier) else model.fit(X)


# Errors -------------------------------------------------------------------------------------

ERRORS: list[BaseException] = [
    *(getattr(emplus.errors, name)("A sentence.") for name in emplus.errors.__all__
      if name not in ("UnknownNameError", "say")),
    UnknownNameError("search", "emm", ["em", "restarts"]),
    SingularComponentError(3, "its rows are equal"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_are_the_same_in_another_process(error: BaseException) -> None:
    error.add_note("where it was")
    made = [pickle.loads(pickle.dumps(error, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in (*made, copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert (str(other), other.args, repr(other)) == (str(error), error.args, repr(error))
    if isinstance(error, SingularComponentError):
        assert (made[0].component, made[0].reason) == (3, "its rows are equal")


# Archives of data sets ----------------------------------------------------------------------


def _saved(array: Any, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def _claiming(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + text.encode().ljust(117) + b"\n" + bytes(64)


LIES: dict[str, tuple[dict[str, bytes], str]] = {
    "a bomb": ({"X.npy": _saved(np.zeros((2**20, 9)))}, "would unpack"),
    "a bomb beside the rows": (
        {"X.npy": _saved(N), "y.npy": _saved(np.zeros(2**24))}, "would unpack"
    ),
    "a terabyte": ({"X.npy": _claiming("2**37, 1"), "y.npy": b""}, "cannot be read"),
    "rows that are not there": ({"X.npy": _claiming("137438953472, 1")}, "claims more"),
    "objects": ({"X.npy": _saved(np.array([[{}, None]]), True)}, "allow_pickle"),
    "a name that climbs": ({"X.npy": _saved(N), "../x.npy": _saved(N)}, "a path"),
    "a name from the root": ({"X.npy": _saved(N), "/etc/x.npy": b""}, "a path"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_data_sets_that_lie_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPLUS_DATA", str(tmp_path))
    members, words = LIES[name]
    with zipfile.ZipFile(tmp_path / "mine.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, contents in members.items():
            archive.writestr(member, contents)
    size = (tmp_path / "mine.npz").stat().st_size
    with modest(size), pytest.raises(DataError, match=words) as caught:
        datasets.load("mine")
    check_sentence(str(caught.value))


@pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "a/../mine", "mine\0", "..", "."])
def test_names_of_data_sets_are_no_paths(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "mine.npz", X=N)
    (tmp_path / "below").mkdir()
    monkeypatch.setenv("EMPLUS_DATA", str(tmp_path / "below"))
    with pytest.raises((DataError, UnknownNameError)) as caught:
        datasets.load(name)
    assert "\0" not in str(caught.value)
