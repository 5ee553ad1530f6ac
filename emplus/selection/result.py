"""What a selection gives: the table, the winner, a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

from emplus.errors import UnknownNameError
from emplus.selection.cells import Cell

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["Selection"]

_HEADS = ("family", "k", "log-likelihood", "free", "aic", "bic", "icl", "from", "outcome", "")


@dataclass(frozen=True)
class Selection:
    """Every family with every number of components, and the winner fitted.

    Parameters
    ----------
    cells : tuple of Cell
        By family and number of components.
    criterion : str
    best : Cell
        The winner.
    estimators : mapping
        The fitted estimator of each cell that has one, by family and number of components.
    n_folds : int
        Folds of the held-out log-likelihood; 0 where no rows were held out.
    interrupted : bool
        Whether cells are missing because the user ended it early.

    Examples
    --------
    >>> import emplus
    >>> X = emplus.datasets.load("faithful").X
    >>> found = emplus.select(X, range(1, 4), families=["full", "tied"], random_state=0)
    >>> found.best.family, found.best.n_components, round(found.best.bic, 1)
    ('tied', 3, 2314.3)
    >>> found.estimator.predict(X[:2]).shape
    (2,)
    """

    cells: tuple[Cell, ...]
    criterion: str
    best: Cell
    estimators: Mapping[tuple[str, int], Any]
    n_folds: int = 0
    interrupted: bool = False

    @property
    def estimator(self) -> Any:
        """The winner, fitted to all rows."""
        return self.estimators[self.best.family, self.best.n_components]

    @property
    def table(self) -> pd.DataFrame:
        """The cells as a table, one row each; see `Cell` for the columns."""
        return self.to_frame()

    def to_frame(self) -> pd.DataFrame:
        """The cells as a table, one row each; see `Cell` for the columns."""
        import pandas as pd

        names = [field.name for field in fields(Cell)]
        rows = [[getattr(cell, name) for name in names] for cell in self.cells]
        return pd.DataFrame(rows, columns=names)

    def cell(self, family: str, n_components: int) -> Cell:
        """One of the cells.

        Raises
        ------
        UnknownNameError
            If there is no such family or number of components.
        """
        found = {(cell.family, cell.n_components): cell for cell in self.cells}
        if (family, n_components) not in found:
            known = [f"{name} {k}" for name, k in found]
            raise UnknownNameError("cell", f"{family} {n_components}", known)
        return found[family, n_components]

    def plot(
        self, path: str | PathLike[str], *, criterion: str | None = None, title: str | None = None
    ) -> Path:
        """Draw a criterion against the number of components; see `emplus.plotting`.

        Parameters
        ----------
        path : path-like
            The extension names the kind: ``.png``, ``.svg`` or ``.pdf``.
        criterion : str, optional
            The one that was chosen by, if not given.
        title : str, optional
        """
        from emplus.plotting import plot_selection
        from emplus.selection.cells import check_criterion

        shown = self.criterion if criterion is None else check_criterion(criterion)
        best = self.best if shown == self.criterion else None
        return plot_selection(self.cells, path, criterion=shown, best=best, title=title)

    def sentence(self) -> str:
        """The winner in a sentence."""
        best, k = self.best, self.best.n_components
        value = getattr(best, self.criterion)
        told = f"{value:.2f}" if self.criterion != "cv" else f"{value:.6f} nats a row held out"
        words = (
            f"Best by {self.criterion}: {best.family}, {k} component{'s' * (k > 1)} "
            f"({self.criterion} {told})."
        )
        if self.interrupted:
            missing = sum(not cell.fitted for cell in self.cells)
            words += f" Interrupted: {missing} of the {len(self.cells)} cells not reached."
        return words

    def __str__(self) -> str:
        """The table and the winner, for people."""
        heads = _HEADS if not self.n_folds else (*_HEADS[:7], "held out", "± se", *_HEADS[7:])
        rows = [heads, *(self._row(cell) for cell in self.cells)]
        return f"{_aligned(rows)}\n\n{self.sentence()}"

    def _row(self, cell: Cell) -> tuple[str, ...]:
        held_out = (_told(cell.cv, 6), _told(cell.cv_error, 6)) if self.n_folds else ()
        return (
            _printable(cell.family),
            str(cell.n_components),
            _told(cell.log_likelihood, 2),
            str(cell.n_parameters) if cell.fitted else "",
            *(_told(value, 2) for value in (cell.aic, cell.bic, cell.icl)),
            *held_out,
            cell.origin,
            cell.outcome.replace("_", " "),
            "best" if cell == self.best else "",
        )


def _printable(text: str) -> str:
    # A label may come from anywhere and must not steer the terminal.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _told(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)
