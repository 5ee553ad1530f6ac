from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emplus import GaussianMixture, datasets
from emplus.errors import ArgumentError, DataError
from emplus.mixture import Mixture
from emplus.plotting import Recorder, Step, frames, plot_animation
from emplus.plotting.animating import _chosen
from emplus.plotting.draw_animation import encode_gif

X = datasets.load("faithful").X


def followed(k: int, **options: Any) -> tuple[list[Step], Any]:
    recorder = Recorder()
    model = GaussianMixture(k, observers=[recorder], **{"random_state": 1, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = model.fit(X).result_
    return recorder.path(result), result


@pytest.mark.parametrize(
    "options",
    [
        {"search": "em", "accelerate": None},
        {"search": "em", "n_init": 3},
        {"search": "restarts", "max_iter": 8},
        {"search": "split_merge"},
        {"search": "ueda"},
    ],
)
def test_the_path_is_the_trace_of_the_fit(options: dict[str, Any]) -> None:
    path, result = followed(5, **options)
    assert [step.log_likelihood for step in path] == pytest.approx(result.log_likelihoods)
    assert path[-1].mixture is result.mixture
    moves = [step.move for step in path if step.begins]
    kinds = {"split_merge": "split and merge"}
    named = [kinds.get(c.kind, c.kind) for c in result.candidates.accepted if c.kind != "settle"]
    assert len(moves) == len(named)
    assert all(words.startswith(kind) for words, kind in zip(moves, named, strict=True))


def test_a_move_is_named_as_long_as_its_climb_lasts() -> None:
    path, result = followed(5, search="split_merge")
    [move] = [c for c in result.candidates.accepted if c.kind == "split_merge"]
    words = f"split and merge {move.components[0]}"
    assert [step.move for step in path] == [
        words if t >= move.start else "" for t in range(len(path))
    ]


def test_a_recorder_of_another_fit_shows_the_end_only() -> None:
    _, result = followed(2, search="em")
    [step] = Recorder().path(result)
    assert step.mixture is result.mixture


def test_frames_share_their_limits_and_keep_both_ends() -> None:
    path, result = followed(3, search="em", accelerate=None, max_iter=40)
    data = frames(path, X, at_most=7)
    assert len(data.scatters) == len(data.steps) == len(data.moves) <= 7
    assert data.steps[0] == 0
    assert data.steps[-1] == len(path) - 1
    assert len({one.limits for one in data.scatters}) == 1
    assert data.values[-1] == pytest.approx(result.log_likelihood / len(X))
    for t, one in zip(data.steps, data.scatters, strict=True):
        np.testing.assert_allclose(one.ellipses.weights, path[t].mixture.weights)


def test_all_steps_are_shown_where_they_are_few_and_early_ones_more_closely() -> None:
    assert _chosen(np.arange(5.0), [], 9).tolist() == [0, 1, 2, 3, 4]
    values = -np.exp(-0.2 * np.arange(200.0))
    chosen = _chosen(values, [], 20)
    assert len(chosen) <= 20
    assert chosen[:5].tolist() == [0, 1, 2, 3, 4]
    assert chosen[-1] == 199
    assert np.all(np.diff(chosen) > 0)
    assert _chosen(np.zeros(100), [], 4).tolist() == [0, 33, 66, 99]
    assert _chosen(values, [], 2).tolist() == [0, 199]


def test_weights_and_holes() -> None:
    path, _ = followed(2, search="em", max_iter=2)
    rows = X.copy()
    rows[3, 1] = np.nan
    weight = np.ones(len(X))
    weight[:3] = 0.0
    data = frames(path, rows, sample_weight=weight)
    assert data.n_given == len(X)
    assert data.n_rows == len(X) - 4
    assert data.values[0] == pytest.approx(path[0].log_likelihood / (len(X) - 3))


def test_only_two_gaussian_columns_are_shown() -> None:
    three = Mixture.gaussian([1.0], [[0.0, 0.0, 0.0]], [np.eye(3)])
    with pytest.raises(ArgumentError, match="shows two columns; the mixture has 3"):
        frames([Step(three, 0.0, 0.0)], np.zeros((2, 3)))
    two = Mixture.gaussian([1.0], [[0.0, 0.0]], [np.eye(2)])
    with pytest.raises(DataError):
        frames([Step(two, 0.0, 0.0)], np.zeros((2, 3)))


def test_a_gif_of_every_frame_with_the_last_one_held(tmp_path: Path) -> None:
    path, _ = followed(5, search="split_merge")
    seen: list[tuple[int, int]] = []
    options: dict[str, Any] = {"at_most": 3, "fps": 5.0, "watch": lambda *n: seen.append(n)}
    place = plot_animation(path, X, tmp_path / "a.gif", **options)
    film: Any = Image.open(io.BytesIO(place.read_bytes()))
    assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 3, 0)
    durations = []
    for frame in range(3):
        film.seek(frame)
        durations.append(film.info["duration"])
    assert durations == [200, 200, 2000]
    assert film.convert("RGB").getpixel((2, film.height // 2)) == (255, 255, 255)
    assert seen == [(0, 3), (1, 3), (2, 3)]
    assert place.stat().st_size < 300_000
    again = plot_animation(path, X, tmp_path / "b.gif", at_most=3, fps=5.0)
    assert again.read_bytes() == place.read_bytes()


def test_what_stands_still_is_one_frame_and_a_single_step_is_a_film() -> None:
    still = np.full((8, 8, 3), 200, np.uint8)
    film: Any = Image.open(io.BytesIO(encode_gif([still, still], 10.0)))
    assert film.n_frames == 1
    assert Image.open(io.BytesIO(encode_gif([still], 10.0))).format == "GIF"


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("a.png", {}, "must end in .gif"),
        ("a.gif", {"at_most": 1}, "2 to 1000 frames"),
        ("a.gif", {"fps": 0.0}, "frames a second"),
        ("a.gif", {"feature_names": ["a"]}, "has 1 names"),
    ],
)
def test_what_cannot_be_written(
    tmp_path: Path, name: str, options: dict[str, Any], match: str
) -> None:
    path, _ = followed(2, search="em", max_iter=1)
    with pytest.raises(ArgumentError, match=match):
        plot_animation(path, X, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []
