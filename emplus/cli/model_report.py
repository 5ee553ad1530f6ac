"""What a model holds, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from emplus.cli.layout import clean, component_table, facts, plain
from emplus.plotting.words import structure_words

if TYPE_CHECKING:
    from emplus.diagnostics import Diagnosis

__all__ = ["ModelReport", "column_names", "describe_model", "json_to", "standard_deviations"]


def standard_deviations(mixture: Any) -> NDArray[np.floating]:
    """Standard deviation of each component in each column (k, d)."""
    deviations: NDArray[np.floating] = np.sqrt(mixture.family.variances(mixture.parameters))
    return deviations


def column_names(estimator: Any) -> list[str]:
    """The model's column names, or x0, x1, ... where it has none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return [f"x{j}" for j in range(estimator.n_features_in_)]
    return [str(name) for name in names]


def describe_model(estimator: Any) -> dict[str, Any]:
    """Everything that makes the mixture, fit for JSON once through `plain`."""
    mixture = estimator.mixture_
    packed = mixture.family.pack(mixture.parameters)
    return {
        "family": mixture.family.name,
        "config": mixture.family.config(),
        "n_components": mixture.n_components,
        "columns": column_names(estimator),
        "weights": mixture.weights,
        "means": mixture.parameters.means,
        "standard_deviations": standard_deviations(mixture),
        **{name: array for name, array in packed.items() if name != "means"},
    }


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
        mixture, fit = estimator.mixture_, estimator.result_
        structure = ", ".join(structure_words(mixture.family))
        table = component_table(
            column_names(estimator),
            mixture.weights,
            mixture.parameters.means,
            standard_deviations(mixture),
        )
        lines = [
            ("file", clean(place)),
            ("written by", f"emplus {clean(header['emplus'])}, format {header['format']}"),
            ("estimator", type(estimator).__name__),
            ("family", f"{mixture.family.name} ({structure})"),
            ("components", f"{mixture.n_components}, with {mixture.n_features} columns"),
            ("fitted on", f"{fit.n_rows} rows of total weight {fit.total_weight:.10g}"),
            ("log-likelihood", f"{fit.log_likelihood:.6f}"),
            ("iterations", f"{fit.n_iter} in {fit.seconds:.3g} s"),
            ("outcome", fit.outcome.sentence),
        ]
        text = f"{facts(lines)}\n\n{table}"
        return text if self.diagnosis is None else f"{text}\n\n{self.diagnosis}"

    def json_writer(self) -> Callable[[TextIO], object]:
        """For programs: the file's header and the model."""
        header = {key: value for key, value in self.header.items() if key != "digest"}
        trace = self.estimator.result_.trace
        content = {"header": header, "model": describe_model(self.estimator), "trace": trace}
        if self.diagnosis is not None:
            content["diagnosis"] = self.diagnosis.to_dict()
        return json_to(content)
