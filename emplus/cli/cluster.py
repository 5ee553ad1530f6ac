"""``--cluster``: tables that the workers of a cluster read, each its own part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emplus.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from emplus.cli.options import ModelRequest
    from emplus.cli.table import Table

__all__ = ["ClusterRequest", "cluster_options", "cluster_table"]

_PATIENCE = 60.0


@dataclass(frozen=True)
class ClusterRequest:
    """Where the rows are to be, and how long to wait for workers; None is here, in memory."""

    where: str | None
    patience: float | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> ClusterRequest:
        """Take out of a command's options those that are the cluster's, and check them.

        Raises
        ------
        ArgumentError
            If another option does not go with them.
        """
        request = cls(options.pop("cluster"), options.pop("patience"))
        if request.where is None:
            if request.patience is not None:
                raise ArgumentError("--patience is for --cluster.")
            return request
        if options.get("stream"):
            raise ArgumentError("--cluster has its workers read DATA; leave --stream out.")
        if options.get("standardize"):
            raise ArgumentError(
                "--standardize needs the rows in memory; scale the columns beforehand."
            )
        return request


_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Have the workers of a Dask cluster read DATA (.npy, .parquet, .csv of numbers; also "
        "'rows/*.parquet') and keep it: tcp://host:port of its scheduler, or local:4 for so many "
        "processes here.",
    ),
    click.option(
        "--patience",
        type=click.FloatRange(0.0, min_open=True),
        metavar="SECONDS",
        help=f"How long to wait where a cluster has lost all workers.  [default: {_PATIENCE:g}]",
    ),
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `ClusterRequest`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def cluster_table(
    asked: ClusterRequest, request: ModelRequest, labels_column: str | None
) -> Iterator[Table]:
    """The rows that are asked for, on the workers of a cluster, which is left at the end.

    Raises
    ------
    ArgumentError
        If the address is none, or columns cannot be used.
    DataError
        If nobody answers there, workers cannot read the file, or it holds no numbers.
    UnknownNameError
        If it has no such column.
    """
    from emplus.cli.beside import labels_of, weights_of
    from emplus.cli.cells import Columns
    from emplus.cli.table import Table, split_names
    from emplus.data.cluster_client import cluster_client
    from emplus.data.cluster_files import files_of

    files = files_of(request.data)
    source, names = repr(request.data), files.column_names
    weights = request.weights_column
    beside = [name for name in (weights, labels_column) if name is not None]
    chosen = [name for name in names if name not in beside]
    if request.columns is not None:
        chosen = split_names(request.columns)
    for name in [*chosen, *beside]:
        if name not in names:
            raise UnknownNameError(f"column of {source}", name, names)
        if name in beside and name in chosen:
            raise ArgumentError(f"Column {name!r} cannot be data and beside it at once.")
    if not chosen:
        raise ArgumentError(f"{source} has no columns besides those of weights and labels.")
    named = files.names is not None
    with cluster_client(asked.where or "", asked.patience or _PATIENCE) as reached:
        rows, columns = files.read(reached, chosen, beside)

        def column(name: str) -> Columns:
            return Columns(source, (name,), columns[name][:, None], named=named, lines=None)

        yield Table(
            source,
            rows,
            tuple(chosen),
            named,
            None if weights is None else weights_of(column(weights), weights),
            labels=None
            if labels_column is None
            else partial(labels_of, column(labels_column), labels_column),
        )
