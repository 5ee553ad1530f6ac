"""What a shell offers when the tab key is pressed; it imports next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    import click

__all__ = ["data", "families", "files", "models", "searches", "words"]

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem]]

_TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq", ".npy", ".npz")


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, as the shell itself lists them."""
    return [CompletionItem(incomplete, type="file")]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Model files beside each other; other files and folders where there is none."""
    return _here(incomplete, (".safetensors",)) or files(ctx, param, incomplete)


def data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Data sets by their names, and tables beside them; other files where there is neither."""
    if "/" in incomplete or "\\" in incomplete:
        return files(ctx, param, incomplete)
    from emplus import datasets

    named = [
        CompletionItem(one.name, help=one.description)
        for one in datasets.describe()
        if one.here and one.name.startswith(incomplete)
    ]
    return named + _here(incomplete, _TABLES) or files(ctx, param, incomplete)


def _here(incomplete: str, suffixes: tuple[str, ...]) -> list[CompletionItem]:
    if "/" in incomplete or "\\" in incomplete:
        return []
    try:
        found = sorted(path.name for path in Path().iterdir() if path.is_file())
    except OSError:
        return []
    return [
        CompletionItem(name)
        for name in found
        if name.startswith(incomplete) and name.lower().endswith(suffixes)
    ]


def words(*known: str, between: str = "") -> Complete:
    """Some words, of which several may stand in a row with any of the signs ``between`` them."""
    return lambda ctx, param, incomplete: _matching(known, incomplete, between)


def families(*known: str, between: str = "") -> Complete:
    """The families of emplus that are given, and those of installed packages."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _matching([*known, *_outside("emplus.families")], incomplete, between)

    return complete


def searches(*known: str, between: str = "+") -> Complete:
    """The searches of emplus that are given, and those of installed packages."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _matching([*known, *_outside("emplus.searches")], incomplete, between)

    return complete


def _outside(group: str) -> list[str]:
    """Names of installed packages' entry points, without importing any."""
    from importlib.metadata import entry_points

    return sorted(point.name for point in entry_points(group=group))


def _matching(known: Iterable[str], incomplete: str, between: str) -> list[CompletionItem]:
    last = max((incomplete.rfind(sign) + 1 for sign in between), default=0)
    before, begun = incomplete[:last], incomplete[last:]
    return [CompletionItem(before + name) for name in known if name.startswith(begun)]
