"""That the objective of a fit rises, step by step."""

from __future__ import annotations

import numpy as np

from emplus.engine.outcome import Outcome
from tests.cases import Array, FamilyCase, tolerated


def assert_rises(case: FamilyCase, X: Array, k: int, seed: int, **arguments: object) -> None:
    """Fit at default settings and look at every step."""
    if not case.exact:
        # Factors may take many times as many steps to settle.
        arguments["max_iter"] = 100
    with tolerated():
        model = case.estimator(k, random_state=seed, n_jobs=1, **arguments).fit(X)
    result = model.result_
    # A candidate may begin lower than what it started from, and ends higher.
    begins = [candidate.start for candidate in result.candidates.accepted]
    steps = np.delete(np.diff(result.trace), np.array(begins, dtype=int) - 1)
    # The last step of a climb may have lost what is rounding; the one before it is kept then.
    ends = [max(result.trace[max(end - 2, 0) : end]) for end in (*begins, len(result.trace))]
    assert np.diff(ends).min(initial=0.0) >= -1e-9 * len(X)
    # How many nats a row rounding may take: rows in float32 are known to 6e-8 of themselves.
    slack = 1e-8 if X.dtype == np.float64 else 2e-2
    assert steps.min(initial=0.0) >= -slack * len(X)
    assert result.outcome in (Outcome.CONVERGED, Outcome.ITERATIONS_EXHAUSTED)
    assert np.isfinite(result.trace).all()
    assert result.objective >= result.trace[0] - slack * len(X)
    for array in case.family.pack(model.mixture_.parameters).values():
        assert np.isfinite(array).all()
    assert np.isfinite(model.mixture_.weights).all()
    assert np.isfinite(model.score_samples(X)).all()
