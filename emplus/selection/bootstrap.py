"""Are k components enough? A likelihood-ratio test by parametric bootstrap.

Under k components, twice the log-likelihood gained by one more has no chi-squared distribution: the
parameters of the component that is not there are not identified, and its weight lies on the edge.
McLachlan (1987) takes the distribution from rows drawn from the fit with k components instead.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emplus.errors import FitError
from emplus.estimators.validation import check_positive_int, make_rng
from emplus.search.path import Grown
from emplus.selection.checks import check_enough_rows, make_rows
from emplus.selection.tasks import FitTask, Fitted, Rows, seed_of
from emplus.selection.workers import Workers, make_workers

__all__ = ["BootstrapTest", "bootstrap_test"]

_PATIENCE = 0.5


@dataclass(frozen=True, eq=False)
class BootstrapTest:
    """The test of k components against k + 1.

    Parameters
    ----------
    n_components : int
        k.
    statistic : float
        Twice the gain in log-likelihood on the rows, in nats.
    bootstrap : (B,) ndarray
        The same on rows drawn from the fit with k components, in the order of the draws.
    p_value : float
        (1 + draws with a statistic at least as large) / (B + 1): equation :eq:`bootstrap` of the
        theory page.
    n_failed : int
        Draws on which a fit failed; they are left out.
    interrupted : bool
        Whether draws are missing because the user ended it early.
    """

    n_components: int
    statistic: float
    bootstrap: NDArray[np.float64]
    p_value: float
    n_failed: int = 0
    interrupted: bool = False

    def __str__(self) -> str:
        """The test in a sentence or two."""
        k, drawn = self.n_components, len(self.bootstrap)
        words = (
            f"{k} component{'s' * (k > 1)} against {k + 1}: twice the gain in log-likelihood is "
            f"{self.statistic:.2f}, p = {self.p_value:.3g} by {drawn} bootstrap "
            f"draw{'s' * (drawn != 1)}."
        )
        if self.n_failed:
            words += f" {self.n_failed} more failed and are left out."
        if self.interrupted:
            words += " Interrupted: the other draws are missing."
        return words


def bootstrap_test(
    estimator: Any,
    X: Any,
    k: int,
    n_bootstrap: int = 99,
    *,
    sample_weight: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> BootstrapTest:
    """Test k components against k + 1 by the likelihood ratio (McLachlan 1987).

    Parameters
    ----------
    estimator : estimator
        Its arguments are taken; it need not be fitted.
    X : (n, d) array_like or data frame
    k : int
    n_bootstrap : int, default=99
        Draws B. The p-value is never below 1 / (B + 1).
    sample_weight : (n,) array_like, optional
        As many rows are drawn as they sum to, to the nearest whole number.
    random_state : int, RandomState, Generator or None
        The same seed gives the same test, whatever ``n_jobs`` is.
    n_jobs : int, optional
        Processes, as of `select`.
    watch : callable, optional
        Called as ``watch(done, total)`` whenever a draw is done.

    Returns
    -------
    BootstrapTest
        On KeyboardInterrupt, with the draws done by then.

    Raises
    ------
    ArgumentError, DataError
        If k, the draws or the rows cannot be used.
    FitError
        If the rows cannot be fitted with k or k + 1 components, or every draw failed.

    Notes
    -----
    Each draw is fitted as the rows are: k components, k + 1 from fresh starts, and k + 1 from the
    best split of k. Where entries of X are missing, the same are missing in each draw. The fits
    are those with the estimator's prior, which is calibrated on the rows of each draw.

    References
    ----------
    .. [1] G. J. McLachlan, "On bootstrapping the likelihood ratio test statistic for the number of
       components in a normal mixture", Applied Statistics 36, 1987.

    Examples
    --------
    >>> import emplus
    >>> drawn = emplus.datasets.make_mixture("overlapping", 99, d=2, k=2, separation=6.0, seed=0)
    >>> emplus.bootstrap_test(emplus.GaussianMixture(), drawn.X, 1, 9, random_state=0).p_value
    0.1
    """
    rows = make_rows(X, sample_weight)
    k = check_positive_int("k", k)
    n_bootstrap = check_positive_int("n_bootstrap", n_bootstrap)
    check_enough_rows(rows, k + 1, 0)
    entropy = int(make_rng(random_state).integers(2**63))
    ratio = _Ratio(estimator, k, seed_of(entropy, "rows"))
    fit, statistic = ratio.of(rows)
    draws = [
        _Draw(_Ratio(estimator, k, seed_of(entropy, "draw", b)), fit, b, entropy)
        for b in range(n_bootstrap)
    ]
    with make_workers(rows, [estimator], n_jobs, 3 * n_bootstrap, k + 1) as workers:
        values, interrupted = _all(draws, workers, watch)
    if interrupted and not values:
        raise KeyboardInterrupt
    found = np.array([values[b] for b in sorted(values)])
    kept = found[np.isfinite(found)]
    if not len(kept):
        raise FitError("The fits failed on every bootstrap draw.")
    p_value = (1 + int((kept >= statistic).sum())) / (len(kept) + 1)
    return BootstrapTest(k, statistic, kept, p_value, len(found) - len(kept), interrupted)


@dataclass(frozen=True)
class _Ratio:
    """Twice the gain in log-likelihood from k to k + 1 components."""

    prototype: Any
    k: int
    seed: int

    def of(self, rows: Rows) -> tuple[Any, float]:
        """The fit with k components, and the statistic."""
        null = _usable(FitTask(self.prototype, self.k, seed_of(self.seed, "null"))(rows))
        mixture = null.estimator.mixture_
        tries = [
            FitTask(self.prototype, self.k + 1, seed_of(self.seed, "fresh"))(rows),
            FitTask(self.prototype, self.k + 1, seed_of(self.seed, "split"), Grown(mixture))(rows),
        ]
        more = _usable(max(tries, key=lambda fitted: fitted.objective))
        gain = more.estimator.result_.log_likelihood - null.estimator.result_.log_likelihood
        return null.estimator, 2.0 * float(gain)


def _usable(fitted: Fitted) -> Fitted:
    if fitted.error is not None:
        raise fitted.error
    return fitted


@dataclass(frozen=True)
class _Draw:
    """The statistic on rows drawn from a fitted model; NaN where a fit failed."""

    ratio: _Ratio
    model: Any
    number: int
    entropy: int

    def __call__(self, rows: Rows) -> float:
        rng = np.random.default_rng(seed_of(self.entropy, "sample", self.number))
        try:
            return self.ratio.of(_drawn(self.model, rows, rng))[1]
        except (FitError, ValueError):
            return float(np.nan)


def _drawn(model: Any, rows: Rows, rng: np.random.Generator) -> Rows:
    """As many rows as there are, with the same columns and the same entries missing."""
    n = rows.n if rows.weight is None else max(1, round(float(rows.weight.sum())))
    X, _ = model.sample(n, rng)
    if hasattr(rows.X, "iloc"):
        import pandas as pd

        X = pd.DataFrame(np.asarray(X), columns=rows.X.columns) if not hasattr(X, "iloc") else X
        missing = rows.X.isna().to_numpy()
    else:
        if rows.X.dtype == np.float32:
            X = X.astype(np.float32)
        missing = rows.X != rows.X
    if missing.any():
        if rows.weight is not None:
            missing = missing[rng.choice(rows.n, size=n, p=rows.weight / rows.weight.sum())]
        X = X.mask(missing) if hasattr(X, "mask") else np.where(missing, np.nan, X).astype(X.dtype)
    return Rows(X, None, rows.threads)


def _all(
    draws: list[_Draw], workers: Workers, watch: Callable[[int, int], None] | None
) -> tuple[dict[int, float], bool]:
    """The statistic of each draw that was done, and whether it was interrupted."""
    values: dict[int, float] = {}
    waiting, running = list(draws), dict[Future[Any], int]()
    try:
        while waiting or running:
            while waiting and len(running) < workers.slots:
                draw = waiting.pop(0)
                running[workers.submit(draw)] = draw.number
            done, _ = wait(running, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            for future in done:
                values[running.pop(future)] = future.result()
            if done and watch is not None:
                watch(len(values), len(draws))
    except KeyboardInterrupt:
        return values, True
    return values, False
