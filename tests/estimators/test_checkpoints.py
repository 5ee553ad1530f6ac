"""Fits with a checkpoint: taken up where they were broken off, refused where they are others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emplus import (
    BernoulliMixture,
    Checkpoint,
    FactorAnalyzerMixture,
    GaussianMixture,
    MixedMixture,
    MixtureClassifier,
)
from emplus.datasets import make_mixture
from emplus.errors import ArgumentError, CheckpointError, FitWarning
from emplus.io import checkpoints
from emplus.search.base import Budget
from emplus.search.split_merge import SplitMerge
from tests.cases import tolerated

X = make_mixture("overlapping", 400, d=3, k=4, separation=3.0, seed=0).X


def model(**arguments: Any) -> GaussianMixture:
    return GaussianMixture(3, **{"random_state": 0, "tol": 1e-5, **arguments})


def told(fitted: Any) -> list[Any]:
    """What a fit says of itself, but how long it took; to the bit."""
    fit = fitted.result_
    arrays = fit.mixture.family.pack(fit.mixture.parameters)
    rest = replace(fit, mixture=None, seconds=0.0, runs=())
    bits = {name: array.tobytes() for name, array in arrays.items()}
    return [fit.mixture.log_weights.tobytes(), bits, repr(rest)]


@contextmanager
def killed_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After so many saves the file stays as it is, whatever the fit does: it has been killed."""
    original, left = checkpoints._Keeper.write, [saves]

    def write(self: Any, journal: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            original(self, journal)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints._Keeper, "write", write)
        yield


def killed(
    place: Path, make: Callable[[], Any], rows: Any, saves: int, monkeypatch: Any, **fit: Any
) -> None:
    with killed_after(saves, monkeypatch), tolerated():
        make().fit(rows, checkpoint=Checkpoint(place, every=0.0), **fit)


ESTIMATORS: dict[str, tuple[Callable[[], Any], Any]] = {
    "gaussian": (model, X),
    "holes": (
        lambda: model(search="annealing", tol=1e-3),
        np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)[:200],
    ),
    "factors": (lambda: FactorAnalyzerMixture(3, n_factors=1, random_state=0, tol=1e-4), X),
    "bernoulli": (lambda: BernoulliMixture(3, random_state=0, tol=1e-3), X.mean(axis=0) < X),
    "mixed": (
        lambda: MixedMixture(2, random_state=0, tol=1e-4, search="em"),
        np.column_stack([X[:, :2], X[:, 2] > 0]),
    ),
}


@cache
def undisturbed(name: str) -> list[Any]:
    make, rows = ESTIMATORS[name]
    with tolerated():
        return told(make().fit(rows))


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("saves", [1, 3, 12])
def test_killed_at_any_moment_it_ends_with_the_same_bits(
    name: str, saves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, rows = ESTIMATORS[name]
    place = tmp_path / "run.safetensors"
    killed(place, make, rows, saves, monkeypatch)
    with tolerated():
        assert told(make().fit(rows, checkpoint=place)) == undisturbed(name)
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_what_was_finished_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = model().fit(X, checkpoint=tmp_path / "run")

    def never(*args: Any) -> Any:
        raise AssertionError("a pass was made")

    monkeypatch.setattr("emplus.engine.problem.Problem.evaluate", never)
    again = model().fit(X, checkpoint=str(tmp_path / "run"))
    assert told(again) == told(first)
    assert again.result_.seconds == first.result_.seconds
    assert again.fit_predict(X, checkpoint=tmp_path / "run").shape == (400,)


@pytest.mark.parametrize("saves", [1, 6])
def test_a_seed_that_nobody_knows_is_kept(
    saves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seeds of generators that are spawned are no part of a generator's state.
    def make() -> GaussianMixture:
        return model(random_state=None, n_init=3, search="em", init_params="random_from_data")

    whole, part = tmp_path / "whole", tmp_path / "part"
    kept: list[bytes] = []
    original = checkpoints._Keeper.write

    def write(self: Any, journal: Any) -> None:
        original(self, journal)
        kept.append(whole.read_bytes())

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints._Keeper, "write", write)
        fitted = make().fit(X, checkpoint=Checkpoint(whole, every=0.0))
    part.write_bytes(kept[saves - 1])
    assert told(make().fit(X, checkpoint=part)) == told(fitted)


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_of_every_kind_go_on(
    bits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> GaussianMixture:
        return model(random_state=np.random.Generator(bits(7)), search="random_swap", tol=1e-3)

    killed(tmp_path / "run", make, X, 9, monkeypatch)
    assert told(make().fit(X, checkpoint=tmp_path / "run")) == told(make().fit(X))


def test_rows_in_a_file_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", X)
    killed(tmp_path / "run", model, X, 8, monkeypatch)
    taken_up = model().fit(tmp_path / "x.npy", checkpoint=tmp_path / "run")
    assert told(taken_up) == told(model().fit(X))


def test_weights_and_labels_are_part_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = np.linspace(0.5, 1.5, len(X))
    known = np.where(X[:, 0] > 2.0, 1, -1)
    fit: dict[str, Any] = {"sample_weight": weight, "labels": known}
    killed(tmp_path / "run", model, X, 6, monkeypatch, **fit)
    for other in ({}, {**fit, "labels": None}, {**fit, "sample_weight": weight[::-1]}):
        with pytest.raises(CheckpointError, match="other rows"):
            model().fit(X, checkpoint=tmp_path / "run", **other)
    assert told(model().fit(X, checkpoint=tmp_path / "run", **fit)) == told(model().fit(X, **fit))


OTHERS: dict[str, tuple[Any, str]] = {
    "components": (GaussianMixture(4, random_state=0, tol=1e-5), "n_components"),
    "covariances": (model(covariance_type="diag"), "covariance_type"),
    "tolerance": (model(tol=1e-7), "tol"),
    "seed": (model(random_state=1), "random_state"),
    "search": (model(search=SplitMerge(budget=Budget(moves=1))), "search"),
    "start": (model(means_init=X[:3]), "means_init"),
    "another": (FactorAnalyzerMixture(3, random_state=0, tol=1e-5), "estimator"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_fit_is_refused(name: str, tmp_path: Path) -> None:
    place = tmp_path / "run"
    model().fit(X, checkpoint=place)
    before = place.read_bytes()
    other, argument = OTHERS[name]
    with pytest.raises(CheckpointError, match=f"other arguments .*{argument}"):
        other.fit(X, checkpoint=place)
    assert place.read_bytes() == before


def test_other_rows_are_refused(tmp_path: Path) -> None:
    model().fit(X, checkpoint=tmp_path / "run")
    changed = X.copy()
    changed[17, 1] = np.nextafter(changed[17, 1], 9.0)
    for rows in (changed, X[::-1], X[:-1], X[:, ::-1], X.astype(np.float32)):
        with pytest.raises(CheckpointError, match="other rows; give the same ones, another file"):
            model().fit(rows, checkpoint=tmp_path / "run")
    # What changes no bit of the result may differ.
    model(n_jobs=2, verbose=0, verbose_interval=3).fit(X, checkpoint=tmp_path / "run")


def labelled(unknown: bool) -> tuple[Any, Any]:
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    if unknown:
        y[::9] = -1
    return X, y


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("saves", [1, 9, 30])
def test_a_classifier_goes_on(
    unknown: bool, saves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, y = labelled(unknown)

    def make() -> MixtureClassifier:
        mixture = GaussianMixture(2, tol=1e-4, search="em", n_init=2)
        return MixtureClassifier(mixture, random_state=0)

    killed(tmp_path / "run", make, rows, saves, monkeypatch, y=y)
    taken_up = make().fit(rows, y, checkpoint=tmp_path / "run")
    undisturbed = make().fit(rows, y)
    for one, other in zip(taken_up.mixtures_, undisturbed.mixtures_, strict=True):
        assert np.array_equal(one.means_, other.means_)
        assert np.array_equal(one.covariances_, other.covariances_)
    with pytest.raises(CheckpointError, match="other rows"):
        make().fit(rows, 1 - np.abs(y), checkpoint=tmp_path / "run")


def test_observers_see_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(seen: list[int]) -> GaussianMixture:
        return model(search="em", observers=[lambda state: seen.append(state.iteration)])

    whole: list[int] = []
    rest: list[int] = []
    killed(tmp_path / "run", lambda: make(whole), X, 6, monkeypatch)
    make(rest).fit(X, checkpoint=tmp_path / "run")
    assert rest == whole[-len(rest) :]
    assert 0 < len(rest) < len(whole)


def interrupting(at: int) -> Any:
    def observer(state: Any) -> None:
        if state.iteration == at:
            raise KeyboardInterrupt

    return observer


@pytest.mark.parametrize("search", ["em", "split_merge", "annealing"])
def test_an_interrupt_saves(search: str, tmp_path: Path) -> None:
    place = tmp_path / "run"
    arguments: dict[str, Any] = {"search": search, "tol": 1e-7}
    with tolerated():
        stopped = model(observers=[interrupting(4)], **arguments).fit(X, checkpoint=place)
    assert stopped.result_.outcome.value == "interrupted"
    assert told(model(**arguments).fit(X, checkpoint=place)) == told(model(**arguments).fit(X))


def test_a_disk_that_is_full_costs_no_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run"
    killed(place, model, X, 4, monkeypatch)
    before = place.read_bytes()

    def full(self: Path, contents: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.warns(FitWarning, match="No space left .* untouched. The fit goes on"):
            fitted = model().fit(X, checkpoint=place)
        with pytest.raises(CheckpointError, match="No space left"):
            # Nothing has been worked out yet: now is the time to say so.
            model().fit(X, checkpoint=tmp_path / "other")
    assert told(fitted) == told(model().fit(X))
    assert place.read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]


def test_two_fits_do_not_write_one_file(tmp_path: Path) -> None:
    place = tmp_path / "run"

    def meanwhile(state: Any) -> None:
        if state.iteration == 1:
            with pytest.raises(CheckpointError, match=rf"\({os.getpid()}\).*another file"):
                model().fit(X, checkpoint=place)

    first = model(observers=[meanwhile]).fit(X, checkpoint=place)
    assert told(first) == told(model().fit(X, checkpoint=place))


def test_a_lock_left_by_the_dead_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("1")
    model(max_iter=1000).fit(X, checkpoint=tmp_path / "run")
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("given", [3, 2.5, ["a"], b"run"])
def test_what_is_no_checkpoint(given: Any) -> None:
    with pytest.raises(ArgumentError, match="checkpoint"):
        model().fit(X, checkpoint=given)


@pytest.mark.parametrize("every", [-1.0, float("nan"), "5", True])
def test_seconds_are_checked(every: Any) -> None:
    with pytest.raises(ArgumentError, match="seconds"):
        Checkpoint("run", every)


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file or directory"):
        model().fit(X, checkpoint=tmp_path / "nowhere" / "run")
