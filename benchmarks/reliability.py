"""Soak and damage: memory over many fits, fuzzed files, disks that are full.

    python benchmarks/reliability.py [--parts fits,files,disk-full,kills,rivals] [--quick]

`fits`: 1,000 fits of small random data in one process, by estimators in turn; resident memory after
100 and after all of them. `files`: 10,000 damaged model files and tables (see fuzz_readers.py), and
what came of them. `disk-full`: a model, a checkpoint and predictions block by block, written over
an older file where there is no room, by a limit on the size of files and, as root, on a small file
system in memory. `kills`, `rivals`: see checkpoint_kills.py.

Each part prints its figures and puts them between its markers in the page, unless `--quick`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from checkpoint_kills import is_whole, killings, rivals
from fuzz_readers import by_seeds
from tqdm import tqdm

import emplus

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"


def resident() -> float:
    """Resident memory of this process in MB; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def fits_part(quick: bool) -> list[str]:
    """Memory after 100 fits and after all, and by how much a fit makes it grow."""
    total, early = (60, 20) if quick else (1000, 100)
    rng = np.random.default_rng(0)
    grown = []
    for number in tqdm(range(total), desc="fits", disable=None):
        X = rng.standard_normal((500, 6)) + 4.0 * rng.integers(3, size=(500, 1))
        model = (
            emplus.GaussianMixture(3, random_state=number),
            emplus.GaussianMixture(3, covariance_type="diag", random_state=number),
            emplus.FactorAnalyzerMixture(3, random_state=number, max_iter=100),
            emplus.BernoulliMixture(3, binarize=2.0, random_state=number, max_iter=100),
        )[number % 4]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X).predict(X)
        grown.append(resident())
    later = np.arange(early, total)
    slope = float(np.polyfit(later, grown[early:], 1)[0])
    return [
        f"{total:,} fits of 500 x 6 numbers in one process, four estimators in turn.",
        "",
        "| resident memory | MB |",
        "|---|---|",
        f"| after {early} fits | {grown[early - 1]:.1f} |",
        f"| after {total:,} fits | {grown[-1]:.1f} |",
        f"| growth a fit, least squares from fit {early} on | {slope:.5f} |",
    ]


def files_part(quick: bool) -> list[str]:
    """Outcomes of damaged files by kind."""
    total = 300 if quick else 10_000
    counts = by_seeds(("models", "tables"), total)
    lines = [
        f"{total:,} files damaged at random, seeds 0 to {total - 1:,}. Refused is one sentence",
        "and, on the command line, exit code 2; read is a file that the damage left valid.",
        "",
        "| file | refused | read | anything else |",
        "|---|---|---|---|",
    ]
    whole: Counter[str] = Counter()
    for kind, found in sorted(counts.items()):
        whole += found
        lines.append(_row(kind, found))
    return [*lines, _row("all", whole)]


def _row(kind: str, found: Counter[str]) -> str:
    other = sum(found.values()) - found["refused"] - found["read"]
    return f"| {kind} | {found['refused']:,} | {found['read']:,} | {other:,} |"


_LIMITED = """
import resource, signal, sys
if int(sys.argv[1]):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
"""
_SAVING = """
import emplus
try:
    emplus.load("../large").save("old")
except emplus.errors.ModelFileError as error:
    sys.exit(f"emplus: error: {error}")
"""
_KEEPING = """
import numpy as np
import emplus, warnings
X = np.random.default_rng(0).standard_normal((2000, 40))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = emplus.GaussianMixture(3, max_iter=4, search="em", random_state=0)
    model.fit(X, checkpoint=emplus.Checkpoint("old", every=0.0))
said = {str(one.message) for one in caught if "checkpoint" in str(one.message)}
sys.exit(f"emplus: {len(said)} warning: {said.pop()}")
"""
_PREDICTING = """
from emplus.cli import main
main(["predict", "../model", "../rows.npy", "--stream", "--output", "old"])
"""
# What is done where there is no room, and what it is to say.
_WRITTEN = {
    "a model is saved": (_SAVING, "emplus: error: "),
    "a checkpoint is saved": (_KEEPING, "emplus: 1 warning: "),
    "predict --stream": (_PREDICTING, "emplus: error: "),
}


def _where_full(what: str, folder: Path, limit: int) -> str:
    """What is said where it does not fit, and whether the old file is whole; a row."""
    code, begins = _WRITTEN[what]
    target = folder / "old"
    before = target.read_bytes()
    keeps = what == "a checkpoint is saved"
    if keeps:
        target.unlink()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED + code, str(limit)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    sentence = done.stderr.strip().replace(f"{folder}/", "")
    # Of a checkpoint, the saves before were small enough.
    same = is_whole(target) if keeps else target.read_bytes() == before
    whole = same and [one.name for one in folder.iterdir()] == ["old"]
    verdict = "whole, and alone in its folder" if whole else "**damaged or not alone**"
    one_line = sentence.startswith(begins) and "\n" not in sentence and done.returncode
    told = sentence.removeprefix(begins) if one_line else f"**{sentence[-200:]!r}**"
    return f"{told} | {verdict} |"


def disk_full_part(quick: bool) -> list[str]:
    """Some hundred kB written over a small file, where less than that is free."""
    rng = np.random.default_rng(0)
    small, large = emplus.GaussianMixture(1), emplus.GaussianMixture(2, max_iter=2, search="em")
    rows = ["| no room | written | what is said | the old file |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        large.fit(rng.standard_normal((300, 150))).save(folder / "large")
        X = rng.standard_normal((40_000, 2))
        np.save(folder / "rows.npy", X)
        small.fit(X[:50]).save(folder / "model")
        for place, limit in (("limited", 20_000), ("mounted", 0)):
            (folder / place).mkdir()
            with _small_disk(folder / place, limit == 0) as there:
                label = "limit on the size of a file" if limit else "file system of 24 kB"
                for what in _WRITTEN if there else ():
                    (folder / place / "old").write_bytes((folder / "model").read_bytes())
                    rows.append(f"| {label} | {what} | {_where_full(what, folder / place, limit)}")
                if not there:
                    rows.append(f"| {label} | | not run: it needs root | |")
    return rows


@contextmanager
def _small_disk(place: Path, mounted: bool) -> Iterator[bool]:
    """A file system of 24 kB there, if it is to be one; whether there is."""
    if not mounted:
        yield True
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(place)], check=True)


def kills_part(quick: bool) -> list[str]:
    """Fits that are killed at random moments."""
    return killings(6 if quick else 200)


def rivals_part(quick: bool) -> list[str]:
    """Two processes with one checkpoint."""
    return rivals(1 if quick else 10)


PARTS = {
    "fits": fits_part,
    "files": files_part,
    "disk-full": disk_full_part,
    "kills": kills_part,
    "rivals": rivals_part,
}


def write(page: Path, part: str, lines: list[str]) -> None:
    """Put the lines between the part's markers; the page and the markers are made if need be."""
    begin, end = f"<!-- {part}: written by benchmarks/reliability.py -->", f"<!-- end of {part} -->"
    text = page.read_text("utf-8") if page.exists() else "# Reliability\n"
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {part.replace('-', ' ').capitalize()}\n\n{begin}\n{end}\n"
    block = "\n".join([begin, "", *lines, "", end])
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    page.write_text(re.sub(pattern, lambda _: block, text, flags=re.S), "utf-8")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="small, and no page is written")
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    for part in args.parts.split(","):
        begun = time.perf_counter()
        lines = PARTS[part](args.quick)
        print(f"{part} ({time.perf_counter() - begun:.0f} s)", *lines, sep="\n", end="\n\n")
        if not args.quick:
            write(args.page, part, lines)


if __name__ == "__main__":
    main()
