"""The habits of the project, as tests: floors, confinement, versions, sizes, the README."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import emplus

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "emplus"

# The floors: an import goes down only. A new module needs a floor here.
FLOORS = {
    "errors": 0,
    "_version": 0,
    "plugins": 0,
    "markup": 0,
    "numerics": 1,
    "families": 2,
    "artmap": 2,
    "mixture": 3,
    "data": 4,
    "engine": 5,
    "starts": 6,
    "search": 7,
    "estimators": 8,
    "io": 8,
    "datasets": 8,
    "diagnostics": 8,
    "plotting": 8,
    "selection": 8,
    "cli": 9,
    "demo": 9,
    "__main__": 10,
    "__init__": 10,
}

# On one floor, the imports between modules that are allowed to close a circle when they are
# delayed: an estimator saves itself by io, and io makes the estimator that it has read.
DELAYED_CIRCLES = {("estimators", "io"), ("io", "estimators")}

# Where these may be imported; anything that is not listed may be imported anywhere.
CONFINED = {
    "sklearn": ("estimators/", "starts/", "datasets/"),
    "matplotlib": ("plotting/draw",),
    "click": ("cli/",),
    "dask": ("data/",),
    "distributed": ("data/",),
    "cloudpickle": ("data/",),
    "bokeh": ("demo/",),
}

LONGEST_FILE = 400


@dataclass(frozen=True)
class Import:
    """One import statement's target."""

    path: str  # of the importing file, relative to emplus/
    line: int
    target: str  # dotted
    eager: bool  # runs when the importing file is imported

    @property
    def place(self) -> str:
        return f"emplus/{self.path}:{self.line} imports {self.target}"


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def known_modules() -> frozenset[str]:
    return frozenset(dotted(path) for path in modules())


def dotted(path: Path) -> str:
    parts = ("emplus", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part(module: str) -> str:
    """The entry of FLOORS that a module of emplus belongs to."""
    return [*module.split("."), "__init__"][1]


def _is_delayed(node: ast.AST) -> bool:
    """Whether what stands inside does not run when the file is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def _statements(node: ast.AST, eager: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, eager
        else:
            yield from _statements(child, eager and not _is_delayed(child))


def _targets(node: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        above = module.split(".")[: len(module.split(".")) - node.level + is_package]
        base = ".".join([*above, *([base] if base else [])])
    # `from emplus.x import y` is an import of y where y is a module.
    known = known_modules()
    return [f"{base}.{a.name}" if f"{base}.{a.name}" in known else base for a in node.names]


@cache
def imports() -> tuple[Import, ...]:
    found = []
    for path in modules():
        relative = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, eager in _statements(tree, True):
            for target in _targets(node, dotted(path), path.name == "__init__.py"):
                found.append(Import(relative, node.lineno, target, eager))
    return tuple(found)


def inner() -> list[Import]:
    return [i for i in imports() if i.target.split(".")[0] == "emplus"]


def module_of(i: Import) -> str:
    return dotted(PACKAGE / i.path)


def test_every_module_has_a_floor() -> None:
    assert {part(dotted(path)) for path in modules()} <= FLOORS.keys()


def test_no_import_climbs() -> None:
    climbing = [i.place for i in inner() if FLOORS[part(i.target)] > FLOORS[part(module_of(i))]]
    assert climbing == []


def test_no_circle_of_files() -> None:
    """No file needs itself to be imported, also by way of a package's __init__."""
    known = known_modules()
    graph: dict[str, set[str]] = {module: set() for module in known}
    for i in inner():
        if i.eager:
            importer = module_of(i)
            steps = i.target.split(".")
            # Importing a.b.c runs a, a.b and a.b.c, but those that hold the importer run already.
            needed = {".".join(steps[: j + 1]) for j in range(1, len(steps))} & known
            graph[importer] |= {m for m in needed if not f"{importer}.".startswith(f"{m}.")}
    graphlib.TopologicalSorter(graph).prepare()


def test_no_circle_on_a_floor() -> None:
    """Modules of one floor do not need each other, not even in delayed imports."""
    graph: dict[str, set[str]] = {}
    for i in inner():
        importer, target = part(module_of(i)), part(i.target)
        excused = not i.eager and (importer, target) in DELAYED_CIRCLES
        if importer != target and not excused:
            graph.setdefault(importer, set()).add(target)
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("library", CONFINED)
def test_third_parties_stay_in_their_place(library: str) -> None:
    astray = [
        i.place
        for i in imports()
        if i.target.split(".")[0] == library and not i.path.startswith(CONFINED[library])
    ]
    assert astray == []


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _required(lines: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", line)[0] for line in lines}


CORE = {
    "numpy", "scipy", "scikit-learn", "matplotlib", "pillow", "click", "pandas", "safetensors",
    "tqdm", "threadpoolctl",
}  # fmt: skip


def test_dependencies_are_the_agreed_ones_and_cover_the_imports() -> None:
    described = project()["project"]
    assert _required(described["dependencies"]) == CORE
    extras = described["optional-dependencies"]
    for extra in ("parquet", "cluster", "demo"):
        assert set(extras[extra]) <= set(extras["dev"])
    available = {{"scikit-learn": "sklearn", "pillow": "PIL"}.get(name, name) for name in CORE}
    available |= _required(extras["parquet"]) | set(sys.stdlib_module_names) | {"emplus"}
    # Dask itself needs the last one.
    available |= _required(extras["cluster"]) | {"cloudpickle"}
    available |= _required(extras["demo"])
    assert {i.target.split(".")[0] for i in imports()} <= available


def test_versions_agree() -> None:
    described = project()
    assert described["project"]["dynamic"] == ["version"]
    assert described["tool"]["hatch"]["version"]["path"] == "emplus/_version.py"
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.M) == [emplus.__version__]
    assert f"## [{emplus.__version__}]" in changelog
    assert emplus.__version__ in (ROOT / "README.md").read_text(encoding="utf-8")


def test_licenses_agree() -> None:
    assert project()["project"]["license"] == "BSD-3-Clause"
    assert "license: BSD-3-Clause" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License")


def test_no_module_of_ours_is_exempt_from_types() -> None:
    settings = project()["tool"]["mypy"]
    assert settings["strict"] is True
    exempt = [name for override in settings["overrides"] for name in override["module"]]
    assert [name for name in exempt if name.startswith(("emplus", "tests"))] == []


def test_package_data_is_there() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "datasets" / "faithful.csv").is_file()


def test_no_file_is_long() -> None:
    folders = ("emplus", "tests", "benchmarks", "reproductions")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in paths}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_make_commands_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for text in (readme(), contributing, (ROOT / ".ci/run").read_text(encoding="utf-8")):
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M))
        assert named
        assert named <= targets
    # What stands beside `make example` and `make test` is what they run.
    for line in ("fit faithful --components 2 --search em --plot faithful.png", "-m pytest"):
        assert line in makefile
        assert line in readme()


def test_the_commands_of_the_readme_exist() -> None:
    from click.testing import CliRunner

    from emplus.cli import main

    named = set(re.findall(r"^\| `emplus ([a-z]+)", readme(), re.M))
    known = "fit select compare animate demo predict score impute sample info plot datasets"
    assert named == set(known.split())
    for command in sorted(named):
        answer = CliRunner().invoke(main, [command, "--help"])
        assert answer.exit_code == 0, answer.output
    for option in set(re.findall(r"`(--[a-z-]+)", readme())):
        helps = [CliRunner().invoke(main, [command, "--help"]).output for command in named]
        assert option == "--help" or any(option in text for text in helps), option


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", readme(), re.S))
def test_the_python_of_the_readme_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out
