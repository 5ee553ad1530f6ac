"""The search of the page on how to add one: with families, checkpoints and budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from docs.examples.basin_hopping import BasinHopping
from emplus import GaussianMixture, datasets
from emplus.engine.outcome import Outcome
from emplus.errors import ArgumentError, FitWarning
from emplus.search.base import Budget
from emplus.search.registry import make_search
from emplus.search.restarts import Restarts
from tests.cases import FamilyCase, every_searched_family, tolerated
from tests.extending.examples import EXAMPLES


def test_the_example_is_short() -> None:
    assert len((EXAMPLES / "basin_hopping.py").read_text("utf-8").splitlines()) < 60


@every_searched_family
def test_with_every_family(case: FamilyCase) -> None:
    rows = case.like(3, 2.0).sample(120, np.random.default_rng(0))[0]
    with tolerated():
        plain = case.estimator(3, search="em", random_state=0).fit(rows)
        hopped = case.estimator(3, search="basin_hopping", random_state=0).fit(rows)
    assert hopped.result_.objective >= plain.result_.objective - 1e-6
    assert {candidate.kind for candidate in hopped.result_.candidates} == {"hop"}
    assert np.isfinite(hopped.result_.trace).all()


def test_it_leaves_poor_optima() -> None:
    rows = datasets.make_mixture("separated", 600, d=2, k=6, seed=2).X

    best = GaussianMixture(6, search="em+basin_hopping", init_params="random_from_data")
    stuck = GaussianMixture(6, search="em", init_params="random_from_data")
    gains = [
        best.set_params(random_state=seed).fit(rows).lower_bound_
        - stuck.set_params(random_state=seed).fit(rows).lower_bound_
        for seed in range(3)
    ]
    assert max(gains) > 0.01
    assert min(gains) > -1e-6


def test_it_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    rows = datasets.load("faithful").X
    once = GaussianMixture(3, search="basin_hopping", random_state=0).fit(rows)

    class Stop:
        passes = 0

        def __call__(self, state: object) -> None:
            self.passes += 1
            if self.passes == 40:
                raise KeyboardInterrupt

    model = GaussianMixture(3, search="basin_hopping", random_state=0, observers=[Stop()])
    place = tmp_path / "run.safetensors"
    with pytest.warns(FitWarning):
        broken = model.fit(rows, checkpoint=place)
    assert broken.result_.outcome is Outcome.INTERRUPTED
    again = GaussianMixture(3, search="basin_hopping", random_state=0).fit(rows, checkpoint=place)
    assert again.lower_bound_ == once.lower_bound_
    assert again.result_.trace == once.result_.trace


def test_names_budgets_and_refusals() -> None:
    search = make_search("em+basin_hopping", 2, Budget(moves=7))
    assert isinstance(search, BasinHopping)
    assert (search.first, search.budget.moves) == (Restarts(2), 7)
    with pytest.raises(ArgumentError, match="did you mean 'basin_hopping'"):
        make_search("basin_hoping")
    with pytest.raises(ArgumentError, match="has no budget"):
        make_search("em", 2, Budget(moves=7))
