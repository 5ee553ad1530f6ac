"""What a notebook shows of an estimator: how it was fitted, in place of its diagram."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from emplus.markup import box, number, table

__all__ = ["Displayed"]


class Displayed(BaseEstimator):  # type: ignore[misc]  # untyped base
    """Scikit-learn's diagram before the fit, a summary after it.

    ``sklearn.set_config(display="text")`` turns both off.
    """

    def _summary_html(self) -> str | None:
        """The summary of a fit; None where there is none yet."""
        title = f"{type(self).__name__}, fitted"
        if (fit := getattr(self, "result_", None)) is not None:
            summary: str = fit.to_html(title)
            return summary
        if hasattr(self, "mixtures_"):
            return box(title, _mixtures(self))
        if hasattr(self, "_voters"):
            return box(title, _categories(self))
        return None

    @property
    def _repr_html_(self) -> Any:
        # A property, because scikit-learn's own raises where diagrams are turned off.
        diagram = super()._repr_html_
        summary = self._summary_html()
        return diagram if summary is None else lambda: summary

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        summary = self._summary_html()
        if "text/html" in bundle and summary is not None:
            bundle["text/html"] = summary
        return bundle


def _mixtures(classifier: Any) -> str:
    """The mixture of each class."""
    rows = [
        (
            str(label),
            f"{prior:.4f}",
            str(one.mixture_.n_components),
            number(one.lower_bound_),
            one.result_.outcome.sentence,
        )
        for label, prior, one in zip(
            classifier.classes_.tolist(),
            classifier.class_prior_,
            classifier.mixtures_,
            strict=True,
        )
    ]
    return table(("class", "prior", "components", "log-likelihood a row", "outcome"), rows)


def _categories(classifier: Any) -> str:
    """The categories of each class."""
    owners, counts = classifier.category_classes_, classifier.counts_
    rows = [
        (
            str(label),
            str(int(np.sum(owners == label))),
            number(float(counts[owners == label].sum())),
        )
        for label in classifier.classes_
    ]
    epochs = classifier.n_epochs_
    end = f"{classifier.n_samples_seen_:,} rows in {epochs} epoch{'s' * (epochs != 1)}"
    return table(("class", "categories", "rows learned"), rows, end=end)
