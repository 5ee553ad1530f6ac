"""What ``emplus fit`` has to say, as text and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from emplus._version import __version__
from emplus.cli.layout import clean, facts
from emplus.cli.model_report import climbing, describe_model, json_to
from emplus.cli.table import Table
from emplus.cli.telling import components_text
from emplus.families.base import Family
from emplus.plotting.profiles import profile
from emplus.plotting.words import choices, family_name, kinds_words

__all__ = ["FitReport"]


@dataclass(frozen=True)
class FitReport:
    """A fit and the table it was made from."""

    table: Table
    estimator: Any
    # The family that was fitted to standardized columns, where they were.
    standardized: Family | None = None
    # What the search was allowed to spend, where that was limited.
    budget: Mapping[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """For people."""
        components = components_text(profile(self.estimator, self.table.names))
        return f"{self._heading()}\n\n{components}\n\n{facts(self._facts())}"

    def json_writer(self, files: Mapping[str, str]) -> Callable[[TextIO], object]:
        """For programs; ``files`` are the places of what was written besides."""
        fit, table = self.estimator.result_, self.table
        aic, bic = self._criteria()
        ended = {
            "outcome": fit.outcome.value,
            "sentence": fit.outcome.sentence,
            "log_likelihood_per_row": fit.log_likelihood / fit.total_weight,
            "aic": aic,
            "bic": bic,
            "trace": fit.trace,
            "runs": [{**asdict(run), "outcome": run.outcome.value} for run in fit.runs],
            "candidates": [{**asdict(c), "outcome": c.outcome.value} for c in fit.candidates],
            "budget": dict(self.budget),
        }
        for name in ("log_likelihood", "log_prior", "objective", "n_iter", "passes", "seconds"):
            ended[name] = getattr(fit, name)
        return json_to(
            {
                "emplus": __version__,
                "data": {
                    "source": table.source,
                    "rows": table.shape[0],
                    "columns": table.names,
                    "total_weight": fit.total_weight,
                    "standardized": self.standardized is not None,
                    **self._cluster(),
                },
                "arguments": self.estimator.get_params(deep=False),
                "model": describe_model(self.estimator),
                "fit": ended,
                "files": dict(files),
            }
        )

    def _criteria(self) -> tuple[float, float]:
        # The log-likelihood is known, so nothing has to pass over the rows again.
        fit = self.estimator.result_
        free = self.estimator.mixture_.n_free_parameters
        aic = -2 * fit.log_likelihood + 2 * free
        return aic, -2 * fit.log_likelihood + free * math.log(fit.total_weight)

    def _heading(self) -> str:
        mixture, (n, d) = self.estimator.mixture_, self.table.shape
        k, family = mixture.n_components, family_name(mixture.family).capitalize()
        components = "1 component" if k == 1 else f"{k} components"
        rows, columns = ("1 row" if n == 1 else f"{n:,} rows"), f"{d} column{'s' * (d > 1)}"
        return f"{family} mixture of {components} on {clean(self.table.source)}: {rows}, {columns}"

    def _facts(self) -> list[tuple[str, str]]:
        fit, mixture = self.estimator.result_, self.estimator.mixture_
        aic, bic = self._criteria()
        a_row = fit.log_likelihood / fit.total_weight
        unit = "a row" if self.table.weights is None else "a unit of weight"
        lines = [("family", f"{family_name(mixture.family)} ({kinds_words(mixture)})")]
        lines += [(_label(name), str(value)) for name, value in choices(mixture.family).items()]
        lines += self._holes()
        lines += [("cluster", _cluster_text(**told)) for told in self._cluster().values()]
        if self.standardized is not None:
            lines.append(("standardized", self._standardized()))
        if self.table.weights is not None:
            lines.append(("total weight", f"{fit.total_weight:.10g}"))
        lines += [
            ("log-likelihood", f"{fit.log_likelihood:.4f}, {a_row:.6f} {unit}"),
            ("BIC", f"{bic:.4f} (lower is better)"),
            ("AIC", f"{aic:.4f}"),
            ("search", self._search()),
            *climbing(self.estimator),
            *([("candidates", self._candidates())] if fit.candidates else []),
            ("iterations", str(fit.n_iter)),
            ("passes", f"{fit.passes:.4g} over the rows, what was rejected included"),
            ("outcome", fit.outcome.sentence),
            ("seconds", f"{fit.seconds:.3g}"),
        ]
        if len(fit.runs) > 1:
            lines.append(("starts", self._starts()))
        return lines

    def _holes(self) -> list[tuple[str, str]]:
        (count, rows), (n, d) = self.table.holes(), self.table.shape
        lines = []
        if count:
            lines.append(("missing", f"{count:,} of {n * d:,} entries, in {rows:,} rows"))
        if self.table.labels is not None:
            labelled = int((self.table.labels(self.estimator.n_components) >= 0).sum())
            lines.append(("known", f"the component of {labelled:,} of {n:,} rows"))
        return lines

    def _cluster(self) -> dict[str, dict[str, Any]]:
        """Where the rows were, if they were on a cluster."""
        reached = getattr(self.table.data, "reached", None)
        if reached is None:
            return {}
        told = {
            "address": reached.address,
            "workers": reached.n_workers,
            "threads": reached.n_threads,
            "partitions": self.table.data.n_parts,
        }
        return {"cluster": told}

    def _standardized(self) -> str:
        here = self.estimator.mixture_.family.config()
        there = here if self.standardized is None else self.standardized.config()
        changed = "".join(
            f", where {there[name]} became {here[name]}"
            for name in here
            if there[name] != here[name]
        )
        return f"fitted on standardized columns; the model is in the units of the data{changed}"

    def _search(self) -> str:
        limits = ", ".join(f"{value:g} {name}" for name, value in self.budget.items())
        return f"{self.estimator.search}{limits and f' (at most {limits})'}"

    def _candidates(self) -> str:
        """How many changes were tried and accepted, in all and of each kind."""
        # A climb to the tolerance is on the record, but changes nothing.
        changes = [c for c in self.estimator.result_.candidates if c.kind != "settle"]
        tried = Counter(candidate.kind for candidate in changes)
        accepted = Counter(candidate.kind for candidate in changes if candidate.accepted)
        total = f"{tried.total()} tried, {accepted.total()} accepted"
        each = ", ".join(f"{kind} {accepted[kind]} of {count}" for kind, count in tried.items())
        return f"{total} ({each})" if each else total

    def _starts(self) -> str:
        runs = self.estimator.result_.runs
        # A short run that is carried on is on the record twice.
        whole = [run for run in runs if not run.short]
        ends = Counter(run.outcome.value.replace("_", " ") for run in whole)
        short = len({run.start for run in runs} - {run.start for run in whole})
        if short:
            ends["broken off early"] = short
        listed = ", ".join(f"{count} {name}" for name, count in ends.most_common())
        values = [run.log_likelihood for run in whole if run.outcome.usable]
        span = f"; log-likelihoods {min(values):.4f} to {max(values):.4f}" if values else ""
        return f"{ends.total()} ({listed}){span}"


def _cluster_text(address: str, workers: int, threads: int, partitions: int) -> str:
    counts = [(partitions, "partition"), (workers, "worker"), (threads, "thread")]
    parts, *made_of = [f"{count:,} {what}{'s' * (count != 1)}" for count, what in counts]
    return f"{parts} on {' with '.join(made_of)}, {clean(address)}"


def _label(name: str) -> str:
    """An argument's name as a report has it."""
    return {"covariance_type": "covariance", "n_factors": "factors"}.get(name, name)
