"""What a model holds, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from emplus.cli.layout import clean, facts, plain
from emplus.cli.telling import components_text
from emplus.engine.outcome import Outcome
from emplus.plotting.profiles import profile
from emplus.plotting.words import family_name, kinds_words, structure_words

if TYPE_CHECKING:
    from emplus.diagnostics import Diagnosis

__all__ = ["ModelReport", "climbing", "column_names", "describe_model", "json_to"]


def column_names(estimator: Any) -> list[str]:
    """The model's column names, or x0, x1, ... where it has none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return [f"x{j}" for j in range(estimator.n_features_in_)]
    return [str(name) for name in names]


def climbing(estimator: Any) -> list[tuple[str, str]]:
    """How the objective was raised, where that is not the default: lines of a report."""
    optimizer, accelerate = estimator.optimizer, estimator.accelerate
    if optimizer != "em":
        named = optimizer if isinstance(optimizer, str) else type(optimizer).__name__
        return [("optimizer", clean(named))]
    if accelerate in (None, "none"):
        return [("optimizer", "em, not accelerated")]
    return [] if accelerate == "auto" else [("optimizer", f"em, accelerated by {accelerate}")]


def describe_model(estimator: Any) -> dict[str, Any]:
    """Everything that makes the mixture, fit for JSON once through `plain`.

    Means are those of the continuous columns, which are listed where they are not all; each other
    column has its categories and their probabilities.
    """
    mixture = estimator.mixture_
    names = column_names(estimator)
    found = profile(estimator, names)
    content = {
        "family": family_name(mixture.family),
        "config": mixture.family.config(),
        "n_components": mixture.n_components,
        "columns": names,
        "weights": mixture.weights,
    }
    if found.numbers.names:
        content["means"] = found.numbers.means
        content["standard_deviations"] = found.numbers.deviations
    if found.categories:
        content["continuous"] = found.numbers.names
        content["categories"] = {one.name: one.levels for one in found.categories}
        content["probabilities"] = {one.name: one.probabilities for one in found.categories}
    packed = mixture.family.pack(mixture.parameters)
    # A part's arrays are named after its number, which is no one's business here.
    arrays = {name.rpartition(".")[2]: array for name, array in packed.items()}
    return {**content, **{name: a for name, a in arrays.items() if name not in content}}


def json_to(content: dict[str, Any]) -> Callable[[TextIO], object]:
    """A function that writes ``content`` as JSON, a line at its end."""

    def write(file: TextIO) -> None:
        json.dump(plain(content), file, indent=1, allow_nan=False)
        file.write("\n")

    return write


@dataclass(frozen=True)
class ModelReport:
    """A saved model, the header of its file, and its diagnosis where data were given."""

    estimator: Any
    header: Mapping[str, Any]
    diagnosis: Diagnosis | None = None

    def text(self, place: str) -> str:
        """For people."""
        estimator, header = self.estimator, self.header
        mixture = estimator.mixture_
        structure = ", ".join(structure_words(mixture.family))
        table = components_text(profile(estimator, column_names(estimator)))
        lines = [
            ("file", clean(place)),
            ("written by", f"emplus {clean(header['emplus'])}, format {header['format']}"),
            ("estimator", type(estimator).__name__),
            ("family", family_name(mixture.family) + (f" ({structure})" if structure else "")),
            ("components", f"{mixture.n_components}, with {kinds_words(mixture)}"),
            *self._climbing(),
            *self._fitted(),
        ]
        text = f"{facts(lines)}\n\n{table}"
        return text if self.diagnosis is None else f"{text}\n\n{self.diagnosis}"

    def _climbing(self) -> list[tuple[str, str]]:
        if "optimizer" in self.header["estimator"].get("omitted", ()):
            return [("optimizer", "a step rule of its own, which a file cannot hold")]
        return climbing(self.estimator)

    def _fitted(self) -> list[tuple[str, str]]:
        fit = self.estimator.result_
        rows = f"{fit.n_rows} rows of total weight {fit.total_weight:.10g}"
        total, iterations = f"{fit.log_likelihood:.6f}", f"{fit.n_iter}"
        if fit.outcome is Outcome.STREAMED:
            # The rows are gone, so no one knows what all of them score under this model; and
            # no one measured how long the later blocks took.
            rows += ", in blocks"
            total += f" ({fit.log_likelihood / fit.total_weight:.6f} a row), "
            total += "each later block scored before it was learned"
            iterations += ", of which one for each later block"
        else:
            iterations += f" in {fit.seconds:.3g} s"
        return [
            ("fitted on", rows),
            ("log-likelihood", total),
            ("iterations", iterations),
            ("outcome", fit.outcome.sentence),
        ]

    def json_writer(self) -> Callable[[TextIO], object]:
        """For programs: the file's header and the model."""
        header = {key: value for key, value in self.header.items() if key != "digest"}
        trace = self.estimator.result_.trace
        content = {"header": header, "model": describe_model(self.estimator), "trace": trace}
        if self.diagnosis is not None:
            content["diagnosis"] = self.diagnosis.to_dict()
        return json_to(content)
