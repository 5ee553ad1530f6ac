"""Step rules by name."""

from __future__ import annotations

from collections.abc import Callable

from emplus.engine.acceleration import Accelerated, Anderson, Squarem
from emplus.engine.blockwise import Incremental, Stepwise
from emplus.engine.gradient import LBFGS, GradientAscent
from emplus.engine.rules import EM, StepRule, WarmStart
from emplus.errors import ArgumentError, UnknownNameError

__all__ = ["ACCELERATIONS", "OPTIMIZERS", "make_rule"]

OPTIMIZERS: dict[str, Callable[[], StepRule]] = {
    "em": EM,
    "gradient": GradientAscent,
    "lbfgs": LBFGS,
    "stepwise": Stepwise,
    "incremental": Incremental,
}

ACCELERATIONS: dict[str, Callable[[], StepRule]] = {
    "auto": Accelerated,
    "quasi-newton": Accelerated,
    "anderson": lambda: Accelerated(Anderson()),
    "squarem": lambda: Accelerated(Squarem()),
    "none": EM,
}


def make_rule(optimizer: str = "em", accelerate: str | bool | None = "auto") -> StepRule:
    """The step rule of that name.

    Parameters
    ----------
    optimizer : str
        A name in `OPTIMIZERS`; ``"em+gradient"`` and ``"em+lbfgs"`` begin with ten iterations of
        EM.
    accelerate : str or None
        A name in `ACCELERATIONS`; it is for ``"em"`` alone, the others have no use for it. None
        and False are "none".

    Raises
    ------
    UnknownNameError
        With the nearest known name.
    ArgumentError
        If an acceleration other than "auto" is asked for beside another optimizer than EM.

    Examples
    --------
    >>> make_rule("em", None)
    EM()
    >>> make_rule("em+lbfgs")
    WarmStart(rule=LBFGS(memory=10), n_iter=10)
    """
    named = "none" if accelerate is None or accelerate is False else accelerate
    if named not in tuple(ACCELERATIONS):
        raise UnknownNameError("acceleration", accelerate, ACCELERATIONS)
    warmed = [f"em+{name}" for name in ("gradient", "lbfgs")]
    if optimizer not in (*OPTIMIZERS, *warmed):
        raise UnknownNameError("optimizer", optimizer, (*OPTIMIZERS, *warmed))
    if optimizer == "em":
        return ACCELERATIONS[named]()
    if named not in ("auto", "none"):
        raise ArgumentError(
            f"accelerate={accelerate!r} is for optimizer='em'; with {optimizer!r} leave it out."
        )
    rule = OPTIMIZERS[optimizer.removeprefix("em+")]()
    return WarmStart(rule) if optimizer in warmed else rule
