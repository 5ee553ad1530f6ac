"""From a name to a data set: bundled, scikit-learn's, a file in a folder, OpenML."""

from __future__ import annotations

import os
from pathlib import Path

from emplus.datasets import openml
from emplus.datasets.catalog import ALIASES, CATALOG, Entry, Listing
from emplus.datasets.dataset import Dataset
from emplus.datasets.files import Parts, find_files, read_csv, read_npz
from emplus.errors import DatasetNotFoundError, UnknownNameError

__all__ = ["describe", "load", "names"]

_VARIABLE = "EMPLUS_DATA"
_BUNDLED = {"faithful": Path(__file__).with_name("faithful.csv")}


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set by name.

    What is bundled here (``faithful``) or with scikit-learn (``iris``, ``wine``, ``digits``,
    ``breast_cancer``) is always at hand. Anything else is looked for as ``NAME.npz`` or
    ``NAME.csv`` in ``data_dir`` and its sub-folders, and then at OpenML where it is known there
    (``letter``, ``satellite``, ``vowel``, ``mnist_784``).

    Parameters
    ----------
    name : str
        One of ``names()``.
    data_dir : path, optional
        The folder to look in; by default the one that the environment variable ``EMPLUS_DATA``
        names.

    Returns
    -------
    Dataset

    Raises
    ------
    UnknownNameError
        If no data set has that name; the nearest is suggested.
    DatasetNotFoundError
        If it is known but not on this machine; the message says where to put it.
    DataError
        If its file is damaged.

    Examples
    --------
    >>> faithful = load("faithful")
    >>> faithful.shape, faithful.feature_names
    ((272, 2), ('eruptions', 'waiting'))
    >>> faithful.X[0].tolist()
    [3.6, 79.0]
    """
    key = _key(name)
    entry = CATALOG.get(key)
    if entry is not None and (key in _BUNDLED or entry.sklearn is not None):
        parts = read_csv(key, _BUNDLED[key]) if key in _BUNDLED else _from_sklearn(entry)
        return _dataset(key, entry, parts, "")
    folder = _folder(data_dir)
    files = find_files(folder) if folder is not None else {}
    path = files.get(name) or files.get(key)
    if path is not None:
        target = entry.target if entry is not None else None
        read = read_npz(path.stem, path) if path.suffix == ".npz" else None
        parts = read if read is not None else read_csv(path.stem, path, target)
        return _dataset(path.stem if entry is None else key, entry, parts, str(path))
    if entry is None:
        raise UnknownNameError("data set", name, names(data_dir))
    reason = ""
    if entry.openml is not None:
        try:
            return _dataset(key, entry, openml.fetch(key, entry), "")
        except openml.FetchError as error:
            reason = f" and could not be fetched from OpenML ({error})"
    raise DatasetNotFoundError(
        f"Data set {key!r} is not on this machine{reason}: put {key}.npz or {key}.csv into "
        f"{_where(data_dir, folder)}."
    )


def names(data_dir: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the known data sets, and of every other file in the folder of data sets.

    Examples
    --------
    >>> names()[:5]
    ('faithful', 'iris', 'wine', 'digits', 'breast_cancer')
    """
    return tuple(listing.name for listing in describe(data_dir))


def describe(data_dir: str | os.PathLike[str] | None = None) -> tuple[Listing, ...]:
    """What each data set is and where it would come from; no file is opened.

    Examples
    --------
    >>> first = describe()[0]
    >>> first.name, first.n, first.d, first.origin, first.here
    ('faithful', 272, 2, 'bundled', True)
    """
    folder = _folder(data_dir)
    files = find_files(folder) if folder is not None else {}
    listings = []
    for name, entry in CATALOG.items():
        path = files.pop(name, None)
        listings.append(_listing(name, entry, path))
    for name, path in sorted(files.items()):
        listings.append(Listing(name, None, None, f"Rows of {path.name}.", "", "file", str(path)))
    return tuple(listings)


def _listing(name: str, entry: Entry, path: Path | None) -> Listing:
    where: str | None = None
    if name in _BUNDLED:
        origin = "bundled"
    elif entry.sklearn is not None:
        origin = "scikit-learn"
    elif path is not None:
        origin, where = "file", str(path)
    else:
        origin = "absent" if entry.openml is None else "OpenML"
    return Listing(
        name, entry.n_rows, entry.n_features, entry.description, entry.source, origin, where
    )


def _key(name: str) -> str:
    key = str(name).strip().lower().replace("-", "_")
    return ALIASES.get(key, key)


def _folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    given = os.environ.get(_VARIABLE, "") if data_dir is None else os.fspath(data_dir)
    return Path(given).expanduser() if given else None


def _where(data_dir: str | os.PathLike[str] | None, folder: Path | None) -> str:
    if folder is None:
        return f"a folder and set {_VARIABLE} to that folder"
    missing = "" if folder.is_dir() else ", which is not there yet"
    if data_dir is not None:
        return f"the folder {folder}{missing}"
    return f"the folder that {_VARIABLE} names, {folder}{missing}"


def _from_sklearn(entry: Entry) -> Parts:
    # The import costs most of a second; what else is loaded here does not need it.
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, str(entry.sklearn))()
    return Parts(bunch.data, bunch.target, feature_names=tuple(map(str, bunch.feature_names)))


def _dataset(name: str, entry: Entry | None, parts: Parts, path: str) -> Dataset:
    columns = parts.feature_names or tuple(f"x{j}" for j in range(parts.X.shape[1]))
    return Dataset(
        name,
        parts.X,
        parts.y,
        columns,
        description=entry.description if entry is not None else f"Rows of {Path(path).name}.",
        source=entry.source if entry is not None else path,
        X_test=parts.X_test,
        y_test=parts.y_test,
        X_valid=parts.X_valid,
        categories=parts.categories,
    )
