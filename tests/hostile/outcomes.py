"""What a hostile file may lead to: success, or one sentence, for no more memory than its size."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import emplus
from emplus.cli import main
from emplus.errors import EmplusError

__all__ = ["check_sentence", "command", "loaded", "modest", "table_commands"]

# Bytes a file may cost: text becomes objects and lists, and every command has its own small needs.
# The largest that a compressed archive may be without a question is 2**26.
_EACH, _ANY = 400, 2**22


def check_sentence(text: str) -> None:
    """One line that ends, neither empty nor long."""
    assert text.strip(), "an empty message"
    assert "\n" not in text, f"more than a line: {text!r}"
    assert len(text) < 1000, f"{len(text)} letters: {text[:200]!r}"
    assert text.endswith((".", "?", "!")), f"no sentence: {text!r}"


@contextmanager
def modest(size: int, any_size: int = _ANY) -> Iterator[None]:
    """Nothing that is done with a file of this size needs much more memory than it has bytes."""
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        if started:
            tracemalloc.stop()
    assert peak <= _EACH * size + any_size, f"{peak:,} bytes for a file of {size:,}"


def loaded(path: Path) -> tuple[str, Any]:
    """``read`` and the model, or ``refused`` and None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return "read", emplus.load(path)
    except EmplusError as error:
        check_sentence(str(error))
        return "refused", None


def command(args: Sequence[str]) -> str:
    """``read`` or ``refused``; AssertionError or the command's own where it is neither."""
    with warnings.catch_warnings():
        warnings.resetwarnings()  # the command shows them as lines of its own
        result = CliRunner().invoke(main, list(args))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    errors = [line for line in lines if line.startswith("emplus: error: ")]
    others = [line for line in lines if not line.startswith(("emplus: error: ", "emplus: warning"))]
    assert len(lines) <= 8, f"a storm: {lines[:10]}"
    assert not others, f"neither error nor warning: {others[:3]}"
    if result.exit_code == 0:
        assert not errors, errors
        return "read"
    assert (result.exit_code, len(errors)) == (2, 1), (result.exit_code, lines)
    check_sentence(errors[0])
    return "refused"


def table_commands(table: Path, model: Path) -> list[list[str]]:
    """What is asked of a table: fits of what it holds, and what a model says of it."""
    fit = ["fit", str(table), "-k", "2", "--search", "em", "--max-iter", "5", "--quiet"]
    return [[*fit, "--seed", "0"], ["predict", str(model), str(table)]]
