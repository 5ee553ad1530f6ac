"""Soak and damage: memory over many fits, fuzzed files, disks that are full.

    python benchmarks/reliability.py [--parts fits,files,disk-full] [--quick] [--page PAGE]

`fits`: 1,000 fits of small random data in one process, by estimators in turn; resident memory after
100 and after all of them. `files`: 10,000 damaged model files and tables (see fuzz_readers.py), and
what came of them. `disk-full`: saving a model over an older one where there is no room, by a limit
on the size of files in a process of its own and, as root, on a small file system in memory.

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
from pathlib import Path

import numpy as np
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


_SAVING = """
import resource, signal, sys
import emplus
model = emplus.load(sys.argv[1])
if int(sys.argv[3]):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    model.save(sys.argv[2])
except emplus.errors.ModelFileError as error:
    sys.exit(str(error))
"""


def _saved_where_full(large: Path, target: Path, limit: int) -> str:
    """What saving over the target says where it does not fit, and whether the old file is whole."""
    before = target.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", _SAVING, str(large), str(target), str(limit)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    sentence = done.stderr.strip().replace(str(target), "old.safetensors")
    whole = target.read_bytes() == before and len(list(target.parent.iterdir())) == 1
    verdict = "whole, and alone in its folder" if whole else "**damaged or not alone**"
    lines = len(sentence.splitlines())
    told = sentence if lines == 1 else f"**{lines} lines, exit code {done.returncode}**"
    return f"| {told} | {verdict} |"


def disk_full_part(quick: bool) -> list[str]:
    """A model of some hundred kB saved over a small one, where less than that is free."""
    rng = np.random.default_rng(0)
    small, large = emplus.GaussianMixture(1), emplus.GaussianMixture(2, max_iter=2, search="em")
    rows = ["| no room | what is said | the old file |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        large.fit(rng.standard_normal((300, 150))).save(folder / "large")
        (folder / "limited").mkdir()
        (folder / "mounted").mkdir()
        small.fit(rng.standard_normal((50, 2)))
        small.save(folder / "limited" / "old.safetensors")
        target = folder / "limited" / "old.safetensors"
        rows.append(
            "| limit on the size of a file " + _saved_where_full(folder / "large", target, 65_536)
        )
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder / "mounted")]
        if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
            try:
                target = folder / "mounted" / "old.safetensors"
                small.save(target)
                rows.append(
                    "| file system of 64 kB " + _saved_where_full(folder / "large", target, 0)
                )
            finally:
                subprocess.run(["umount", str(folder / "mounted")], check=True)
        else:
            rows.append("| file system of 64 kB | not run: it needs root | |")
    return rows


# Still to come, once the package has them: kills, checkpoints, streaming.
PARTS = {"fits": fits_part, "files": files_part, "disk-full": disk_full_part}


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
