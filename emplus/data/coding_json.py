"""Columns as JSON and back, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from emplus.data.columns import KINDS, Column, Vocabulary
from emplus.errors import ModelFileError

__all__ = ["column_from_json", "column_to_json", "malformed"]

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


def column_to_json(column: Column) -> dict[str, Any]:
    """A dict that JSON can hold."""
    vocabulary = None
    if column.vocabulary is not None:
        vocabulary = {
            **_values_to_json(column.vocabulary.categories),
            "dtype": column.vocabulary.dtype,
            "ordered": column.vocabulary.ordered,
        }
    return {
        "name": column.name,
        "kind": column.kind,
        "dtype": column.dtype,
        "categories": _values_to_json(column.categories),
        "vocabulary": vocabulary,
    }


def column_from_json(content: Any) -> Column:
    """The column that `column_to_json` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the content is no such description.
    """
    name, kind = content["name"], content["kind"]
    if kind not in KINDS:
        raise ValueError(f"there is no kind of column {kind!r}")
    held = content["vocabulary"]
    vocabulary = None
    if held is not None:
        values = _values_from_json(held)
        vocabulary = Vocabulary(values, _checked_type(held["dtype"]), bool(held["ordered"]))
    categories = _values_from_json(content["categories"])
    if (kind == "continuous") != (not categories):
        raise ValueError(f"a {kind} column has {len(categories)} categories")
    if vocabulary is not None and not set(categories) <= set(vocabulary.categories):
        raise ValueError("a category is not among those that are declared")
    dtype = _checked_type(content["dtype"])
    return Column(None if name is None else str(name), kind, categories, dtype, vocabulary)


def _checked_type(name: Any) -> str:
    """The name of a type of values; not of one that says how long they are."""
    import pandas as pd

    dtype = pd.api.types.pandas_dtype(str(name))
    if isinstance(dtype, np.dtype) and dtype.kind not in "fiubO":
        raise ValueError(f"no column holds values of type {str(name)[:40]!r}")
    return str(name)


def _values_to_json(values: tuple[Any, ...]) -> dict[str, Any]:
    # JSON has one type of numbers, and writers of it may give 1 for 1.0.
    return {"values": list(values), "types": [type(value).__name__ for value in values]}


def _values_from_json(content: Any) -> tuple[Any, ...]:
    pairs = zip(content["values"], content["types"], strict=True)
    return tuple(_TYPES[name](value) for value, name in pairs)


@contextmanager
def malformed() -> Iterator[None]:
    """Turn what a damaged description raises into a sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"The description of the columns is damaged ({type(error).__name__}: {error})."
        ) from None
