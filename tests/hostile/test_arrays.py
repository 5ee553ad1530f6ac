"""Arrays nobody should fit, given to every estimator: a finite model, or one documented error."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    FactorAnalyzerMixture,
    GaussianARTMAP,
    GaussianMixture,
    MixedMixture,
    MixtureClassifier,
)
from emplus.errors import EmplusError, EmplusWarning
from tests.hostile.outcomes import check_sentence

Make = Callable[[str], Any]


def _mixture(kind: Callable[..., Any], **arguments: Any) -> Make:
    return lambda search: kind(2, search=search, max_iter=10, random_state=0, **arguments)


def _of_classes(search: str) -> Any:
    diagonal = GaussianMixture(1, covariance_type="diag", search=search, max_iter=10)
    return MixtureClassifier(diagonal, max_iter=10, random_state=0)


COVARIANCES = ("full", "tied", "diag", "spherical")
MIXTURES: dict[str, Make] = {
    **{name: _mixture(GaussianMixture, covariance_type=name) for name in COVARIANCES},
    "factors": _mixture(FactorAnalyzerMixture),
    "common": _mixture(FactorAnalyzerMixture, loadings="common"),
    "bernoulli": _mixture(BernoulliMixture),
    "categorical": _mixture(CategoricalMixture),
    "mixed": _mixture(MixedMixture),
}
CLASSIFIERS: dict[str, Make] = {
    "classifier": _of_classes,
    "artmap": lambda search: GaussianARTMAP(max_epochs=5, random_state=0),
}
ESTIMATORS = {**MIXTURES, **CLASSIFIERS}
# By the default search in the table of numbers; the others by em, which costs a tenth.
SEARCHED = ("full", "diag")

N = np.random.default_rng(0).standard_normal((24, 3))
MOST = np.finfo(np.float64).max


def _embedded() -> Any:
    wide = np.zeros((48, 6))
    wide[::2, ::2] = N
    return wide[::2, ::2]


def _old(rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(rows)  # what old code gives


def _locked() -> Any:
    rows = N.copy()
    rows.flags.writeable = False
    return rows


# Numbers as real as any other: the fit is that of N.
FORMS: dict[str, Any] = {
    "every other entry": _embedded(),
    "columns first": np.asfortranarray(N),
    "backwards": N[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _locked(),
    "big-endian": N.astype(">f8"),
    "objects": N.astype(object),
    "a list": N.tolist(),
    "a frame": pd.DataFrame(N),
    "a big-endian frame": pd.DataFrame(N.astype(">f8")),
}

# Numbers that break what is careless: a model or an EmplusError.
NUMBERS: dict[str, Any] = {
    "1e100": 1e100 * N,
    "1e300": 1e300 * N,
    "the largest": np.full((8, 2), MOST),
    "the largest, both signs": np.where(N > 0, MOST, -MOST),
    "1e-100": 1e-100 * N,
    "1e-200": 1e-200 * N,
    "denormal": 5e-324 * np.round(3 * N),
    "denormal and one": np.vstack([5e-324 * np.round(N), np.ones((2, 3))]),
    "huge and tiny rows": np.vstack([1e130 * N[:12], 1e-130 * N[12:]]),
    "three rows, nine times": np.repeat(N[:3], 9, axis=0),
    "one row for all": np.broadcast_to(N[:1], (24, 3)),
    "one row": N[:1],
    "two rows": N[:2],
    "one column": N[:, :1],
    "half precision": N.astype(np.float16),
    "single, huge": (1e30 * N).astype(np.float32),
    "single, big-endian": N.astype(">f4"),
    "long doubles": N.astype(np.longdouble),
    "int8": np.round(N).astype(np.int8),
    "uint64": np.full((6, 2), 2**64 - 1, dtype=np.uint64),
    "ends of int64": np.array([[-(2**63), 2**63 - 1]] * 6),
    "truth values": N > 0,
    "zeros of both signs": np.where(N > 0, 0.0, -0.0),
    "nan": np.where(N > 1, np.nan, N),
    "nan in a row": np.vstack([N, np.full((1, 3), np.nan)]),
    "nan in a column": np.column_stack([N, np.full(24, np.nan)]),
    "all nan": np.full((6, 2), np.nan),
    "inf": np.where(N > 1, np.inf, N),
    "-inf": np.where(N > 1, -np.inf, N),
    "nan and inf": np.where(N > 1, np.inf, np.where(N < -1, np.nan, N)),
}

# What scikit-learn refuses in words of its own, as a ValueError or TypeError of more lines.
FOREIGN: dict[str, Any] = {
    "no rows": N[:0],
    "no columns": N[:, :0],
    "words among objects": np.array([[1, "a", None]] * 6, dtype=object),
    "dicts": np.array([[{}, []]] * 6, dtype=object),
    "complex": N + 1j,
    "dates": np.arange(12).reshape(6, 2).astype("M8[s]"),
    "durations": np.arange(12).reshape(6, 2).astype("m8[s]"),
    "words": np.array([["a", "b"], ["b", "b"], ["b", "a"]] * 3),
    "bytes": np.array([[b"a", b"b"]] * 6),
    "void": np.zeros((6, 2), dtype="V4"),
    "records": np.zeros(6, dtype=[("a", "f8"), ("b", "f8")]),
    "a matrix": _old(N),
    "three axes": np.zeros((3, 3, 3)),
    "one axis": np.zeros(5),
    "no axis": np.float64(3.0),
    "ragged": [[1, 2], [3]],
    "None": None,
    "a dict": {"a": [1, 2]},
    "a set": {1, 2},
    "a number": 3,
}


def classes(X: Any) -> Any:
    return np.arange(len(X)) % 2 if np.ndim(X) or isinstance(X, list | dict | set) else [0, 1]


def fitted(name: str, X: Any, search: str = "em", *, conventional: bool = False) -> Any:
    """The fitted model, None where it was refused as it should be."""
    estimator = ESTIMATORS[name](search)
    before = X.copy() if isinstance(X, np.ndarray) else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = estimator.fit(X, classes(X)) if name in CLASSIFIERS else estimator.fit(X)
        except EmplusError as error:
            model = None
            # Some speak for scikit-learn, whose checks want its own words.
            if not conventional:
                check_sentence(str(error))
        except (ValueError, TypeError) as error:
            model = None
            if not conventional or not str(error).strip():
                raise
    assert len(caught) <= 3, [str(one.message) for one in caught]
    for one in caught:
        assert issubclass(one.category, EmplusWarning | ConvergenceWarning), one
    if before is not None and before.dtype.kind not in "OV":
        assert np.ma.getdata(before).tobytes() == np.ma.getdata(X).tobytes(), (
            "the rows were written to"
        )
    return model


def check_use(name: str, model: Any, X: Any) -> None:
    """Whatever can be asked of a model about its own rows has finite answers."""
    resp = model.predict_proba(X)
    assert np.isfinite(resp).all()
    np.testing.assert_allclose(resp.sum(axis=1), 1.0, atol=1e-6)
    assert len(model.predict(X)) == len(resp)
    if name in CLASSIFIERS:
        assert 0.0 <= model.score(X, classes(X)) <= 1.0
        return
    mixture = model.mixture_
    for array in mixture.family.pack(mixture.parameters).values():
        assert np.isfinite(array).all()
    assert not np.isnan(mixture.log_weights).any()
    assert np.isfinite(model.score(X))
    assert np.isfinite(model.score_samples(X)).all()
    assert model.result_.passes < 1000, "not bounded by max_iter"
    rows, labels = model.sample(5, random_state=0)
    assert len(rows) == len(labels) == 5
    assert not pd.isna(pd.DataFrame(rows)).any(axis=None)


@cache
def plain_answer(name: str) -> Any:
    return fitted(name, N.copy()).predict_proba(N)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_rows_gives_the_same_fit(name: str, form: str) -> None:
    model = fitted(name, FORMS[form])
    check_use(name, model, FORMS[form])
    found = model.predict_proba(FORMS[form])
    np.testing.assert_allclose(found, plain_answer(name), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_numbers_are_fitted_or_refused_in_a_sentence(name: str, numbers: str) -> None:
    X = NUMBERS[numbers]
    model = fitted(name, X, "split_merge" if name in SEARCHED else "em")
    if model is not None:
        check_use(name, model, X)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_no_matrix_of_numbers_is_refused(name: str, foreign: str) -> None:
    X = FOREIGN[foreign]
    model = fitted(name, X, conventional=True)
    # Tables may hold words; scikit-learn takes dates for numbers where they stand alone.
    taken = ("words",) if name in ("categorical", "mixed") else ("dates", "durations")
    assert model is None or foreign in taken


@pytest.mark.parametrize("name", ["diag", "spherical", "factors", "bernoulli", "artmap"])
def test_a_hundred_thousand_columns(name: str) -> None:
    X = np.random.default_rng(0).standard_normal((3, 100_000))
    assert np.isfinite(fitted(name, X).predict_proba(X)).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_matrices_are_refused_alike(name: str) -> None:
    estimator, fit = ESTIMATORS[name]("em"), [_old(N), classes(N)]
    with pytest.raises(TypeError, match=r"np\.matrix is not supported"):
        estimator.fit(*fit[: 1 + (name in CLASSIFIERS)])


DTYPES = (
    "f8", "f4", ">f8", ">f4", "f2", "i1", "i8", ">i4", "u8", "?", "O", "c16", "M8[D]", "U3", "S2",
)  # fmt: skip
ENTRIES = (0.0, -0.0, 1.0, -1.5, 1e9, 1e-9, 1e160, -1e308, 1e-320, np.nan, np.inf, -np.inf)
DRESSES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda X: X,
    "columns first": np.asfortranarray,
    "backwards": lambda X: X[::-1, ::-1],
    "masked": lambda X: np.ma.masked_array(X, mask=np.arange(X.size).reshape(X.shape) % 5 == 0),
    "matrix": _old,
    "frame": pd.DataFrame,
    "list": lambda X: X.tolist(),
    "one axis": lambda X: X.ravel(),
}


@st.composite
def hostile_arrays(draw: st.DrawFn) -> tuple[Any, bool]:
    """An array, and whether it is one of plain numbers with rows and columns."""
    n, d = draw(st.integers(0, 12)), draw(st.integers(0, 4))
    held = draw(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=4))
    dtype, dress = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(sorted(DRESSES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.choice(held, (n, d))
    if draw(st.booleans()):
        X = np.where(rng.random((n, d)) < 0.5, rng.standard_normal((n, d)), X)
    with np.errstate(all="ignore"):
        X = X.astype("i8").astype(dtype) if dtype == "M8[D]" else X.astype(dtype)
    plain = dtype not in ("O", "c16", "M8[D]", "U3", "S2") and 0 not in X.shape
    return DRESSES[dress](X), plain and dress not in ("matrix", "one axis")


@pytest.mark.parametrize("name", ESTIMATORS)
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(given_array=hostile_arrays(), search=st.sampled_from(["em", "split_merge"]))
def test_any_array_is_fitted_or_refused(
    name: str, given_array: tuple[Any, bool], search: str
) -> None:
    X, plain = given_array
    model = fitted(name, X, search, conventional=not plain)
    if model is not None:
        check_use(name, model, X)
