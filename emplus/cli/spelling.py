"""Values as a file spells them: text that looks like numbers, numbers that are categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from emplus.data.coding import Coding
    from emplus.mixture import Mixture

__all__ = ["spelled", "text_of", "whole_numbers"]


def spelled(data: Any, coding: Coding) -> Any:
    """A table in which categories that were text at the fit are text again.

    A column in which all cells happen to look like numbers is read as numbers, although at the fit
    other cells of it made it text.
    """
    import pandas as pd

    frame = pd.DataFrame(data)
    columns = {}
    for place, column in enumerate(coding.columns):
        texts = [value for value in column.categories if isinstance(value, str)]
        series = frame.iloc[:, place]
        if texts and series.dtype != bool and pd.api.types.is_numeric_dtype(series.dtype):
            known = {number: text for text in texts if (number := _number(text)) is not None}
            held = series.astype(object)
            columns[place] = held.map(lambda value, own=known: own.get(value, text_of(value)))
            columns[place] = columns[place].where(series.notna(), None)
    if not columns:
        return data
    parts = [columns.get(place, frame.iloc[:, place]) for place in range(frame.shape[1])]
    return pd.concat(parts, axis=1, keys=frame.columns)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def text_of(value: Any) -> str:
    """A value as text, whole numbers without a point."""
    # numpy's floats of 64 bits are floats, those of 32 are not.
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return str(value)


def whole_numbers(frame: pd.DataFrame, mixture: Mixture) -> pd.DataFrame:
    """The rows with the zeros and ones of binary columns, and like categories, as whole numbers."""
    import numpy as np
    import pandas as pd

    discrete = ~mixture.family.continuous(mixture.parameters)
    columns: dict[str, Any] = {}
    for name, chosen in zip(frame.columns, discrete, strict=True):
        column = frame[name]
        if not chosen or not pd.api.types.is_float_dtype(column.dtype):
            continue
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if (np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2**53)).all():
            columns[name] = np.int64
    return frame.astype(columns)
