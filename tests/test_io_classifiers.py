"""Model files of estimators that are not one mixture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import emplus
from emplus import GaussianMixture, MixtureClassifier
from emplus.cli import main
from emplus.errors import ArgumentError, ModelFileError
from emplus.io import load, read_header, save
from tests.cases import tolerated
from tests.estimators.examples import Example, every_example, with_holes
from tests.models import fitted, make_rows
from tests.test_io_hostile import JSON, build, refused, split

LABELS = np.arange(200) % 3


def classifier(**arguments: Any) -> Any:
    mixture = GaussianMixture(2, search="em", random_state=0)
    return MixtureClassifier(mixture, **arguments).fit(make_rows(), LABELS)


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(classifier(), path)
    return path.read_bytes()


# -- round trips ---------------------------------------------------------------------------------


@every_example
@pytest.mark.parametrize("holes", [0.0, 0.2])
@pytest.mark.parametrize("known", [1.0, 0.5])
def test_the_loaded_classifier_predicts_the_same_bits(
    example: Example, holes: float, known: float, tmp_path: Path
) -> None:
    table, y = example.table(150, apart=0.7)
    table = with_holes(table, holes) if holes else table
    labels = np.where(np.random.default_rng(0).random(len(y)) < known, y, -1)
    with tolerated():
        model = MixtureClassifier(example(2, search="em"), max_iter=5).fit(table, labels)
    model.save(tmp_path / "m")
    again = emplus.load(tmp_path / "m")
    assert type(again) is MixtureClassifier
    for method in ("predict", "predict_proba", "predict_joint_log_proba", "score_samples"):
        ours, theirs = getattr(model, method)(table), getattr(again, method)(table)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    for name in ("class_prior_", "objectives_", "n_iter_", "converged_", "n_unlabeled_"):
        assert_array_equal(getattr(again, name), getattr(model, name))
    ours, theirs = again.get_params(), model.get_params()
    # Two estimators of the same arguments are not equal to each other.
    assert type(ours.pop("mixture")) is type(theirs.pop("mixture"))
    assert ours == theirs
    if hasattr(model, "feature_names_in_"):
        assert again.feature_names_in_.tolist() == model.feature_names_in_.tolist()
    # What was read can be written again, bit for bit.
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize(
    "names",
    [
        np.array(["a", "ü", "long, long"]),
        np.array(["a", "ü", ""], dtype=object),
        np.array([3, -7, 2**60]),
        np.array([0, 1, 255], dtype=np.uint8),
        np.array([0.0, -1e15, 3.0]),
        np.array([True, False, True]),
    ],
    ids=lambda names: str(names.dtype),
)
def test_classes_come_back_as_they_were(names: Any, tmp_path: Path) -> None:
    model = MixtureClassifier(unlabeled=None, random_state=0).fit(make_rows(), names[LABELS])
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.classes_.dtype == model.classes_.dtype
    assert again.classes_.tolist() == model.classes_.tolist()
    assert_array_equal(again.predict(make_rows()), model.predict(make_rows()))


def test_arguments_are_kept_where_json_can_hold_them(tmp_path: Path) -> None:
    model = classifier(priors=[0.2, 0.3, 0.5], n_components={0: 1}, tol=1e-3, unlabeled=None)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert (again.priors, again.tol, again.unlabeled) == ([0.2, 0.3, 0.5], 1e-3, None)
    # JSON would make text of the number.
    assert again.n_components is None
    header = read_header(tmp_path / "m")
    assert header["format"] == 2
    assert header["estimator"]["omitted"] == ["n_components"]
    assert header["estimator"]["nested"]["mixture"]["class"] == "GaussianMixture"
    plain = MixtureClassifier().fit(make_rows(), LABELS)
    plain.save(tmp_path / "plain")
    assert load(tmp_path / "plain").mixture is None
    assert "nested" not in read_header(tmp_path / "plain")["estimator"]


def test_files_of_one_mixture_keep_their_format(tmp_path: Path) -> None:
    save(fitted(), tmp_path / "m")
    header = read_header(tmp_path / "m")
    assert list(header) == [
        "format", "emplus", "estimator", "family", "feature_names", "fit", "digest",
    ]  # fmt: skip
    assert header["format"] == 1
    assert list(header["estimator"]) == ["class", "params", "omitted"]


def test_many_classes_fit_into_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(900) % 300
    X = rng.standard_normal((900, 2)) + y[:, None]
    model = MixtureClassifier(GaussianMixture(covariance_type="diag")).fit(X, y)
    model.save(tmp_path / "m")
    assert_array_equal(load(tmp_path / "m").predict_proba(X), model.predict_proba(X))


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="not fitted"):
        save(MixtureClassifier(), tmp_path / "m")
    model = classifier()
    model.mixtures_[1].mixture_.parameters.means[0, 0] = np.nan
    with pytest.raises(ModelFileError, match="not finite"):
        save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


# -- hostile files -------------------------------------------------------------------------------


def test_every_truncation_is_refused(model_bytes: bytes, tmp_path: Path) -> None:
    for length in range(0, len(model_bytes), 61):
        refused(tmp_path / "m", model_bytes[:length])


Change = Callable[[dict[str, Any], dict[str, Any]], None]


def _tensor(name: str, array: Any) -> Change:
    return lambda _, tensors: tensors.__setitem__(name, np.asarray(array))


def _without(name: str) -> Change:
    return lambda _, tensors: tensors.__delitem__(name)


def _header(**changes: Any) -> Change:
    return lambda header, _: header.update(changes)


def _facts(**changes: Any) -> Change:
    return lambda header, _: header["facts"].update(changes)


def _inner(**changes: Any) -> Change:
    return lambda header, _: header["facts"]["mixtures"][1].update(changes)


def _classes(**changes: Any) -> Change:
    return lambda header, _: header["facts"]["classes"].update(changes)


DEEP = {"class": "MixtureClassifier", "params": {}, "nested": {}}
DEEP = {**DEEP, "nested": {"mixture": {**DEEP, "nested": {"mixture": DEEP}}}}
NONSENSE: list[tuple[Change, str]] = [
    (_tensor("class_prior", [0.5, 0.2, 0.2]), "class priors"),
    (_tensor("class_prior", [0.5, 0.5]), "class priors"),
    (_tensor("class_prior", [np.nan, 0.5, 0.5]), "class priors"),
    (_tensor("objectives", np.zeros((2, 2))), "objectives"),
    (_tensor("objectives", np.zeros(0)), "objectives"),
    (_tensor("3.log_weights", np.zeros(1)), "which no classifier has"),
    (_tensor("other", np.zeros(1)), "which no classifier has"),
    (_tensor("1.log_weights", np.log([0.5, 0.2])), "sum to 0.7 instead of 1"),
    (_tensor("1.parameters.means", np.full((2, 3), np.nan)), "not finite"),
    (_tensor("1.parameters.means", np.zeros((2, 2))), "shape"),
    (_tensor("1.other", np.zeros(1)), "which no model has"),
    (_without("1.log_weights"), "'log_weights' is missing"),
    (_without("class_prior"), "class_prior"),
    (_header(format=1), "lacks 'family'"),
    (_header(format=3, emplus="9.1"), "written by emplus 9.1"),
    (_header(facts=[]), "lacks 'facts'"),
    (_header(n_features=2), "other columns"),
    (_header(n_features="3"), "how many columns"),
    (_header(n_features=True), "how many columns"),
    (_header(feature_names=["a"]), "1 column names for 3 columns"),
    (_header(estimator={"class": "GaussianMixture", "params": {}}), "is one mixture"),
    (_header(estimator={"class": "Nonesuch", "params": {}}), "Nonesuch"),
    (_header(estimator={"class": "MixtureClassifier", "params": {"later": 1}}), "later"),
    (_header(estimator={"class": "MixtureClassifier"}), "lacks the params"),
    (_header(estimator=DEEP), "not described"),
    (
        _header(estimator={"class": "MixtureClassifier", "params": {}, "nested": {"mixture": 1}}),
        "lacks 'estimator'",
    ),
    (_facts(mixtures=[]), "a mixture for each of its 3 classes"),
    (_facts(mixtures=[1, 2, 3]), "not described"),
    (_facts(classes={}), "type"),
    (_facts(classes=7), "cannot be restored"),
    (_inner(fit={}), "how the fit ended"),
    (_inner(family={"name": "gamma", "config": {}}), "gamma"),
    (_inner(estimator={"class": "MixtureClassifier", "params": {}}), "is not one mixture"),
    (_inner(feature_names=[1, 2, 3]), "not text"),
    (_classes(values=[0, 0, 1]), "not in order"),
    (_classes(values=[0, "1", 2]), "not what it says"),
    (_classes(values=[]), "not what it says"),
    (_classes(type="date"), "date"),
    (_classes(dtype="<U5"), "not of the type"),
    (_classes(dtype="|i1", values=[0, 1, 2**40]), "cannot be restored"),
    (_classes(type="float", dtype="<f8", values=[0, 1, 2]), "not what it says"),
]


@pytest.mark.parametrize(("change", "part"), NONSENSE)
def test_whole_files_that_hold_nonsense(
    change: Change, part: str, model_bytes: bytes, tmp_path: Path
) -> None:
    header, tensors = split(model_bytes)
    change(header, tensors)
    assert part in refused(tmp_path / "m", build(header, tensors))


def test_a_file_of_one_mixture_that_says_it_is_a_classifier(tmp_path: Path) -> None:
    save(fitted(), tmp_path / "m")
    header, tensors = split((tmp_path / "m").read_bytes())
    header["estimator"] = {"class": "MixtureClassifier", "params": {}}
    assert "is not one mixture" in refused(tmp_path / "m", build(header, tensors))


PLACES: list[tuple[Any, ...]] = [
    ("format",),
    ("n_features",),
    ("feature_names",),
    ("estimator",),
    ("estimator", "params"),
    ("estimator", "nested"),
    ("estimator", "nested", "mixture"),
    ("estimator", "nested", "mixture", "params"),
    ("facts",),
    ("facts", "classes"),
    *[("facts", "classes", name) for name in ("type", "dtype", "values")],
    ("facts", "converged"),
    ("facts", "n_unlabeled"),
    ("facts", "mixtures"),
    ("facts", "mixtures", 0),
    ("facts", "mixtures", 0, "estimator"),
    ("facts", "mixtures", 0, "fit", "outcome"),
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.sampled_from(PLACES), value=JSON)
def test_a_hostile_description_is_refused_or_harmless(
    model_bytes: bytes, tmp_path: Path, where: tuple[Any, ...], value: Any
) -> None:
    header, tensors = split(model_bytes)
    inner: Any = header
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    try:
        contents = build(header, tensors)
    except ValueError:  # not JSON: NaN, infinity, half a surrogate pair
        return
    (tmp_path / "m").write_bytes(contents)
    try:
        model = load(tmp_path / "m")
    except ModelFileError:
        return
    assert np.isfinite(model.mixtures_[0].mixture_.log_density(make_rows())).all()


# -- the command line ----------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(make_rows(), columns=["a", "b", "c"])
    names = np.array(["north", "east", "south"])[LABELS]
    MixtureClassifier(GaussianMixture(2), random_state=0).fit(frame, names).save("m")
    frame.to_csv("rows.csv", index=False)


@pytest.mark.usefixtures("files")
def test_the_command_line_predicts_classes() -> None:
    model, frame = load("m"), pd.read_csv("rows.csv")
    answer = CliRunner().invoke(main, ["predict", "m", "rows.csv"])
    assert answer.exit_code == 0
    assert answer.output.split() == ["label", *model.predict(frame)]
    answer = CliRunner().invoke(main, ["predict", "--proba", "m", "rows.csv"])
    assert answer.output.splitlines()[0] == "east,north,south"
    answer = CliRunner().invoke(main, ["info", "m"])
    assert "MixtureClassifier" in answer.output
    assert "3: east, north, south" in answer.output
    answer = CliRunner().invoke(main, ["info", "--json", "m"])
    assert json.loads(answer.output)["classes"] == ["east", "north", "south"]


@pytest.mark.usefixtures("files")
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
def test_other_commands_refuse_a_classifier_in_a_sentence(command: list[str]) -> None:
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("emplus: error: 'm' holds a MixtureClassifier, which is not")
    assert answer.stderr.count("\n") == 1
