"""Data sets by name: what is bundled, what is in a folder, what is missing, what is damaged."""

from __future__ import annotations

import os
import zipfile
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from emplus.datasets import Dataset, describe, load, names
from emplus.datasets.catalog import CATALOG
from emplus.errors import DataError, DatasetNotFoundError, UnknownNameError

AT_HAND = ["faithful", "iris", "wine", "digits", "breast_cancer"]
IN_FOLDER = [name for name in CATALOG if name not in AT_HAND]
AT_OPENML = {"letter": 6, "satellite": 182, "vowel": 307, "mnist_784": 554}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that EMPLUS_DATA names."""
    monkeypatch.setenv("EMPLUS_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> NoReturn:
        raise URLError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)


def test_old_faithful_is_the_one_of_r() -> None:
    faithful = load("faithful")
    assert faithful.shape == (272, 2)
    assert faithful.feature_names == ("eruptions", "waiting")
    assert faithful.X[:3].tolist() == [[3.6, 79.0], [1.8, 54.0], [3.333, 74.0]]
    # mean() and cov() of R's datasets::faithful, to the digits that R prints.
    assert faithful.X.mean(axis=0) == pytest.approx([3.487783, 70.89706], abs=5e-6)
    expected = [[1.302728, 13.97781], [13.97781, 184.8233]]
    assert np.cov(faithful.X.T) == pytest.approx(np.array(expected), rel=1e-6)
    assert "1990" in faithful.source
    assert faithful.y is None


@pytest.mark.parametrize("name", AT_HAND)
def test_at_hand_without_a_folder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMPLUS_DATA", raising=False)
    dataset = load(name)
    assert dataset.name == name
    assert dataset.shape == (CATALOG[name].n_rows, CATALOG[name].n_features)
    assert len(set(dataset.feature_names)) == dataset.shape[1]
    assert np.isfinite(dataset.X).all()


@pytest.mark.parametrize("name", IN_FOLDER)
def test_catalog_agrees_with_the_files(name: str) -> None:
    found = {row.name: row for row in describe()}[name]
    if found.origin != "file":
        why = "names a folder without it" if os.environ.get("EMPLUS_DATA") else "is not set"
        pytest.skip(f"data set {name} is not bundled and EMPLUS_DATA {why}")
    dataset = load(name)
    assert dataset.shape == (found.n, found.d)
    for part in (dataset.X, dataset.X_test, dataset.X_valid):
        assert part is None or part.dtype in (np.float32, np.float64)
    for codes in dataset.categories:
        column = dataset.X[:, dataset.feature_names.index(codes)]
        known = column[~np.isnan(column)]
        assert set(known.tolist()) == set(range(len(dataset.categories[codes])))
    total = CATALOG[name].total_rows
    if total is not None:
        assert dataset.X_test is not None
        assert len(dataset.X) + len(dataset.X_test) == total


def test_missing_entries_are_kept() -> None:
    if "house_votes_84" not in {row.name for row in describe() if row.here}:
        pytest.skip("data set house_votes_84 is not bundled and not in EMPLUS_DATA")
    votes = load("house_votes_84")
    assert int(np.isnan(votes.X).sum()) == 392
    assert votes.y is not None
    assert set(votes.y.tolist()) == {"democrat", "republican"}
    assert set(votes.categories.values()) == {("n", "y")}


def test_names_and_description_agree(folder: Path) -> None:
    (folder / "mine.csv").write_text("a,b\n1,2\n")
    rows = {row.name: row for row in describe()}
    assert tuple(rows) == names()
    assert names()[0] == "faithful"
    assert names()[-1] == "mine"
    assert rows["faithful"].origin == "bundled"
    assert rows["iris"].origin == "scikit-learn"
    assert rows["letter"].origin == "OpenML"
    assert not rows["letter"].here
    assert rows["r15"].origin == "absent"
    assert rows["mine"].path == str(folder / "mine.csv")


@pytest.mark.parametrize("asked", ["letter", "Letter", " LETTER "])
def test_a_split_in_a_sub_folder(folder: Path, asked: str) -> None:
    (folder / "deep" / "down").mkdir(parents=True)
    rows, labels = np.arange(12, dtype=np.uint8).reshape(6, 2), np.array(list("ABCABC"))
    np.savez_compressed(
        folder / "deep" / "down" / "letter.npz",
        X_train=rows[:4], y_train=labels[:4], X_test=rows[4:], y_test=labels[4:],
    )  # fmt: skip
    dataset = load(asked)
    assert dataset.X.dtype == np.float64
    assert dataset.X.tolist() == rows[:4].tolist()
    assert dataset.X_test is not None
    assert dataset.X_test.tolist() == rows[4:].tolist()
    assert dataset.y is not None
    assert dataset.y.tolist() == list("ABCA")
    assert dataset.y_test is not None
    assert dataset.y_test.tolist() == list("BC")
    assert "X (4, 2)" in repr(dataset)


def test_float32_stays(folder: Path) -> None:
    np.savez(folder / "mine.npz", X=np.ones((3, 2), dtype=np.float32))
    assert load("mine").X.dtype == np.float32


def test_three_parts(folder: Path) -> None:
    train, valid, test = np.eye(4), np.eye(4)[:1], np.eye(4)[:2]
    np.savez(folder / "nltcs.npz", train=train, valid=valid, test=test)
    dataset = load("nltcs")
    assert dataset.X_valid is not None
    assert dataset.X_test is not None
    assert (len(dataset.X), len(dataset.X_valid), len(dataset.X_test)) == (4, 1, 2)
    assert dataset.source == CATALOG["nltcs"].source


def test_data_dir_goes_before_the_variable(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    np.savez(folder / "mine.npz", X=np.zeros((2, 1)))
    np.savez(other / "mine.npz", X=np.ones((2, 1)))
    assert load("mine").X[0, 0] == 0
    assert load("mine", data_dir=other).X[0, 0] == 1
    assert "mine" in names(other)


def test_the_file_nearest_the_top_is_taken(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / ".hidden").mkdir()
    np.savez(folder / "a" / "mine.npz", X=np.zeros((2, 1)))
    (folder / ".hidden" / "secret.csv").write_text("a\n1\n")
    (folder / "mine.csv").write_text("a\n1\n")
    assert load("mine").X.tolist() == [[1.0]]
    assert "secret" not in names()


@pytest.mark.parametrize(
    ("text", "X", "columns", "categories"),
    [
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]], ("a", "b"), {}),
        ("1,2\n3,4\n", [[1, 2], [3, 4]], ("x0", "x1"), {}),
        ("\ufeffa,b\n1,\n,4\n", [[1, np.nan], [np.nan, 4]], ("a", "b"), {}),
        ("a,w\n1,red\n2,\n3,blue\n", [[1, 1], [2, np.nan], [3, 0]], ("a", "w"),
         {"w": ("blue", "red")}),
        ("t\nTrue\nFalse\n", [[1], [0]], ("t",), {}),
    ],
)  # fmt: skip
def test_tables(
    folder: Path, text: str, X: list[list[float]], columns: tuple[str, ...], categories: object
) -> None:
    (folder / "mine.csv").write_text(text, encoding="utf-8")
    dataset = load("mine")
    np.testing.assert_array_equal(dataset.X, np.array(X, dtype=np.float64))
    assert dataset.feature_names == columns
    assert dataset.categories == categories
    assert dataset.source == str(folder / "mine.csv")


def test_labels_of_a_table(folder: Path) -> None:
    (folder / "mine.csv").write_text("y,a\n7,1\n8,2\n")
    (folder / "zoo.csv").write_text("legs,type\n4,mammal\n2,bird\n")
    mine, zoo = load("mine"), load("zoo")
    assert mine.y is not None
    assert zoo.y is not None
    assert (mine.y.tolist(), mine.feature_names) == ([7, 8], ("a",))
    assert (zoo.y.tolist(), zoo.feature_names) == (["mammal", "bird"], ("legs",))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", IN_FOLDER)
def test_a_missing_set_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "a folder and set EMPLUS_DATA to that folder": "",
        f"the folder that EMPLUS_DATA names, {tmp_path}": str(tmp_path),
        f"the folder that EMPLUS_DATA names, {tmp_path / 'no'}, which is not there yet": str(
            tmp_path / "no"
        ),
    }
    for place, value in places.items():
        monkeypatch.setenv("EMPLUS_DATA", value)
        with pytest.raises(DatasetNotFoundError) as caught:
            load(name)
        sentence = str(caught.value)
        assert sentence.endswith(f"put {name}.npz or {name}.csv into {place}.")
        assert "\n" not in sentence
        assert ". " not in sentence
        assert ("OpenML (no route to host)" in sentence) == (name in AT_OPENML)
        # No chain of causes behind the sentence.
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_place_that_was_given_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=f"into the folder {tmp_path}\\.$"):
        load("r15", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["s3", "faithfull", "", "../../etc/passwd", "no/such"])
def test_unknown_names(name: str, folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="Unknown data set"):
        load(name)


def test_the_nearest_name_is_suggested(folder: Path) -> None:
    (folder / "measurements.csv").write_text("a\n1\n")
    with pytest.raises(UnknownNameError, match="did you mean 'faithful'"):
        load("faitful")
    with pytest.raises(UnknownNameError, match="did you mean 'measurements'"):
        load("mesurements")


def _whole_npz(path: Path) -> bytes:
    np.savez_compressed(path, X=np.random.default_rng(0).normal(size=(50, 2)), y=np.arange(50))
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_archives(folder: Path, share: float) -> None:
    whole = _whole_npz(folder / "mine.npz")
    (folder / "mine.npz").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"Data set 'mine': .*mine\.npz"):
        load("mine")


def test_altered_archives(folder: Path) -> None:
    """Whatever byte is altered, the outcome is a data set or a DataError."""
    whole = _whole_npz(folder / "mine.npz")
    rng = np.random.default_rng(1)
    refused = 0
    for position in rng.choice(len(whole), size=150, replace=False):
        altered = bytearray(whole)
        altered[position] ^= 1 << rng.integers(8)
        (folder / "mine.npz").write_bytes(altered)
        try:
            assert isinstance(load("mine"), Dataset)
        except DataError:
            refused += 1
    assert refused > 75


def _hostile_header(path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999, 9), }\n"
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", body)


def _npy_in_disguise(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.eye(2))


def _write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("write", "fragment"),
    [
        (lambda p: _write_npz(p, X=np.array([["a", object()]], dtype=object)), "cannot be read"),
        (lambda p: _write_npz(p, other=np.eye(2)), "it must hold X"),
        (lambda p: _write_npz(p, X=np.arange(3.0)), r"\(n, d\)"),
        (lambda p: _write_npz(p, X=np.empty((0, 2))), r"\(n, d\)"),
        (lambda p: _write_npz(p, X=np.array([["a", "b"]])), "table of numbers"),
        (lambda p: _write_npz(p, X=np.eye(3), y=np.arange(2)), "y has shape"),
        (lambda p: _write_npz(p, X=np.eye(3), X_test=np.eye(2)), "X_test has 2 columns"),
        (lambda p: _write_npz(p, X=np.eye(3), y_test=np.arange(2)), "y_test has shape"),
        (lambda p: _write_npz(p, X=np.eye(3), feature_names=np.array(["a"])), "1 names"),
        (_npy_in_disguise, "not a .npz archive"),
        (lambda p: p.write_text("hello"), "cannot be read"),
        (_hostile_header, "cannot be read"),
    ],
)  # fmt: skip
def test_archives_that_are_no_data_sets(folder: Path, write: Any, fragment: str) -> None:
    write(folder / "mine.npz")
    with pytest.raises(DataError, match=fragment):
        load("mine")


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "cannot be read"),
        (b"a,b\n", r"\(n, d\)"),
        (b"a,b\n1,2\n1,2,3,4\n", "cannot be read"),
        (b"a\n\xff\xfe\n", "cannot be read"),
    ],
)
def test_tables_that_are_no_data_sets(folder: Path, content: bytes, fragment: str) -> None:
    (folder / "mine.csv").write_bytes(content)
    with pytest.raises(DataError, match=fragment):
        load("mine")


@pytest.mark.parametrize("name", AT_OPENML)
def test_openml_is_asked_by_number(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = CATALOG[name]
    total = entry.total_rows or 6430
    asked: list[int] = []

    def answer(*, data_id: int, **_: Any) -> SimpleNamespace:
        asked.append(data_id)
        data = pd.DataFrame({"a": np.arange(total), "speaker": "Mark", "b": np.ones(total)})
        return SimpleNamespace(data=data, target=pd.Series(["5", "6"] * (total // 2)))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", answer)
    dataset = load(name)
    assert asked == [AT_OPENML[name]]
    assert dataset.feature_names == ("a", "b")
    assert dataset.y is not None
    assert dataset.y[:2].tolist() == [5, 6]
    if entry.total_rows is None:
        assert dataset.shape[0] == total
        assert dataset.X_test is None
    else:
        assert dataset.shape[0] == entry.n_rows
        assert dataset.X_test is not None
        assert dataset.X_test[0, 0] == entry.n_rows


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), ValueError("Dataset 6 not found.\nmore"), OSError(),
              IncompleteRead(b"x")],
)  # fmt: skip
def test_openml_fails_in_one_sentence(
    error: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    with pytest.raises(DatasetNotFoundError) as caught:
        load("letter")
    assert "\n" not in str(caught.value)
    assert "letter.npz" in str(caught.value)


def test_the_call_of_openml_is_one_that_scikit_learn_accepts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments pass scikit-learn's own validation, and nothing hangs where there is no network."""
    import sklearn.datasets._openml as inner

    opened: list[object] = []

    def refuse(request: object, *_: object) -> NoReturn:
        opened.append(request)
        raise URLError("unplugged")

    monkeypatch.setattr(inner, "urlopen", refuse)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(folder / "cache"))
    with pytest.raises(DatasetNotFoundError, match=r"OpenML \(unplugged\)"):
        load("vowel")
    assert opened
