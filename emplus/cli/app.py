"""The command group, and the one place where errors become a sentence and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import click

from emplus._version import __version__
from emplus.cli.animate import animate
from emplus.cli.compare import compare
from emplus.cli.demo import demo
from emplus.cli.failures import describe, fail, warn
from emplus.cli.fit import fit
from emplus.cli.impute import impute
from emplus.cli.select import select
from emplus.cli.show import datasets, info, plot
from emplus.cli.use import predict, sample, score
from emplus.errors import EmplusError

__all__ = ["main"]

_USAGE = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141  # what a shell reports for a program that the closed pipe ended


class _Commands(click.Group):
    """A group whose failures are one sentence on standard error, never a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "emplus",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with the code that fits."""
        try:
            with _warnings_as_sentences():
                code = super().main(args, prog_name, complete_var, False, **extra)
        except click.UsageError as error:
            hint = f" See '{error.ctx.command_path} --help'." if error.ctx else ""
            code = fail(error.format_message() + hint)
        except click.ClickException as error:
            code = fail(error.format_message())
        except click.Abort:
            code = fail("interrupted.", _INTERRUPTED)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error that a person can mend is a sentence."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard_output()
            ctx.exit(_BROKEN_PIPE)
        except EmplusError as error:
            ctx.exit(fail(str(error)))
        except OSError as error:
            ctx.exit(fail(describe(error)))
        except MemoryError:
            ctx.exit(fail("there is not enough memory for this."))


def _discard_output() -> None:
    # The interpreter flushes standard output once more at its end and would complain there.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it has to outlive this function)


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        # What libraries tell each other is nothing that a person here can mend.
        if not issubclass(category, DeprecationWarning):
            warn(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("once", UserWarning)
        warnings.showwarning = show
        yield


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="emplus %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Fit mixture models to tables of numbers, truth values and categories, and use them.

    DATA is a CSV, TSV, Parquet, NPY or NPZ file (with an array X), the name of a data set
    (see 'emplus datasets'), or - for CSV on standard input. Empty cells are missing values.

    \b
    Try:
      emplus fit faithful --components 2 --plot faithful.png --output faithful.safetensors
      emplus predict faithful.safetensors faithful
      emplus compare iris --components 3 --searches em,split_merge
    """  # noqa: D301  (click takes the backspace as: do not rewrap)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(_USAGE)


for _command in (
    fit,
    select,
    compare,
    animate,
    predict,
    score,
    impute,
    sample,
    info,
    plot,
    datasets,
    demo,
):
    main.add_command(_command)
