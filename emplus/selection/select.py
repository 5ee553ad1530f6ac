"""Choosing a family and the number of components: `select`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from emplus.errors import FitError, say
from emplus.estimators.validation import make_rng
from emplus.selection.candidates import candidates, default_families
from emplus.selection.cells import best_of, check_criterion
from emplus.selection.checks import check_components, check_enough_rows, check_folds, make_rows
from emplus.selection.paths import Path, run_paths
from emplus.selection.result import Selection
from emplus.selection.workers import make_workers

__all__ = ["select"]


def select(
    X: Any,
    n_components: int | Iterable[int] = range(1, 11),
    families: Any = None,
    criterion: str = "bic",
    *,
    sample_weight: ArrayLike | None = None,
    cv: int | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Selection:
    """Fit every family with every number of components, and choose.

    With each number of components a family is fitted from fresh starts and from the best split of
    the fit before. Then, from the largest number down, the cheapest merge of the fit after competes
    with that. The highest objective is kept.

    Parameters
    ----------
    X : (n, d) array_like or data frame
        Rows, as the estimators take them.
    n_components : int or iterable of int, default=range(1, 11)
        Numbers of components to try, rising.
    families : str, estimator, sequence of them, or mapping from label to one, optional
        Names are ``full``, ``tied``, ``diag``, ``spherical`` (Gaussians), ``gaussian`` (all four),
        ``factor-analyzer``, ``bernoulli``, ``categorical`` and ``mixed``. An estimator stands for
        its arguments; its number of components and its ``random_state`` are replaced. The default
        is ``full``.
    criterion : {'bic', 'aic', 'icl', 'cv'}, default='bic'
        ``cv`` is the mean log-likelihood of held-out rows and is to be high, the others are to be
        low.
    sample_weight : (n,) array_like, optional
    cv : int, optional
        Folds. Without it, rows are held out only where the criterion is ``cv``, in five folds.
    random_state : int, RandomState, Generator or None
        The same seed gives the same table, whatever ``n_jobs`` is.
    n_jobs : int, optional
        Processes. None is one where the table is small and otherwise every core; -1 is every core.
    watch : callable, optional
        Called as ``watch(done, total)`` whenever a fit is done.

    Returns
    -------
    Selection
        On KeyboardInterrupt, with what was done by then.

    Raises
    ------
    ArgumentError, UnknownNameError
        If a number of components, a family or the criterion is not what can be used.
    DataError
        If there are fewer rows than components, or no fit can use the rows.
    FitError
        If every fit failed.
    KeyboardInterrupt
        If it comes before there is anything to choose from.

    Warns
    -----
    EmplusWarning
        Whatever the winner's fit warned of.

    Notes
    -----
    Cost: three fits a cell, two of them from a good start, and one for each fold.

    Examples
    --------
    >>> import emplus
    >>> drawn = emplus.datasets.make_mixture("overlapping", 500, d=2, k=3, separation=5.0, seed=0)
    >>> emplus.select(drawn.X, range(1, 6), random_state=0).best.n_components
    3
    """
    rows = make_rows(X, sample_weight)
    ks = check_components(n_components)
    check_criterion(criterion)
    known = candidates(default_families(X) if families is None else families)
    n_folds = check_folds(cv, criterion, rows)
    check_enough_rows(rows, ks[-1], n_folds)
    entropy = int(make_rng(random_state).integers(2**63))
    paths = [Path(label, prototype, ks, entropy, n_folds) for label, prototype in known.items()]
    n_tasks = sum(len(path.places()) for path in paths)
    with make_workers(rows, list(known.values()), n_jobs, n_tasks, ks[-1]) as workers:
        interrupted = run_paths(paths, workers, watch)
    found = _chosen(paths, criterion, n_folds, interrupted)
    _tell(paths, found)
    return found


def _chosen(paths: Sequence[Path], criterion: str, n_folds: int, interrupted: bool) -> Selection:
    cells = tuple(path.cell(index) for path in paths for index in range(len(path.ks)))
    best = best_of(cells, criterion)
    if best is None:
        if interrupted:
            raise KeyboardInterrupt
        error = next((e for e in (path.error() for path in paths) if e is not None), None)
        said = next((cell.failure for cell in cells if cell.failure), "no criterion is finite")
        raise error or FitError(f"There is nothing to choose from: {said}")
    estimators = {}
    for path in paths:
        for index, k in enumerate(path.ks):
            fit = path.fit(index)
            if fit is not None:
                estimators[path.label, k] = fit.estimator
    return Selection(cells, criterion, best, estimators, n_folds, interrupted)


def _tell(paths: Sequence[Path], found: Selection) -> None:
    """Warn of what the winner's fit warned of."""
    [path] = [path for path in paths if path.label == found.best.family]
    fit = path.fit(path.ks.index(found.best.n_components))
    if fit is not None:
        for kind, sentence in dict.fromkeys(fit.warnings):
            say(kind, sentence)
