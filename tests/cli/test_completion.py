"""What the shell offers: by click's own interface, and that it costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, ShellComplete

from emplus.cli import main
from emplus.cli.families import COVARIANCES, FACES
from emplus.cli.options import STARTS
from emplus.engine.registry import make_rule
from emplus.families.registry import COVARIANCES as KNOWN_COVARIANCES
from emplus.selection.candidates import NAMES
from emplus.starts.registry import STARTS as KNOWN_STARTS
from tests.extending.examples import install


def offered(*arguments: str, incomplete: str = "", kinds: bool = False) -> list[str]:
    shell = ShellComplete(main, {}, "emplus", "_EMPLUS_COMPLETE")
    items = shell.get_completions(list(arguments), incomplete)
    return [item.type if kinds else item.value for item in items]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMPLUS_DATA", raising=False)
    for name in ("farm.csv", "notes.txt", "m.safetensors"):
        Path(name).touch()
    (tmp_path / "fable").mkdir()
    return tmp_path


def test_commands_and_options() -> None:
    assert {"fit", "select", "compare", "predict", "demo"} <= set(offered())
    assert offered(incomplete="sel") == ["select"]
    assert "--search" in offered("fit", "faithful", incomplete="--se")


@pytest.mark.parametrize("command", ["fit", "select", "compare", "animate"])
def test_data_sets_beside_tables(command: str) -> None:
    assert offered(command, incomplete="fa") == ["faithful", "farm.csv"]
    assert set(offered(command)) > {"iris", "wine", "farm.csv"}
    assert "notes.txt" not in offered(command)


def test_other_files_are_listed_by_the_shell() -> None:
    for incomplete in ("no", "fable/x", "./fa"):
        assert offered("fit", incomplete=incomplete, kinds=True) == ["file"]
    for option in ("--output", "--plot", "--json", "--checkpoint"):
        assert offered("fit", "faithful", option, incomplete="x", kinds=True) == ["file"]


@pytest.mark.parametrize("command", ["predict", "score", "impute", "sample", "info", "plot"])
def test_models_first(command: str) -> None:
    assert offered(command) == ["m.safetensors"]
    if command != "sample":
        assert "faithful" in offered(command, "m.safetensors")


def test_names_are_those_that_are_known() -> None:
    assert offered("fit", "x", "--family") == ["auto", *FACES]
    assert offered("select", "x", "--family", incomplete="full,di") == ["full,diag"]
    assert set(offered("select", "x", "--family")) == set(NAMES)
    assert offered("fit", "x", "--init") == list(STARTS) == list(KNOWN_STARTS)
    assert offered("fit", "x", "--search", incomplete="em+split") == ["em+split_merge"]
    assert offered("compare", "x", "--searches", incomplete="em,re") == ["em,restarts", "em,reset"]
    assert offered("fit", "x", "--covariance") == list(COVARIANCES) == list(KNOWN_COVARIANCES)
    for name in offered("fit", "x", "--optimizer"):
        make_rule(name)
    for name in offered("fit", "x", "--accelerate"):
        make_rule("em", name)
    assert offered("select", "x", "--criterion", incomplete="b") == ["bic"]


def test_installed_packages_are_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(install(site)))
    assert offered("fit", "x", "--family", incomplete="toy") == ["toy-poisson"]
    assert offered("fit", "x", "--search", incomplete="em+toy") == ["em+toy_hopping"]
    assert "toy_poisson" not in sys.modules


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Click asks for the version of Bash, which need not be here.
    monkeypatch.setattr(BashComplete, "_check_version", staticmethod(lambda: None))
    environment = {**os.environ, "_EMPLUS_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", "from emplus.cli import main; main(prog_name='emplus')"],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode == 0:
        assert f"_EMPLUS_COMPLETE={shell}_complete" in done.stdout
    else:
        assert "ash" in done.stderr


def test_names_are_offered_without_numpy() -> None:
    code = (
        "import sys; from click.shell_completion import ShellComplete\n"
        "from emplus.cli import main\n"
        "shell = ShellComplete(main, {}, 'emplus', '_EMPLUS_COMPLETE')\n"
        "assert shell.get_completions(['fit', 'x', '--family'], 'g')\n"
        "assert shell.get_completions(['fit', 'x', '--search'], 'em+')\n"
        "print('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
