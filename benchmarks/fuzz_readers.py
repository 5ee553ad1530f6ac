"""Hostile files given to the readers: model files to `load`, tables to fit and predict.

    python benchmarks/fuzz_readers.py --seeds 10000 [--reader models|tables]
    python benchmarks/fuzz_readers.py --reader models --corpus FOLDER -- -max_total_time=300

With `--seeds` so many files are damaged at random, by the ways that the tests use as well, and the
outcomes are counted. Without, atheris (pip install atheris) mutates files towards code that was not
reached yet; what follows `--` goes to its libFuzzer, and FOLDER keeps what it found interesting.

An outcome is `read`, `refused` (one sentence, exit code 2), or a defect, which is shown with its
seed and ends a run under atheris. Memory beyond a constant times the file's size is a defect, too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random

from tqdm import tqdm

# What damages and what judges is that of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def _instrumented() -> AbstractContextManager[object]:
    """Imports that tell atheris what code is reached, where it is to be used."""
    if __name__ != "__main__" or any(word.startswith("--seeds") for word in sys.argv):
        return nullcontext()
    try:
        # Not everyone has it, and it has no types.
        import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return nullcontext()
    imports: AbstractContextManager[object] = atheris.instrument_imports(include=["emplus"])
    return imports


with _instrumented():
    from tests.hostile.damage import damaged, model_files, resealed, table_files
    from tests.hostile.outcomes import command, loaded, modest, table_commands

Target = Callable[[Path, bytes], str]


def read_model(folder: Path, contents: bytes) -> str:
    """Load it, and now and then describe it on the command line."""
    path = folder / "m"
    path.write_bytes(contents)
    with modest(len(contents)):
        outcome, _ = loaded(path)
    if outcome == "read":
        outcome = command(["info", str(path)])
    return outcome


def table_reader(suffix: str, model: bytes) -> Target:
    """Fit a table of this format and predict it."""

    def read(folder: Path, contents: bytes) -> str:
        table, place = folder / f"t{suffix}", folder / "model.safetensors"
        table.write_bytes(contents)
        if not place.exists():
            place.write_bytes(model)
        outcomes = []
        for args in table_commands(table, place):
            with modest(len(contents)):
                outcomes.append(command(args))
        return outcomes[0]

    return read


def by_seeds(readers: tuple[str, ...], seeds: int, first: int = 0) -> dict[str, Counter[str]]:
    """Outcomes of so many damaged files, by kind of file; a defect goes by its name and seed."""
    models, tables = model_files(), table_files()
    targets = {suffix: table_reader(suffix, models["full"]) for suffix in tables}
    counts: dict[str, Counter[str]] = {}
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as name:
        for suffix, contents in tables.items():
            targets[suffix](Path(name), contents)  # modules that are imported cost memory as well
        for seed in tqdm(range(first, first + seeds), desc="files", disable=None):
            rng = Random(seed)
            of_models = readers[seed % len(readers)] == "models"
            kind = rng.choice(sorted(models if of_models else tables))
            spoil = rng.choice((damaged, resealed)) if of_models else damaged
            contents = spoil(rng, (models if of_models else tables)[kind])
            target = read_model if of_models else targets[kind]
            name_of = f"model: {kind}" if of_models else f"table: {kind}"
            found = counts.setdefault(name_of, Counter())
            try:
                found[target(Path(name), contents)] += 1
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                found[f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"] += 1
                tqdm.write(f"seed {seed}, {kind}: {type(error).__name__}: {str(error)[:200]}")
    tracemalloc.stop()
    return counts


def by_atheris(reader: str, corpus: str | None, options: list[str]) -> None:
    """Mutations that atheris chooses by the code they reach."""
    try:
        import atheris
    except ImportError:
        sys.exit("This needs atheris (pip install atheris); --seeds N does without.")
    folder = Path(tempfile.mkdtemp())
    seeds, models = folder / "seeds", model_files()
    seeds.mkdir()
    tables = table_files()
    for number, contents in enumerate((models if reader == "models" else tables).values()):
        (seeds / str(number)).write_bytes(contents)
    targets = [table_reader(suffix, models["full"]) for suffix in (".csv", ".npy", ".parquet")]

    def once(data: bytes) -> None:
        if reader == "models":
            read_model(folder, data)
        elif data:
            # The reader goes by the first bytes; the suffix only chooses between texts.
            targets[data[-1] % len(targets)](folder, data)

    for target in targets:
        target(folder, tables[".csv"])
    atheris.Setup([sys.argv[0], *options, *([corpus] if corpus else []), str(seeds)], once)
    atheris.Fuzz()


def main() -> None:
    """Run with random damage, or with atheris."""
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", choices=("models", "tables"), help="both with --seeds")
    parser.add_argument("--seeds", type=int, help="damage so many files at random")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--corpus", help="folder where atheris keeps what it finds")
    args = parser.parse_args(own)
    if args.seeds is None:
        by_atheris(args.reader or "models", args.corpus, options)
        return
    readers = (args.reader,) if args.reader else ("models", "tables")
    for kind, found in sorted(by_seeds(readers, args.seeds, args.first).items()):
        print(f"{kind:24}", ", ".join(f"{n} {what}" for what, n in found.most_common()))


if __name__ == "__main__":
    main()
