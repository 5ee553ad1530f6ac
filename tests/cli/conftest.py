from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emplus.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder; its terminal is 100 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    runner = CliRunner()

    def call(*args: str, stdin: bytes | None = None) -> Result:
        result = runner.invoke(main, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def model(run: Run) -> str:
    """A model of Old Faithful in the current folder."""
    args = ("faithful", "-k", "2", "--seed", "0", "--output", "m.safetensors", "--quiet")
    assert run("fit", *args).exit_code == 0
    return "m.safetensors"
