"""What a model file of a classifier holds, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from emplus.cli.layout import clean, facts
from emplus.cli.model_report import climbing, column_names, json_to

__all__ = ["ClassifierReport"]

_MOST_LISTED = 20


@dataclass(frozen=True)
class ClassifierReport:
    """A saved classifier, and the header of its file."""

    estimator: Any
    header: Mapping[str, Any]

    def text(self, place: str) -> str:
        """For people."""
        classes = [str(label) for label in self.estimator.classes_.tolist()]
        listed = [clean(label) for label in classes[:_MOST_LISTED]]
        listed += ["..."] * (len(classes) > _MOST_LISTED)
        lines = [
            ("file", clean(place)),
            (
                "written by",
                f"emplus {clean(self.header['emplus'])}, format {self.header['format']}",
            ),
            ("estimator", type(self.estimator).__name__),
            ("columns", str(self.estimator.n_features_in_)),
            ("classes", f"{len(classes)}: {', '.join(listed)}"),
        ]
        lines += self._mixtures() if hasattr(self.estimator, "mixtures_") else self._categories()
        return facts(lines)

    def _mixtures(self) -> list[tuple[str, str]]:
        mixtures = self.estimator.mixtures_
        numbers = [one.mixture_.n_components for one in mixtures[:_MOST_LISTED]]
        more = ", ..." if len(mixtures) > _MOST_LISTED else ""
        priors = self.estimator.class_prior_[:_MOST_LISTED]
        return [
            ("mixtures", type(mixtures[0]).__name__),
            ("components", ", ".join(map(str, numbers)) + more),
            ("priors", ", ".join(f"{p:.4g}" for p in priors) + more),
            *climbing(mixtures[0]),
        ]

    def _categories(self) -> list[tuple[str, str]]:
        found = self.estimator
        voters = int(found.voters_.max()) + 1
        several = f", of {voters} voters together" if voters > 1 else ""
        rows, epochs = found.n_samples_seen_, found.n_epochs_
        return [
            ("categories", f"{found.n_categories_}{several}"),
            ("fitted on", f"{rows} row{'s' * (rows > 1)} in {epochs} epoch{'s' * (epochs > 1)}"),
        ]

    def json_writer(self) -> Callable[[TextIO], object]:
        """For programs: the file's header, the classes and the columns."""
        header = {key: value for key, value in self.header.items() if key != "digest"}
        classes = self.estimator.classes_.tolist()
        return json_to(
            {"header": header, "classes": classes, "columns": column_names(self.estimator)}
        )
