"""How families and searches become known, by hand and from installed packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from docs.examples.basin_hopping import basin_hopping
from docs.examples.poisson import Poisson
from emplus import load
from emplus.cli import main
from emplus.errors import ArgumentError, ModelFileError, UnknownNameError
from emplus.families.gaussian import Gaussian
from emplus.families.registry import FAMILIES, KNOWN_FAMILIES, make_family, register_family
from emplus.search.registry import KNOWN_SEARCHES, SEARCHES, make_search, register_search
from tests.extending.examples import counts, install, poisson

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", [*FAMILIES, "mixed", "auto", "full", "tied", "diag", "spherical"])
def test_a_name_of_emplus_is_taken(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"The family name '{name}' is taken"):
        register_family(Poisson, name)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_of_emplus_is_taken(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"The search name '{name}' is taken"):
        register_search(name, basin_hopping)


def test_the_same_again_is_no_clash_and_another_is() -> None:
    assert register_family(Poisson) is Poisson
    assert register_search("basin_hopping", basin_hopping) is basin_hopping
    with pytest.raises(ArgumentError, match=r"taken \(by docs\.examples\.poisson\.Poisson\)"):
        register_family(Gaussian, "poisson")


@pytest.mark.parametrize("name", ["", "two words", "a+b", "9", None, 3])
def test_a_name_must_be_one(name: Any) -> None:
    with pytest.raises(ArgumentError, match="is no name for a"):
        KNOWN_FAMILIES.add(name, Poisson)
    with pytest.raises(ArgumentError, match="is no name for a"):
        register_search(name, basin_hopping)


def test_what_makes_one_must_be_callable() -> None:
    with pytest.raises(ArgumentError, match="must be callable"):
        register_search("nothing", None)  # type: ignore[arg-type]  # on purpose


def test_arguments_that_are_not_the_familys_are_a_sentence() -> None:
    with pytest.raises(ArgumentError, match="The family 'poisson' cannot be made so"):
        make_family("poisson", rate=3)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment with a package of a family and a search; what it brought is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(install(folder)))
    monkeypatch.setattr(KNOWN_FAMILIES, "_added", dict(KNOWN_FAMILIES._added))
    monkeypatch.setattr(KNOWN_SEARCHES, "_added", dict(KNOWN_SEARCHES._added))
    yield folder
    for name in ("toy_poisson", "toy_basin_hopping"):
        sys.modules.pop(name, None)


def test_installed_packages_are_asked_when_a_name_is_not_known(installed: Path) -> None:
    assert {"toy-poisson", "broken"} <= set(KNOWN_FAMILIES.outside())
    assert "toy_poisson" not in sys.modules
    assert make_family("toy-poisson").name == "toy-poisson"
    assert type(make_search("toy_hopping")).__module__ == "toy_basin_hopping"
    with pytest.raises(UnknownNameError, match="did you mean 'toy-poisson'"):
        make_family("toy-poison")
    with pytest.raises(ArgumentError, match=r"'broken' of the package toycounts cannot be import"):
        make_family("broken")


def command(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rows, _ = counts(300)
    np.savetxt("counts.csv", rows, "%d", ",", header="a,b,c", comments="")
    np.save("counts.npy", rows)
    return "counts.csv"


def test_the_command_line_has_them_in_every_command(installed: Path, table: str) -> None:
    asked = ("-k", "3", "--family", "toy-poisson", "--search", "toy_hopping", "--prior", "1")
    made = ("--output", "m.safetensors", "--plot", "m.png", "--json", "r.json")
    fitted = command("fit", table, *asked, *made)
    assert fitted.exit_code == 0, fitted.output
    assert "toy-poisson (3 count columns)" in fitted.output
    assert json.loads(Path("r.json").read_text())["arguments"]["prior"] == 1.0
    streamed = command("fit", "counts.npy", *asked, "--stream")
    assert streamed.exit_code == 0, streamed.output
    for arguments in (
        ("info", "m.safetensors", table),
        ("predict", "m.safetensors", table),
        ("score", "m.safetensors", table),
        ("impute", "m.safetensors", table),
        ("plot", "m.safetensors", table, "--output", "p.png"),
        ("select", table, "-k", "1:3", "--family", "toy-poisson,diag", "--search", "em"),
        ("compare", table, "-k", "2", "--seeds", "1", "--searches", "em,toy_hopping", *asked[2:4]),
    ):
        answer = command(*arguments)
        assert answer.exit_code == 0, answer.output
    drawn = command("sample", "m.safetensors", "-n", "2", "--seed", "0")
    assert "." not in drawn.output
    assert drawn.output.splitlines()[0] == "a,b,c"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--family", "toy-poison"), "did you mean 'toy-poisson'?"),
        (("--family", "broken"), "mend or remove the package"),
        (("--family", "toy-poisson", "--covariance", "full"), "not of toy-poisson"),
        (("--search", "toy_hoping"), "did you mean 'toy_hopping'?"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    installed: Path, table: str, options: tuple[str, ...], sentence: str
) -> None:
    answer = command("fit", table, *options)
    assert answer.exit_code == 2
    assert sentence in answer.output


def test_a_file_of_a_family_that_is_not_here_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "m.safetensors"
    poisson().fit(counts(200)[0]).save(place)
    monkeypatch.setattr(KNOWN_FAMILIES, "_added", {})
    with pytest.raises(ModelFileError) as caught:
        load(place)
    for words in ("family 'poisson', which is not known", "install the package", "docs.examples"):
        assert words in str(caught.value)


def test_nothing_is_imported_because_a_file_says_so(tmp_path: Path) -> None:
    """A new process, in which nobody has registered the family, reads a file that names it."""
    place = tmp_path / "m.safetensors"
    poisson().fit(counts(200)[0]).save(place)
    code = (
        "import sys; from emplus import load\n"
        "try: load(sys.argv[1])\n"
        "except ValueError as error: print(type(error).__name__)\n"
        "print('docs.examples.poisson' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(place)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.split() == ["ModelFileError", "False"]


def test_a_checkpoint_holds_the_values_of_registered_modules_only() -> None:
    from emplus.io.values import Reader, Writer

    tree = Writer().tree(Poisson())
    assert Reader({}).value(tree) == Poisson()
    with pytest.raises(ValueError, match="no value of emplus"):
        Reader({}).value({"new": "subprocess:Popen", "fields": {}})
