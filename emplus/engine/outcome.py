"""How a run ended: values with a sentence for people."""

from __future__ import annotations

from enum import Enum

__all__ = ["Outcome"]


class Outcome(Enum):
    """How a run of the loop ended.

    Examples
    --------
    >>> Outcome.CONVERGED.value, Outcome.CONVERGED.usable
    ('converged', True)
    """

    CONVERGED = "converged"
    ITERATIONS_EXHAUSTED = "iterations_exhausted"
    OBJECTIVE_FELL = "objective_fell"
    COMPONENT_EMPTY = "component_empty"
    SINGULAR = "singular"
    INTERRUPTED = "interrupted"
    STREAMED = "streamed"

    @property
    def sentence(self) -> str:
        """What happened and what to try, in one sentence."""
        return _SENTENCES[self]

    @property
    def usable(self) -> bool:
        """Whether the parameters reached belong to a sound fit, settled or not."""
        return self not in (Outcome.COMPONENT_EMPTY, Outcome.SINGULAR)


_SENTENCES = {
    Outcome.CONVERGED: "The objective settled within the tolerance.",
    Outcome.ITERATIONS_EXHAUSTED: (
        "The iterations ran out before the objective settled; raise max_iter or tol."
    ),
    Outcome.OBJECTIVE_FELL: (
        "The objective fell by more than rounding explains, so the step before it was kept; "
        "rescale the columns or raise reg_covar."
    ),
    Outcome.COMPONENT_EMPTY: (
        "A component lost all its rows; ask for fewer components or raise reg_covar."
    ),
    Outcome.SINGULAR: (
        "A component collapsed on a point or a plane, where the likelihood has no maximum; "
        "raise reg_covar or ask for fewer components."
    ),
    Outcome.STREAMED: "The rows came block by block, and more may follow.",
    Outcome.INTERRUPTED: "The run was interrupted; this is the best it had reached.",
}
