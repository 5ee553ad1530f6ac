"""What ``emplus compare`` has to say, as text and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from emplus._version import __version__
from emplus.cli.layout import clean, columns
from emplus.cli.model_report import climbing, json_to
from emplus.cli.table import Table
from emplus.plotting.words import family_name, kinds_words
from emplus.search.comparison import Comparison, Summary

__all__ = ["CompareReport"]

_HEADS = ("search", "median", "worst", "best", "at best", "passes", "seconds", "optima", "new")


@dataclass(frozen=True)
class CompareReport:
    """A comparison, the table it was made on, and the estimator that prepared it."""

    table: Table
    estimator: Any
    comparison: Comparison

    def text(self) -> str:
        """For people."""
        rows = [_HEADS, *(_cells(summary) for summary in self.comparison.summaries())]
        return "\n".join([self._heading(), "", columns(rows), "", *self._notes()])

    def json_writer(self) -> Callable[[TextIO], object]:
        """For programs: the summaries and every run."""
        found, table = self.comparison, self.table
        arguments = self.estimator.get_params(deep=False)
        del arguments["search"], arguments["random_state"]
        return json_to(
            {
                "emplus": __version__,
                "data": {
                    "source": table.source,
                    "rows": table.shape[0],
                    "columns": table.names,
                    "total_weight": found.total_weight,
                },
                "arguments": arguments,
                "best_log_likelihood_per_row": found.best_log_likelihood / found.total_weight,
                "near": found.near,
                "same": found.same,
                "interrupted": found.interrupted,
                "searches": [
                    {**asdict(summary), "hits": found.optima(summary.search).hits}
                    for summary in found.summaries()
                ],
                "runs": [
                    {**asdict(trial), "outcome": trial.outcome and trial.outcome.value}
                    for trial in found.trials
                ],
            }
        )

    def _heading(self) -> str:
        found, (n, d) = self.comparison, self.table.shape
        k, mixture = self.estimator.n_components, self.estimator.mixture_
        seeds = len({trial.seed for trial in found.trials})
        return (
            f"{k} component{'s' * (k > 1)} on {clean(self.table.source)}: {n:,} row{'s' * (n > 1)},"
            f" {d} column{'s' * (d > 1)}; {seeds} seed{'s' * (seeds > 1)}\n"
            f"{family_name(mixture.family)} ({kinds_words(mixture)})"
            + "".join(f"; {name} {words}" for name, words in climbing(self.estimator))
        )

    def _notes(self) -> list[str]:
        found = self.comparison
        unit = "a row" if self.table.weights is None else "a unit of weight"
        lines = [
            f"(median, worst, best: final log-likelihood in nats {unit}; at best: runs within "
            f"{found.near:g} of",
            f" the best known, {found.best_log_likelihood / found.total_weight:.6f}; passes and "
            "seconds: medians; optima: distinct ones hit;",
            " new: chance that a further start finds another one, by Good and Turing)",
        ]
        shown = found.summaries()[0].search
        # Without moves, and whatever its steps; another optimizer's runs are not EM's.
        plain = shown == "em" and self.estimator.optimizer == "em"
        name = "plain EM" if plain else f"The search {shown!r}"
        said = found.optima(shown).sentence(name)
        lines += ["", said[0].upper() + said[1:]]
        ends = Counter(
            (trial.search, "failed" if trial.outcome is None else trial.outcome.value)
            for trial in found.trials
        )
        lines += [
            f"{count} of the runs of {search!r} ended otherwise than settled: "
            f"{end.replace('_', ' ')}."
            for (search, end), count in ends.items()
            if end != "converged"
        ]
        if found.interrupted:
            lines.append("Interrupted: these are the runs that were complete.")
        return lines


def _cells(summary: Summary) -> tuple[str, ...]:
    values = (summary.median, summary.worst, summary.best)
    reached = round(summary.at_best * summary.runs)
    chance = summary.chance_of_new
    return (
        summary.search,
        *(f"{value:.6f}" if math.isfinite(value) else "failed" for value in values),
        f"{reached} of {summary.runs}",
        f"{summary.passes:.4g}",
        f"{summary.seconds:.3g}",
        str(summary.optima),
        f"{chance:.2f}" if math.isfinite(chance) else "",
    )
