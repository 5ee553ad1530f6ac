"""Build the wheel and the sdist, and try the wheel in clean environments.

One has the lowest versions of what is required that ``pyproject.toml`` allows, one the newest.
Run by ``make package``; it needs the network, ``build`` and ``uv``.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = (sys.executable, "-m", "uv")

# Quick parts of the suite that meet every library that is required.
QUICK = (
    "tests/numerics/test_moments.py",
    "tests/families/test_discrete.py",
    "tests/test_mixture.py",
    "tests/test_io.py",
    "tests/data/test_coding.py",
    "tests/datasets/test_datasets.py",
    "tests/estimators/test_display.py",
    "tests/plotting/test_profiles.py",
)
# What a library of that time cannot have known of what it needs itself; warnings are errors there.
OF_THAT_TIME = ("pyparsing<3.3",)


def main() -> None:
    """Do everything, and stop at the first thing that is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder, str(ROOT))
        (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
        _check_contents(wheel, sdist)
        pinned = place / "lowest.txt"
        options = ("--quiet", "--no-header", "--resolution", "lowest-direct", "-o", str(pinned))
        _run(*UV, "pip", "compile", *options, str(ROOT / "pyproject.toml"))
        lowest = _environment(place / "lowest", wheel, "--constraint", str(pinned))
        _try(lowest, "lowest")
        _try(_environment(place / "newest", wheel), "newest")
        _test(lowest, pinned)


def _run(*arguments: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _check_contents(wheel: Path, sdist: Path) -> None:
    """Everything that is needed is in, and nothing that is not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "emplus").rglob("*.py")}
    wanted = package | {"emplus/py.typed", "emplus/datasets/faithful.csv"}
    assert wanted <= names, sorted(wanted - names)
    others = {name for name in names - wanted if ".dist-info/" not in name}
    assert not {name for name in others if not name.startswith("emplus/")}, sorted(others)
    with tarfile.open(sdist) as archive:
        top = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for needed in ("README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "tests/cases.py"):
        assert needed in top, f"{needed} is not in the sdist"
    size = f"{wheel.stat().st_size / 1e3:.0f} and {sdist.stat().st_size / 1e3:.0f} kB"
    print(f"{wheel.name}, {sdist.name}: {size}")


def _environment(place: Path, wheel: Path, *options: str) -> str:
    """A new environment with the wheel; its Python."""
    _run(*UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(place))
    python = str(place / "bin" / "python")
    _run(*UV, "pip", "install", "--quiet", "--python", python, *options, str(wheel))
    return python


def _try(python: str, name: str) -> None:
    began = time.perf_counter()
    _run(python, "-m", "pip", "check")
    # Elsewhere than here, where the sources would be imported in place of what is installed.
    told = _run(python, "-I", str(ROOT / "tests/packaging/installed.py"), cwd=Path(python).parent)
    listed = _run(python, "-m", "pip", "list", "--format", "freeze").split()
    shown = [one for one in listed if one.split("==")[0] in ("numpy", "scipy", "pandas", "click")]
    print(f"{name} ({', '.join(shown)}): {'; '.join(told.splitlines())}", end="")
    print(f"; {time.perf_counter() - began:.0f} s")


def _test(python: str, pinned: Path) -> None:
    """Quick parts of the suite under the lowest versions."""
    kept = [one for one in pinned.read_text().splitlines() if not one.startswith("pyparsing")]
    pinned.write_text("\n".join(kept))
    constraint = ("--constraint", str(pinned))
    more = (*OF_THAT_TIME, "pytest>=8.2", "hypothesis>=6.100")
    _run(*UV, "pip", "install", "--quiet", "--python", python, *constraint, *more)
    print(_run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK).splitlines()[-1])


if __name__ == "__main__":
    main()
