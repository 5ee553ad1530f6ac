"""Regenerate every picture: what ``make figures`` runs."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import click
from report import SCRIPTS, write_readme
from reproduction import (
    FIGURES,
    Reproduction,
    Run,
    default_folder,
    run_options,
    with_sentences,
)

from emplus.errors import ArgumentError, DatasetNotFoundError, UnknownNameError


def reproduction(name: str) -> Reproduction:
    """The reproduction of a script."""
    found = import_module(name).REPRODUCTION
    assert isinstance(found, Reproduction)
    assert found.name == name
    return found


def chosen(only: str | None) -> list[str]:
    """The scripts that are asked for, in their own order."""
    names = list(SCRIPTS) if only is None else [name.strip() for name in only.split(",")]
    for name in names:
        if name not in SCRIPTS:
            raise UnknownNameError("script", name, SCRIPTS)
    if not names:
        raise ArgumentError("--only names no script.")
    return [name for name in SCRIPTS if name in names]


@click.command()
@run_options
@click.option("--only", metavar="A,B,...", help="These scripts alone.")
def main(quick: bool, data: Path | None, output: Path | None, only: str | None) -> None:
    """Regenerate every picture in figures/, and the table of claims in reproductions/README.md.

    A script whose data set is not there is passed over and named at the end; what it wrote before
    stays.
    """
    folder, run, begun = output or default_folder(quick), Run(quick, data), time.perf_counter()
    with with_sentences():
        names, missing = chosen(only), []
        for name in names:
            try:
                reproduction(name).report(run, folder)
            except DatasetNotFoundError as error:
                missing.append(name)
                click.echo(f"{name} is passed over: {error}\n", err=True)
            if folder == FIGURES:
                write_readme()
    minutes = (time.perf_counter() - begun) / 60.0
    print(
        f"{len(names) - len(missing)} of {len(names)} pictures in {folder}, {minutes:.1f} minutes"
    )
    if missing:
        print(f"passed over: {', '.join(missing)}; name their data's folder with --data")
        sys.exit(1 if len(missing) == len(names) else 0)


if __name__ == "__main__":
    main()
