"""Failures and warnings as sentences on standard error."""

from __future__ import annotations

from collections.abc import Callable

import click

from emplus.errors import EmplusError

__all__ = ["attempt", "describe", "fail", "warn"]

_USAGE = 2


def describe(error: OSError) -> str:
    """Say in a sentence what the system refused."""
    reason = error.strerror or str(error) or type(error).__name__
    place = f"{error.filename!r}: " if error.filename is not None else ""
    return f"{place}{reason}."


def fail(sentence: str, code: int = _USAGE) -> int:
    """Print the sentence; returns the exit code that belongs to it."""
    click.echo(f"emplus: error: {' '.join(sentence.split())}", err=True)
    return code


def warn(sentence: str) -> None:
    """Print a warning."""
    click.echo(f"emplus: warning: {' '.join(sentence.split())}", err=True)


def attempt(action: Callable[[], object]) -> bool:
    """Do something whose failure must not keep the rest from being done; whether it succeeded."""
    try:
        action()
    except BrokenPipeError:
        raise
    except EmplusError as error:
        fail(str(error))
    except OSError as error:
        fail(describe(error))
    else:
        return True
    return False
