"""What every script here shares: its command line, its claims, and the files it leaves behind.

A script has three functions and a `Reproduction` that joins them: ``measure`` does the work and
gives numbers, ``claims`` judges the numbers, ``draw`` puts them on paper. Judging and drawing see
nothing but the numbers as they stand in the JSON file (and arrays too large for it), so that what
is claimed can be checked again from the file.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
import matplotlib
import matplotlib.style
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from emplus import datasets
from emplus.datasets import Dataset
from emplus.errors import EmplusError
from emplus.io import replacing
from emplus.plotting.draw_page import new_figure, render, write_wrapped

__all__ = ["FIGURES", "STYLE", "Claim", "Measured", "Reproduction", "Run", "house_style"]

T = TypeVar("T")
Numbers = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]

STYLE = Path(__file__).with_name("figures.mplstyle")
FIGURES = Path(__file__).resolve().parents[1] / "figures"

_BAD_INPUT, _INTERRUPTED = 2, 130
_DIGITS = 6


@dataclass(frozen=True)
class Claim:
    """A statement of a source beside what was measured.

    Parameters
    ----------
    key : str
        Short name, unique in its script.
    says : str
        What the source says, in one sentence.
    published : str
        The published figure; a dash where there is none.
    ours : str
        The same as measured here.
    tolerance : str
        When the claim counts as holding.
    holds : bool
        Whether it does.
    """

    key: str
    says: str
    published: str
    ours: str
    tolerance: str
    holds: bool

    @property
    def verdict(self) -> str:
        """One or three words."""
        return "holds" if self.holds else "does not hold"


class Run:
    """How a script is run: in full or quick, with which data, watched by whom.

    Parameters
    ----------
    quick : bool
        A small part of the work, for the tests: seconds, and figures that mean little.
    folder : Path or None
        Where data sets are that are not bundled; by default ``$EMPLUS_DATA``.
    """

    def __init__(self, quick: bool = False, folder: Path | None = None):
        self.quick, self._folder = quick, folder

    def pick(self, full: T, quick: T) -> T:
        """One of two values, by how much is asked for."""
        return quick if self.quick else full

    def data(self, name: str) -> Dataset:
        """A data set by name; see `emplus.datasets.load`."""
        return datasets.load(name, self._folder)

    def each(self, items: Iterable[T], words: str) -> Iterator[T]:
        """The items, with a bar where a person waits."""
        listed: Sequence[T] = list(items)
        yield from tqdm(listed, words, leave=False, disable=None, file=sys.stderr)


@dataclass(frozen=True)
class Measured:
    """What a script has found.

    Parameters
    ----------
    numbers : dict
        What JSON can hold, arrays included; kept to six digits.
    arrays : mapping of str to ndarray
        What the picture needs and a reader of numbers does not, photographs say.
    """

    numbers: Numbers
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Reproduction:
    """One picture of a source, regenerated.

    Parameters
    ----------
    name : str
        Of the script and of the files it writes.
    title : str
        Over the picture.
    source : str
        What it regenerates, cited.
    size : two float
        Width and height in inches, words included.
    measure : callable
        ``measure(run) -> Measured``.
    claims : callable
        ``claims(numbers) -> list of Claim``.
    draw : callable
        ``draw(numbers, arrays, figure)``.
    notes : callable, optional
        ``notes(numbers) -> list of str``: what a reader of the picture must know besides.
    also : callable, optional
        ``also(numbers, arrays, folder) -> list of Path``: writes further files.
    """

    name: str
    title: str
    source: str
    size: tuple[float, float]
    measure: Callable[[Run], Measured]
    claims: Callable[[Numbers], list[Claim]]
    draw: Callable[[Numbers, Arrays, Any], None]
    notes: Callable[[Numbers], list[str]] = lambda numbers: []
    also: Callable[[Numbers, Arrays, Path], list[Path]] = lambda numbers, arrays, folder: []

    def write(self, run: Run, folder: Path) -> list[Claim]:
        """Measure, judge, draw; leave ``NAME.json`` and ``NAME.png`` in the folder.

        Raises
        ------
        EmplusError
            If a data set is not there.
        OSError
            If the folder cannot be written.
        """
        begun = time.perf_counter()
        folder.mkdir(parents=True, exist_ok=True)
        measured = self.measure(run)
        numbers = json.loads(_as_json(measured.numbers))
        claims = self.claims(numbers)
        told = {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "quick": run.quick,
            "seconds": round(time.perf_counter() - begun, 1),
            "claims": [asdict(claim) | {"verdict": claim.verdict} for claim in claims],
            "numbers": numbers,
        }
        with replacing(folder / f"{self.name}.json") as place:
            Path(place).write_text(_as_json(told) + "\n", encoding="utf-8")
        with house_style(), replacing(folder / f"{self.name}.png") as place:
            figure = new_figure(*self.size)
            self.draw(numbers, measured.arrays, figure)
            write_wrapped(figure, self.title, self._caption(claims, numbers))
            Path(place).write_bytes(render(figure, "png"))
        with house_style():
            self.also(numbers, measured.arrays, folder)
        return claims

    def _caption(self, claims: Sequence[Claim], numbers: Numbers) -> list[str]:
        lines = [f"{self.source}."]
        for claim in claims:
            published = "" if claim.published == "-" else f" Published: {claim.published}."
            lines.append(
                f"{claim.verdict.capitalize()}: {claim.says}{published} Here: {claim.ours}."
            )
        return lines + self.notes(numbers)

    def told(self, claims: Sequence[Claim]) -> str:
        """What is printed: measured beside published."""
        lines = [f"{self.name}: {self.title}", f"  {self.source}"]
        for claim in claims:
            lines += [
                f"  {claim.says}",
                f"    published  {claim.published}",
                f"    measured   {claim.ours}",
                f"    tolerance  {claim.tolerance}",
                f"    verdict    {claim.verdict}",
            ]
        return "\n".join(lines)

    def main(self) -> None:
        """Run as a command: ``python reproductions/NAME.py [--quick] [--data DIR]``."""

        @click.command(help=f"{self.title}. Regenerates: {self.source}.")
        @run_options
        def command(quick: bool, data: Path | None, output: Path | None) -> None:
            with with_sentences():
                folder = output or default_folder(quick)
                self.report(Run(quick, data), folder)
                if folder == FIGURES:
                    from report import write_readme

                    write_readme()

        command()

    def report(self, run: Run, folder: Path) -> None:
        """Write everything, and print what was measured beside what was published."""
        print(self.told(self.write(run, folder)))
        picture = os.path.relpath(folder / f"{self.name}.png")
        print(f"  picture      {picture}, its numbers in the .json beside it\n", flush=True)


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--quick``, ``--data`` and ``--output``."""
    folder = click.Path(path_type=Path)
    for option in (
        click.option(
            "--output",
            type=folder,
            help="Folder to write to.  [default: figures; figures/quick with --quick]",
        ),
        click.option(
            "--data",
            type=folder,
            help="Folder of data sets that are not bundled.  [default: $EMPLUS_DATA]",
        ),
        click.option("--quick", is_flag=True, help="A small part of it, to see that it runs."),
    ):
        command = option(command)
    return command


def default_folder(quick: bool) -> Path:
    """Where pictures go: a quick run never replaces what a full one wrote."""
    return FIGURES / "quick" if quick else FIGURES


@contextmanager
def with_sentences() -> Iterator[None]:
    """End what a person can mend with a sentence and exit code 2, never with a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted; pictures that were complete are kept.", err=True)
        sys.exit(_INTERRUPTED)
    except (EmplusError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(_BAD_INPUT)


@contextmanager
def house_style() -> Iterator[None]:
    """Take matplotlib's defaults and the one style file while pictures are made."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.style.use(STYLE)
        yield


def _as_json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """What JSON can hold: arrays as lists, floats to six digits, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(own) for own in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None
    return value
