"""Damaged and forged files given to `load` and to the command line."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.damage import damaged, model_files, resealed, table_files
from tests.hostile.outcomes import check_sentence, command, loaded, modest, table_commands

MODELS = model_files()
TABLES = table_files(parquet=find_spec("pyarrow") is not None)
FUZZ = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
randoms = st.integers(0, 2**32 - 1).map(Random)


@pytest.fixture(scope="module", autouse=True)
def imports_done(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is measured below is memory for files, not for modules."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "m").write_bytes(MODELS["full"])
    for suffix, contents in TABLES.items():
        (folder / f"t{suffix}").write_bytes(contents)
        for args in table_commands(folder / f"t{suffix}", folder / "m"):
            command(args)


# Model files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
@FUZZ
@given(rng=randoms)
def test_damaged_models_are_refused_in_a_sentence(kind: str, tmp_path: Path, rng: Random) -> None:
    contents = damaged(rng, MODELS[kind])
    (tmp_path / "m").write_bytes(contents)
    with modest(len(contents)):
        loaded(tmp_path / "m")
    if rng.random() < 0.2:
        assert command(["info", str(tmp_path / "m")]) in ("read", "refused")


@pytest.mark.parametrize("kind", MODELS)
@FUZZ
@given(rng=randoms)
def test_forged_models_are_refused_or_can_be_used(kind: str, tmp_path: Path, rng: Random) -> None:
    contents = resealed(rng, MODELS[kind])
    (tmp_path / "m").write_bytes(contents)
    with modest(len(contents)):
        outcome, model = loaded(tmp_path / "m")
    if outcome == "read" and hasattr(model, "sample"):
        with modest(len(contents)), np.errstate(all="ignore"):
            rows, _ = model.sample(3)
        assert len(rows) == 3


FORGED: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "classes of long text": ("classifier", ("facts", "classes", "dtype"), "U99999999"),
    "artmap's classes of long text": ("artmap", ("facts", "classes", "dtype"), "U500000000"),
    "columns of long text": ("mixed", ("description", "columns", 1, "dtype"), "U99999999"),
    "columns of no type": ("categorical", ("description", "columns", 0, "dtype"), "1e308"),
    "a trillion categories": ("categorical", ("family", "config", "levels"), [10**12, 2]),
    "a trillion factors": ("factors", ("family", "config", "n_factors"), 10**12),
    "a trillion columns": ("artmap", ("n_features",), 10**12 - 1),
}


@pytest.mark.parametrize("name", FORGED)
def test_claims_of_a_forged_model_cost_nothing(name: str, tmp_path: Path) -> None:
    kind, place, value = FORGED[name]
    contents = _changed(MODELS[kind], place, value)
    (tmp_path / "m").write_bytes(contents)
    with modest(len(contents)):
        assert loaded(tmp_path / "m")[0] == "refused"


def _changed(contents: bytes, place: tuple[Any, ...], value: Any) -> bytes:
    from safetensors.numpy import load, save

    from emplus.io.layout import KEY, make_digest

    length = int.from_bytes(contents[:8], "little")
    description = json.loads(json.loads(contents[8 : 8 + length])["__metadata__"][KEY])
    inner = description
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    tensors = {key: np.array(array) for key, array in load(contents).items()}
    description["digest"] = make_digest(description, tensors)
    return save(tensors, metadata={KEY: json.dumps(description)})


HEADERS = {
    "a terabyte": {"dtype": "F64", "shape": [2**37], "data_offsets": [0, 2**40]},
    "a terabyte of nothing": {"dtype": "F64", "shape": [2**37, 0], "data_offsets": [0, 0]},
    "a deep bomb": json.loads("[" * 400 + "]" * 400),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_claim_much_cost_nothing(name: str, tmp_path: Path) -> None:
    text = json.dumps({"__metadata__": {"emplus": "{}"}, "a": HEADERS[name]}).encode()
    contents = len(text).to_bytes(8, "little") + text + bytes(64)
    (tmp_path / "m").write_bytes(contents)
    with modest(len(contents)):
        assert loaded(tmp_path / "m")[0] == "refused"


# Tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", TABLES)
@FUZZ
@given(rng=randoms)
def test_damaged_tables_are_read_or_refused(suffix: str, tmp_path: Path, rng: Random) -> None:
    contents = damaged(rng, TABLES[suffix])
    table, model = tmp_path / f"t{suffix}", tmp_path / "m"
    table.write_bytes(contents)
    model.write_bytes(MODELS["full"])
    for args in table_commands(table, model):
        with modest(len(contents)):
            command(args)


def _npy(header: str, version: int = 1) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + bytes(64)


def _npz(members: dict[str, bytes], packed: bool = True) -> bytes:
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return file.getvalue()


def _saved(array: Any, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def _claiming(contents: bytes, size: int) -> bytes:
    """An archive whose directory says that its only member unpacks to so many bytes."""
    at = contents.index(b"PK\x01\x02") + 24
    return contents[:at] + size.to_bytes(4, "little") + contents[at + 4 :]


X = np.arange(12.0).reshape(6, 2)
HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"
OBJECTS = np.array([[{"a": 1}, None]] * 6, dtype=object)
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "a terabyte": (".npy", _npy(HUGE % "137438953472, 1"), "claims more than it holds"),
    "a square of ten million": (".npy", _npy(HUGE % "10**7, 10**7"), "damaged NPY"),
    "a negative shape": (".npy", _npy(HUGE % "-1, 2"), "damaged NPY"),
    "long text": (".npy", _npy(HUGE.replace("<f8", "<U9999999") % "1, 2"), "claims more"),
    "a long header": (".npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "header is too long"),
    "a call in the header": (".npy", _npy("__import__('os').getcwd()"), "damaged NPY"),
    "objects": (".npy", _saved(OBJECTS, True), "Python objects"),
    "objects in an archive": (".npz", _npz({"X.npy": _saved(OBJECTS, True)}), "Python objects"),
    "a terabyte in an archive": (".npz", _npz({"X.npy": _npy(HUGE % "2**37, 1")}), "damaged NPZ"),
    "rows that are not there": (".npz", _npz({"X.npy": _npy(HUGE % "900, 1")}), "claims more"),
    "no array": (".npz", _npz({"X.npy": b"no array"}), "damaged NPZ"),
    "a name that climbs": (".npz", _npz({"X.npy": _saved(X), "../x.npy": _saved(X)}), "a path"),
    "a name from the root": (".npz", _npz({"X.npy": _saved(X), "/etc/x.npy": b""}), "a path"),
    "a name of a drive": (".npz", _npz({"X.npy": _saved(X), "C:x.npy": b""}), "a path"),
    "only a path": (".npz", _npz({"../X.npy": _saved(X)}), "no array X"),
    "a bomb": (".npz", _npz({"X.npy": _saved(np.zeros((2**20, 9)))}), "would unpack"),
    "a claim": (".npz", _claiming(_npz({"X.npy": _saved(X)}), 2**32 - 2), "would unpack"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tables_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    from emplus.cli.table import read_table
    from emplus.errors import DataError

    suffix, contents, words = REFUSED[name]
    table = tmp_path / f"t{suffix}"
    table.write_bytes(contents)
    with modest(len(contents)), pytest.raises(DataError, match=words) as caught:
        read_table(str(table))
    check_sentence(str(caught.value))
    assert command(["fit", str(table), "--quiet"]) == "refused"
    assert sorted(path.name for path in tmp_path.iterdir()) == [table.name]


def test_large_archives_of_honest_numbers_are_read(tmp_path: Path) -> None:
    from emplus.cli.table import read_table

    np.savez(tmp_path / "t.npz", X=np.zeros((2**21 + 1, 4)))
    assert read_table(str(tmp_path / "t.npz")).shape == (2**21 + 1, 4)
