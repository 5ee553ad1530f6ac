"""Saved classifiers on the command line: classes of rows, and what the files hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from numpy.testing import assert_allclose, assert_array_equal

import emplus
from emplus import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianARTMAP,
    GaussianMixture,
    MixedMixture,
    MixtureClassifier,
)

Run = Callable[..., Result]


def table(n: int = 90) -> tuple[pd.DataFrame, np.ndarray]:
    """Two columns of numbers, one of words, two of zeros and ones; three classes."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    numbers = rng.normal(size=(n, 2)) + 3.0 * y[:, None]
    words = np.where(rng.random(n) < 0.8, np.array(["u", "v", "w"])[y], "u")
    marks = (rng.random((n, 2)) < 0.2 + 0.3 * y[:, None]).astype(int)
    frame = pd.DataFrame(numbers, columns=["a", "b"]).assign(c=words)
    return frame.assign(d=marks[:, 0], e=marks[:, 1]), y


NUMBERS, ALL = ["a", "b"], ["a", "b", "c", "d", "e"]
CLASSIFIERS: dict[str, tuple[Any, list[str]]] = {
    "gaussian": (MixtureClassifier(GaussianMixture(2), random_state=0), NUMBERS),
    "categorical": (MixtureClassifier(CategoricalMixture(1), random_state=0), ["c"]),
    "bernoulli": (MixtureClassifier(BernoulliMixture(1), random_state=0), ["d", "e"]),
    "mixed": (MixtureClassifier(MixedMixture(2), random_state=0), ALL),
    "artmap": (GaussianARTMAP(random_state=0), NUMBERS),
    "voters": (GaussianARTMAP(n_voters=3, random_state=0), NUMBERS),
}
LABELS: dict[str, Any] = {
    "numbers": np.array([4, 7, 9]),
    "words": np.array(["north", "east", "south"]),
    "truth": np.array([True, False, True]),
}
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


def saved(name: str, labels: str = "words") -> tuple[Any, pd.DataFrame]:
    """A fitted classifier, in the file m, and the rows, in the file rows.csv."""
    classifier, columns = CLASSIFIERS[name]
    frame, y = table()
    model = classifier.fit(frame[columns], LABELS[labels][y])
    model.save("m")
    frame[columns].to_csv("rows.csv", index=False)
    return model, frame[columns]


@every_classifier
@pytest.mark.parametrize("labels", LABELS)
def test_predicts_as_the_estimator_does(name: str, labels: str, run: Run) -> None:
    model, frame = saved(name, labels)
    answer = pd.read_csv(StringIO(run("predict", "m", "rows.csv").stdout))
    assert list(answer) == ["label"]
    assert_array_equal(answer["label"], model.predict(frame))
    answer = pd.read_csv(StringIO(run("predict", "m", "rows.csv", "--proba").stdout))
    assert list(answer) == [str(label) for label in model.classes_.tolist()]
    # How the numbers lie in memory changes their last places.
    assert_allclose(answer.to_numpy(), model.predict_proba(frame), rtol=1e-9, atol=1e-15)


@every_classifier
def test_columns_are_found_by_name(name: str, run: Run) -> None:
    model, frame = saved(name)
    other = frame[list(frame)[::-1]].assign(more=1.0)
    other.to_csv("other.csv", index=False)
    refused = run("predict", "m", "other.csv")
    assert refused.exit_code == 2
    assert "'more' that the model was not fitted on" in refused.stderr
    answer = run("predict", "m", "other.csv", "--columns", ",".join(CLASSIFIERS[name][1][::-1]))
    assert answer.stdout.split() == ["label", *model.predict(frame)]


@pytest.mark.parametrize("name", [name for name, (_, own) in CLASSIFIERS.items() if "c" not in own])
def test_columns_without_names(name: str, run: Run) -> None:
    classifier, columns = CLASSIFIERS[name]
    frame, y = table()
    rows = frame[columns].to_numpy(dtype=float)
    classifier.fit(rows, y).save("m")
    np.save("rows.npy", rows)
    answer = run("predict", "m", "rows.npy", "--output", "labels.csv")
    assert answer.exit_code == 0
    assert_array_equal(pd.read_csv("labels.csv")["label"], classifier.predict(rows))


@every_classifier
def test_info_says_what_the_file_holds(name: str, run: Run) -> None:
    model, frame = saved(name)
    lines = dict(line.split(maxsplit=1) for line in run("info", "m").stdout.splitlines())
    assert lines["estimator"] == type(model).__name__
    assert lines["classes"] == "3: east, north, south"
    assert lines["columns"] == str(frame.shape[1])
    if name in ("artmap", "voters"):
        together = ", of 3 voters together" if name == "voters" else ""
        assert lines["categories"] == f"{model.n_categories_}{together}"
        assert lines["fitted"].startswith(f"on       90 rows in {model.n_epochs_} epoch")
    else:
        assert lines["mixtures"] == type(model.mixtures_[0]).__name__
        assert lines["priors"] == "0.3333, 0.3333, 0.3333"
    content = json.loads(run("info", "m", "--json").stdout)
    assert content["classes"] == ["east", "north", "south"]
    assert content["columns"] == list(frame)
    assert content["header"]["estimator"]["class"] == type(model).__name__


def test_info_tells_another_optimizer_of_the_classes(run: Run) -> None:
    frame, y = table()
    mixture = GaussianMixture(2, optimizer="lbfgs")
    MixtureClassifier(mixture, random_state=0).fit(frame[NUMBERS], y).save("m")
    assert "\noptimizer       lbfgs\n" in run("info", "m").stdout


@pytest.mark.parametrize("name", ["mixed", "artmap"])
@pytest.mark.parametrize(
    "command",
    [
        ["score", "m", "rows.csv"],
        ["sample", "m"],
        ["impute", "m", "rows.csv", "--output", "filled.csv"],
        ["plot", "m", "rows.csv", "--output", "picture.png"],
        ["info", "m", "rows.csv"],
    ],
    ids=lambda command: command[0],
)
def test_commands_of_one_mixture_refuse_in_a_sentence(
    name: str, command: list[str], run: Run
) -> None:
    model, _ = saved(name)
    answer = run(*command)
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"emplus: error: 'm' holds a {type(model).__name__}, which is")
    assert answer.stderr.count("\n") == 1


def test_holes_and_new_words_in_the_rows(run: Run) -> None:
    _, frame = saved("mixed")
    odd = frame.astype({"d": float}).iloc[:4].reset_index(drop=True)
    odd.loc[1, "a"], odd.loc[2, "c"] = np.nan, None
    odd.to_csv("odd.csv", index=False)
    answer = run("predict", "m", "odd.csv")
    assert answer.exit_code == 0
    assert answer.stdout.split() == ["label", *emplus.load("m").predict(odd)]
    _, frame = saved("artmap")
    frame.iloc[:4].assign(a=[1.0, np.nan, 1.0, 1.0]).to_csv("odd.csv", index=False)
    refused = run("predict", "m", "odd.csv")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
