from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from emplus import GaussianMixture, datasets
from emplus.engine.problem import State
from emplus.plotting import Recorder

Run = Callable[..., Result]
FEW = ("--frames", "2")


def film(place: str) -> Any:
    return Image.open(io.BytesIO(Path(place).read_bytes()))


def test_a_film_of_every_iteration_of_plain_em(run: Run) -> None:
    result = run("animate", "faithful", "-k", "2", "--max-iter", "3", "--output", "a.gif")
    assert result.exit_code == 0
    assert film("a.gif").n_frames == 4
    assert "3 iterations, log-likelihood -4.1" in result.stdout
    assert "animation       a.gif" in result.stdout
    model = GaussianMixture(2, search="em", accelerate=None, random_state=0, max_iter=3)
    value = model.fit(datasets.load("faithful").X).lower_bound_
    assert f"{value:.6f} a row" in result.stdout


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The paths that would have been drawn."""
    paths: list[Any] = []
    monkeypatch.setattr(
        "emplus.plotting.plot_animation", lambda path, *args, **options: paths.append(path)
    )
    return paths


def test_moves_of_a_search_and_its_accelerated_climbs(run: Run, shown: list[Any]) -> None:
    args = ("faithful", "-k", "5", "--search", "split_merge", "--accelerate", "auto", "--seed", "1")
    result = run("animate", *args, *FEW, "--output", "a.gif", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    [path] = shown
    assert [step.move[:15] for step in path if step.begins] == ["split and merge"]


def test_what_was_fitted_on_standardized_columns_is_shown_in_their_units(
    run: Run, shown: list[Any]
) -> None:
    args = ("faithful", "-k", "2", "--tol", "1e-9", "--output", "a.gif")
    assert run("animate", *args).exit_code == 0
    result = run("animate", *args, "--standardize")
    assert result.exit_code == 0
    plain, scaled = shown
    ends = [np.sort(path[-1].mixture.parameters.means, axis=0) for path in shown]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-3)
    assert plain[-1].log_likelihood == pytest.approx(scaled[-1].log_likelihood, rel=1e-5)
    assert f"{scaled[-1].log_likelihood / 272:.6f} a row" in result.stdout


def test_two_of_many_columns_and_row_weights(run: Run, shown: list[Any]) -> None:
    rows = "\n".join(f"{i % 7},{i % 5}.5,{i % 3},{1 + i % 2}" for i in range(40))
    Path("t.csv").write_text(f"a,b,c,w\n{rows}\n")
    args = ("animate", "t.csv", "-k", "2", "--weights-column", "w", "--output", "a.gif", *FEW)
    assert run(*args, "--columns", "a,b", "--covariance", "diag").exit_code == 0
    result = run(*args)
    assert result.exit_code == 2
    assert (
        "'t.csv' has 3 columns; an animation shows two: name them with --columns" in result.stderr
    )
    result = run(*args, "--columns", "a")
    assert result.exit_code == 2
    assert "has 1 column; an animation shows two" in result.stderr


def test_missing_entries_are_fitted(run: Run, shown: list[Any]) -> None:
    Path("m.csv").write_text("a,b\n1.5,2\n1.2,\n2,3\n1.7,4\n1,2\n3,3.3\n")
    assert run("animate", "m.csv", "-k", "2", "--output", "a.gif", *FEW).exit_code == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("faithful", "--output", "a.png"), "must end in .gif"),
        (("faithful", "--output", "-"), "must end in .gif"),
        (("faithful", "--output", "none/a.gif"), "there is no folder"),
        (("faithful", "-k", "300", "--output", "a.gif"), "cannot hold n_components = 300"),
        (("faithful", "--search", "emm", "--output", "a.gif"), "did you mean 'em'"),
        (("faithful", "--fps", "0", "--output", "a.gif"), "--fps"),
        (("faithful", "--frames", "1", "--output", "a.gif"), "--frames"),
        (("faithful",), "--output"),
        (("words.csv", "-k", "2", "--output", "a.gif"), "those of a categorical mixture are not"),
        (("bits.csv", "-k", "2", "--output", "a.gif"), "those of a bernoulli mixture are not"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, args: tuple[str, ...], words: str) -> None:
    Path("words.csv").write_text("a,b\nx,y\nx,z\nw,y\nx,y\n")
    Path("bits.csv").write_text("a,b\n0,1\n1,1\n0,0\n1,0\n")
    result = run("animate", *args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("a.gif").exists()


def test_an_interrupted_fit_is_shown_as_far_as_it_came(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Recorder.__call__

    def impatient(self: Recorder, state: State, /) -> None:
        keep(self, state)
        if state.iteration == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "__call__", impatient)
    result = run("animate", "faithful", "-k", "3", "--output", "a.gif")
    assert result.exit_code == 130
    assert "1 iteration, " in result.stdout
    assert film("a.gif").n_frames == 2
