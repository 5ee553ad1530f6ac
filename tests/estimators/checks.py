"""scikit-learn's checks: all for each class, those that tell more for its other settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

# What depends on how a model is fitted. The others look at arguments, attributes, tags and words,
# which are the same whatever the arguments are.
TELLING = {
    "check_all_zero_sample_weights_error",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_train",
    "check_dict_unchanged",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_readonly_memmap_input",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}


def parametrize_with_checks(
    estimators: list[Any],
    variants: list[Any],
    known_to_fail: Callable[[Any], dict[str, str]] = lambda estimator: {},
) -> pytest.MarkDecorator:
    """All checks for some estimators, the telling ones for variants of them."""
    cells = [cell for estimator in estimators for cell in _checks(estimator, known_to_fail)]
    for variant in variants:
        chosen = [cell for cell in _checks(variant, known_to_fail) if _name(cell) in TELLING]
        # A version of scikit-learn with other names for them all would leave nothing.
        assert len(chosen) >= 8
        cells += chosen
    return pytest.mark.parametrize(("estimator", "check"), cells, ids=_label)


def _checks(estimator: Any, known_to_fail: Callable[[Any], dict[str, str]]) -> Iterator[Any]:
    expected = known_to_fail(estimator)
    yield from estimator_checks_generator(
        estimator, expected_failed_checks=expected or None, mark="xfail"
    )


def _name(cell: Any) -> str:
    _, check = getattr(cell, "values", cell)
    return str(check.func.__name__)


def _label(value: Any) -> str:
    return value.func.__name__ if isinstance(value, partial) else re.sub(r"\s", "", str(value))
