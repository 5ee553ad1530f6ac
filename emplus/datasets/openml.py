"""Data sets from OpenML, through scikit-learn, which keeps a copy of what it fetched."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emplus.datasets.catalog import Entry
from emplus.datasets.dataset import as_rows
from emplus.datasets.files import Parts

__all__ = ["FetchError", "fetch"]

# Seconds of silence after which the other side counts as gone; a slow download goes on.
_SILENCE = 10.0


class FetchError(Exception):
    """OpenML did not answer with the data; the message is the reason, without a full stop."""


def fetch(name: str, entry: Entry) -> Parts:
    """Fetch a data set of the catalog.

    Only numeric columns are rows to fit: OpenML's vowel also has the speaker and the sex.
    """
    from sklearn.datasets import fetch_openml

    try:
        with _impatient(), warnings.catch_warnings():
            # scikit-learn warns while it replaces a damaged copy of its own, which is no news.
            warnings.simplefilter("ignore")
            # One quick second try is the least that scikit-learn accepts.
            bunch = fetch_openml(data_id=entry.openml, as_frame=True, n_retries=1, delay=0.1)
    except (OSError, ValueError, EOFError, HTTPException, ImportError) as error:
        raise FetchError(_reason(error)) from None
    frame = bunch.data.select_dtypes("number")
    X = as_rows(name, "X", frame.to_numpy())
    y = _labels(bunch.target)
    columns = tuple(map(str, frame.columns))
    if entry.total_rows is None or len(X) != entry.total_rows:
        return Parts(X, y, feature_names=columns)
    cut = entry.n_rows
    return Parts(X[:cut], y[:cut], X_test=X[cut:], y_test=y[cut:], feature_names=columns)


def _labels(target: Any) -> NDArray[Any]:
    """Labels as integers where they are integers in writing, else as words."""
    words = np.asarray(target).astype(str)
    try:
        numbers = words.astype(np.float64)
        whole = numbers.astype(np.int64)
    except ValueError:
        return words
    return whole if np.array_equal(whole, numbers) else numbers


@contextmanager
def _impatient() -> Iterator[None]:
    """A time limit on silent connections; scikit-learn opens its own without any."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE if before is None else min(before, _SILENCE))
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: BaseException) -> str:
    lines = str(getattr(error, "reason", error)).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
