from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as parse

import emplus
from emplus.errors import ArgumentError, ModelFileError
from emplus.io import load, read_header, replacing, save, writing
from tests.models import fitted, make_rows

COVARIANCES = ("full", "tied", "diag", "spherical")


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(fitted(), path)
    return path.read_bytes()


# -- round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_loaded_model_predicts_the_same_bits(
    covariance: str, dtype: str, tmp_path: Path
) -> None:
    model = fitted(covariance, dtype)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    X = make_rows().astype(dtype)
    for method in ("predict", "predict_proba", "score_samples"):
        ours, theirs = getattr(model, method)(X), getattr(again, method)(X)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert np.array_equal(getattr(model, name), getattr(again, name))
    ours, theirs = model.sample(20, random_state=5)[0], again.sample(20, random_state=5)[0]
    assert np.array_equal(ours, theirs)


def test_the_loaded_model_knows_how_it_was_fitted(tmp_path: Path) -> None:
    model = fitted(n_init=2)
    model.save(tmp_path / "m")
    again = emplus.load(tmp_path / "m")
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_"):
        assert getattr(again, name) == getattr(model, name)
    for name in (
        "outcome",
        "log_likelihood",
        "log_prior",
        "objective",
        "trace",
        "log_likelihoods",
        "n_rows",
        "passes",
        "seconds",
    ):
        assert getattr(again.result_, name) == getattr(model.result_, name)


def test_what_a_search_tried_is_not_kept_but_what_it_cost_is(tmp_path: Path) -> None:
    model = fitted(search="split_merge", reg_covar="auto")
    assert len(model.result_.candidates) > 0
    assert model.result_.passes > len(model.result_.trace)
    # Work on some of the rows counts by its share.
    model.result_ = replace(model.result_, passes=model.result_.passes + 0.3)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.result_.passes == model.result_.passes
    assert len(again.result_.candidates) == 0
    assert (again.search, again.reg_covar) == ("split_merge", "auto")


def test_a_file_of_the_version_before_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It did not say how many passes the search took.
    model = fitted(search="em")
    monkeypatch.setattr(writing, "LATER", ())
    save(model, tmp_path / "m")
    assert "passes" not in read_header(tmp_path / "m")["fit"]
    assert load(tmp_path / "m").result_.passes == len(model.result_.trace)


def test_column_names_are_kept(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(make_rows(), columns=["a", "b, c", "ü\n"])
    model = emplus.GaussianMixture(2, random_state=0).fit(frame)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    assert list(again.feature_names_in_) == ["a", "b, c", "ü\n"]
    assert np.array_equal(again.predict(frame), model.predict(frame))


def test_a_model_saved_twice_is_the_same_file(tmp_path: Path) -> None:
    model = fitted()
    save(model, tmp_path / "a")
    save(load(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arguments_that_json_cannot_hold_are_left_out_and_said(tmp_path: Path) -> None:
    model = fitted(means_init=make_rows(3))
    model.random_state = np.random.RandomState(0)
    save(model, tmp_path / "m")
    omitted = read_header(tmp_path / "m")["estimator"]["omitted"]
    assert {"means_init", "random_state"} <= set(omitted)
    assert load(tmp_path / "m").means_init is None


def test_an_unfitted_estimator_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="not fitted"):
        save(emplus.GaussianMixture(), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_other_readers_of_safetensors_see_the_parameters(model_bytes: bytes) -> None:
    tensors = parse(model_bytes)
    assert tensors["parameters.means"].shape == (3, 3)
    assert np.exp(tensors["log_weights"]).sum() == pytest.approx(1.0)


def test_loading_opens_no_pickle(model_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(model_bytes)
    code = (
        "import sys, pickle\n"
        "def refuse(*a, **k): raise SystemExit('pickle was used')\n"
        "from emplus.io import load\n"
        "import emplus.estimators.gaussian_mixture\n"
        "pickle.load = pickle.loads = pickle.Unpickler = refuse\n"
        "load(sys.argv[1])\n"
    )
    root = Path(emplus.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m")], check=True, env=environment)


# -- writing -------------------------------------------------------------------------------------


def test_a_model_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    model = fitted()
    model.mixture_.parameters.means[0, 0] = np.nan
    with pytest.raises(ModelFileError, match="not finite"):
        save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A file that must outlive every failed attempt to replace it, alone in its folder."""
    path = tmp_path / "m"
    path.write_bytes(b"old")
    yield path
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_file(
    call: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = fitted()
    target = (Path, "write_bytes") if call == "write" else (os, call)
    monkeypatch.setattr(target[0], target[1], fail)
    with pytest.raises(ModelFileError, match="No space left on device") as caught:
        save(model, old)
    assert "untouched" in str(caught.value)
    monkeypatch.undo()


def test_an_interrupt_leaves_the_old_file(old: Path) -> None:
    def write() -> None:
        with replacing(old) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_is_a_sentence() -> None:
    with pytest.raises(ModelFileError, match="No space left on device"):
        save(fitted(), "/dev/full")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("no mount on this system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_full_disk_keeps_the_old_model(small_disk: Path) -> None:
    path = small_disk / "m"
    save(fitted(), path)
    before = path.read_bytes()
    rng = np.random.default_rng(0)
    big = emplus.GaussianMixture(2, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        big.fit(rng.standard_normal((200, 80)))
    with pytest.raises(ModelFileError, match="No space left on device"):
        save(big, path)
    assert path.read_bytes() == before
    assert [item.name for item in small_disk.iterdir()] == ["m"]


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file or directory"):
        save(fitted(), tmp_path / "nowhere" / "m")
    with pytest.raises(ModelFileError, match="Is a directory"):
        save(fitted(), tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_new_files_respect_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "m") as temporary:
            temporary.write_bytes(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_replaced_files_keep_their_permissions_and_links(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"old")
    (tmp_path / "m").chmod(0o640)
    (tmp_path / "link").symlink_to("m")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "m").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file_is_not_replaced(old: Path) -> None:
    old.chmod(0o444)
    with pytest.raises(ModelFileError, match="Permission denied"):
        save(fitted(), old)
