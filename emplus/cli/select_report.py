"""What ``emplus select`` has to say, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from emplus._version import __version__
from emplus.cli.layout import clean
from emplus.cli.model_report import describe_model, json_to
from emplus.cli.table import Table
from emplus.plotting.words import kinds_words
from emplus.selection import BootstrapTest, Selection

__all__ = ["SelectReport"]


@dataclass(frozen=True)
class SelectReport:
    """A selection and the table it was made on."""

    table: Table
    selection: Selection

    def text(self) -> str:
        """For people."""
        n, d = self.table.shape
        folds = self.selection.n_folds
        unit = "a row" if self.table.weights is None else "a unit of weight"
        heading = f"{clean(self.table.source)}: {n:,} row{'s' * (n > 1)}, {d} column{'s' * (d > 1)}"
        note = "(log-likelihood in nats; free: free parameters; aic, bic, icl: lower is better"
        if folds:
            note += f";\n held out: mean log-likelihood {unit} over {folds} folds, higher is better"
        heading += f"\n{kinds_words(self.selection.estimator.mixture_)}"
        lines = str(self.selection).split("\n\n")
        return "\n\n".join([heading, f"{lines[0]}\n{note})", *lines[1:]])

    def json_writer(
        self, test: BootstrapTest | None, files: Mapping[str, str]
    ) -> Callable[[TextIO], object]:
        """For programs: every cell, the winner, and the test where there was one."""
        found, table = self.selection, self.table
        tested: dict[str, Any] | None = None
        if test is not None:
            tested = {**asdict(test), "family": found.best.family}
        return json_to(
            {
                "emplus": __version__,
                "data": {
                    "source": table.source,
                    "rows": table.shape[0],
                    "columns": table.names,
                },
                "criterion": found.criterion,
                "folds": found.n_folds,
                "interrupted": found.interrupted,
                "cells": [asdict(cell) for cell in found.cells],
                "best": asdict(found.best),
                "arguments": found.estimator.get_params(deep=False),
                "model": describe_model(found.estimator),
                "bootstrap_test": tested,
                "files": dict(files),
            }
        )
