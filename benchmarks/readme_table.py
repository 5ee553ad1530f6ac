"""The table of the README: what was reached beside peers, from the benchmarks' own tables.

``python benchmarks/readme_table.py`` reads ``benchmarks/README.md``, where the figures of every
benchmark stand, and writes the table of ``README.md`` anew between its markers. With ``--check`` it
only says whether that would change anything. So no figure is copied by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- written by benchmarks/readme_table.py -->", "<!-- end of what is written -->"


class Line(NamedTuple):
    """A line of the table: what was asked for, what emplus reached, and what others did."""

    what: str
    emplus: str
    beside: str


class Figures:
    """The tables of a page, by section, first cell of a row and head of a column."""

    def __init__(self, text: str):
        self._tables: dict[str, list[list[list[str]]]] = {}
        section, table = "", list[list[str]]()
        for line in [*text.splitlines(), ""]:
            if line.startswith("|"):
                cells = [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]
                if not set("".join(cells)) <= set("-: "):
                    table.append(cells)
                continue
            if table:
                self._tables.setdefault(section, []).append(table)
                table = []
            if found := re.match(r"## `([a-z_]+)\.py`", line):
                section = found[1]

    def cell(self, section: str, row: str, column: str) -> str:
        """A cell of a section's tables.

        Raises
        ------
        LookupError
            If there is none, or it is empty.
        """
        for head, *rows in self._tables.get(section, []):
            for cells in rows:
                if cells[0] == row and column in head:
                    value = cells[head.index(column)]
                    if value:
                        return value
        raise LookupError(f"benchmarks/README.md has no figure {section}: {row!r}, {column!r}.")


def lines(figures: Figures) -> list[Line]:
    """The lines of the table."""

    def found(row: str) -> tuple[str, str]:
        share, seconds = figures.cell("escape", row, "`split_merge`").split(", ")
        peer, theirs = figures.cell("escape", row, "scikit-learn 10").split(", ")
        ours = f"{float(share):.0%} of fits, {seconds}"
        return ours, f"scikit-learn, ten starts: {float(peer):.0%}, {theirs}"

    ratio = figures.cell("em_speed", "2e5, 10, 20", "full")
    tied = figures.cell("em_speed", "1e4, 128, 10", "tied")
    faster = figures.cell("binary_density", "plants, 100", "ratio")
    nltcs = figures.cell("binary_density", "nltcs (16,181, 16)", "emplus (se)").split(" ")[0]
    trees = figures.cell("binary_density", "nltcs (16,181, 16)", "trees")
    ours, theirs = (
        figures.cell("latent_class", "-2754.545", name) for name in ("default search", "poLCA")
    )
    voters, em = (figures.cell("artmap", "letter", name) for name in ("five voters", "EM"))
    return [
        Line("best optimum found: `a2`, 35 clusters", *found("a2 (5,250, 35)")),
        Line("best optimum found: `d31`, 31 clusters", *found("d31 (3,100, 31)")),
        Line(
            "an EM iteration, full covariances (2e5 rows, d = 10, k = 20)",
            "1",
            f"scikit-learn: {ratio} times as long",
        ),
        Line(
            "the same, one tied matrix (1e4 rows, d = 128, k = 10)",
            "1",
            f"scikit-learn: {tied} times as long",
        ),
        Line(
            "an iteration on zeros and ones (`plants`, k = 100)",
            "1",
            f"StepMix: {faster} times as long",
        ),
        Line(
            "the best end for three latent classes of `gss82`, of 500 calls",
            ours,
            f"poLCA, one start each: {theirs}",
        ),
        Line(
            "held-out nats a row, `nltcs` (lower is better)",
            nltcs,
            f"mixtures of trees, as published: {trees}",
        ),
        Line(
            "letters told apart, Gaussian ARTMAP in two passes",
            voters,
            f"EM, as many Gaussians: {em}",
        ),
    ]


def table(figures: Figures) -> str:
    """The table in Markdown."""
    rows = [f"| {line.what} | {line.emplus} | {line.beside} |" for line in lines(figures)]
    return "\n".join(["| | emplus | beside it |", "|---|---|---|", *rows])


def written(readme: str, figures: Figures) -> str:
    """The README with the table between its markers.

    Raises
    ------
    ValueError
        If the markers are not there, once each.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md needs the lines {BEGIN} and {END}, once each.")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table(figures)}\n{END}{rest.split(END)[1]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    check = parser.parse_args().check
    readme = README.read_text("utf-8")
    after = written(readme, Figures((HERE / "README.md").read_text("utf-8")))
    if check and after != readme:
        print("README.md is not what benchmarks/readme_table.py writes; run it.")
        return 1
    if not check:
        README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
