"""Model files of factor analyzers: round trips, and files that hold nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

import emplus
from emplus.errors import ModelFileError
from emplus.families.factor_analyzer import LOADINGS, NOISES
from emplus.io import load, save
from emplus.io.layout import make_digest
from tests.cases import tolerated
from tests.models import make_rows

# d = 5, so that no axis is as long as another.
D, K, Q = 5, 3, 2


def fitted(noise: str, loadings: str, q: int = Q, dtype: str = "float64") -> Any:
    model = emplus.FactorAnalyzerMixture(
        K, n_factors=q, noise=noise, loadings=loadings, random_state=0, max_iter=5
    )
    with tolerated():
        return model.fit(make_rows(d=D).astype(dtype))


def saved(folder: Path, noise: str, loadings: str, q: int = Q) -> tuple[dict[str, Any], Any]:
    """Description and tensors of a model file."""
    save(fitted(noise, loadings, q), folder / "whole")
    contents = (folder / "whole").read_bytes()
    length = int.from_bytes(contents[:8], "little")
    header = json.loads(contents[8 : 8 + length])
    tensors = {name: np.array(array) for name, array in parse(contents).items()}
    return json.loads(header["__metadata__"]["emplus"]), tensors


def refused(path: Path, description: dict[str, Any], tensors: dict[str, Any]) -> str:
    """The sentence about a file whose digest is right, so that the rest has to be looked at."""
    description["digest"] = make_digest(description, tensors)
    path.write_bytes(serialize(tensors, metadata={"emplus": json.dumps(description)}))
    with pytest.raises(ModelFileError) as caught:
        load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("loadings", LOADINGS)
@pytest.mark.parametrize(("q", "dtype"), [(0, "float64"), (2, "float64"), (2, "float32")])
def test_the_loaded_model_is_the_same_to_the_bit(
    noise: str, loadings: str, q: int, dtype: str, tmp_path: Path
) -> None:
    model = fitted(noise, loadings, q, dtype)
    model.save(tmp_path / "m")
    again = emplus.load(tmp_path / "m")
    assert type(again) is emplus.FactorAnalyzerMixture
    assert again.get_params() == model.get_params()
    X = make_rows(d=D).astype(dtype)
    for method in ("predict", "predict_proba", "score_samples", "transform", "reconstruct"):
        ours, theirs = getattr(model, method)(X), getattr(again, method)(X)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    for name in ("weights_", "means_", "loadings_", "noise_variance_", "covariances_"):
        assert np.array_equal(getattr(again, name), getattr(model, name))
    assert type(again.noise_variance_) is type(model.noise_variance_)
    save(again, tmp_path / "n")
    assert (tmp_path / "n").read_bytes() == (tmp_path / "m").read_bytes()


# Array, what stands in its place, part of the sentence.
OWN: list[tuple[str, Any, str]] = [
    ("means", np.zeros((K, D + 1)), "'loadings' has shape (3, 5, 2) instead of (3, 6, 2)"),
    ("means", np.zeros((K - 1, D)), "shape"),
    ("means", np.zeros(K), "has shape (3,)"),
    ("means", np.zeros((0, D)), "shape"),
    ("means", np.zeros((K, 0)), "shape"),
    ("means", np.full((K, D), np.nan), "'means' holds values that are not finite"),
    ("means", None, "'means' is missing"),
    ("loadings", np.zeros((K, D)), "'loadings' has shape (3, 5) instead of (3, 5, 2)"),
    ("loadings", np.zeros((K, D, Q + 1)), "'loadings' has shape"),
    ("loadings", np.zeros((K, Q, D)), "'loadings' has shape"),
    ("loadings", np.full((K, D, Q), np.inf), "not finite"),
    ("loadings", None, "'loadings' is missing"),
    ("noise_variance", np.ones(D), "'noise_variance' has shape (5,) instead of (3, 5)"),
    ("noise_variance", np.float64(1.0), "'noise_variance' has shape ()"),
    ("noise_variance", np.full((K, D), -1.0), "'noise_variance' is not positive"),
    ("noise_variance", np.zeros((K, D)), "'noise_variance' is not positive"),
    ("noise_variance", np.full((K, D), np.nan), "not finite"),
    ("noise_variance", None, "'noise_variance' is missing"),
    ("log_weights", np.log([0.5, 0.5]), "one for each component"),
    ("log_weights", np.log([0.25] * 4), "fit together"),
]
COMMON: list[tuple[str, Any, str]] = [
    ("offset", np.zeros(D + 1), "shape"),
    ("offset", np.zeros((1, D)), "'offset' has shape"),
    ("offset", None, "'offset' is missing"),
    ("basis", np.zeros((Q, D)), "'basis' has shape (2, 5) instead of (5, 2)"),
    ("basis", np.full((D, Q), np.nan), "not finite"),
    ("factor_means", np.zeros((K, D)), "'factor_means' has shape"),
    ("factor_means", np.zeros(K), "has shape (3,)"),
    ("factor_means", np.zeros((K + 1, Q)), "shape"),
    ("factor_roots", np.zeros((K, Q)), "'factor_roots' has shape"),
    ("factor_roots", np.zeros((K, D, D)), "'factor_roots' has shape"),
    ("noise_variance", np.ones((K, D)), "'noise_variance' has shape"),
    ("noise_variance", -np.ones(D), "not positive"),
]


@pytest.mark.parametrize(
    ("loadings", "name", "array", "part"),
    [("own", *row) for row in OWN] + [("common", *row) for row in COMMON],
)
def test_arrays_that_do_not_fit_are_refused(
    loadings: str, name: str, array: Any, part: str, tmp_path: Path
) -> None:
    description, tensors = saved(tmp_path, "diag", loadings)
    name = name if name == "log_weights" else f"parameters.{name}"
    if array is None:
        del tensors[name]
    else:
        tensors[name] = np.asarray(array, dtype=np.float64)
    assert part in refused(tmp_path / "m", description, tensors)


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"n_factors": -1}, "n_factors must be a whole number"),
    ({"n_factors": True}, "n_factors must be a whole number"),
    ({"n_factors": 10**9}, "'loadings' has shape"),
    ({"n_factors": "2"}, "n_factors must be a whole number"),
    ({"n_factors": None}, "n_factors must be a whole number"),
    ({"noise": "loud"}, "Unknown noise 'loud'"),
    ({"noise": ["diag"]}, "Unknown noise"),
    ({"noise": "isotropic"}, "'noise_variance' has shape"),
    ({"loadings": "rare"}, "Unknown loadings 'rare'"),
    ({"loadings": "common"}, "is missing"),
    ({"held": None}, "held"),
    ({"held": {"means": 1}}, "held"),
    ({"covariance_type": "full"}, "covariance_type"),
]


@pytest.mark.parametrize(("change", "part"), CONFIGS)
def test_configurations_that_do_not_fit_are_refused(
    change: dict[str, Any], part: str, tmp_path: Path
) -> None:
    description, tensors = saved(tmp_path, "diag", "own")
    description["family"]["config"].update(change)
    assert part in refused(tmp_path / "m", description, tensors)


def test_no_columns_at_all_are_refused(tmp_path: Path) -> None:
    description, tensors = saved(tmp_path, "diag", "common", q=0)
    tensors["parameters.offset"] = np.zeros(0)
    tensors["parameters.basis"] = np.zeros((0, 0))
    tensors["parameters.noise_variance"] = np.zeros(0)
    assert "shape" in refused(tmp_path / "m", description, tensors)


def test_a_model_with_a_noise_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    model = fitted("diag", "own")
    model.mixture_.parameters.noise[0, 0] = -1.0
    with pytest.raises(ModelFileError, match="not positive"):
        save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())
