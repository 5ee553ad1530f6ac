"""The exceptions and warnings of emplus.

::

    EmplusError (Exception)
    ├── ArgumentError (ValueError)       an argument is not what the call can use
    │   └── UnknownNameError             a name that is not known; suggests the nearest
    ├── DataError (ValueError)           the rows cannot be fitted or scored
    │   └── DatasetNotFoundError         a named data set is not on this machine
    ├── ModelFileError (ValueError)      a file is not a model this version can read
    ├── CheckpointError (ValueError)     a checkpoint is not one that this fit can go on from
    └── FitError (RuntimeError)          every start failed; says how each one ended

    EmplusWarning (UserWarning)
    ├── DataWarning                      the fit goes on, but a column or row is odd
    └── FitWarning                       the fit is usable, but not what was asked for

Every message is a sentence that says what is wrong, where it is (column, row, component,
iteration) and what to do about it.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable
from typing import Any

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "DataError",
    "DataWarning",
    "DatasetNotFoundError",
    "EmplusError",
    "EmplusWarning",
    "FitError",
    "FitWarning",
    "ModelFileError",
    "UnknownNameError",
    "say",
]


class EmplusError(Exception):
    """Base of every error that emplus raises on purpose."""


class ArgumentError(EmplusError, ValueError):
    """An argument is not what the call can use."""


class UnknownNameError(ArgumentError):
    """A name (covariance, search, start, column, ...) that is not known.

    Parameters
    ----------
    kind : str
        What the name was taken for, e.g. ``"search"``.
    name : object
        The name as it was given.
    choices : iterable of str
        The names that are known; the nearest one is suggested.

    Examples
    --------
    >>> str(UnknownNameError("covariance type", "ful", ["full", "tied"]))
    "Unknown covariance type 'ful'; did you mean 'full'? Known: full, tied."
    """

    def __init__(self, kind: str, name: object, choices: Iterable[str]):
        known = [str(choice) for choice in choices]
        nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        super().__init__(f"Unknown {kind} {name!r}{hint} Known: {shown}.")
        self.kind, self.name = kind, name

    def __reduce__(self) -> Any:
        # By its message, which is not what __init__ takes: errors cross the borders of processes.
        return _with_message, (type(self), *self.args), vars(self)


def _with_message(kind: type[UnknownNameError], message: str) -> UnknownNameError:
    return kind.__new__(kind, message)


class DataError(EmplusError, ValueError):
    """The rows cannot be fitted or scored."""


class DatasetNotFoundError(DataError):
    """A named data set is not on this machine and cannot be fetched."""


class ModelFileError(EmplusError, ValueError):
    """A file is not a model that this version of emplus can read."""


class CheckpointError(EmplusError, ValueError):
    """A checkpoint is not one that this fit can go on from, or cannot be written."""


class FitError(EmplusError, RuntimeError):
    """Every start failed; the message says how each one ended."""


class EmplusWarning(UserWarning):
    """Base of every warning that emplus gives on purpose."""


class DataWarning(EmplusWarning):
    """The fit goes on, but a column or a row is odd."""


class FitWarning(EmplusWarning):
    """The fit is usable, but not quite what was asked for."""


def say(kind: type[Warning], sentence: str) -> None:
    """Warn at the line of the caller's own code, however deep inside the package we are."""
    depth, frame = 1, sys._getframe()
    # Code that is run from a string may have no name.
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("emplus."):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(sentence, kind, stacklevel=depth)
