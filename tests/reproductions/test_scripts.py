"""Every reproduction in quick mode, and what full runs left behind: files, claims, the table."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import pytest
from regenerate import reproduction
from report import README, SCRIPTS, readme
from reproduction import FIGURES, Run

from emplus.errors import DatasetNotFoundError

# What holds in the little that a quick run does; a claim that a source makes and that does not
# hold is as much a result as one that does. None: it hangs on too few runs to be foreseen.
QUICK: dict[str, dict[str, bool | None]] = {
    "em_demo": {"few": True, "stuck": True, "unstuck": True},
    "old_faithful_animation": {"kinds": True, "dense": True, "rises": True, "maximum": True},
    "mixture_density": {"density": True, "posteriors": True, "modes": True},
    "number_of_components": {
        "number": True,
        "singleton": True,
        "copies": True,
        "unbounded": True,
        "prior": True,
    },
    "gradient_vs_em": {
        "few_iterations": True,
        "few_iterations_overlapping": False,
        "gradient": False,
        "accelerated": True,
        "same_end": False,
        "constrained": True,
    },
    "running_moments": {
        "mean": True,
        "biased": True,
        "not_significant": True,
        "not_significant_together": False,
        "exact": True,
        "offline": True,
    },
    "split_merge_steps": {"escape": True, "candidates": True, "share": True, "cost": True},
    "split_merge_performance": {
        "worst_train": None,
        "worst_test": None,
        "worst_all": None,
        "mean": True,
        "steps": None,
        "local_steps": None,
        "local": None,
        "regularization": False,
    },
    "reset_heuristic": {"smem": None, "split_merge": True, "equal": None, "cheap": None},
    "factor_analyzers_spiral": {"level": False, "better": True, "gap": None, "spread": True},
    "image_reconstruction": {
        "order": None,
        "order_other": None,
        "em_ratio": True,
        "split_merge_ratio": False,
        "bits": True,
    },
    "digits": {
        "em_falls": None,
        "split_merge_better": None,
        "best": None,
        "likelihood": True,
        "prior": None,
    },
    "bernoulli_digits": {"completes": True, "completes_tied": None, "clusters": None},
    "gaussian_artmap": {"well": True, "tracking": None, "em": None, "voters": None},
    "neural_network": {
        "sigmoid": True,
        "sums": True,
        "no_density": True,
        "classes": True,
        "far": True,
        "softmax": True,
    },
}


def png_size(place: Path) -> tuple[int, int]:
    head = place.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_every_script_is_in_the_tables() -> None:
    places = README.parent.glob("*.py")
    there = {place.stem for place in places if "\nREPRODUCTION = " in place.read_text("utf-8")}
    assert there == set(SCRIPTS)
    assert set(QUICK) == set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_quick_run_draws_and_judges(name: str, tmp_path: Path) -> None:
    script = reproduction(name)
    try:
        # A reader of figures is warned by their captions, not by Python.
        with warnings.catch_warnings():
            claims = script.write(Run(quick=True), tmp_path)
    except DatasetNotFoundError as error:
        pytest.skip(str(error))
    assert [claim.key for claim in claims] == list(QUICK[name])
    foreseen = {key: holds for key, holds in QUICK[name].items() if holds is not None}
    assert {claim.key: claim.holds for claim in claims if claim.key in foreseen} == foreseen
    width, height = png_size(tmp_path / f"{name}.png")
    assert 900 <= width <= 2000
    assert 400 <= height <= 2600
    told = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
    assert told["quick"] is True
    assert told["numbers"]
    for claim in claims:
        assert claim.says.endswith(".")
        assert "nan" not in claim.ours
        assert all([claim.published, claim.ours, claim.tolerance])


def stored(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))
    return told


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_claimed_follows_from_the_numbers_that_are_kept(name: str) -> None:
    told, script = stored(name), reproduction(name)
    assert told["quick"] is False
    assert (told["name"], told["title"], told["source"]) == (name, script.title, script.source)
    judged = script.claims(told["numbers"])
    assert len({claim.key for claim in judged}) == len(judged) > 0
    for claim, kept in zip(judged, told["claims"], strict=True):
        assert {key: getattr(claim, key) for key in kept} == kept
    png_size(FIGURES / f"{name}.png")


def test_the_table_of_claims_is_what_the_scripts_wrote() -> None:
    assert README.read_text("utf-8") == readme()


def test_there_is_no_figure_without_a_script() -> None:
    stems = {place.stem for place in FIGURES.iterdir() if place.is_file()}
    assert {stem for stem in stems if not stem.startswith(SCRIPTS)} == set()
