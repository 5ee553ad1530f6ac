"""Step rules by name."""

from __future__ import annotations

from typing import Any

import pytest

from emplus.engine.acceleration import Accelerated, Anderson, QuasiNewton, Squarem
from emplus.engine.blockwise import Incremental, Stepwise
from emplus.engine.gradient import LBFGS, GradientAscent
from emplus.engine.registry import ACCELERATIONS, OPTIMIZERS, make_rule
from emplus.engine.rules import EM, StepRule, WarmStart
from emplus.errors import ArgumentError, UnknownNameError

RULES: dict[tuple[str, str | None], StepRule] = {
    ("em", "auto"): Accelerated(QuasiNewton()),
    ("em", "quasi-newton"): Accelerated(QuasiNewton()),
    ("em", "anderson"): Accelerated(Anderson()),
    ("em", "squarem"): Accelerated(Squarem()),
    ("em", "none"): EM(),
    ("em", None): EM(),
    ("gradient", "auto"): GradientAscent(),
    ("lbfgs", None): LBFGS(),
    ("em+gradient", "none"): WarmStart(GradientAscent()),
    ("em+lbfgs", "auto"): WarmStart(LBFGS()),
    ("stepwise", "auto"): Stepwise(),
    ("incremental", "auto"): Incremental(),
}


@pytest.mark.parametrize(("names", "rule"), RULES.items(), ids=str)
def test_names_are_rules(names: tuple[str, str | None], rule: StepRule) -> None:
    assert make_rule(*names) == rule


def test_every_name_is_tried() -> None:
    assert {optimizer for optimizer, _ in RULES} >= set(OPTIMIZERS)
    assert {accelerate for _, accelerate in RULES} >= set(ACCELERATIONS)
    assert make_rule() == make_rule("em", "auto")


@pytest.mark.parametrize("optimizer", ["gradient", "lbfgs", "em+lbfgs", "stepwise", "incremental"])
@pytest.mark.parametrize("accelerate", ["anderson", "squarem", "quasi-newton"])
def test_only_em_is_accelerated(optimizer: str, accelerate: str) -> None:
    with pytest.raises(ArgumentError, match=f"{accelerate}.*is for optimizer='em'"):
        make_rule(optimizer, accelerate)


@pytest.mark.parametrize(
    ("optimizer", "accelerate", "nearest"),
    [
        ("lbgfs", "auto", "lbfgs"),
        ("em+lbgfs", "auto", "em\\+lbfgs"),
        ("em+stepwise", "auto", "stepwise"),
        ("em+em", "auto", "em"),
        ("em", "squarem3", "squarem"),
        ("em", "andersen", "anderson"),
    ],
)
def test_names_that_are_not_known_are_refused_with_the_nearest(
    optimizer: str, accelerate: str, nearest: str
) -> None:
    with pytest.raises(UnknownNameError, match=nearest):
        make_rule(optimizer, accelerate)


@pytest.mark.parametrize("bad", [None, 3, True, 1.5])
def test_what_is_no_name_is_refused(bad: Any) -> None:
    with pytest.raises(UnknownNameError):
        make_rule(bad)
    if bad is not None:
        with pytest.raises(UnknownNameError):
            make_rule("em", bad)


@pytest.mark.parametrize("bad", [[], {}])
def test_what_cannot_be_looked_up_is_refused_as_well(bad: Any) -> None:
    with pytest.raises(UnknownNameError):
        make_rule("em", bad)
